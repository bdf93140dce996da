// The profile, data and session of a user with npm authing-wxapp-sdk, unmodified, against the real server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ENGINE, startStack } from "./harness.mjs";
import { pictureSize, png } from "./pictures.mjs";
import { verified } from "./tokens.mjs";
import { SHOP, SHOP_POOL } from "./world.mjs";
import { takeUp } from "./wx.mjs";
import { client, loggedIn, refusal } from "./wxapp.mjs";

describe(`users with authing-wxapp-sdk on ${ENGINE}`, () => {
  let stack;
  before(async () => (stack = await startStack()));
  after(() => stack?.close());

  describe("loginByCode with a profile", () => {
    const photo = (name) => `https://thirdwx.qlogo.cn/mmopen/${name}/132`;
    const raw = (nickName, avatarUrl) =>
      JSON.stringify({ nickName, avatarUrl, gender: 0, city: "", province: "", country: "", language: "zh_CN" });

    async function loginWith(person, profile) {
      takeUp(stack.phone(person));
      const { code } = await wx.login();
      const given = typeof profile === "function" ? await profile(code) : profile;
      return client(stack).loginByCode(code, given);
    }

    test("fills nickname and photo from rawData, and never overwrites them", async () => {
      const person = await stack.person();
      const user = await loginWith(person, { rawData: raw("小虎 🐯", photo("tiger")) });
      assert.equal(user.nickname, "小虎 🐯");
      assert.equal(user.photo, photo("tiger"));
      const again = await loginWith(person, { rawData: raw("Other", photo("other")) });
      assert.equal(again.id, user.id);
      assert.equal(again.nickname, "小虎 🐯");
      assert.equal(again.photo, photo("tiger"));
    });

    test("takes a photo only from WeChat's own hosts", async () => {
      for (const url of [
        "http://thirdwx.qlogo.cn/mmopen/a/132",
        "https://evil.example/a.png",
        "https://qlogo.cn.evil.example/a",
        "https://evilqlogo.cn/a",
        "https://thirdwx.qlogo.cn@evil.example/a",
        "https://user:pass@thirdwx.qlogo.cn/a",
        "javascript:alert(1)",
        "",
      ]) {
        const user = await loginWith(await stack.person(), { rawData: raw("Bob", url) });
        assert.equal(user.nickname, "Bob");
        assert.ok(!user.photo, `${url} was taken as a photo`);
      }
    });

    test("treats WeChat's placeholder profile as empty", async () => {
      const person = await stack.person();
      const user = await loginWith(person, { rawData: raw("微信用户", photo("grey")) });
      assert.ok(!user.nickname);
      const named = await loginWith(person, { rawData: raw("Bob", photo("bob")) });
      assert.equal(named.id, user.id);
      assert.equal(named.nickname, "Bob");
      assert.equal(named.photo, photo("bob"));
    });

    test("trusts decrypted data over rawData", async () => {
      const person = await stack.person({ nickname: "Proved", avatar_url: photo("proved") });
      const user = await loginWith(person, async (code) => {
        const { encryptedData, iv } = await stack.encryptedData("user_info", code);
        return { encryptedData, iv, rawData: raw("Claimed", photo("claimed")) };
      });
      assert.equal(user.nickname, "Proved");
      assert.equal(user.photo, photo("proved"));
    });

    test("still logs in with data that does not decrypt", async () => {
      const person = await stack.person();
      const user = await loginWith(person, {
        encryptedData: Buffer.alloc(64, 7).toString("base64"),
        iv: Buffer.alloc(16, 1).toString("base64"),
        rawData: raw("Claimed", photo("claimed")),
      });
      assert.equal(user.nickname, "Claimed");
      for (const broken of [{ rawData: "{" }, { rawData: "[]" }, { rawData: "" }, { encryptedData: "*", iv: "*" }, { encryptedData: "AAAA" }]) {
        assert.ok((await loginWith(await stack.person(), broken)).id);
      }
    });

    test("returns neither ids nor a phone from an unproved profile", async () => {
      const { user: victim } = await loggedIn(stack);
      const person = await stack.person();
      const claimed = { openId: victim.openid, unionId: victim.unionid, phone: "13800000000", phoneNumber: "13800000000" };
      const user = await loginWith(person, { rawData: JSON.stringify({ nickName: "Eve", avatarUrl: "", ...claimed }) });
      assert.notEqual(user.id, victim.id);
      assert.ok(!user.phone);
    });
  });

  describe("a logged-in user", () => {
    test("changes each field of the profile", async () => {
      const { authing } = await loggedIn(stack);
      const updates = {
        nickname: "‮مرحبا 👩‍👩‍👧‍👦 <script>", name: "Bob B.", givenName: "Bob", familyName: "B", gender: "M", birthdate: "1990-01-02",
        company: "Tiger", website: "https://example.com", zoneinfo: "Asia/Shanghai", locale: "zh-CN", address: "1 Road",
        city: "Shanghai", province: "Shanghai", country: "CN", postalCode: "200000",
      };
      const user = await authing.updateProfile(updates);
      for (const [key, value] of Object.entries(updates)) assert.equal(user[key], value, key);
      const read = await authing.getCurrentUser();
      for (const [key, value] of Object.entries(updates)) assert.equal(read[key], value, key);
    });

    test("cannot change what is not a profile", async () => {
      const { authing, user } = await loggedIn(stack);
      const updated = await authing.updateProfile({
        nickname: "Bob", blocked: true, phone: "13912345678", phoneVerified: true, email: "a@example.com", emailVerified: true,
        unionid: "o-another", openid: "o-another", loginsCount: 99, tokenExpiredAt: "2099-01-01T00:00:00.000Z",
      });
      assert.equal(updated.nickname, "Bob");
      assert.equal(updated.loginsCount, user.loginsCount);
      assert.equal(updated.openid, user.openid);
      assert.equal(updated.blocked, false);
      assert.ok(!updated.phone && !updated.email);
    });

    test("cannot touch another user", async () => {
      const { user: victim } = await loggedIn(stack);
      const { phone, authing, user } = await loggedIn(stack);
      phone.store("_authing_user", { ...user, id: victim.id });
      await assert.rejects(authing.updateProfile({ nickname: "Eve" }), (error) => typeof error.code === "number");
    });

    test("uploads an avatar, which is served re-encoded", async () => {
      const image = stack.file("avatar.png", png(1024, 256, { comment: "<script>alert(1)</script>" }));
      const { authing } = await loggedIn(stack, { phone: { image } });
      const user = await authing.updateAvatar();
      assert.ok(user.photo.startsWith(`${stack.host}/`), "the picture is served by this server");

      const response = await fetch(user.photo);
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.equal(response.status, 200);
      const { type, width, height } = pictureSize(bytes);
      assert.equal(response.headers.get("content-type"), type);
      assert.deepEqual([width, height], [512, 128]);
      assert.ok(!bytes.includes("script"), "nothing but pixels is kept");
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.match(response.headers.get("content-security-policy"), /sandbox/);
      assert.equal((await authing.getCurrentUser()).photo, user.photo);
    });

    test("can see who they are, and nothing when logged out", async () => {
      const { phone, authing, user } = await loggedIn(stack);
      const current = await authing.getCurrentUser();
      assert.equal(current.id, user.id);
      assert.ok(current.token);
      assert.equal(current.identities[0].provider, "wechat");
      assert.equal(current.identities[0].userId, user.id);
      phone.store("_authing_token", undefined);
      assert.equal(await authing.getCurrentUser(), null);
    });

    test("checks the login status", async () => {
      const { phone, authing, user } = await loggedIn(stack);
      const inside = await authing.checkLoginStatus();
      assert.equal(inside.code, 200);
      assert.equal(inside.status, true);
      assert.deepEqual(inside.data, { id: user.id, userPoolId: SHOP_POOL, arn: user.arn });
      assert.ok(inside.exp > inside.iat);
      assert.equal((await authing.checkLoginStatus(user.token)).status, true);
      for (const token of ["nonsense", "a.b.c", `${user.token}x`]) {
        const outside = await authing.checkLoginStatus(token);
        assert.equal(outside.status, false);
        assert.notEqual(outside.code, 200);
      }
      phone.store("_authing_token", undefined);
      assert.equal((await authing.checkLoginStatus()).status, false);
    });

    test("gets a new token", async () => {
      const { phone, authing, user } = await loggedIn(stack);
      const { token, iat, exp } = await authing.refreshToken();
      assert.equal(phone.stored("_authing_token"), token);
      const { payload } = await verified(stack.host, token, { audience: SHOP, typ: "hufu-user+jwt" });
      assert.equal(payload.sub, user.id);
      assert.deepEqual([payload.iat, payload.exp], [iat, exp]);
      assert.equal((await authing.getCurrentUser()).id, user.id);
    });

    test("keeps data of their own, of every type", async () => {
      const { authing } = await loggedIn(stack);
      const values = { word: "hello", quoted: '"hello"', number: 42, decimal: 0.5, yes: true, no: false, object: { a: [1, { b: null }] }, empty: "" };
      for (const [key, value] of Object.entries(values)) {
        const list = await authing.setUdv(key, value);
        assert.deepEqual(list.find((item) => item.key === key)?.value, value, key);
      }
      const listed = Object.fromEntries((await authing.listUdv()).map(({ key, value }) => [key, value]));
      assert.deepEqual(listed, values);
      assert.deepEqual({ ...(await authing.getUdfValue()) }, values);

      await authing.setUdfValue({ word: "bye", more: 7 });
      assert.deepEqual({ ...(await authing.getUdfValue()) }, { ...values, word: "bye", more: 7 });
      const rest = await authing.removeUdv("word");
      assert.ok(!rest.some(({ key }) => key === "word"));
      await authing.removeUdfValue("more");
      const { word: _, ...left } = values;
      assert.deepEqual({ ...(await authing.getUdfValue()) }, left);
    });

    test("logs out, after which the token is invalid", async () => {
      for (const options of [{ userPoolId: SHOP_POOL }, { appId: SHOP, userPoolId: undefined }]) {
        const { phone, authing, user } = await loggedIn(stack, { client: options });
        const stored = phone.stored("_authing_user");
        await authing.logout();
        assert.equal(phone.stored("_authing_token"), undefined);
        assert.throws(() => authing.checkLoggedIn());

        // A thief with a copy of the storage.
        phone.store("_authing_user", stored);
        phone.store("_authing_token", user.token);
        assert.equal((await authing.checkLoginStatus()).status, false);
        await assert.rejects(authing.updateProfile({ nickname: "Thief" }), refusal(2020));
        await assert.rejects(authing.refreshToken(), refusal(2020));
        await assert.rejects(authing.listUdv(), refusal(2020));
        await assert.rejects(authing.setUdv("a", 1), refusal(2020));
        assert.equal(await authing.getCurrentUser(), null);
      }
    });
  });

  test("every error of GraphQL is an object that the client can read", async () => {
    const { user } = await loggedIn(stack);
    const documents = [
      { query: "{ user { id } }" },
      { query: "{ nonsense }", token: user.token },
      { query: "{", token: user.token },
      { query: "{ user { id nonsense } }", token: user.token },
      { query: "query($id: Int) { user(id: $id) { id } }", variables: { id: 7 }, token: user.token },
      { query: "{ user { id } checkLoginStatus { code } }", token: user.token },
      { query: "{ __schema { types { name } } }", token: user.token },
      { query: 'mutation { updateUser(id: "6560c0ffee0000000000dead", input: { nickname: "x" }) { id } }', token: user.token },
      { query: "mutation($input: UpdateUserInput!) { updateUser(input: $input) { id } }", variables: { input: { nickname: 7 } }, token: user.token },
      {},
      { query: 7 },
    ];
    for (const { token, ...json } of documents) {
      const { status, body } = await stack.call("/graphql/v2", { token: token && `Bearer ${token}`, json });
      const shown = JSON.stringify({ json, status, body });
      assert.equal(status, 200, shown);
      assert.ok(body.errors?.length > 0, shown);
      for (const { message } of body.errors) {
        assert.equal(typeof message, "object", shown);
        assert.ok(Number.isInteger(message.code), shown);
        assert.ok(typeof message.message === "string" && message.message.length > 0, shown);
      }
    }
  });
});
