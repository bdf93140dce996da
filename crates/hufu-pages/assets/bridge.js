// WeChat's bridge, as far as a page in the web-view of the demonstration's mini program needs it: it leads to a page of the
// mini program, which the sandbox's phone shows.
{
  const { program } = document.currentScript.dataset;
  window.WeixinJSBridge = {
    invoke(name, { name: call, arg }, done) {
      const leads = name === "invokeMiniProgramAPI" && ["redirectTo", "navigateTo"].includes(call);
      done({ err_msg: `${name}:${leads ? "ok" : "fail"}` });
      if (leads) location.assign(`${program}?url=${encodeURIComponent(arg.url)}`);
    },
  };
}
