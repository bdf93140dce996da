// Verifies tokens as a customer's back end would, with npm jose and the published keys.
import assert from "node:assert/strict";
import { createRemoteJWKSet, jwtVerify } from "jose";

/** The verified payload and header of a token that `host` made for `audience`. */
export async function verified(host, token, { audience, typ }) {
  const keys = createRemoteJWKSet(new URL(`${host}/oidc/.well-known/jwks.json`));
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: `${host}/oidc`,
    audience,
    typ,
    requiredClaims: ["sub", "exp", "iat"],
  });
  return { payload, header: protectedHeader };
}

/** Asserts that `seconds` is within a minute of the expected life of a token. */
export function assertLife(payload, seconds) {
  const life = payload.exp - payload.iat;
  assert.ok(Math.abs(life - seconds) < 60, `the token lives ${life} s, not ${seconds} s`);
}
