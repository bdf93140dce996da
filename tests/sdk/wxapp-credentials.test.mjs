// Passwords, codes, registration and login names with npm authing-wxapp-sdk, unmodified, against the real server. Its
// GraphQL calls name only the application.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { ENGINE, startStack } from "./harness.mjs";
import { OTHER, SHOP } from "./world.mjs";
import { takeUp } from "./wx.mjs";
import { client, loggedIn, refusal } from "./wxapp.mjs";

const { EmailScene } = createRequire(import.meta.url)("authing-js-sdk");
const PASSWORD = "correct horse battery staple";
const OTHER_PASSWORD = "staple battery horse correct";

describe(`credentials with authing-wxapp-sdk on ${ENGINE}`, () => {
  let stack;
  before(async () => {
    stack = await startStack();
    for (const password of [PASSWORD, OTHER_PASSWORD]) stack.secrets.add("password", password);
  });
  after(() => stack?.close());

  let names = 0;
  const username = () => `somebody${++names}`;
  const international = (number) => `+86${number}`;

  /** A new person with the mini program open, not logged in. */
  async function visitor(options = { appId: SHOP }) {
    const phone = takeUp(stack.phone(await stack.person()));
    return { phone, authing: client(stack, options) };
  }

  /** The next code to this number or e-mail address, asked for by `send`. */
  async function codeTo(target, send) {
    await send();
    return stack.post.code(/^\d/.test(target) ? international(target) : target);
  }
  const smsTo = (authing, number) => codeTo(number, () => authing.sendSmsCode(number));
  const mailTo = (authing, address, scene) => codeTo(address, () => authing.sendEmail(address, scene));

  const wrong = (code) => (code === "000000" ? "000001" : "000000");

  describe("registration", () => {
    test("by username returns a token only on request", async () => {
      const { phone, authing } = await visitor();
      const name = username();
      const user = await authing.registerByUsername(name, PASSWORD, { nickname: "小虎", gender: "F", company: "虎符" });
      assert.equal(user.username, name);
      assert.deepEqual([user.nickname, user.gender, user.company], ["小虎", "F", "虎符"]);
      assert.ok(!user.token && !phone.stored("_authing_token"));

      const with_token = await authing.registerByUsername(username(), PASSWORD, {}, { generateToken: true });
      assert.ok(with_token.token);
      assert.equal((await authing.getCurrentUser()).id, with_token.id);
      const logged_in = await authing.registerByUsername(username(), PASSWORD, {}, { forceLogin: true, customData: { size: 42 } });
      assert.ok(logged_in.token);
      assert.equal((await authing.getUdfValue()).size, 42);
    });

    test("never sends the password in plain text", async () => {
      const { phone, authing } = await visitor();
      await authing.registerByUsername(username(), PASSWORD);
      assert.ok(!JSON.stringify(phone.calls).includes(PASSWORD));
    });

    test("refuses a taken username, weak passwords and malformed names", async () => {
      const { authing } = await visitor();
      const name = username();
      await authing.registerByUsername(name, PASSWORD);
      await assert.rejects(authing.registerByUsername(name, OTHER_PASSWORD), refusal(2034));
      for (const weak of ["password", "12345678", "short"]) {
        await assert.rejects(authing.registerByUsername(username(), weak), refusal(2061));
      }
      await assert.rejects(authing.registerByUsername("a@b", PASSWORD), refusal(2231));
      await assert.rejects(authing.registerByEmail("nobody", PASSWORD), refusal(2231));
    });

    test("by a code sent to the phone proves the number", async () => {
      const { authing } = await visitor();
      const number = stack.number();
      const code = await smsTo(authing, number);
      await assert.rejects(authing.registerByPhoneCode(number, wrong(code), PASSWORD), refusal(2001));
      const user = await authing.registerByPhoneCode(number, code, PASSWORD, { nickname: "Bob" }, { generateToken: true });
      assert.equal(user.phone, number);
      assert.equal(user.phoneVerified, true);
      assert.ok(user.token);
      const again = client(stack, { appId: SHOP });
      assert.equal((await again.loginByPhonePassword(number, PASSWORD)).id, user.id);
      await assert.rejects(again.registerByPhoneCode(number, code, PASSWORD), refusal(2001));
    });
  });

  describe("login", () => {
    test("by every name and the password, whatever stale token is stored", async () => {
      const { phone, authing } = await visitor();
      const [name, number] = [username(), stack.number()];
      const code = await smsTo(authing, number);
      const { id } = await authing.registerByPhoneCode(number, code, PASSWORD, { username: name });
      for (const login of [
        () => authing.loginByUsername(name, PASSWORD),
        () => authing.loginByPhonePassword(number, PASSWORD),
        () => authing.loginBySubAccount(name, PASSWORD),
        () => authing.loginBySubAccount(number, PASSWORD),
      ]) {
        phone.store("_authing_token", "a.stale.token");
        const user = await login();
        assert.equal(user.id, id);
        assert.equal(phone.stored("_authing_token"), user.token);
        assert.equal((await authing.getCurrentUser()).id, id);
      }
    });

    test("with a wrong password or name does not reveal which", async () => {
      const { authing } = await visitor();
      const name = username();
      await authing.registerByUsername(name, PASSWORD);
      const errors = [];
      for (const [account, password] of [[name, OTHER_PASSWORD], ["nobody-at-all", PASSWORD]]) {
        await authing.loginByUsername(account, password).then(() => assert.fail("logged in"), (error) => errors.push(error));
      }
      assert.equal(errors[0].code, 2333);
      assert.ok(Number.isInteger(errors[0].data.remainCount));
      assert.deepEqual(errors[0], errors[1]);
    });

    test("fails in another pool", async () => {
      const { authing } = await visitor();
      const name = username();
      await authing.registerByUsername(name, PASSWORD);
      await assert.rejects(client(stack, { appId: OTHER }).loginByUsername(name, PASSWORD), refusal(2333));
    });

    test("by a code creates the account once, and each code works once", async () => {
      const { authing } = await visitor();
      const number = stack.number();
      const code = await smsTo(authing, number);
      const first = await authing.loginByPhoneCode(number, code, { customData: { from: "shop" } });
      assert.equal(first.phone, number);
      assert.ok(first.token);
      assert.equal((await authing.getUdfValue()).from, "shop");
      await assert.rejects(authing.loginByPhoneCode(number, code), refusal(2001));
      const second = await authing.loginByPhoneCode(number, await smsTo(authing, number));
      assert.equal(second.id, first.id);
      assert.equal(second.loginsCount, 2);
    });

    test("allows five guesses per code", async () => {
      const { authing } = await visitor();
      const number = stack.number();
      const code = await smsTo(authing, number);
      for (let guess = 0; guess < 5; guess += 1) {
        await assert.rejects(authing.loginByPhoneCode(number, wrong(code)), refusal(2001));
      }
      await assert.rejects(authing.loginByPhoneCode(number, code), refusal(2001));
    });
  });

  describe("a forgotten password", () => {
    test("is replaced with a code sent to the phone", async () => {
      const { authing } = await visitor();
      const number = stack.number();
      const { id } = await authing.registerByPhoneCode(number, await smsTo(authing, number), PASSWORD);
      const code = await smsTo(authing, number);
      await assert.rejects(authing.resetPasswordByPhoneCode(number, wrong(code), OTHER_PASSWORD), refusal(2001));
      assert.equal((await authing.resetPasswordByPhoneCode(number, code, OTHER_PASSWORD)).code, 200);
      await assert.rejects(authing.loginByPhonePassword(number, PASSWORD), refusal(2333));
      assert.equal((await authing.loginByPhonePassword(number, OTHER_PASSWORD)).id, id);
    });

    test("is replaced with a code sent to the e-mail address; an unknown address gets no mail and the same response", async () => {
      const { authing } = await loggedIn(stack, { client: { appId: SHOP } });
      const address = stack.address();
      await authing.bindEmail(address, await mailTo(authing, address, EmailScene.VerifyEmail));
      const code = await mailTo(authing, address, EmailScene.ResetPassword);
      assert.equal((await authing.resetPasswordByEmailCode(address, code, PASSWORD)).code, 200);
      assert.equal((await authing.loginByEmail(address, PASSWORD)).email, address);

      const stranger = stack.address();
      assert.equal((await authing.sendEmail(stranger, EmailScene.ResetPassword)).code, 200);
      await mailTo(authing, address, EmailScene.ResetPassword);
      assert.ok(!stack.post.holds(stranger));
    });
  });

  describe("somebody who is logged in", () => {
    test("changes the password", async () => {
      const { authing } = await visitor();
      const name = username();
      await authing.registerByUsername(name, PASSWORD, {}, { generateToken: true });
      await assert.rejects(authing.updatePassword(OTHER_PASSWORD), refusal(2201));
      await assert.rejects(authing.updatePassword(OTHER_PASSWORD, OTHER_PASSWORD), refusal(2203));
      await assert.rejects(authing.updatePassword("password", PASSWORD), refusal(2061));
      assert.equal((await authing.updatePassword(OTHER_PASSWORD, PASSWORD)).username, name);
      assert.ok((await authing.loginByUsername(name, OTHER_PASSWORD)).token);
    });

    test("binds, changes and unbinds a phone number and keeps a token throughout", async () => {
      const { phone, authing, user } = await loggedIn(stack, { client: { appId: SHOP } });
      const [first, second] = [stack.number(), stack.number()];
      await assert.rejects(authing.unbindPhone(), refusal(2216));
      const bound = await authing.bindPhone(first, await smsTo(authing, first));
      assert.deepEqual([bound.id, bound.phone, bound.phoneVerified], [user.id, first, true]);
      assert.equal(phone.stored("_authing_token"), bound.token);
      await assert.rejects(authing.bindPhone(second, await smsTo(authing, second)), refusal(2226));

      const code = await smsTo(authing, second);
      await assert.rejects(authing.updatePhone(second, code), refusal(2038));
      const changed = await authing.updatePhone(second, await smsTo(authing, second), first, await smsTo(authing, first));
      assert.equal(changed.phone, second);
      const unbound = await authing.unbindPhone();
      assert.ok(!unbound.phone && unbound.token);
      assert.equal((await authing.getCurrentUser()).id, user.id);
    });

    test("binds, changes and unbinds an e-mail address", async () => {
      const { authing, user } = await loggedIn(stack, { client: { appId: SHOP } });
      const [first, second] = [stack.address(), stack.address()];
      const bound = await authing.bindEmail(first, await mailTo(authing, first, EmailScene.ChangeEmail));
      assert.deepEqual([bound.id, bound.email, bound.emailVerified], [user.id, first, true]);
      const toSecond = await mailTo(authing, second, EmailScene.ChangeEmail);
      const toFirst = await mailTo(authing, first, EmailScene.ChangeEmail);
      assert.equal((await authing.updateEmail(second, toSecond, first, toFirst)).email, second);
      const unbound = await authing.unbindEmail();
      assert.ok(!unbound.email && unbound.token);
    });

    test("cannot take somebody else's number", async () => {
      const number = stack.number();
      const { authing: owner } = await loggedIn(stack, { client: { appId: SHOP } });
      await owner.bindPhone(number, await smsTo(owner, number));
      const { authing } = await loggedIn(stack, { client: { appId: SHOP } });
      await assert.rejects(authing.bindPhone(number, await smsTo(authing, number)), refusal(2035));
    });

    test("cannot remove the last way to log in", async () => {
      const { authing } = await visitor();
      const number = stack.number();
      await authing.loginByPhoneCode(number, await smsTo(authing, number));
      await assert.rejects(authing.unbindPhone(), refusal(2217));
      assert.equal((await authing.getCurrentUser()).phone, number);
      const { authing: wechat, user } = await loggedIn(stack, { client: { appId: SHOP } });
      const unlink = { primaryUserToken: user.token, provider: "wechat" };
      await assert.rejects(wechat.unLinkAccount(unlink), refusal(2217));
      assert.ok((await wechat.getCurrentUser()).identities.length > 0);
    });

    test("unlinks WeChat once there is another way in", async () => {
      const { person, authing, user } = await loggedIn(stack, { client: { appId: SHOP } });
      const number = stack.number();
      const { token } = await authing.bindPhone(number, await smsTo(authing, number));
      await authing.unLinkAccount({ primaryUserToken: token, provider: "wechat:miniprogram:default" });
      assert.equal((await authing.getCurrentUser()).identities.length, 0);
      assert.notEqual((await stack.login(person, { app: SHOP })).id, user.id);
    });

    test("links a second account: both then log in to the first", async () => {
      const { person, user: second } = await loggedIn(stack, { client: { appId: SHOP } });
      const { authing } = await visitor();
      const number = stack.number();
      const first = await authing.loginByPhoneCode(number, await smsTo(authing, number));
      await assert.rejects(
        authing.linkAccount({ primaryUserToken: first.token, secondaryUserToken: "nonsense" }),
        refusal(2020),
      );
      const linked = await authing.linkAccount({ primaryUserToken: first.token, secondaryUserToken: second.token });
      assert.equal(linked.code, 200);
      assert.equal((await stack.login(person, { app: SHOP })).id, first.id);
    });

    test("sees how well the account is protected", async () => {
      const { authing } = await loggedIn(stack, { client: { appId: SHOP } });
      const before = await authing.getSecurityLevel();
      assert.deepEqual(before, { score: 0, email: false, phone: false, password: false, passwordSecurityLevel: null, mfa: false });
      const number = stack.number();
      await authing.bindPhone(number, await smsTo(authing, number));
      const after = await authing.getSecurityLevel();
      assert.equal(after.phone, true);
      assert.ok(after.score > before.score);
    });
  });

  test("the strength of a password follows the pool's own rule", async () => {
    const { authing } = await visitor();
    assert.equal((await authing.checkPasswordStrength(PASSWORD)).valid, true);
    const weak = await authing.checkPasswordStrength("password");
    assert.equal(weak.valid, false);
    assert.ok(weak.message.length > 0);
  });

  test("a malformed number is refused, and nothing is sent", async () => {
    const { authing } = await visitor();
    for (const number of ["", "abc", "1"]) await assert.rejects(authing.sendSmsCode(number), refusal(2231));
  });
});
