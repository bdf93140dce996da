// What the newest client of the v2 line adds, by npm authing-js-sdk 4.23, unmodified, against the real server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ENGINE, startStack } from "./harness.mjs";
import { loadJsSdk } from "./sdks.mjs";
import { OTHER, OTHER_POOL, SHOP, SHOP_POOL } from "./world.mjs";
import { refusal } from "./wxapp.mjs";

const { AuthenticationClient, EmailScene } = loadJsSdk();
const PASSWORD = "correct horse battery staple";

describe(`authing-js-sdk 4.23 on ${ENGINE}`, () => {
  let stack;
  before(async () => (stack = await startStack()));
  after(() => stack?.close());

  const client = (options = {}) =>
    new AuthenticationClient({ appId: SHOP, userPoolId: SHOP_POOL, appHost: stack.host, onError: () => {}, ...options });
  let names = 0;
  const username = () => `newer${++names}`;

  test("asks whether a user exists, where the pool tells", async () => {
    await assert.rejects(client().isUserExists({ username: "alice" }), refusal(1001));
    const other = client({ appId: OTHER, userPoolId: OTHER_POOL });
    const name = username();
    assert.equal(await other.isUserExists({ username: name }), false);
    await other.registerByUsername(name, PASSWORD);
    assert.equal(await other.isUserExists({ username: name }), true);
    assert.equal(await other.isUserExists({ phone: "13800000000" }), false, "a number of another pool");
    assert.equal(await other.isUserExists({ email: "nobody@example.com" }), false);
    assert.equal(await other.isUserExists({ externalId: "1" }), false);
  });

  test("registers and logs in by a code sent to an e-mail address", async () => {
    const authing = client();
    const address = stack.address();
    await authing.sendEmail(address, EmailScene.REGISTER_VERIFY_CODE);
    const code = await stack.post.code(address);
    const user = await authing.registerByEmailCode(address, code, { nickname: "Bob" }, { generateToken: true, customData: { a: 1 } });
    assert.deepEqual([user.email, user.emailVerified, user.nickname], [address, true, "Bob"]);
    assert.ok(user.token);
    await assert.rejects(authing.registerByEmailCode(address, code), refusal(2001));

    await authing.sendEmail(address, EmailScene.LOGIN_VERIFY_CODE);
    const again = await authing.loginByEmailCode(address, await stack.post.code(address));
    assert.equal(again.id, user.id);
    assert.equal((await authing.getCurrentUser()).id, user.id);
  });

  test("sends codes to other countries, for a purpose", async () => {
    const authing = client();
    const number = `202555${String(1000 + names)}`;
    stack.secrets.add("number", number);
    await authing.sendSmsCode(number, "+1", "login");
    const code = await stack.post.code(`+1${number}`);
    const user = await authing.loginByPhoneCode(number, code, { phoneCountryCode: "+1", customData: { size: 42 } });
    assert.equal(user.phoneCountryCode, "+1");
    assert.equal(user.phone, `+1${number}`);
    assert.equal(user.newlyCreated, true);
    assert.deepEqual({ ...user.customData }, { size: 42 });
    await assert.rejects(authing.sendSmsCode(stack.number(), "+86", "nonsense"), refusal(2231));
  });

  test("encrypts passwords with SM2 as well", async () => {
    const { body } = await stack.call("/api/v3/system", { method: "GET" });
    const encryption = { type: "sm2", publicKey: body.sm2.publicKey };
    const name = username();
    await client({ encryption }).registerByUsername(name, PASSWORD);
    assert.ok((await client({ encryption }).loginByUsername(name, PASSWORD)).token);
    const plain = await client().loginByUsername(name, PASSWORD, { customData: { level: "gold" } });
    assert.equal(plain.newlyCreated, false);
    assert.equal(plain.customData.level, "gold");
    await assert.rejects(client({ encryption }).loginByUsername(name, `${PASSWORD}!`), refusal(2333));
  });
});
