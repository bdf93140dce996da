// A website that logs people in with openid-client.
//
// ISSUER, CLIENT_ID and CLIENT_SECRET say where and as what, SITE is the site's own address and PORT where it listens.
// People who are logged in are kept in memory.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import * as client from "openid-client";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, SITE, PORT } = process.env;
const sessions = new Map();

const config = await client.discovery(
  new URL(ISSUER), CLIENT_ID, undefined, client.ClientSecretBasic(CLIENT_SECRET),
  // Only to try it out without https.
  { execute: ISSUER.startsWith("http://127.0.0.1:") ? [client.allowInsecureRequests] : [] },
);

// Sends the browser to the login page. The session keeps what is compared when it comes back.
async function login(session) {
  session.pkceCodeVerifier = client.randomPKCECodeVerifier();
  session.expectedState = client.randomState();
  session.expectedNonce = client.randomNonce();
  return client.buildAuthorizationUrl(config, {
    redirect_uri: `${SITE}/callback`,
    scope: "openid profile email offline_access",
    code_challenge: await client.calculatePKCECodeChallenge(session.pkceCodeVerifier),
    code_challenge_method: "S256",
    state: session.expectedState,
    nonce: session.expectedNonce,
  });
}

// The browser comes back to the redirect URI.
async function callback(session, currentUrl) {
  const { pkceCodeVerifier, expectedState, expectedNonce } = session;
  // The library takes no expected state to mean that a response has none either.
  if (!expectedState) throw new Error("no login was begun here: there is no state");
  delete session.expectedState;
  const tokens = await client.authorizationCodeGrant(config, currentUrl, { pkceCodeVerifier, expectedState, expectedNonce });
  session.tokens = tokens;
  session.claims = tokens.claims(); // verified; claims.sub is the user's id
  return "/";
}

async function refresh(session) {
  session.tokens = { ...session.tokens, ...(await client.refreshTokenGrant(config, session.tokens.refresh_token)) };
  return "/";
}

async function logout(session) {
  const url = client.buildEndSessionUrl(config, { post_logout_redirect_uri: `${SITE}/`, id_token_hint: session.tokens.id_token });
  delete session.tokens;
  return url;
}

const pages = { "/login": login, "/callback": callback, "/refresh": refresh, "/logout": logout };

createServer(async (request, response) => {
  const url = new URL(request.url, SITE);
  const known = request.headers.cookie?.match(/(?:^|; )id=([^;]*)/)?.[1];
  const session = sessions.get(known) ?? {};
  // A new name each time, so that nobody knows the name of a session before somebody logs in to it.
  const id = randomUUID();
  sessions.delete(known);
  sessions.set(id, session);
  response.setHeader("set-cookie", `id=${id}; Path=/; HttpOnly; SameSite=Lax`);
  const answer = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  try {
    if (pages[url.pathname]) {
      response.writeHead(302, { location: String(await pages[url.pathname](session, url)) }).end();
    } else if (session.tokens) {
      const userinfo = await client.fetchUserInfo(config, session.tokens.access_token, session.claims.sub);
      answer(200, { claims: session.claims, userinfo });
    } else {
      answer(401, { error: "nobody is logged in" });
    }
  } catch (error) {
    const cause = error.cause?.message ?? JSON.stringify(error.cause);
    answer(403, { error: [error.message, cause].filter(Boolean).join(": ") });
  }
}).listen(Number(PORT), "127.0.0.1");
