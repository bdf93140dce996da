const { AuthenticationClient } = require("authing-wxapp-sdk");

const authing = new AuthenticationClient({
  host: "http://127.0.0.1:3000",
  appId: "6560c0ffee00000000000002",
});
const { code } = await wx.login();
const user = await authing.loginByCode(code);   // silent: no button, nothing to type
console.log(user.id, user.token);               // send user.token to your own back end
