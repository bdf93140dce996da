// The modules of the OpenID Foundation's conformance suite, by their names and with their expected results, run by our
// own harness. This is no run of the official suite, and no certification.
//
// Modules of plans that are run here, but that need dynamic client registration:
//
//   oidcc-idtoken-signature    the default algorithm of a client that registers itself
//   oidcc-idtoken-unsigned     `none` only for a client that registered it
//
// Plans that are not run here yet:
//
//   Dynamic                    all 23 modules (needs registration)
//   Session management         oidcc-session-management-discovery-endpoint-verification,
//                              oidcc-session-management-rp-initiated-logout (needs check_session_iframe)
//   3rd-party initiated login  oidcc-3rd-party-init-login, oidcc-3rd-party-init-login-nonhttps (needs registration)
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { generateKeyPair, SignJWT } from "jose";
import {
  assertCode, assertError, assertErrorPage, assertLoggedIn, assertLoggedOut, assertRefusedAtUserinfo,
  assertTokenError, assertTokens, authorizationRequest, authorize, claimsOf, compactJwt, logIn, logOut,
  logOutThroughFrames, pause, random, redeem, tokenRequest, verifyIdToken,
} from "./flows.mjs";
import { startTarget, TARGET } from "./harness.mjs";

/** With the reference broken (see calibrate.mjs), waiting half a minute each time adds nothing. */
const CODE_REUSE_MS = process.env.OIDC_FAULT ? 1000 : 30_000;
const LOGIN_FAMILY = ["login_required", "interaction_required", "account_selection_required", "consent_required"];

/** The modules of the Basic plan; `go` authorizes and `enter` goes on to the tokens, in the plan's response mode. */
const basic = {
  async "oidcc-server"({ target, client, enter }) {
    const { tokens, idToken } = await enter();
    assert.equal((await claimsOf(target, tokens.access_token)).sub, idToken.sub);
  },

  async "oidcc-response-type-missing"({ target, go }) {
    const flow = await go({ response_type: undefined });
    if (flow.callback) assertError(target, flow, "unsupported_response_type", "invalid_request");
    else assertErrorPage(target, flow.page, "unsupported_response_type", "invalid_request");
  },

  async "oidcc-userinfo-get"({ target, enter }) {
    const { tokens, idToken } = await enter();
    assert.equal((await claimsOf(target, tokens.access_token)).sub, idToken.sub);
  },

  async "oidcc-userinfo-post-header"({ target, enter }) {
    const { tokens, idToken } = await enter();
    assert.equal((await claimsOf(target, tokens.access_token, { method: "POST" })).sub, idToken.sub);
  },

  async "oidcc-userinfo-post-body"({ target, enter }) {
    const { tokens, idToken } = await enter();
    assert.equal((await claimsOf(target, tokens.access_token, { method: "POST", inBody: true })).sub, idToken.sub);
  },

  async "oidcc-ensure-request-without-nonce-succeeds-for-code-flow"({ enter }) {
    const { idToken } = await enter({ nonce: undefined });
    assert.equal(idToken.nonce, undefined);
  },

  "oidcc-scope-profile": scopes("profile"),
  "oidcc-scope-email": scopes("email"),
  "oidcc-scope-address": scopes("address"),
  "oidcc-scope-phone": scopes("phone"),
  "oidcc-scope-all": scopes("profile", "email", "address", "phone"),

  async "oidcc-alternate-happy-flow"({ target, browser, client, mode }) {
    const { params } = authorizationRequest(client, { ...mode, scope: "email openid" });
    const flow = await authorize(target, browser, client, params, { reversed: true });
    assertCode(target, flow);
    const answer = await tokenRequest(target, client, {
      redirect_uri: params.redirect_uri, code: flow.code, grant_type: "authorization_code",
    });
    const tokens = assertTokens(answer);
    await verifyIdToken(target, client, tokens, { nonce: params.nonce });
    assertClaims(await claimsOf(target, tokens.access_token), target.people.olivia, ["email"]);
  },

  "oidcc-display-page": accepted({ display: "page" }),
  "oidcc-display-popup": accepted({ display: "popup" }),

  async "oidcc-prompt-login"({ enter }) {
    const first = await enter();
    await pause(1100);
    const second = await enter({ prompt: "login" });
    assert.ok(second.steps.includes("login"), "nobody was asked to log in");
    assert.equal(second.idToken.sub, first.idToken.sub);
    if (first.idToken.auth_time !== undefined && second.idToken.auth_time !== undefined) {
      assert.ok(second.idToken.auth_time > first.idToken.auth_time, "auth_time is not later");
    }
  },

  async "oidcc-prompt-none-not-logged-in"({ target, go }) {
    const flow = await go({ prompt: "none" });
    assertError(target, flow, ...LOGIN_FAMILY);
    assert.deepEqual(flow.steps, []);
  },

  async "oidcc-prompt-none-logged-in"({ enter }) {
    const first = await enter();
    const second = await enter({ prompt: "none" });
    assert.deepEqual(second.steps, []);
    assert.equal(second.idToken.sub, first.idToken.sub);
    assert.equal(second.idToken.auth_time, first.idToken.auth_time);
  },

  async "oidcc-max-age-1"({ enter }) {
    const first = await enter();
    await pause(2100);
    const second = await enter({ max_age: "1" });
    assert.ok(second.steps.includes("login"), "nobody was asked to log in");
    assert.equal(second.idToken.sub, first.idToken.sub);
    const { auth_time } = second.idToken;
    assert.ok(Number.isInteger(auth_time), "there is no auth_time");
    assert.ok(Date.now() / 1000 - auth_time < 30, "auth_time is not recent");
    if (first.idToken.auth_time !== undefined) assert.ok(auth_time > first.idToken.auth_time, "auth_time is not later");
  },

  async "oidcc-max-age-10000"({ enter }) {
    const first = await enter({ max_age: "15000" });
    await pause(1100);
    const second = await enter({ max_age: "10000" });
    assert.deepEqual(second.steps, [], "somebody was asked to log in");
    assert.equal(second.idToken.sub, first.idToken.sub);
    assert.ok(Number.isInteger(first.idToken.auth_time), "there is no auth_time");
    assert.equal(second.idToken.auth_time, first.idToken.auth_time);
  },

  "oidcc-ensure-request-with-unknown-parameter-succeeds": accepted({ extra: "foobar" }),

  async "oidcc-id-token-hint"({ enter }) {
    const first = await enter();
    const second = await enter({ prompt: "none", id_token_hint: first.tokens.id_token });
    assert.deepEqual(second.steps, []);
    assert.equal(second.idToken.sub, first.idToken.sub);
  },

  "oidcc-login-hint": accepted({ login_hint: "buffy@example.com" }),
  "oidcc-ui-locales": accepted({ ui_locales: "se" }),
  "oidcc-claims-locales": accepted({ claims_locales: "se" }),

  async "oidcc-ensure-request-with-acr-values-succeeds"({ target, enter }) {
    const advertised = target.metadata.acr_values_supported ?? [];
    const wanted = advertised.length > 0 ? advertised.slice(0, 2) : ["1", "2"];
    const { idToken } = await enter({ acr_values: wanted.join(" ") });
    if (advertised.length > 0) assert.ok(wanted.includes(idToken.acr), `acr is ${idToken.acr}`);
  },

  async "oidcc-codereuse"({ target, enter }) {
    const flow = await enter();
    assertTokenError(await redeem(target, flow), "invalid_grant");
  },

  async "oidcc-codereuse-30seconds"({ target, enter }) {
    const flow = await enter();
    await claimsOf(target, flow.tokens.access_token);
    await pause(CODE_REUSE_MS);
    assertTokenError(await redeem(target, flow), "invalid_grant");
    await assertRefusedAtUserinfo(target, flow.tokens.access_token);
  },

  async "oidcc-ensure-registered-redirect-uri"({ target, client, go }) {
    for (const uri of [`${client.redirectUri}/${random(6)}`, `https://${random(6).toLowerCase()}.example.net/callback`]) {
      assertErrorPage(target, (await go({ redirect_uri: uri })).page);
    }
  },

  async "oidcc-ensure-post-request-succeeds"({ target, enter }) {
    const { tokens, idToken } = await enter({}, { method: "POST" });
    assert.equal((await claimsOf(target, tokens.access_token)).sub, idToken.sub);
  },

  async "oidcc-server-client-secret-post"({ target, browser, mode }) {
    const { tokens, idToken } = await logIn(target, browser, target.clients.post, mode);
    assert.equal((await claimsOf(target, tokens.access_token)).sub, idToken.sub);
  },

  async "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported"({ target, client, go }) {
    const flow = await go({ request_uri: `https://basic.example.com/${random()}.jwt` });
    // The client registered no address, so there is nothing to fetch.
    assertError(target, flow, "request_uri_not_supported");
  },

  async "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported"({ target, client, go }) {
    const inner = authorizationRequest(client).params;
    const object = compactJwt({ alg: "none" }, { ...inner, iss: client.id, aud: target.issuer });
    const flow = await go({ request: object, nonce: undefined, state: inner.state });
    const unsigned = target.metadata.request_object_signing_alg_values_supported?.includes("none") ?? true;
    if (target.metadata.request_parameter_supported !== true || !unsigned) {
      assertError(target, flow, "request_not_supported");
    } else {
      assertCode(target, flow);
      const tokens = assertTokens(await redeem(target, flow));
      await verifyIdToken(target, client, tokens, { nonce: inner.nonce });
    }
  },

  async "oidcc-claims-essential"({ target, enter }) {
    const { tokens } = await enter({ claims: JSON.stringify({ userinfo: { name: { essential: true } } }) });
    const claims = await claimsOf(target, tokens.access_token);
    if (target.metadata.claims_parameter_supported) assert.equal(claims.name, target.people.olivia.name);
  },

  async "oidcc-ensure-request-object-with-redirect-uri"({ target, client, go }) {
    const inner = authorizationRequest(client).params;
    const object = compactJwt({ alg: "none" }, { ...inner, iss: client.id, aud: target.issuer });
    const flow = await go({ request: object, redirect_uri: `${client.redirectUri}/${random(6)}` });
    if (flow.callback) assert.equal(flow.callback.uri, client.redirectUri);
    else assertErrorPage(target, flow.page);
  },

  async "oidcc-refresh-token"({ target, browser, client, mode, enter }) {
    const { tokens, idToken } = await enter({ scope: "openid offline_access", prompt: "consent" });
    assert.equal(typeof tokens.refresh_token, "string", "no refresh token was issued");
    await pause(1100);
    const fields = { grant_type: "refresh_token", refresh_token: tokens.refresh_token };
    const refreshed = assertTokens(await tokenRequest(target, client, fields));
    assert.notEqual(refreshed.access_token, tokens.access_token);
    assert.equal((await claimsOf(target, refreshed.access_token)).sub, idToken.sub);
    if (refreshed.id_token !== undefined) {
      const { nonce } = JSON.parse(Buffer.from(refreshed.id_token.split(".")[1], "base64url"));
      assert.ok(nonce === undefined || nonce === idToken.nonce, "nonce");
      const again = await verifyIdToken(target, client, refreshed, { nonce });
      for (const claim of ["iss", "sub", "auth_time", "azp"]) assert.equal(again[claim], idToken[claim], claim);
      assert.deepEqual([again.aud].flat(), [idToken.aud].flat());
      assert.ok(again.iat > idToken.iat, "iat is not later");
    }
    // The second client has its own login, and must not get anywhere with the first one's token.
    const { second } = target.clients;
    const other = await logIn(target, browser, second, { ...mode, scope: "openid offline_access", prompt: "consent" });
    assert.equal(typeof other.tokens.refresh_token, "string");
    const stolen = refreshed.refresh_token ?? tokens.refresh_token;
    assertTokenError(await tokenRequest(target, second, { ...fields, refresh_token: stolen }), "invalid_grant");
  },

  async "oidcc-ensure-request-with-valid-pkce-succeeds"({ target, enter }) {
    const { verifier, tokens, idToken } = await enter({ code_challenge: true, code_challenge_method: "S256" });
    assert.ok(verifier);
    assert.equal((await claimsOf(target, tokens.access_token)).sub, idToken.sub);
  },
};

const config = {
  async "oidcc-discovery-endpoint-verification"({ target }) {
    const response = await fetch(target.discoveryUrl);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
    const metadata = await response.json();
    assert.equal(target.discoveryUrl, `${metadata.issuer}/.well-known/openid-configuration`);
    const required = [
      "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "response_types_supported",
      "subject_types_supported", "id_token_signing_alg_values_supported", "scopes_supported", "claims_supported",
    ];
    for (const name of required) assert.ok(metadata[name] !== undefined, `${name} is missing`);
    for (const [name, value] of Object.entries(metadata)) {
      if (!name.endsWith("_endpoint") && name !== "jwks_uri") continue;
      const { protocol, hash, origin } = new URL(value);
      // A provider on https must not lead away from it; the tests run on this machine's http.
      assert.equal(protocol, new URL(target.issuer).protocol, name);
      assert.equal(origin, target.origin, name);
      assert.equal(hash, "", name);
    }
    assert.ok(metadata.id_token_signing_alg_values_supported.includes("RS256"));
    assert.ok(metadata.response_types_supported.includes("code"));
    assert.ok(metadata.scopes_supported.includes("openid"));
    for (const type of metadata.subject_types_supported) assert.ok(["public", "pairwise"].includes(type), type);
    assert.ok(metadata.subject_types_supported.length > 0);
    const modes = metadata.response_modes_supported ?? ["query", "fragment"];
    for (const mode of ["query", "form_post"]) assert.ok(modes.includes(mode), mode);
    const grants = metadata.grant_types_supported ?? ["authorization_code", "implicit"];
    assert.ok(grants.includes("authorization_code"));
    const methods = metadata.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
    for (const method of ["client_secret_basic", "client_secret_post"]) assert.ok(methods.includes(method), method);
    assert.ok((metadata.code_challenge_methods_supported ?? []).includes("S256"));
    for (const name of ["claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported"]) {
      if (metadata[name] !== undefined) assert.equal(typeof metadata[name], "boolean", name);
    }
    const { keys } = await (await fetch(metadata.jwks_uri)).json();
    assert.ok(keys.length > 0, "the key set is empty");
    assert.equal(new Set(keys.map(({ kid }) => kid)).size, keys.length, "two keys share a kid");
    for (const key of keys) {
      assert.ok(["RSA", "EC", "OKP"].includes(key.kty), key.kty);
      for (const part of ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]) assert.equal(key[part], undefined, `private part ${part}`);
      for (const part of { RSA: ["n", "e"], EC: ["crv", "x", "y"], OKP: ["crv", "x"] }[key.kty]) assert.ok(key[part], part);
      if (key.kty === "RSA") assert.ok(Buffer.from(key.n, "base64url").length >= 256, "a key of less than 2048 bits");
    }
    assert.ok(keys.some(({ kty, use }) => kty === "RSA" && (use ?? "sig") === "sig"), "no RSA key for RS256");
  },
};

const logout = {
  async "oidcc-rp-initiated-logout-discovery-endpoint-verification"({ target }) {
    const { protocol } = new URL(target.metadata.end_session_endpoint);
    assert.equal(protocol, new URL(target.issuer).protocol);
    await config["oidcc-discovery-endpoint-verification"]({ target });
  },

  async "oidcc-rp-initiated-logout"({ target, browser, client, enter }) {
    const { tokens } = await enter();
    const state = random();
    const { page, callback } = await logOut(target, browser, {
      id_token_hint: tokens.id_token, post_logout_redirect_uri: client.logoutUri, state,
    });
    assert.ok(callback, `expected to be back at the client, but was at ${page}`);
    assert.equal(callback.uri, client.logoutUri);
    assert.deepEqual([...callback.params], [["state", state]]);
    await assertLoggedOut(target, browser, client);
  },

  "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri": neverRedirected(({ client, tokens }) => ({
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: `${client.logoutUri}${random(6)}`,
    state: random(),
  })),

  "oidcc-rp-initiated-logout-modified-id-token-hint": neverRedirected(({ client, tokens }) => {
    const claims = JSON.parse(Buffer.from(tokens.id_token.split(".")[1], "base64url"));
    return {
      id_token_hint: compactJwt({ alg: "none" }, claims),
      post_logout_redirect_uri: client.logoutUri,
      state: random(),
    };
  }),

  "oidcc-rp-initiated-logout-no-id-token-hint": neverRedirected(({ client }) => ({
    post_logout_redirect_uri: client.logoutUri,
    state: random(),
  }), { endsLogin: undefined }),

  "oidcc-rp-initiated-logout-no-params": neverRedirected(() => ({}), { endsLogin: true }),

  "oidcc-rp-initiated-logout-no-post-logout-redirect-uri": neverRedirected(({ tokens }) => ({
    id_token_hint: tokens.id_token,
    state: random(),
  }), { endsLogin: true }),

  async "oidcc-rp-initiated-logout-no-state"({ target, browser, client, enter }) {
    const { tokens } = await enter();
    const { page, callback } = await logOut(target, browser, {
      id_token_hint: tokens.id_token, post_logout_redirect_uri: client.logoutUri,
    });
    assert.ok(callback, `expected to be back at the client, but was at ${page}`);
    assert.equal(callback.url.href, client.logoutUri);
    await assertLoggedOut(target, browser, client);
  },

  "oidcc-rp-initiated-logout-only-state": neverRedirected(() => ({ state: random() }), { endsLogin: true }),

  "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": neverRedirected(({ client, tokens }) => ({
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: `${client.logoutUri}?foo=bar`,
    state: random(),
  })),

  "oidcc-rp-initiated-logout-bad-id-token-hint": neverRedirected(async ({ client, tokens }) => {
    const [header, payload] = tokens.id_token.split(".").slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url")));
    const { privateKey } = await generateKeyPair(header.alg);
    return {
      id_token_hint: await new SignJWT(payload).setProtectedHeader(header).sign(privateKey),
      post_logout_redirect_uri: client.logoutUri,
      state: random(),
    };
  }),
};

const backchannel = {
  async "oidcc-backchannel-logout-discovery-endpoint-verification"({ target }) {
    assert.equal(target.metadata.backchannel_logout_supported, true);
    assert.equal(target.metadata.backchannel_logout_session_supported, true);
    await logout["oidcc-rp-initiated-logout-discovery-endpoint-verification"]({ target });
  },

  async "oidcc-backchannel-rp-initiated-logout"({ target, browser, client, enter }) {
    const { tokens, idToken } = await enter();
    assert.equal(typeof idToken.sid, "string", "the id token has no sid");
    const state = random();
    const ended = await logOutThroughFrames(target, browser, {
      id_token_hint: tokens.id_token, post_logout_redirect_uri: client.logoutUri, state,
    });
    const call = await target.receiver.next(({ url, body }) =>
      url.pathname === "/backchannel" && claimsIn(body.get("logout_token"))?.sid === idToken.sid);
    assert.equal(call.method, "POST");
    assert.match(call.headers["content-type"], /^application\/x-www-form-urlencoded/);
    assert.deepEqual([...call.body.keys()], ["logout_token"]);
    const token = call.body.get("logout_token");
    target.secret("logout token", token);
    const claims = await verifyIdToken(target, client, { id_token: token });
    assert.equal(claims.sub, idToken.sub);
    assert.equal(claims.sid, idToken.sid);
    assert.equal(typeof claims.jti, "string");
    assert.deepEqual(claims.events, { "http://schemas.openid.net/event/backchannel-logout": {} });
    assert.ok(!("nonce" in claims), "a logout token must have no nonce");
    assert.ok(claims.exp - claims.iat <= 600, "a logout token lives for minutes");
    assert.equal(JSON.parse(Buffer.from(token.split(".")[0], "base64url")).typ?.toLowerCase(), "logout+jwt");
    const end = ended.callback?.url ?? ended.onward;
    assert.equal(end?.href, `${client.logoutUri}?state=${state}`);
    await assertLoggedOut(target, browser, client);
  },
};

const frontchannel = {
  async "oidcc-frontchannel-logout-discovery-endpoint-verification"({ target }) {
    assert.equal(target.metadata.frontchannel_logout_supported, true);
    assert.equal(target.metadata.frontchannel_logout_session_supported, true);
    await logout["oidcc-rp-initiated-logout-discovery-endpoint-verification"]({ target });
  },

  async "oidcc-frontchannel-rp-initiated-logout"({ target, browser, client, enter }) {
    const { tokens, idToken } = await enter();
    const state = random();
    const ended = await logOutThroughFrames(target, browser, {
      id_token_hint: tokens.id_token, post_logout_redirect_uri: client.logoutUri, state,
    });
    const { url, method } = await target.receiver.next(({ url }) =>
      url.pathname === "/frontchannel" && url.searchParams.get("sid") === idToken.sid);
    assert.equal(method, "GET");
    assert.equal(url.searchParams.get("iss"), target.issuer);
    for (const frame of ended.frames) assert.ok(ended.page.mayFrame(frame), "the page's own policy stops its frames");
    assert.equal(ended.onward?.href, `${client.logoutUri}?state=${state}`);
    await assertLoggedOut(target, browser, client);
  },
};

describe(`modules on ${TARGET}`, { concurrency: true }, () => {
  let target;
  before(async () => (target = await startTarget()));
  after(() => target?.close());

  const plans = [
    ["oidcc-basic-certification-test-plan", basic, "basic", {}],
    ["oidcc-config-certification-test-plan", config, "basic", {}],
    ["oidcc-formpost-basic-certification-test-plan", basic, "basic", { response_mode: "form_post" }],
    ["oidcc-rp-initiated-logout-certification-test-plan", logout, "basic", {}],
    ["oidcc-backchannel-rp-initiated-logout-certification-test-plan", backchannel, "logout", {}],
    ["oidcc-frontchannel-rp-initiated-logout-certification-test-plan", frontchannel, "logout", {}],
  ];
  for (const [plan, modules, clientName, mode] of plans) {
    describe(plan, { concurrency: 6 }, () => {
      for (const [name, module] of Object.entries(modules)) {
        test(name, async () => {
          const client = target.clients[clientName];
          const browser = target.browser();
          await module({
            target, client, browser, mode,
            go: (overrides, options) => authorize(target, browser, client, { ...mode, ...overrides }, options),
            enter: (overrides, options) => logIn(target, browser, client, { ...mode, ...overrides }, options),
          });
        });
      }
    });
  }
});

/** The claims of these scopes come from userinfo; a scope that is not advertised need not be there. */
function scopes(...names) {
  return async ({ target, enter }) => {
    const advertised = names.filter((name) => target.metadata.scopes_supported.includes(name));
    const { tokens, idToken } = await enter({ scope: ["openid", ...names].join(" ") });
    const claims = await claimsOf(target, tokens.access_token);
    assert.equal(claims.sub, idToken.sub);
    assertClaims(claims, target.people.olivia, advertised);
    // What was not asked for is nobody's business.
    const others = { email: ["email", "email_verified"], phone: ["phone_number", "phone_number_verified"], address: ["address"] };
    for (const [scope, unwanted] of Object.entries(others)) {
      if (!names.includes(scope)) for (const claim of unwanted) assert.equal(claims[claim], undefined, claim);
    }
  };
}

function assertClaims(claims, person, scopesGiven) {
  if (scopesGiven.includes("profile")) assert.equal(claims.name, person.name);
  if (scopesGiven.includes("email")) {
    assert.equal(claims.email, person.email);
    assert.equal(claims.email_verified, true);
  }
  if (scopesGiven.includes("phone")) {
    assert.equal(claims.phone_number, person.phone);
    assert.equal(claims.phone_number_verified, true);
  }
  if (claims.address !== undefined) assert.equal(typeof claims.address, "object");
  if (claims.updated_at !== undefined) assert.ok(Number.isInteger(claims.updated_at), "updated_at is seconds");
  for (const [name, value] of Object.entries(claims)) assert.ok(value !== null && value !== "", `${name} is empty`);
}

/** A request with these parameters ends as the plain one does. */
function accepted(overrides) {
  return async ({ enter }) => {
    await enter(overrides);
  };
}

/**
 * The browser is never sent to the client. The page is an error, a question or the end of the login; `endsLogin` says
 * whether saying yes to the question must log out.
 */
function neverRedirected(request, { endsLogin } = {}) {
  return async ({ target, browser, client, enter }) => {
    const { tokens } = await enter();
    const params = await request({ client, tokens });
    const first = await logOut(target, browser, params, { confirm: false });
    const nowhere = ({ page, callback }) => {
      assert.equal(callback, undefined, `the browser was sent to ${callback?.uri}`);
      const targets = [page.refresh, ...page.links].filter((url) => url?.href.startsWith(client.logoutUri));
      assert.deepEqual(targets, []);
      assert.ok(page.isHtml && page.text.trim().length > 0, "an empty page");
      assert.ok(page.status < 500, `status ${page.status}`);
    };
    nowhere(first);
    if (!first.asked && endsLogin === undefined) {
      // An error page ends nothing.
      if (first.page.status >= 400) await assertLoggedIn(target, browser, client);
      return;
    }
    if (first.asked) {
      await assertLoggedIn(target, browser, client);
      nowhere(await logOut(target, browser, params));
    }
    if (endsLogin) await assertLoggedOut(target, browser, client);
  };
}

function claimsIn(token) {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  } catch {
    return undefined;
  }
}
