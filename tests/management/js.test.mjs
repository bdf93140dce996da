// `authing-js-sdk`'s ManagementClient: a token for the key, GraphQL, and REST of v2.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ENGINE, jsClient, SHOP, startManaged } from "./harness.mjs";

describe(`authing-js-sdk's ManagementClient on ${ENGINE}`, () => {
  let stack;
  let client;
  before(async () => {
    stack = await startManaged();
    client = jsClient(stack);
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
});
