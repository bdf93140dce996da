// The code that the start page of `hufu dev` shows for back ends, websites and plain HTTP, run as it is pasted. That for
// mini programs is in ../sdk/start.test.mjs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startDev } from "../sdk/start.mjs";
import { folder } from "./harness.mjs";

const here = folder(".");
const python = join(folder("python"), ".venv/bin/python");

// What the shell samples need of jq: one member of the answer.
const JQ = `#!${process.execPath}
const path = process.argv.at(-1).split(".").filter(Boolean);
let text = "";
process.stdin.on("data", (chunk) => (text += chunk)).on("end", () => {
  const value = path.reduce((value, name) => value?.[name], JSON.parse(text));
  console.log(process.argv.includes("-r") ? value : JSON.stringify(value));
});
`;

describe("the start page's code", () => {
  const tools = mkdtempSync(join(tmpdir(), "hufu-tools-"));
  let dev;
  before(async () => {
    writeFileSync(join(tools, "jq"), JQ);
    chmodSync(join(tools, "jq"), 0o755);
    dev = await startDev();
  });
  after(async () => {
    await dev?.close();
    rmSync(tools, { recursive: true, force: true });
  });

  async function run(command, args, code) {
    const env = { ...process.env, PATH: `${tools}${delimiter}${process.env.PATH}` };
    const child = spawn(command, args, { cwd: here, env, stdio: ["pipe", "pipe", "pipe"] });
    child.stdin.end(code);
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    const status = await new Promise((resolve) => child.on("close", resolve));
    return { status, out: out.trim(), err };
  }

  async function shell(mode, id) {
    const { status, out, err } = await run("bash", ["-s"], await dev.sample(mode, id));
    assert.equal(status, 0, err);
    return JSON.parse(out);
  }

  const node = async (mode, id, ...more) => run("node", ["--input-type=module", "-", ...more], await dev.sample(mode, id));
  const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

  test("a mini program's login over HTTP, and its back end in Node and Python", async () => {
    const user = await shell("mini-program", "mini-http");
    for (const result of [
      await node("mini-program", "back-end-node", user.token),
      await run(python, ["-", user.token], await dev.sample("mini-program", "back-end-python")),
    ]) {
      assert.equal(result.out, user.id, result.err);
    }
    const [head, payload, signature] = user.token.split(".");
    const forged = await node("mini-program", "back-end-node", `${head}.${payload.slice(0, -2)}AA.${signature}`);
    assert.notEqual(forged.status, 0, forged.out);
  });

  test("a native app's login over HTTP, and its back end in Node", async () => {
    const tokens = await shell("native-app", "native-http");
    const { out, err } = await node("native-app", "native-node", tokens.access_token);
    assert.equal(out, claims(tokens.access_token).sub, err);
  });

  test("a native app that launched a mini program, over HTTP", async () => {
    const tokens = await shell("app-launch", "launch-http");
    assert.equal(claims(tokens.id_token).phone_number, "+8613900000008");
  });

  /** A browser without pages: it follows redirects, keeps cookies, and scans the code of the website's login as alice. */
  async function throughWechat(url) {
    const cookies = new Map();
    for (let hops = 0; hops < 12; hops++) {
      if (url.startsWith(dev.sandbox)) {
        url = (await dev.control("authorize", { url, user: "alice" })).location;
        continue;
      }
      const { pathname, search } = new URL(url);
      if (pathname === "/callback") return url;
      // On the login page: WeChat's button.
      if (pathname === "/login") url = `${dev.host}/connections/social/demo-pc${search}`;
      const headers = { accept: "text/html", cookie: [...cookies].map((pair) => pair.join("=")).join("; ") };
      const answer = await fetch(url, { redirect: "manual", headers });
      for (const set of answer.headers.getSetCookie()) {
        const [name, value] = set.split(";")[0].split("=");
        cookies.set(name, value);
      }
      assert.equal(answer.status, 303, `${url}: ${await answer.text()}`);
      url = new URL(answer.headers.get("location"), url).href;
    }
    assert.fail("too many redirects");
  }

  test("a website in Node", async () => {
    const code = `${await dev.sample("pc-scan", "site-node")}
      import { createInterface } from "node:readline/promises";
      const session = {};
      console.log(String(await login(session)));
      const back = await createInterface({ input: (await import("node:net")).connect(Number(process.argv[2])) }).question("");
      console.log(JSON.stringify(await callback(session, new URL(back))));`;
    // The program writes where to go, and reads where it came back, from a port.
    const { createServer } = await import("node:net");
    let tell;
    const server = createServer((socket) => (tell = (line) => socket.end(`${line}\n`)));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const child = spawn("node", ["--input-type=module", "-", String(server.address().port)], { cwd: here, stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.end(code);
    let out = "";
    const lines = async (count) => {
      while (out.split("\n").length <= count) await new Promise((resolve) => child.stdout.once("data", (chunk) => resolve((out += chunk))));
      return out.split("\n");
    };
    const [start] = await lines(1);
    const back = await throughWechat(start);
    while (!tell) await new Promise((resolve) => setImmediate(resolve));
    tell(back);
    const [, answer] = await lines(2);
    const { sub, nickname } = JSON.parse(answer);
    assert.match(sub, /^[0-9a-f]{24}$/);
    assert.equal(nickname, "Alice");
    server.close();
  });

  test("a website in Python", async () => {
    const code = `${await dev.sample("pc-scan", "site-python")}
with app.test_client() as browser:
    import sys
    print(browser.get("/login", base_url="${dev.host}").location, flush=True)
    back = input()
    print(browser.get(back).get_json()["claims"]["sub"])
`;
    const child = spawn(python, ["-u", "-c", code], { cwd: here, stdio: ["pipe", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    while (!out.includes("\n")) await new Promise((resolve) => child.stdout.once("data", resolve));
    child.stdin.end(`${await throughWechat(out.trim())}\n`);
    await new Promise((resolve) => child.on("close", resolve));
    assert.match(out.trim().split("\n")[1] ?? out, /^[0-9a-f]{24}$/);
  });
});
