// `authing-js-sdk`'s ManagementClient: a token for the key, GraphQL, and REST of v2.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { documented, ENGINE, jsClient, names, SHOP, startManaged } from "./harness.mjs";

// What the client speaks with, which is no part of what it offers.
const TRANSPORT = ["options", "tokenProvider", "publicKeyManager", "httpClient", "fastHttpClient", "graphqlClient"];
// They open a WebSocket of their own.
const SUBSCRIPTION = ["event.sub", "event.initWebSocket", "event.reconnect"];
// It takes every answer but one for a yes.
const ALWAYS_YES = "tenant.checkExtIdpConnectionIdentifierUnique";
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
  // Its path is that of an application.
  "acl.deleteProgrammaticAccessAccount": 2446,
};

/** The methods of the rows of the table in docs/clients.md that are accepted, such as `users.create`. */
function listed(accept) {
  const rows = documented("", "methods").filter(([about]) => accept(about));
  return rows.flatMap(([about, methods]) => names(methods).map((name) => [...names(about), name].join(".")));
}

const isServed = (about) => !["client only", "refused"].includes(about);

/** The client, which notes in `answered` the methods that gave an answer. */
function noting(part, answered, area = "") {
  return new Proxy(part, {
    get(_, name) {
      const member = part[name];
      const isPart = typeof member === "object" && area === "" && !TRANSPORT.includes(name);
      if (isPart) return noting(member, answered, `${name}.`);
      if (typeof member !== "function") return member;
      return async (...args) => {
        const answer = await member.apply(part, args);
        answered.add(`${area}${name}`);
        return answer;
      };
    },
  });
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
    client = noting(jsClient(stack), answered);
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
    for (const name of [...SUBSCRIPTION, ALWAYS_YES]) assert.ok(all.delete(name), `there is no ${name}`);
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
