// Calls from browsers: which paths respond to other origins, and that cookies never log anybody in.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ENGINE, startStack } from "./harness.mjs";
import { SHOP_POOL } from "./world.mjs";

const ORIGIN = "https://shop.example";
const COMPAT = [
  ["POST", "/connections/social/wechat-miniprogram/auth"],
  ["POST", "/connections/social/wechat-miniprogram/auth-by-phone"],
  ["POST", "/connections/social/wechat-miniprogram/getphone"],
  ["POST", "/connections/social/wechat-miniprogram/bind"],
  ["POST", "/graphql/v2"],
  ["GET", "/api/v2/.well-known"],
  ["GET", "/api/v2/logout"],
  ["POST", "/api/v2/upload"],
  ["POST", "/api/v3/signin-by-mobile"],
  ["GET", "/api/v3/system"],
  ["GET", "/api/v3/get-profile"],
  ["POST", "/api/v3/update-profile"],
  ["POST", "/api/v3/get-wechat-miniprogram-phone"],
  ["POST", "/api/v3/decrypt-wechat-miniprogram-data"],
  ["POST", "/oidc/token"],
  ["POST", "/oidc/token/revocation"],
];
const HEADERS = [
  "authorization", "content-type", "x-authing-app-id", "x-authing-userpool-id", "x-authing-request-from",
  "x-authing-sdk-version", "x-authing-lang", "x-authing-app-tenant-id", "x-authing-device-id",
];

describe(`other origins on ${ENGINE}`, () => {
  let stack;
  before(async () => (stack = await startStack()));
  after(() => stack?.close());

  const list = (headers, name) => (headers.get(name) ?? "").toLowerCase().split(/,\s*/);

  for (const [method, path] of COMPAT) {
    test(`${method} ${path} can be called from anywhere`, async () => {
      const asked = { origin: ORIGIN, "access-control-request-method": method, "access-control-request-headers": HEADERS.join(",") };
      const preflight = await stack.call(path, { method: "OPTIONS", headers: asked });
      assert.ok(preflight.status === 200 || preflight.status === 204, `status ${preflight.status}`);
      const answer = await stack.call(path, { method, headers: { origin: ORIGIN } });
      for (const { headers } of [preflight, answer]) {
        assert.equal(headers.get("access-control-allow-origin"), ORIGIN);
        assert.equal(headers.get("access-control-allow-credentials"), "true");
        assert.ok(list(headers, "vary").includes("origin"));
      }
      assert.ok(list(preflight.headers, "access-control-allow-methods").includes(method.toLowerCase()));
      for (const name of HEADERS) assert.ok(list(preflight.headers, "access-control-allow-headers").includes(name), name);
    });
  }

  for (const path of ["/healthz", "/readyz", "/", "/console", "/no-such-path", "/api/v3/../../healthz"]) {
    test(`${path} responds to its own origin only`, async () => {
      for (const method of ["GET", "OPTIONS"]) {
        const asked = { origin: ORIGIN, "access-control-request-method": "GET" };
        const { headers } = await stack.call(path, { method, headers: asked });
        assert.equal(headers.get("access-control-allow-origin"), null);
      }
    });
  }

  test("a cookie logs nobody in, and none is set", async () => {
    const user = await stack.login(await stack.person(), { pool: SHOP_POOL });
    const cookie = ["token", "access_token", "_authing_token", "session", "sid", "hufu_session", "authorization"]
      .map((name) => `${name}=${user.token}`)
      .join("; ");
    const headers = { cookie, origin: ORIGIN };
    const profile = await stack.call("/api/v3/get-profile", { method: "GET", pool: SHOP_POOL, headers });
    assert.equal(profile.body.code, 2020);
    const graphql = await stack.call("/graphql/v2", { headers, json: { query: "{ user { id } }" } });
    assert.equal(graphql.body.errors[0].message.code, 2020);
    for (const [method, path] of COMPAT) {
      const answer = await stack.call(path, { method, headers });
      assert.equal(answer.headers.get("set-cookie"), null, path);
    }
    const still = await stack.call("/api/v3/get-profile", { method: "GET", token: `Bearer ${user.token}` });
    assert.equal(still.body.statusCode, 200, "a logout with a cookie alone logs nobody out");
  });
});
