// The JavaScript of README.md as it is written there, against `hufu dev`, with the values that it prints. It is run as a
// reader runs it: with the SDKs' default options.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ended, HUFU } from "./harness.mjs";
import { loadMiniappSdk, loadWxappSdk } from "./sdks.mjs";
import { Phone, takeUp } from "./wx.mjs";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const AsyncFunction = (async () => {}).constructor;
const modules = { "authing-wxapp-sdk": loadWxappSdk(), "@authing/miniapp-taro": await loadMiniappSdk() };

/** The JavaScript block of README.md that uses this package. */
function snippet(name) {
  const blocks = [...README.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);
  const found = blocks.filter((code) => code.includes(`"${name}"`));
  assert.equal(found.length, 1, `one block of README.md uses ${name}`);
  return found[0];
}

describe("README.md", () => {
  const folder = mkdtempSync(join(tmpdir(), "hufu-readme-"));
  let dev;
  let printed = "";
  /** What the program printed after this label. */
  const value = (label) => printed.match(new RegExp(`^ *${label} +(\\S+)`, "m"))?.[1];

  before(async () => {
    const anywhere = ["--listen", "--sandbox-listen", "--metrics-listen"].flatMap((flag) => [flag, "127.0.0.1:0"]);
    dev = spawn(HUFU, ["dev", ...anywhere], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    dev.stdout.setEncoding("utf8");
    await new Promise((resolve, reject) => {
      dev.on("exit", (code) => reject(new Error(`hufu dev ended with ${code}:\n${printed}`)));
      dev.stdout.on("data", (chunk) => {
        printed += chunk;
        if (printed.includes(" try")) resolve();
      });
    });
  });
  after(async () => {
    const exit = ended(dev);
    dev.kill("SIGTERM");
    await exit;
    rmSync(folder, { recursive: true, force: true });
  });

  /** The phone of a person of the demonstration, with its mini program open. */
  function phoneOf(person) {
    const login = async () => {
      const body = JSON.stringify({ app_id: value("WeChat"), user: person });
      const answer = await fetch(new URL("/__sandbox/codes", value("Sandbox")), { method: "POST", body });
      return (await answer.json()).code;
    };
    return takeUp(new Phone({ login }));
  }

  /** The newest code in the outbox. */
  async function newestCode() {
    for (;;) {
      const [message] = await (await fetch(new URL("/dev/outbox.json", value("Server")))).json();
      if (message?.code) return message.code;
    }
  }

  /** Runs a block with the values that `dev` printed, and gives the named variables at its end. */
  async function run(name, ...variables) {
    const code = snippet(name)
      .replace(/^import (\{.*?\}) from "(.*?)";$/gm, 'const $1 = require("$2");')
      .replaceAll("http://127.0.0.1:3000", value("host"))
      .replaceAll("YOUR_APP_ID", value("appId"))
      .replaceAll("YOUR_USERPOOL_ID", value("userPoolId"))
      .replaceAll("YOUR_CONNECTION", value("connection"))
      .replaceAll('"THE_CODE"', "await newestCode()");
    assert.ok(!code.includes("YOUR_") && !code.includes("undefined"), code);
    const body = `${code}\nreturn { ${variables.join(", ")} };`;
    return new AsyncFunction("require", "newestCode", body)((module) => modules[module], newestCode);
  }

  test("its authing-wxapp-sdk logs in by code, by password and by a code sent to the phone", async () => {
    const phone = phoneOf("bob");
    const { authing, user } = await run("authing-wxapp-sdk", "authing", "user");
    assert.equal(phone.calls[0].status, 200);
    assert.ok(user.token && user.openid);
    assert.equal((await authing.getCurrentUser()).username, "alice", "whose number it is");
  });

  test("its constructor with a userPoolId alone works too, since dev has a single pool", async () => {
    phoneOf("bob");
    const { AuthenticationClient } = modules["authing-wxapp-sdk"];
    const authing = new AuthenticationClient({ userPoolId: value("userPoolId"), host: value("host") });
    await authing.registerByUsername("carol", "correct horse battery");
    const user = await authing.loginByUsername("carol", "correct horse battery");
    assert.equal(user.username, "carol");
    // By default the SDK throws a bare object.
    await assert.rejects(authing.loginByUsername("carol", "wrong horse battery"), (thrown) => {
      assert.ok(!(thrown instanceof Error));
      assert.equal(thrown.code, 2333);
      return typeof thrown.message === "string";
    });
  });

  test("its @authing/miniapp-taro logs in by code", async () => {
    phoneOf("carol");
    const { error, state, user } = await run("@authing/miniapp-taro", "error", "state", "user");
    assert.equal(error, null);
    assert.ok(state.access_token && user.userId);
  });
});
