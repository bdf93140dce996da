// The modules of the Dynamic plan: each registers its own client. See modules.test.mjs.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import {
  assertCode, assertErrorPage, assertTokenError, assertTokens, authorizationRequest, authorize, claimsOf, headerOf, KeyPair,
  logIn, pause, random, redeem, register, REGISTERED, tokenRequest, userinfo, verify, verifyIdToken,
} from "./flows.mjs";

/** Longer than the provider under test waits between two looks at a `jwks_uri`. */
const KEYS_PAUSE_MS = 1500;

/** A plain client of this plan. */
export const PLAIN = {
  client_name: "Dynamic <client>",
  redirect_uris: [REGISTERED.redirectUri],
  contacts: ["certification@example.com"],
  response_types: ["code"],
  grant_types: ["authorization_code"],
};

export function dynamic({ basic, config }) {
  return {
    async "oidcc-idtoken-rs256"({ registered, enterAs }) {
      const client = await registered({ id_token_signed_response_alg: "RS256" });
      const { tokens } = await enterAs(client);
      assert.equal(headerOf(tokens.id_token).alg, "RS256");
    },

    async "oidcc-idtoken-unsigned"({ target }) {
      const answer = await register(target, { ...PLAIN, id_token_signed_response_alg: "none" });
      const { id_token_signing_alg_values_supported } = target.metadata;
      assert.ok(!id_token_signing_alg_values_supported.includes("none"), "write this test for a provider that does not sign");
      assertRefused(answer, "invalid_client_metadata");
    },

    async "oidcc-userinfo-rs256"({ target, registered, enterAs }) {
      const client = await registered({ userinfo_signed_response_alg: "RS256" });
      const { tokens, idToken } = await enterAs(client);
      const { status, headers, body } = await userinfo(target, tokens.access_token);
      assert.equal(status, 200, JSON.stringify(body));
      assert.match(headers.get("content-type") ?? "", /^application\/jwt/);
      assert.equal(headerOf(body).alg, "RS256");
      const { payload } = await verify(target, body, { issuer: target.issuer, audience: client.id });
      assert.equal(payload.sub, idToken.sub);
    },

    async "oidcc-ensure-redirect-uri-in-authorization-request"({ target, browser, registered }) {
      const client = await registered();
      const { params } = authorizationRequest(client);
      delete params.redirect_uri;
      const endpoint = new URL(target.metadata.authorization_endpoint);
      endpoint.search = new URLSearchParams(params).toString();
      assertErrorPage(target, await browser.open(endpoint));
    },

    async "oidcc-redirect-uri-query-OK"({ registered, enterAs }) {
      const redirectUri = `${REGISTERED.redirectUri}?foo=bar`;
      const client = await registered({ redirect_uris: [redirectUri] });
      const { callback } = await enterAs({ ...client, redirectUri });
      assert.deepEqual(callback.url.searchParams.getAll("foo"), ["bar"], "the query is not kept");
    },

    async "oidcc-redirect-uri-query-mismatch"({ target, browser, registered }) {
      const client = await registered({ redirect_uris: [`${REGISTERED.redirectUri}?foo=bar`] });
      const flow = await authorize(target, browser, client, { redirect_uri: `${REGISTERED.redirectUri}?foo=baz` });
      assertErrorPage(target, flow.page);
    },

    async "oidcc-redirect-uri-query-added"({ target, browser, registered }) {
      const client = await registered();
      const flow = await authorize(target, browser, client, { redirect_uri: `${REGISTERED.redirectUri}?foo=bar` });
      assertErrorPage(target, flow.page);
    },

    async "oidcc-redirect-uri-regfrag"({ target }) {
      const answer = await register(target, { ...PLAIN, redirect_uris: [`${REGISTERED.redirectUri}#foobar`] });
      assertRefused(answer, "invalid_redirect_uri", "invalid_client_metadata");
    },

    async "oidcc-discovery-endpoint-verification"({ target }) {
      const { protocol } = new URL(target.metadata.registration_endpoint ?? assert.fail("no registration_endpoint"));
      assert.equal(protocol, new URL(target.issuer).protocol);
      await config["oidcc-discovery-endpoint-verification"]({ target });
    },

    async "oidcc-server"({ target, registered, enterAs }) {
      const keys = await KeyPair.generate("RS256");
      const client = await registered({ token_endpoint_auth_method: "private_key_jwt", jwks: keys.publicSet }, { keys });
      const { tokens, idToken } = await enterAs(client);
      assert.equal((await claimsOf(target, tokens.access_token)).sub, idToken.sub);
    },

    "oidcc-registration-logo-uri": shown("logo_uri", "img", "src"),
    "oidcc-registration-policy-uri": shown("policy_uri", "a", "href"),
    "oidcc-registration-tos-uri": shown("tos_uri", "a", "href"),

    async "oidcc-registration-jwks-uri"({ target, registered, enterAs }) {
      const keys = await KeyPair.generate("RS256");
      await served("application/json", () => JSON.stringify(keys.publicSet), async (uri) => {
        const client = await registered({ token_endpoint_auth_method: "private_key_jwt", jwks_uri: uri }, { keys });
        const { tokens, idToken } = await enterAs(client);
        assert.equal((await claimsOf(target, tokens.access_token)).sub, idToken.sub);
      });
    },

    async "oidcc-registration-sector-uri"({ target, registered, enterAs }) {
      const { idToken: known } = await enterAs(await registered());
      await served("application/json", () => JSON.stringify([REGISTERED.redirectUri]), async (uri) => {
        const metadata = { subject_type: "pairwise", sector_identifier_uri: target.https(uri) };
        const { idToken, tokens } = await enterAs(await registered(metadata));
        assert.notEqual(idToken.sub, known.sub, "the subject is not pairwise");
        assert.equal((await claimsOf(target, tokens.access_token)).sub, idToken.sub);
      });
    },

    async "oidcc-registration-sector-bad"({ target }) {
      await served("application/json", () => JSON.stringify(["https://other.example.com/"]), async (uri) => {
        const metadata = { ...PLAIN, subject_type: "pairwise", sector_identifier_uri: target.https(uri) };
        assertRefused(await register(target, metadata), "invalid_client_metadata");
      });
    },

    async "oidcc-request-uri-unsigned"(run) {
      await basic["oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported"](run);
    },

    async "oidcc-request-uri-signed-rs256"({ target, browser, registered }) {
      assert.equal(target.metadata.request_uri_parameter_supported, true);
      assert.ok(target.metadata.request_object_signing_alg_values_supported.includes("RS256"));
      const keys = await KeyPair.generate("RS256");
      let object;
      await served("application/oauth-authz-req+jwt", () => object, async (uri) => {
        const client = await registered({ request_uris: [uri], jwks: keys.publicSet, request_object_signing_alg: "RS256" });
        const { params } = authorizationRequest(client);
        object = await keys.sign({ ...params, iss: client.id, aud: target.issuer });
        const outside = { request_uri: uri, nonce: undefined, state: params.state, redirect_uri: params.redirect_uri };
        const flow = await authorize(target, browser, client, outside);
        assertCode(target, flow);
        const tokens = assertTokens(await redeem(target, flow));
        await verifyIdToken(target, client, tokens, { nonce: params.nonce });
      });
    },

    async "oidcc-server-rotate-keys"({ target }) {
      const before = await keySet(target);
      await target.rotateKeys();
      const deadline = Date.now() + 10_000;
      let now;
      do {
        await pause(100);
        now = await keySet(target);
      } while (now.every(({ kid }) => before.some((old) => old.kid === kid)) && Date.now() < deadline);
      assert.ok(now.some(({ kid }) => before.every((old) => old.kid !== kid)), "there is no new key");
      for (const { kid } of before) assert.ok(now.some((key) => key.kid === kid), "an old key is gone");
      for (const key of now) assert.equal(key.d, undefined, "a private part");
    },

    async "oidcc-refresh-token-rp-key-rotation"({ target, registered, enterAs }) {
      const [old, next] = [await KeyPair.generate("RS256"), await KeyPair.generate("RS256")];
      let current = old;
      await served("application/json", () => JSON.stringify(current.publicSet), async (uri) => {
        const client = await registered(
          { token_endpoint_auth_method: "private_key_jwt", jwks_uri: uri, grant_types: ["authorization_code", "refresh_token"] },
          { keys: old },
        );
        const { tokens, idToken } = await enterAs(client, { scope: "openid offline_access", prompt: "consent" });
        assert.equal(typeof tokens.refresh_token, "string", "no refresh token was issued");
        current = next;
        await pause(KEYS_PAUSE_MS);
        const refreshed = assertTokens(await tokenRequest(target, { ...client, keys: next }, {
          grant_type: "refresh_token", refresh_token: tokens.refresh_token,
        }));
        assert.equal((await claimsOf(target, refreshed.access_token)).sub, idToken.sub);
        // Who has the old key is not the client any more.
        assertTokenError(await tokenRequest(target, { ...client, keys: old }, {
          grant_type: "refresh_token", refresh_token: refreshed.refresh_token ?? tokens.refresh_token,
        }), "invalid_client");
      });
    },

    async "oidcc-ensure-request-object-with-redirect-uri"({ target, browser, registered }) {
      const client = await registered();
      const go = (overrides, options) => authorize(target, browser, client, overrides, options);
      await basic["oidcc-ensure-request-object-with-redirect-uri"]({ target, client, go });
    },

    async "oidcc-refresh-token"({ target, browser, registered }) {
      const grant_types = ["authorization_code", "refresh_token"];
      const [client, second] = [await registered({ grant_types }), await registered({ grant_types })];
      const enter = (overrides, options) => logIn(target, browser, client, overrides, options);
      const both = { ...target, clients: { ...target.clients, second } };
      await basic["oidcc-refresh-token"]({ target: both, browser, client, mode: {}, enter });
    },

    async "oidcc-ensure-client-assertion-with-iss-aud-succeeds"({ target, browser, registered }) {
      const keys = await KeyPair.generate("RS256");
      const client = await registered({ token_endpoint_auth_method: "private_key_jwt", jwks: keys.publicSet }, { keys });
      const flow = await authorize(target, browser, client);
      assertCode(target, flow);
      const tokens = assertTokens(await redeem(target, flow, { client: { ...client, audience: target.issuer } }));
      await verifyIdToken(target, client, tokens, { nonce: flow.params.nonce });
    },
  };
}

/** The login page shows what was registered under this name, as this attribute of an element. */
function shown(name, element, attribute) {
  return async ({ target, browser, registered }) => {
    const uri = `https://dynamic.example.com/${random(6)}.png`;
    const client = await registered({ [name]: uri });
    const endpoint = new URL(target.metadata.authorization_endpoint);
    endpoint.search = new URLSearchParams(authorizationRequest(client).params).toString();
    const page = await browser.open(endpoint);
    assert.ok(page.has(target.names.account), `no login page: ${page}`);
    const found = page.root.querySelectorAll(element).filter((one) => one.getAttribute(attribute) === uri);
    assert.equal(found.length, 1, `${uri} is not on ${page}`);
    if (element === "a") assert.ok(found[0].text.trim().length > 0, "a link without a text");
    else assert.ok(page.mayShow(new URL(uri)), "the page's own policy stops its picture");
  };
}

function assertRefused({ status, headers, body }, ...codes) {
  assert.equal(status, 400, JSON.stringify(body));
  assert.match(headers.get("content-type") ?? "", /^application\/json/);
  assert.ok(codes.includes(body.error), `the error is ${body.error}, not ${codes.join(" or ")}`);
  assert.equal(body.client_id, undefined);
}

async function keySet(target) {
  return (await (await fetch(target.metadata.jwks_uri)).json()).keys;
}

/** Serves what a client has on this machine, whatever it is when somebody asks. */
export async function served(type, content, work) {
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": type }).end(content());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await work(`http://127.0.0.1:${server.address().port}/${random(6)}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
