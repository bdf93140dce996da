// Draws the parts of the start page again when something happened, and copies code.
"use strict";

for (const button of document.querySelectorAll("[data-copy-pane]")) button.hidden = false;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-pane]");
  if (!button) return;
  const panes = button.closest(".swap").querySelectorAll(":scope > .pane");
  const shown = [...panes].find((pane) => pane.offsetParent !== null);
  await navigator.clipboard.writeText(shown.textContent.trim());
  const word = button.querySelector("[data-word]");
  word.textContent = document.body.dataset.copied;
  setTimeout(() => (word.textContent = word.dataset.word), 1600);
});

// On a narrow screen the modes are a strip: the chosen one is in its middle.
const centre = () => {
  const strip = document.querySelector(".modes");
  const chosen = strip?.querySelector("[aria-current]")?.getBoundingClientRect();
  if (!chosen) return;
  const { left, width } = strip.getBoundingClientRect();
  strip.scrollLeft += chosen.left - left - (width - chosen.width) / 2;
};
centre();

{
  let { state } = document.body.dataset;
  /** What each part was drawn from; the script itself changes times in it. */
  const drawn = new Map();

  const place = (part, fresh) => {
    const checked = [...part.querySelectorAll("input:checked")].map((input) => input.id);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const again = focused && (focused.id ? `#${focused.id}` : focused.getAttribute("href") && `[href="${focused.getAttribute("href")}"]`);
    part.replaceChildren(...fresh.cloneNode(true).childNodes);
    Object.assign(part.dataset, fresh.dataset);
    for (const id of checked) {
      const input = document.getElementById(id);
      if (input) input.checked = true;
    }
    for (const button of part.querySelectorAll("[data-copy-pane]")) button.hidden = false;
    part.querySelectorAll("time[data-local]").forEach(localTime);
    if (again) part.querySelector(again)?.focus();
  };

  const draw = async () => {
    const address = new URL(location.href);
    address.searchParams.set("mode", document.body.dataset.mode);
    address.hash = "";
    const answer = await fetch(address, { cache: "no-store", headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-part]")) {
      const fresh = page.getElementById(part.id);
      // A frame goes on by itself; only another one takes its place.
      const isSame = fresh?.querySelector("iframe") && fresh.dataset.key === part.dataset.key;
      if (!fresh || isSame || drawn.get(part.id) === fresh.innerHTML) continue;
      drawn.set(part.id, fresh.innerHTML);
      place(part, fresh);
      if (part.id === "modes") centre();
    }
    state = page.body.dataset.state;
  };

  const look = async () => {
    try {
      const now = await (await fetch("/dev/state.json", { cache: "no-store" })).json();
      if (now.state !== state) await draw();
    } catch {
      // The server is being started again: the next look sees it.
    }
    setTimeout(look, document.hidden ? 4000 : 700);
  };
  setTimeout(look, 700);
}
