// Hufu with the applications of a test, and the programs of customers that log people in through it.
//
// Environment: that of tests/sdk/harness.mjs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Browser } from "../oidc/browser.mjs";
import { takenUp } from "../oidc/harness.mjs";
import { ended, freePort, ready, startStack } from "../sdk/harness.mjs";

export { ENGINE, ended, freePort } from "../sdk/harness.mjs";
export { Browser };

/** The person who logs in. */
export const NINA = {
  id: "6560c0ffee00000000000a31",
  account: "nina",
  password: "paper boats on the canal",
  email: "nina@mail.example.com",
  name: "Nina Zhou",
};
export const POOL = "6560c0ffee00000000000a01";
export const SITE = { id: "6560c0ffee00000000000a11", secret: `site-${"7".repeat(40)}` };
export const SPA = { id: "6560c0ffee00000000000a12" };

/** The folder of a program beside this file. */
export const folder = (name) => fileURLToPath(new URL(`${name}/`, import.meta.url));

/**
 * Starts Hufu with a website, and with a single-page app if it has addresses. `signing` is the algorithm of the website's
 * tokens, `backchannel` the path at which it hears of logouts, `more` what else the pool has.
 */
export async function startHufu({ site = "https://site.example.com", spa, signing = "RS256", backchannel, publicUrl, more = "" }) {
  const stack = await startStack({ environment: { NINA: NINA.password, SITE_SECRET: SITE.secret }, publicUrl });
  try {
    await stack.apply(`
[[user_pool]]
id = "${POOL}"
name = "Customers"

  [[user_pool.application]]
  id = "${SITE.id}"
  name = "Website"
  type = "web"
  secret = { env = "SITE_SECRET" }
  signing_algorithm = "${signing}"
  redirect_uris = ["${site}/callback", "${site}/auth/callback/hufu", "${site}/login/oauth2/code/hufu"]
  logout_redirect_uris = ["${site}/"]
  ${backchannel ? `backchannel_logout_uri = "${site}${backchannel}"` : ""}
  [user_pool.application.login]
  methods = ["password"]
  default_method = "password"

  [[user_pool.application]]
  id = "6560c0ffee00000000000a13"
  name = "Signs with RS256"
  type = "web"
  secret = { env = "SITE_SECRET" }
  signing_algorithm = "RS256"
  redirect_uris = ["https://rs256.example.com/callback"]
${spa ? `
  [[user_pool.application]]
  id = "${SPA.id}"
  name = "Single-page app"
  type = "spa"
  grants = ["authorization_code", "refresh_token", "implicit"]
  redirect_uris = ${JSON.stringify(spa.map((origin) => `${origin}/callback`))}
  logout_redirect_uris = ${JSON.stringify(spa.map((origin) => `${origin}/signed-out`))}
  [user_pool.application.login]
  methods = ["password"]
  default_method = "password"
` : ""}${more}
  [[user_pool.user]]
  id = "${NINA.id}"
  username = "${NINA.account}"
  email = "${NINA.email}"
  name = "${NINA.name}"
  password = { env = "NINA" }
`);
    await takenUp(stack, SITE);
  } catch (error) {
    await stack.abandon();
    throw error;
  }
  return {
    stack,
    origin: publicUrl ?? stack.host,
    issuer: `${publicUrl ?? stack.host}/oidc`,
    names: { account: "account", password: "password" },
    browser: () => new Browser(stack.host),
    /** Remembers what must not appear in the log. */
    secret: (kind, value) => stack.secrets.add(kind, value),
    close: () => stack.close(),
  };
}

/** Starts a program and waits until its site answers. Its environment is what it needs, and `environment`. */
export async function startProgram([command, ...args], { site, cwd, issuer, environment = {} }) {
  const { hostname, port } = new URL(site);
  const { PATH, HOME, TMPDIR } = process.env;
  const child = spawn(command, args, {
    cwd,
    env: {
      PATH, HOME, TMPDIR, ISSUER: issuer, CLIENT_ID: SITE.id, CLIENT_SECRET: SITE.secret,
      SITE: site, PORT: port, LISTEN: `${hostname}:${port}`, ...environment,
    },
  });
  const program = {
    output: "",
    close: async () => {
      const exit = ended(child);
      child.kill("SIGTERM");
      await exit;
    },
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk) => (program.output += chunk));
  try {
    const failed = once(child, "error").then(([error]) => Promise.reject(error));
    // What is nobody's page answers 401.
    await Promise.race([ready(`${site}/`, child, 401), failed]);
  } catch (error) {
    child.kill("SIGKILL");
    error.message += `\n--- what the program printed:\n${program.output}`;
    throw error;
  }
  return program;
}

/** Runs a command to its end. */
export async function run([command, ...args], { cwd }) {
  const child = spawn(command, args, { cwd });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  assert.equal(code, 0, `${command} ${args.join(" ")} ended with ${code}:\n${output}`);
}

/**
 * An issuer that passes the tokens of Hufu off as its own: its metadata are Hufu's under another name. Gives
 * `{issuer, close}`.
 */
export async function startImpostor(issuer) {
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ ...metadata, issuer: impostor.issuer }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const impostor = {
    issuer: `http://127.0.0.1:${server.address().port}/oidc`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return impostor;
}

/** Waits until this holds. */
export async function until(holds, what) {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
