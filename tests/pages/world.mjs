// Pools whose pages have everything that a page can have, as `hufu apply` reads them, and the same apps as WeChat knows
// them. What is named here is data: a page shows it in every language.

const id = (last) => `6560c0ffee00000000000c${last}`;

export const POOLS = { shop: id("01"), filled: id("02"), agreed: id("03") };
export const SITE = id("11");
export const ASKS = id("12");
export const CHOOSES = id("13");
export const CONSENTS = { id: id("14"), secret: `consents-${"6".repeat(32)}` };
export const TV = id("15");
export const MERGED = id("16");
export const CLOSED = id("17");
export const FILLS = id("21");
export const AGREES = id("31");

export const PASSWORD = "lanterns over quiet water";
export const PEOPLE = {
  olivia: { username: "olivia", nickname: "Olivia", phone: "+8613900000901", email: "olivia@mail.example.com" },
  peter: { username: "peter", nickname: "Peter" },
};

export const ACCOUNT = { token: "pushToken1", aesKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE" };

const app = (last, kind, more = {}) => ({ app_id: `wx0c000000000000${last}`, secret: `5ec0000000000000000000000000c0${last}`, kind, ...more });
/** WeChat's apps by the identifier of their connection. */
export const APPS = {
  mini: app("01", "miniprogram"),
  pc: app("04", "website"),
  official: app("05", "service_account", { original_id: "gh_0c0000000005" }),
  subscription: app("06", "subscription_account", { original_id: "gh_0c0000000006" }),
  asks: app("07", "website"),
  "chooses-pc": app("08", "website"),
};

/** Names that are data, and stay as they are in every language. */
export const NAMES = [
  "青禾生活 Qinghe", "青禾会员 Members", "青禾 TV", "公众号", "订阅号", "小程序码", "微信", "小满", "青禾",
  "Members of Qinghe have prices of their own.", "Terms of use", "Privacy policy", "Shoe size", "Olivia", "Peter", "olivia", "Qinghe", "gold", "basic", "Level", "mei", "lin", "hufu admin login-link", "hufu dev", "青", "小", "公", "订",
];

const quoted = (value) => JSON.stringify(value);

function connection(identifier, type, name, fields, more = "") {
  return `
  [[user_pool.connection]]
  identifier = "${identifier}"
  type = "${type}"
  display_name = "${name}"
  open_platform = "shop"
  ${more}
  fields = { ${Object.entries(fields).map(([key, value]) => `${key} = ${quoted(value)}`).join(", ")} }
`;
}

const of = ({ app_id, secret: app_secret }, more = {}) => ({ app_id, app_secret, ...more });
const push = (of) => ({ original_id: of.original_id, token: ACCOUNT.token, aes_key: ACCOUNT.aesKey });

const application = (keys, login, branding) => `
  [[user_pool.application]]
${Object.entries(keys).map(([key, value]) => `  ${key} = ${quoted(value)}`).join("\n")}
    [user_pool.application.login]
${Object.entries(login).map(([key, value]) => `    ${key} = ${quoted(value)}`).join("\n")}
${branding ? `    [user_pool.application.branding]\n    ${branding}` : ""}`;

const person = ({ username, nickname, phone, email }) => `
  [[user_pool.user]]
  username = "${username}"
  password = "${PASSWORD}"
${Object.entries({ nickname, phone, email }).filter(([, value]) => value).map(([key, value]) => `  ${key} = "${value}"`).join("\n")}
`;

/** `site` is the origin of the website; `senders` are tables that say how a pool sends messages. */
export function worldToml(site, senders) {
  const redirect_uris = [`${site}/done`];
  const spa = (id, name, connections, more = {}) => ({ id, name, type: "spa", connections, redirect_uris, ...more });
  const forms = ["password", "phone-code", "email-code"];
  return `
[[user_pool]]
id = "${POOLS.shop}"
name = "Qinghe"
${senders}
  [user_pool.settings]
  sms_countries = ["86", "852", "1"]
  agreements = [{ id = "terms", version = 1, title = "Terms of use", url = "${site}/terms", required = false }]
${connection("mini", "wechat:miniprogram:default", "微信", of(APPS.mini, { web_view_page: "pages/login/index" }))}
${connection("pc", "wechat:pc", "微信", of(APPS.pc))}
${connection("page", "wechat:webpage-authorization", "微信", of(APPS.official))}
${connection("scan", "wechat:miniprogram:qrconnect", "小程序码", of(APPS.mini))}
${connection("official", "wechatmp-qrcode", "公众号", of(APPS.official, push(APPS.official)))}
${connection("subscription", "wechatmp-qrcode", "订阅号", of(APPS.subscription, { ...push(APPS.subscription), account: "subscription" }))}
${connection("asks", "wechat:pc", "微信", of(APPS.asks), 'association = { mode = "ask" }')}
${connection("chooses-pc", "wechat:pc", "微信", of(APPS["chooses-pc"]), 'association = { conflict = "choose" }')}
${connection("only", "wechat:miniprogram:qrconnect", "小程序码", of(APPS.mini), "login_only = true")}
${application(spa(SITE, "青禾生活 Qinghe", ["pc", "page", "official", "subscription", "scan", "mini"]), { methods: [...forms, "official", "subscription", "scan"], agreements: ["terms"] })}
${application(spa(ASKS, "青禾生活 Qinghe", ["asks"]), { methods: forms })}
${application(spa(CHOOSES, "青禾生活 Qinghe", ["chooses-pc", "pc"]), { methods: forms })}
${application({ id: CONSENTS.id, name: "青禾会员 Members", type: "web", secret: CONSENTS.secret, connections: [], redirect_uris, logout_redirect_uris: [`${site}/`], description: "Members of Qinghe have prices of their own." }, { methods: forms, consent: true }, 'primary_color = "#b23a1e"')}
${application({ id: TV, name: "青禾 TV", type: "native", connections: [], redirect_uris: ["http://127.0.0.1/callback"], grants: ["device_code", "refresh_token"] }, { methods: forms })}
${application(spa(MERGED, "青禾生活 Qinghe", ["only"]), { methods: ["phone-code", "only"], merged: true }, 'title = { zh-CN = "青禾会员", zh-TW = "青禾會員", en = "Members of Qinghe", ja = "青禾会員" }')}
${application(spa(CLOSED, "青禾生活 Qinghe", []), { methods: forms, registration: [], keep_signed_in: false })}
${person(PEOPLE.olivia)}${person(PEOPLE.peter)}

[[user_pool]]
id = "${POOLS.filled}"
name = "Qinghe"
${senders}
  [user_pool.settings]
  required_fields = ["nickname", "gender", "birthdate", "phone", "custom.size", "custom.level"]
  custom_fields = [{ key = "size", type = "number", label = "Shoe size" }, { key = "level", type = "enum", label = "Level", options = ["basic", "gold"] }]
${application(spa(FILLS, "青禾生活 Qinghe", []), { methods: forms })}
${person({ username: "olivia" })}

[[user_pool]]
id = "${POOLS.agreed}"
name = "Qinghe"
${senders}
  [user_pool.settings]
  agreements = [{ id = "terms", version = 1, title = "Terms of use", url = "${site}/terms" }, { id = "privacy", version = 1, title = "Privacy policy" }]
${application(spa(AGREES, "青禾生活 Qinghe", []), { methods: forms })}
${person({ username: "olivia" })}
`;
}
