// `authing-node-sdk`: every call that is served, and what the others are told.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  data,
  documented,
  ENGINE,
  MINI,
  managementKey,
  names,
  nodeCalls,
  nodeClient,
  nodeSource,
  noting,
  refused,
  SHOP,
  SHOP_POOL,
  startManaged,
} from "./harness.mjs";

// What is refused whoever asks, and so never answered.
const ALWAYS_REFUSED = ["getApplicationSecret"];
// Calls that are served and that the client has no methods for: it signs its requests, and needs no token.
const WITHOUT_METHOD = ["get-management-token"];

describe(`authing-node-sdk's ManagementClient on ${ENGINE}`, () => {
  let stack;
  let client;
  // The methods that were served.
  const answered = new Set();
  before(async () => {
    stack = await startManaged();
    client = noting(nodeClient(stack), answered, { isAnswer: ({ statusCode }) => statusCode === 200 });
  });
  after(() => stack?.close());

  const create = async (more) => data(await client.createUser({ username: `user${Math.random().toString(36).slice(2)}`, ...more }));

  test("a user is created, read by every name, changed and deleted", async () => {
    const [phone, email] = [stack.number(), stack.address()];
    const made = await create({
      phone,
      email,
      externalId: "crm 1 & more",
      nickname: "小明 “Bob” \\ 👋",
      gender: "M",
      password: "correct horse battery",
      customData: { level: 3, tags: ["a b", "c"], nested: { x: null } },
    });
    assert.equal(made.emailVerified, true);
    for (const [userId, userIdType] of [
      [made.userId, undefined],
      [made.userId, "user_id"],
      [made.username, "username"],
      [email, "email"],
      [phone, "phone"],
      ["crm 1 & more", "external_id"],
    ]) {
      const found = data(await client.getUser({ userId, userIdType, withCustomData: true, withIdentities: true }));
      assert.equal(found.userId, made.userId, userIdType);
      assert.equal(found.nickname, "小明 “Bob” \\ 👋");
      assert.deepEqual(found.customData.tags, ["a b", "c"]);
      assert.deepEqual(found.identities, []);
    }
    const changed = data(await client.updateUser({ userId: made.userId, nickname: "Bob", email: null, status: "Suspended" }));
    assert.deepEqual([changed.nickname, changed.email, changed.status], ["Bob", null, "Suspended"]);
    const byName = { userId: made.username, company: "Qinghe", options: { userIdType: "username" } };
    assert.equal(data(await client.updateUser(byName)).company, "Qinghe");
    assert.deepEqual(data(await client.isUserExists({ username: made.username })), { exists: true });
    assert.deepEqual(data(await client.deleteUsersBatch({ userIds: [made.userId] })), { success: true });
    assert.deepEqual(data(await client.isUserExists({ username: made.username })), { exists: false });
    refused(await client.getUser({ userId: made.userId }), 2443);
  });

  test("users are created, read and changed by the batch, and a name that is taken stops it", async () => {
    const list = ["anna", "ben"].map((username) => ({ username }));
    const made = data(await client.createUsersBatch({ list }));
    assert.deepEqual(made.map((user) => user.username), ["anna", "ben"]);
    const userIds = made.map((user) => user.userId);
    const read = data(await client.getUserBatch({ userIds: [...userIds, "nobody"], withCustomData: true }));
    assert.deepEqual(read.map((user) => user.userId), userIds);
    const changes = userIds.map((userId) => ({ userId, nickname: "new" }));
    assert.deepEqual(data(await client.updateUserBatch({ list: changes })).map((user) => user.nickname), ["new", "new"]);
    const stopped = await client.createUsersBatch({ list: [{ username: "carl" }, { username: "anna" }] });
    assert.equal(stopped.data.done.length, 1, JSON.stringify(stopped));
    data(await client.deleteUsersBatch({ userIds: ["carl", "anna", "ben"], options: { userIdType: "username" } }));
  });

  test("users are listed, paged, searched and filtered", async () => {
    const ids = [];
    for (let number = 0; number < 5; number += 1) ids.unshift((await create({ nickname: `清和茶铺 ${number}` })).userId);
    const page = (page) => client.listUsers({ keywords: "清和茶铺", options: { pagination: { page, limit: 2 } } });
    const pages = [data(await page(1)), data(await page(2)), data(await page(3))];
    assert.deepEqual(pages.flatMap(({ list }) => list.map((user) => user.userId)), ids);
    assert.equal(pages[2].totalCount, 5);
    const legacy = data(await client.listUsersLegacy({ page: 1, limit: 3, status: "Activated" }));
    assert.deepEqual(legacy.list.map((user) => user.userId), ids.slice(0, 3));
    assert.ok(legacy.totalCount >= 5);
    const filtered = (field, operator, value) => client.listUsers({ advancedFilter: [{ field, operator, value }] });
    assert.equal(data(await filtered("id", "EQUAL", ids[0])).totalCount, 1);
    data(await client.updateUser({ userId: ids[0], status: "Suspended" }));
    assert.deepEqual(data(await filtered("status", "EQUAL", "Suspended")).list.map((user) => user.userId), [ids[0]]);
    data(await client.updateUser({ userId: ids[0], status: "Archived" }));
    assert.deepEqual(data(await client.listArchivedUsers({ page: 1, limit: 10 })).list, [{ userId: ids[0] }]);
    refused(await filtered("loginsCount", "GREATER", 3), 2724);
    refused(await client.listUsers({ options: { sort: [{ field: "email", order: "asc" }] } }), 2724);
    data(await client.deleteUsersBatch({ userIds: ids }));
  });

  test("a person who logged in is seen, kicked and unlinked", async () => {
    const person = await stack.person();
    const { id: userId, token } = await stack.login(person, { app: SHOP });
    const sources = data(await client.listExtIdp({})).list;
    const identities = data(await client.getUserIdentities({ userId }));
    assert.ok(sources.some(({ id }) => id === identities[0].extIdpId));
    const byIdentity = `${identities[0].extIdpId}:${identities[0].userIdInIdp}`;
    stack.secrets.add("openid", identities[0].userIdInIdp);
    assert.equal(data(await client.getUser({ userId: byIdentity, userIdType: "identity" })).userId, userId);
    const history = data(await client.getUserLoginHistory({ userId, page: 1, limit: 10 }));
    assert.deepEqual([history.totalCount, history.list[0].appId], [1, SHOP]);
    assert.equal(data(await client.getUserLoggedinApps({ userId }))[0].appId, SHOP);
    assert.equal(data(await client.getUserLoggedinIdentities({ userId }))[0].idpId, identities[0].extIdpId);
    assert.deepEqual(data(await client.checkSessionStatus({ appId: SHOP, userId })), { active: true });
    assert.equal(data(await client.getUserMfaInfo({ userId })).totpStatus, "disabled");
    data(await client.kickUsers({ userId, appIds: [SHOP] }));
    assert.deepEqual(data(await client.checkSessionStatus({ appId: SHOP, userId })), { active: false });
    const me = await stack.call("/api/v2/users/me", { method: "GET", token: `Bearer ${token}` });
    assert.equal(me.body.code, 2020);
    const logs = data(await client.getUserActionLogs({ userId, eventType: "login", pagination: { page: 1, limit: 10 } }));
    assert.deepEqual([logs.list[0].userId, logs.list[0].eventType, logs.list[0].success], [userId, "login", true]);
    data(await client.unlinkIdentity({ userId, extIdpId: identities[0].extIdpId, isSocial: true }));
    assert.deepEqual(data(await client.getUserIdentities({ userId })), []);
    const { extIdpId, userIdInIdp, type } = identities[0];
    data(await client.linkIdentity({ userId, extIdpId, userIdInIdp, type, isSocial: true }));
    assert.equal(data(await client.getUserIdentities({ userId }))[0].userIdInIdp, userIdInIdp);
  });

  test("an application is made, changed, given a new secret and deleted", async () => {
    const made = data(
      await client.createApplication({ appName: "Website", appType: "web", redirectUris: ["https://shop.example.com/done"] }),
    );
    assert.deepEqual(made.redirectUris, ["https://shop.example.com/done"]);
    const { appId } = made;
    data(await client.updateApplication({ appId, appName: "Renamed", logoutRedirectUris: ["https://shop.example.com/"] }));
    const read = data(await client.getApplication({ appId }));
    assert.deepEqual([read.appName, read.logoutRedirectUris], ["Renamed", ["https://shop.example.com/"]]);
    assert.equal(data(await client.getApplicationSimpleInfo({ appId })).appName, "Renamed");
    const listed = data(await client.listApplications({ page: 1, limit: 50 }));
    assert.ok(listed.list.some((application) => application.appId === appId) && listed.totalCount === listed.list.length);
    assert.equal(data(await client.listApplicationSimpleInfo({ page: 1, limit: 2 })).list.length, 2);
    refused(await client.getApplicationSecret({ appId }), 2727);
    assert.match(data(await client.refreshApplicationSecret({ appId })).secret, /^hfc_/);
    refused(await client.createApplication({ appName: "x", samlProviderEnabled: true }), 2724);
    data(await client.deleteApplication({ appId }));
    refused(await client.getApplication({ appId }), 2446);
  });

  test("an identity source is made with a connection, switched, and removed", async () => {
    const source = data(await client.createExtIdp({ name: "微信", type: "wechat" }));
    const fields = { clientID: "wx5a000000000000aa", clientSecret: "5ec0000000000000000000000000a0aa" };
    stack.secrets.add("app secret", fields.clientSecret);
    const made = data(
      await client.createExtIdpConn({
        extIdpId: source.id,
        type: "wechat:miniprogram:default",
        identifier: "made-here",
        displayName: "Made here",
        fields,
      }),
    );
    assert.deepEqual([made.extIdpId, made.identifier, made.loginOnly], [source.id, "made-here", false]);
    const changed = data(await client.updateExtIdpConn({ id: made.id, displayName: "Renamed", fields: {}, loginOnly: true }));
    assert.deepEqual([changed.displayName, changed.loginOnly, changed.fields.appId], ["Renamed", true, fields.clientID]);
    data(await client.changeExtIdpConnState({ id: made.id, enabled: true, appId: SHOP }));
    const states = data(await client.extIdpConnStateByApps({ id: made.id }));
    assert.equal(states.find(({ appId }) => appId === SHOP).enabled, true);
    assert.ok(data(await client.listExtIdp({ appId: SHOP })).list.some(({ id }) => id === source.id));
    data(await client.changeExtIdpConnState({ id: made.id, enabled: false, appIds: [SHOP] }));
    data(await client.changeExtIdpConnAssociationState({ id: made.id, association: true }));
    data(await client.updateExtIdp({ id: source.id, name: "WeChat" }));
    const read = data(await client.getExtIdp({ id: source.id }));
    assert.deepEqual([read.name, read.connections[0].associationMode], ["WeChat", "challenge"]);
    data(await client.deleteExtIdpConn({ id: made.id }));
    assert.deepEqual(data(await client.getExtIdp({ id: source.id })).connections, []);
    data(await client.deleteExtIdp({ id: source.id }));
    refused(await client.getExtIdp({ id: source.id }), 2728);
    refused(await client.createExtIdp({ name: "GitHub", type: "github" }), 2231);
  });

  test("settings, custom fields and custom data are read and changed", async () => {
    const before = data(await client.getSecuritySettings());
    assert.equal(before.registerDisabled, false);
    const after = data(
      await client.updateSecuritySettings({ registerDisabled: true, qrcodeLoginStrategy: { qrcodeExpiresIn: 3, qrcodeExpiresInUnit: "Minute" } }),
    );
    assert.deepEqual([after.registerDisabled, after.qrcodeLoginStrategy.qrcodeExpiresIn], [true, 180]);
    data(await client.updateSecuritySettings({ registerDisabled: false }));
    refused(await client.updateSecuritySettings({ loginRequireEmailVerified: true }), 2724);
    const field = { targetType: "USER", key: "size", dataType: "STRING", label: "Size" };
    assert.ok(data(await client.setCustomFields({ list: [field] })).some(({ key, label }) => key === "size" && label === "Size"));
    assert.equal(data(await client.getCustomFields({ targetType: "USER" }))[0].dataType, "STRING");
    const { userId } = await create();
    const target = { targetType: "USER", targetIdentifier: userId };
    data(await client.setCustomData({ ...target, list: [{ key: "size", value: "XL" }] }));
    assert.deepEqual(data(await client.getCustomData(target)), { size: "XL" });
    data(await client.deleteCustomFields({ list: [{ targetType: "USER", key: "size" }] }));
    assert.deepEqual(data(await client.listCustFields({ targetType: "USER" })), []);
  });

  test("webhooks are made, changed, tested and deleted", async () => {
    const hook = data(
      await client.createWebhook({
        contentType: "application/json",
        name: "CRM",
        url: "https://crm.example.com/hook",
        events: ["login", "user:created"],
      }),
    );
    stack.secrets.add("webhook secret", hook.secret);
    assert.deepEqual(hook.events, ["login", "user.created"]);
    const { webhookId } = hook;
    assert.equal(data(await client.updateWebhook({ webhookId, name: "ERP", enabled: false })).name, "ERP");
    assert.equal(data(await client.getWebhook({ webhookId })).enabled, false);
    assert.equal(data(await client.listWebhooks({ page: 1, limit: 10 })).totalCount, 1);
    assert.ok(data(await client.getWebhookEventList()).events.some(({ value }) => value === "user.created"));
    data(await client.triggerWebhook({ webhookId }));
    assert.equal(data(await client.getWebhookLogs({ webhookId, page: 1, limit: 10 })).list[0].eventName, "ping");
    data(await client.deleteWebhook({ webhookIds: [webhookId] }));
    refused(await client.getWebhook({ webhookId }), 2446);
  });

  test("what the client did is in the log of administrators", async () => {
    const { userId } = await create();
    const logs = data(await client.getAdminAuditLogs({ operationType: "create", resourceType: "user", pagination: { page: 1, limit: 5 } }));
    const [latest] = logs.list;
    assert.deepEqual([latest.adminUserDisplayName, latest.operationType, latest.success], ["management_key", "create", true]);
    assert.ok(logs.list.every(({ eventDetails }) => eventDetails === "user.created"), userId);
  });

  test("a key of another pool sees nothing of this one, and a wrong one nothing at all", async () => {
    const { userId } = await create();
    refused(await nodeClient(stack, stack.otherKey).getUser({ userId }), 2443);
    refused(await nodeClient(stack, { ...stack.key, secret: stack.otherKey.secret }).getUser({ userId }), 2720);
    const next = await managementKey(stack, SHOP_POOL);
    for (const key of [stack.key, next]) assert.equal(data(await nodeClient(stack, key).getUser({ userId })).userId, userId);
    stack.key = next;
  });

  // What the tests before this one called.
  test("every method whose call is in docs/clients.md was called here and answered", () => {
    const served = documented("v3 call", "").flatMap(([call]) => names(call));
    const calls = nodeCalls();
    const methods = [...calls].filter(([, call]) => served.includes(call)).map(([name]) => name);
    assert.ok(methods.length > 50, `${methods.length}`);
    assert.deepEqual(methods.filter((name) => !answered.has(name)), ALWAYS_REFUSED, "called by no test, or refused");
    assert.deepEqual(served.filter((call) => ![...calls.values()].includes(call)), WITHOUT_METHOD);
    assert.deepEqual([...answered].filter((name) => !methods.includes(name)), [], "not in the table");
  });

  /** The calls of the client: the methods of HTTP and the paths. */
  const calls = () => {
    const found = nodeSource().matchAll(/method:\s*["'](\w+)["'],\s*url:\s*["'](\/api\/v3\/[^"']+)["']/g);
    return [...found].map(([, method, path]) => ({ method, path }));
  };

  test("every call of the client is answered: it is served, or says what there is not", async () => {
    const all = calls();
    assert.ok(all.length > 490, `${all.length}`);
    const unknown = [];
    for (const { method, path } of all) {
      const { body } = await stack.call(path, { method, headers: { "x-authing-lang": "en-US" }, json: method === "GET" ? undefined : {} });
      // Without a key, a call that is served asks for one.
      if (![2720, 2723].includes(body.code) && path !== "/api/v3/get-user") unknown.push(`${method} ${path}: ${body.code}`);
      if (body.code === 2723) assert.match(body.message, /^Hufu has no .+ yet: docs\/clients\.md/);
    }
    assert.deepEqual(unknown, []);
    refused(await client.getRole({ code: "admin" }), 2723);
    refused(await client.getUserRoles({ userId: "x" }), 2723);
    assert.ok(MINI);
  });
});
