// A page that carries an authorization response: its form is submitted, or its message is sent.
"use strict";
(() => {
  const form = document.getElementById("response");
  if (!form) return;
  const receiver = window.opener || (window.parent !== window ? window.parent : null);
  if (form.dataset.opener !== undefined) {
    // Of these origins at most one is that of the page which opened this one, and only that one receives it.
    const message = JSON.parse(form.elements.namedItem("message").value);
    for (const origin of form.dataset.opener.split(" ")) if (receiver && origin) receiver.postMessage(message, origin);
    if (window.opener) window.close();
    return;
  }
  const target = form.dataset.message;
  if (target === undefined) {
    form.submit();
    return;
  }
  const response = {};
  for (const field of form.querySelectorAll("input[name]")) response[field.name] = field.value;
  // Only the page of this origin receives it, whoever opened this one.
  if (receiver && target) receiver.postMessage({ type: "authorization_response", response }, target);
  // A window that was opened for this has done its work.
  if (window.opener) window.close();
})();
