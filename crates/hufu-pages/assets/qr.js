// Waits for what becomes of a QR code, and opens the page again when something has. Without script the page does so by
// itself every few seconds.
(function () {
  "use strict";
  var scan = document.getElementById("qr");
  if (!scan || !scan.dataset.events || !window.EventSource) return;
  var shown = scan.dataset.status;
  var left = scan.querySelector(".qr-left");
  if (left) {
    var end = Date.now() + left.value * 1000;
    window.setInterval(function () { left.value = Math.max(0, (end - Date.now()) / 1000); }, 1000);
  }
  var events = new EventSource(scan.dataset.events);
  var goOn = function () {
    events.close();
    location.replace(scan.dataset.next);
  };
  events.onmessage = function (event) {
    var status;
    try { status = String(JSON.parse(event.data).status); } catch (error) { return; }
    if (status !== shown) goOn();
  };
  // The server does not know the code any more, or a proxy lets no stream through.
  events.onerror = function () {
    if (events.readyState === EventSource.CLOSED) window.setTimeout(goOn, 3000);
  };
})();
