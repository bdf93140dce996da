// What the newest client of the v2 line adds: npm authing-js-sdk 4.23, unmodified, against the real server.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { ENGINE, startStack } from "./harness.mjs";
import { loadJsSdk, loadMiniappSdk } from "./sdks.mjs";
import { OTHER, OTHER_POOL, SHOP, SHOP_POOL } from "./world.mjs";
import { AuthenticationClient as WxappClient, refusal } from "./wxapp.mjs";

const { AuthenticationClient, EmailScene, ManagementClient } = loadJsSdk();
const PASSWORD = "correct horse battery staple";

describe(`authing-js-sdk 4.23 on ${ENGINE}`, () => {
  let stack;
  before(async () => (stack = await startStack()));
  after(() => stack?.close());

  const client = (options = {}) =>
    new AuthenticationClient({ appId: SHOP, userPoolId: SHOP_POOL, appHost: stack.host, onError: () => {}, ...options });
  let names = 0;
  const username = () => `newer${++names}`;

  test("asks whether a user exists, if the pool tells", async () => {
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

  test("is told which calls are not served", async () => {
    const authing = client();
    await authing.registerByUsername(username(), PASSWORD);
    await assert.rejects(authing.listOrgs(), refusal(404));
    await assert.rejects(authing.loginByLdap("alice", PASSWORD), refusal(404));
    const management = new ManagementClient({ userPoolId: SHOP_POOL, secret: "0".repeat(32), host: stack.host, onError: () => {} });
    await assert.rejects(management.users.list(), refusal(2720));
    await assert.rejects(management.roles.list(), refusal(2720));
  });

  test("logs in by a QR code that the pool's own app confirms", async () => {
    const app = client();
    const name = username();
    await app.registerByUsername(name, PASSWORD);
    const { id, token } = await app.loginByUsername(name, PASSWORD);
    const browser = client();
    const { random, url, expiresIn } = await browser.qrcode.geneCode({ customData: { source: "poster" } });
    assert.equal(expiresIn, 120);
    const picture = await fetch(new URL(new URL(url).pathname, stack.host), { headers: { origin: "https://shop.example.com" } });
    assert.equal(picture.headers.get("content-type"), "image/png");
    assert.equal(picture.headers.get("access-control-allow-origin"), "https://shop.example.com", "Guard draws it on a canvas");
    // What stands in the picture; its address has it too.
    const scene = new URL(url).pathname.split("/").pop().replace(".png", "");
    assert.notEqual(scene, random);
    const order = (action) =>
      fetch(`${stack.host}/api/v2/qrcode/${action}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}`, "x-authing-app-id": SHOP },
        body: JSON.stringify({ random: scene }),
      });
    const seen = [];
    const done = new Promise((resolve, reject) =>
      browser.qrcode.startPolling(random, {
        interval: 100,
        onScanned: (userInfo) => {
          seen.push("scanned", typeof userInfo);
          order("confirm");
        },
        onSuccess: (userInfo, ticket) => resolve({ userInfo, ticket }),
        onError: reject,
        onExpired: () => reject(new Error("expired")),
      }),
    );
    assert.equal((await browser.qrcode.checkStatus(random)).status, 0);
    await order("scanned");
    const { userInfo, ticket } = await done;
    assert.deepEqual(seen, ["scanned", "object"]);
    assert.equal(userInfo.token, undefined);
    const user = await browser.qrcode.exchangeUserInfo(ticket);
    assert.equal(user.id, id);
    assert.ok(user.token && user.token !== token);
    await assert.rejects(browser.qrcode.exchangeUserInfo(ticket), refusal(2574));
    await assert.rejects(browser.qrcode.checkStatus("nonsense"), refusal(2241));
    await assert.rejects(browser.wxqrcode.geneCode(), refusal(2405), "the shop shows no code of a mini program");
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

  test("registers with an e-mail address and no code, if the pool allows it", async () => {
    const address = stack.address();
    await assert.rejects(client().registerByEmail(address, PASSWORD), refusal(2422));
    const other = client({ appId: OTHER, userPoolId: OTHER_POOL });
    const user = await other.registerByEmail(address, PASSWORD, { nickname: "Bob" }, { generateToken: true });
    assert.deepEqual([user.email, user.emailVerified, user.nickname], [address, false, "Bob"]);
    assert.ok(user.token);
    assert.equal((await other.loginByEmail(address, PASSWORD)).id, user.id);
    await assert.rejects(other.registerByEmail(address, PASSWORD), refusal(2026));
  });

  test("sets the password that a first login waits for", async () => {
    const output = await stack.command("admin", "create-key", "--name", "sdk", "--role", "owner", "--config", stack.config);
    // Not a secret in the log: the command prints it, and the log here includes what commands print.
    const key = output.stdout.trim();
    const admin = (path, json) => stack.call(`/admin/v1/pools/${SHOP_POOL}/users${path}`, { token: `Bearer ${key}`, json });
    const [name, words] = [username(), ["walnut harbour 12", "quince meadow 31"]];
    for (const word of words) stack.secrets.add("password", word);
    const { body } = await admin("", { username: name, password: PASSWORD, mustReset: true });
    const waiting = async (password) => {
      const error = await client().loginByUsername(name, password).then(() => assert.fail("logged in"), (error) => error);
      assert.equal(error.code, 1639);
      return error.data.token;
    };
    const token = await waiting(PASSWORD);
    await assert.rejects(client().resetPasswordByFirstLoginToken({ token: "nonsense", password: words[0] }), refusal(2206));
    assert.equal((await client().resetPasswordByFirstLoginToken({ token, password: words[0] })).code, 200);
    await assert.rejects(client().resetPasswordByFirstLoginToken({ token, password: words[1] }), refusal(2206));
    assert.ok((await client().loginByUsername(name, words[0])).token);

    await admin(`/${body.id}/password`, { password: PASSWORD, mustReset: true });
    const again = { token: await waiting(PASSWORD), oldPassword: PASSWORD, newPassword: words[1] };
    assert.equal((await client().resetPasswordByForceResetToken(again)).code, 200);
    assert.ok((await client().loginByUsername(name, words[1])).token);
  });

  test("validates a token, lists the applications, and logs out on this device", async () => {
    const authing = client();
    const user = await authing.registerByUsername(username(), PASSWORD, {}, { generateToken: true });
    assert.equal((await authing.validateToken({ idToken: user.token })).sub, user.id);
    assert.equal((await authing.validateToken({ accessToken: user.token })).code, 2020, "not an access token");
    const { totalCount, list } = await authing.listApplications({ page: 1, limit: 2 });
    assert.ok(totalCount > 2 && list.length === 2 && list.every(({ userPoolId }) => userPoolId === SHOP_POOL));
    await authing.logoutCurrent();
    assert.equal((await authing.validateToken({ idToken: user.token })).code, 2020);
  });

  test("every method of every client is in docs/clients.md", async () => {
    const page = readFileSync(new URL("../../docs/clients.md", import.meta.url), "utf8");
    const { Authing } = await loadMiniappSdk();
    for (const { prototype } of [AuthenticationClient, WxappClient, Authing]) {
      for (let of = prototype; of !== Object.prototype; of = Object.getPrototypeOf(of)) {
        for (const name of Object.getOwnPropertyNames(of).filter((name) => name !== "constructor" && !name.startsWith("_"))) {
          assert.ok(page.includes(`\`${name}\``), `docs/clients.md does not mention ${name}`);
        }
      }
    }
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
