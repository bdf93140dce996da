// Two unrelated relying-party libraries, from discovery to logout: npm `openid-client`, and `oauth4webapi` by hand.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as oauth from "oauth4webapi";
import * as client from "openid-client";
import {
  answerQuestions, assertCode, assertError, assertLoggedOut, authorize, claimsOf, logIn, logOut, post, random, verifyIdToken,
} from "./flows.mjs";
import { REFERENCE, startTarget, TARGET } from "./harness.mjs";

let target;

describe(`relying-party libraries on ${TARGET}`, { concurrency: 4 }, () => {
  before(async () => (target = await startTarget()));
  after(() => target?.close());

  describe("openid-client", () => {
    const configure = async ({ id, secret, auth, signing = "ES256" }) => {
      const authentication = {
        client_secret_basic: () => client.ClientSecretBasic(secret),
        client_secret_post: () => client.ClientSecretPost(secret),
        none: () => client.None(),
      }[auth]();
      const metadata = { id_token_signed_response_alg: signing };
      return client.discovery(new URL(target.issuer), id, metadata, authentication, {
        execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
      });
    };

    /** A login as the library's own example has it: `{tokens, claims, browser, steps}`. */
    const enter = async (config, { redirectUri }, { browser = target.browser(), person = target.people.olivia, DPoP, ...more } = {}) => {
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: "openid profile email phone offline_access",
        prompt: "consent",
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: "S256",
        state: expectedState,
        nonce: expectedNonce,
        ...more,
      });
      const { page, steps } = await answerQuestions(target, browser, await browser.open(url), { person });
      assert.ok(page.callback, `expected to be back at the client, but was at ${page}`);
      for (const name of ["code", "access_token", "id_token"]) target.secret(name, page.callback.params.get(name));
      const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
      const arrived = page.callback.mode === "form_post"
        ? new Request(page.callback.uri, { method: "POST", body: page.callback.params })
        : page.callback.url;
      const tokens = await client.authorizationCodeGrant(config, arrived, checks, undefined, { DPoP });
      target.harvest(tokens);
      return { tokens, claims: tokens.claims(), browser, steps };
    };

    for (const name of ["basic", "post", "spa", "native"]) {
      test(`code, refresh, userinfo, introspection, revocation and logout of ${name}`, async () => {
        const application = target.clients[name];
        const config = await configure(application);
        assert.equal(config.serverMetadata().issuer, target.issuer);
        assert.ok(config.serverMetadata().supportsPKCE());
        const { tokens, claims, browser } = await enter(config, application);
        assert.equal(claims.aud, application.id);

        const me = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
        assert.equal(me.email, target.people.olivia.email);
        assert.equal(me.phone_number, target.people.olivia.phone);
        assert.equal(me.name, target.people.olivia.name);

        if (application.secret) {
          const seen = await client.tokenIntrospection(config, tokens.access_token);
          assert.equal(seen.active, true);
          assert.equal(seen.client_id, application.id);
          assert.equal(seen.sub, claims.sub);
          assert.ok(seen.exp > Date.now() / 1000);
          assert.ok(seen.scope.split(" ").includes("openid"));
        }

        const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
        target.harvest(refreshed);
        assert.notEqual(refreshed.access_token, tokens.access_token);
        assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
        assert.equal((await client.fetchUserInfo(config, refreshed.access_token, claims.sub)).sub, claims.sub);
        const narrow = await client.refreshTokenGrant(config, refreshed.refresh_token, { scope: "openid" });
        target.harvest(narrow);
        assert.equal((await client.fetchUserInfo(config, narrow.access_token, claims.sub)).email, undefined);

        await client.tokenRevocation(config, narrow.access_token);
        await assert.rejects(client.fetchUserInfo(config, narrow.access_token, claims.sub));
        await client.tokenRevocation(config, narrow.refresh_token);
        await assert.rejects(client.refreshTokenGrant(config, narrow.refresh_token), { error: "invalid_grant" });
        // RFC 7009, section 2.2: an unknown token is no error.
        await client.tokenRevocation(config, random());

        const url = client.buildEndSessionUrl(config, {
          post_logout_redirect_uri: application.logoutUri, id_token_hint: tokens.id_token, state: "bye",
        });
        const { callback, page } = await logOut(target, browser, Object.fromEntries(url.searchParams));
        assert.equal(callback?.url.href, `${application.logoutUri}?state=bye`, `${page}`);
        await assertLoggedOut(target, browser, application);
      });
    }

    // The provider that calibrates these tests does no DPoP as it is set up.
    test("DPoP: a public client whose proofs need nonces", { skip: REFERENCE }, async () => {
      const { bound } = target.clients;
      const config = await configure(bound);
      const seen = [];
      config[client.customFetch] = async (url, init) => {
        const response = await fetch(url, init);
        seen.push(`${new URL(url).pathname} ${response.status}`);
        return response;
      };
      const steps = () => seen.splice(0);
      const keys = await client.randomDPoPKeyPair("ES256");
      const DPoP = client.getDPoPHandle(config, keys);
      const { tokens, claims } = await enter(config, bound, { DPoP, dpop_jkt: await DPoP.calculateThumbprint() });
      assert.equal(tokens.token_type, "dpop");
      assert.deepEqual(steps().filter((step) => step.startsWith("/oidc/token")), ["/oidc/token 400", "/oidc/token 200"]);
      const me = await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP });
      assert.equal(me.email, target.people.olivia.email);
      assert.deepEqual(steps(), ["/oidc/me 200"]);
      // The same key without the nonce that the answers offered: the server asks for it.
      const fresh = client.getDPoPHandle(config, keys);
      assert.equal((await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP: fresh })).sub, claims.sub);
      assert.deepEqual(steps(), ["/oidc/me 401", "/oidc/me 200"]);

      const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
      target.harvest(refreshed);
      assert.equal(refreshed.token_type, "dpop");
      assert.equal((await client.fetchUserInfo(config, refreshed.access_token, claims.sub, { DPoP })).sub, claims.sub);
      const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
      await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token, undefined, { DPoP: thief }), { error: "invalid_grant" });
      await assert.rejects(client.fetchUserInfo(config, refreshed.access_token, claims.sub, { DPoP: thief }));
      const bearer = await fetch(target.metadata.userinfo_endpoint, { headers: { authorization: `Bearer ${refreshed.access_token}` } });
      assert.equal(bearer.status, 401);
      assert.match(bearer.headers.get("www-authenticate"), /^DPoP error="invalid_token"/);
      await assert.rejects(enter(config, bound), { error: "invalid_dpop_proof" });
    });

    test("DPoP: clients that choose it, and a code bound to another key", { skip: REFERENCE }, async () => {
      const { basic, api } = target.clients;
      const config = await configure(basic);
      const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("PS256"));
      const { tokens, claims } = await enter(config, basic, { DPoP });
      assert.equal((await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP })).sub, claims.sub);
      const told = await client.tokenIntrospection(config, tokens.access_token);
      assert.equal(told.token_type, "DPoP");
      assert.equal(told.cnf.jkt, await DPoP.calculateThumbprint());
      const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
      await assert.rejects(enter(config, basic, { DPoP: other, dpop_jkt: told.cnf.jkt }), { error: "invalid_grant" });
      const machine = await configure(api);
      const own = client.getDPoPHandle(machine, await client.randomDPoPKeyPair("ES256"));
      const granted = await client.clientCredentialsGrant(machine, undefined, { DPoP: own });
      target.harvest(granted);
      assert.equal(granted.token_type, "dpop");
    });

    test("the response as a form", async () => {
      const { basic } = target.clients;
      const { claims } = await enter(await configure(basic), basic, { response_mode: "form_post" });
      assert.equal(claims.aud, basic.id);
    });

    test("client_credentials", async () => {
      const { api } = target.clients;
      const config = await configure(api);
      const tokens = await client.clientCredentialsGrant(config);
      target.harvest(tokens);
      assert.equal(tokens.refresh_token, undefined);
      assert.equal(tokens.id_token, undefined);
      const seen = await client.tokenIntrospection(config, tokens.access_token);
      assert.equal(seen.active, true);
      assert.equal(seen.client_id, api.id);
      // RFC 9700, section 4.15: a client must not be taken for a person.
      assert.ok(seen.sub === undefined || seen.sub === api.id, seen.sub);
    });

    test("the token of an application itself ends, or its revocation is refused", async () => {
      const { api } = target.clients;
      const config = await configure(api);
      const tokens = await client.clientCredentialsGrant(config);
      target.harvest(tokens);
      try {
        await client.tokenRevocation(config, tokens.access_token);
      } catch (error) {
        // RFC 7009, section 2.2.1.
        assert.equal(error.error, "unsupported_token_type");
        return;
      }
      assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false);
    });

    test("hybrid: code id_token", async () => {
      const { hybrid } = target.clients;
      const config = await configure(hybrid);
      client.useCodeIdTokenResponseType(config);
      const { claims } = await enter(config, hybrid, { response_type: "code id_token" });
      assert.equal(claims.aud, hybrid.id);
    });

    test("implicit: id_token", async () => {
      const { hybrid } = target.clients;
      const config = await configure(hybrid);
      client.useIdTokenResponseType(config);
      const browser = target.browser();
      const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: hybrid.redirectUri, scope: "openid email", state: expectedState, nonce: expectedNonce,
      });
      const { page } = await answerQuestions(target, browser, await browser.open(url), { person: target.people.olivia });
      target.secret("id token", page.callback.params.get("id_token"));
      const claims = await client.implicitAuthentication(config, page.callback.url, expectedNonce, { expectedState });
      assert.equal(claims.aud, hybrid.id);
      // Without an access token there is no userinfo, so the claims are in the id token.
      assert.equal(claims.email, target.people.olivia.email);
    });

    test("implicit: id_token token", async () => {
      const { hybrid } = target.clients;
      const flow = await authorize(target, target.browser(), hybrid, { response_type: "id_token token" });
      const tokens = Object.fromEntries(flow.callback.params);
      target.harvest(tokens);
      const claims = await verifyIdToken(target, hybrid, tokens, { nonce: flow.params.nonce });
      assert.equal(typeof claims.at_hash, "string");
      assert.equal(tokens.refresh_token, undefined);
      assert.match(tokens.token_type, /^bearer$/i);
      assert.equal((await claimsOf(target, tokens.access_token)).sub, claims.sub);
    });

    test("implicit and hybrid need a nonce", async () => {
      for (const response_type of ["id_token", "id_token token", "code id_token"]) {
        const flow = await authorize(target, target.browser(), target.clients.hybrid, { response_type, nonce: undefined });
        assertError(target, flow, "invalid_request");
        assert.equal(flow.callback.mode, "fragment");
      }
    });

    test("one login for all applications of the pool", async () => {
      const browser = target.browser();
      const first = await logIn(target, browser, target.clients.basic);
      for (const name of ["second", "spa", "native", "post"]) {
        const next = await logIn(target, browser, target.clients[name]);
        assert.ok(!next.steps.includes("login"), name);
        assert.equal(next.idToken.sub, first.idToken.sub);
        assert.equal(next.idToken.auth_time, first.idToken.auth_time);
      }
    });

    test("two people in two browsers stay apart", async () => {
      const [olivia, peter] = [target.browser(), target.browser()];
      const config = await configure(target.clients.basic);
      const first = await enter(config, target.clients.basic, { browser: olivia });
      const second = await enter(config, target.clients.basic, { browser: peter, person: target.people.peter });
      assert.notEqual(first.claims.sub, second.claims.sub);
      await assert.rejects(client.fetchUserInfo(config, first.tokens.access_token, second.claims.sub));
    });
  });

  describe("oauth4webapi", () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const harvested = (answer) => (target.harvest(answer), answer);

    for (const name of ["spa", "native"]) {
      test(`the public client ${name}`, async () => {
        const application = target.clients[name];
        const issuer = new URL(target.issuer);
        const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
        const me = { client_id: application.id };
        const none = oauth.None();
        const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];

        const url = new URL(as.authorization_endpoint);
        for (const [key, value] of Object.entries({
          client_id: application.id, redirect_uri: application.redirectUri, response_type: "code", state, nonce,
          scope: "openid profile email offline_access", prompt: "consent", code_challenge_method: "S256",
          code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        })) url.searchParams.set(key, value);
        const browser = target.browser();
        const { page } = await answerQuestions(target, browser, await browser.open(url), { person: target.people.olivia });
        assert.ok(page.callback, `expected to be back at the client, but was at ${page}`);
        target.secret("authorization code", page.callback.params.get("code"));
        const arrived = oauth.validateAuthResponse(as, me, page.callback.url, state);

        const response = await oauth.authorizationCodeGrantRequest(as, me, none, arrived, application.redirectUri, verifier, insecure);
        const tokens = harvested(await oauth.processAuthorizationCodeResponse(as, me, response, { expectedNonce: nonce, requireIdToken: true }));
        await oauth.validateApplicationLevelSignature(as, response, insecure);
        const { sub } = oauth.getValidatedIdTokenClaims(tokens);

        const info = await oauth.processUserInfoResponse(as, me, sub, await oauth.userInfoRequest(as, me, tokens.access_token, insecure));
        assert.equal(info.email, target.people.olivia.email);

        const refresh = async (token) => oauth.processRefreshTokenResponse(as, me, await oauth.refreshTokenGrantRequest(as, me, none, token, insecure));
        const refreshed = harvested(await refresh(tokens.refresh_token));
        assert.notEqual(refreshed.refresh_token, tokens.refresh_token);

        await oauth.processRevocationResponse(await oauth.revocationRequest(as, me, none, refreshed.refresh_token, insecure));
        await assert.rejects(refresh(refreshed.refresh_token), { error: "invalid_grant" });

        const { callback } = await logOut(target, browser, {
          id_token_hint: tokens.id_token, post_logout_redirect_uri: application.logoutUri, state,
        });
        assert.equal(callback?.uri, application.logoutUri);
        await assertLoggedOut(target, browser, application);
      });
    }
  });

  if (!REFERENCE) {
    test("oauth4webapi with DPoP, and nonces by hand", async () => {
      const { bound } = target.clients;
      const [issuer, insecure, none] = [new URL(target.issuer), { [oauth.allowInsecureRequests]: true }, oauth.None()];
      const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
      assert.ok(as.dpop_signing_alg_values_supported.includes("ES256"));
      const me = { client_id: bound.id };
      const DPoP = oauth.DPoP(me, await oauth.generateKeyPair("ES256"));
      const options = { ...insecure, DPoP };
      let asked = 0;
      const retried = async (request) => {
        try {
          return await request();
        } catch (error) {
          assert.ok(oauth.isDPoPNonceError(error), `${error}`);
          asked += 1;
          return request();
        }
      };
      const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];
      // The request goes ahead of the browser, with a proof, so that the code is bound to its key.
      const pushed = await retried(async () => oauth.processPushedAuthorizationResponse(as, me, await oauth.pushedAuthorizationRequest(as, me, none, {
        redirect_uri: bound.redirectUri, response_type: "code", state, nonce, scope: "openid email profile offline_access",
        code_challenge_method: "S256", code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      }, options)));
      const url = new URL(as.authorization_endpoint);
      url.search = new URLSearchParams({ client_id: bound.id, request_uri: pushed.request_uri });
      const browser = target.browser();
      const { page } = await answerQuestions(target, browser, await browser.open(url), { person: target.people.olivia });
      assert.ok(page.callback, `expected to be back at the client, but was at ${page}`);
      target.secret("authorization code", page.callback.params.get("code"));
      const arrived = oauth.validateAuthResponse(as, me, page.callback.url, state);
      const exchange = async () => oauth.processAuthorizationCodeResponse(
        as, me, await oauth.authorizationCodeGrantRequest(as, me, none, arrived, bound.redirectUri, verifier, options),
        { expectedNonce: nonce, requireIdToken: true },
      );
      const tokens = await retried(exchange);
      target.harvest(tokens);
      assert.equal(tokens.token_type, "dpop");
      assert.equal(asked, 1, "the nonce that an answer offered is good for the next request");
      const { sub } = oauth.getValidatedIdTokenClaims(tokens);
      const info = await retried(async () => oauth.processUserInfoResponse(as, me, sub, await oauth.userInfoRequest(as, me, tokens.access_token, options)));
      assert.equal(info.email, target.people.olivia.email);
      // An endpoint of the published clients answers a DPoP client as every resource does.
      const profile = new URL("/api/v3/get-profile", target.origin);
      const fresh = oauth.DPoP(me, await oauth.generateKeyPair("ES256"));
      const call = (handle) => oauth.protectedResourceRequest(tokens.access_token, "GET", profile, undefined, undefined, { ...insecure, DPoP: handle });
      assert.equal((await (await retried(() => call(DPoP))).json()).data.userId, sub);
      await assert.rejects(retried(() => call(fresh)), (error) => error.status === 401 && error.cause.some(({ scheme, parameters }) => scheme === "dpop" && parameters.error === "invalid_token"));
      const refresh = async (handle) => oauth.processRefreshTokenResponse(as, me, await oauth.refreshTokenGrantRequest(as, me, none, tokens.refresh_token, { ...insecure, DPoP: handle }));
      await assert.rejects(refresh(fresh), { error: "invalid_grant" });
      const refreshed = await retried(() => refresh(DPoP));
      target.harvest(refreshed);
      assert.equal(refreshed.token_type, "dpop");
    });

    describe("what is Hufu's own", () => {
      test("the metadata are found without the path", async () => {
        const response = await fetch(`${target.origin}/.well-known/openid-configuration`, { redirect: "manual" });
        assert.ok([301, 302, 303, 307, 308].includes(response.status), `status ${response.status}`);
        assert.equal(new URL(response.headers.get("location"), target.origin).href, target.discoveryUrl);
      });

      test("the endpoints are where clients expect them", () => {
        const { metadata, issuer } = target;
        const expected = {
          authorization_endpoint: "/auth", token_endpoint: "/token", userinfo_endpoint: "/me",
          introspection_endpoint: "/token/introspection", revocation_endpoint: "/token/revocation",
          end_session_endpoint: "/session/end", jwks_uri: "/.well-known/jwks.json",
        };
        for (const [name, path] of Object.entries(expected)) assert.equal(metadata[name], `${issuer}${path}`, name);
      });

      test("an application with consent asks once, for what is new, and for a no", async () => {
        const { consent } = target.clients;
        const browser = target.browser();
        const no = await authorize(target, browser, consent, { scope: "openid profile" }, { answer: "deny" });
        assert.deepEqual(no.steps, ["login", "consent"]);
        assertError(target, no, "access_denied");
        const first = await logIn(target, browser, consent, { scope: "openid profile" });
        assert.deepEqual(first.steps, ["consent"]);
        assert.deepEqual((await logIn(target, browser, consent, { scope: "openid profile" })).steps, []);
        assert.deepEqual((await logIn(target, browser, consent, { scope: "openid" })).steps, []);
        const silent = await authorize(target, browser, consent, { scope: "openid profile email", prompt: "none" });
        assertError(target, silent, "consent_required", "interaction_required");
        assert.deepEqual((await logIn(target, browser, consent, { scope: "openid profile email" })).steps, ["consent"]);
        assert.deepEqual((await logIn(target, browser, consent, { scope: "openid", prompt: "consent" })).steps, ["consent"]);
      });

      test("offline_access needs prompt=consent only where the application asks for consent", async () => {
        const scope = "openid offline_access";
        const { basic, consent } = target.clients;
        const own = await logIn(target, target.browser(), basic, { scope });
        assert.equal(typeof own.tokens.refresh_token, "string");
        const silent = await logIn(target, target.browser(), consent, { scope });
        assert.equal(silent.tokens.refresh_token, undefined);
        const asked = await logIn(target, target.browser(), consent, { scope, prompt: "consent" });
        assert.equal(typeof asked.tokens.refresh_token, "string");
      });

      test("scripts of the application's origin may call, those of the authorization endpoint may not", async () => {
        const { metadata, clients } = target;
        const { origin } = new URL(clients.spa.redirectUri);
        const asked = { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type" };
        for (const name of ["token_endpoint", "userinfo_endpoint", "introspection_endpoint", "revocation_endpoint"]) {
          const { headers } = await fetch(metadata[name], { method: "OPTIONS", headers: asked });
          assert.ok([origin, "*"].includes(headers.get("access-control-allow-origin")), name);
          const answer = await fetch(metadata[name], { method: "POST", headers: { origin }, body: new URLSearchParams({ client_id: clients.spa.id }) });
          await answer.arrayBuffer();
          assert.ok([origin, "*"].includes(answer.headers.get("access-control-allow-origin")), name);
        }
        for (const name of ["authorization_endpoint", "end_session_endpoint"]) {
          const { headers } = await fetch(metadata[name], { method: "OPTIONS", headers: asked });
          assert.equal(headers.get("access-control-allow-origin"), null, name);
        }
      });

      test("the older logout address", async () => {
        const browser = target.browser();
        const { basic } = target.clients;
        const { tokens } = await logIn(target, browser, basic);
        const query = new URLSearchParams({ redirect_uri: basic.logoutUri, id_token_hint: tokens.id_token });
        let page = await browser.open(`/login/profile/logout?${query}`);
        if (page.has("confirm")) page = await browser.submit(page, {}, { button: "confirm" });
        if (page.callback) assert.equal(page.callback.uri, basic.logoutUri);
        await assertLoggedOut(target, browser, basic);
      });

      test("a code in the mode of the published web client", async () => {
        const { spa } = target.clients;
        const flow = await authorize(target, target.browser(), spa, { response_mode: "fragment" });
        assertCode(target, flow);
        assert.equal(flow.callback.mode, "fragment");
      });

      test("the published web client inspects a token of its own without a secret", async () => {
        const { spa } = target.clients;
        const { tokens, idToken } = await logIn(target, target.browser(), spa);
        const { status, body } = await post(target, target.metadata.introspection_endpoint, spa, { token: tokens.access_token });
        assert.equal(status, 200, JSON.stringify(body));
        assert.equal(body.active, true);
        assert.equal(body.sub, idToken.sub);
        const other = await post(target, target.metadata.introspection_endpoint, target.clients.native, { token: tokens.access_token });
        assert.notEqual(other.body.active, true);
      });

      test("web_message answers into the window that asked", async () => {
        const { spa } = target.clients;
        const { origin } = new URL(spa.redirectUri);
        const browser = target.browser();
        const ask = async () => {
          const flow = await authorize(target, browser, spa, { response_mode: "web_message", prompt: "none" });
          const { page, params } = flow;
          assert.equal(flow.callback?.mode, "web_message", `${page}`);
          assert.equal(flow.callback.params.get("state"), params.state);
          assert.equal(flow.callback.params.get("iss"), target.issuer);
          // The message goes to the client's origin alone, and only its pages may frame this one.
          assert.equal(page.root.querySelector("form[data-message]")?.getAttribute("data-message"), origin);
          assert.match(page.headers.get("content-security-policy"), new RegExp(`frame-ancestors ${origin}(;|$)`));
          assert.equal(page.headers.get("x-frame-options"), null);
          const script = page.root.querySelectorAll("script[src]").map((one) => one.getAttribute("src"));
          const texts = await Promise.all(script.map(async (src) => (await fetch(new URL(src, target.origin))).text()));
          assert.ok(texts.some((text) => text.includes("authorization_response")), "no script sends the message");
          return flow;
        };
        assert.equal((await ask()).callback.params.get("error"), "login_required");
        await logIn(target, browser, spa);
        assert.ok((await ask()).code, "there is no code");
      });

      test("people choose among the accounts of the browser", async () => {
        const { basic } = target.clients;
        const { olivia, peter } = target.people;
        const browser = target.browser();
        const first = await logIn(target, browser, basic);
        const second = await logIn(target, browser, basic, { prompt: "login" }, { person: peter });
        assert.notEqual(second.idToken.sub, first.idToken.sub);
        for (const [person, sub] of [[olivia, first.idToken.sub], [peter, second.idToken.sub]]) {
          const chosen = await logIn(target, browser, basic, { prompt: "select_account" }, { person });
          assert.deepEqual(chosen.steps, ["choose"]);
          assert.equal(chosen.idToken.sub, sub);
        }
        const hinted = await logIn(target, browser, basic, { prompt: "none", id_token_hint: first.tokens.id_token });
        assert.equal(hinted.idToken.sub, first.idToken.sub);
      });
    });
  }
});
