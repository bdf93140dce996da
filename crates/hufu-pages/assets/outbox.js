// Shows the page anew when there is a new message, and says when the server does not answer.
{
  const { newest, offline } = document.body.dataset;
  const word = document.getElementById("live");
  const live = word.textContent;

  const say = (text, state) => {
    if (word.textContent === text) return;
    word.textContent = text;
    word.className = `status status-${state} live`;
  };

  const look = async () => {
    try {
      const messages = await (await fetch("/dev/outbox.json", { cache: "no-store" })).json();
      const last = messages.length ? messages[0].number : 0;
      if (String(last) !== newest) {
        location.reload();
        return;
      }
      say(live, "ok");
    } catch {
      say(offline, "bad");
    }
    setTimeout(look, document.hidden ? 5000 : 1000);
  };
  setTimeout(look, 1000);
}
