// Sends the page's buttons and forms to the control API, and follows the call log.
"use strict";

const words = JSON.parse(document.body.dataset.words);
const $ = (id) => document.getElementById(id);
const shownCalls = 60;

let lastCall = 0;
let codeEndsAt = 0;
let toastTimer = 0;

async function control(method, path, body) {
  const response = await fetch("/__sandbox" + path, {
    method,
    headers: body ? { "content-type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function toast(message, isBad) {
  const box = $("toast");
  box.textContent = message;
  box.className = isBad ? "shown bad" : "shown";
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (box.className = ""), 2600);
}

// Runs what a click asked for; a refusal becomes a message.
function act(button, work) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await work(button);
    } catch (error) {
      toast(error instanceof TypeError ? words.unreachable : error.message, true);
    }
    button.disabled = false;
  });
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Codes.

function showCode(title, answer, curl) {
  $("result").hidden = false;
  $("screen-hint").hidden = true;
  $("result-title").textContent = answer.user ? `${title} · ${answer.user}` : title;
  $("result-code").textContent = answer.code;
  $("result-curl").textContent = curl || "";
  $("try").hidden = !curl;
  codeEndsAt = sandboxNow() + answer.expires_in * 1000;
  showCountdown();
}

act($("login-code"), async () => {
  const app = $("app").selectedOptions[0];
  const answer = await control("POST", "/codes", { app_id: app.value, user: $("person").value });
  const query = `appid=${app.value}&secret=${encodeURIComponent(app.dataset.secret)}&js_code=${answer.code}&grant_type=authorization_code`;
  showCode(words.login, answer, `curl '${location.origin}/api/sns/jscode2session?${query}'`);
});

act($("phone-code"), async () => {
  const body = { app_id: $("app").value, user: $("person").value };
  showCode(words.phone, await control("POST", "/phone-codes", body));
});

// Faults.

for (const button of document.querySelectorAll("[data-fault]")) {
  act(button, async () => {
    const count = Math.max(1, Number($("fault-count").value) || 1);
    const fault = { ...JSON.parse(button.dataset.fault), count };
    showFaults(await control("POST", "/faults", fault));
  });
}

for (const button of document.querySelectorAll("[data-discard]")) {
  act(button, async () => {
    await control("POST", "/tokens/discard", { app_id: $("app").value });
    toast(words.done);
  });
}

async function setState(app, state) {
  await control("PATCH", `/apps/${app}`, { state });
  for (const select of document.querySelectorAll(".state")) {
    if (select.dataset.app === app) {
      select.value = state;
      select.closest("li").className = state === "ok" ? "good" : "bad";
    }
  }
  showStates();
}

// A second click takes the state back.
for (const button of document.querySelectorAll("[data-state]")) {
  act(button, () => {
    const isOn = button.getAttribute("aria-pressed") === "true";
    return setState($("app").value, isOn ? "ok" : button.dataset.state);
  });
}

function showStates() {
  const selects = [...document.querySelectorAll(".state")];
  const state = selects.find((select) => select.dataset.app === $("app").value)?.value;
  for (const button of document.querySelectorAll("[data-state]")) {
    button.setAttribute("aria-pressed", String(button.dataset.state === state));
  }
}

for (const select of document.querySelectorAll(".state")) {
  select.addEventListener("change", () =>
    setState(select.dataset.app, select.value).catch((error) => toast(error.message, true)),
  );
}
$("app").addEventListener("change", showStates);

act($("clear-faults"), async () => showFaults(await control("DELETE", "/faults")));

function showFaults({ faults }) {
  $("fault-list").replaceChildren(
    ...faults.map(({ count, path, app_id, ...effects }) => {
      const line = element("li");
      const what = Object.entries(effects).map(([key, value]) => (value === true ? key : `${key} ${value}`));
      what.push(...[path, app_id].filter(Boolean));
      line.append(element("code", "", what.join(" · ")), element("span", "badge", `× ${count}`));
      return line;
    }),
  );
  $("no-faults").hidden = faults.length > 0;
  $("clear-faults").hidden = faults.length === 0;
}

// Forms.

for (const form of document.querySelectorAll("form[data-post]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = {};
    for (const input of form.elements) {
      if (input.type === "checkbox") body[input.name] = input.checked;
      else if (input.name && input.value) body[input.name] = input.value;
    }
    try {
      await control("POST", form.dataset.post.replace("/__sandbox", ""), body);
      location.reload();
    } catch (error) {
      toast(error.message, true);
    }
  });
}

// Copying.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-text]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copyText ?? $(button.dataset.copy).textContent);
  toast(words.copied);
});

// Time: the sandbox's, which may be ahead of this browser's.

let ahead = 0;
const sandboxNow = () => Date.now() + ahead;
const clockTime = (ms) => new Date(ms).toLocaleTimeString(document.documentElement.lang, { hour12: false });

function showClock() {
  $("clock").textContent = clockTime(sandboxNow());
  showCountdown();
}

function showCountdown() {
  const left = Math.ceil((codeEndsAt - sandboxNow()) / 1000);
  const badge = $("countdown");
  badge.className = left > 0 ? "badge good" : "badge bad";
  badge.textContent =
    left > 0
      ? words.left.replace("{}", `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`)
      : words.expired;
}

for (const button of document.querySelectorAll("[data-advance]")) {
  act(button, async () => {
    const { now_ms } = await control("POST", "/clock", { advance_seconds: Number(button.dataset.advance) });
    ahead = now_ms - Date.now();
    showClock();
  });
}

// The call log.

function line(call) {
  const row = element("tr");
  const outcome = element("td");
  const code = call.errcode ?? (call.http_status ? `HTTP ${call.http_status}` : words.none);
  const isGood = call.errcode === 0;
  outcome.append(element("span", isGood ? "badge good" : "badge bad", isGood ? words.ok : String(code)));
  if (call.fault) outcome.append(" ", element("span", "badge", words.fault));
  const path = element("td");
  path.append(element("code", "", call.path));
  const app = element("td", "wide");
  app.append(element("code", "", call.app_id || "–"));
  row.append(element("td", "when", clockTime(call.at)), path, app, outcome);
  return row;
}

async function follow() {
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
    $("no-calls").hidden = $("log").rows.length > 0;
    showFaults(await control("GET", "/faults"));
    document.body.classList.remove("offline");
  } catch {
    document.body.classList.add("offline");
  }
  setTimeout(follow, document.hidden ? 5000 : 1000);
}

$("api-base").textContent = location.origin + "/api";
showStates();
follow();
setInterval(showClock, 1000);
