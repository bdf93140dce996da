// Both SDKs against a server with a different WeChat than the project's sandbox behind it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ENGINE, startStack } from "./harness.mjs";
import { OtherWechat } from "./other-wechat.mjs";
import { loadMiniappSdk, loadWxappSdk } from "./sdks.mjs";
import { MINI, SHOP, SHOP_POOL } from "./world.mjs";
import { takeUp } from "./wx.mjs";

const { AuthenticationClient } = loadWxappSdk();
const { Authing } = await loadMiniappSdk();
const CONNECTION = { extIdpConnidentifier: "shop-mini" };

describe(`another WeChat on ${ENGINE}`, () => {
  const { appId } = MINI["shop-mini"];
  const wechat = new OtherWechat(Object.values(MINI));
  let stack;
  before(async () => {
    await wechat.start();
    stack = await startStack({ wechatBase: wechat.base });
  });
  after(async () => {
    wechat.stop();
    await stack?.close();
  });

  function loginCode(name) {
    const issued = wechat.loginCode(appId, name);
    for (const [kind, value] of Object.entries(issued)) stack.secrets.add(kind, value);
    return issued;
  }

  function phoneOf(name) {
    return takeUp(stack.phone({ name }, { appId, login: async () => loginCode(name).code }));
  }

  const miniapp = () => new Authing({ appId: SHOP, userPoolId: SHOP_POOL, host: stack.host });
  const wxapp = () => new AuthenticationClient({ userPoolId: SHOP_POOL, host: stack.host });

  test("logs a person in through either SDK, to one account", async () => {
    phoneOf("ann");
    const user = await wxapp().loginByCode((await wx.login()).code);
    phoneOf("ann");
    const authing = miniapp();
    const [error] = await authing.loginByCode(CONNECTION);
    assert.equal(error, null);
    const [, profile] = await authing.getUserInfo();
    assert.equal(profile.userId, user.id);
  });

  test("returns the phone for a code", async () => {
    const number = "13700000001";
    stack.secrets.add("phone", number);
    phoneOf("ben");
    const authing = miniapp();
    const wxPhoneInfo = { code: wechat.phoneCode(appId, number) };
    const [error] = await authing.loginByPhone({ ...CONNECTION, miniProgramCodeAndPhonePayload: { wxPhoneInfo } });
    assert.equal(error, null);
    const [, profile] = await authing.getUserInfo();
    assert.ok(profile.phone.endsWith(number));
    const [, info] = await authing.getPhone({ ...CONNECTION, code: wechat.phoneCode(appId, number) });
    assert.equal(info.purePhoneNumber, number);
    const tokens = wechat.asked.filter(({ path }) => path.startsWith("/cgi-bin/"));
    assert.equal(tokens.length, 1, "one app token serves both calls");
  });

  test("returns the phone for the old encrypted data", async () => {
    const number = "13700000002";
    stack.secrets.add("phone", number);
    phoneOf("cat");
    const { code, sessionKey } = loginCode("cat");
    const { encryptedData, iv } = OtherWechat.sealedPhone(appId, sessionKey, number);
    const user = await wxapp().loginByPhone(code, iv, encryptedData);
    assert.ok(user.phone.endsWith(number));
  });

  test("is called once per code", async () => {
    phoneOf("dan");
    const { code } = loginCode("dan");
    await Promise.all([1, 2, 3].map(() => wxapp().loginByCode(code)));
    await wxapp().loginByCode(code);
    assert.equal(wechat.asked.filter(({ query }) => query.js_code === code).length, 1);
  });
});
