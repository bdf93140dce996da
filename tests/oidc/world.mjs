// The pool, applications and people of the tests, as `hufu apply` reads them and as relying parties know them.
export const POOL = "6560c0ffee00000000000901";

export const PEOPLE = {
  olivia: {
    account: "olivia",
    password: "lanterns over quiet water",
    email: "olivia@mail.example.com",
    phone: "+8613900000901",
    name: "Olivia Chen",
    nickname: "Liv",
  },
  peter: { account: "peter", password: "seven green bicycles", name: "Peter Wang" },
};

const SECRETS = Object.fromEntries(
  ["basic", "second", "post", "api", "consent", "hybrid", "logout"].map((name, at) => [
    name,
    `${name}-${(at + 1).toString().repeat(40)}`,
  ]),
);

const variable = (name) => `OIDC_${name.toUpperCase()}_SECRET`;

/** Values for `{ env = … }` in the world. */
export const ENVIRONMENT = {
  ...Object.fromEntries(Object.entries(SECRETS).map(([name, secret]) => [variable(name), secret])),
  ...Object.fromEntries(Object.entries(PEOPLE).map(([name, { password }]) => [`OIDC_${name.toUpperCase()}`, password])),
};

/**
 * The clients by name: `{id, secret, auth, type, redirectUri, logoutUri, pkce, …}`. `pkce` says that the client sends a
 * challenge unless a test says otherwise; `receiver` is where the provider reaches relying parties.
 */
export function CLIENTS(receiver) {
  const id = (last) => `6560c0ffee000000000009${last}`;
  const site = (name) => ({
    redirectUri: `https://${name}.example.com/callback`,
    logoutUri: `https://${name}.example.com/signed-out`,
  });
  const web = (name, last, more = {}) => ({
    name, id: id(last), type: "web", secret: SECRETS[name], auth: "client_secret_basic", ...site(name), ...more,
  });
  const grants = ["authorization_code", "refresh_token"];
  return {
    basic: web("basic", 11, { grants, signing: "RS256" }),
    second: web("second", 12, { grants }),
    post: web("post", 13, { grants, auth: "client_secret_post" }),
    spa: { name: "spa", id: id(14), type: "spa", auth: "none", pkce: true, grants, ...site("spa") },
    native: {
      name: "native", id: id(15), type: "native", auth: "none", pkce: true, grants,
      redirectUri: "com.example.native:/callback",
      loopbackUri: "http://127.0.0.1/callback",
      logoutUri: "com.example.native:/signed-out",
    },
    api: { name: "api", id: id(16), type: "api", secret: SECRETS.api, auth: "client_secret_basic", grants: ["client_credentials"] },
    consent: web("consent", 17, { grants, consent: true }),
    hybrid: web("hybrid", 18, { grants: [...grants, "implicit", "hybrid"], signing: "RS256" }),
    bound: { name: "bound", id: id(20), type: "spa", auth: "none", pkce: true, grants, dpop: true, ...site("bound") },
    logout: web("logout", 19, {
      grants,
      backchannelUri: `${receiver}/backchannel`,
      frontchannelUri: `${receiver}/frontchannel`,
    }),
  };
}

export function worldToml(receiver) {
  return `
[[user_pool]]
id = "${POOL}"
name = "Relying parties"
${Object.values(CLIENTS(receiver)).map(application).join("")}
${Object.entries(PEOPLE).map(([name, person]) => user(name, person)).join("")}
`;
}

function application(client) {
  const lines = {
    id: client.id,
    name: `Example ${client.name}`,
    type: client.type,
    token_auth: client.auth,
    grants: client.grants,
  };
  if (client.redirectUri) lines.redirect_uris = [client.redirectUri, client.loopbackUri].filter(Boolean);
  if (client.logoutUri) lines.logout_redirect_uris = [client.logoutUri];
  if (client.backchannelUri) lines.backchannel_logout_uri = client.backchannelUri;
  if (client.frontchannelUri) lines.frontchannel_logout_uri = client.frontchannelUri;
  if (client.dpop) lines.dpop_bound_access_tokens = lines.dpop_nonce_required = true;
  if (client.signing) lines.signing_algorithm = client.signing;
  return `
  [[user_pool.application]]
${Object.entries(lines).map(([key, value]) => `  ${key} = ${JSON.stringify(value)}`).join("\n")}
  ${client.secret ? `secret = { env = "${variable(client.name)}" }` : ""}
  ${client.type === "api" ? "" : `[user_pool.application.login]
  methods = ["password"]
  default_method = "password"
  consent = ${client.consent === true}`}
`;
}

function user(variableName, { account, email, phone, name, nickname }) {
  const lines = { username: account, email, phone, name, nickname };
  return `
  [[user_pool.user]]
${Object.entries(lines).filter(([, value]) => value).map(([key, value]) => `  ${key} = ${JSON.stringify(value)}`).join("\n")}
  password = { env = "OIDC_${variableName.toUpperCase()}" }
`;
}
