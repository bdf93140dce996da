// The provider under test and everything a relying party has to know of it: its issuer, clients and people.
//
// Environment, besides that of tests/sdk/harness.mjs: OIDC_TARGET=reference tests npm `oidc-provider` in place of Hufu,
// which shows whether a test is right (see calibrate.mjs).
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { Browser } from "./browser.mjs";
import { CLIENTS, ENVIRONMENT, PEOPLE, POOL, worldToml } from "./world.mjs";

export const REFERENCE = process.env.OIDC_TARGET === "reference";
/** What the names of suites end with. */
export const TARGET = REFERENCE ? "the reference" : (process.env.ENGINE ?? "sqlite");

/** Starts what is to be tested. */
export async function startTarget() {
  const receiver = await new Receiver().start();
  let target;
  try {
    target = REFERENCE
      ? await (await import("./reference.mjs")).startReference(receiver)
      : await startHufu(receiver);
    target.discoveryUrl = `${target.issuer}/.well-known/openid-configuration`;
    const discovery = await fetch(target.discoveryUrl);
    const text = await discovery.text();
    assert.equal(discovery.status, 200, `discovery: ${text.slice(0, 300)}`);
    target.metadata = JSON.parse(text);
  } catch (error) {
    receiver.close();
    await target?.abandon();
    throw error;
  }
  const { origin } = new URL(target.issuer);
  const { close } = target;
  return Object.assign(target, {
    receiver,
    people: PEOPLE,
    origin,
    browser: () => new Browser(origin),
    close: async () => {
      receiver.close();
      await close();
    },
  });
}

async function startHufu(receiver) {
  const { startStack } = await import("../sdk/harness.mjs");
  const stack = await startStack({ environment: ENVIRONMENT });
  let registrationToken;
  for (const { password } of Object.values(PEOPLE)) stack.secrets.add("password", password);
  try {
    await stack.apply(worldToml(receiver.address));
    await takenUp(stack, CLIENTS(receiver.address).api);
    const { stdout } = await stack.command("admin", "registration-token", "--pool", POOL, "--config", stack.config);
    registrationToken = stdout.trim();
  } catch (error) {
    await stack.abandon();
    throw error;
  }
  return {
    stack,
    issuer: `${stack.host}/oidc`,
    clients: CLIENTS(receiver.address),
    pool: POOL,
    registrationToken,
    /** An address of this machine, as a client may register it. */
    https: (uri) => uri,
    /** What the operator does when a key is in wrong hands. */
    rotateKeys: () => stack.command("admin", "rotate-keys", "--now", "--config", stack.config),
    names: { account: "account", password: "password" },
    /** Remembers what must not appear in the log. */
    secret: (kind, value) => stack.secrets.add(kind, value),
    harvest: (answer) => stack.secrets.harvest(answer),
    close: () => stack.close(),
    abandon: () => stack.abandon(),
  };
}

/**
 * Waits until the running server has taken up the applications, and has made the keys that they need. One of them has to
 * sign with RS256.
 */
export async function takenUp(stack, { id, secret }) {
  const deadline = Date.now() + 20_000;
  do {
    const { body } = await stack.call("/oidc/token", {
      headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
      body: new URLSearchParams({ grant_type: "client_credentials" }),
    });
    const { keys } = (await stack.call("/oidc/.well-known/jwks.json", { method: "GET" })).body;
    if (body?.error !== "invalid_client" && keys?.some(({ kty }) => kty === "RSA")) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (Date.now() < deadline);
  assert.fail("the server has not taken up the applications");
}

/** A relying party's server: keeps what the provider sends to it. */
export class Receiver {
  #received = [];
  #waiting = [];

  async start() {
    this.server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.writeHead(200, { "cache-control": "no-store" }).end();
      this.#received.push({
        method: request.method,
        url: new URL(request.url, this.address),
        headers: request.headers,
        body: new URLSearchParams(body),
      });
      for (const wake of this.#waiting.splice(0)) wake();
    }).listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.address = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  /** The first request, past or future, that `matches` accepts. */
  async next(matches, deadlineMs = REFERENCE ? 1000 : 10_000) {
    const deadline = Date.now() + deadlineMs;
    for (;;) {
      const at = this.#received.findIndex(matches);
      if (at >= 0) return this.#received.splice(at, 1)[0];
      const left = deadline - Date.now();
      assert.ok(left > 0, "the relying party's server was not called");
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => (clearTimeout(timer), resolve()));
      });
    }
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }
}
