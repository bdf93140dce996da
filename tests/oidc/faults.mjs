// Ways to break the reference, each in one point, and the modules that must notice. A module that passes against the
// reference and against all of these proves nothing.
import Provider from "oidc-provider";
import { REGISTERED } from "./flows.mjs";

/** `{name: {fails: [module, …], break(provider)}}`. */
export const FAULTS = {
  "the nonce is lost": fault(["oidcc-server"], authorization((query) => query.delete("nonce"))),
  "the state is lost": fault(["oidcc-server"], authorization((query) => query.delete("state"))),
  "the response mode is ignored": fault(["formpost:oidcc-server"], authorization((query) => query.delete("response_mode"))),
  "a missing response type means code": fault(
    ["oidcc-response-type-missing"],
    authorization((query) => query.has("response_type") || query.set("response_type", "code")),
  ),
  "userinfo is read by GET only": fault(
    ["oidcc-userinfo-post-header", "oidcc-userinfo-post-body"],
    refuse((ctx) => ctx.path === "/me" && ctx.method === "POST"),
  ),
  "userinfo is read by POST only": fault(["oidcc-userinfo-get"], refuse((ctx) => ctx.path === "/me" && ctx.method === "GET")),
  "a nonce is required": fault(
    ["oidcc-ensure-request-without-nonce-succeeds-for-code-flow"],
    refuseQuery((query) => !query.has("nonce")),
  ),
  "no claims for profile": fault(["oidcc-scope-profile", "oidcc-scope-all", "oidcc-claims-essential"], userinfo((me) => delete me.name)),
  "no claims for email": fault(
    ["oidcc-scope-email", "oidcc-scope-all", "oidcc-alternate-happy-flow"],
    userinfo((me) => delete me.email),
  ),
  "no claims for phone": fault(["oidcc-scope-phone", "oidcc-scope-all"], userinfo((me) => delete me.phone_number)),
  "an address that is a string": fault(
    ["oidcc-scope-address", "oidcc-scope-all"],
    userinfo((me, ctx) => scopeOf(ctx).includes("address") && (me.address = "1 Harbour Road")),
  ),
  "openid must come first": fault(["oidcc-alternate-happy-flow"], refuseQuery((query) => !/^openid/.test(query.get("scope")))),
  "display is unknown": fault(["oidcc-display-page", "oidcc-display-popup"], refuseQuery((query) => query.has("display"))),
  "prompt is ignored": fault(
    ["oidcc-prompt-login", "oidcc-prompt-none-not-logged-in"],
    authorization((query) => query.get("prompt") !== "consent" && query.delete("prompt")),
  ),
  "prompt none always fails": fault(
    ["oidcc-prompt-none-logged-in", "oidcc-id-token-hint"],
    authorization((query) => query.get("prompt") === "none" && query.set("max_age", "0")),
  ),
  "auth_time is the time of the token": fault(
    ["oidcc-max-age-10000"],
    idToken((claims) => claims.auth_time && (claims.auth_time = Math.floor(Date.now() / 1000))),
  ),
  "auth_time is missing": fault(["oidcc-max-age-1", "oidcc-max-age-10000"], idToken((claims) => delete claims.auth_time)),
  "max_age is ignored": fault(
    ["oidcc-max-age-1", "oidcc-max-age-10000"],
    authorization((query) => query.delete("max_age")),
  ),
  "unknown parameters are refused": fault(
    ["oidcc-ensure-request-with-unknown-parameter-succeeds"],
    refuseQuery((query) => query.has("extra")),
  ),
  "login_hint is refused": fault(["oidcc-login-hint"], refuseQuery((query) => query.has("login_hint"))),
  "ui_locales is refused": fault(["oidcc-ui-locales"], refuseQuery((query) => query.has("ui_locales"))),
  "claims_locales is refused": fault(["oidcc-claims-locales"], refuseQuery((query) => query.has("claims_locales"))),
  "acr_values is refused": fault(
    ["oidcc-ensure-request-with-acr-values-succeeds"],
    refuseQuery((query) => query.has("acr_values")),
  ),
  "codes work again": fault(["oidcc-codereuse"], (provider) => {
    provider.AuthorizationCode.prototype.consume = async () => {};
  }),
  "a replayed code leaves the tokens alone": fault(["oidcc-codereuse-30seconds"], (provider) => {
    // Its store forgets everything of the grant, whichever kind is asked for.
    for (const kind of ["AccessToken", "RefreshToken", "AuthorizationCode"]) provider[kind].revokeByGrantId = async () => {};
    provider.Grant.adapter.destroy = async () => {};
  }),
  "every redirect URI is good": fault(
    [
      "oidcc-ensure-registered-redirect-uri", "oidcc-ensure-request-object-with-redirect-uri",
      "oidcc-redirect-uri-query-mismatch", "oidcc-redirect-uri-query-added",
    ],
    (provider) => {
      provider.Client.prototype.redirectUriAllowed = () => true;
    },
  ),
  "no authorization by POST": fault(
    ["oidcc-ensure-post-request-succeeds"],
    refuse((ctx) => ctx.path === "/auth" && ctx.method === "POST"),
  ),
  "the secret must be in a header": fault(
    ["oidcc-server-client-secret-post"],
    refuse((ctx) => ctx.path === "/token" && !ctx.get("authorization")),
  ),
  "request_uri is ignored": fault(
    ["oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported"],
    authorization((query) => query.delete("request_uri")),
  ),
  "request is ignored": fault(
    ["oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported"],
    authorization((query) => query.delete("request")),
  ),
  "claims is ignored": fault(["oidcc-claims-essential"], authorization((query) => query.delete("claims"))),
  "refresh tokens are for every client": fault(["oidcc-refresh-token"], (provider) => {
    for (const model of [provider.RefreshToken, provider.Grant]) {
      const { find } = model;
      model.find = async function (...args) {
        const found = await find.apply(this, args);
        if (found && Provider.ctx?.path === "/token") found.clientId = Provider.ctx.oidc.client.clientId;
        return found;
      };
    }
  }),
  "no PKCE verifier is right": fault(
    ["oidcc-ensure-request-with-valid-pkce-succeeds"],
    authorization((query) => query.has("code_challenge") && query.set("code_challenge", "a".repeat(43))),
  ),
  "another issuer in the metadata": fault(
    ["oidcc-discovery-endpoint-verification"],
    metadata((document) => (document.issuer += "/")),
  ),
  "no RS256 in the metadata": fault(
    ["oidcc-discovery-endpoint-verification"],
    metadata((document) => (document.id_token_signing_alg_values_supported = ["ES256"])),
  ),
  "a private key in the key set": fault(["oidcc-discovery-endpoint-verification"], answer("/jwks", ({ keys }) => (keys[0].d = "AQAB"))),
  "the iss parameter is missing": fault(["oidcc-server"], redirect((url) => url.searchParams.delete("iss"))),
  "the id token is for another client": fault(["oidcc-server"], idToken((claims) => (claims.sub = ""))),
  "the registered algorithm is ignored": fault(["oidcc-idtoken-rs256", "oidcc-idtoken-signature"], (provider) => {
    const { issue } = provider.IdToken.prototype;
    provider.IdToken.prototype.issue = function (...args) {
      if (this.client.redirectUris?.includes(REGISTERED.redirectUri)) {
        this.client = Object.create(this.client, { idTokenSignedResponseAlg: { value: "ES256" } });
      }
      return issue.apply(this, args);
    };
  }),
  "unsigned id tokens are registered": fault(["oidcc-idtoken-unsigned"], registers((body) => /id_token_signed/.test(body.error_description))),
  "userinfo is never signed": fault(["oidcc-userinfo-rs256"], (provider) => provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === "/me" && typeof ctx.body === "string") ctx.body = JSON.parse(Buffer.from(ctx.body.split(".")[1], "base64url"));
  })),
  "every subject is public": fault(["oidcc-registration-sector-uri"], (provider) => {
    const { find } = provider.Client;
    provider.Client.find = async function (...args) {
      const client = await find.apply(this, args);
      if (client) client.subjectType = "public";
      return client;
    };
  }),
  "the file of a sector is not read": fault(["oidcc-registration-sector-bad"], registers((body) => /sector/.test(body.error_description))),
  "request objects are refused as invalid": fault(
    ["oidcc-request-uri-unsigned", "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported"],
    redirect((url) => {
      if (url.searchParams.get("error") === "request_uri_not_supported") url.searchParams.set("error", "server_error");
    }),
  ),
  "a missing redirect URI is the registered one": fault(
    ["oidcc-ensure-redirect-uri-in-authorization-request"],
    authorization((query) => query.has("redirect_uri") || query.set("redirect_uri", REGISTERED.redirectUri)),
  ),
  "the query of a redirect URI is lost": fault(["oidcc-redirect-uri-query-OK"], redirect((url) => url.searchParams.delete("foo"))),
  "fragments are registered": fault(["oidcc-redirect-uri-regfrag"], registers((body) => /fragment/.test(body.error_description))),
  "no registration_endpoint": fault(
    ["oidcc-discovery-endpoint-verification"],
    metadata((document) => (document.registration_endpoint = document.registration_endpoint.replace("http:", "ftp:"))),
  ),
  "clients cannot be removed": fault(["oidcc-idtoken-rs256"], refuse((ctx) => ctx.path.startsWith("/reg/") && ctx.method === "DELETE")),
  "the login page shows no logo": fault(["oidcc-registration-logo-uri"], page((html) => html.replaceAll("<img", "<i"))),
  "the login page shows no policy": fault(["oidcc-registration-policy-uri"], page((html) => html.replace(/<a[^>]*>[^<]*Policy[^<]*<\/a>/, ""))),
  "the login page shows no terms": fault(["oidcc-registration-tos-uri"], page((html) => html.replace(/<a[^>]*>[^<]*Terms[^<]*<\/a>/, ""))),
  "a jwks_uri is not read": fault(["oidcc-registration-jwks-uri", "oidcc-refresh-token-rp-key-rotation"], keyStore((keys) => keys.clear())),
  "the keys of a client never change": fault(["oidcc-refresh-token-rp-key-rotation"], (provider) => {
    const first = new Map();
    keyStore((keys, { clientId }) => {
      if (!first.has(clientId)) first.set(clientId, [...keys]);
      keys.clear();
      for (const key of first.get(clientId)) keys.add(key);
    })(provider);
  }),
  "a new key replaces the old one": fault(["oidcc-server-rotate-keys"], answer("/jwks", (body) => {
    if (body.keys.length > 2) body.keys = body.keys.slice(0, 1);
  })),
  "assertions of clients are refused": fault(["oidcc-server"], refuse(async (ctx) => (await assertionOf(ctx)) !== undefined)),
  "assertions are for the token endpoint alone": fault(
    ["oidcc-ensure-client-assertion-with-iss-aud-succeeds"],
    refuse(async (ctx) => {
      const { aud } = (await assertionOf(ctx)) ?? {};
      return aud !== undefined && !aud.endsWith("/token");
    }),
  ),
  "every logout URI is good": fault(
    [
      "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
      "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
    ],
    (provider) => {
      provider.Client.prototype.postLogoutRedirectUriAllowed = () => true;
    },
  ),
  "every id_token_hint is good": fault(
    ["oidcc-rp-initiated-logout-modified-id-token-hint", "oidcc-rp-initiated-logout-bad-id-token-hint"],
    (provider) => {
      provider.IdToken.validate = async () => {};
    },
  ),
  "logout needs no id_token_hint": fault(
    ["oidcc-rp-initiated-logout-no-id-token-hint"],
    logoutRequest((query) => query.has("id_token_hint") || query.set("client_id", "6560c0ffee00000000000911")),
  ),
  "logout without parameters goes to the client": fault(
    [
      "oidcc-rp-initiated-logout-no-params", "oidcc-rp-initiated-logout-only-state",
      "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
    ],
    logoutRequest((query) => {
      if (query.has("post_logout_redirect_uri")) return;
      query.set("client_id", "6560c0ffee00000000000911");
      query.set("post_logout_redirect_uri", "https://basic.example.com/signed-out");
    }),
  ),
  "logout makes up a state": fault(
    ["oidcc-rp-initiated-logout-no-state"],
    logoutRequest((query) => query.has("state") || query.set("state", "x")),
  ),
  "logout keeps the login": fault(
    ["oidcc-rp-initiated-logout", "oidcc-rp-initiated-logout-no-state", "oidcc-rp-initiated-logout-no-params"],
    (provider) => {
      provider.Session.prototype.destroy = async () => {};
      provider.Session.prototype.resetIdentifier = () => {};
    },
  ),
  "no end_session_endpoint": fault(
    ["oidcc-rp-initiated-logout-discovery-endpoint-verification"],
    metadata((document) => delete document.end_session_endpoint),
  ),
  "no back-channel logout": fault(
    ["oidcc-backchannel-logout-discovery-endpoint-verification"],
    metadata((document) => delete document.backchannel_logout_session_supported),
  ),
  "the logout token has a nonce": fault(["oidcc-backchannel-rp-initiated-logout"], idToken((claims, token) => {
    if (token.extra.events) claims.nonce = "x";
  })),
  "the logout token has no sid": fault(["oidcc-backchannel-rp-initiated-logout"], idToken((claims, token) => {
    if (token.extra.events) delete claims.sid;
  })),
  "no front-channel logout": fault(
    ["oidcc-frontchannel-logout-discovery-endpoint-verification"],
    metadata((document) => delete document.frontchannel_logout_session_supported),
  ),
  "the frame has another sid": fault(["oidcc-frontchannel-rp-initiated-logout"], (provider) => {
    const { destroy } = provider.Session.prototype;
    provider.Session.prototype.destroy = async function () {
      await destroy.call(this);
      Provider.ctx.state.sid = "x";
    };
  }),
};

function fault(fails, breakIt) {
  return { fails, break: breakIt };
}

/** Changes the query of authorization requests. */
function authorization(change) {
  return requests("/auth", change);
}

function logoutRequest(change) {
  return requests("/session/end", change);
}

function requests(path, change) {
  return before((ctx) => {
    if (ctx.path !== path || ctx.method !== "GET") return;
    const query = new URLSearchParams(ctx.querystring);
    change(query);
    ctx.querystring = query.toString();
  });
}

function before(change) {
  return (provider) => provider.use((ctx, next) => (change(ctx), next()));
}

function refuse(when) {
  return (provider) => provider.use(async (ctx, next) => {
    if (!(await when(ctx))) return next();
    ctx.status = 400;
    ctx.body = { error: "invalid_request" };
  });
}

function refuseQuery(when) {
  return refuse((ctx) => ctx.path === "/auth" && ctx.method === "GET" && when(new URLSearchParams(ctx.querystring)));
}

/** Changes what is answered as JSON. */
function answer(path, change) {
  return (provider) => provider.use(async (ctx, next) => {
    await next();
    if (ctx.path !== path || ctx.status !== 200) return;
    const body = structuredClone(ctx.body);
    change(body, ctx);
    ctx.body = body;
  });
}

/** Registers what `when` finds refused. */
function registers(when) {
  return (provider) => provider.use(async (ctx, next) => {
    await next();
    if (ctx.path !== "/reg" || ctx.status !== 400 || !when(ctx.body)) return;
    ctx.status = 201;
    ctx.body = { client_id: "x" };
  });
}

/** Changes the pages. */
function page(change) {
  return (provider) => provider.use(async (ctx, next) => {
    await next();
    if (typeof ctx.body === "string" && ctx.path.startsWith("/interaction/")) ctx.body = change(ctx.body);
  });
}

/** Does something with the keys of a client once they were fetched. */
function keyStore(change) {
  return (provider) => {
    const { find } = provider.Client;
    provider.Client.find = async function (...args) {
      const client = await find.apply(this, args);
      const keys = client?.jwksUri && client.asymmetricKeyStore;
      if (keys && !Object.hasOwn(keys, "refresh")) {
        const { refresh } = keys;
        keys.refresh = async function () {
          await refresh.call(this);
          change(this, client);
        };
      }
      return client;
    };
  };
}

/** The claims of the client assertion in the body of a token request. The body is there for the provider still. */
async function assertionOf(ctx) {
  if (ctx.path !== "/token") return undefined;
  let body = "";
  for await (const chunk of ctx.req) body += chunk;
  ctx.req.body = Object.fromEntries(new URLSearchParams(body));
  const assertion = ctx.req.body.client_assertion;
  return assertion && JSON.parse(Buffer.from(assertion.split(".")[1], "base64url"));
}

function metadata(change) {
  return answer("/.well-known/openid-configuration", change);
}

function userinfo(change) {
  return answer("/me", change);
}

function scopeOf(ctx) {
  return ctx.oidc.accessToken.scope.split(" ");
}

function redirect(change) {
  return (provider) => provider.use(async (ctx, next) => {
    await next();
    const location = ctx.response.get("location");
    if (!location?.startsWith("https:")) return;
    const url = new URL(location);
    change(url);
    ctx.set("location", url.href);
  });
}

/** Changes the claims of id tokens and logout tokens. */
function idToken(change) {
  return (provider) => {
    const { payload } = provider.IdToken.prototype;
    provider.IdToken.prototype.payload = async function () {
      const claims = await payload.call(this);
      change(claims, this);
      return claims;
    };
  };
}
