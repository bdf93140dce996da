// `authing-js-sdk`'s ManagementClient: a token for the key, GraphQL, and REST of v2.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { documented, ENGINE, jsClient, names, nodeClient, noting, OTHER_POOL, SHOP, SHOP_POOL, startManaged } from "./harness.mjs";

// What the client speaks with, which is no part of what it offers.
const TRANSPORT = ["options", "tokenProvider", "publicKeyManager", "httpClient", "fastHttpClient", "graphqlClient"];
// They open a WebSocket of their own.
const SUBSCRIPTION = ["event.sub", "event.initWebSocket", "event.reconnect"];
// What all but the methods of the table are told.
const NOT_SERVED = [404, 405, 2723];
// Arguments in the shapes that the methods take: they look at them before they ask.
const WHOLE = {
  ...{ appId: "x", namespace: "x", code: "x", resource: "x", resourceType: "API", type: "API", actions: [{ name: "x" }] },
  ...{ targetType: "USER", targetIdentifiers: ["x"], inheritByChildren: true, defaultStrategy: "ALLOW_ALL" },
  ...{ userId: "x", userIds: ["x"], roleCode: "x", data: { x: "x" }, sourceNodeId: "x", targetNodeId: "x" },
};
const SHAPES = [["x", ["x"], "x"], ["x", "x"], [WHOLE], ["x", WHOLE], [[WHOLE]], ["EMAIL"]];
const TOLD_OTHERWISE = {
  // There is custom data, but of users only.
  "roles.getUdfValue": 2231,
  "roles.getSpecificUdfValue": 2231,
  "roles.setUdfValue": 2231,
  "roles.removeUdfValue": 2231,
  "roles.getUdfValueBatch": 2231,
  "roles.setUdfValueBatch": 2231,
  // Settings of the pool that there are not.
  "whitelist.enable": 2724,
  "whitelist.disable": 2724,
  // Its path is that of an application.
  "acl.deleteProgrammaticAccessAccount": 2446,
};

/** The methods of the rows of the table in docs/clients.md that are accepted, such as `users.create`. */
function listed(accept) {
  const rows = documented("", "methods").filter(([about]) => accept(about));
  return rows.flatMap(([about, methods]) => names(methods).map((name) => [...names(about), name].join(".")));
}

const isServed = (about) => !["client only", "refused"].includes(about);

/** A connection of the pool that was made in another way. */
async function connectionOf(client) {
  const connections = (await client.tenant.listExtIdp("")).flatMap(({ connections }) => connections);
  return connections.find(({ type }) => type === "wechat:miniprogram:default");
}

/** All methods of the client by their names. */
function methods(client) {
  const found = new Map();
  for (const [area, part] of [["", client], ...Object.entries(client)].filter(([area]) => !TRANSPORT.includes(area))) {
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(part)).filter((name) => name !== "constructor")) {
      found.set(area === "" ? name : `${area}.${name}`, async (...args) => part[name](...args));
    }
  }
  return found;
}

describe(`authing-js-sdk's ManagementClient on ${ENGINE}`, () => {
  let stack;
  let client;
  const answered = new Set();
  before(async () => {
    stack = await startManaged();
    client = noting(jsClient(stack), answered, { isPart: (name) => !TRANSPORT.includes(name) });
  });
  after(() => stack?.close());

  test("a user is created, found, changed and deleted", async () => {
    const email = stack.address();
    const made = await client.users.create({ email, username: "bob", password: "correct horse battery", nickname: "Bob" });
    assert.deepEqual([made.email, made.nickname, made.token], [email, "Bob", null]);
    assert.equal((await client.users.find({ email })).id, made.id);
    assert.equal(await client.users.find({ username: "nobody" }), null);
    assert.equal(await client.users.exists({ username: "bob" }), true);
    assert.equal(await client.users.exists({ username: "nobody" }), false);
    const changed = await client.users.update(made.id, { nickname: "Robert", blocked: true });
    assert.deepEqual([changed.nickname, changed.blocked], ["Robert", true]);
    await client.users.update(made.id, { blocked: false });
    const detail = await client.users.detail(made.id, { withCustomData: true });
    assert.deepEqual([detail.nickname, detail.blocked, detail.customData], ["Robert", false, {}]);
    await client.users.setUdfValue(made.id, { size: "XL", level: 3 });
    assert.deepEqual(await client.users.getUdfValue(made.id), { size: "XL", level: 3 });
    await client.users.removeUdfValue(made.id, "size");
    assert.deepEqual(await client.users.getUdfValue(made.id), { level: 3 });
    assert.equal((await client.users.batch([made.id]))[0].id, made.id);
    assert.equal((await client.users.delete(made.id)).code, 200);
    await assert.rejects(client.users.detail(made.id), { code: 2443 });
  });

  test("custom data is set together, and listed with its types", async () => {
    const { id } = await client.users.create({ username: "frank" });
    assert.deepEqual(await client.udf.listUdv("USER", id), []);
    const values = { level: 3, member: true, size: "XL", tags: ["a b", { c: null }] };
    const list = Object.entries(values).map(([key, value]) => ({ key, value }));
    const set = await client.udf.setUdvBatch("USER", id, list);
    const types = { level: "NUMBER", member: "BOOLEAN", size: "STRING", tags: "OBJECT" };
    assert.deepEqual(set, list.map(({ key, value }) => ({ key, dataType: types[key], value, label: null })));
    assert.deepEqual(await client.udf.listUdv("USER", id), set);
    const changed = await client.udf.setUdvBatch("USER", id, [{ key: "level", value: 4 }]);
    assert.deepEqual(changed.map(({ key, value }) => [key, value]), Object.entries({ ...values, level: 4 }));
    assert.deepEqual(await client.users.getUdfValue(id), { ...values, level: 4 });
    const withNull = [{ key: "size", value: "S" }, { key: "level", value: null }];
    await assert.rejects(client.udf.setUdvBatch("USER", id, withNull), { code: 2231 });
    assert.deepEqual(await client.udf.listUdv("USER", id), changed);
    await assert.rejects(client.udf.listUdv("ROLE", id), { code: 2231 });
    await assert.rejects(client.udf.setUdvBatch("ROLE", id, list), { code: 2231 });
    await assert.rejects(client.udf.listUdv("USER", "nobody"), { code: 2443 });
    await assert.rejects(jsClient(stack, stack.otherKey).udf.setUdvBatch("USER", id, list), { code: 2443 });
  });

  test("codes are sent by e-mail", async () => {
    const [email, password] = [stack.address(), "correct horse battery"];
    const { id } = await client.users.create({ username: "grace", email, password }, { resetPasswordOnFirstLogin: true });
    assert.equal((await client.sendEmail(email, "RESET_PASSWORD")).code, 200);
    stack.secrets.add("code", await stack.post.code(email));
    assert.equal(await client.users.sendFirstLoginVerifyEmail({ userId: id, appId: SHOP }), true);
    stack.secrets.add("code", await stack.post.code(email));
  });

  test("the password that the client encrypts logs in", async () => {
    const password = "correct horse battery";
    await client.users.create({ username: "carol", password });
    const answer = await stack.call("/api/v2/login/account", { app: SHOP, json: { account: "carol", password } });
    assert.equal(answer.body.code, 200, JSON.stringify(answer.body));
  });

  test("users are listed and searched", async () => {
    const ids = [];
    for (const number of [1, 2, 3]) ids.unshift((await client.users.create({ username: `reader-${number}` })).id);
    const page = await client.users.list(1, 2);
    assert.deepEqual(page.list.map(({ id }) => id), ids.slice(0, 2));
    assert.ok(page.totalCount >= 3);
    assert.equal((await client.users.list(1, 2, { withCustomData: true })).list.length, 2);
    const found = await client.users.search("reader-");
    assert.deepEqual(found.list.map(({ id }) => id), ids);
    assert.equal((await client.users.listArchivedUsers()).totalCount, 0);
    assert.equal((await client.users.deleteMany(ids)).code, 200);
  });

  test("somebody who is kicked is logged out", async () => {
    const person = await stack.person();
    const { id } = await stack.login(person, { app: SHOP });
    assert.equal((await client.users.checkLoginStatus(id, SHOP)).isLogin, true);
    await client.users.kick([id]);
    assert.equal((await client.users.checkLoginStatus(id)).isLogin, false);
    await stack.login(person, { app: SHOP });
    await client.users.logout({ userId: id, appId: SHOP });
    assert.equal((await client.users.checkLoginStatus(id)).isLogin, false);
    const actions = await client.users.listUserActions({ userIds: [id], page: 1, limit: 10 });
    assert.ok(actions.list.some(({ operationName }) => operationName === "login"));
    const page = { page: 1, limit: 50 };
    for (const { list } of [await client.userAction.list(page), await client.statistics.listUserActions(page)]) {
      const logins = list.filter(({ user, operation_name }) => user?.id === id && operation_name === "login");
      assert.deepEqual(logins.map(({ app_id }) => app_id), [SHOP, SHOP]);
    }
  });

  test("applications are listed, made, read and deleted", async () => {
    const made = await client.applications.create({ name: "Website", identifier: "website", redirectUris: ["https://shop.example.com/done"] });
    assert.equal((await client.applications.findById(made.id)).name, "Website");
    assert.ok((await client.applications.list({ page: 1, limit: 50 })).list.some(({ id }) => id === made.id));
    assert.equal(await client.applications.delete(made.id), true);
    await assert.rejects(client.applications.findById(made.id), { code: 2446 });
  });

  test("an application gets a new secret, and the one before goes on", async () => {
    const made = await client.applications.create({ name: "Back office", identifier: "back-office" });
    stack.secrets.add("secret", made.secret);
    const refreshed = await client.applications.refreshApplicationSecret(made.id);
    stack.secrets.add("secret", refreshed.secret);
    assert.equal(refreshed.id, made.id);
    assert.notEqual(refreshed.secret, made.secret);
    assert.equal((await client.applications.findById(made.id)).secret, undefined, "it is shown once");
    await assert.rejects(client.applications.refreshApplicationSecret("nobody"), { code: 2446 });
    await client.applications.delete(made.id);
  });

  test("identities are linked, found by, and unlinked", async () => {
    const [{ id }, { id: other }] = [await client.users.create({ username: "heidi" }), await client.users.create({ username: "ivan" })];
    const connection = await connectionOf(client);
    const named = { extIdpId: connection.extIdpId, identifier: connection.identifier, isSocial: true, type: "openid" };
    const identity = { ...named, userId: id, userIdInIdp: "o-heidi" };
    assert.equal((await client.users.linkIdentity(identity)).code, 200);
    const found = await client.users.find({ identity: { userIdInIdp: "o-heidi", provider: connection.type } });
    assert.equal(found.id, id);
    assert.equal((await client.users.find({ identity: { userIdInIdp: "o-heidi", provider: "wechat" } })).id, id);
    assert.equal(await client.users.find({ identity: { userIdInIdp: "o-nobody", provider: "wechat" } }), null);
    assert.equal(await client.users.find({ identity: { userIdInIdp: "o-heidi", provider: "wechat:mobile" } }), null);
    const detail = await client.users.detail(id);
    assert.deepEqual(detail.identities.map(({ userIdInIdp }) => userIdInIdp), ["o-heidi"]);
    // These two methods give refusals as answers.
    const { linkIdentity, unlinkIdentity } = client.users;
    for (const [refused, call] of [
      [2213, linkIdentity({ ...identity, userId: other })],
      [2446, linkIdentity({ ...identity, identifier: "nowhere" })],
      [2231, linkIdentity({ ...identity, type: "email" })],
      [2446, unlinkIdentity({ ...named, userId: other })],
      [2443, jsClient(stack, stack.otherKey).users.linkIdentity(identity)],
    ]) {
      assert.equal((await call).code, refused);
    }
    assert.equal((await client.users.unlinkIdentity({ ...named, userId: id })).code, 200);
    assert.deepEqual((await client.users.detail(id)).identities, []);
  });

  test("an identity source is made with its connections, switched, changed and removed", async () => {
    const connection = (identifier, rest) => ({
      ...{ type: "wechat:pc", identifier, displayName: "WeChat" },
      ...{ fields: { clientID: `wx${identifier.replaceAll(/\D/g, "").padStart(16, "0")}`, clientSecret: "0".repeat(32), displayName: "WeChat" } },
      ...rest,
    });
    const made = await client.tenant.createExtIdp({ name: "Our WeChat", type: "wechat", connections: [connection("v2-1")] });
    assert.deepEqual([made.name, made.type], ["Our WeChat", "wechat"]);
    assert.deepEqual(made.connections.map(({ identifier, type }) => [identifier, type]), [["v2-1", "wechat:pc"]]);
    assert.doesNotMatch(JSON.stringify(made), /0{32}/, "the secret is not shown");
    assert.ok((await client.tenant.listExtIdp("")).some(({ id }) => id === made.id));
    assert.deepEqual(await client.tenant.extIdpDetail(made.id), made);
    assert.equal((await client.tenant.updateExtIdp(made.id, { name: "WeChat, ours" })).name, "WeChat, ours");
    const second = await client.tenant.createExtIdpConnection({ extIdpId: made.id, ...connection("v2-2") });
    assert.equal(second.extIdpId, made.id);
    const changed = await client.tenant.updateExtIdpConnection(second.id, { displayName: "The second", fields: {} });
    assert.deepEqual([changed.displayName, changed.fields.appId], ["The second", second.fields.appId]);
    // `true` says that another connection has the identifier.
    assert.equal(await client.tenant.checkExtIdpConnectionIdentifierUnique("v2-1"), true);
    assert.equal(await client.tenant.checkExtIdpConnectionIdentifierUnique("v2-9"), false);
    const enabled = async () => (await client.tenant.extIdpDetail(made.id)).connections.map(({ enabled }) => enabled);
    assert.equal(await client.tenant.changeExtIdpConnectionState(second.id, { enabled: false }), true);
    assert.deepEqual(await enabled(), [true, false]);
    assert.equal(await client.tenant.batchChangeExtIdpConnectionState(made.id, { enabled: false }), true);
    assert.deepEqual(await enabled(), [false, false]);
    const website = await client.applications.create({ name: "Website", identifier: "site", redirectUris: ["https://shop.example.com/site"] });
    stack.secrets.add("secret", website.secret);
    assert.equal(await client.tenant.changeExtIdpConnectionState(second.id, { appId: website.id, enabled: true }), true);
    const { data: applications } = await nodeClient(stack).extIdpConnStateByApps({ id: second.id });
    assert.deepEqual(applications.filter(({ enabled }) => enabled).map(({ appId }) => appId), [website.id]);
    assert.equal(await client.tenant.changeExtIdpConnectionState("nobody", { enabled: true }), false);
    assert.equal(await client.tenant.deleteExtIdpConnection(second.id), true);
    // A source of which one connection is refused is not made.
    const wrong = { name: "Wrong", type: "wechat", connections: [connection("v2-3"), connection("v2-1")] };
    await assert.rejects(client.tenant.createExtIdp(wrong), { code: 2445 });
    assert.ok(!(await client.tenant.listExtIdp("")).some(({ name }) => name === "Wrong"));
    assert.equal(await client.tenant.checkExtIdpConnectionIdentifierUnique("v2-3"), false, "nor are those before it");
    await assert.rejects(client.tenant.createExtIdp({ name: "SAML", type: "saml", connections: [] }), { code: 2231 });
    await assert.rejects(client.tenant.listExtIdp("a-tenant"), { code: 2723 });
    await assert.rejects(jsClient(stack, stack.otherKey).tenant.extIdpDetail(made.id), { code: 2728 });
    assert.equal(await client.tenant.deleteExtIdp(made.id), true);
    await assert.rejects(client.tenant.extIdpDetail(made.id), { code: 2728 });
  });

  test("the settings of the pool are read and changed", async () => {
    const before = await client.userpool.detail();
    assert.deepEqual([before.id, before.registerDisabled, before.secret, before.jwtSecret], [SHOP_POOL, false, "", ""]);
    const changed = await client.userpool.update({
      ...{ name: "The shop", registerDisabled: true, tokenExpiresAfter: 86_400, changePhoneStrategy: { verifyOldPhone: true } },
      qrcodeLoginStrategy: { qrcodeExpiresAfter: 150, ticketExpiresAfter: 200 },
    });
    assert.deepEqual([changed.name, changed.registerDisabled, changed.tokenExpiresAfter], ["The shop", true, 86_400]);
    assert.deepEqual([changed.changePhoneStrategy.verifyOldPhone, changed.changeEmailStrategy.verifyOldEmail], [true, before.changeEmailStrategy.verifyOldEmail]);
    assert.deepEqual([changed.qrcodeLoginStrategy.qrcodeExpiresAfter, changed.qrcodeLoginStrategy.ticketExpiresAfter], [150, 200]);
    const { name, registerDisabled } = await client.userpool.detail();
    assert.deepEqual([name, registerDisabled], ["The shop", true]);
    await client.userpool.update({ name: before.name, registerDisabled: false });
    for (const settings of [{ domain: "shop" }, { verifyCodeLength: 4 }, { qrcodeLoginStrategy: { returnFullUserInfo: false } }]) {
      await assert.rejects(client.userpool.update(settings), { code: 2724 }, JSON.stringify(settings));
    }
    await assert.rejects(client.userpool.update({}), { code: 2231 });
    assert.equal((await jsClient(stack, stack.otherKey).userpool.detail()).id, OTHER_POOL);
  });

  test("custom fields are declared, and set for many users at once", async () => {
    const field = await client.udf.set("USER", "shoe", "NUMBER", "Shoe size");
    assert.deepEqual(field, { targetType: "USER", dataType: "NUMBER", key: "shoe", label: "Shoe size", options: null });
    assert.deepEqual((await client.udf.list("USER")).find(({ key }) => key === "shoe"), field);
    assert.equal((await client.udf.set("USER", "shoe", "NUMBER", "Shoes")).label, "Shoes");
    const ids = [];
    for (const username of ["judy", "mallory"]) ids.push((await client.users.create({ username })).id);
    await client.users.setUdfValueBatch([{ userId: ids[0], data: { shoe: 38, hat: "M" } }, { userId: ids[1], data: { shoe: 44 } }]);
    const values = { [ids[0]]: { shoe: 38, hat: "M" }, [ids[1]]: { shoe: 44 } };
    assert.deepEqual(await client.users.getUdfValueBatch(ids), values);
    await assert.rejects(client.users.setUdfValueBatch([{ userId: ids[0], data: { shoe: "large" } }]), (error) => error.code === 2231);
    await assert.rejects(client.users.getUdfValueBatch(["nobody"]), { code: 2443 });
    assert.equal((await client.udf.remove("USER", "shoe")).code, 200);
    assert.ok(!(await client.udf.list("USER")).some(({ key }) => key === "shoe"));
    assert.deepEqual(await client.users.getUdfValueBatch(ids), values, "the data stays");
    await assert.rejects(client.udf.list("ROLE"), { code: 2231 });
    await assert.rejects(jsClient(stack, stack.otherKey).users.getUdfValueBatch(ids), { code: 2443 });
  });

  // What the tests before this one did to the pool.
  test("what the client did is in the log of administrators", async () => {
    const { totalCount, list } = await client.statistics.listAuditLogs({ page: 1, limit: 50 });
    assert.ok(totalCount > 10 && list.length > 10, `${totalCount}`);
    const made = list.find(({ eventType }) => eventType === "user.created");
    assert.deepEqual([made.userPoolId, made.eventResultCode], [SHOP_POOL, "0"]);
    const only = await client.statistics.listAuditLogs({ eventType: made.eventType, userId: made.userId, page: 1, limit: 5 });
    assert.ok(only.list.length > 0 && only.list.every(({ eventType, userId }) => eventType === "user.created" && userId === made.userId));
    assert.deepEqual(await client.statistics.listAuditLogs({ eventType: "no.such.event" }), { totalCount: 0, list: [] });
    const others = await jsClient(stack, stack.otherKey).statistics.listAuditLogs({ page: 1, limit: 50 });
    assert.ok(others.list.every(({ userPoolId }) => userPoolId === OTHER_POOL));
  });

  test("what there is not is refused", async () => {
    const { id } = await client.users.create({ username: "dave" });
    for (const call of [
      () => client.users.listRoles(id),
      () => client.users.listGroups(id),
      () => client.users.listDepartment(id),
      () => client.users.refreshToken(id),
      () => client.roles.create("admin"),
      () => client.org.list(),
    ]) {
      await assert.rejects(call(), (error) => [404, 2723].includes(error.code), String(call));
    }
  });

  test("the token of another pool sees nothing here", async () => {
    const { id } = await client.users.create({ username: "erin" });
    await assert.rejects(jsClient(stack, stack.otherKey).users.detail(id), { code: 2443 });
    const wrong = jsClient(stack, { ...stack.key, secret: "hfm_wrong" });
    await assert.rejects(wrong.users.detail(id), { code: 2720 });
  });

  // What the tests before this one called.
  test("the methods in docs/clients.md are those that answered here", () => {
    const inTable = listed(isServed);
    assert.ok(inTable.length > 20, `${inTable.length}`);
    assert.deepEqual([...answered].filter((name) => !inTable.includes(name)), [], "not in the table");
    assert.deepEqual(inTable.filter((name) => !answered.has(name)), [], "called by no test, or refused");
  });

  test("no other method of the client does anything", async () => {
    // In another pool, so that what they do disturbs nothing.
    const all = methods(jsClient(stack, stack.otherKey));
    assert.ok(all.size > 200, `${all.size}`);
    for (const name of listed((about) => about !== "refused")) assert.ok(all.delete(name), `there is no ${name}`);
    for (const name of SUBSCRIPTION) assert.ok(all.delete(name), `there is no ${name}`);
    const wrong = [];
    for (const [name, call] of all) {
      const codes = [...NOT_SERVED, TOLD_OTHERWISE[name]].filter(Boolean);
      const told = [];
      for (const shape of SHAPES) {
        const complained = ({ message, response, code }) => ({ complaint: message, code: response?.status ?? code });
        told.push(await call(...shape).catch(complained));
        // Some say of a refusal only `false`.
        if (told.at(-1) === false || codes.includes(told.at(-1)?.code)) break;
      }
      const last = told.pop();
      if (last !== false && !codes.includes(last?.code)) wrong.push(`${name}: ${JSON.stringify(last)}`);
      if (!told.every((before) => before?.complaint)) wrong.push(`${name}: ${JSON.stringify(told)}`);
    }
    assert.deepEqual(wrong, []);
  });
});
