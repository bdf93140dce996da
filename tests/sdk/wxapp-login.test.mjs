// Login with npm authing-wxapp-sdk, unmodified, against the real server.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ENGINE, startStack } from "./harness.mjs";
import { loadWxappSdk } from "./sdks.mjs";
import { assertLife, verified } from "./tokens.mjs";
import { ALICE, MINI, OTHER_POOL, SHOP, SHOP_POOL } from "./world.mjs";
import { takeUp } from "./wx.mjs";
import { AuthenticationClient, client, loggedIn, refusal } from "./wxapp.mjs";

const DAY = 24 * 3600;

describe(`login with authing-wxapp-sdk on ${ENGINE}`, () => {
  let stack;
  before(async () => (stack = await startStack()));
  after(() => stack?.close());

  describe("the first scene of the documentation", () => {
    for (const [name, options] of [
      ["userPoolId", { userPoolId: SHOP_POOL }],
      ["appId", { appId: SHOP }],
      ["both", { userPoolId: SHOP_POOL, appId: SHOP }],
    ]) {
      test(`with ${name}`, async () => {
        const person = await stack.person();
        const phone = takeUp(stack.phone(person));
        const authing = new AuthenticationClient({ ...options, host: stack.host });
        const { code } = await wx.login();
        const user = await authing.loginByCode(code);
        const updated = await authing.updateProfile({ nickname: "Bob" });

        assert.match(user.id, /^[0-9a-f]{24}$/);
        assert.equal(user.userPoolId, SHOP_POOL);
        assert.equal(user.arn, `arn:cn:authing:${SHOP_POOL}:user:${user.id}`);
        assert.equal(user.status, "Activated");
        assert.ok(!user.nickname, "a silent login knows no nickname");
        assert.equal(updated.id, user.id);
        assert.equal(updated.nickname, "Bob");
        assert.equal(phone.stored("_authing_token"), updated.token);
        assert.equal(phone.stored("_authing_user").nickname, "Bob");
        assert.equal((await authing.getCurrentUser()).nickname, "Bob");
      });
    }

    test("with the transport that a plain require under Node chooses", async () => {
      const { AuthenticationClient: UnderNode } = loadWxappSdk("node");
      const person = await stack.person();
      takeUp(stack.phone(person));
      const authing = new UnderNode({ userPoolId: SHOP_POOL, host: stack.host });
      const user = await authing.loginByCode((await wx.login()).code);
      const updated = await authing.updateProfile({ nickname: "Bob" });
      stack.secrets.harvest([user, updated]);
      assert.equal(updated.id, user.id);
      assert.equal(updated.nickname, "Bob");
    });

    test("from a phone that sends absent headers as the text undefined", async () => {
      const person = await stack.person();
      takeUp(stack.phone(person, { undefinedHeaders: "text" }));
      const authing = client(stack, { userPoolId: undefined, appId: SHOP });
      const user = await authing.loginByCode((await wx.login()).code);
      assert.equal((await authing.updateProfile({ nickname: "Bob" })).id, user.id);
    });

    test("again after a restart of server and client, without a login", async () => {
      for (const options of [{ userPoolId: SHOP_POOL }, { appId: SHOP }]) {
        const person = await stack.person();
        const storageFile = stack.file(`storage-${person.name}.json`, "[]");
        takeUp(stack.phone(person, { storageFile }));
        const settings = { ...options, host: stack.host };
        const user = await new AuthenticationClient({ ...settings }).loginByCode((await wx.login()).code);
        await stack.restartServer();

        const argument = JSON.stringify({ client: settings, storageFile, updates: { nickname: "Bob" } });
        const program = fileURLToPath(new URL("restarted-client.mjs", import.meta.url));
        const { stdout } = await promisify(execFile)(process.execPath, [program, argument]);
        const answer = JSON.parse(stdout);
        stack.secrets.harvest(answer);
        assert.equal(answer.user.id, user.id);
        assert.equal(answer.user.nickname, "Bob");
        assert.deepEqual(answer.urls, [`${stack.host}/graphql/v2`]);
      }
    });

    test("again after the server was killed, without a login", async () => {
      const { authing, user } = await loggedIn(stack);
      await stack.killServer();
      await stack.startServer();
      assert.equal((await authing.updateProfile({ nickname: "Bob" })).id, user.id);
    });
  });

  describe("loginByCode", () => {
    test("finds the account again", async () => {
      const { phone, authing, user } = await loggedIn(stack);
      phone.store("_authing_token", undefined);
      const again = await authing.loginByCode((await wx.login()).code);
      assert.equal(again.id, user.id);
      assert.equal(again.loginsCount, user.loginsCount + 1);
    });

    test("finds the account again from another mini program of the same Open Platform account", async () => {
      const { person, user } = await loggedIn(stack);
      takeUp(stack.phone(person, { connection: "club-mini", appId: MINI["club-mini"].appId }));
      const there = await client(stack).loginByCode((await wx.login()).code);
      assert.equal(there.id, user.id);
    });

    test("with one code twice is one login", async () => {
      const person = await stack.person();
      takeUp(stack.phone(person));
      const { code } = await wx.login();
      const [first, second] = await Promise.all([client(stack).loginByCode(code), client(stack).loginByCode(code)]);
      const third = await client(stack).loginByCode(code);
      assert.equal(second.id, first.id);
      assert.equal(third.id, first.id);
      assert.equal(third.loginsCount, 1);
    });

    test("of many phones of one new person at once creates one account", async () => {
      const person = await stack.person();
      takeUp(stack.phone(person));
      const codes = await Promise.all(Array.from({ length: 8 }, () => wx.login()));
      const users = await Promise.all(codes.map(({ code }) => client(stack).loginByCode(code)));
      assert.equal(new Set(users.map(({ id }) => id)).size, 1);
    });

    test("ignores a token that is stale, foreign or nonsense", async () => {
      const other = await stack.login(await stack.person(), { pool: OTHER_POOL, connection: "other-mini" });
      const gone = await loggedIn(stack);
      const stale = gone.user.token;
      await gone.authing.logout();
      for (const token of [other.token, stale, "nonsense", "a.b.c", `${stale.slice(0, -4)}AAAA`]) {
        const person = await stack.person();
        takeUp(stack.phone(person)).store("_authing_token", token);
        const user = await client(stack).loginByCode((await wx.login()).code);
        assert.equal(user.userPoolId, SHOP_POOL);
        assert.notEqual(user.id, other.id);
      }
    });

    test("gives a token that a backend can verify with npm jose", async () => {
      const { user } = await loggedIn(stack);
      const { payload, header } = await verified(stack.host, user.token, { audience: SHOP, typ: "hufu-user+jwt" });
      assert.equal(payload.sub, user.id);
      assert.equal(header.alg, "ES256");
      assertLife(payload, 14 * DAY);
      assert.equal(new Date(user.tokenExpiredAt).getTime(), payload.exp * 1000);
      await assert.rejects(verified(stack.host, user.token, { audience: SHOP, typ: "at+jwt" }));
      await assert.rejects(verified(stack.host, user.token, { audience: "another", typ: "hufu-user+jwt" }));
    });
  });

  describe("loginByPhone", () => {
    /** Logs a person in with their phone button, in the order that WeChat's manual asks for. */
    async function byPhone(person) {
      takeUp(stack.phone(person));
      const { code } = await wx.login();
      const { iv, encryptedData } = await stack.encryptedData("phone", code);
      const authing = client(stack);
      return { authing, user: await authing.loginByPhone(code, iv, encryptedData) };
    }

    test("with a new phone creates an account", async () => {
      const person = await stack.person();
      const { authing, user } = await byPhone(person);
      assert.ok(user.phone.endsWith(person.phone));
      assert.equal(user.phoneVerified, true);
      assert.equal((await authing.getCurrentUser()).id, user.id);
      assert.equal((await stack.login(person, { pool: SHOP_POOL })).id, user.id, "the openid is attached");
    });

    test("with a phone that an account has uses that account", async () => {
      const first = await stack.person();
      const { user } = await byPhone(first);
      const second = await stack.person({ phone: first.phone });
      const { user: same } = await byPhone(second);
      assert.equal(same.id, user.id);
      const silent = await stack.login(second, { pool: SHOP_POOL });
      assert.notEqual(silent.id, user.id, "the number logs in, but another WeChat person is not bound by it");
    });

    test("again is the same account", async () => {
      const person = await stack.person();
      const { user } = await byPhone(person);
      const { user: again } = await byPhone(person);
      assert.equal(again.id, user.id);
    });

    test("with a phone that the administrator set", async () => {
      const person = await stack.person({ phone: ALICE.phone.slice(3) });
      const { user } = await byPhone(person);
      assert.equal(user.username, ALICE.username);
    });

    test("refuses data of somebody else's session", async () => {
      const [eve, victim] = [await stack.person(), await stack.person()];
      takeUp(stack.phone(eve));
      const { code } = await wx.login();
      const ofVictim = await stack.encryptedData("phone", await stack.loginCode(victim));
      await assert.rejects(client(stack).loginByPhone(code, ofVictim.iv, ofVictim.encryptedData), refusal(2016));
    });
  });

  test("getPhone returns the number and creates no account", async () => {
    const person = await stack.person();
    takeUp(stack.phone(person));
    const { code } = await wx.login();
    const { iv, encryptedData } = await stack.encryptedData("phone", code);
    const before = Date.now();
    const answer = await client(stack).getPhone(code, iv, encryptedData);
    assert.equal(String(answer.countryCode), "86");
    assert.equal(answer.purePhoneNumber, person.phone);
    assert.ok(answer.phoneNumber.endsWith(person.phone));
    const user = await stack.login(person, { pool: SHOP_POOL });
    assert.ok(new Date(user.createdAt).getTime() >= before);
    assert.equal(user.loginsCount, 1);
    assert.ok(!user.phone);
  });
});
