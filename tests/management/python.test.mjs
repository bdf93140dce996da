// PyPI `authing`'s ManagementClient, which gets a token for the key.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { data, ENGINE, refused, SHOP, startManaged } from "./harness.mjs";

const folder = fileURLToPath(new URL("python/", import.meta.url));
const python = `${folder}.venv/bin/python`;

describe(`PyPI authing's ManagementClient on ${ENGINE}`, () => {
  let stack;
  before(async () => {
    assert.ok(existsSync(python), `there is no ${python}; ./test makes it`);
    stack = await startManaged();
  });
  after(() => stack?.close());

  /** Calls methods one after the other, and gives their answers. */
  async function calls(...list) {
    const { id: key, secret } = stack.key;
    const child = spawn(python, ["manage.py"], { cwd: folder, stdio: ["pipe", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk) => (out += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk) => (err += chunk));
    child.stdin.end(JSON.stringify({ host: stack.host, key, secret, calls: list }));
    const [code] = await once(child, "close");
    assert.equal(code, 0, err);
    return JSON.parse(out);
  }

  test("users, applications, identity sources, logs and settings", async () => {
    const email = stack.address();
    const [made, found, listed] = await calls(
      ["create_user", { username: "bob", email, nickname: "小明", custom_data: { level: 3 } }],
      ["get_user", { user_id: "bob", user_id_type: "username", with_custom_data: true, with_identities: true }],
      ["list_users", { keywords: "小明", options: { pagination: { page: 1, limit: 10 }, withCustomData: true } }],
    );
    const { userId } = data(made);
    assert.deepEqual([data(found).userId, data(found).customData], [userId, { level: 3 }]);
    assert.deepEqual(data(listed).list.map((user) => user.userId), [userId]);
    const [changed, batch, exists, gone] = await calls(
      ["update_user", { user_id: userId, nickname: "Bob" }],
      ["get_user_batch", { user_ids: [userId, "nobody"] }],
      ["is_user_exists", { email }],
      ["get_user_roles", { user_id: userId }],
    );
    assert.equal(data(changed).nickname, "Bob");
    assert.deepEqual(data(batch).map((user) => user.userId), [userId]);
    assert.deepEqual(data(exists), { exists: true });
    refused(gone, 2723);
    const [applications, application, sources, settings, logs, hooks] = await calls(
      ["list_applications", { page: 1, limit: 50 }],
      ["get_application", { app_id: SHOP }],
      ["list_ext_idp", {}],
      ["get_security_settings", {}],
      ["get_admin_audit_logs", { operation_type: "create", pagination: { page: 1, limit: 10 } }],
      ["list_webhooks", { page: 1, limit: 10 }],
    );
    assert.ok(data(applications).list.some(({ appId }) => appId === SHOP));
    assert.equal(data(application).appId, SHOP);
    assert.ok(data(sources).totalCount >= 1);
    assert.equal(data(settings).registerDisabled, false);
    assert.equal(data(logs).list[0].adminUserDisplayName, "management_key");
    assert.equal(data(hooks).totalCount, 0);
    const [deleted] = await calls(["delete_users_batch", { user_ids: [userId] }]);
    assert.deepEqual(data(deleted), { success: true });
  });
});
