import { Authing } from "@authing/miniapp-taro";

const authing = new Authing({
  host: "http://127.0.0.1:3000",
  appId: "6560c0ffee00000000000002",
  userPoolId: "6560c0ffee00000000000001",
});
const [error, state] = await authing.loginByCode({ extIdpConnidentifier: "demo-mini" });
console.log(error ?? state.access_token);   // send it to your own back end
