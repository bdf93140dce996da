// Starts the real binary: a sandbox in place of WeChat, and a server on its own database; records their output, and at
// the end checks that the log contains no secret.
//
// Environment: HUFU_BIN (default: target/debug/hufu), ENGINE (sqlite or postgres), HUFU_TEST_POSTGRES (the URL of a
// server where databases may be created; needed for ENGINE=postgres).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PostOffice } from "./post.mjs";
import { Secrets } from "./secrets.mjs";
import { ALICE, MINI, worldEnvironment, worldToml } from "./world.mjs";
import { Phone } from "./wx.mjs";

export const ENGINE = process.env.ENGINE ?? "sqlite";
export const HUFU = process.env.HUFU_BIN ?? fileURLToPath(new URL("../../target/debug/hufu", import.meta.url));
const START_DEADLINE_MS = 20_000;

/**
 * A sandbox and a server that are ready to be used, with the usual world. `publicUrl` is where people reach the server if
 * that is not its own address.
 */
export async function startStack({ wechatBase, environment, publicUrl } = {}) {
  const stack = new Stack();
  try {
    await stack.start({ wechatBase, environment, publicUrl });
  } catch (error) {
    await stack.abandon();
    error.message += `\n--- what the server printed:\n${stack.log}`;
    throw error;
  }
  return stack;
}

export class Stack {
  secrets = new Secrets();
  /** Where messages to people arrive. */
  post = new PostOffice();
  /** What the commands printed, the server's first. */
  log = "";
  #dir = mkdtempSync(join(tmpdir(), "hufu-sdk-"));
  #names = 0;

  async start({ wechatBase, environment, publicUrl }) {
    assert.ok(existsSync(HUFU), `there is no ${HUFU}; build it, or name another with HUFU_BIN`);
    this.environment = { ...worldEnvironment(), ...environment };
    for (const [name, value] of Object.entries(this.environment)) this.secrets.add(name, value);
    for (const [identifier, { secret }] of Object.entries(MINI)) this.secrets.add(`${identifier}'s secret`, secret);
    this.secrets.add("password", ALICE.password);

    await this.#startSandbox();
    await this.post.start();
    this.database = await createDatabase(this.#dir);
    const [port, metricsPort] = [await freePort(), await freePort()];
    this.host = `http://127.0.0.1:${port}`;
    this.metrics = `http://127.0.0.1:${metricsPort}`;
    this.config = this.file(
      "hufu.toml",
      `listen = "127.0.0.1:${port}"
public_url = "${publicUrl ?? this.host}"
database_url = "${this.database}"
encryption_key_file = "${this.#dir}/hufu.key"
metrics_listen = "127.0.0.1:${metricsPort}"
log = "debug"
# The post office is on this machine.
outgoing_private = ["127.0.0.0/8"]
# Tests ask for more codes, and register more people, than anybody on one address, and do not wait for keys of clients.
[limits]
client_keys_pause = "1s"
passcode_pause = "1ms"
passcodes_per_ip = 10000
registrations_per_ip = 10000
guesses_per_ip = 10000
login_failures_per_ip = 10000
[wechat]
api_base = "${wechatBase ?? `${this.sandbox}/api`}"
`,
    );
    await this.command("migrate", "--config", this.config);
    await this.apply(worldToml({ senders: this.post.toml() }));
    await this.startServer();
  }

  /** Writes a file into the test's own folder and gives its path. */
  file(name, content) {
    const path = join(this.#dir, name);
    writeFileSync(path, content);
    return path;
  }

  /** Runs a command of the binary to its end; fails unless it ends with `expected`. */
  async command(...args) {
    const child = this.#spawn(args);
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => (output.stdout += chunk));
    child.stderr.on("data", (chunk) => (output.stderr += chunk));
    const [code] = await once(child, "close");
    assert.equal(code, 0, `hufu ${args[0]} ended with ${code}:\n${output.stderr}${output.stdout}`);
    return output;
  }

  async apply(toml, ...options) {
    return this.command("apply", this.file("world.toml", toml), "--config", this.config, ...options);
  }

  async startServer() {
    this.server = this.#spawn(["serve", "--config", this.config]);
    await ready(`${this.host}/readyz`, this.server);
  }

  /** Ends the server as an operator does, and asks of it that it ends well. */
  async stopServer() {
    const exit = ended(this.server);
    this.server.kill("SIGTERM");
    const { code, signal } = await exit;
    assert.equal(signal, null, `the server died of ${signal}`);
    assert.equal(code, 0, "the server's exit code after SIGTERM");
  }

  /** Takes the server away as a crash does. */
  async killServer() {
    const exit = ended(this.server);
    this.server.kill("SIGKILL");
    await exit;
  }

  async restartServer() {
    await this.stopServer();
    await this.startServer();
  }

  /** A call of the sandbox's control API. */
  async wechat(path, body, method = "POST") {
    const response = await fetch(`${this.sandbox}/__sandbox/${path}`, {
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `the sandbox answered ${method} ${path} with ${response.status}: ${text}`);
    const answer = text === "" ? undefined : JSON.parse(text);
    this.secrets.harvest(answer);
    return answer;
  }

  /** A person of a name that nobody has yet, with the sandbox's usual or the given profile. */
  async person(profile = {}) {
    const name = `person-${++this.#names}`;
    const view = await this.wechat("users", { name, ...profile });
    this.secrets.add("phone", view?.phone);
    return { ...view, name };
  }

  /** A mainland number that nobody has yet. */
  number() {
    const number = `138${randomInt(10 ** 8).toString().padStart(8, "0")}`;
    this.secrets.add("number", number);
    return number;
  }

  /** An e-mail address that nobody has yet. */
  address() {
    const address = `person-${++this.#names}@mail.example.com`;
    this.secrets.add("address", address);
    return address;
  }

  /** What `wx.login` gives this person in this mini program. */
  async loginCode(person, connection = "shop-mini") {
    const { code } = await this.wechat("codes", { app_id: MINI[connection].appId, user: person.name });
    this.secrets.add("login code", code);
    return code;
  }

  /** What the phone button gives this person in this mini program. */
  async phoneCode(person, connection = "shop-mini") {
    const { code } = await this.wechat("phone-codes", { app_id: MINI[connection].appId, user: person.name });
    this.secrets.add("phone code", code);
    return code;
  }

  /**
   * What the phone of the person of this login code gives the mini program: `{encryptedData, iv}`, and for the kind
   * "user_info" also `{rawData, signature}`. The other kind is "phone".
   */
  async encryptedData(kind, code, { connection = "shop-mini", ...more } = {}) {
    return this.wechat("encrypted-data", { app_id: MINI[connection].appId, code, kind, ...more });
  }

  /** The person's phone in the hand, with the mini program of this connection open. */
  phone(person, options = {}) {
    const { connection = "shop-mini", ...rest } = options;
    const phone = new Phone({ login: () => this.loginCode(person, connection), ...rest });
    phone.person = person;
    this.#phones.push(phone);
    return phone;
  }
  #phones = [];

  /**
   * A bare HTTP call: `{status, headers, body}`, the body parsed if it is JSON. `app`, `pool` and `token` become the
   * headers that the SDKs send.
   */
  async call(path, { method = "POST", app, pool, token, headers = {}, json, body } = {}) {
    const sent = new Headers(headers);
    if (app !== undefined) sent.set("x-authing-app-id", app);
    if (pool !== undefined) sent.set("x-authing-userpool-id", pool);
    if (token !== undefined) sent.set("authorization", token);
    if (json !== undefined) sent.set("content-type", "application/json");
    const response = await fetch(`${this.host}${path}`, {
      method,
      headers: sent,
      body: json === undefined ? body : JSON.stringify(json),
      redirect: "manual",
    });
    const text = await response.text();
    let answer = text;
    try {
      answer = JSON.parse(text);
    } catch {
      // Not JSON: the test decides whether that is right.
    }
    this.secrets.harvest(answer);
    return { status: response.status, headers: response.headers, body: answer };
  }

  /** Logs a person in with a bare call and gives the User of the answer. */
  async login(person, { app, pool, connection = "shop-mini", ...more } = {}) {
    const code = await this.loginCode(person, connection);
    const { body } = await this.call("/connections/social/wechat-miniprogram/auth", { app, pool, json: { code, ...more } });
    assert.equal(body.code, 200, `login: ${JSON.stringify(body)}`);
    return body.data;
  }

  /** Stops everything, and looks through the whole log for secrets. */
  async close() {
    try {
      await this.stopServer();
      for (const phone of this.#phones) {
        for (const { answer } of phone.calls) this.secrets.harvest(answer);
      }
      for (const address of this.post.addresses) this.secrets.add("address", address);
      assert.ok(this.log.length > 0, "the server logged nothing at all");
      this.secrets.assertAbsentFrom(this.log);
    } finally {
      await this.abandon();
    }
  }

  async abandon() {
    this.post.close();
    for (const child of [this.server, this.sandboxProcess]) child?.kill("SIGKILL");
    await dropDatabase(this.database);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #startSandbox() {
    const port = await freePort();
    this.sandbox = `http://127.0.0.1:${port}`;
    // The sandbox's output is not searched for secrets: it invented them itself.
    this.sandboxProcess = spawn(HUFU, ["sandbox", "--listen", `127.0.0.1:${port}`], { stdio: "ignore" });
    await ready(`${this.sandbox}/__sandbox/apps`, this.sandboxProcess);
    for (const { appId, secret, openPlatform } of Object.values(MINI)) {
      await this.wechat("apps", { app_id: appId, secret, open_platform: openPlatform });
    }
  }

  #spawn(args) {
    // Pass only what a program needs, so that no HUFU_ variable of the developer has an effect.
    const { PATH, HOME, TMPDIR } = process.env;
    const child = spawn(HUFU, args, { cwd: this.#dir, env: { PATH, HOME, TMPDIR, ...this.environment } });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (chunk) => (this.log += chunk));
    }
    return child;
  }
}

export function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  }
  // `close` comes after the last of its output.
  return once(child, "close").then(([code, signal]) => ({ code, signal }));
}

/** Waits until `url` answers with this status, asking again and again, or until the process has ended. */
export async function ready(url, child, status = 200) {
  const deadline = Date.now() + START_DEADLINE_MS;
  let last;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${child.spawnargs.slice(0, 2).join(" ")} ended with ${child.exitCode ?? child.signalCode}`);
    }
    try {
      const response = await fetch(url);
      await response.arrayBuffer();
      if (response.status === status) return;
      last = `status ${response.status}`;
    } catch (error) {
      last = error.cause?.code ?? error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${url} is not ready after ${START_DEADLINE_MS} ms: ${last}`);
}

export async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** The URL of a new database of the engine that is tested: a file in the folder, or one on the server. */
export async function createDatabase(folder) {
  assert.ok(["sqlite", "postgres"].includes(ENGINE), "ENGINE must be sqlite or postgres");
  if (ENGINE === "sqlite") return `sqlite://${folder}/hufu.db`;
  const server = process.env.HUFU_TEST_POSTGRES;
  assert.ok(server, "ENGINE=postgres needs HUFU_TEST_POSTGRES: run ./test, or set it");
  const name = `hufu_sdk_${randomBytes(6).toString("hex")}`;
  await psql(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** Removes a database of the server. A file goes with its folder. */
export async function dropDatabase(url) {
  if (!url?.startsWith("postgres")) return;
  await psql(`DROP DATABASE IF EXISTS ${new URL(url).pathname.slice(1)} WITH (FORCE)`).catch(() => {});
}

async function psql(statement) {
  const child = spawn("psql", ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command", statement, process.env.HUFU_TEST_POSTGRES]);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => (stderr += chunk));
  const [code] = await once(child, "close");
  assert.equal(code, 0, `psql: ${stderr}`);
}
