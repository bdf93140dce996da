// The phone and the pages of open.weixin.qq.com: clocks, and screens that draw themselves again when something has
// changed. Without it, everything works by links and forms.
{
  const clocks = (within) => {
    for (const time of within.querySelectorAll("time[data-short]")) {
      const moment = new Date(time.dateTime);
      time.textContent = moment.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
    }
    within.querySelectorAll("time[data-local]").forEach(localTime);
  };
  clocks(document);

  const toEnd = () => {
    const chat = document.querySelector(".ph-chat");
    if (chat) chat.parentElement.scrollTop = chat.parentElement.scrollHeight;
  };
  toEnd();

  // The phone. Only a screen that is live may be asked for again: to open a mini program is to log in. In a frame,
  // nothing stands beside it.
  const { version, live } = document.body.dataset;
  const isLive = live === "true";
  if (isLive || document.getElementById("beside")) {
    let shown = version;
    const typing = () => {
      const field = document.activeElement?.closest("#screen input:not([type=hidden]), #screen [open] input");
      return Boolean(field?.value);
    };
    // What is being tapped must not be replaced under the finger: the tap would be lost.
    let tappedAt = -Infinity;
    for (const kind of ["pointerdown", "pointerup", "submit"]) {
      document.addEventListener(kind, () => (tappedAt = performance.now()), true);
    }
    const tapping = () => performance.now() - tappedAt < 800;
    const redraw = async () => {
      const answer = await fetch(isLive ? location.href : `/phone/beside${location.search}`, { headers: { accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (tapping()) {
        shown = "";
        return;
      }
      const parts = isLive && !typing() ? ["screen", "beside"] : ["beside"];
      for (const id of parts) {
        const [held, given] = [document.getElementById(id), fresh.getElementById(id)];
        if (!held || !given || held.innerHTML === given.innerHTML) continue;
        const focused = held.contains(document.activeElement) && document.activeElement.id;
        clocks(given);
        held.replaceChildren(...given.childNodes);
        if (focused) document.getElementById(focused)?.focus();
      }
      toEnd();
    };
    setInterval(async () => {
      if (document.hidden) return;
      const answer = await fetch("/phone/version").catch(() => null);
      if (!answer?.ok) return;
      const now = await answer.text();
      if (now === shown) return;
      shown = now;
      await redraw().catch(() => {});
    }, 1000);

    // A switch acts by itself.
    document.addEventListener("change", (event) => {
      if (event.target.matches("#settings .switch")) event.target.form.requestSubmit();
    });
  }

  // A website's page with a QR code.
  const page = document.getElementById("qr-connect");
  if (page?.dataset.open === "true") {
    const { uuid, again, leavesFrame } = page.dataset;
    let last = "408";
    const timer = setInterval(async () => {
      const answer = await fetch(`/open/connect/l/qrconnect?uuid=${uuid}`).catch(() => null);
      if (!answer?.ok) return;
      const errcode = (await answer.text()).match(/wx_errcode=(\d+)/)?.[1];
      if (!errcode || errcode === last) return;
      last = errcode;
      const target = leavesFrame === "true" ? window.top : window;
      if (errcode === "405" || errcode === "403") {
        clearInterval(timer);
        if (errcode === "403") location.replace(again);
        else target.location.href = new URL(again, location.href).href;
        return;
      }
      const fresh = new DOMParser().parseFromString(await (await fetch(again)).text(), "text/html");
      page.replaceChildren(...fresh.getElementById("qr-connect").childNodes);
      if (errcode === "402") clearInterval(timer);
    }, 1000);
  }
}
