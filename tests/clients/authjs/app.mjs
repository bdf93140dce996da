// A website that logs people in with Auth.js (@auth/core).
//
// ISSUER, CLIENT_ID and CLIENT_SECRET say where and as what, SITE is the site's own address and PORT where it listens. The
// session of Auth.js is a cookie.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { Auth } from "@auth/core";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, SITE, PORT } = process.env;

const metadata = await (await fetch(`${ISSUER}/.well-known/openid-configuration`)).json();

const config = {
  secret: randomBytes(32).toString("hex"),
  trustHost: true,
  basePath: "/auth",
  providers: [{
    id: "hufu",
    name: "Hufu",
    type: "oidc",
    issuer: ISSUER,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    authorization: { params: { scope: "openid profile email offline_access" } },
    checks: ["pkce", "state", "nonce"],
    // The name and the e-mail address are asked of the userinfo endpoint.
    idToken: false,
  }],
  callbacks: {
    async jwt({ token, account, profile, trigger }) {
      if (account) {
        const { access_token, refresh_token, id_token } = account;
        return { ...token, sub: profile.sub, profile, access_token, refresh_token, id_token };
      }
      return trigger === "update" ? { ...token, ...(await refreshed(token)) } : token;
    },
    session: ({ session, token }) => ({ ...session, claims: claimsOf(token.id_token), profile: token.profile, token }),
  },
  logger: { error: (error) => console.error(error.name, error.cause?.err?.message ?? error.message), warn() {}, debug() {} },
};

/** What the token endpoint gives for the refresh token. Auth.js leaves this call to the site. */
async function refreshed({ refresh_token }) {
  const response = await fetch(metadata.token_endpoint, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${CLIENT_ID}:${CLIENT_SECRET}`)}` },
    body: new URLSearchParams({ grant_type: "refresh_token", refresh_token }),
  });
  const tokens = await response.json();
  if (!response.ok) throw new Error(tokens.error);
  return { access_token: tokens.access_token, refresh_token: tokens.refresh_token };
}

// Auth.js has verified it.
const claimsOf = (idToken) => JSON.parse(Buffer.from(idToken.split(".")[1], "base64url"));

createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const url = new URL(request.url, SITE);
  const call = (path, options) => Auth(new Request(new URL(path, SITE), { headers: request.headers, ...options }), config);
  const json = (status, value) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  const send = async (answer) => {
    for (const cookie of answer.headers.getSetCookie()) response.appendHeader("set-cookie", cookie);
    for (const name of ["location", "content-type"]) if (answer.headers.has(name)) response.setHeader(name, answer.headers.get(name));
    response.writeHead(answer.status).end(await answer.text());
  };
  const session = async (options) => {
    const answer = await call("/auth/session", options);
    for (const cookie of answer.headers.getSetCookie()) response.appendHeader("set-cookie", cookie);
    return answer.json();
  };

  if (url.pathname.startsWith("/auth/")) {
    await send(await call(url, { method: request.method, body: request.method === "POST" ? body : undefined }));
  } else if (url.pathname === "/refresh") {
    const { csrfToken } = await (await call("/auth/csrf")).json();
    const headers = { cookie: request.headers.cookie, "content-type": "application/json" };
    await session({ method: "POST", headers, body: JSON.stringify({ csrfToken, data: {} }) });
    response.writeHead(302, { location: "/" }).end();
  } else {
    const current = await session();
    if (!current) return json(401, { error: "nobody is logged in" });
    const { token, ...shown } = current;
    if (url.pathname === "/logout") {
      const query = new URLSearchParams({ id_token_hint: token.id_token, post_logout_redirect_uri: `${SITE}/` });
      for (const name of Object.keys(parse(request.headers.cookie))) if (name.includes("session-token")) response.appendHeader("set-cookie", `${name}=; Path=/; Max-Age=0`);
      response.writeHead(302, { location: `${metadata.end_session_endpoint}?${query}` }).end();
    } else {
      const userinfo = await fetch(metadata.userinfo_endpoint, { headers: { authorization: `Bearer ${token.access_token}` } });
      json(userinfo.status, { ...shown, userinfo: await userinfo.json() });
    }
  }
}).listen(Number(PORT), "127.0.0.1");

const parse = (cookies = "") => Object.fromEntries(cookies.split("; ").map((pair) => pair.split("=")));
