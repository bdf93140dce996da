// What every page adds where scripts run: copying, times in the reader's zone, menus that close, passwords in sight.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-text]");
  if (!button) return;
  const text = button.dataset.copyText ?? document.getElementById(button.dataset.copy).textContent;
  await navigator.clipboard.writeText(text.trim());
  const word = button.querySelector("[data-word]");
  button.classList.add("copied");
  if (word) word.textContent = button.dataset.copied;
  setTimeout(() => {
    button.classList.remove("copied");
    if (word) word.textContent = word.dataset.word;
  }, 1600);
});

// Today the time alone, else, or where it is to be full, the date with it.
function localTime(element) {
  const moment = new Date(element.dateTime);
  const language = document.documentElement.lang;
  const isToday = moment.toDateString() === new Date().toDateString();
  element.title = element.dateTime;
  element.textContent = isToday && element.dataset.local !== "full"
    ? moment.toLocaleTimeString(language, { hour12: false })
    : moment.toLocaleString(language, { hour12: false });
}
document.querySelectorAll("time[data-local]").forEach(localTime);

function closeMenus(but) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== but) menu.open = false;
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open]");
  closeMenus();
  open?.querySelector("summary").focus();
});

// A password may be looked at where scripts run.
for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  button.hidden = false;
  button.addEventListener("click", () => {
    const shows = input.type === "password";
    input.type = shows ? "text" : "password";
    button.setAttribute("aria-pressed", String(shows));
  });
}
