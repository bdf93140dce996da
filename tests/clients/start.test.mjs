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
  /** What was run: mode and id. */
  const ran = new Set();
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
    ran.add(`${mode} ${id}`);
    return JSON.parse(out);
  }

  async function node(mode, id, ...more) {
    const done = await run("node", ["--input-type=module", "-", ...more], await dev.sample(mode, id));
    ran.add(`${mode} ${id}`);
    return done;
  }
  const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

  test("a mini program's login over HTTP, and its back end in Node and Python", async () => {
    const user = await shell("mini-program", "mini-http");
    for (const result of [
      await node("mini-program", "back-end-node", user.token),
      await run(python, ["-", user.token], await dev.sample("mini-program", "back-end-python")),
    ]) {
      assert.equal(result.out, user.id, result.err);
    }
    ran.add("mini-program back-end-python");
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
    const { out, err } = await node("app-launch", "native-node", tokens.access_token);
    assert.equal(out, claims(tokens.access_token).sub, err);
  });

  const WECHAT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.50 Language/zh_CN";
  /** How a person who is on the website's login page goes on: by a button, or by the tab of a code that they scan. */
  const WAYS = {
    "official-account": { tab: "demo-official", scan: (scene) => dev.control("scan", { app_id: "wx0de30de30de30005", scene, user: "alice" }) },
    "pc-scan": { button: "demo-pc" },
    "mini-program-scan": { tab: "demo-scan", scan: (scene) => dev.control("mini-login", { app_id: "wx0de30de30de30001", scene, user: "alice", phone: "allow" }) },
    // In WeChat's browser the login begins by itself.
    "web-page": { agent: WECHAT },
  };

  /** A browser without script: it follows redirects, keeps cookies, and logs in as alice in one of the ways. */
  async function throughWechat(url, mode) {
    const { tab, scan, button, agent } = WAYS[mode];
    const cookies = new Map();
    const calls = [];
    for (let hops = 0; hops < 14; hops++) {
      calls.push(new URL(url).pathname);
      if (url.startsWith(dev.sandbox)) {
        url = (await dev.control("authorize", { url, user: "alice" })).location;
        continue;
      }
      const { pathname, searchParams, search } = new URL(url);
      if (pathname === "/callback") return { back: url, calls };
      if (pathname === "/login" && button) url = `${dev.host}/connections/social/${button}${search}`;
      if (pathname === "/login" && tab && !searchParams.has("qr")) url += `&method=${tab}`;
      const headers = { accept: "text/html", cookie: [...cookies].map((pair) => pair.join("=")).join("; "), ...(agent && { "user-agent": agent }) };
      const answer = await fetch(url, { redirect: "manual", headers });
      for (const set of answer.headers.getSetCookie()) {
        const [name, value] = set.split(";")[0].split("=");
        cookies.set(name, value);
      }
      const page = await answer.text();
      if (answer.status === 200 && tab && !searchParams.has("qr")) {
        const [, scene] = page.match(/src="\/api\/v2\/qrcode\/([^"]+)\.png"/);
        await scan(scene);
        url = new URL(page.match(/data-next="([^"]+)"/)[1].replaceAll("&amp;", "&"), dev.host).href;
        continue;
      }
      assert.equal(answer.status, 303, `${url}: ${page}`);
      url = new URL(answer.headers.get("location"), url).href;
    }
    assert.fail(`too many redirects: ${calls}`);
  }

  /** Starts a sample that prints where to send the browser, waits for where it came back, and prints what came of it. */
  async function site(command, args, mode, { by } = {}) {
    const child = spawn(command, args, { cwd: here, stdio: ["pipe", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stderr.on("data", (chunk) => (err += chunk));
    const ended = new Promise((resolve) => child.on("close", resolve));
    child.stdout.on("data", (chunk) => (out += chunk));
    by?.(child);
    while (!out.includes("\n")) {
      const more = await Promise.race([new Promise((resolve) => child.stdout.once("data", () => resolve(true))), ended.then(() => false)]);
      assert.ok(more || out.includes("\n"), err);
    }
    const { back, calls } = await throughWechat(out.split("\n")[0].trim(), mode);
    // The way that this mode goes, and no other.
    const { tab, button } = WAYS[mode];
    const atWechat = calls.filter((path) => path.startsWith("/open/connect/"));
    assert.deepEqual(atWechat, tab ? [] : [button ? "/open/connect/qrconnect" : "/open/connect/oauth2/authorize"]);
    return { child, back, ended, lines: async () => (await ended, assert.ok(out.trim().includes("\n"), err), out.trim().split("\n")) };
  }

  /** Who alice is. Every mode leads to the same user. */
  let alice;
  const isAlice = (sub) => {
    assert.match(sub, /^[0-9a-f]{24}$/);
    assert.equal(sub, (alice ??= sub), "one person, one user");
  };

  for (const mode of Object.keys(WAYS)) {
    test(`a website in Node, by ${mode}`, async () => {
      const code = `${await dev.sample(mode, "site-node")}
        import { createInterface } from "node:readline/promises";
        const session = {};
        console.log(String(await login(session)));
        const back = await createInterface({ input: (await import("node:net")).connect(Number(process.argv[2])) }).question("");
        console.log(JSON.stringify(await callback(session, new URL(back))));`;
      // The program reads its own code from where others read lines, so it hears where the browser came back from a port.
      const { createServer } = await import("node:net");
      let tell;
      const asked = new Promise((resolve) => (tell = resolve));
      const server = createServer((socket) => tell((line) => socket.end(`${line}\n`)));
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const args = ["--input-type=module", "-", String(server.address().port)];
        const { back, lines } = await site("node", args, mode, { by: (child) => child.stdin.end(code) });
        (await asked)(back);
        const { sub, iss } = JSON.parse((await lines())[1]);
        isAlice(sub);
        assert.equal(iss, `${dev.host}/oidc`);
        ran.add(`${mode} site-node`);
      } finally {
        server.close();
      }
    });

    test(`a website in Python, by ${mode}`, async () => {
      const code = `${await dev.sample(mode, "site-python")}
with app.test_client() as browser:
    print(browser.get("/login", base_url="${dev.host}").location, flush=True)
    back = input()
    print(browser.get(back).get_json()["claims"]["sub"])
`;
      const { child, back, lines } = await site(python, ["-u", "-c", code], mode);
      child.stdin.end(`${back}\n`);
      isAlice((await lines())[1]);
      ran.add(`${mode} site-python`);
    });
  }

  test("no code of the seven modes is untested", async () => {
    const page = async (path) => (await fetch(`${dev.host}${path}`, { headers: { accept: "text/html", "accept-language": "en" } })).text();
    const modes = [...(await page("/")).matchAll(/href="\/\?mode=([\w-]+)"/g)].map(([, mode]) => mode);
    assert.equal(new Set(modes).size >= 7, true, modes.join());
    // Mini programs run in ../sdk/start.test.mjs.
    const elsewhere = new Set(["mini-program wxapp", "mini-program taro"]);
    // The same connection as the first mode's, with the website's code; what is done with one's own files stands in README.md.
    const [others, own] = [new Set(["web-view"]), /^(own|token)-/];
    for (const mode of new Set(modes)) {
      if (others.has(mode)) continue;
      const ids = [...(await page(`/?mode=${mode}`)).matchAll(/<code id="sample-([\w-]+)"/g)].map(([, id]) => id).filter((id) => !own.test(id));
      assert.ok(ids.length >= 2, `${mode}: ${ids}`);
      assert.deepEqual(ids.filter((id) => !ran.has(`${mode} ${id}`) && !elsewhere.has(`${mode} ${id}`)), [], mode);
    }
  });
});
