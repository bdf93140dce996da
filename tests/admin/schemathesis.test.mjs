// schemathesis makes calls from the OpenAPI document of /admin/v1, right and wrong ones, and holds the answers against it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ENGINE, startStack } from "../sdk/harness.mjs";
import { SHOP, SHOP_POOL } from "../sdk/world.mjs";

const program = fileURLToPath(new URL("python/.venv/bin/schemathesis", import.meta.url));
const SECONDS = 75;

// What it does not check: whether the server takes everything that the schemas permit, since they cannot say what belongs
// together, such as a provider and its keys (that is refused with 422, which says why); and whether something that was made
// is there under what schemathesis takes for its id: it takes the key for the id of the key.
const LEFT_OUT = "positive_data_acceptance,ensure_resource_availability";

// Ids that are there, so that calls get further than "not found".
const settings = (user) => `
[parameters]
"path.pool" = "${SHOP_POOL}"
"path.application" = "${SHOP}"
"path.connection" = "shop-mini"
"path.user" = "${user}"
"path.channel" = "email"
`;

describe(`/admin/v1 under schemathesis on ${ENGINE}`, () => {
  let stack;
  before(async () => {
    assert.ok(existsSync(program), `there is no ${program}; ./test makes it`);
    stack = await startStack();
    // It calls with wrong keys more often than anybody may.
    const config = readFileSync(stack.config, "utf8");
    writeFileSync(stack.config, config.replace("[limits]\n", "[limits]\nadmin_key_failures = 1000000\nadmin_failures = 1000000\n"));
    const { stdout } = await stack.command("admin", "create-key", "--name", "schemathesis", "--role", "owner", "--config", stack.config);
    stack.key = stdout.trim();
    await stack.restartServer();
  });
  after(() => stack?.close());

  test("no answer is an error of the server, or other than the document says", async () => {
    const headers = { authorization: `Bearer ${stack.key}` };
    const found = await stack.call(`/admin/v1/pools/${SHOP_POOL}/users`, { method: "GET", headers });
    const config = stack.file("schemathesis.toml", settings(found.body.users[0].id));
    const child = spawn(
      program,
      [
        "--config-file", config, "run", `${stack.host}/admin/v1/openapi.json`, "--header", `Authorization: Bearer ${stack.key}`,
        "--checks", "all", "--exclude-checks", LEFT_OUT, "--max-time", String(SECONDS), "--max-examples", "20", "--seed", "1",
        "--workers", "1", "--continue-on-failure", "--no-shrink", "--request-timeout", "10", "--warnings", "off",
        // Data that is hard to make is no fault of the server.
        "--suppress-health-check", "all",
      ],
      { env: { ...process.env, NO_COLOR: "1", PYTHONDONTWRITEBYTECODE: "1" }, stdio: ["ignore", "pipe", "pipe"] },
    );
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => (said += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk) => (said += chunk));
    const [code] = await once(child, "close");
    assert.equal(code, 0, said.replaceAll(stack.key, "hfk_…"));
    const tested = said.match(/Tested:\s+(\d+)/)?.[1];
    assert.ok(Number(tested) > 90, `too few operations were tested: ${said}`);
  });
});
