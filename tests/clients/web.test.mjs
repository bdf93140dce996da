// npm `@authing/web` in Chromium, unmodified, with its default options unless a test is about an option.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { startChromium, startFront, WINDOW } from "./front.mjs";
import { ENGINE, NINA, POOL, SPA, startHufu } from "./harness.mjs";

// The library wants a domain without a port, and a page that may use the browser's cryptography.
const DOMAIN = "https://id.example.com";
const SHOP = "https://shop.example.com";
/** A site of another domain: in its frames, Hufu's cookie is a third party's. */
const FAR = "https://shop.example.org";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const files = {
  "/axios.js": ["text/javascript", read("node_modules/axios/dist/axios.min.js")],
  "/authing.js": ["text/javascript", read("node_modules/@authing/web/dist/global/index.global.js")],
};
const page = ["text/html", read("web/index.html").replace("DOMAIN", DOMAIN).replace("USER_POOL_ID", POOL).replace("APP_ID", SPA.id)];

function site(request, response) {
  const [type, body] = files[request.url] ?? page;
  response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(body);
}

describe(`@authing/web on ${ENGINE}`, () => {
  let hufu, front, chromium;
  /** The person's browser, and what was sent to Hufu: lines of method, path, status. */
  let context, sent;

  before(async () => {
    hufu = await startHufu({ spa: [SHOP, FAR], publicUrl: DOMAIN });
    front = await startFront({ "id.example.com": hufu.stack.host, "shop.example.com": site, "shop.example.org": site });
    chromium = await startChromium(front);
  });
  after(async () => {
    await chromium?.close();
    front?.close();
    await hufu?.close();
  });

  beforeEach(async () => {
    sent = [];
    watch((context = await chromium.newContext(WINDOW)));
  });
  afterEach(() => context.close());

  function watch(context) {
    context.setDefaultTimeout(30_000);
    context.on("response", (answer) => {
      const url = new URL(answer.url());
      if (url.origin === DOMAIN) sent.push(`${answer.request().method()} ${url.pathname} ${answer.status()}`);
    });
    context.on("requestfailed", (request) => sent.push(`${request.method()} ${request.url()} ${request.failure()?.errorText}`));
    context.on("console", (message) => sent.push(`console: ${message.text()}`));
  }

  /** A page of the app, with further options for the library. */
  async function open({ at = SHOP, options } = {}) {
    const tab = await context.newPage();
    if (options) await tab.addInitScript((given) => (window.options = given), options);
    await tab.goto(`${at}/`);
    return tab;
  }

  /** Calls a method of the library that answers. */
  async function call(tab, method, ...parameters) {
    try {
      return await tab.evaluate(async ([name, given]) => authing[name](...given), [method, parameters]);
    } catch (error) {
      error.message += `\n${sent.join("\n")}`;
      throw error;
    }
  }

  /** Calls a method of the library that leaves the page, and waits for where that leads. */
  async function leave(tab, method, parameters, arrives) {
    const arrival = tab.waitForURL(arrives);
    arrival.catch(() => {});
    await tab.evaluate(([name, given]) => void authing[name](...given), [method, parameters]);
    try {
      await arrival;
    } catch (error) {
      error.message += `\nat ${tab.url()}\n${sent.join("\n")}`;
      throw error;
    }
  }

  async function fillIn(tab) {
    await tab.fill("#account", NINA.account);
    await tab.fill("#password", NINA.password);
    await tab.click("#submit");
  }

  /** The whole login by redirects, up to what the library gives. */
  async function logIn(tab, parameters = {}) {
    await leave(tab, "loginWithRedirect", [parameters], `${DOMAIN}/login**`);
    await fillIn(tab);
    await tab.waitForURL(/\/callback[?#]/);
    assert.ok(await call(tab, "isRedirectCallback"));
    return assertState(await call(tab, "handleRedirectCallback"));
  }

  function assertState(state, { code = true } = {}) {
    assert.ok(state, `nobody is logged in:\n${sent.join("\n")}`);
    const { parsedIdToken, parsedAccessToken, accessToken, idToken, refreshToken, expireAt } = state;
    for (const [kind, value] of Object.entries({ accessToken, idToken, refreshToken })) hufu.secret(kind, value);
    assert.equal(parsedIdToken.sub, NINA.id);
    assert.equal(parsedIdToken.iss, `${DOMAIN}/oidc`);
    assert.equal(parsedIdToken.aud, SPA.id);
    assert.equal(parsedAccessToken.sub, NINA.id);
    assert.ok(expireAt > Date.now());
    if (code) assert.ok(refreshToken, "there is no refresh token");
    return state;
  }

  test("loginWithRedirect, getUserInfo, logoutWithRedirect", async () => {
    const tab = await open();
    assert.equal(await call(tab, "isRedirectCallback"), false);
    await logIn(tab, { customState: { cart: 7 } });

    const info = await call(tab, "getUserInfo");
    assert.equal(info.userId, NINA.id, JSON.stringify(info));
    assert.equal(info.name, NINA.name);
    assert.equal(info.email, NINA.email);

    await leave(tab, "logoutWithRedirect", [{ state: "bye" }], `${SHOP}/signed-out?state=bye`);
    assert.equal(await call(tab, "getLoginState"), null);
  });

  test("refreshToken", async () => {
    const tab = await open();
    let state = await logIn(tab);
    // Twice, so that the second time is with a refresh token that came of one.
    for (let times = 0; times < 2; times++) {
      // The call names the client in a header alone.
      const later = assertState(await call(tab, "refreshToken"));
      assert.notEqual(later.accessToken, state.accessToken);
      assert.notEqual(later.refreshToken, state.refreshToken);
      assert.equal((await call(tab, "getUserInfo")).userId, NINA.id);
      state = later;
    }
  });

  test("loginWithRedirect with the response in the query", async () => {
    const state = await logIn(await open({ options: { redirectResponseMode: "query" } }));
    assert.ok(state.parsedIdToken.nonce);
  });

  test("loginWithRedirect goes back to the page where it began", async () => {
    const tab = await open({ options: { redirectToOriginalUri: true } });
    await leave(tab, "loginWithRedirect", [{ originalUri: `${SHOP}/cart` }], `${DOMAIN}/login**`);
    await fillIn(tab);
    await tab.waitForURL(/\/callback[?#]/);
    await leave(tab, "handleRedirectCallback", [], `${SHOP}/cart`);
    assertState(await call(tab, "getLoginState"));
  });

  test("loginWithRedirect without the default scope", async () => {
    // What the library asks for if nothing is said: `openid profile`, which brings no refresh token.
    const tab = await open({ options: { scope: undefined } });
    await leave(tab, "loginWithRedirect", [{}], `${DOMAIN}/login**`);
    await fillIn(tab);
    await tab.waitForURL(/\/callback[?#]/);
    assertState(await call(tab, "handleRedirectCallback"), { code: false });
  });

  test("loginWithRedirect by force asks for the password again", async () => {
    const tab = await open();
    await logIn(tab);
    await logIn(tab, { forced: true });
  });

  /** That the library found nobody logged in, as it should: by `login_required`, and not because nothing came. */
  const assertNobody = () => assert.ok(sent.includes("console: 用户未登录"), `not login_required:\n${sent.join("\n")}`);

  async function askSilently(at) {
    const tab = await open({ at });
    assert.equal(await call(tab, "getLoginState"), null);
    assertNobody();
    await logIn(await open());
    assertState(await call(tab, "getLoginState", { ignoreCache: true }));
    // It is kept from now on.
    const before = sent.length;
    assertState(await call(tab, "getLoginState"));
    assert.equal(sent.length, before);
  }

  test("getLoginState by a hidden frame, in an app of the same site", () => askSilently(SHOP));

  test("getLoginState by a hidden frame, in an app of another site", async () => {
    const profile = mkdtempSync(join(tmpdir(), "hufu-profile-"));
    try {
      watch((context = await startChromium(front, profile)));
      await askSilently(FAR);
    } finally {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    }
  });

  test("getLoginState where the browser keeps the cookies of third parties back", async () => {
    await logIn(await open());
    const tab = await open({ at: FAR });
    assert.equal(await call(tab, "getLoginState"), null);
    assertNobody();
    // A redirect is no third party.
    await leave(tab, "getLoginStateWithRedirect", [], (url) => url.pathname === "/callback" && url.hash.includes("code="));
    assertState(await call(tab, "handleRedirectCallback"));
  });

  /** A login in a popup: the tab, the popup, and what the library gives. */
  async function logInByPopup(at) {
    const tab = await open({ at });
    const opened = context.waitForEvent("page");
    const result = call(tab, "loginWithPopup");
    result.catch(() => {});
    const popup = await opened;
    await popup.waitForURL(`${DOMAIN}/login**`);
    await fillIn(popup);
    return { popup, state: await Promise.race([result, never(30_000, "the popup has sent nothing")]) };
  }

  for (const [name, at] of [["of the same site", SHOP], ["of another site", FAR]]) {
    test(`loginWithPopup, in an app ${name}`, async () => assertState((await logInByPopup(at)).state));
  }

  test("loginWithPopup leaves no popup behind", async () => {
    // The library does not close it: that is up to the page in it.
    const { popup } = await logInByPopup(SHOP);
    if (!popup.isClosed()) await popup.waitForEvent("close", { timeout: 10_000 });
  });

  test("loginWithPopup waits while the popup is open, and gives nothing when the person closes it", async () => {
    const tab = await open();
    const opened = context.waitForEvent("page");
    const result = call(tab, "loginWithPopup");
    const popup = await opened;
    await popup.waitForURL(`${DOMAIN}/login**`);
    // It looks every half second whether the popup is closed: a page that cuts its opener off seems to be.
    const waited = await Promise.race([result, new Promise((resolve) => setTimeout(resolve, 1500, "waits"))]);
    assert.equal(waited, "waits");
    await popup.close();
    assert.equal(await result, null);
  });

  test("getLoginStateWithRedirect comes back at once", async () => {
    const tab = await open();
    await logIn(tab);
    await tab.goto(`${SHOP}/`);
    await leave(tab, "getLoginStateWithRedirect", [], (url) => url.pathname === "/callback" && url.hash.includes("code="));
    assertState(await call(tab, "handleRedirectCallback"));
  });

  test("getLoginState asks whether the token is still good, if told to", async () => {
    const tab = await open({ options: { introspectAccessToken: true } });
    await logIn(tab);
    assertState(await call(tab, "getLoginState"));
    assert.ok(sent.includes("POST /oidc/token/introspection 200"), sent.join("\n"));
  });

  for (const implicitResponseType of ["id_token token", "id_token"]) {
    test(`the implicit mode: ${implicitResponseType}`, async () => {
      const options = { useImplicitMode: true, implicitResponseType };
      const tab = await open({ options });
      await leave(tab, "loginWithRedirect", [{}], `${DOMAIN}/login**`);
      await fillIn(tab);
      await tab.waitForURL(/\/callback[?#]/);
      const own = async (answer) => {
        const { parsedIdToken, idToken, accessToken } = await answer;
        hufu.secret("idToken", idToken);
        hufu.secret("accessToken", accessToken);
        assert.equal(parsedIdToken.sub, NINA.id);
      };
      // The library looks for an access token even where it has asked for none: its own fault.
      if (implicitResponseType === "id_token") return assert.rejects(call(tab, "handleRedirectCallback"), /缺少 token/);
      await own(call(tab, "handleRedirectCallback"));
      await own(call(tab, "getLoginState", { ignoreCache: true }));
    });
  }

  test("loginByEmail", async () => {
    const tab = await open();
    const state = await call(tab, "loginByEmail", { passwordPayload: { email: NINA.email, password: NINA.password } });
    assertState(state, { code: false });
    assert.equal((await call(tab, "getUserInfo")).userId, NINA.id);
  });

  test("a response with another state, or another nonce, is refused", async () => {
    const tab = await open();
    const arrive = async () => {
      await leave(tab, "loginWithRedirect", [{ forced: true }], `${DOMAIN}/login**`);
      await fillIn(tab);
      await tab.waitForURL(/\/callback[?#]/);
    };
    await arrive();
    await tab.evaluate(() => (location.hash = location.hash.replace(/state=\w+/, "state=another")));
    await assert.rejects(call(tab, "handleRedirectCallback"), /获取登录流程会话失败/);

    await arrive();
    await tab.evaluate(() => {
      for (const [key, value] of Object.entries(sessionStorage)) sessionStorage[key] = JSON.stringify({ ...JSON.parse(value), nonce: "another" });
    });
    await assert.rejects(call(tab, "handleRedirectCallback"), /nonce 验证失败/);
  });

  test("a message of another origin is not taken for Hufu's", async () => {
    const tab = await open();
    const result = call(tab, "getLoginState");
    await tab.evaluate(() => window.postMessage({ type: "authorization_response", response: { state: "x", code: "invented" } }, "*"));
    assert.equal(await result, null);
    assertNobody();
  });
});

const never = (milliseconds, why) =>
  new Promise((_, reject) => setTimeout(() => reject(new Error(why)), milliseconds).unref());
