import { createRemoteJWKSet, jwtVerify } from "jose";

const issuer = "http://127.0.0.1:3000/oidc";
const keys = createRemoteJWKSet(new URL(issuer + "/.well-known/jwks.json"));

export async function userOf(token) {
  const { payload } = await jwtVerify(token, keys, {
    typ: "hufu-user+jwt",
    algorithms: ["ES256"],
    issuer,
    audience: "6560c0ffee00000000000002",
    requiredClaims: ["sub", "exp"],
  });
  return payload.sub;   // the user's id, the same in every application of the pool
}

console.log(await userOf(process.argv[2]));
