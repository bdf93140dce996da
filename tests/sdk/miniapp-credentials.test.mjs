// Passwords, codes and login names with npm @authing/miniapp-taro, unmodified, against the real server. Its methods
// return `[error, value]`; to encrypt passwords, pass it a function that does so.
import assert from "node:assert/strict";
import { constants, publicEncrypt } from "node:crypto";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { ENGINE, startStack } from "./harness.mjs";
import { loadMiniappSdk } from "./sdks.mjs";
import { SHOP, SHOP_POOL } from "./world.mjs";
import { takeUp } from "./wx.mjs";

const { Authing } = await loadMiniappSdk();
const { sm2 } = createRequire(import.meta.url)("sm-crypto");
const CONNECTION = { extIdpConnidentifier: "shop-mini" };
const PASSWORD = "correct horse battery staple";
const OTHER_PASSWORD = "staple battery horse correct";

const ENCRYPTIONS = {
  none: undefined,
  rsa: (text, key) => publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.from(text)).toString("base64"),
  sm2: (text, key) => sm2.doEncrypt(text, key, 1),
};

describe(`credentials with @authing/miniapp-taro on ${ENGINE}`, () => {
  let stack;
  before(async () => {
    stack = await startStack();
    for (const password of [PASSWORD, OTHER_PASSWORD]) stack.secrets.add("password", password);
  });
  after(() => stack?.close());

  let names = 0;

  /** A new person with the mini program open, not logged in. */
  async function visitor(encryption = "none") {
    const person = await stack.person();
    const phone = takeUp(stack.phone(person));
    const options = { appId: SHOP, userPoolId: SHOP_POOL, host: stack.host, encryptFunction: ENCRYPTIONS[encryption] };
    return { person, phone, authing: new Authing(options) };
  }

  async function loggedIn() {
    const all = await visitor();
    value(await all.authing.loginByCode(CONNECTION));
    return all;
  }

  function value([error, answer]) {
    assert.equal(error, null, `the SDK reports ${JSON.stringify(error)}`);
    return answer;
  }

  function refusal([error, answer], code) {
    assert.equal(answer, undefined);
    assert.equal(error.apiCode, code, `the SDK reports ${JSON.stringify(error)}`);
    assert.equal(error.code, code);
    assert.notEqual(error.statusCode, 200);
    return error;
  }

  async function smsTo(authing, phoneNumber, channel) {
    const { statusCode, data } = value(await authing.sendSms({ phoneNumber, channel }));
    assert.equal(statusCode, 200);
    assert.equal(data, undefined);
    return stack.post.code(`+86${phoneNumber}`);
  }

  async function mailTo(authing, email, channel) {
    assert.equal(value(await authing.sendEmailCode({ email, channel })).statusCode, 200);
    return stack.post.code(email);
  }

  async function signup(password = PASSWORD) {
    const username = `member${++names}`;
    const json = { connection: "PASSWORD", passwordPayload: { username, password }, profile: { nickname: "Bob" } };
    const { body } = await stack.call("/api/v3/signup", { app: SHOP, json });
    assert.equal(body.statusCode, 200, JSON.stringify(body));
    assert.deepEqual([body.data.username, body.data.nickname], [username, "Bob"]);
    return { username, userId: body.data.userId };
  }

  const byPassword = (authing, username, password, passwordEncryptType) =>
    authing.loginByPassword({ passwordPayload: { username, password }, options: { passwordEncryptType } });

  for (const encryption of Object.keys(ENCRYPTIONS)) {
    test(`logs in by password, and changes it, with encryption ${encryption}`, async () => {
      const { username, userId } = await signup();
      const { phone, authing } = await visitor(encryption);
      refusal(await byPassword(authing, username, OTHER_PASSWORD, encryption), 2333);
      const state = value(await byPassword(authing, username, PASSWORD, encryption));
      assert.ok(state.access_token && state.id_token && state.expires_in === state.expire_in);
      assert.equal(value(await authing.getUserInfo()).userId, userId);
      const sent = () => phone.calls.map(({ body }) => body).join("\n");
      if (encryption !== "none") assert.ok(!sent().includes(PASSWORD), "the password went over the wire as it is");

      const change = (newPassword, oldPassword) =>
        authing.updatePassword({ newPassword, oldPassword, passwordEncryptType: encryption });
      refusal(await change(OTHER_PASSWORD, "something else entirely"), 2203);
      refusal(await change("password", PASSWORD), 2061);
      // The SDK encrypts only the new password.
      const { statusCode, data } = value(await change(OTHER_PASSWORD, PASSWORD));
      assert.equal(statusCode, 200);
      assert.equal(data, undefined);
      if (encryption !== "none") assert.ok(!sent().includes(OTHER_PASSWORD));
      refusal(await byPassword(authing, username, PASSWORD, encryption), 2333);
      value(await byPassword(authing, username, OTHER_PASSWORD, encryption));
    });
  }

  test("logs in by any kind of name", async () => {
    const { authing } = await loggedIn();
    const [number, address] = [stack.number(), stack.address()];
    value(await authing.bindPhone({ phoneNumber: number, passCode: await smsTo(authing, number, "CHANNEL_BIND_PHONE") }));
    value(await authing.bindEmail({ email: address, passCode: await mailTo(authing, address, "CHANNEL_BIND_EMAIL") }));
    value(await authing.updatePassword({ newPassword: PASSWORD }));
    const { userId } = value(await authing.getUserInfo());
    for (const name of [{ phone: number }, { email: address }, { account: number }, { account: address }]) {
      const again = (await visitor()).authing;
      value(await again.loginByPassword({ passwordPayload: { ...name, password: PASSWORD } }));
      assert.equal(value(await again.getUserInfo()).userId, userId);
    }
  });

  describe("loginByPassCode", () => {
    test("by phone creates an account only with autoRegister", async () => {
      const { authing } = await visitor();
      const phone = stack.number();
      const login = async (options) => {
        const passCode = await smsTo(authing, phone, "CHANNEL_LOGIN");
        return authing.loginByPassCode({ passCodePayload: { phone, passCode }, options });
      };
      refusal(await login({}), 2004);
      value(await login({ autoRegister: true, scope: "openid profile phone offline_access", customData: { from: "shop" } }));
      const all = { withCustomData: true, withIdentities: false, withDepartmentIds: false };
      const user = value(await authing.getUserInfo(all));
      assert.deepEqual([user.phone, user.phoneVerified, user.customData], [phone, true, { from: "shop" }]);
      value(await authing.refreshToken());
      value(await login({}));
      assert.equal(value(await authing.getUserInfo()).userId, user.userId);
    });

    test("by e-mail, once per code", async () => {
      const { authing } = await visitor();
      const email = stack.address();
      const passCode = await mailTo(authing, email, "CHANNEL_LOGIN");
      const login = () => authing.loginByPassCode({ passCodePayload: { email, passCode }, options: { autoRegister: true } });
      value(await login());
      const user = value(await authing.getUserInfo());
      assert.deepEqual([user.email, user.emailVerified], [email, true]);
      refusal(await login(), 2001);
    });

    test("accepts no code that was sent for something else", async () => {
      const { authing } = await visitor();
      const phone = stack.number();
      const passCode = await smsTo(authing, phone, "CHANNEL_BIND_PHONE");
      const options = { autoRegister: true };
      refusal(await authing.loginByPassCode({ passCodePayload: { phone, passCode }, options }), 2001);
    });
  });

  test("sends codes only through existing channels", async () => {
    const { authing } = await visitor();
    refusal(await authing.sendSms({ phoneNumber: stack.number(), channel: "CHANNEL_NONSENSE" }), 2231);
    refusal(await authing.sendEmailCode({ email: stack.address(), channel: "CHANNEL_BIND_PHONE" }), 2231);
    refusal(await authing.sendEmailCode({ email: "nobody", channel: "CHANNEL_LOGIN" }), 2231);
  });

  describe("in two steps", () => {
    test("the phone number is changed", async () => {
      const { authing } = await loggedIn();
      const [first, second] = [stack.number(), stack.number()];
      value(await authing.bindPhone({ phoneNumber: first, passCode: await smsTo(authing, first, "CHANNEL_BIND_PHONE") }));
      const request = async (newPhoneNumber, old = {}) =>
        authing.updatePhoneRequest({
          verifyMethod: "PHONE_PASSCODE",
          phonePassCodePayload: {
            newPhoneNumber,
            newPhonePassCode: await smsTo(authing, newPhoneNumber, "CHANNEL_BIND_PHONE"),
            ...old,
          },
        });
      refusal(await request(second), 2038);
      const oldPhonePassCode = await smsTo(authing, first, "CHANNEL_UNBIND_PHONE");
      const { updatePhoneToken, tokenExpiresIn } = value(await request(second, { oldPhoneNumber: first, oldPhonePassCode }));
      assert.equal(tokenExpiresIn, 60);
      assert.equal(value(await authing.getUserInfo()).phone, first);
      value(await authing.updatePhone({ updatePhoneToken }));
      assert.equal(value(await authing.getUserInfo()).phone, second);
      refusal(await authing.updatePhone({ updatePhoneToken }), 2421);
    });

    test("the e-mail address is changed, only by its owner", async () => {
      const { authing, phone } = await loggedIn();
      const [first, second] = [stack.address(), stack.address()];
      value(await authing.bindEmail({ email: first, passCode: await mailTo(authing, first, "CHANNEL_BIND_EMAIL") }));
      const emailPassCodePayload = {
        newEmail: second,
        newEmailPassCode: await mailTo(authing, second, "CHANNEL_UPDATE_EMAIL"),
        oldEmail: first,
        oldEmailPassCode: await mailTo(authing, first, "CHANNEL_UPDATE_EMAIL"),
      };
      const request = { verifyMethod: "EMAIL_PASSCODE", emailPassCodePayload };
      const { updateEmailToken, tokenExpiresIn } = value(await authing.updateEmailRequest(request));
      assert.equal(tokenExpiresIn, 60);
      const { authing: thief } = await loggedIn();
      refusal(await thief.updateEmail({ updateEmailToken }), 2421);
      takeUp(phone);
      value(await authing.updateEmail({ updateEmailToken }));
      assert.equal(value(await authing.getUserInfo()).email, second);
    });

    test("the account is deleted with its password", async () => {
      const { username } = await signup();
      const { phone, authing } = await visitor();
      const state = value(await byPassword(authing, username, PASSWORD));
      const ask = (password) => authing.deleteAccountRequest({ verifyMethod: "PASSWORD", passwordPayload: { password } });
      assert.ok((await ask(OTHER_PASSWORD))[0]);
      const { deleteAccountToken, tokenExpiresIn } = value(await ask(PASSWORD));
      assert.equal(tokenExpiresIn, 60);
      refusal(await authing.updatePhone({ updatePhoneToken: deleteAccountToken }), 2421);
      value(await authing.deleteAccount({ deleteAccountToken }));
      phone.store(`authing:${SHOP}:login-state`, { ...state, expires_at: Date.now() + 60_000 });
      refusal(await authing.getUserInfo(), 2020);
      refusal(await byPassword(authing, username, PASSWORD), 2413);
    });

    test("the account is deleted with a code, but not with a login code", async () => {
      const { authing } = await loggedIn();
      const phoneNumber = stack.number();
      value(await authing.bindPhone({ phoneNumber, passCode: await smsTo(authing, phoneNumber, "CHANNEL_BIND_PHONE") }));
      const ask = async (channel) => {
        const passCode = await smsTo(authing, phoneNumber, channel);
        return authing.deleteAccountRequest({ verifyMethod: "PHONE_PASSCODE", phonePassCodePayload: { phoneNumber, passCode } });
      };
      refusal(await ask("CHANNEL_LOGIN"), 2001);
      const { deleteAccountToken } = value(await ask("CHANNEL_DELETE_ACCOUNT"));
      value(await authing.deleteAccount({ deleteAccountToken }));
      refusal(await authing.getUserInfo(), 2020);
    });
  });

  test("identities are listed and unlinked, except the last way to log in", async () => {
    const { authing } = await loggedIn();
    const { access_token: token } = value(await authing.getLoginState());
    const call = (path, options = {}) => stack.call(path, { pool: SHOP_POOL, token, ...options });
    const sources = (await call("/api/v3/get-application-enabled-extidps", { method: "GET" })).body.data;
    assert.deepEqual(sources.map(({ identifier }) => identifier), ["shop-mini", "club-mini"]);
    const identities = (await call("/api/v3/get-identities", { method: "GET" })).body.data;
    assert.ok(identities.length > 0 && identities.every(({ extIdpId }) => extIdpId === sources[0].extIdpId));
    const unlink = () => call("/api/v3/unlink-extidp", { json: { extIdpId: sources[0].extIdpId } });
    assert.equal((await unlink()).body.code, 2217);
    const phoneNumber = stack.number();
    value(await authing.bindPhone({ phoneNumber, passCode: await smsTo(authing, phoneNumber, "CHANNEL_BIND_PHONE") }));
    assert.equal((await unlink()).body.code, 200);
    assert.deepEqual((await call("/api/v3/get-identities", { method: "GET" })).body.data, []);
    const { data } = (await call("/api/v3/get-security-info", { method: "GET" })).body;
    assert.deepEqual([data.phoneBinded, data.emailBinded, data.passwordSet, data.mfaEnrolled], [true, false, false, false]);
  });
});
