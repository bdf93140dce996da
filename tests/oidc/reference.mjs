// npm `oidc-provider` with the same clients and people, for calibration. OIDC_FAULT breaks it in one point.
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { CLIENTS, PEOPLE } from "./world.mjs";

const REGISTRATION_TOKEN = randomBytes(32).toString("hex");

export async function startReference(receiver) {
  const server = createServer({ keepAliveTimeout: 60_000 }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const clients = CLIENTS(receiver.address);
  const { default: Provider } = await quietly(() => import("oidc-provider"));
  const provider = await quietly(() => new Provider(issuer, configuration(clients)));
  provider.on("server_error", (ctx, error) => console.error(error));
  provider.on("backchannel.error", (ctx, error) => console.error(error));
  if (process.env.OIDC_FAULT) (await import("./faults.mjs")).FAULTS[process.env.OIDC_FAULT].break(provider);
  addFrontChannelLogout(provider, clients.logout);
  const rotateKeys = addKeyRotation(provider);
  lookAgainForKeys(provider);
  showLogo(provider);
  server.on("request", provider.callback());
  const close = async () => {
    server.close();
    server.closeAllConnections();
  };
  return {
    issuer,
    clients,
    names: { account: "login", password: "password" },
    registrationToken: REGISTRATION_TOKEN,
    // It registers no http; see `fetch` below.
    https: (uri) => uri.replace("http:", "https:"),
    rotateKeys,
    secret() {},
    harvest() {},
    close,
    abandon: close,
  };
}

function configuration(clients) {
  const key = (type, options, more) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), use: "sig", ...more });
  return {
    clients: Object.values(clients).map(metadata),
    jwks: {
      keys: [
        key("rsa", { modulusLength: 2048 }, { kid: "rsa", alg: "RS256" }),
        key("ec", { namedCurve: "P-256" }, { kid: "ec", alg: "ES256" }),
      ],
    },
    cookies: { keys: [randomBytes(32).toString("hex")], long: { sameSite: "none" }, short: { sameSite: "lax" } },
    enableHttpPostMethods: true,
    allowOmittingSingleRegisteredRedirectUri: false,
    claims: {
      profile: ["name", "nickname", "preferred_username", "updated_at"],
      email: ["email", "email_verified"],
      phone: ["phone_number", "phone_number_verified"],
      address: ["address"],
    },
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
    features: {
      devInteractions: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      backchannelLogout: { enabled: true },
      claimsParameter: { enabled: true },
      jwtUserinfo: { enabled: true },
      registration: { enabled: true, initialAccessToken: REGISTRATION_TOKEN },
      registrationManagement: { enabled: true },
    },
    // Without the guard against addresses of this machine, where the relying parties are, and without https to them.
    fetch: (url, options) => fetch(String(url).replace(/^https:\/\/127\.0\.0\.1/, "http://127.0.0.1"), { ...options, dispatcher: undefined }),
    subjectTypes: ["public", "pairwise"],
    pairwiseIdentifier: (ctx, account, client) =>
      createHash("sha256").update(`${client.sectorIdentifier} ${account}`).digest("hex"),
    findAccount(ctx, sub) {
      const person = Object.values(PEOPLE).find(({ account }) => account === sub);
      return person && {
        accountId: sub,
        claims: () => ({
          sub,
          name: person.name,
          nickname: person.nickname,
          preferred_username: person.account,
          ...(person.email && { email: person.email, email_verified: true }),
          ...(person.phone && { phone_number: person.phone, phone_number_verified: true }),
        }),
      };
    },
    // Hufu gives refresh tokens to first-party applications without asking, and rotates them all.
    issueRefreshToken: (ctx, client, code) => client.grantTypeAllowed("refresh_token") && code.scopes.has("offline_access"),
    rotateRefreshToken: true,
    responseTypes: ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token", "none"],
    ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, RefreshToken: 86_400, Session: 86_400, Interaction: 3600, Grant: 86_400 },
  };
}

function metadata(client) {
  const withBrowser = client.redirectUri !== undefined;
  const hybrid = client.grants.includes("hybrid");
  return {
    client_id: client.id,
    client_name: client.name,
    client_secret: client.secret,
    token_endpoint_auth_method: client.auth,
    application_type: client.type === "native" ? "native" : "web",
    redirect_uris: withBrowser ? [client.redirectUri, client.loopbackUri].filter(Boolean) : [],
    post_logout_redirect_uris: client.logoutUri ? [client.logoutUri] : [],
    grant_types: client.grants.filter((grant) => grant !== "hybrid"),
    response_types: withBrowser
      ? ["code", ...(hybrid ? ["id_token", "id_token token", "code id_token", "code token", "code id_token token"] : [])]
      : [],
    id_token_signed_response_alg: client.signing ?? "ES256",
    ...(client.backchannelUri && { backchannel_logout_uri: client.backchannelUri, backchannel_logout_session_required: true }),
  };
}

/** The reference has no front-channel logout: this stands in, so that at least the tests of it are exercised. */
function addFrontChannelLogout(provider, { id, logoutUri, frontchannelUri }) {
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === "/.well-known/openid-configuration") {
      Object.assign(ctx.body, { frontchannel_logout_supported: true, frontchannel_logout_session_supported: true });
    }
    const onward = ctx.response.get("location");
    if (ctx.path !== "/session/end/confirm" || !onward?.startsWith(logoutUri)) return;
    const frame = `${frontchannelUri}?${new URLSearchParams({ iss: provider.issuer, sid: ctx.state.sid })}`;
    ctx.status = 200;
    ctx.remove("location");
    ctx.set("content-security-policy", `default-src 'none'; frame-src ${new URL(frontchannelUri).origin}`);
    ctx.type = "html";
    ctx.body = `<meta http-equiv="refresh" content="2; url=${onward}"><iframe src="${frame.replaceAll("&", "&amp;")}"></iframe>`;
  });
  const { destroy } = provider.Session.prototype;
  provider.Session.prototype.destroy = function () {
    const { ctx } = provider.constructor;
    if (ctx) ctx.state.sid = this.authorizations?.[id] && this.sidFor(id);
    return destroy.call(this);
  };
}

/** The reference takes its keys when it starts: this stands in for an operator who adds one. */
function addKeyRotation(provider) {
  const added = [];
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === "/jwks") ctx.body = { keys: [...added, ...ctx.body.keys] };
  });
  return async () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    added.push({ ...publicKey.export({ format: "jwk" }), use: "sig", kid: randomBytes(8).toString("hex"), alg: "RS256" });
  };
}

/** Without its pause of a minute between two looks at a `jwks_uri`. */
function lookAgainForKeys(provider) {
  const { find } = provider.Client;
  provider.Client.find = async function (...args) {
    const client = await find.apply(this, args);
    if (client?.jwksUri) client.asymmetricKeyStore.freshUntil = 0;
    return client;
  };
}

/** The reference's own pages show the logo after the login: this stands in before it. */
function showLogo(provider) {
  provider.use(async (ctx, next) => {
    await next();
    if (!ctx.path.startsWith("/interaction/") || typeof ctx.body !== "string" || !ctx.body.includes('name="login"')) return;
    const { params } = await provider.interactionDetails(ctx.req, ctx.res);
    const { logoUri } = await provider.Client.find(params.client_id);
    if (logoUri) ctx.body = ctx.body.replace("<h1>", `<img src="${logoUri}"><h1>`);
  });
}

/** Without the notices that it prints when it starts. */
async function quietly(work) {
  const { info, warn } = console;
  console.info = console.warn = () => {};
  try {
    return await work();
  } finally {
    Object.assign(console, { info, warn });
  }
}
