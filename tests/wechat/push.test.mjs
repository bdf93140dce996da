// What WeChat pushes to an official account's server, in safe mode: PyPI `wechatpy` makes the messages, and reads the
// answers.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ENGINE, startShop } from "./harness.mjs";
import { APPS, PUSH, WELCOME } from "./world.mjs";

const folder = fileURLToPath(new URL("python/", import.meta.url));
const python = `${folder}.venv/bin/python`;
const SITE = "http://127.0.0.1:1";

describe(`messages of an official account by wechatpy on ${ENGINE}`, () => {
  let stack;
  before(async () => {
    assert.ok(existsSync(python), `there is no ${python}; ./test makes it`);
    stack = await startShop(SITE);
  });
  after(() => stack?.close());

  /** Sends a message about somebody, and gives what came back. */
  async function push(person, message, more = {}) {
    const openid = person.ids.find(({ app_id }) => app_id === APPS.account.app_id).openid;
    stack.secrets.add("openid", openid);
    const asked = {
      url: `${stack.host}${stack.events}`,
      app_id: APPS.account.app_id,
      token: PUSH.token,
      aes_key: PUSH.aesKey,
      message: { ToUserName: PUSH.originalId, FromUserName: openid, ...message },
      ...more,
    };
    const child = spawn(python, ["push.py"], { cwd: folder, stdio: ["pipe", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk) => (out += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk) => (err += chunk));
    child.stdin.end(JSON.stringify(asked));
    const [code] = await once(child, "close");
    assert.equal(code, 0, err);
    return { openid, ...JSON.parse(out) };
  }

  const subscribe = { MsgType: "event", Event: "subscribe", EventKey: "" };

  test("somebody who follows is welcomed in an encrypted reply", async () => {
    const answer = await push(await stack.person(), subscribe);
    assert.equal(answer.status, 200, answer.raw);
    assert.deepEqual([answer.kind, answer.text], ["text", WELCOME], answer.raw);
    assert.deepEqual([answer.from, answer.to], [PUSH.originalId, answer.openid]);
    assert.equal(answer.checks, true, "the program notices a wrong signature");
  });

  test("a message is acknowledged without a reply", async () => {
    const answer = await push(await stack.person(), { MsgType: "text", Content: "你好", MsgId: "12345678901234567" });
    assert.equal(answer.status, 200);
    assert.ok(["", "success"].includes(answer.raw), answer.raw);
  });

  test("what is forged or old is refused", async () => {
    const person = await stack.person();
    const forged = await push(person, subscribe, { signed_with: "anotherToken" });
    const old = await push(person, subscribe, { now: Math.floor(Date.now() / 1000) - 3600 });
    for (const answer of [forged, old]) {
      assert.equal(answer.text, undefined);
      assert.ok(answer.status >= 400, `${answer.status} ${answer.raw}`);
    }
    // Nothing of it was taken: the same person is welcomed once they follow.
    assert.equal((await push(person, subscribe)).text, WELCOME);
  });
});
