// The applications, the person and the configuration that docs/conformance.md gives to the official suite, played: Hufu takes
// them, and the browser that the configuration describes comes through Hufu's pages. The suite itself is not here; a page in
// its place notes what arrives.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { takenUp } from "../oidc/harness.mjs";
import { startStack } from "../sdk/harness.mjs";
import { startChromium, startFront, WINDOW } from "./front.mjs";
import { ENGINE } from "./harness.mjs";

const HUFU = "https://id.example.com";
const SUITE = "https://localhost.emobix.co.uk:8443/test/a/hufu";

const page = readFileSync(new URL("../../docs/conformance.md", import.meta.url), "utf8");
const blocks = (language) => [...page.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, text]) => text);
const [world] = blocks("toml");
const [people, configuration] = blocks("json").map((text) => JSON.parse(text));

/** The claims that the suite expects of each scope. */
const CLAIMS = {
  openid: ["sub"],
  profile: [
    "name", "given_name", "family_name", "middle_name", "nickname", "profile", "picture", "website", "gender", "birthdate",
    "zoneinfo", "locale", "updated_at", "preferred_username",
  ],
  email: ["email", "email_verified"],
  address: ["address"],
  phone: ["phone_number", "phone_number_verified"],
};

/** The configuration of a module: what is overridden for it replaces the rest. */
const configured = (module) => ({ ...configuration, ...configuration.override[module] });

/** The suite's patterns: `*` is anything, everything else is itself. */
const matches = (pattern, text) =>
  new RegExp(`^${pattern.split("*").map((part) => part.replace(/[.\\+?^${}()|[\]]/g, "\\$&")).join(".*")}$`, "s").test(text);

describe(`docs/conformance.md on ${ENGINE}`, () => {
  let stack, front, chromium;
  /** What has arrived at the suite: `{path, params}`. */
  const arrived = [];

  before(async () => {
    stack = await startStack({ publicUrl: HUFU });
    await stack.apply(world);
    await stack.command("import", stack.file("olivia.json", JSON.stringify(people)), "--pool", "conformance", "--config", stack.config);
    const { client_id: id, client_secret: secret } = configuration.client;
    await takenUp(stack, { id, secret });
    front = await startFront({ [new URL(HUFU).host]: stack.host, [new URL(SUITE).host]: suite });
    chromium = await startChromium(front);
  });
  after(async () => {
    await chromium?.close();
    front?.close();
    await stack?.close();
  });

  async function suite(request, response) {
    let body = "";
    for await (const chunk of request) body += chunk;
    const url = new URL(request.url, SUITE);
    const [, path] = url.href.split(/[?#]/)[0].split(SUITE);
    // A browser asks for an icon too.
    if (path === undefined) return response.writeHead(404).end();
    const params = new URLSearchParams(request.method === "POST" ? body : url.search);
    arrived.push({ path, params });
    for (const name of ["code", "id_token_hint"]) if (params.has(name)) stack.secrets.add(name, params.get(name));
    response.writeHead(200, { "content-type": "text/html" }).end('<p id="submission_complete">Done</p>');
  }

  /** A browser of one module, and the suite's own steps with it. */
  async function play(module, scenario) {
    const window = await chromium.newContext(WINDOW);
    const { client, browser } = configured(module);
    const tab = await window.newPage();
    arrived.length = 0;

    /**
     * Waits as HtmlUnit does, whose click is over when the next page has loaded and its script has run: a page whose script
     * submits a response is no place to stop.
     */
    const settled = () => tab.waitForFunction(() => document.readyState === "complete" && !document.querySelector("form#response"));

    async function click(element) {
      const loaded = tab.waitForEvent("framenavigated", (frame) => frame === tab.mainFrame());
      await Promise.all([loaded, element.click()]);
      await settled();
    }

    /** Sends the browser to an address and does the tasks for it. Gives the text of the page that it took a picture of. */
    async function visit(address) {
      const { tasks } = browser.find(({ match }) => matches(match, address)) ?? assert.fail(`nothing is for ${address}`);
      let picture;
      await tab.goto(address);
      await settled();
      for (const { task, match = "*", optional, commands } of tasks) {
        if (!matches(match, tab.url())) {
          assert.ok(optional, `the task '${task}' is not for ${tab.url()}`);
          continue;
        }
        for (const [command, kind, target, ...more] of commands) {
          const element = tab.locator(kind === "id" ? `id=${target}` : `${kind}=${target}`).first();
          if (command === "click") await click(element);
          else if (command === "text") await element.fill(more[0]);
          else if (kind === "match") await tab.waitForURL((url) => new RegExp(target).test(url.href), { timeout: more[0] * 1000 });
          else {
            await element.waitFor({ timeout: more[0] * 1000 });
            if (more[2] === "update-image-placeholder-optional") picture ??= await tab.locator("body").innerText();
          }
        }
      }
      return picture;
    }

    const authorize = (parameters = {}, { client_id } = client) => {
      const query = new URLSearchParams({
        client_id, redirect_uri: `${SUITE}/callback`, response_type: "code", scope: "openid", state: "s", nonce: "n", ...parameters,
      });
      // The suite leaves colons and slashes as they are.
      return visit(`${HUFU}/oidc/auth?${query}`.replaceAll("%3A", ":").replaceAll("%2F", "/"));
    };

    const endSession = (parameters) =>
      visit(`${HUFU}/oidc/session/end${parameters ? `?${new URLSearchParams(parameters)}` : ""}`);

    /** The tokens for the code that arrived last. */
    async function tokens({ client_id, client_secret } = client, inBody = false) {
      const body = { grant_type: "authorization_code", code: arrived.at(-1).params.get("code"), redirect_uri: `${SUITE}/callback` };
      const headers = inBody ? {} : { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` };
      if (inBody) Object.assign(body, { client_id, client_secret });
      const answer = await stack.call("/oidc/token", { headers, body: new URLSearchParams(body) });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return answer.body;
    }

    const logIn = async () => {
      await authorize();
      return (await tokens()).id_token;
    };

    try {
      await scenario({ client, authorize, endSession, tokens, logIn });
    } catch (error) {
      error.message += `\n--- the browser was at ${tab.url()}\n--- the suite had ${JSON.stringify(arrived.map(({ path }) => path))}`;
      throw error;
    } finally {
      await window.close();
    }
  }

  const paths = () => arrived.map(({ path }) => path);

  test("oidcc-scope-all: the person has every claim", () => play("oidcc-scope-all", async ({ authorize, tokens }) => {
    await authorize({ scope: Object.keys(CLAIMS).join(" ") });
    const { access_token } = await tokens();
    const { body } = await stack.call("/oidc/me", { method: "GET", headers: { authorization: `Bearer ${access_token}` } });
    const missing = Object.values(CLAIMS).flat().filter((name) => body[name] === undefined);
    assert.deepEqual(missing, []);
    assert.deepEqual([body.email_verified, body.phone_number_verified], [true, true]);
  }));

  test("oidcc-prompt-login: logs in a second time", () => play("oidcc-prompt-login", async ({ authorize }) => {
    await authorize();
    assert.match(await authorize({ prompt: "login" }), /Log in/);
    assert.deepEqual(paths(), ["/callback", "/callback"]);
  }));

  test("oidcc-prompt-none-not-logged-in: comes back at once", () => play("oidcc-prompt-none-not-logged-in", async ({ authorize }) => {
    await authorize({ prompt: "none" });
    assert.equal(arrived.at(-1).params.get("error"), "login_required");
  }));

  test("oidcc-ensure-registered-redirect-uri: takes a picture of the error", () =>
    play("oidcc-ensure-registered-redirect-uri", async ({ authorize }) => {
      assert.match(await authorize({ redirect_uri: `${SUITE}/callback/other` }), /redirect_uri/);
      assert.deepEqual(paths(), []);
    }));

  test("oidcc-refresh-token: agrees, as both clients", () => play("oidcc-refresh-token", async ({ authorize, tokens }) => {
    const asked = { scope: "openid offline_access", prompt: "consent" };
    await authorize(asked);
    assert.ok((await tokens()).refresh_token);
    await authorize(asked, configuration.client2);
    assert.ok((await tokens(configuration.client2)).refresh_token);
  }));

  test("oidcc-server-client-secret-post: the third client", () =>
    play("oidcc-server-client-secret-post", async ({ authorize, tokens }) => {
      await authorize({}, configuration.client_secret_post);
      await tokens(configuration.client_secret_post, true);
    }));

  test("form post: the response arrives", () => play("oidcc-server", async ({ authorize, tokens }) => {
    await authorize({ response_mode: "form_post" });
    await tokens();
  }));

  test("oidcc-rp-initiated-logout: goes back, and nobody else is told", () =>
    play("oidcc-rp-initiated-logout", async ({ logIn, endSession, authorize }) => {
      await endSession({ id_token_hint: await logIn(), post_logout_redirect_uri: `${SUITE}/post_logout_redirect`, state: "x" });
      assert.deepEqual(paths(), ["/callback", "/post_logout_redirect"]);
      await authorize({ prompt: "none" });
      assert.equal(arrived.at(-1).params.get("error"), "login_required");
    }));

  for (const [name, change] of Object.entries({
    "no-id-token-hint": { id_token_hint: undefined },
    "bad-id-token-hint": { id_token_hint: "a.b.c" },
    "bad-post-logout-redirect-uri": { post_logout_redirect_uri: `${SUITE}/other` },
  })) {
    test(`oidcc-rp-initiated-logout-${name}: takes a picture and leaves it at that`, () =>
      play(`oidcc-rp-initiated-logout-${name}`, async ({ logIn, endSession }) => {
        const parameters = { id_token_hint: await logIn(), post_logout_redirect_uri: `${SUITE}/post_logout_redirect`, state: "x", ...change };
        assert.ok(await endSession(Object.entries(parameters).filter(([, value]) => value !== undefined)), "there is a picture");
        assert.deepEqual(paths(), ["/callback"]);
      }));
  }

  for (const [name, parameters] of Object.entries({
    "no-params": () => undefined,
    "only-state": () => ({ state: "x" }),
    "no-post-logout-redirect-uri": (id_token_hint) => ({ id_token_hint, state: "x" }),
  })) {
    test(`oidcc-rp-initiated-logout-${name}: takes a picture of the end`, () =>
      play(`oidcc-rp-initiated-logout-${name}`, async ({ logIn, endSession, authorize }) => {
        assert.match(await endSession(parameters(await logIn())), /logged out/i);
        await authorize({ prompt: "none" });
        assert.equal(arrived.at(-1).params.get("error"), "login_required");
      }));
  }

  test("oidcc-frontchannel-rp-initiated-logout: both calls arrive", () =>
    play("oidcc-frontchannel-rp-initiated-logout", async ({ logIn, endSession }) => {
      await endSession({ id_token_hint: await logIn(), post_logout_redirect_uri: `${SUITE}/post_logout_redirect`, state: "x" });
      assert.deepEqual(paths().sort(), ["/callback", "/frontchannel_logout", "/post_logout_redirect"]);
    }));

  test("logout tokens and frames are for the client of their module alone", () => {
    for (const channel of ["backchannel", "frontchannel"]) {
      const { client_id: id } = configuration.override[`oidcc-${channel}-rp-initiated-logout`].client;
      const told = world.split("[[user_pool.application]]").filter((application) => application.includes(`${channel}_logout_uri`));
      assert.equal(told.length, 1);
      assert.ok(told[0].includes(`id = "${id}"`) && told[0].includes(`${channel}_logout_uri = "${SUITE}/${channel}_logout"`), told[0]);
    }
  });
});
