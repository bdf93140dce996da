// The system's Chromium, and `hufu dev` with a start page and a phone to look at.
//
// Environment: that of tests/sdk/harness.mjs; CHROMIUM_BIN; SHOTS, a folder for pictures of the screens (a new one of the
// system's temporary folder if absent).
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

export { startDev } from "../sdk/start.mjs";
export { ENGINE, freePort, startStack } from "../sdk/harness.mjs";

/** How long a person would look at a screen before giving up. */
const PATIENCE_MS = 15_000;

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

/** Where pictures of the screens go: outside the repository. */
export function shotsFolder() {
  const folder = process.env.SHOTS ?? mkdtempSync(join(tmpdir(), "hufu-shots-"));
  mkdirSync(folder, { recursive: true });
  return folder;
}
