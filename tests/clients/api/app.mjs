// An API that takes access tokens: it checks that they are for it, and what they allow.
import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";

const { ISSUER, RESOURCE, PORT } = process.env;

const keys = createRemoteJWKSet(new URL(`${ISSUER}/.well-known/jwks.json`));

// Who calls, and with which scopes. Throws if the token is not one for this API.
async function caller(request) {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  if (scheme !== "Bearer") throw new Error("there is no bearer token");
  const { payload } = await jwtVerify(token, keys, {
    issuer: ISSUER,
    audience: RESOURCE, // without this, a token for another API would do
    typ: "at+jwt", // an ID token is no access token
    requiredClaims: ["sub", "client_id", "exp"],
  });
  return { id: payload.sub, client: payload.client_id, scopes: (payload.scope ?? "").split(" ") };
}

createServer(async (request, response) => {
  const answer = (status, body, headers = {}) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  let who;
  try {
    who = await caller(request);
  } catch (error) {
    return answer(401, { error: "invalid_token" }, { "www-authenticate": `Bearer error="invalid_token"` });
  }
  if (!who.scopes.includes("orders:read")) {
    const challenge = `Bearer error="insufficient_scope", scope="orders:read"`;
    return answer(403, { error: "insufficient_scope" }, { "www-authenticate": challenge });
  }
  return answer(200, { orders: [], of: who.id, client: who.client });
}).listen(Number(PORT), "127.0.0.1");
