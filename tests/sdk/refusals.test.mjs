// Bad input and bad luck, each with a bare call: what the client gets, and that nothing is stored.
//
// Every refusal of the JSON API has HTTP status 200, the same number as `code` and `apiCode`, a `statusCode` other than
// 200, and a sentence. The numbers are part of the interface: applications branch on them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ENGINE, startStack } from "./harness.mjs";
import { png } from "./pictures.mjs";
import { BROKEN, EMPTY, FROZEN, MEMBERS, MINI, OTHER, OTHER_POOL, SHOP, SHOP_POOL, worldToml } from "./world.mjs";

const NOWHERE = "6560c0ffee000000000000ff";
const RID = /[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}/;
const AUTH = "/connections/social/wechat-miniprogram/auth";
const AUTH_BY_PHONE = "/connections/social/wechat-miniprogram/auth-by-phone";
const SIGNIN = "/api/v3/signin-by-mobile";

// The refusals for which the published clients know more than one number, or none.
const CODES = {
  noConnection: [2402, 2403, 2404, 2405, 2406],
  badCode: [2206, 2207],
  misconfigured: [2407],
  appDown: [2408],
  denied: [1001],
  busy: [1000, 408],
  nonsense: [500],
  limit: [1002],
  notAPicture: [2410, 2411],
};

// The two ways to log in with a code: the request and where to send it.
const WAYS = {
  "of authing-wxapp-sdk": (code) => [AUTH, { json: { code } }],
  "of miniapp": (code, connection) => [
    SIGNIN,
    {
      json: {
        connection: "wechat_mini_program_code",
        extIdpConnidentifier: connection,
        wechatMiniProgramCodePayload: { code, iv: "", encryptedData: "" },
      },
    },
  ],
};

describe(`refusals on ${ENGINE}`, () => {
  let stack;
  before(async () => (stack = await startStack()));
  after(() => stack?.close());

  /** Asserts the envelope of a refusal. `code` is a number or a list of those that will do. */
  function refused({ status, headers, body }, code, sentence) {
    const shown = JSON.stringify({ status, body });
    assert.equal(status, 200, shown);
    assert.match(headers.get("content-type") ?? "", /^application\/json/, shown);
    assert.ok([code].flat().includes(body.code), `code ${body.code}, not ${code}: ${shown}`);
    assert.equal(body.apiCode, body.code, shown);
    assert.ok(Number.isInteger(body.statusCode) && body.statusCode !== 200, shown);
    assert.ok(typeof body.message === "string" && body.message.length > 5, shown);
    if (sentence) assert.match(body.message, sentence, shown);
    if (body.code === 1002) assert.ok(body.data.retryAfter > 0, shown);
    else assert.ok(body.data === undefined || body.data === null, shown);
  }

  /** Logs in with a code in each way, and asserts that it is refused and leaves no account behind. */
  function refusesLogin(name, { code: expected, sentence, ...options }) {
    for (const [way, request] of Object.entries(WAYS)) {
      test(`${name}, the way ${way}`, async () => {
        const { app = SHOP, pool, headers, connection = "shop-mini", named, prepare } = options;
        const person = await stack.person();
        const started = Date.now();
        const code = options.codeOf ? await options.codeOf(person) : await stack.loginCode(person, connection);
        await prepare?.(person, code);
        const [path, more] = request(code, named);
        refused(await stack.call(path, { app, pool, headers, ...more }), expected, sentence);
        await stack.wechat("faults", undefined, "DELETE");
        await stack.wechat(`users/${person.name}`, { risky: false }, "PATCH");
        const user = await stack.login(person, { pool: SHOP_POOL });
        assert.equal(user.loginsCount, 1, "the refused login counts for nothing");
        assert.ok(new Date(user.createdAt).getTime() >= started);
        await options.then?.(person);
      });
    }
  }

  describe("of what the client names", () => {
    refusesLogin("neither application nor pool", { app: null, code: 2101 });
    refusesLogin("absence spelled out", { app: "undefined", pool: "null", code: 2101 });
    refusesLogin("an unknown pool", { app: null, pool: NOWHERE, code: 2224 });
    refusesLogin("a pool that can be none", { app: null, pool: "' OR 1=1 --", code: 2224 });
    refusesLogin("an unknown application", { app: NOWHERE, code: 2011 });
    refusesLogin("an application of another pool", { app: OTHER, pool: SHOP_POOL, code: 2020 });
    refusesLogin("an application without connections", { app: EMPTY, code: CODES.noConnection });
    refusesLogin("a mini program that no connection is for", {
      headers: { referer: `https://servicewechat.com/${MINI["spare-mini"].appId}/12/page-frame.html` },
      code: CODES.noConnection,
      sentence: new RegExp(MINI["spare-mini"].appId),
    });

    for (const [name, connection] of [
      ["an unknown connection", "no-such-mini"],
      ["a connection of another pool", "other-mini"],
      ["a connection that is not for this application", "spare-mini"],
      ["a connection that can be none", "../../etc/passwd"],
    ]) {
      test(name, async () => {
        const person = await stack.person();
        const [path, more] = WAYS["of miniapp"](await stack.loginCode(person), connection);
        refused(await stack.call(path, { app: SHOP, ...more }), CODES.noConnection);
        const { json } = { json: { code: await stack.phoneCode(person), extIdpConnidentifier: connection } };
        refused(await stack.call("/api/v3/get-wechat-miniprogram-phone", { pool: SHOP_POOL, json }), CODES.noConnection);
      });
    }

    test("a connection that is disabled while the server runs", async () => {
      const person = await stack.person();
      await stack.apply(worldToml({ without: ["club-mini"] }), "--prune");
      const attempt = async () => {
        const [path, more] = WAYS["of miniapp"](await stack.loginCode(person, "club-mini"), "club-mini");
        return stack.call(path, { app: SHOP, ...more });
      };
      let answer = await attempt();
      for (const deadline = Date.now() + 5000; answer.body.code === 200 && Date.now() < deadline; ) answer = await attempt();
      refused(answer, CODES.noConnection);
      await stack.apply(worldToml());
      for (const deadline = Date.now() + 5000; answer.body.code !== 200 && Date.now() < deadline; ) answer = await attempt();
      assert.equal(answer.body.code, 200, "enabled again");
    });
  });

  describe("of a code", () => {
    refusesLogin("that is malformed", { codeOf: () => "not a code!", code: CODES.badCode });
    refusesLogin("that is empty", { codeOf: () => "", code: [...CODES.badCode, 2231] });
    refusesLogin("that is long", { codeOf: () => "a".repeat(5000), code: CODES.badCode });
    refusesLogin("that WeChat does not know", { codeOf: () => `0${"a".repeat(31)}`, code: CODES.badCode });
    refusesLogin("of another mini program", { codeOf: (person) => stack.loginCode(person, "other-mini"), code: CODES.badCode });
    refusesLogin("that somebody exchanged elsewhere", {
      prepare: async (_, code) => {
        const { appId, secret } = MINI["shop-mini"];
        const query = new URLSearchParams({ appid: appId, secret, js_code: code, grant_type: "authorization_code" });
        const response = await fetch(`${stack.sandbox}/api/sns/jscode2session?${query}`);
        stack.secrets.harvest(await response.json());
      },
      code: CODES.badCode,
    });

    test("that another application has used", async () => {
      const person = await stack.person();
      const code = await stack.loginCode(person);
      const [path, more] = WAYS["of authing-wxapp-sdk"](code);
      assert.equal((await stack.call(path, { app: SHOP, ...more })).body.code, 200);
      refused(await stack.call(path, { app: OTHER, ...more }), CODES.badCode);
    });
  });

  describe("of WeChat", () => {
    const exchange = "/sns/jscode2session";
    const fault = (effect) => ({ prepare: () => stack.wechat("faults", { path: exchange, count: 10, ...effect }) });
    /** The operator finds a line with WeChat's number and its request id. */
    const logged = (errcode) => ({
      then: () => {
        const line = stack.log.split("\n").find((line) => line.includes(String(errcode)) && RID.test(line));
        assert.ok(line, `no line in the log has ${errcode} and a rid`);
      },
    });

    refusesLogin("a wrong secret", { app: BROKEN, connection: "broken-mini", code: CODES.misconfigured, ...logged(40125) });
    refusesLogin("a frozen mini program", {
      app: FROZEN,
      connection: "frozen-mini",
      prepare: () => stack.wechat(`apps/${MINI["frozen-mini"].appId}`, { state: "frozen" }, "PATCH"),
      code: CODES.appDown,
      ...logged(50002),
    });
    refusesLogin("a person of high risk", {
      prepare: (person) => stack.wechat(`users/${person.name}`, { risky: true }, "PATCH"),
      code: CODES.denied,
    });
    refusesLogin("busy for long", { ...fault({ errcode: -1 }), code: CODES.busy, ...logged(-1) });
    refusesLogin("at its limit", { ...fault({ errcode: 45011 }), code: CODES.limit, ...logged(45011) });
    refusesLogin("with a number that nobody knows", { ...fault({ errcode: 99999 }), code: CODES.misconfigured, ...logged(99999) });
    refusesLogin("down", { ...fault({ http_status: 503 }), code: CODES.busy });
    refusesLogin("gone", { ...fault({ drop_connection: true }), code: CODES.busy });
    refusesLogin("answering a page", { ...fault({ html: true }), code: CODES.nonsense });
    for (const wrong_json of ["truncated", "types", "empty", "array"]) {
      refusesLogin(`answering JSON that is wrong: ${wrong_json}`, { ...fault({ wrong_json }), code: CODES.nonsense });
    }

    test("slow: the response comes in time, and the code is not exchanged again", async () => {
      const person = await stack.person();
      await stack.wechat("faults", { path: exchange, delay_ms: 30_000, after: true, count: 10 });
      const code = await stack.loginCode(person);
      const [path, more] = WAYS["of authing-wxapp-sdk"](code);
      const started = Date.now();
      refused(await stack.call(path, { app: SHOP, ...more }), CODES.busy);
      assert.ok(Date.now() - started < 15_000, "the client is answered within its patience");
      await stack.wechat("faults", undefined, "DELETE");
      assert.equal((await stack.login(person, { pool: SHOP_POOL })).loginsCount, 1);
    });

    test("busy for a moment: the login succeeds", async () => {
      const person = await stack.person();
      await stack.wechat("faults", { path: exchange, errcode: -1, count: 1 });
      assert.ok((await stack.login(person, { pool: SHOP_POOL })).id);
    });

    test("its token discarded: the phone is still returned", async () => {
      const person = await stack.person();
      const ask = async () =>
        stack.call("/api/v3/get-wechat-miniprogram-phone", {
          pool: SHOP_POOL,
          json: { extIdpConnidentifier: "shop-mini", code: await stack.phoneCode(person) },
        });
      assert.equal((await ask()).body.statusCode, 200);
      await stack.wechat("tokens/discard", { app_id: MINI["shop-mini"].appId });
      assert.equal((await ask()).body.statusCode, 200);
    });

    test("a phone number under another app's watermark", async () => {
      const person = await stack.person();
      await stack.wechat("faults", { path: "/wxa/business/getuserphonenumber", wrong_watermark: true });
      const json = { extIdpConnidentifier: "shop-mini", code: await stack.phoneCode(person) };
      const answer = await stack.call("/api/v3/get-wechat-miniprogram-phone", { pool: SHOP_POOL, json });
      refused(answer, [2016, ...CODES.nonsense]);
    });

    for (const [name, more] of [
      ["of another app", { watermark_app_id: MINI["other-mini"].appId }],
      ["that is three days old", { age_seconds: 3 * 86_400 }],
    ]) {
      test(`encrypted data with a watermark ${name}`, async () => {
        const person = await stack.person();
        const code = await stack.loginCode(person);
        const { encryptedData, iv } = await stack.encryptedData("phone", code, more);
        const answer = await stack.call(AUTH_BY_PHONE, { app: SHOP, json: { code, iv, encryptedData } });
        refused(answer, 2016);
        const user = await stack.login(person, { pool: SHOP_POOL });
        assert.ok(!user.phone);
        assert.equal(user.loginsCount, 1);
      });
    }

    test("a new person where only members may log in", async () => {
      const person = await stack.person();
      for (const request of Object.values(WAYS)) {
        const [path, more] = request(await stack.loginCode(person, "member-mini"), "member-mini");
        refused(await stack.call(path, { app: MEMBERS, ...more }), 2004);
      }
      const user = await stack.login(person, { pool: SHOP_POOL });
      assert.equal(user.loginsCount, 1, "no account was made before");
    });
  });

  describe("of a body", () => {
    const json = { "content-type": "application/json" };
    const bodies = [
      ["that is empty", { headers: json }],
      ["that is not JSON", { headers: json, body: "{code: 1" }],
      ["that is another kind of JSON", { headers: json, body: "[1, 2]" }],
      ["that is null", { headers: json, body: "null" }],
      ["with values of wrong types", { json: { code: 7, connection: [], wechatMiniProgramCodePayload: "x", query: {} } }],
      ["that is a form", { headers: { "content-type": "application/x-www-form-urlencoded" }, body: "code=1" }],
      ["that is not UTF-8", { headers: json, body: new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]) }],
      ["that is deep", { headers: json, body: "[".repeat(100_000) }],
      ["that is large", { json: { code: "a".repeat(11 * 1024 * 1024) } }],
    ];
    for (const path of [AUTH, AUTH_BY_PHONE, "/connections/social/wechat-miniprogram/getphone", SIGNIN, "/api/v3/get-wechat-miniprogram-phone", "/api/v3/decrypt-wechat-miniprogram-data"]) {
      for (const [name, request] of bodies) {
        test(`${name}, at ${path}`, async () => {
          const answer = await stack.call(path, { app: SHOP, pool: SHOP_POOL, ...request });
          refused(answer, [2231, 413, 415, ...CODES.badCode]);
        });
      }
    }

    test("of an unknown connection kind", async () => {
      const answer = await stack.call(SIGNIN, { app: SHOP, json: { connection: "carrier_pigeon", carrierPigeonPayload: {} } });
      refused(answer, [2231, ...CODES.noConnection]);
    });
  });

  describe("of an upload", () => {
    const upload = (content, { name = "file", file = "a.png", path = "/api/v2/upload?folder=avatar" } = {}) => {
      const form = new FormData();
      form.append(name, new Blob([content]), file);
      return stack.call(path, { body: form });
    };

    test("that is a picture is accepted", async () => {
      const { body } = await upload(png(4, 4));
      assert.equal(body.code, 200);
      assert.ok(body.data.url.startsWith(stack.host));
      assert.ok(body.data.key);
      const response = await fetch(body.data.url);
      assert.equal(response.status, 404, "it is served only once a user's photo names it");
    });

    for (const [name, content] of [
      ["text", "hello"],
      ["a page", "<html><script>alert(1)</script></html>"],
      ["SVG", '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'],
      ["nothing", ""],
      ["the beginning of a picture", png(64, 64).subarray(0, 60)],
    ]) {
      test(`that is ${name}`, async () => refused(await upload(content), CODES.notAPicture));
    }

    test("of too many bytes", async () => refused(await upload(Buffer.alloc(11 * 1024 * 1024)), 2411));
    test("of too many pixels", async () => {
      // A picture of 10,000 by 6,000 pixels in a few bytes: detected before it is decoded.
      const small = png(10, 10);
      small.writeUInt32BE(10_000, 16);
      small.writeUInt32BE(6_000, 20);
      refused(await upload(small), CODES.notAPicture);
    });
    test("without a file", async () => refused(await upload(png(4, 4), { name: "other" }), [2231, ...CODES.notAPicture]));
    test("that is not a form", async () => {
      refused(await stack.call("/api/v2/upload", { body: "x" }), [2231, ...CODES.notAPicture]);
    });
  });

  describe("without a login", () => {
    const calls = [
      ["GET", "/api/v3/get-profile"],
      ["POST", "/api/v3/update-profile", { nickname: "x" }],
      ["POST", "/connections/social/wechat-miniprogram/bind", { code: "x" }],
    ];
    for (const [method, path, json] of calls) {
      test(`${method} ${path}`, async () => {
        const shop = await stack.login(await stack.person(), { pool: SHOP_POOL });
        const other = await stack.login(await stack.person(), { pool: OTHER_POOL, connection: "other-mini" });
        for (const token of [undefined, "", "nonsense", "Bearer", "Bearer ", "Bearer a.b.c", `Bearer ${shop.token}x`]) {
          refused(await stack.call(path, { method, pool: SHOP_POOL, token, json }), 2020);
        }
        // A token of one pool, a header of another.
        refused(await stack.call(path, { method, pool: SHOP_POOL, token: other.token, json }), 2020);
        refused(await stack.call(path, { method, app: OTHER, token: `Bearer ${shop.token}`, json }), 2020);
        const [, payload, signature] = shop.token.split(".");
        const none = Buffer.from('{"alg":"none","typ":"hufu-user+jwt"}').toString("base64url");
        refused(await stack.call(path, { method, token: `${none}.${payload}.`, json }), 2020);
        refused(await stack.call(path, { method, token: `${none}.${payload}.${signature}`, json }), 2020);
      });
    }
  });

  // Last, because WeChat's clock does not go back.
  test("a code that has expired", async () => {
    const person = await stack.person();
    const code = await stack.loginCode(person);
    await stack.wechat("clock", { advance_seconds: 301 });
    const [path, more] = WAYS["of authing-wxapp-sdk"](code);
    refused(await stack.call(path, { app: SHOP, ...more }), CODES.badCode);
  });
});
