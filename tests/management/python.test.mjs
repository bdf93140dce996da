// PyPI `authing`'s ManagementClient, which gets a token for the key: every call that is served, and what the others are told.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { data, documented, ENGINE, names, refused, SHOP, startManaged } from "./harness.mjs";

const folder = fileURLToPath(new URL("python/", import.meta.url));
const python = `${folder}.venv/bin/python`;
// It opens a WebSocket of its own.
const SUBSCRIPTION = "sub_event";
// It asks for a path outside of /api/v3/.
const ASTRAY = "get_row_batch";
// Calls that are served and that the client has no methods for; it makes the first by itself.
const WITHOUT_METHOD = ["get-management-token", "update-application"];

/** The client in a program of its own, for a management key. */
class Program {
  /** The methods that were called. */
  called = new Set();
  #stack;
  #child;
  #lines;
  #errors = "";

  static async start(stack, key = stack.key) {
    assert.ok(existsSync(python), `there is no ${python}; ./test makes it`);
    const program = new Program();
    program.#stack = stack;
    program.#child = spawn(python, ["manage.py"], { cwd: folder, stdio: ["pipe", "pipe", "pipe"] });
    program.#child.stderr.setEncoding("utf8").on("data", (chunk) => (program.#errors += chunk));
    program.#lines = createInterface({ input: program.#child.stdout })[Symbol.asyncIterator]();
    program.methods = await program.#ask({ host: stack.host, key: key.id, secret: key.secret });
    return program;
  }

  async #ask(question) {
    this.#child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await this.#lines.next();
    assert.ok(!done, this.#errors);
    const told = JSON.parse(value);
    this.#stack.secrets.harvest(told);
    return told;
  }

  /** Calls a method, and gives its answer with the paths that it asked for. */
  async tell(name, args = {}) {
    this.called.add(name);
    const told = await this.#ask([name, args]);
    assert.equal(told.error, undefined, name);
    return told;
  }

  /** The client: each method calls that of its name, and gives its answer. */
  get client() {
    return new Proxy({}, { get: (_, name) => async (args) => (await this.tell(name, args)).answer });
  }

  async close() {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, "close");
  }
}

describe(`PyPI authing's ManagementClient on ${ENGINE}`, () => {
  let stack;
  let program;
  let client;
  before(async () => {
    stack = await startManaged();
    program = await Program.start(stack);
    client = program.client;
  });
  after(async () => {
    await program?.close();
    await stack?.close();
  });

  const create = async (more) => data(await client.create_user({ username: `user${Math.random().toString(36).slice(2)}`, ...more }));
  const pagination = { page: 1, limit: 10 };

  test("a user is created, read by every name, changed and deleted", async () => {
    const [phone, email] = [stack.number(), stack.address()];
    const custom_data = { level: 3, tags: ["a b"] };
    const made = await create({ phone, email, external_id: "crm 1 & more", nickname: "小明 👋", custom_data });
    for (const [user_id, user_id_type] of [
      [made.userId, undefined],
      [made.username, "username"],
      [email, "email"],
      [phone, "phone"],
      ["crm 1 & more", "external_id"],
    ]) {
      const found = data(await client.get_user({ user_id, user_id_type, with_custom_data: true, with_identities: true }));
      assert.deepEqual([found.userId, found.nickname], [made.userId, "小明 👋"], user_id_type);
      assert.deepEqual([found.customData, found.identities], [custom_data, []]);
    }
    const changed = data(await client.update_user({ user_id: made.userId, nickname: "Bob", status: "Suspended" }));
    assert.deepEqual([changed.nickname, changed.email, changed.status], ["Bob", email, "Suspended"]);
    assert.deepEqual(data(await client.is_user_exists({ email })), { exists: true });
    assert.deepEqual(data(await client.delete_users_batch({ user_ids: [made.userId] })), { success: true });
    assert.deepEqual(data(await client.is_user_exists({ email })), { exists: false });
    refused(await client.get_user({ user_id: made.userId }), 2443);
  });

  test("users are created, read and changed by the batch, and a name that is taken stops it", async () => {
    const made = data(await client.create_users_batch({ list: [{ username: "anna" }, { username: "ben" }] }));
    assert.deepEqual(made.map((user) => user.username), ["anna", "ben"]);
    const user_ids = made.map((user) => user.userId);
    const read = data(await client.get_user_batch({ user_ids: [...user_ids, "nobody"] }));
    assert.deepEqual(read.map((user) => user.userId), user_ids);
    const list = user_ids.map((userId) => ({ userId, nickname: "new" }));
    assert.deepEqual(data(await client.update_user_batch({ list })).map((user) => user.nickname), ["new", "new"]);
    const stopped = await client.create_users_batch({ list: [{ username: "carl" }, { username: "anna" }] });
    assert.equal(stopped.data.done.length, 1, JSON.stringify(stopped));
    const byName = { user_ids: ["carl", "anna", "ben"], options: { userIdType: "username" } };
    assert.deepEqual(data(await client.delete_users_batch(byName)), { success: true });
  });

  test("users are listed, paged, searched and filtered", async () => {
    const ids = [];
    for (const number of [1, 2, 3]) ids.unshift((await create({ nickname: `清和茶铺 ${number}` })).userId);
    const page = (page) => client.list_users({ keywords: "清和茶铺", options: { pagination: { page, limit: 2 } } });
    const pages = [data(await page(1)), data(await page(2))];
    assert.deepEqual(pages.flatMap(({ list }) => list.map((user) => user.userId)), ids);
    assert.equal(pages[1].totalCount, 3);
    const legacy = data(await client.list_users_legacy({ page: 1, limit: 2, status: "Activated" }));
    assert.deepEqual(legacy.list.map((user) => user.userId), ids.slice(0, 2));
    const filtered = (field, operator, value) => client.list_users({ advanced_filter: [{ field, operator, value }] });
    assert.deepEqual(data(await filtered("id", "EQUAL", ids[0])).list.map((user) => user.userId), [ids[0]]);
    refused(await filtered("loginsCount", "GREATER", 3), 2724);
    assert.equal(data(await client.update_user({ user_id: ids[0], status: "Archived" })).status, "Archived");
    assert.deepEqual(data(await client.list_archived_users(pagination)).list, [{ userId: ids[0] }]);
    assert.deepEqual(data(await client.delete_users_batch({ user_ids: ids })), { success: true });
  });

  test("a person who logged in is seen, kicked and unlinked", async () => {
    const { id: user_id } = await stack.login(await stack.person(), { app: SHOP });
    const [identity] = data(await client.get_user_identities({ user_id }));
    assert.ok(data(await client.list_ext_idp()).list.some(({ id }) => id === identity.extIdpId));
    const history = data(await client.get_user_login_history({ user_id, ...pagination }));
    assert.deepEqual([history.totalCount, history.list[0].appId], [1, SHOP]);
    assert.equal(data(await client.get_user_loggedin_apps({ user_id }))[0].appId, SHOP);
    assert.equal(data(await client.get_user_loggedin_identities({ user_id }))[0].idpId, identity.extIdpId);
    assert.equal(data(await client.get_user_mfa_info({ user_id })).totpStatus, "disabled");
    assert.deepEqual(data(await client.check_session_status({ app_id: SHOP, user_id })), { active: true });
    assert.deepEqual(data(await client.kick_users({ app_ids: [SHOP], user_id })), { success: true });
    assert.deepEqual(data(await client.check_session_status({ app_id: SHOP, user_id })), { active: false });
    const logs = data(await client.get_user_action_logs({ user_id, event_type: "login", pagination }));
    assert.deepEqual([logs.list[0].userId, logs.list[0].eventType, logs.list[0].success], [user_id, "login", true]);
    const { extIdpId: ext_idp_id, userIdInIdp: user_id_in_idp, type } = identity;
    assert.deepEqual(data(await client.unlink_identity({ user_id, ext_idp_id })), { success: true });
    assert.deepEqual(data(await client.get_user_identities({ user_id })), []);
    assert.deepEqual(data(await client.link_identity({ user_id, ext_idp_id, user_id_in_idp, type })), { success: true });
    assert.deepEqual(data(await client.get_user_identities({ user_id })).map(({ userIdInIdp }) => userIdInIdp), [user_id_in_idp]);
  });

  test("an application is made, read, given a new secret and deleted", async () => {
    const redirect_uris = ["https://shop.example.com/done"];
    const { appId: app_id, secret } = data(await client.create_application({ app_name: "Website", app_type: "web", redirect_uris }));
    const read = data(await client.get_application({ app_id }));
    assert.deepEqual([read.appName, read.redirectUris], ["Website", redirect_uris]);
    assert.equal(data(await client.get_application_simple_info({ app_id })).appName, "Website");
    const listed = data(await client.list_applications({ page: 1, limit: 50 }));
    assert.ok(listed.list.some(({ appId }) => appId === app_id) && listed.totalCount === listed.list.length);
    assert.equal(data(await client.list_application_simple_info({ page: 1, limit: 2 })).list.length, 2);
    refused(await client.get_application_secret({ app_id }), 2727);
    const next = data(await client.refresh_application_secret({ app_id })).secret;
    assert.match(next, /^hfc_/);
    assert.notEqual(next, secret);
    refused(await client.create_application({ app_name: "x", saml_provider_enabled: true }), 2724);
    assert.deepEqual(data(await client.delete_application({ app_id })), { success: true });
    refused(await client.get_application({ app_id }), 2446);
  });

  test("an identity source is made with a connection, switched, and removed", async () => {
    const source = data(await client.create_ext_idp({ name: "微信", type: "wechat" }));
    const fields = { clientID: "wx5a000000000000aa", clientSecret: "5ec0000000000000000000000000a0aa" };
    stack.secrets.add("app secret", fields.clientSecret);
    const made = data(
      await client.create_ext_idp_conn({
        ext_idp_id: source.id,
        type: "wechat:miniprogram:default",
        identifier: "made-here",
        display_name: "Made here",
        fields,
      }),
    );
    assert.deepEqual([made.extIdpId, made.identifier, made.loginOnly], [source.id, "made-here", false]);
    const { id } = made;
    const changed = data(await client.update_ext_idp_conn({ id, display_name: "Renamed", fields: {}, login_only: true }));
    assert.deepEqual([changed.displayName, changed.loginOnly, changed.fields.appId], ["Renamed", true, fields.clientID]);
    const switched = async () => data(await client.ext_idp_conn_state_by_apps({ id })).find(({ appId }) => appId === SHOP).enabled;
    data(await client.change_ext_idp_conn_state({ id, enabled: true, app_id: SHOP }));
    assert.equal(await switched(), true);
    assert.ok(data(await client.list_ext_idp({ app_id: SHOP })).list.some((listed) => listed.id === source.id));
    data(await client.change_ext_idp_conn_state({ id, enabled: false, app_id: SHOP, app_ids: [SHOP] }));
    assert.equal(await switched(), false);
    data(await client.change_ext_idp_conn_association_state({ id, association: true }));
    data(await client.update_ext_idp({ id: source.id, name: "WeChat" }));
    const read = data(await client.get_ext_idp({ id: source.id }));
    assert.deepEqual([read.name, read.connections[0].associationMode], ["WeChat", "challenge"]);
    data(await client.delete_ext_idp_conn({ id }));
    assert.deepEqual(data(await client.get_ext_idp({ id: source.id })).connections, []);
    data(await client.delete_ext_idp({ id: source.id }));
    refused(await client.get_ext_idp({ id: source.id }), 2728);
    refused(await client.create_ext_idp({ name: "GitHub", type: "github" }), 2231);
  });

  test("settings, custom fields and custom data are read and changed", async () => {
    assert.equal(data(await client.get_security_settings()).registerDisabled, false);
    const qrcode_login_strategy = { qrcodeExpiresIn: 3, qrcodeExpiresInUnit: "Minute" };
    const after = data(await client.update_security_settings({ register_disabled: true, qrcode_login_strategy }));
    assert.deepEqual([after.registerDisabled, after.qrcodeLoginStrategy.qrcodeExpiresIn], [true, 180]);
    assert.equal(data(await client.get_security_settings()).registerDisabled, true);
    assert.equal(data(await client.update_security_settings({ register_disabled: false })).registerDisabled, false);
    refused(await client.update_security_settings({ login_require_email_verified: true }), 2724);
    const field = { targetType: "USER", key: "size", dataType: "STRING", label: "Size" };
    assert.ok(data(await client.set_custom_fields({ list: [field] })).some(({ key, label }) => key === "size" && label === "Size"));
    assert.equal(data(await client.get_custom_fields({ target_type: "USER" }))[0].dataType, "STRING");
    const { userId } = await create();
    const target = { target_type: "USER", target_identifier: userId, tenant_id: null };
    data(await client.set_custom_data({ ...target, list: [{ key: "size", value: "XL" }] }));
    assert.deepEqual(data(await client.get_custom_data(target)), { size: "XL" });
    data(await client.delete_custom_fields({ tenant_id: null, list: [{ targetType: "USER", key: "size" }] }));
    assert.deepEqual(data(await client.list_cust_fields({ target_type: "USER", data_type: null })), []);
  });

  test("webhooks are made, changed, tested and deleted", async () => {
    const url = "https://crm.example.com/hook";
    const hook = data(
      await client.create_webhook({ content_type: "application/json", name: "CRM", url, events: ["login", "user:created"] }),
    );
    assert.deepEqual([hook.url, hook.events], [url, ["login", "user.created"]]);
    const webhook_id = hook.webhookId;
    assert.equal(data(await client.update_webhook({ webhook_id, name: "ERP", enabled: false })).name, "ERP");
    const read = data(await client.get_webhook({ webhook_id }));
    assert.deepEqual([read.name, read.enabled, read.secret], ["ERP", false, undefined]);
    assert.equal(data(await client.list_webhooks(pagination)).totalCount, 1);
    assert.ok(data(await client.get_webhook_event_list()).events.some(({ value }) => value === "user.created"));
    data(await client.trigger_webhook({ webhook_id }));
    assert.equal(data(await client.get_webhook_logs({ webhook_id, ...pagination })).list[0].eventName, "ping");
    data(await client.delete_webhook({ webhook_ids: [webhook_id] }));
    refused(await client.get_webhook({ webhook_id }), 2446);
  });

  test("what the client did is in the log of administrators", async () => {
    await create();
    const logs = data(await client.get_admin_audit_logs({ operation_type: "create", resource_type: "user", pagination }));
    const [latest] = logs.list;
    assert.deepEqual([latest.adminUserDisplayName, latest.operationType, latest.success], ["management_key", "create", true]);
    assert.ok(logs.list.every(({ eventDetails }) => eventDetails === "user.created"));
  });

  test("a key of another pool sees nothing of this one, and a wrong one nothing at all", async () => {
    const { userId: user_id } = await create();
    const others = await Program.start(stack, stack.otherKey);
    const wrong = await Program.start(stack, { ...stack.key, secret: stack.otherKey.secret });
    try {
      refused(await others.client.get_user({ user_id }), 2443);
      await assert.rejects(wrong.client.get_user({ user_id }), /AuthingException/);
    } finally {
      await Promise.all([others.close(), wrong.close()]);
    }
  });

  test("every method of the client is served and called here, or says what there is not", async () => {
    const served = documented("v3 call", "").flatMap(([call]) => names(call));
    const refusals = documented("about", "calls").flatMap(([, calls]) => names(calls));
    assert.ok(served.length > 50 && refusals.length > 400, `${served.length} and ${refusals.length}`);
    const [wrong, made] = [[], new Set()];
    // In another pool, so that what they do disturbs nothing.
    const others = await Program.start(stack, stack.otherKey);
    try {
      const methods = Object.entries(others.methods).filter(([name]) => name !== SUBSCRIPTION);
      assert.ok(methods.length > 400, `${methods.length}`);
      for (const [name, needed] of methods) {
        const { paths, answer } = await others.tell(name, Object.fromEntries(needed.map((argument) => [argument, "x"])));
        assert.equal(paths.length, 1, name);
        const { apiCode, message } = answer;
        const call = paths[0].replace("/api/v3/", "");
        made.add(call);
        if (name === ASTRAY) {
          assert.deepEqual([call, apiCode], ["/get-row-batch", 404]);
        } else if (served.includes(call)) {
          if ([404, 405, 2723].includes(apiCode)) wrong.push(`${name} is not served: ${apiCode}`);
          if (!program.called.has(name)) wrong.push(`${name} is called by no test`);
        } else if (!refusals.includes(call)) {
          wrong.push(`${name} asks for ${call}, of which docs/clients.md says nothing: ${apiCode}`);
        } else if (apiCode !== 2723 || !/^Hufu has no .+ yet: docs\/clients\.md/.test(message)) {
          wrong.push(`${name} is not refused: ${JSON.stringify(answer)}`);
        }
      }
    } finally {
      await others.close();
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual(served.filter((call) => !made.has(call)), WITHOUT_METHOD);
  });
});
