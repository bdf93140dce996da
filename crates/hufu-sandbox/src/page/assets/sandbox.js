// Sends the page's buttons and forms to the control API, and follows the call log.
{
  const words = JSON.parse(document.body.dataset.words);
  const $ = (id) => document.getElementById(id);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shownCalls = 60;

  let lastCall = 0;
  let codeEndsAt = 0;
  let toastTimer = 0;

  const control = async (method, path, body) => {
    const response = await fetch("/__sandbox" + path, {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  };

  // What went well goes by itself; what went wrong stays.
  const toast = (message) => {
    $("toast").textContent = message;
    $("toast").hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => ($("toast").hidden = true), 3000);
  };
  const trouble = (message) => {
    const box = $("trouble");
    if (box.lastElementChild.textContent !== message) box.lastElementChild.textContent = message;
    box.hidden = !message;
  };
  const said = (error) => (error instanceof TypeError ? words.unreachable : error.message);

  // Runs what was asked for; a refusal becomes a banner.
  const attempt = async (work) => {
    try {
      await work();
      trouble("");
    } catch (error) {
      trouble(said(error));
    }
  };
  const act = (button, work) =>
    button.addEventListener("click", async () => {
      button.setAttribute("aria-busy", "true");
      await attempt(() => work(button));
      button.removeAttribute("aria-busy");
    });

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // The phone.

  const app = () => document.querySelector("[name=app]:checked");
  const person = () => document.querySelector("[name=person]:checked").value;

  const showPerson = () => {
    const name = person() === "new" ? words.someoneNew : person();
    $("phone-of").textContent = words.phoneOf.replace("{}", name);
    $("phone-face").textContent = [...name][0].toUpperCase();
  };
  for (const radio of all("[name=person]")) radio.addEventListener("change", showPerson);

  const closeCode = () => ($("result").hidden = $("veil").hidden = true);
  $("result-close").addEventListener("click", closeCode);
  $("veil").addEventListener("click", closeCode);
  document.addEventListener("keydown", (event) => event.key === "Escape" && closeCode());

  const showCode = (title, answer, curl) => {
    $("result-title").textContent = answer.user ? `${title} · ${answer.user}` : title;
    $("result-code").textContent = answer.code;
    $("result-curl").textContent = curl || "";
    $("try").hidden = !curl;
    $("try").open = false;
    codeEndsAt = sandboxNow() + answer.expires_in * 1000;
    $("left-bar").max = answer.expires_in;
    showCountdown();
    $("result").hidden = $("veil").hidden = false;
    $("result").querySelector(".btn-primary").focus({ preventScroll: true });
  };

  act($("login-code"), async () => {
    const { value, dataset } = app();
    const answer = await control("POST", "/codes", { app_id: value, user: person() });
    const [path, name] = dataset.kind !== "miniprogram" ? ["oauth2/access_token", "code"] : ["jscode2session", "js_code"];
    const query = `appid=${value}&secret=${encodeURIComponent(dataset.secret)}&${name}=${answer.code}&grant_type=authorization_code`;
    showCode(words.login, answer, `curl '${location.origin}/api/sns/${path}?${query}'`);
  });
  act($("phone-code"), async () => {
    showCode(words.phone, await control("POST", "/phone-codes", { app_id: app().value, user: person() }));
  });

  // Faults. A switch is on while a fault waits that has its effect and nothing besides.

  const effectOf = (fault) => JSON.stringify(fault, Object.keys(fault).filter((key) => key !== "count").sort());
  const switches = new Map(all("[data-fault]").map((box) => [effectOf(JSON.parse(box.dataset.fault)), box]));

  const showFaults = ({ faults }) => {
    const left = new Map();
    const others = [];
    for (const fault of faults) {
      const box = switches.get(effectOf(fault));
      if (box) left.set(box, (left.get(box) || 0) + fault.count);
      else others.push(fault);
    }
    for (const box of switches.values()) {
      box.checked = left.has(box);
      const note = box.closest("li").querySelector(".left");
      note.hidden = !(left.get(box) < 100000);
      note.textContent = left.has(box) ? words.faultsLeft.replace("{}", left.get(box)) : "";
    }
    $("fault-list").replaceChildren(
      ...others.map(({ count, path, app_id, ...effects }) => {
        const line = element("li");
        const what = Object.entries(effects).map(([key, value]) => (value === true ? key : `${key} ${value}`));
        what.push(...[path, app_id].filter(Boolean));
        line.append(element("code", "mono", what.join(" · ")), element("span", "num", `× ${count}`));
        return line;
      }),
    );
    $("other-faults").hidden = others.length === 0;
  };

  for (const [effect, box] of switches) {
    box.addEventListener("change", () =>
      attempt(async () => {
        if (box.checked) {
          const fault = { ...JSON.parse(box.dataset.fault), count: Number($("fault-count").value) };
          showFaults(await control("POST", "/faults", fault));
          return;
        }
        const { faults } = await control("GET", "/faults");
        let answer = await control("DELETE", "/faults");
        for (const fault of faults) if (effectOf(fault) !== effect) answer = await control("POST", "/faults", fault);
        showFaults(answer);
      }),
    );
  }
  act($("clear-faults"), async () => showFaults(await control("DELETE", "/faults")));

  for (const button of all("[data-discard]")) {
    act(button, async () => {
      await control("POST", "/tokens/discard", { app_id: app().value });
      toast(words.done);
    });
  }

  // States of mini programs: a switch for the one on the phone, a list for each.

  const setState = async (id, state) => {
    await control("PATCH", `/apps/${id}`, { state });
    for (const select of all("select.state")) if (select.dataset.app === id) select.value = state;
    showStates();
  };
  const showStates = () => {
    const selects = all("select.state");
    for (const select of selects) {
      const label = all(".app-state").find((label) => label.dataset.app === select.dataset.app);
      label.textContent = select.selectedOptions[0].textContent;
      label.classList.toggle("is-bad", select.value !== "ok");
    }
    // Only mini programs get the phone number by a code.
    $("phone-code").disabled = app()?.dataset.kind !== "miniprogram";
    const state = selects.find((select) => select.dataset.app === app()?.value)?.value;
    for (const box of all("[data-state]")) {
      box.checked = box.dataset.state === state;
      box.disabled = !app();
    }
  };
  for (const box of all("[data-state]")) {
    box.addEventListener("change", () =>
      attempt(() => setState(app().value, box.checked ? box.dataset.state : "ok")).then(showStates),
    );
  }
  for (const select of all("select.state")) {
    select.addEventListener("change", () => attempt(() => setState(select.dataset.app, select.value)));
  }
  for (const radio of all("[name=app]")) radio.addEventListener("change", showStates);

  // Forms: what is wrong stands in them.

  for (const form of all("form[data-post]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const body = {};
      for (const input of form.elements) {
        if (input.type === "checkbox") body[input.name] = input.checked;
        else if (input.name && input.value) body[input.name] = input.value;
      }
      try {
        await control("POST", form.dataset.post, body);
        location.reload();
      } catch (error) {
        const line = form.querySelector(".error");
        line.textContent = said(error);
        line.hidden = false;
      }
    });
  }

  // Time: the sandbox's, which may be ahead of this browser's.

  let ahead = 0;
  const sandboxNow = () => Date.now() + ahead;
  const clockTime = (ms) => new Date(ms).toLocaleTimeString(document.documentElement.lang, { hour12: false });

  const showClock = () => {
    const now = clockTime(sandboxNow());
    $("clock").textContent = now;
    $("phone-clock").textContent = now.slice(0, 5);
    showCountdown();
  };
  const showCountdown = () => {
    const left = Math.max(0, Math.ceil((codeEndsAt - sandboxNow()) / 1000));
    const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    $("countdown").textContent = left > 0 ? words.left.replace("{}", clock) : words.expired;
    $("countdown").parentElement.classList.toggle("is-over", left === 0);
    $("left-bar").value = left;
  };
  for (const button of all("[data-advance]")) {
    act(button, async () => {
      const { now_ms } = await control("POST", "/clock", { advance_seconds: Number(button.dataset.advance) });
      ahead = now_ms - Date.now();
      showClock();
    });
  }

  // The call log.

  const tile = (id) => {
    const place = all("[name=app]").find((radio) => radio.value === id)?.dataset.place;
    const made = element("span", `face face-sm app-${place === undefined ? 3 : place % 4}`, id.slice(-2));
    made.setAttribute("aria-hidden", "true");
    return made;
  };

  const line = (call) => {
    const row = element("tr");
    const isGood = call.errcode === 0;
    const code = call.errcode ?? (call.http_status ? `HTTP ${call.http_status}` : words.none);
    const outcome = element("td", "result");
    const status = element("span", isGood ? "status status-ok" : "status status-bad", isGood ? words.ok : String(code));
    outcome.append(status);
    if (call.fault) status.append(element("span", "badge badge-warn", words.fault));
    const path = element("td", "lead");
    path.append(element("code", "mono", call.path));
    const appCell = element("td", "app");
    const named = element("span", "cell-main");
    if (call.app_id) named.append(tile(call.app_id));
    named.append(element("code", "mono", call.app_id || "–"));
    appCell.append(named);
    row.append(element("td", "num tight", clockTime(call.at)), path, appCell, outcome);
    return row;
  };

  const showCalls = () => {
    const isEmpty = $("log").rows.length === 0;
    $("calls").hidden = $("clear-log").hidden = isEmpty;
    $("no-calls").hidden = !isEmpty;
  };
  act($("clear-log"), async () => {
    await control("DELETE", "/log");
    $("log").replaceChildren();
    showCalls();
  });

  let isAway = false;
  const follow = async () => {
    try {
      const answer = await control("GET", `/log?after=${lastCall}&limit=${shownCalls}`);
      ahead = answer.now_ms - Date.now();
      if (answer.last < lastCall) {
        // The sandbox was started anew and counts from 1 again.
        lastCall = 0;
        $("log").replaceChildren();
      }
      for (const call of answer.calls) {
        $("log").prepend(line(call));
        lastCall = call.seq;
      }
      while ($("log").rows.length > shownCalls) $("log").deleteRow(-1);
      showCalls();
      showFaults(await control("GET", "/faults"));
      if (isAway) trouble("");
      isAway = false;
    } catch (error) {
      isAway = true;
      trouble(said(error));
    }
    setTimeout(follow, document.hidden ? 5000 : 1000);
  };

  $("api-base").textContent = location.origin + "/api";
  showPerson();
  showStates();
  showClock();
  follow();
  setInterval(showClock, 1000);
}
