// An API with npm `jose`.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ENGINE, SITE, folder, freePort, startHufu, startProgram } from "./harness.mjs";

const RESOURCE = "https://orders.example.com";
const MORE = `
  [[user_pool.scope]]
  name = "orders:read"
  [[user_pool.application]]
  id = "orders"
  name = "Orders"
  type = "api"
  secret = { env = "SITE_SECRET" }
  resources = ["${RESOURCE}"]
  [[user_pool.application]]
  id = "stock"
  name = "Stock"
  type = "api"
  secret = { env = "SITE_SECRET" }
  resources = ["https://stock.example.com"]
`;

describe(`an API with jose, ${ENGINE}`, () => {
  let hufu, api, program;

  before(async () => {
    hufu = await startHufu({ more: MORE });
    api = `http://127.0.0.1:${await freePort()}`;
    const options = { site: api, cwd: folder("api"), issuer: hufu.issuer, environment: { RESOURCE } };
    program = await startProgram([process.execPath, "app.mjs"], options);
  });

  after(async () => {
    await program?.close();
    await hufu?.close();
  });

  /** A token that the stock gets for itself. */
  async function token(fields) {
    const body = new URLSearchParams({ grant_type: "client_credentials", ...fields });
    const authorization = `Basic ${btoa(`stock:${SITE.secret}`)}`;
    const response = await fetch(`${hufu.issuer}/token`, { method: "POST", body, headers: { authorization } });
    assert.equal(response.status, 200);
    const { access_token } = await response.json();
    hufu.secret("access token", access_token);
    return access_token;
  }

  const call = (token) => fetch(`${api}/orders`, { headers: token ? { authorization: `Bearer ${token}` } : {} });

  test("takes a token for it, with its scope", async () => {
    const response = await call(await token({ resource: RESOURCE, scope: "orders:read" }));
    assert.deepEqual([response.status, await response.json()], [200, { orders: [], of: "stock", client: "stock" }]);
  });

  test("refuses a token without the scope", async () => {
    const response = await call(await token({ resource: RESOURCE }));
    assert.equal(response.status, 403);
    assert.match(response.headers.get("www-authenticate"), /insufficient_scope/);
  });

  test("refuses tokens that are for others, forged ones and none", async () => {
    const scope = "orders:read";
    const own = await token({ resource: RESOURCE, scope });
    const [header, payload, signature] = own.split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url"));
    const other = Buffer.from(JSON.stringify({ ...claims, sub: "somebody" })).toString("base64url");
    for (const wrong of [
      await token({ scope }),
      await token({ resource: "https://stock.example.com", scope }),
      `${header}.${other}.${signature}`,
      `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}.${payload}.`,
      "x",
      undefined,
    ]) {
      assert.equal((await call(wrong)).status, 401);
    }
  });
});
