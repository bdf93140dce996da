// The code for mini programs that the start page of `hufu dev` shows, run as it is pasted.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { loadMiniappSdk, loadWxappSdk } from "./sdks.mjs";
import { startDev } from "./start.mjs";
import { Phone, takeUp } from "./wx.mjs";

const AsyncFunction = (async () => {}).constructor;
const modules = { "authing-wxapp-sdk": loadWxappSdk(), "@authing/miniapp-taro": await loadMiniappSdk() };

describe("the start page's code for mini programs", () => {
  let dev;
  before(async () => (dev = await startDev()));
  after(() => dev?.close());

  /** Runs a sample in the mini program of a person, and gives what it prints. */
  async function run(id, person) {
    takeUp(new Phone({ login: async () => (await dev.control("codes", { app_id: "wx0de30de30de30001", user: person })).code }));
    const code = (await dev.sample("mini-program", id)).replace(/^import (\{.*?\}) from "(.*?)";$/gm, 'const $1 = require("$2");');
    const printed = [];
    await new AsyncFunction("require", "console", code)((name) => modules[name], { log: (...all) => printed.push(...all) });
    return printed;
  }

  test("authing-wxapp-sdk logs in", async () => {
    const [id, token] = await run("wxapp", "lin");
    assert.match(id, /^[0-9a-f]{24}$/);
    assert.equal(token.split(".").length, 3);
  });

  test("@authing/miniapp-taro logs in", async () => {
    const [token] = await run("taro", "bob");
    assert.equal(token.split(".").length, 3, token);
  });
});
