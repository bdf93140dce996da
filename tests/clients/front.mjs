// What stands before Hufu in production: one https address for several hosts, and a browser that finds them there.
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import http from "node:http";
import https from "node:https";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { generate } from "selfsigned";

/** Answers https for these hosts: each is the address of a server on this machine, or a handler. */
export async function startFront(hosts) {
  const { private: key, cert } = await generate([{ name: "commonName", value: "example.com" }], { keyType: "ec" });
  const server = https.createServer({ key, cert }, (request, response) => {
    const target = hosts[request.headers.host];
    if (typeof target === "function") return target(request, response);
    if (target === undefined) return response.writeHead(421).end();
    const { method, url, headers } = request;
    const onward = http.request(new URL(url, target), { method, headers, setHost: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: server.address().port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What windows of it need: the front's certificate is nobody's. */
export const WINDOW = { ignoreHTTPSErrors: true, locale: "en" };

/**
 * The system's Chromium, which takes every host to be at the front. With the folder of a `profile` it is a single window,
 * which lets third parties have cookies; by itself Chromium keeps them back.
 */
export async function startChromium(front, profile) {
  const usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const executablePath = process.env.CHROMIUM_BIN ?? usual.find(existsSync);
  assert.ok(executablePath, "there is no Chromium; ./test says how to install it, or name one with CHROMIUM_BIN");
  const args = ["--no-sandbox", "--disable-dev-shm-usage", `--host-resolver-rules=MAP *:443 127.0.0.1:${front.port},MAP *:8443 127.0.0.1:${front.port}`];
  if (profile === undefined) return chromium.launch({ executablePath, args });
  mkdirSync(join(profile, "Default"));
  writeFileSync(join(profile, "Default/Preferences"), JSON.stringify({ profile: { cookie_controls_mode: 0 } }));
  return chromium.launchPersistentContext(profile, { executablePath, args, ...WINDOW });
}
