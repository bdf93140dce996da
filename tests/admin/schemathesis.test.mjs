// schemathesis makes calls from the OpenAPI document of /admin/v1, right and wrong ones, and holds the answers against it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ENGINE, startStack } from "../sdk/harness.mjs";
import { SHOP, SHOP_POOL } from "../sdk/world.mjs";

const program = fileURLToPath(new URL("python/.venv/bin/schemathesis", import.meta.url));
// So many calls of each operation have values at random, besides those at the bounds of what the document permits.
const EXAMPLES = 3;
// How long calls that build on one another are tried.
const SECONDS = 10;

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
  // Each time a server of its own: calls remove what the others need.
  beforeEach(async () => {
    assert.ok(existsSync(program), `there is no ${program}; ./test makes it`);
    stack = await startStack();
    // It calls with wrong keys more often than anybody may.
    const config = readFileSync(stack.config, "utf8");
    writeFileSync(stack.config, config.replace("[limits]\n", "[limits]\nadmin_key_failures = 1000000\nadmin_failures = 1000000\n"));
    const { stdout } = await stack.command("admin", "create-key", "--name", "schemathesis", "--role", "owner", "--config", stack.config);
    stack.key = stdout.trim();
    await stack.restartServer();
  });
  afterEach(() => stack?.close());

  /** Runs schemathesis with these options. Returns what it said, and fails if something is wrong. */
  const run = async (...options) => {
    const headers = { authorization: `Bearer ${stack.key}` };
    const found = await stack.call(`/admin/v1/pools/${SHOP_POOL}/users`, { method: "GET", headers });
    const config = stack.file("schemathesis.toml", settings(found.body.users[0].id));
    const child = spawn(
      program,
      [
        "--config-file", config, "run", `${stack.host}/admin/v1/openapi.json`, "--header", `Authorization: Bearer ${stack.key}`,
        "--checks", "all", "--exclude-checks", LEFT_OUT, "--seed", "1",
        "--workers", "1", "--continue-on-failure", "--no-shrink", "--request-timeout", "10", "--warnings", "off",
        // Data that is hard to make is no fault of the server.
        "--suppress-health-check", "all", ...options,
      ],
      { env: { ...process.env, NO_COLOR: "1", PYTHONDONTWRITEBYTECODE: "1" }, stdio: ["ignore", "pipe", "pipe"] },
    );
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => (said += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk) => (said += chunk));
    const [code] = await once(child, "close");
    said = said.replaceAll(stack.key, "hfk_…");
    assert.equal(code, 0, said);
    return said;
  };

  test("no answer of any operation is an error of the server, or other than the document says", async () => {
    const { body: document } = await stack.call("/admin/v1/openapi.json", { method: "GET" });
    const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods));
    assert.ok(operations.length > 110, `${operations.length}`);
    const said = await run("--phases", "examples,coverage,fuzzing", "--max-examples", String(EXAMPLES));
    const tested = said.match(/Tested:\s+(\d+)/)?.[1];
    assert.equal(Number(tested), operations.length, said);
  });

  test("nor is one of calls that build on one another", async () => {
    const said = await run("--phases", "stateful", "--max-time", String(SECONDS));
    assert.match(said, /✅ Stateful/, said);
  });
});
