// Shows the page anew when a message has come, copies codes, and tells times in the reader's zone.
"use strict";

const { newest, copied, offline } = document.body.dataset;
const word = document.getElementById("live-word");
const live = word.textContent;

async function look() {
  try {
    const messages = await (await fetch("/dev/outbox.json", { cache: "no-store" })).json();
    const last = messages.length ? messages[0].number : 0;
    if (String(last) !== newest) {
      location.reload();
      return;
    }
    document.body.classList.remove("offline");
    if (word.textContent !== live) word.textContent = live;
  } catch {
    document.body.classList.add("offline");
    if (word.textContent !== offline) word.textContent = offline;
  }
  setTimeout(look, document.hidden ? 5000 : 1000);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const name = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = copied;
    setTimeout(() => (button.textContent = name), 1600);
  });
}

for (const time of document.querySelectorAll("time")) {
  const moment = new Date(time.dateTime);
  const isToday = moment.toDateString() === new Date().toDateString();
  const language = document.documentElement.lang;
  time.title = time.dateTime;
  time.textContent = isToday ? moment.toLocaleTimeString(language, { hour12: false }) : moment.toLocaleString(language, { hour12: false });
}

const origin = document.getElementById("origin");
if (origin) origin.textContent = location.origin;

setTimeout(look, 1000);
