// The pools, applications and connections of the tests, as `hufu apply` reads them, and the same mini programs as
// WeChat knows them.

export const SHOP_POOL = "6560c0ffee00000000000001";
export const OTHER_POOL = "6560c0ffee00000000000002";

export const SHOP = "6560c0ffee00000000000011";
export const MEMBERS = "6560c0ffee00000000000012";
export const BROKEN = "6560c0ffee00000000000013";
export const FROZEN = "6560c0ffee00000000000014";
export const EMPTY = "6560c0ffee00000000000015";
export const OTHER = "6560c0ffee00000000000021";

/** The mini programs by the identifier of their connection. */
export const MINI = {
  "shop-mini": { appId: "wx5a00000000000001", secret: "5ec0000000000000000000000000a001", openPlatform: "shop" },
  "club-mini": { appId: "wx5a00000000000002", secret: "5ec0000000000000000000000000a002", openPlatform: "shop" },
  "member-mini": { appId: "wx5a00000000000003", secret: "5ec0000000000000000000000000a003", openPlatform: "shop", loginOnly: true },
  "broken-mini": { appId: "wx5a00000000000004", secret: "5ec0000000000000000000000000a004", wrongSecret: true },
  "frozen-mini": { appId: "wx5a00000000000005", secret: "5ec0000000000000000000000000a005" },
  "spare-mini": { appId: "wx5a00000000000006", secret: "5ec0000000000000000000000000a006" },
  "other-mini": { appId: "wx5a0000000000000a", secret: "5ec0000000000000000000000000a00a" },
};

export const ALICE = { username: "alice", password: "correct horse battery", phone: "+8613800000000" };

/** Values for `{ env = … }` in the world. */
export function worldEnvironment() {
  const secrets = Object.entries(MINI).map(([identifier, { secret, wrongSecret }]) => [
    variable(identifier),
    wrongSecret ? secret.replace("5ec", "bad") : secret,
  ]);
  return { ...Object.fromEntries(secrets), ALICE_PASSWORD: ALICE.password };
}

/**
 * The world as a file for `hufu apply`. `without` leaves connections of the shop out; `senders` are tables that say how
 * pools send messages.
 */
export function worldToml({ without = [], senders = "" } = {}) {
  const ofShop = ["shop-mini", "club-mini", "member-mini", "broken-mini", "frozen-mini", "spare-mini"].filter(
    (identifier) => !without.includes(identifier),
  );
  const listed = (...identifiers) => identifiers.filter((identifier) => ofShop.includes(identifier));
  return `
[[user_pool]]
id = "${SHOP_POOL}"
name = "Shop"
${senders}
  [user_pool.settings]
  sms_countries = ["86", "1"]
${ofShop.map(connection).join("")}
${application(SHOP, "Shop mini program", listed("shop-mini", "club-mini"), true)}
${application(MEMBERS, "Members only", listed("member-mini"))}
${application(BROKEN, "Wrong secret", listed("broken-mini"))}
${application(FROZEN, "Frozen mini program", listed("frozen-mini"))}
${application(EMPTY, "No connection", [])}
  [[user_pool.user]]
  username = "${ALICE.username}"
  password = { env = "ALICE_PASSWORD" }
  phone = "${ALICE.phone}"

[[user_pool]]
id = "${OTHER_POOL}"
name = "Other"
${senders}
  [user_pool.settings]
  tell_existence = true
  register_email_without_code = true
${connection("other-mini")}
${application(OTHER, "Other mini program", ["other-mini"], true)}
`;
}

function connection(identifier) {
  const { appId, openPlatform, loginOnly } = MINI[identifier];
  return `
  [[user_pool.connection]]
  identifier = "${identifier}"
  type = "wechat:miniprogram:default"
  display_name = "WeChat"
  ${loginOnly ? "login_only = true" : ""}
  ${openPlatform ? `open_platform = "${openPlatform}"` : ""}
  fields = { app_id = "${appId}", app_secret = { env = "${variable(identifier)}" } }
`;
}

function application(id, name, connections, isDefault = false) {
  return `
  [[user_pool.application]]
  id = "${id}"
  name = "${name}"
  type = "mini-program"
  ${isDefault ? "default = true" : ""}
  connections = ${JSON.stringify(connections)}
`;
}

const variable = (identifier) => `${identifier.replace("-", "_").toUpperCase()}_SECRET`;
