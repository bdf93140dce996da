// What relying parties and people do, step by step, and what must hold after each step. Nothing here knows which
// provider it talks to.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  calculateJwkThumbprint, createRemoteJWKSet, decodeProtectedHeader, exportJWK, generateKeyPair, jwtVerify, SignJWT,
} from "jose";

const MAX_STEPS = 8;

export const random = (bytes = 16) => randomBytes(bytes).toString("base64url");
export const challengeOf = (verifier) => createHash("sha256").update(verifier).digest("base64url");

/** The parameters of an authorization request; an override that is `undefined` takes a parameter out. */
export function authorizationRequest(client, overrides = {}) {
  const verifier = client.pkce || overrides.code_challenge === true ? random(32) : undefined;
  const params = {
    client_id: client.id,
    response_type: "code",
    redirect_uri: client.redirectUri,
    scope: "openid",
    state: random(),
    nonce: random(),
    ...(verifier && { code_challenge: challengeOf(verifier), code_challenge_method: "S256" }),
    ...overrides,
  };
  if (overrides.code_challenge === true) params.code_challenge = challengeOf(verifier);
  for (const [name, value] of Object.entries(params)) if (value === undefined) delete params[name];
  return { params, verifier: params.code_challenge ? verifier : undefined };
}

/**
 * Sends the browser to the authorization endpoint and answers what it is asked, up to the authorization response or a
 * page that asks nothing: `{params, verifier, page, callback, steps}`. `steps` are the questions, in order: "login",
 * "consent", "choose".
 */
export async function authorize(target, browser, client, overrides, { person = target.people.olivia, method = "GET", answer = "allow", reversed = false } = {}) {
  const { params, verifier } = authorizationRequest(client, overrides);
  const sent = Object.entries(params);
  if (reversed) sent.reverse();
  const endpoint = new URL(target.metadata.authorization_endpoint);
  let page;
  if (method === "POST") {
    page = await browser.post(endpoint, sent, { origin: new URL(client.redirectUri).origin });
  } else {
    endpoint.search = new URLSearchParams(sent).toString();
    page = await browser.open(endpoint);
  }
  const end = await answerQuestions(target, browser, page, { person, answer });
  const code = end.page.callback?.params.get("code");
  if (code) target.secret("authorization code", code);
  return { client, params, verifier, ...end, callback: end.page.callback, code };
}

export async function answerQuestions(target, browser, page, { person, answer = "allow" }) {
  const steps = [];
  while (!page.callback) {
    const question = questionOf(target, page);
    if (question === undefined) break;
    assert.ok(steps.length < MAX_STEPS, `asked again and again: ${steps.join(", ")}; now ${page}`);
    if (question === "login" && steps.at(-1) === "login") assert.fail(`the login was refused: ${page}`);
    steps.push(question);
    if (question === "login") page = await browser.login(page, person, { names: target.names });
    else if (question === "choose") page = await browser.choose(page, person.nickname ?? person.name);
    else if (page.has("allow")) page = await browser.consent(page, answer);
    else page = await browser.submit(page, {});
  }
  return { page, steps };
}

/** What a page asks of a person, if anything. */
export function questionOf(target, page) {
  if (page.has(target.names.account) && page.has(target.names.password)) return "login";
  if (page.has("allow")) return "consent";
  if (page.root.querySelector('input[name="prompt"][value="consent"]')) return "consent";
  if (page.url.pathname === "/accounts") return "choose";
  return undefined;
}

/** Asserts that the flow ended with a good authorization response, and gives its code. */
export function assertCode(target, { client, params, page, callback, code }) {
  assertResponse(target, { client, params, page, callback });
  assert.equal(callback.params.get("error"), null, `error: ${callback.params}`);
  assert.ok(code, `there is no code in ${[...callback.params.keys()]}`);
  return code;
}

/** Asserts that the flow ended with an error of these codes at the client, and gives it. */
export function assertError(target, flow, ...codes) {
  assertResponse(target, flow);
  const error = flow.callback.params.get("error");
  assert.ok(codes.includes(error), `the error is ${error}, not ${codes.join(" or ")}`);
  for (const name of ["code", "access_token", "id_token"]) assert.equal(flow.callback.params.get(name), null, name);
  return error;
}

/** Asserts what holds for every authorization response. */
export function assertResponse(target, { client, params, page, callback }) {
  assert.ok(callback, `expected to be back at the client, but was at ${page}`);
  const { origin, pathname, protocol } = new URL(callback.uri);
  const wanted = new URL(params.redirect_uri ?? client.redirectUri);
  assert.deepEqual([protocol, origin, pathname], [wanted.protocol, wanted.origin, wanted.pathname]);
  assert.deepEqual(callback.params.getAll("state"), params.state === undefined ? [] : [params.state], "state");
  if (target.metadata.authorization_response_iss_parameter_supported) {
    assert.deepEqual(callback.params.getAll("iss"), [target.issuer], "iss");
  }
  const implicit = (params.response_type ?? "code") !== "code" && params.response_type !== "none";
  if (callback.mode !== params.response_mode) {
    assert.ok(params.response_mode === undefined, `response_mode ${callback.mode} where ${params.response_mode} was asked for`);
    if (!callback.params.has("error")) assert.equal(callback.mode, implicit ? "fragment" : "query");
  }
}

/** Asserts that a page of the provider's own tells of the problem, and that nobody was sent anywhere. */
export function assertErrorPage(target, page, ...codes) {
  assert.equal(page.callback, undefined, `the browser was sent to ${page.callback?.uri}`);
  assert.equal(page.refresh, undefined);
  assert.ok(page.status >= 400 && page.status < 500, `status ${page.status}: ${page}`);
  assert.ok(page.isHtml, `not HTML: ${page.headers.get("content-type")}`);
  assert.equal(questionOf(target, page), undefined, `the page asks for something: ${page}`);
  if (codes.length > 0) assert.ok(codes.some((code) => page.text.includes(code)), `no ${codes} in ${page}`);
}

/** A POST of a form with the client's authentication: `{status, headers, body}`, the body parsed if it is JSON. */
export async function post(target, endpoint, client, fields, { auth = client?.auth, secret = client?.secret, headers = {} } = {}) {
  const body = fields instanceof URLSearchParams ? fields : new URLSearchParams(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  );
  const sent = new Headers(headers);
  if (auth === "client_secret_basic") {
    sent.set("authorization", `Basic ${btoa(`${encodeURIComponent(client.id)}:${encodeURIComponent(secret)}`)}`);
  } else if (client) {
    if (!body.has("client_id")) body.set("client_id", client.id);
    if (auth === "client_secret_post") body.set("client_secret", secret);
    if (auth === "private_key_jwt") {
      const assertion = await client.keys.assertion(client.id, client.audience ?? target.metadata.token_endpoint);
      target.secret("client assertion", assertion);
      body.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
      body.set("client_assertion", assertion);
    }
  }
  const response = await fetch(endpoint, { method: "POST", headers: sent, body, redirect: "manual" });
  return readAnswer(target, response);
}

export async function readAnswer(target, response) {
  const text = await response.text();
  let body = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Not JSON: the test decides whether that is right.
  }
  target.harvest(body);
  return { status: response.status, headers: response.headers, body };
}

export function tokenRequest(target, client, fields, options) {
  return post(target, target.metadata.token_endpoint, client, fields, options);
}

/** Redeems the code of a flow. */
export async function redeem(target, flow, { client = flow.client, code = flow.code, verifier = flow.verifier, ...more } = {}, options) {
  return tokenRequest(target, client, {
    grant_type: "authorization_code", code, redirect_uri: flow.params.redirect_uri, code_verifier: verifier, ...more,
  }, options);
}

/** Asserts a good token response, and gives its body. */
export function assertTokens({ status, headers, body }) {
  assert.equal(status, 200, `the token endpoint answered ${JSON.stringify(body)}`);
  assert.match(headers.get("content-type") ?? "", /^application\/json/);
  assert.match(headers.get("cache-control") ?? "", /no-store/);
  assert.match(body.token_type ?? "", /^bearer$/i);
  assert.ok(typeof body.access_token === "string" && body.access_token.length >= 16, "access_token");
  assert.match(body.access_token, /^[\x20-\x7e]+$/);
  if (body.expires_in !== undefined) assert.ok(Number.isInteger(body.expires_in) && body.expires_in > 0, "expires_in");
  return body;
}

/** Asserts an error response of the token endpoint and its kind (RFC 6749, section 5.2). */
export function assertTokenError({ status, headers, body }, ...codes) {
  assert.ok(codes.includes(body.error), `the answer is ${status} ${JSON.stringify(body)}, not ${codes.join(" or ")}`);
  assert.ok(status === 400 || (status === 401 && body.error === "invalid_client"), `status ${status} for ${body.error}`);
  assert.match(headers.get("content-type") ?? "", /^application\/json/);
  assert.match(headers.get("cache-control") ?? "", /no-store/);
  assert.equal(body.access_token, undefined);
}

/** Where clients that register themselves are. */
export const REGISTERED = {
  redirectUri: "https://dynamic.example.com/callback",
  logoutUri: "https://dynamic.example.com/signed-out",
};

/** Registers a client, with the token that the operator gave: `{status, headers, body}`. */
export async function register(target, metadata, { token = target.registrationToken } = {}) {
  const response = await fetch(target.metadata.registration_endpoint, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(metadata),
  });
  return readAnswer(target, response);
}

/** Asserts that a client was registered as it asked (RFC 7591, section 3.2.1), and gives it as the other clients are. */
export function assertRegistered(target, metadata, { status, headers, body }) {
  assert.equal(status, 201, `the registration endpoint answered ${JSON.stringify(body)}`);
  assert.match(headers.get("content-type") ?? "", /^application\/json/);
  assert.match(headers.get("cache-control") ?? "", /no-store/);
  assert.equal(typeof body.client_id, "string");
  for (const [name, value] of Object.entries(metadata)) assert.deepEqual(body[name], value, name);
  const auth = metadata.token_endpoint_auth_method ?? "client_secret_basic";
  assert.equal(body.token_endpoint_auth_method, auth);
  if (auth.startsWith("client_secret_")) {
    assert.ok(body.client_secret.length >= 32, "client_secret");
    assert.ok(Number.isInteger(body.client_secret_expires_at), "client_secret_expires_at");
  } else {
    assert.equal(body.client_secret, undefined);
  }
  assert.ok(Number.isInteger(body.client_id_issued_at), "client_id_issued_at");
  assert.equal(typeof body.registration_access_token, "string");
  assert.equal(new URL(body.registration_client_uri).origin, target.origin);
  return {
    name: "dynamic", id: body.client_id, secret: body.client_secret, auth, type: "web", ...REGISTERED,
    signing: metadata.id_token_signed_response_alg, registration: body,
  };
}

/** Removes a client, as the suite does at the end of each module (RFC 7592, section 2.3). */
export async function unregister({ registration }) {
  const response = await fetch(registration.registration_client_uri, {
    method: "DELETE",
    headers: { authorization: `Bearer ${registration.registration_access_token}` },
  });
  assert.equal(response.status, 204, await response.text());
}

/** A key of a client. */
export class KeyPair {
  static async generate(alg) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(jwk);
    return Object.assign(new KeyPair(), { alg, kid, privateKey, publicSet: { keys: [{ ...jwk, kid, alg, use: "sig" }] } });
  }

  /** What proves the client (RFC 7523, section 3). */
  assertion(client, audience) {
    return this.sign({ iss: client, sub: client, aud: audience, jti: random() });
  }

  sign(claims) {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: this.alg, kid: this.kid })
      .setIssuedAt()
      .setExpirationTime("60s")
      .sign(this.privateKey);
  }
}

const keySets = new Map();

/** Verifies what the provider signed. */
export async function verify(target, jwt, options) {
  const { jwks_uri } = target.metadata;
  // A key that a test has just added is looked for at once.
  if (!keySets.has(jwks_uri)) keySets.set(jwks_uri, createRemoteJWKSet(new URL(jwks_uri), { cooldownDuration: 0 }));
  return jwtVerify(jwt, keySets.get(jwks_uri), options);
}

/** Verifies an id token as OpenID Connect Core 3.1.3.7 asks, and gives its claims. */
export async function verifyIdToken(target, client, tokens, { nonce, code, now = Math.floor(Date.now() / 1000) } = {}) {
  assert.equal(typeof tokens.id_token, "string", "id_token");
  const { payload, protectedHeader } = await verify(target, tokens.id_token, {
    issuer: target.issuer,
    audience: client.id,
    requiredClaims: ["sub", "iat", "exp"],
  });
  assert.ok(target.metadata.id_token_signing_alg_values_supported.includes(protectedHeader.alg), "alg is not advertised");
  if (client.signing) assert.equal(protectedHeader.alg, client.signing);
  assert.ok(protectedHeader.kid, "kid");
  assert.ok(typeof payload.sub === "string" && /^[\x20-\x7e]{1,255}$/.test(payload.sub), "sub");
  for (const claim of ["iat", "exp"]) assert.ok(Number.isInteger(payload[claim]), claim);
  assert.ok(Math.abs(payload.iat - now) < 300, "iat is not about now");
  assert.ok(payload.exp - payload.iat < 366 * 86_400, "exp is more than a year away");
  if (payload.auth_time !== undefined) assert.ok(Number.isInteger(payload.auth_time) && payload.auth_time <= now + 5, "auth_time");
  if (Array.isArray(payload.aud) && payload.aud.length > 1) assert.equal(payload.azp, client.id);
  if (payload.azp !== undefined) assert.equal(payload.azp, client.id);
  if (payload.acr !== undefined) assert.equal(typeof payload.acr, "string", "acr");
  if (payload.amr !== undefined) assert.ok(Array.isArray(payload.amr), "amr");
  assert.equal(payload.nonce, nonce, "nonce");
  const digest = { RS256: "sha256", ES256: "sha256", PS256: "sha256", EdDSA: "sha512" }[protectedHeader.alg];
  const half = (value) => {
    const full = createHash(digest).update(value).digest();
    return full.subarray(0, full.length / 2).toString("base64url");
  };
  if (payload.at_hash !== undefined && tokens.access_token) assert.equal(payload.at_hash, half(tokens.access_token), "at_hash");
  if (payload.c_hash !== undefined && code) assert.equal(payload.c_hash, half(code), "c_hash");
  return payload;
}

export function userinfo(target, token, { method = "GET", inBody = false, headers = {} } = {}) {
  return fetch(target.metadata.userinfo_endpoint, {
    method,
    headers: inBody ? headers : { authorization: `Bearer ${token}`, ...headers },
    body: inBody ? new URLSearchParams({ access_token: token }) : undefined,
    redirect: "manual",
  }).then((response) => readAnswer(target, response));
}

/** Asserts that the token opens userinfo and gives the claims. */
export async function claimsOf(target, token, options) {
  const { status, headers, body } = await userinfo(target, token, options);
  assert.equal(status, 200, `userinfo answered ${JSON.stringify(body)}`);
  assert.match(headers.get("content-type") ?? "", /^application\/json/);
  assert.equal(typeof body.sub, "string");
  return body;
}

/** Asserts that userinfo refuses the token. */
export async function assertRefusedAtUserinfo(target, token) {
  const { status, body } = await userinfo(target, token);
  assert.equal(status, 401, `userinfo answered ${JSON.stringify(body)}`);
  assert.equal(body?.sub, undefined);
}

/** The whole way from the authorization request to checked tokens. */
export async function logIn(target, browser, client, overrides, options) {
  const flow = await authorize(target, browser, client, overrides, options);
  assertCode(target, flow);
  const tokens = assertTokens(await redeem(target, flow));
  const idToken = await verifyIdToken(target, client, tokens, { nonce: flow.params.nonce });
  return { ...flow, tokens, idToken };
}

/** Asserts that this browser has no login any more. */
export async function assertLoggedOut(target, browser, client) {
  const flow = await authorize(target, browser, client, { prompt: "none" });
  assertError(target, flow, "login_required", "interaction_required", "account_selection_required");
}

export async function assertLoggedIn(target, browser, client) {
  assertCode(target, await authorize(target, browser, client, { prompt: "none" }));
}

/** Sends the browser to the logout endpoint and says yes if asked: `{page, asked}`. */
export async function logOut(target, browser, params, { confirm = true } = {}) {
  const endpoint = new URL(target.metadata.end_session_endpoint);
  endpoint.search = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== undefined)).toString();
  let page = await browser.open(endpoint);
  const button = ["confirm", "logout"].find((name) => page.has(name));
  const asked = page.callback === undefined && button !== undefined;
  if (asked && confirm) page = await browser.submit(page, {}, { button });
  return { page, asked, callback: page.callback };
}

/** Like `logOut`, but also past a page that only loads the frames of relying parties: `{…, frames}`. */
export async function logOutThroughFrames(target, browser, params) {
  const ended = await logOut(target, browser, params);
  const { frames } = ended.page;
  if (ended.callback || frames.length === 0) return { ...ended, frames };
  for (const frame of frames) await fetch(frame);
  const wanted = new URL(params.post_logout_redirect_uri);
  const onward = [ended.page.refresh, ...ended.page.links].find((url) => url?.origin === wanted.origin);
  return { ...ended, frames, onward };
}

/** A JWT of these parts with the given signature, for forgeries. */
export function compactJwt(header, payload, signature = "") {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(payload)}.${signature}`;
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
export const headerOf = decodeProtectedHeader;
