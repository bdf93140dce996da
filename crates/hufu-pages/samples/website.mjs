import * as client from "openid-client";

const issuer = new URL("http://127.0.0.1:3000/oidc");
const secret = client.ClientSecretBasic("demonstration-secret-of-the-website-01");
const config = await client.discovery(issuer, "6560c0ffee00000000000003", undefined, secret, {
  execute: [client.allowInsecureRequests],   // only to try it out without https
});

// Send the browser to this address. The login page shows every way to log in, WeChat's codes among them.
export async function login(session) {
  session.pkceCodeVerifier = client.randomPKCECodeVerifier();
  session.expectedState = client.randomState();
  session.expectedNonce = client.randomNonce();
  return client.buildAuthorizationUrl(config, {
    redirect_uri: "http://127.0.0.1:3000/callback",
    scope: "openid profile phone",
    code_challenge: await client.calculatePKCECodeChallenge(session.pkceCodeVerifier),
    code_challenge_method: "S256",
    state: session.expectedState,
    nonce: session.expectedNonce,
  });
}

// It comes back to your redirect URI.
export async function callback(session, currentUrl) {
  const tokens = await client.authorizationCodeGrant(config, currentUrl, session);
  return tokens.claims();   // verified; claims.sub is the user's id
}
