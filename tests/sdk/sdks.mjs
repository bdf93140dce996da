// The published SDKs, loaded unmodified from npm.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

/**
 * npm `authing-wxapp-sdk`.
 *
 * Its HTTP library chooses its transport when it is loaded: Node's sockets if it sees a Node `process`, else
 * `wx.request`. `transport: "wx"` hides the process meanwhile, so that the SDK runs as on a phone; `"node"` is what a
 * plain `require` under Node gives.
 */
export function loadWxappSdk(transport = "wx") {
  for (const file of Object.keys(require.cache)) {
    if (/node_modules\/(wx-axios|authing-wxapp-sdk)\//.test(file)) delete require.cache[file];
  }
  // It looks for `wx` while loading, before a test has a phone.
  globalThis.wx ??= {};
  const { process } = globalThis;
  if (transport === "wx") globalThis.process = Object.create(process, { [Symbol.toStringTag]: { value: "Object" } });
  try {
    return require("authing-wxapp-sdk");
  } finally {
    globalThis.process = process;
  }
}

/** npm `@authing/miniapp-taro`. Its bundle is an ES module under a name that Node takes for CommonJS: a copy is not. */
export async function loadMiniappSdk() {
  const bundle = require.resolve("@authing/miniapp-taro");
  const cache = fileURLToPath(new URL(".cache/", import.meta.url));
  mkdirSync(cache, { recursive: true });
  const copy = `${cache}miniapp-taro-${process.pid}.mjs`;
  writeFileSync(copy, readFileSync(bundle));
  return import(copy);
}

/** npm `authing-js-sdk` 4.23, the newest of the line that authing-wxapp-sdk is built on. */
export function loadJsSdk() {
  return require("authing-js-sdk-4-23");
}
