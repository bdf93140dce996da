// Leads from a mini program's web-view into the mini program. WeChat puts the bridge into every page there; its JS-SDK does
// the same for wx.miniProgram.redirectTo, and is a script of another host.
(function () {
  "use strict";
  var button = document.getElementById("to-mini-program");
  var hint = document.getElementById("not-in-mini-program");
  var failed = document.getElementById("no-such-page");
  if (!button) return;
  var leave = function () {
    failed.hidden = true;
    var page = { name: "redirectTo", arg: { url: button.dataset.page } };
    window.WeixinJSBridge.invoke("invokeMiniProgramAPI", page, function (result) {
      failed.hidden = !(result && /fail/.test(result.err_msg || ""));
    });
  };
  var ready = function () {
    hint.hidden = true;
    button.disabled = false;
    button.addEventListener("click", leave);
    leave();
  };
  if (window.WeixinJSBridge) ready();
  else document.addEventListener("WeixinJSBridgeReady", ready, false);
})();
