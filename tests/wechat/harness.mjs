// The system's Chromium, and `hufu dev` with a start page and a phone to look at.
//
// Environment: that of tests/sdk/harness.mjs; CHROMIUM_BIN; SHOTS, a folder for pictures of the screens (a new one of the
// system's temporary folder if absent).
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { chromium } from "playwright-core";
import { startStack } from "../sdk/harness.mjs";
import { APPS, BACK_END, POOL, PUSH, worldToml } from "./world.mjs";

export { startDev } from "../sdk/start.mjs";
export { ENGINE, freePort, startStack } from "../sdk/harness.mjs";

/** How long a person would look at a screen before giving up. */
export const PATIENCE_MS = 60_000;

export async function startChromium(options = {}) {
  const usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const executablePath = process.env.CHROMIUM_BIN ?? usual.find(existsSync);
  assert.ok(executablePath, "there is no Chromium; ./test says how to install it, or name one with CHROMIUM_BIN");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"], ...options });
}

/** A window, whose errors count: `faults` lists what its console and its requests complained of. */
export async function openWindow(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  context.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  context.on("weberror", (error) => faults.push(`script: ${error.error().message}`));
  context.on("response", (answer) => {
    if (answer.status() >= 400) faults.push(`${answer.status()} ${new URL(answer.url()).pathname}`);
  });
  return { context, faults };
}

/** Asks until the answer is as wished, for as long as a person would look; says what it was last. */
export async function eventually(what, ask, isAsWished) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (isAsWished(answer)) return answer;
    assert.ok(Date.now() < end, `${what}: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Where pictures of the screens go: outside the repository. */
export function shotsFolder() {
  const folder = process.env.SHOTS ?? mkdtempSync(join(tmpdir(), "hufu-shots-"));
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** The shop of world.mjs on a server with its sandbox. */
export async function startShop(site) {
  const stack = await startStack({ environment: { BACK_END_SECRET: BACK_END.secret } });
  try {
    for (const app of Object.values(APPS)) {
      stack.secrets.add("app secret", app.secret);
      await stack.wechat("apps", { ...app, name: "Qinghe", open_platform: "shop" });
    }
    await stack.wechat("settings", { login_mini_program_host: stack.host });
    await stack.apply(worldToml(site, { senders: stack.post.toml() }));
    // WeChat's pages are the sandbox's.
    Object.assign(stack.environment, { HUFU_WECHAT_OPEN_BASE: `${stack.sandbox}/open`, HUFU_WECHAT_MP_BASE: `${stack.sandbox}/mp` });
    // A running server takes up what was applied; a new one has it from the start.
    await stack.restartServer();
    stack.events = `/connections/social/official/${POOL}/events`;
    const { token, aesKey } = PUSH;
    const messages = { url: `${stack.host}${stack.events}`, token, mode: "safe", encoding_aes_key: aesKey };
    await stack.wechat(`apps/${APPS.account.app_id}`, { messages }, "PATCH");
  } catch (error) {
    await stack.abandon();
    throw error;
  }
  return stack;
}

/** A website of one page. `/done` is where logins return to. */
export async function startSite(files) {
  const server = createServer((request, response) => {
    const [type, body] = files[new URL(request.url, "http://site").pathname] ?? ["text/html", "<!doctype html><title>Shop</title>"];
    response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The claims of a token of Hufu's, and whether the server's public keys say that they are its own. */
export async function verified(stack, token, audience) {
  const keys = createRemoteJWKSet(new URL(`${stack.host}/oidc/.well-known/jwks.json`));
  const { payload } = await jwtVerify(token, keys, { issuer: `${stack.host}/oidc`, audience });
  return payload;
}
