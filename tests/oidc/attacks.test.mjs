// Attacks on the OpenID Provider, from RFC 9700 and from what browsers and proxies make possible: one test each.
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { request as httpRequest } from "node:http";
import { after, before, describe, test } from "node:test";
import { decodeJwt, SignJWT } from "jose";
import {
  assertCode, assertError, assertErrorPage, assertLoggedOut, assertRefusedAtUserinfo, assertResponse, assertTokenError,
  assertTokens, authorizationRequest, authorize, challengeOf, claimsOf, compactJwt, headerOf, logIn, logOut, post, questionOf,
  random, readAnswer, redeem, tokenRequest, userinfo,
} from "./flows.mjs";
import { REFERENCE, startTarget, TARGET } from "./harness.mjs";

const OFFLINE = { scope: "openid offline_access", prompt: "consent" };
const EVIL = "evil.example";

let target;

describe(`attacks on ${TARGET}`, { concurrency: 4 }, () => {
  before(async () => (target = await startTarget()));
  after(() => target?.close());

  describe("redirect URIs", () => {
    const registered = "https://basic.example.com/callback";
    const tricks = {
      "a longer path": `${registered}x`,
      "a path below": `${registered}/x`,
      "a trailing slash": `${registered}/`,
      "a shorter path": "https://basic.example.com/call",
      "the origin alone": "https://basic.example.com",
      "path traversal": `${registered}/../open`,
      "path traversal back to itself": `https://basic.example.com/x/../callback`,
      "encoded path traversal": `${registered}/%2e%2e/open`,
      "a domain with the host as its prefix": `https://basic.example.com.${EVIL}/callback`,
      "a domain with the host as its suffix": `https://evilbasic.example.com/callback`,
      "a subdomain": "https://x.basic.example.com/callback",
      "a trailing dot of the host": "https://basic.example.com./callback",
      "the host as user": `https://basic.example.com@${EVIL}/callback`,
      "a user": "https://user@basic.example.com/callback",
      "an empty user": "https://@basic.example.com/callback",
      "a fragment": `${registered}#x`,
      "an empty fragment": `${registered}#`,
      "upper case in the host": "https://BASIC.example.com/callback",
      "upper case in the path": "https://basic.example.com/Callback",
      "upper case in the scheme": "HTTPS://basic.example.com/callback",
      "another port": "https://basic.example.com:8443/callback",
      "the scheme's own port": "https://basic.example.com:443/callback",
      "another scheme": "http://basic.example.com/callback",
      "a script": "javascript:alert(1)//basic.example.com/callback",
      "a data URL": "data:text/html,basic.example.com/callback",
      "a query": `${registered}?x=1`,
      "an empty query": `${registered}?`,
      "a backslash before a user": `https://basic.example.com\\@${EVIL}/callback`,
      "a backslash in place of a slash": "https:\\\\basic.example.com\\callback",
      "an encoded letter": "https://basic.example.com/%63allback",
      "an encoded slash": `https://basic.example.com%2f@${EVIL}/callback`,
      "no scheme": "//basic.example.com/callback",
      "a path alone": "/callback",
      "a space before": ` ${registered}`,
      "a space after": `${registered} `,
      "a tab in the scheme": "ht\ttps://basic.example.com/callback",
      "a line break": `${registered}\r\nSet-Cookie: a=b`,
      "a null byte": `${registered}\0`,
      "a letter that looks the same": "https://bаsic.example.com/callback",
      "nothing": "",
      "a redirect URI of another client": "https://second.example.com/callback",
    };
    for (const [name, uri] of Object.entries(tricks)) {
      test(name, async () => {
        const { client } = await refusedWithoutRedirect({ redirect_uri: uri });
        // Nor does the error go there, whatever else is wrong with the request.
        await refusedWithoutRedirect({ redirect_uri: uri, response_type: "nonsense" });
        await refusedWithoutRedirect({ redirect_uri: uri, prompt: "none" });
        assert.equal(client.redirectUri, registered);
      });
    }

    test("none at all", () => refusedWithoutRedirect({ redirect_uri: undefined }));

    test("a good one and a bad one", async () => {
      const { params } = authorizationRequest(target.clients.basic);
      for (const pair of [[registered, `https://${EVIL}/`], [`https://${EVIL}/`, registered]]) {
        const query = new URLSearchParams(params);
        query.delete("redirect_uri");
        for (const uri of pair) query.append("redirect_uri", uri);
        refusedAsRepeated(await openAuthorization(query), "redirect_uri");
      }
    });

    test("another one in the token request", async () => {
      for (const redirect_uri of [`${registered}/`, `https://${EVIL}/`, undefined]) {
        const flow = await authorize(target, target.browser(), target.clients.basic);
        assertCode(target, flow);
        assertTokenError(await redeem(target, flow, { redirect_uri }), "invalid_grant", "invalid_request");
      }
    });

    test("any port of this machine for a native app, but no other host or path", async () => {
      const { native } = target.clients;
      const good = native.loopbackUri.replace("127.0.0.1", "127.0.0.1:51234");
      const flow = await authorize(target, target.browser(), native, { redirect_uri: good });
      assertCode(target, flow);
      assertTokens(await redeem(target, flow));
      for (const uri of [
        good.replace("127.0.0.1", "localhost"), good.replace("127.0.0.1", "127.0.0.2"), good.replace("http:", "https:"),
        good.replace("/callback", "/other"), `http://127.0.0.1:51234@${EVIL}/callback`,
      ]) {
        await refusedWithoutRedirect({ redirect_uri: uri }, native);
      }
    });
  });

  describe("clients", () => {
    test("an unknown one", async () => {
      for (const client_id of [random(), "", "' OR 1=1 --", `${target.clients.basic.id}\0`]) {
        await refusedWithoutRedirect({ client_id });
      }
      await refusedWithoutRedirect({ client_id: undefined });
      const answer = await tokenRequest(target, { ...target.clients.basic, id: random() }, { grant_type: "client_credentials" });
      assertTokenError(answer, "invalid_client");
    });

    test("one that lets nobody log in", async () => {
      const { api } = target.clients;
      const { page, callback } = await authorize(target, target.browser(), api, { redirect_uri: "https://api.example.com/callback" });
      assert.equal(callback, undefined);
      assertErrorPage(target, page);
    });

    test("a wrong secret", async () => {
      const { basic, post: posting } = target.clients;
      for (const client of [basic, posting]) {
        for (const secret of [`${client.secret}x`, client.secret.slice(0, -1), client.secret.toUpperCase(), ""]) {
          const answer = await tokenRequest(target, client, { grant_type: "authorization_code", code: random() }, { secret });
          assertTokenError(answer, "invalid_client", ...(secret === "" ? ["invalid_request"] : []));
          if (answer.status === 401 && client === basic) assert.match(answer.headers.get("www-authenticate") ?? "", /^Basic\b/i);
        }
      }
    });

    test("a secret that is left out", async () => {
      const { basic } = target.clients;
      const flow = await authorize(target, target.browser(), basic);
      assertCode(target, flow);
      assertTokenError(await redeem(target, flow, {}, { auth: "none" }), "invalid_client");
      assertTokens(await redeem(target, flow));
    });

    test("two ways to authenticate at once", async () => {
      const { basic } = target.clients;
      const flow = await authorize(target, target.browser(), basic);
      const answer = await redeem(target, flow, { client_id: basic.id, client_secret: basic.secret });
      assertTokenError(answer, "invalid_request", "invalid_client");
    });

    test("two different clients in one request", async () => {
      const { basic, second } = target.clients;
      const flow = await authorize(target, target.browser(), basic);
      const answer = await redeem(target, flow, { client_id: second.id });
      assertTokenError(answer, "invalid_request", "invalid_client");
    });

    test("credentials in the URL", async () => {
      const { post: posting } = target.clients;
      const flow = await authorize(target, target.browser(), posting);
      const url = new URL(target.metadata.token_endpoint);
      url.search = new URLSearchParams({
        grant_type: "authorization_code", code: flow.code, redirect_uri: flow.params.redirect_uri,
        client_id: posting.id, client_secret: posting.secret,
      });
      for (const method of ["POST", "GET"]) {
        const { body } = await readAnswer(target, await fetch(url, { method }));
        assert.equal(body?.access_token, undefined, method);
      }
    });

    test("a grant that it does not have", async () => {
      const { basic, spa, api } = target.clients;
      assertTokenError(await tokenRequest(target, basic, { grant_type: "client_credentials" }), "unauthorized_client");
      assertTokenError(
        await tokenRequest(target, spa, { grant_type: "client_credentials" }), "unauthorized_client", "invalid_client",
      );
      assertTokenError(
        await tokenRequest(target, api, { grant_type: "authorization_code", code: random(), redirect_uri: "https://x.example.com/" }),
        "unauthorized_client", "invalid_grant",
      );
    });

    test("the password grant", async () => {
      const { account, password } = target.people.olivia;
      for (const client of [target.clients.basic, target.clients.spa]) {
        const answer = await tokenRequest(target, client, { grant_type: "password", username: account, password });
        assertTokenError(answer, "unsupported_grant_type", "unauthorized_client");
      }
    });

    test("the implicit grant without leave", async () => {
      for (const response_type of ["token", "id_token", "id_token token", "code id_token", "code token"]) {
        const flow = await authorize(target, target.browser(), target.clients.basic, { response_type });
        assert.deepEqual(flow.steps, [], `${response_type} got as far as a login`);
        assert.ok(["unauthorized_client", "unsupported_response_type"].includes(flow.callback?.params.get("error")), response_type);
      }
    });

    test("tokens in a query", async () => {
      const { hybrid } = target.clients;
      for (const response_type of ["id_token", "id_token token", "code id_token"]) {
        const { page, callback, steps } = await authorize(target, target.browser(), hybrid, { response_type, response_mode: "query" });
        assert.deepEqual(steps, []);
        if (!callback) assertErrorPage(target, page, "invalid_request");
        else assert.equal(callback.params.get("error"), "invalid_request");
      }
    });
  });

  describe("codes", () => {
    test("one that belongs to another client", async () => {
      const { basic, second, post: posting } = target.clients;
      const flow = await authorize(target, target.browser(), basic);
      assertCode(target, flow);
      assertTokenError(await redeem(target, flow, { client: second }), "invalid_grant");
      const other = await authorize(target, target.browser(), second);
      assertTokenError(await redeem(target, other, { client: posting, redirect_uri: posting.redirectUri }), "invalid_grant");
    });

    test("a replayed one ends the tokens", async () => {
      const flow = await logIn(target, target.browser(), target.clients.basic, OFFLINE);
      await claimsOf(target, flow.tokens.access_token);
      assertTokenError(await redeem(target, flow), "invalid_grant");
      await assertRefusedAtUserinfo(target, flow.tokens.access_token);
      assertTokenError(await refresh(flow.client, flow.tokens.refresh_token), "invalid_grant");
      await assertInactive(flow.client, flow.tokens.access_token);
    });

    test("one that is used twice at the same moment", async () => {
      const flow = await authorize(target, target.browser(), target.clients.basic);
      const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(target, flow)));
      const good = answers.filter(({ status }) => status === 200);
      assert.ok(good.length <= 1, `the code worked ${good.length} times`);
      for (const answer of answers) if (answer.status !== 200) assertTokenError(answer, "invalid_grant");
    });

    test("a made-up one", async () => {
      for (const code of [random(), "", "a".repeat(5000), "\0", "%00", "🐅", "' OR 1=1 --"]) {
        const answer = await tokenRequest(target, target.clients.basic, {
          grant_type: "authorization_code", code, redirect_uri: target.clients.basic.redirectUri,
        });
        assertTokenError(answer, "invalid_grant", "invalid_request");
      }
    });

    test("the code is not a token", async () => {
      const flow = await authorize(target, target.browser(), target.clients.basic);
      await assertRefusedAtUserinfo(target, flow.code);
      assertTokenError(await refresh(flow.client, flow.code), "invalid_grant");
    });
  });

  describe("PKCE", () => {
    const S256 = { code_challenge_method: "S256" };

    test("a challenge, and no verifier", async () => {
      for (const client of [target.clients.basic, target.clients.spa]) {
        const flow = await authorize(target, target.browser(), client, { ...S256, code_challenge: true });
        assertCode(target, flow);
        const answer = await tokenRequest(target, client, {
          grant_type: "authorization_code", code: flow.code, redirect_uri: flow.params.redirect_uri,
        });
        assertTokenError(answer, "invalid_grant", "invalid_request");
      }
    });

    test("a verifier, and no challenge", async () => {
      const flow = await authorize(target, target.browser(), target.clients.basic);
      assertCode(target, flow);
      assertTokenError(await redeem(target, flow, { verifier: random(32) }), "invalid_grant");
    });

    test("a wrong verifier", async () => {
      for (const wrong of [() => random(32), (good) => `${good}x`, (good) => good.slice(0, -1), challengeOf, () => "short", () => ""]) {
        const flow = await authorize(target, target.browser(), target.clients.spa);
        assertCode(target, flow);
        const answer = await redeem(target, flow, { verifier: wrong(flow.verifier) });
        assertTokenError(answer, "invalid_grant", "invalid_request");
      }
    });

    test("the method plain", async () => {
      const verifier = random(32);
      for (const client of [target.clients.basic, target.clients.spa]) {
        for (const method of ["plain", undefined, "s256", "S512"]) {
          const overrides = { code_challenge: verifier, code_challenge_method: method };
          const flow = await authorize(target, target.browser(), client, overrides);
          assertError(target, flow, "invalid_request");
          assert.deepEqual(flow.steps, []);
        }
      }
      assert.deepEqual(target.metadata.code_challenge_methods_supported, ["S256"]);
    });

    test("a challenge that is none", async () => {
      for (const code_challenge of ["", "short", "a".repeat(200), "!".repeat(43)]) {
        const flow = await authorize(target, target.browser(), target.clients.spa, { ...S256, code_challenge });
        assertError(target, flow, "invalid_request");
      }
    });

    test("a public client without it", async () => {
      for (const client of [target.clients.spa, target.clients.native]) {
        const flow = await authorize(target, target.browser(), client, { code_challenge: undefined, code_challenge_method: undefined });
        assertError(target, flow, "invalid_request");
        assert.deepEqual(flow.steps, []);
      }
    });

    test("a code that was injected into another login", async () => {
      const mine = await authorize(target, target.browser(), target.clients.spa);
      const stolen = await authorize(target, target.browser(), target.clients.spa, {}, { person: target.people.peter });
      assertTokenError(await redeem(target, mine, { code: stolen.code }), "invalid_grant");
    });
  });

  describe("refresh tokens", () => {
    test("one of another client", async () => {
      const { basic, second, spa } = target.clients;
      const { tokens } = await logIn(target, target.browser(), basic, OFFLINE);
      assertTokenError(await refresh(second, tokens.refresh_token), "invalid_grant");
      assertTokenError(await refresh(spa, tokens.refresh_token), "invalid_grant");
      assertTokens(await refresh(basic, tokens.refresh_token));
    });

    test("one without the client's authentication", async () => {
      const { basic } = target.clients;
      const { tokens } = await logIn(target, target.browser(), basic, OFFLINE);
      assertTokenError(await refresh(basic, tokens.refresh_token, {}, { auth: "none" }), "invalid_client", "invalid_grant");
      const fields = { grant_type: "refresh_token", refresh_token: tokens.refresh_token };
      const bare = await tokenRequest(target, undefined, fields);
      assertTokenError(bare, "invalid_client", "invalid_request");
      // The published SDKs name their client by this header alone.
      const named = await tokenRequest(target, undefined, fields, { headers: { "x-authing-app-id": basic.id } });
      assertTokenError(named, "invalid_client", "invalid_request", "invalid_grant");
      assertTokens(await refresh(basic, tokens.refresh_token));
    });

    for (const name of ["basic", "spa"]) {
      test(`a used one ends its successors (${name})`, async () => {
        const client = target.clients[name];
        const { tokens } = await logIn(target, target.browser(), client, OFFLINE);
        const first = assertTokens(await refresh(client, tokens.refresh_token));
        assert.notEqual(first.refresh_token, tokens.refresh_token, "the refresh token was not rotated");
        const second = assertTokens(await refresh(client, first.refresh_token));
        assertTokenError(await refresh(client, tokens.refresh_token), "invalid_grant");
        assertTokenError(await refresh(client, second.refresh_token), "invalid_grant");
        await assertRefusedAtUserinfo(target, second.access_token);
      });
    }

    test("more scopes than were granted", async () => {
      const { basic } = target.clients;
      const { tokens } = await logIn(target, target.browser(), basic, OFFLINE);
      const answer = await refresh(basic, tokens.refresh_token, { scope: "openid offline_access email phone" });
      if (answer.status === 200) {
        const claims = await claimsOf(target, answer.body.access_token);
        assert.equal(claims.email, undefined);
        assert.equal(claims.phone_number, undefined);
      } else {
        assertTokenError(answer, "invalid_scope");
      }
    });

    test("none without offline_access", async () => {
      const { tokens } = await logIn(target, target.browser(), target.clients.basic);
      assert.equal(tokens.refresh_token, undefined);
    });

    test("one is not an access token, nor the other way round", async () => {
      const { basic } = target.clients;
      const { tokens } = await logIn(target, target.browser(), basic, OFFLINE);
      await assertRefusedAtUserinfo(target, tokens.refresh_token);
      assertTokenError(await refresh(basic, tokens.access_token), "invalid_grant");
      assertTokenError(await refresh(basic, tokens.id_token), "invalid_grant");
    });

    test("a revoked one ends the access token", async () => {
      const { basic } = target.clients;
      const { tokens } = await logIn(target, target.browser(), basic, OFFLINE);
      const { status } = await post(target, target.metadata.revocation_endpoint, basic, { token: tokens.refresh_token });
      assert.equal(status, 200);
      assertTokenError(await refresh(basic, tokens.refresh_token), "invalid_grant");
      await assertRefusedAtUserinfo(target, tokens.access_token);
    });

    test("another client cannot revoke or inspect one", async () => {
      const { basic, second } = target.clients;
      const { tokens } = await logIn(target, target.browser(), basic, OFFLINE);
      for (const token of [tokens.refresh_token, tokens.access_token]) {
        await post(target, target.metadata.revocation_endpoint, second, { token });
        const { body } = await introspect(second, token);
        assert.ok(body.active === false || body.error, "another client's token was shown");
      }
      await claimsOf(target, tokens.access_token);
      assertTokens(await refresh(basic, tokens.refresh_token));
    });
  });

  describe("mix-up", () => {
    const requests = {
      "a good response": {},
      "a login that is required": { prompt: "none" },
      "an unknown response type": { response_type: "nonsense" },
      "an unknown scope": { scope: "nonsense" },
      "a request object": { request: "e30.e30." },
      "an unknown prompt": { prompt: "nonsense" },
      "prompt none and login": { prompt: "none login" },
      "a max_age that is no number": { max_age: "soon" },
    };
    for (const [name, overrides] of Object.entries(requests)) {
      for (const response_mode of [undefined, "form_post", "fragment"]) {
        test(`iss in the response to ${name} (${response_mode ?? "query"})`, async () => {
          assert.equal(target.metadata.authorization_response_iss_parameter_supported, true);
          const flow = await authorize(target, target.browser(), target.clients.basic, { ...overrides, response_mode });
          assertResponse(target, flow);
          assert.deepEqual(flow.callback.params.getAll("iss"), [target.issuer]);
        });
      }
    }

    // The reference's consent page has no such button.
    if (!REFERENCE) test("iss where the person says no", async () => {
      const flow = await authorize(target, target.browser(), target.clients.consent, {}, { answer: "deny" });
      assert.ok(flow.steps.includes("consent"), `nobody was asked: ${flow.steps}`);
      assertError(target, flow, "access_denied");
    });
  });

  describe("tokens", () => {
    test("alg none", async () => {
      const { tokens, client } = await logIn(target, target.browser(), target.clients.basic);
      for (const token of [tokens.access_token, tokens.id_token].filter(isJwt)) {
        for (const alg of ["none", "None", "NONE", "nOnE", ""]) {
          for (const signature of ["", token.split(".")[2]]) {
            await forged(client, compactJwt({ ...headerOf(token), alg }, decodeJwt(token), signature));
          }
        }
      }
    });

    test("HS256 with what is public, or with the client's secret", async () => {
      const { tokens, client } = await logIn(target, target.browser(), target.clients.basic);
      const { keys } = await (await fetch(target.metadata.jwks_uri)).json();
      const secrets = keys.flatMap((jwk) => {
        const key = createPublicKey({ key: jwk, format: "jwk" });
        return [
          key.export({ type: "spki", format: "pem" }), key.export({ type: "spki", format: "pem" }).trim(),
          key.export({ type: "spki", format: "der" }), JSON.stringify(jwk), jwk.n ?? jwk.x,
        ];
      });
      for (const secret of [...secrets, client.secret, client.id]) {
        for (const token of [tokens.access_token, tokens.id_token].filter(isJwt)) {
          const header = { ...headerOf(token), alg: "HS256" };
          await forged(client, await new SignJWT(decodeJwt(token)).setProtectedHeader(header).sign(Buffer.from(secret)));
        }
      }
    });

    test("keys that the token brings along", async () => {
      const { tokens, client } = await logIn(target, target.browser(), target.clients.basic);
      const { generateKeyPair, exportJWK } = await import("jose");
      const { privateKey, publicKey } = await generateKeyPair("ES256");
      const jwk = await exportJWK(publicKey);
      for (const token of [tokens.access_token, tokens.id_token].filter(isJwt)) {
        for (const more of [{ jwk }, { jku: `${target.receiver.address}/jwks` }, { x5u: `${target.receiver.address}/x5u` }, { kid: "../../dev/null" }, { kid: "" }]) {
          const header = { ...headerOf(token), alg: "ES256", ...more };
          await forged(client, await new SignJWT(decodeJwt(token)).setProtectedHeader(header).sign(privateKey));
        }
      }
    });

    test("changed claims", async () => {
      const { tokens, client } = await logIn(target, target.browser(), target.clients.basic);
      for (const token of [tokens.access_token, tokens.id_token].filter(isJwt)) {
        const claims = decodeJwt(token);
        for (const change of [{ sub: "somebody" }, { exp: claims.exp + 86_400 }, { aud: target.clients.second.id }, { scope: "openid email phone" }]) {
          await forged(client, compactJwt(headerOf(token), { ...claims, ...change }, token.split(".")[2]));
        }
        await forged(client, `${token.split(".").slice(0, 2).join(".")}.`);
        await forged(client, `${token}x`);
      }
    });

    test("an id token is no bearer token", async () => {
      const { tokens } = await logIn(target, target.browser(), target.clients.basic);
      await assertRefusedAtUserinfo(target, tokens.id_token);
      await assertInactive(target.clients.basic, tokens.id_token);
    });

    test("userinfo says why it refuses a token (RFC 6750, section 3)", async () => {
      const bad = await userinfo(target, random(32));
      assert.equal(bad.status, 401);
      assert.match(bad.headers.get("www-authenticate") ?? "", /^Bearer\b.*error="invalid_token"/);
      // Whoever sends no token at all did nothing wrong yet.
      const none = await readAnswer(target, await fetch(target.metadata.userinfo_endpoint));
      assert.ok(none.status === 401 || none.status === 400, `status ${none.status}`);
      if (none.status === 401) assert.match(none.headers.get("www-authenticate") ?? "", /^Bearer\b/);
    });

    test("a token in the URL", async () => {
      const { tokens } = await logIn(target, target.browser(), target.clients.basic);
      const url = new URL(target.metadata.userinfo_endpoint);
      url.searchParams.set("access_token", tokens.access_token);
      const { status } = await readAnswer(target, await fetch(url));
      assert.ok(status === 400 || status === 401, `status ${status}`);
    });

    test("a token of the application itself at userinfo", async () => {
      const { api } = target.clients;
      const { access_token } = assertTokens(await tokenRequest(target, api, { grant_type: "client_credentials" }));
      const { status, body } = await readAnswer(target, await fetch(target.metadata.userinfo_endpoint, {
        headers: { authorization: `Bearer ${access_token}` },
      }));
      assert.ok(status === 401 || status === 403, `status ${status}`);
      assert.equal(body?.sub, undefined);
    });

    if (!REFERENCE) {
      test("an id token of one client opens nothing for another", async () => {
        const { basic, second, consent } = target.clients;
        const paths = [
          ["GET", "/api/v2/users/me"], ["GET", "/api/v3/get-profile"], ["GET", "/api/v3/get-user"],
          ["POST", "/api/v3/update-profile"], ["POST", "/api/v2/users/refresh-token"], ["POST", "/api/v2/users/profile/update"],
        ];
        const byClient = {
          [second.id]: (await logIn(target, target.browser(), basic, { scope: "openid profile" })).tokens.id_token,
          [consent.id]: (await logIn(target, target.browser(), consent, { scope: "openid profile" })).tokens.id_token,
        };
        for (const [app, token] of Object.entries(byClient)) {
          for (const [method, path] of paths) {
            const answer = await target.stack.call(path, {
              method, app, pool: target.pool, token: `Bearer ${token}`, ...(method === "POST" && { json: { nickname: "Mallory" } }),
            });
            assert.ok(answer.status >= 400 || (answer.body?.statusCode ?? answer.body?.code) !== 200, `${path} with ${app}`);
          }
        }
        const me = await target.stack.call("/admin/v1/pools", { method: "GET", token: `Bearer ${byClient[second.id]}` });
        assert.ok(me.status === 401 || me.status === 403, `the administration answered ${me.status}`);
      });

      test("a third party's token changes nothing of the account", async () => {
        const { consent } = target.clients;
        const { tokens } = await logIn(target, target.browser(), consent, { scope: "openid profile email phone" });
        await claimsOf(target, tokens.access_token);
        const calls = [
          ["POST", "/api/v3/update-profile", { nickname: "Mallory" }],
          ["POST", "/api/v2/users/profile/update", { nickname: "Mallory" }],
          ["GET", "/api/v3/get-profile"], ["GET", "/api/v2/users/me"], ["GET", "/api/v3/me"],
        ];
        for (const [method, path, json] of calls) {
          const { status, body } = await target.stack.call(path, {
            method, app: consent.id, pool: target.pool, token: `Bearer ${tokens.access_token}`, json,
          });
          assert.ok(status >= 400 || (body?.statusCode ?? body?.code) !== 200, `${path} answered ${JSON.stringify(body)}`);
        }
      });
    }
  });

  describe("requests", () => {
    test("repeated parameters of an authorization request", async () => {
      const { params } = authorizationRequest(target.clients.basic);
      for (const name of ["client_id", "redirect_uri", "scope", "state", "response_type", "nonce"]) {
        for (const value of [params[name], "other"]) {
          const query = new URLSearchParams(params);
          query.append(name, value);
          refusedAsRepeated(await openAuthorization(query), name);
        }
      }
    });

    test("repeated parameters of a token request", async () => {
      const { basic } = target.clients;
      for (const name of ["grant_type", "code", "redirect_uri"]) {
        const flow = await authorize(target, target.browser(), basic);
        const fields = new URLSearchParams({ grant_type: "authorization_code", code: flow.code, redirect_uri: flow.params.redirect_uri });
        fields.append(name, fields.get(name));
        assertTokenError(await tokenRequest(target, basic, fields), "invalid_request");
      }
    });

    test("a long state comes back as it was", async () => {
      for (const state of ["s".repeat(2000), "ä🐅&=#?+ %\"'<>", "</script><script>alert(1)</script>"]) {
        for (const response_mode of ["query", "form_post"]) {
          const flow = await authorize(target, target.browser(), target.clients.basic, { state, response_mode });
          assertCode(target, flow);
          assert.doesNotMatch(flow.page.html, /<script>alert/);
        }
      }
    });

    test("oversized parameters", async () => {
      const { basic } = target.clients;
      const { params } = authorizationRequest(basic);
      for (const name of ["state", "nonce", "scope", "redirect_uri", "client_id", "login_hint", "id_token_hint", "request", "claims", "ui_locales"]) {
        const response = await fetch(target.metadata.authorization_endpoint, {
          method: "POST", body: new URLSearchParams({ ...params, [name]: "x".repeat(3_000_000) }), redirect: "manual",
        });
        await response.arrayBuffer();
        assert.ok(response.status < 500, `${name}: status ${response.status}`);
        assert.ok((response.headers.get("location") ?? "").length < 100_000, `${name}: a redirect of megabytes`);
      }
      for (const name of ["code", "refresh_token", "code_verifier", "scope", "client_id"]) {
        const fields = { grant_type: "authorization_code", code: random(), redirect_uri: basic.redirectUri, [name]: "x".repeat(3_000_000) };
        const { status, body } = await tokenRequest(target, basic, fields);
        assert.ok(status >= 400 && status < 500, `${name}: status ${status}`);
        assert.equal(body?.access_token, undefined);
      }
      await logIn(target, target.browser(), basic);
    });

    test("a thousand parameters", async () => {
      const { params } = authorizationRequest(target.clients.basic);
      const many = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`x${at}`, "1"]));
      const response = await fetch(target.metadata.authorization_endpoint, {
        method: "POST", body: new URLSearchParams({ ...many, ...params }), redirect: "manual",
      });
      await response.arrayBuffer();
      assert.ok(response.status < 500, `status ${response.status}`);
    });

    test("bodies that are no forms", async () => {
      const { basic } = target.clients;
      const flow = await authorize(target, target.browser(), basic);
      const fields = { grant_type: "authorization_code", code: flow.code, redirect_uri: flow.params.redirect_uri };
      const authorization = `Basic ${btoa(`${basic.id}:${basic.secret}`)}`;
      for (const [type, body] of [
        ["application/json", JSON.stringify(fields)],
        ["application/x-www-form-urlencoded", "\xff\xfe%zz%"], ["multipart/form-data; boundary=x", "--x--"],
      ]) {
        const { status, body: answer } = await readAnswer(target, await fetch(target.metadata.token_endpoint, {
          method: "POST", headers: { authorization, "content-type": type }, body,
        }));
        assert.ok(status >= 400 && status < 500, `${type}: status ${status}`);
        assert.equal(answer?.access_token, undefined, type);
      }
    });

    if (!REFERENCE) {
      test("Host and X-Forwarded headers change neither issuer nor endpoints", async () => {
        const url = new URL(target.discoveryUrl);
        const honest = JSON.stringify(await (await fetch(url)).json());
        const headers = [
          { host: EVIL }, { "x-forwarded-host": EVIL }, { "x-forwarded-proto": "https" }, { "x-forwarded-port": "666" },
          { "x-forwarded-prefix": "/evil" }, { "x-original-host": EVIL }, { "x-host": EVIL }, { forwarded: `host=${EVIL};proto=https` },
          { "x-forwarded-server": EVIL }, { "x-original-url": "/evil" }, { "x-rewrite-url": "/evil" },
        ];
        const { params } = authorizationRequest(target.clients.basic);
        const start = new URL(target.metadata.authorization_endpoint);
        start.search = new URLSearchParams(params).toString();
        for (const sent of headers) {
          const answer = await raw(url, sent);
          if (answer.status === 200) assert.equal(JSON.stringify(JSON.parse(answer.body)), honest, JSON.stringify(sent));
          else assert.ok(answer.status >= 400 && answer.status < 500 && sent.host, `${JSON.stringify(sent)}: status ${answer.status}`);
          const page = await raw(start, sent);
          assert.ok(page.status < 500, JSON.stringify(sent));
          assert.doesNotMatch(`${page.headers.location ?? ""}${page.body}`, /evil/i, JSON.stringify(sent));
        }
      });
    }

    test("endpoints that hold tokens are never cached", async () => {
      const flow = await logIn(target, target.browser(), target.clients.basic, OFFLINE);
      const answers = [
        await introspect(flow.client, flow.tokens.access_token),
        await refresh(flow.client, flow.tokens.refresh_token),
      ];
      for (const { headers } of answers) assert.match(headers.get("cache-control") ?? "", /no-store/);
      assert.match(flow.page.headers.get("cache-control") ?? "", /no-store/);
    });
  });

  if (!REFERENCE) {
    describe("the browser", () => {
      const loginPage = async (browser, client = target.clients.basic, overrides = {}) => {
        const { params } = authorizationRequest(client, overrides);
        return browser.open(`${target.metadata.authorization_endpoint}?${new URLSearchParams(params)}`);
      };
      const loggedIn = ({ callback }) => callback?.params.has("code") === true;

      test("login CSRF: the form without its hidden fields", async () => {
        const browser = target.browser();
        const page = await loginPage(browser);
        const hidden = page.root.querySelectorAll("form input[type=hidden]").map((input) => input.getAttribute("name"));
        assert.ok(hidden.length > 0, "the form has no hidden field");
        const answer = await browser.login(page, target.people.olivia, { without: hidden });
        assert.ok(!loggedIn(answer));
        await assertLoggedOut(target, browser, target.clients.basic);
      });

      test("login CSRF: the form from another origin", async () => {
        for (const origin of [`https://${EVIL}`, "null", target.origin.replace("127.0.0.1", "localhost"), `${target.origin}.${EVIL}`]) {
          const browser = target.browser();
          const answer = await browser.login(await loginPage(browser), target.people.olivia, { origin });
          assert.ok(!loggedIn(answer), `Origin: ${origin}`);
          assert.ok(answer.status >= 400, `Origin: ${origin}: status ${answer.status}`);
          await assertLoggedOut(target, browser, target.clients.basic);
        }
      });

      test("login CSRF: the attacker's form in the victim's browser", async () => {
        const attacker = target.browser();
        const page = await loginPage(attacker);
        const victim = target.browser();
        await loginPage(victim);
        assert.ok(!loggedIn(await victim.login(page, target.people.peter)));
        await assertLoggedOut(target, victim, target.clients.basic);
        const clean = target.browser();
        assert.ok(!loggedIn(await clean.login(page, target.people.peter)));
        await assertLoggedOut(target, clean, target.clients.basic);
      });

      test("session fixation: the cookie changes at login", async () => {
        const browser = target.browser();
        const page = await loginPage(browser);
        const before = browser.jar.get("hufu")?.value;
        const answer = await browser.login(page, target.people.olivia);
        assert.ok(loggedIn(answer), `${answer}`);
        const after = browser.jar.get("hufu");
        assert.ok(after, "there is no cookie");
        assert.notEqual(after.value, before);
        if (before !== undefined) {
          const attacker = target.browser();
          attacker.jar.plant(target.origin, "hufu", before);
          await assertLoggedOut(target, attacker, target.clients.basic);
        }
      });

      test("session fixation: a planted cookie is not taken over", async () => {
        const planted = random(32);
        const browser = target.browser();
        browser.jar.plant(target.origin, "hufu", planted);
        const answer = await browser.login(await loginPage(browser), target.people.olivia);
        assert.ok(loggedIn(answer), `${answer}`);
        assert.notEqual(browser.jar.get("hufu").value, planted);
        const attacker = target.browser();
        attacker.jar.plant(target.origin, "hufu", planted);
        await assertLoggedOut(target, attacker, target.clients.basic);
      });

      test("a second login changes the cookie, and logout ends what both were worth", async () => {
        const browser = target.browser();
        const { basic } = target.clients;
        await logIn(target, browser, basic);
        const values = [browser.jar.get("hufu").value];
        const { tokens } = await logIn(target, browser, basic, { prompt: "login" });
        values.push(browser.jar.get("hufu").value);
        assert.notEqual(values[0], values[1]);
        await logOut(target, browser, { id_token_hint: tokens.id_token });
        await assertLoggedOut(target, browser, basic);
        for (const value of values) {
          const attacker = target.browser();
          attacker.jar.plant(target.origin, "hufu", value);
          await assertLoggedOut(target, attacker, basic);
        }
      });

      test("the cookie is kept from scripts and other sites", async () => {
        const browser = target.browser();
        await logIn(target, browser, target.clients.basic);
        for (const cookie of browser.jar.all) {
          assert.equal(cookie.httpOnly, true, cookie.name);
          assert.ok(["lax", "strict"].includes(cookie.sameSite), cookie.name);
          assert.equal(cookie.path, "/", cookie.name);
          assert.doesNotMatch(cookie.line, /domain=/i);
        }
        const { value } = browser.jar.get("hufu");
        assert.ok(value.length >= 22, "the cookie can be guessed");
      });

      test("the cookie opens no API", async () => {
        const browser = target.browser();
        await logIn(target, browser, target.clients.basic);
        const cookie = browser.jar.header(target.origin);
        const me = await readAnswer(target, await fetch(target.metadata.userinfo_endpoint, { headers: { cookie } }));
        assert.equal(me.status, 401);
        const { body } = await target.stack.call("/api/v2/users/me", { method: "GET", headers: { cookie }, app: target.clients.basic.id });
        assert.notEqual(body.code, 200);
      });

      test("other origins do not learn whether somebody is logged in", async () => {
        const browser = target.browser();
        await logIn(target, browser, target.clients.basic);
        const headers = { cookie: browser.jar.header(target.origin), origin: `https://${EVIL}` };
        const { body } = await target.stack.call("/cas/session", { method: "GET", headers });
        assert.deepEqual(body, { session: null });
      });

      test("clickjacking", async () => {
        const browser = target.browser();
        const pages = [
          await loginPage(browser), await browser.open("/signed-out"),
          await loginPage(browser, target.clients.basic, { redirect_uri: `https://${EVIL}/` }),
          await browser.open(target.metadata.end_session_endpoint),
        ];
        for (const page of pages) {
          const policy = page.headers.get("content-security-policy") ?? "";
          assert.match(policy, /frame-ancestors 'none'/, `${page.url.pathname}: ${policy}`);
          const old = page.headers.get("x-frame-options");
          assert.ok(old === null || /^deny$/i.test(old), old);
          assert.match(policy, /default-src 'none'|default-src 'self'/);
          assert.doesNotMatch(policy, /script-src[^;]*'unsafe-(inline|eval)'/);
          assert.equal(page.headers.get("x-content-type-options"), "nosniff");
          assert.match(page.headers.get("referrer-policy") ?? "", /no-referrer|same-origin|strict-origin/);
          assert.match(page.headers.get("cache-control") ?? "", /no-store/);
        }
      });

      test("browsers that hold redirects to form-action can log in", async () => {
        for (const client of [target.clients.basic, target.clients.native]) {
          for (const response_mode of ["query", "form_post"]) {
            const browser = target.browser();
            await logIn(target, browser, client, { response_mode });
            assert.deepEqual(browser.blocked, []);
          }
        }
      });

      test("the page that posts leads to the client, without script as well", async () => {
        const flow = await authorize(target, target.browser(), target.clients.basic, { response_mode: "form_post" });
        assertCode(target, flow);
        assert.ok(flow.page.mayPostTo(new URL(flow.client.redirectUri)));
        assert.ok(flow.page.root.querySelector("button, input[type=submit]"), "there is no button for those without script");
      });

      test("no redirect sends the password on", async () => {
        for (const response_mode of ["query", "form_post"]) {
          const browser = target.browser();
          await logIn(target, browser, target.clients.consent, { response_mode });
          // RFC 9700, section 4.12: 307 and 308 repeat the form, with the password in it, at the next address.
          const statuses = browser.history.filter(({ method }) => method === "POST").map(({ status }) => status);
          assert.ok(statuses.length > 0);
          for (const status of statuses) assert.ok(status === 303 || status === 200, `status ${status}`);
        }
      });

      test("what the request says is shown as text", async () => {
        const nasty = `"><script>alert(1)</script><img src=x onerror=alert(1)>\r\nSet-Cookie: planted=1`;
        for (const name of ["login_hint", "ui_locales", "state", "nonce", "acr_values", "display", "claims_locales"]) {
          const browser = target.browser();
          const page = await loginPage(browser, target.clients.basic, { [name]: nasty });
          assert.equal(questionOf(target, page), "login", `${name}: ${page}`);
          assert.doesNotMatch(page.html, /<script>alert|<img src=x/);
          assert.equal(browser.jar.get("planted"), undefined);
          if (name === "login_hint") continue;
          assert.ok(loggedIn(await browser.login(page, target.people.olivia)), name);
        }
      });

      test("no open redirect from the login page", async () => {
        const { basic } = target.clients;
        const places = [`https://${EVIL}/`, `//${EVIL}/`, `/\\${EVIL}`, `https:${EVIL}`, `javascript:alert(1)`, `\t//${EVIL}`];
        const names = ["redirect_uri", "redirect_url", "redirect", "return_to", "next", "continue", "target", "url", "request"];
        for (const place of places) {
          const query = new URLSearchParams({ app_id: basic.id });
          for (const name of names) query.set(name, place);
          for (const path of ["/login", "/login/continue", "/consent", "/accounts", "/register", "/forgot", "/signed-out"]) {
            const browser = target.browser();
            let page = await browser.open(`${path}?${query}`);
            nowhereEvil(page);
            if (questionOf(target, page) !== "login") continue;
            page = await browser.login(page, target.people.olivia);
            nowhereEvil(page);
          }
        }
      });

      test("no open redirect from logout", async () => {
        const browser = target.browser();
        const { tokens } = await logIn(target, browser, target.clients.basic);
        for (const place of [`https://${EVIL}/`, `//${EVIL}/`, `/\\${EVIL}`, "javascript:alert(1)", `${target.clients.basic.logoutUri}@${EVIL}`]) {
          const queries = [
            `/login/profile/logout?${new URLSearchParams({ redirect_uri: place })}`,
            `/login/profile/logout?${new URLSearchParams({ redirect_uri: place, app_id: target.clients.basic.id })}`,
            `/oidc/session/end?${new URLSearchParams({ post_logout_redirect_uri: place })}`,
            `/oidc/session/end?${new URLSearchParams({ post_logout_redirect_uri: place, client_id: target.clients.basic.id })}`,
            `/oidc/session/end?${new URLSearchParams({ post_logout_redirect_uri: place, id_token_hint: tokens.id_token })}`,
          ];
          for (const query of queries) {
            let page = await browser.open(query);
            nowhereEvil(page);
            if (page.has("confirm")) nowhereEvil(await browser.submit(page, {}, { button: "confirm" }));
            await logIn(target, browser, target.clients.basic);
          }
        }
      });

      test("logout CSRF: nobody is logged out without being asked", async () => {
        const browser = target.browser();
        await logIn(target, browser, target.clients.basic);
        const page = await browser.open(target.metadata.end_session_endpoint);
        assert.ok(page.has("confirm") && page.has("cancel"), `${page}`);
        const hidden = page.root.querySelectorAll("form input[type=hidden]").map((input) => input.getAttribute("name"));
        await browser.submit(page, {}, { button: "confirm", without: hidden });
        await browser.submit(page, {}, { button: "confirm", origin: `https://${EVIL}` });
        const flow = await authorize(target, browser, target.clients.basic, { prompt: "none" });
        assertCode(target, flow);
      });

      test("consent CSRF: the form from another origin", async () => {
        const browser = target.browser();
        const { consent } = target.clients;
        let page = await loginPage(browser, consent, { scope: "openid profile" });
        page = await browser.login(page, target.people.peter);
        if (!page.has("allow")) assert.fail(`nobody was asked for consent: ${page.callback?.uri ?? page}`);
        const hidden = page.root.querySelectorAll("form input[type=hidden]").map((input) => input.getAttribute("name"));
        for (const options of [{ origin: `https://${EVIL}` }, { origin: "null" }, { without: hidden }]) {
          const answer = await browser.submit(page, {}, { button: "allow", ...options });
          assert.ok(!loggedIn(answer), JSON.stringify(options));
        }
        assert.match(page.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
        assert.match(page.text, new RegExp(`Example ${consent.name}`), "the page does not name who asks");
      });

      test("error pages name the error and the request, and reflect nothing", async () => {
        const { basic } = target.clients;
        const script = "<script>alert(1)</script>\"'";
        const requests = [
          [{ redirect_uri: `https://${EVIL}/${script}` }, "invalid_request"],
          [{ client_id: `x${script}` }, "invalid_client", "unauthorized_client", "invalid_request"],
          [{ redirect_uri: undefined }, "invalid_request"],
        ];
        for (const [overrides, ...codes] of requests) {
          const page = await loginPage(target.browser(), basic, overrides);
          assert.equal(page.status, 400);
          assertErrorPage(target, page, ...codes);
          const id = page.headers.get("x-request-id");
          assert.ok(id, "there is no X-Request-Id");
          assert.ok(page.text.includes(id), `the page does not name the request ${id}: ${page}`);
          assert.doesNotMatch(page.html, /<script>alert/);
        }
      });

      test("wrong passwords and unknown people get the same answer", async () => {
        const texts = [];
        for (const person of [{ account: "olivia", password: "wrong horse battery" }, { account: "nobody-here", password: "wrong horse battery" }]) {
          const browser = target.browser();
          const answer = await browser.login(await loginPage(browser), person);
          assert.ok(!loggedIn(answer));
          assert.ok(answer.has("password"), `${answer}`);
          assert.equal(answer.root.querySelector("[name=password]").getAttribute("value") ?? "", "");
          texts.push(`${answer.status} ${answer.text}`.replaceAll(person.account, "…").replaceAll(answer.headers.get("x-request-id"), "…"));
        }
        assert.equal(texts[0], texts[1]);
      });
    });
  }
});

async function openAuthorization(query, browser = target.browser()) {
  return browser.open(`${target.metadata.authorization_endpoint}?${query}`);
}

/** The request ends on an error page, before and after a login, by GET and by POST. */
async function refusedWithoutRedirect(overrides, client = target.clients.basic) {
  for (const method of ["GET", "POST"]) {
    const { page, steps } = await authorize(target, target.browser(), client, overrides, { method });
    assert.deepEqual(steps, [], "somebody was asked to log in");
    assertErrorPage(target, page);
    assert.equal(page.headers.get("location"), null);
    assert.equal(page.headers.get("refresh"), null);
  }
  return { client };
}

/** An error page, or an error at the registered redirect URI. */
function refusedAsRepeated(page, name) {
  assert.equal(questionOf(target, page), undefined, `${name} twice got as far as a login`);
  if (!page.callback) return assertErrorPage(target, page, "invalid_request", "invalid_client");
  assert.equal(page.callback.uri, target.clients.basic.redirectUri);
  assert.equal(page.callback.params.get("error"), "invalid_request", name);
}

function refresh(client, refresh_token, more = {}, options) {
  return tokenRequest(target, client, { grant_type: "refresh_token", refresh_token, ...more }, options);
}

function introspect(client, token) {
  return post(target, target.metadata.introspection_endpoint, client, { token });
}

/** Introspection tells nothing of the token (RFC 7662, section 2.2). */
async function assertInactive(client, token) {
  const { status, body } = await introspect(client, token);
  // The reference says of every JWT that it does not inspect such tokens.
  if (REFERENCE && body.error === "unsupported_token_type") return;
  assert.equal(status, 200);
  assert.deepEqual(body, { active: false }, `introspection took ${token.slice(0, 80)}`);
}

/** A forged token opens neither userinfo nor does introspection call it active. */
async function forged(client, token) {
  target.secret("forged token", token);
  const { status } = await readAnswer(target, await fetch(target.metadata.userinfo_endpoint, {
    headers: { authorization: `Bearer ${token}` },
  }));
  assert.equal(status, 401, `userinfo took ${token.slice(0, 80)}`);
  await assertInactive(client, token);
  assertTokenError(await refresh(client, token), "invalid_grant");
}

const isJwt = (token) => token.split(".").length === 3;

function nowhereEvil(page) {
  const places = [page.callback?.url?.href, page.refresh?.href, page.headers.get("location"), page.headers.get("refresh")];
  const links = page.links.map((url) => url.href);
  const forms = page.forms.map((form) => form.action.href);
  for (const place of [...places, ...links, ...forms]) {
    if (!place) continue;
    let host = "";
    try {
      host = new URL(place, target.origin).host;
    } catch {
      // Not a URL.
    }
    assert.ok(!host.includes(EVIL) && !place.startsWith("javascript:"), `${page.url.pathname} leads to ${place}`);
  }
  assert.ok(page.status < 500, `${page}`);
}

/** A GET with headers that `fetch` would not send. */
function raw(url, headers) {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers, agent: false }, async (response) => {
      let body = "";
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode, headers: response.headers, body });
    }).on("error", reject).end();
  });
}
