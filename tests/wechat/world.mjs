// A shop with a website, whose people come through WeChat in every way that a browser knows: the pool as `hufu apply`
// reads it, and the same apps as WeChat knows them.

export const POOL = "6560c0ffee00000000000b01";
export const SITE = "6560c0ffee00000000000b11";
export const BACK_END = { id: "6560c0ffee00000000000b12", secret: `back-end-${"6".repeat(32)}` };
export const PHONE_APP = "6560c0ffee00000000000b13";
/** Applications whose login page is Guard, by how people log in there. */
export const GUARD = {
  everything: "6560c0ffee00000000000b21",
  scanning: "6560c0ffee00000000000b22",
  mail: "6560c0ffee00000000000b23",
};
export const GUEST = { username: "guest", phone: "+8613800000001", email: "guest@mail.example.com" };

export const PUSH = { token: "pushToken1", aesKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE", originalId: "gh_0b0000000005" };
export const WELCOME = "欢迎关注青禾 🌱 <&>";

/** WeChat's apps by the identifier of their connection. */
export const APPS = {
  mini: { app_id: "wx0b00000000000001", secret: "5ec0000000000000000000000000b001", kind: "miniprogram" },
  pc: { app_id: "wx0b00000000000004", secret: "5ec0000000000000000000000000b004", kind: "website" },
  account: { app_id: "wx0b00000000000005", secret: "5ec0000000000000000000000000b005", kind: "service_account", original_id: PUSH.originalId },
};

const fields = ({ app_id, secret }, more = "") => `{ app_id = "${app_id}", app_secret = "${secret}"${more} }`;

/** `site` is the origin of the website; `senders` are tables that say how the pool sends messages. */
export function worldToml(site, { senders = "" } = {}) {
  const connection = (identifier, type, values, more = "") => `
  [[user_pool.connection]]
  identifier = "${identifier}"
  type = "${type}"
  display_name = "WeChat"
  open_platform = "shop"
  ${more}
  fields = ${values}
`;
  const push = `, original_id = "${PUSH.originalId}", token = "${PUSH.token}", aes_key = "${PUSH.aesKey}", welcome = { zh-CN = "${WELCOME}" }`;
  return `
[[user_pool]]
id = "${POOL}"
name = "Qinghe"
${senders}
  [[user_pool.open_platform]]
  name = "shop"
${connection("mini", "wechat:miniprogram:default", fields(APPS.mini, ', web_view_page = "pages/login/index"'))}
${connection("scan", "wechat:miniprogram:qrconnect", fields(APPS.mini))}
${connection("pc", "wechat:pc", fields(APPS.pc))}
${connection("page", "wechat:webpage-authorization", fields(APPS.account), "return_user = true")}
${connection("silent", "wechat:webpage-authorization", fields(APPS.account, ', scope = "snsapi_base"'))}
${connection("official", "wechatmp-qrcode", fields(APPS.account, push))}
  [[user_pool.application]]
  id = "${SITE}"
  name = "Qinghe"
  type = "spa"
  connections = ["pc", "page", "silent", "scan", "official", "mini"]
  redirect_uris = ["${site}/done"]
  allowed_origins = ["${site}"]

  [[user_pool.application]]
  id = "${BACK_END.id}"
  name = "Qinghe's server"
  type = "web"
  connections = ["scan", "official"]
  secret = { env = "BACK_END_SECRET" }
  token_auth = "client_secret_post"
  redirect_uris = ["${site}/callback"]

  [[user_pool.application]]
  id = "${PHONE_APP}"
  name = "Qinghe's mini program"
  type = "mini-program"
  connections = ["mini"]
${guard(GUARD.everything, `methods = ["phone-code", "official", "password", "scan", "email-code"], default_method = "password"`)}
${guard(GUARD.scanning, `methods = ["scan", "official", "password"]`)}
${guard(GUARD.mail, `methods = ["password", "email-code"], default_method = "email-code", merged = true`)}
  [[user_pool.user]]
  username = "${GUEST.username}"
  password = { env = "ALICE_PASSWORD" }
  phone = "${GUEST.phone}"
  email = "${GUEST.email}"
`;

  function guard(id, login) {
    return `
  [[user_pool.application]]
  id = "${id}"
  name = "Qinghe"
  type = "spa"
  connections = ["pc", "page", "silent", "scan", "official", "mini"]
  redirect_uris = ["${site}/done"]
  logout_redirect_uris = ["${site}/bye"]
  allowed_origins = ["${site}"]
  login = { ${login} }
`;
  }
}
