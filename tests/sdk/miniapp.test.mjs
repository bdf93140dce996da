// npm @authing/miniapp-taro, unmodified, against the real server. Its methods return `[error, value]`.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ENGINE, startStack } from "./harness.mjs";
import { pictureSize, png } from "./pictures.mjs";
import { loadMiniappSdk } from "./sdks.mjs";
import { assertLife, verified } from "./tokens.mjs";
import { MEMBERS, MINI, SHOP, SHOP_POOL } from "./world.mjs";
import { takeUp } from "./wx.mjs";

const { Authing } = await loadMiniappSdk();
const HOUR = 3600;
const CONNECTION = { extIdpConnidentifier: "shop-mini" };
const REFRESHABLE = { ...CONNECTION, options: { scope: "openid profile phone offline_access" } };

describe(`@authing/miniapp-taro on ${ENGINE}`, () => {
  let stack;
  before(async () => (stack = await startStack()));
  after(() => stack?.close());

  /** The person's phone in the hand, and the SDK as the mini program makes it. */
  function open(person, options = {}) {
    const phone = takeUp(stack.phone(person, options));
    const authing = new Authing({ appId: SHOP, userPoolId: SHOP_POOL, host: stack.host });
    return { phone, authing };
  }

  /** The value of an answer that is no error. */
  function value([error, answer]) {
    assert.equal(error, null, `the SDK reports ${JSON.stringify(error)}`);
    return answer;
  }

  function refusal([error, answer], code) {
    assert.equal(answer, undefined);
    assert.equal(error.apiCode, code, `the SDK reports ${JSON.stringify(error)}`);
    assert.equal(typeof error.message, "string");
    assert.notEqual(error.statusCode, 200);
  }

  async function loggedIn(login = CONNECTION, profile = {}, options = {}) {
    const person = await stack.person(profile);
    const { phone, authing } = open(person, options);
    const state = value(await authing.loginByCode(login));
    return { person, phone, authing, state };
  }

  describe("loginByCode", () => {
    test("gives tokens that a backend can verify with npm jose", async () => {
      const { phone, state } = await loggedIn();
      assert.equal(state.token_type, "Bearer");
      assert.equal(state.expires_in, 2 * HOUR);
      assert.equal(state.expire_in, state.expires_in);
      assert.equal(state.refresh_token, undefined, "no refresh token without offline_access");
      assert.ok(phone.stored(`authing:${SHOP}:login-state`).expires_at > Date.now());

      const access = await verified(stack.host, state.access_token, { audience: SHOP, typ: "at+jwt" });
      const id = await verified(stack.host, state.id_token, { audience: SHOP, typ: "JWT" });
      assert.equal(access.payload.sub, id.payload.sub);
      assertLife(access.payload, 2 * HOUR);
      assertLife(id.payload, 2 * HOUR);
      await assert.rejects(verified(stack.host, state.id_token, { audience: SHOP, typ: "at+jwt" }));
    });

    test("answers from the stored state while it is valid", async () => {
      const { phone, authing, state } = await loggedIn();
      const before = phone.calls.length;
      assert.equal(value(await authing.loginByCode(CONNECTION)).access_token, state.access_token);
      assert.equal(phone.calls.length, before);
    });

    test("finds the account again", async () => {
      const { person, authing } = await loggedIn();
      const { userId } = value(await authing.getUserInfo());
      const again = open(person).authing;
      value(await again.loginByCode(CONNECTION));
      const user = value(await again.getUserInfo());
      assert.equal(user.userId, userId);
      assert.equal(user.loginsCount, 2);
    });

    test("with one code twice is one login", async () => {
      const person = await stack.person();
      const code = await stack.loginCode(person);
      const users = [];
      for (let time = 0; time < 2; time += 1) {
        const { authing } = open(person, { login: async () => code });
        value(await authing.loginByCode(CONNECTION));
        users.push(value(await authing.getUserInfo()));
      }
      assert.equal(users[1].userId, users[0].userId);
      assert.equal(users[1].loginsCount, 1);
    });

    test("without a connection uses that of the calling mini program", async () => {
      const person = await stack.person();
      const { appId } = MINI["club-mini"];
      const { authing } = open(person, { connection: "club-mini", appId });
      value(await authing.loginByCode({}));
      const user = value(await authing.getUserInfo({ withIdentities: true, withCustomData: false, withDepartmentIds: false }));
      assert.ok(user.identities.length > 0);
    });

    test("for members only refuses a new person and logs a member in", async () => {
      const person = await stack.person();
      takeUp(stack.phone(person, { connection: "member-mini" }));
      const members = new Authing({ appId: MEMBERS, userPoolId: SHOP_POOL, host: stack.host });
      refusal(await members.loginByCode({ extIdpConnidentifier: "member-mini" }), 2004);
      await stack.login(person, { pool: SHOP_POOL });
      takeUp(stack.phone(person, { connection: "member-mini" }));
      const known = new Authing({ appId: MEMBERS, userPoolId: SHOP_POOL, host: stack.host });
      value(await known.loginByCode({ extIdpConnidentifier: "member-mini" }));
    });

    test("is refused with a code and a sentence", async () => {
      const person = await stack.person();
      const { authing } = open(person, { login: async () => "0".repeat(32) });
      const [error] = await authing.loginByCode(CONNECTION);
      assert.ok(Number.isInteger(error.apiCode) && error.apiCode === error.code, JSON.stringify(error));
      assert.ok(error.message.length > 0);
    });
  });

  describe("loginByPhone", () => {
    const byPhone = async (authing, code) =>
      authing.loginByPhone({ ...CONNECTION, miniProgramCodeAndPhonePayload: { wxPhoneInfo: { code } } });

    test("creates an account with the phone", async () => {
      const person = await stack.person();
      const { authing } = open(person);
      value(await byPhone(authing, await stack.phoneCode(person)));
      const user = value(await authing.getUserInfo());
      assert.ok(user.phone.endsWith(person.phone));
      assert.equal(user.phoneVerified, true);
    });

    test("fills the phone of an account that has none", async () => {
      const { person, authing } = await loggedIn();
      const { userId, phone } = value(await authing.getUserInfo());
      assert.ok(!phone);
      await authing.clearLoginState();
      value(await byPhone(authing, await stack.phoneCode(person)));
      const user = value(await authing.getUserInfo());
      assert.equal(user.userId, userId);
      assert.ok(user.phone.endsWith(person.phone));
    });

    test("leaves a phone number with the account that has it", async () => {
      const first = await stack.person();
      const { authing: owner } = open(first);
      value(await byPhone(owner, await stack.phoneCode(first)));
      const second = await stack.person({ phone: first.phone });
      const { authing } = open(second);
      value(await authing.loginByCode(CONNECTION));
      const { userId } = value(await authing.getUserInfo());
      await authing.clearLoginState();
      value(await byPhone(authing, await stack.phoneCode(second)));
      const user = value(await authing.getUserInfo());
      assert.equal(user.userId, userId);
      assert.ok(!user.phone);
    });

    test("with a phone code of another mini program is refused", async () => {
      const person = await stack.person();
      const { authing } = open(person);
      const [error] = await byPhone(authing, await stack.phoneCode(person, "club-mini"));
      assert.ok(Number.isInteger(error.apiCode), JSON.stringify(error));
      assert.equal((await stack.login(person, { pool: SHOP_POOL })).loginsCount, 1, "nothing was stored");
    });
  });

  describe("a logged-in user", () => {
    test("reads and changes the profile", async () => {
      const { authing } = await loggedIn();
      const updates = { nickname: "小虎 🐯", name: "Bob B.", gender: "M", birthdate: "1990-01-02", country: "CN", province: "Shanghai", city: "Shanghai", address: "1 Road", streetAddress: "1 Road", postalCode: "200000" };
      const updated = value(await authing.updateUserInfo(updates));
      const read = value(await authing.getUserInfo());
      for (const [key, wanted] of Object.entries(updates)) {
        assert.equal(updated[key], wanted, key);
        assert.equal(read[key], wanted, key);
      }
      for (const key of ["userId", "createdAt", "updatedAt", "status", "workStatus", "gender", "userSourceType"]) {
        assert.equal(typeof read[key], "string", key);
      }
      for (const key of ["emailVerified", "phoneVerified"]) assert.equal(typeof read[key], "boolean", key);
    });

    test("keeps custom data", async () => {
      const { authing } = await loggedIn();
      const customData = { level: 7, name: "tiger", vip: true, tags: ["a", "b"], nested: { x: null } };
      value(await authing.updateUserInfo({ customData }));
      const all = { withCustomData: true, withIdentities: true, withDepartmentIds: true };
      const user = value(await authing.getUserInfo(all));
      assert.deepEqual(user.customData, customData);
      assert.ok(Array.isArray(user.departmentIds));
      assert.equal(user.identities[0].provider, "wechat");
      assert.ok(!value(await authing.getUserInfo()).customData);
    });

    test("refreshes the tokens, each refresh token once", async () => {
      const { phone, authing, state } = await loggedIn(REFRESHABLE);
      assert.ok(state.refresh_token);
      const next = value(await authing.refreshToken());
      assert.ok(next.refresh_token && next.refresh_token !== state.refresh_token);
      assert.equal(next.expires_in, 2 * HOUR);
      assert.ok(next.expires_at > Date.now());
      assert.deepEqual(phone.stored(`authing:${SHOP}:login-state`), next);
      await verified(stack.host, next.access_token, { audience: SHOP, typ: "at+jwt" });
      value(await authing.getUserInfo());
      const third = value(await authing.refreshToken());
      assert.notEqual(third.refresh_token, next.refresh_token);

      // The first one again, long after its successor was used: it was stolen, so nobody keeps the login.
      phone.store(`authing:${SHOP}:login-state`, { ...third, refresh_token: state.refresh_token });
      assert.equal((await authing.refreshToken())[0].error, "invalid_grant");
      phone.store(`authing:${SHOP}:login-state`, third);
      assert.equal((await authing.refreshToken())[0].error, "invalid_grant");
    });

    test("keeps the login when the response to a refresh was lost", async () => {
      const { phone, authing, state } = await loggedIn(REFRESHABLE);
      value(await authing.refreshToken());
      phone.store(`authing:${SHOP}:login-state`, state);
      const again = value(await authing.refreshToken());
      assert.ok(again.refresh_token);
      value(await authing.getUserInfo());
    });

    test("asks for the phone number", async () => {
      const { person, authing } = await loggedIn();
      const info = value(await authing.getPhone({ ...CONNECTION, code: await stack.phoneCode(person) }));
      assert.equal(info.purePhoneNumber, person.phone);
      assert.ok(info.phoneNumber.endsWith(person.phone));
      assert.equal(String(info.countryCode), "86");
      assert.equal(info.watermark.appid, MINI["shop-mini"].appId);
      assert.ok(!value(await authing.getUserInfo()).phone, "asking does not bind");
    });

    test("has data decrypted", async () => {
      const { person, authing } = await loggedIn({ ...CONNECTION }, { nickname: "Tiger" });
      const code = await stack.loginCode(person);
      const { encryptedData, iv } = await stack.encryptedData("user_info", code);
      const data = value(await authing.decryptData({ ...CONNECTION, encryptedData, iv, code }));
      assert.equal(data.nickName, "Tiger");
      assert.equal(data.watermark.appid, MINI["shop-mini"].appId);
    });

    test("uploads an avatar", async () => {
      const image = stack.file("avatar.png", png(300, 600));
      const { authing } = await loggedIn(CONNECTION, {}, { image });
      const answer = value(await authing.updateAvatar());
      assert.equal(answer.code, 200);
      const { photo } = value(await authing.getUserInfo());
      assert.equal(photo, answer.data.url);
      const response = await fetch(photo);
      const { width, height } = pictureSize(Buffer.from(await response.arrayBuffer()));
      assert.deepEqual([width, height], [256, 512]);
    });

    test("binds the WeChat account", async () => {
      const { authing } = await loggedIn();
      value(await authing.bindPlatformByCode(CONNECTION));
      value(await authing.bindWxByCode(CONNECTION));
      const { userId } = value(await authing.getUserInfo());
      assert.ok(userId);
    });

    test("cannot bind the WeChat account of another user", async () => {
      const { person: other } = await loggedIn();
      const { authing } = await loggedIn();
      globalThis.wx.login = stack.phone(other).wx.login;
      const [error] = await authing.bindPlatformByCode(CONNECTION);
      assert.ok([2213, 2215].includes(error.apiCode), JSON.stringify(error));
    });

    test("logs out, after which the token is invalid", async () => {
      const { phone, authing, state } = await loggedIn(REFRESHABLE);
      value(await authing.logout());
      assert.equal(phone.stored(`authing:${SHOP}:login-state`), undefined);

      // A thief with a copy of the storage.
      phone.store(`authing:${SHOP}:login-state`, state);
      refusal(await authing.getUserInfo(), 2020);
      refusal(await authing.updateUserInfo({ nickname: "Thief" }), 2020);
      assert.equal((await authing.refreshToken())[0].error, "invalid_grant");
      value(await authing.logout());
    });
  });
});
