// Published clients of the WeChat logins, unmodified, against the real server: npm `authing-js-sdk` in Chromium, npm
// `authing-node-sdk` in Node, and a page in WeChat's browser that reads what such a login returns with.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { ENGINE, openWindow, startChromium, startShop, startSite, verified } from "./harness.mjs";
import { APPS, BACK_END, PHONE_APP, POOL, SITE } from "./world.mjs";

const require = createRequire(import.meta.url);
const { AuthenticationClient } = require("authing-node-sdk");
const bundle = readFileSync(new URL("node_modules/authing-js-sdk/build/browser/index.min.js", import.meta.url), "utf8");
const PAGE = `<!doctype html><meta charset="utf-8"><title>Shop</title><div id="code"></div><script src="/sdk.js"></script>
<script>
  // As WeChat's clients read the address that the login returned to.
  const query = new URLSearchParams(location.search);
  window.returned = { code: Number(query.get("code")), message: query.get("message"), data: query.has("data") ? JSON.parse(query.get("data")) : undefined };
</script>`;
const WECHAT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50";

describe(`WeChat logins by published clients on ${ENGINE}`, () => {
  let site, stack, browser, context, tab;

  before(async () => {
    site = await startSite({ "/": ["text/html", PAGE], "/done": ["text/html", PAGE], "/sdk.js": ["text/javascript", bundle] });
    stack = await startShop(site.origin);
    browser = await startChromium();
  });
  after(async () => {
    await browser?.close();
    site?.close();
    await stack?.close();
  });
  afterEach(() => context?.close());

  /** A window with the site open, and a client of the js-sdk in it. */
  async function open(options = {}, address = "/") {
    ({ context } = await openWindow(browser, { locale: "en", ...options }));
    tab = await context.newPage();
    await tab.goto(`${site.origin}${address}`);
    await tab.evaluate(
      (given) => {
        window.client = new Authing.AuthenticationClient({ ...given, onError: () => {} });
      },
      { appId: SITE, userPoolId: POOL, appHost: stack.host },
    );
  }

  const waiting = async (kind) => (await stack.wechat("pending", undefined, "GET"))[kind];
  /** A user as a client of the site got it. */
  async function assertUser(user, person) {
    stack.secrets.add("token", user.token);
    assert.match(user.id, /^[0-9a-f]{24}$/);
    const claims = await verified(stack, user.token, SITE);
    assert.equal(claims.sub, user.id);
    assert.equal(user.nickname, person.nickname);
  }

  /** Somebody who is logged in in the pool's own app. */
  async function onThePhone(person) {
    const { code } = await stack.wechat("codes", { app_id: APPS.mini.app_id, user: person.name });
    const { body } = await stack.call("/connections/social/wechat-miniprogram/auth", { app: PHONE_APP, pool: POOL, json: { code } });
    assert.equal(body.code, 200, JSON.stringify(body));
    return body.data;
  }

  describe("npm authing-js-sdk in Chromium", () => {
    beforeEach(() => open());

    async function popUp(act) {
      const opening = context.waitForEvent("page");
      await tab.evaluate(() => {
        window.result = new Promise((resolve) =>
          client.social.authorize("pc", {
            onSuccess: (user) => resolve({ user }),
            onError: (code, message, data) => resolve({ code, message, data }),
          }),
        );
      });
      const window = await opening;
      await window.waitForURL(`${stack.sandbox}/open/connect/qrconnect*`);
      const person = await stack.person({ nickname: "小满" });
      const uuid = await window.locator("#qr-connect").getAttribute("data-uuid");
      await stack.wechat("scan", { uuid, user: person.name, action: act });
      return { person, window, result: await tab.evaluate(() => window.result) };
    }

    test("social.authorize: a window, and a message to the page that opened it", async () => {
      const { person, result } = await popUp("confirm");
      assert.ok(result.user, JSON.stringify(result));
      await assertUser(result.user, person);
      const held = await tab.evaluate(() => client.getCurrentUser());
      assert.equal(held.id, result.user.id);
    });

    test("qrcode.startScanning: the picture on the page, and the pool's own app", async () => {
      const person = await stack.person();
      const { id, token } = await onThePhone(person);
      const scene = await scanning("qrcode");
      for (const action of ["scanned", "confirm"]) {
        const { body } = await stack.call(`/api/v2/qrcode/${action}`, { app: PHONE_APP, token: `Bearer ${token}`, json: { random: scene } });
        assert.equal(body.code, 200, JSON.stringify(body));
      }
      const user = await exchanged("qrcode");
      assert.equal(user.id, id);
      assert.deepEqual((await tab.evaluate(() => window.seen)).slice(-1), ["success"]);
    });

    test("wxqrcode: the code of the login mini program", async () => {
      const person = await stack.person({ nickname: "小满" });
      const scene = await scanning("wxqrcode");
      const ran = await stack.wechat("mini-login", { app_id: APPS.mini.app_id, user: person.name, scene, phone: "allow" });
      assert.equal(ran.ok, true, JSON.stringify(ran));
      const user = await exchanged("wxqrcode");
      assert.equal(user.phone, person.phone);
      stack.secrets.add("token", user.token);
    });

    test("wechatmpqrcode: the code of the official account", async () => {
      const person = await stack.person({ nickname: "小满" });
      await scanning("wechatmpqrcode");
      const [{ ticket }] = await waiting("accounts");
      await stack.wechat("scan", { ticket, user: person.name });
      const user = await exchanged("wechatmpqrcode");
      assert.match(user.id, /^[0-9a-f]{24}$/);
      stack.secrets.add("token", user.token);
    });

    test("a code that was cancelled", async () => {
      const person = await stack.person();
      const { token } = await onThePhone(person);
      const scene = await scanning("qrcode");
      for (const action of ["scanned", "cancel"]) {
        await stack.call(`/api/v2/qrcode/${action}`, { app: PHONE_APP, token: `Bearer ${token}`, json: { random: scene } });
      }
      await tab.waitForFunction(() => window.seen.includes("cancelled"));
    });

    /** Shows the code on the page, and gives what stands in its picture. */
    async function scanning(kind) {
      await tab.evaluate((kind) => {
        window.seen = [];
        window.ticket = new Promise((resolve, reject) =>
          client[kind].startScanning("code", {
            interval: 100,
            onCodeShow: (random, url) => (window.shown = { random, url }),
            onScanned: () => seen.push("scanned"),
            onSuccess: (user, ticket) => (seen.push("success"), resolve(ticket)),
            onCancel: () => seen.push("cancelled"),
            onCodeLoadFailed: (message) => reject(new Error(`no code: ${message}`)),
            onError: (message) => reject(new Error(`error: ${message}`)),
          }),
        );
        window.ticket.catch((error) => (window.failed = String(error)));
      }, kind);
      await tab.waitForFunction(() => window.shown || window.failed);
      const { shown, failed } = await tab.evaluate(() => ({ shown: window.shown, failed: window.failed }));
      assert.ok(shown, failed);
      const picture = tab.locator("#code img, #code canvas").first();
      await picture.waitFor();
      const { status } = await tab.evaluate((random) => client.qrcode.checkStatus(random), shown.random);
      assert.equal(status, 0);
      return new URL(shown.url).pathname.split("/").pop().replace(".png", "");
    }

    const exchanged = (kind) => tab.evaluate(async (kind) => client[kind].exchangeUserInfo(await window.ticket), kind);
  });

  describe("npm authing-node-sdk in Node", () => {
    const client = (options = {}) =>
      new AuthenticationClient({ appId: BACK_END.id, appSecret: BACK_END.secret, appHost: stack.host, redirectUri: `${site.origin}/callback`, ...options });

    async function gene(type) {
      const answer = await client().geneQrCode({ type });
      assert.equal(answer.statusCode, 200, JSON.stringify(answer));
      stack.secrets.add("code", answer.data.qrcodeId);
      return answer.data;
    }

    async function exchange(qrcodeId) {
      const { data } = await client().getQrCodeStatus({ qrcodeId });
      assert.equal(data.status, "AUTHORIZED");
      const { ticket } = data;
      const { id, secret } = BACK_END;
      const answer = await client().exchangeTokenSetWithQrCodeTicket({ ticket, client_id: id, client_secret: secret });
      assert.equal(answer.statusCode, 200, JSON.stringify(answer));
      const again = await client().exchangeTokenSetWithQrCodeTicket({ ticket, client_id: id, client_secret: secret });
      assert.notEqual(again.statusCode, 200, "a ticket works once");
      for (const token of [answer.data.access_token, answer.data.id_token]) stack.secrets.add("token", token);
      return verified(stack, answer.data.id_token, BACK_END.id);
    }

    test("the code of an official account", async () => {
      const { qrcodeId, url } = await gene("WECHAT_OFFICIAL_ACCOUNT");
      assert.ok(url);
      assert.equal((await client().getQrCodeStatus({ qrcodeId })).data.status, "PENDING");
      const [{ ticket }] = await waiting("accounts");
      const person = await stack.person();
      await stack.wechat("scan", { ticket, user: person.name });
      const older = await client().checkQrCodeStatus({ qrcodeId });
      assert.equal((older.data ?? older).status, "AUTHORIZED", JSON.stringify(older));
      assert.match((await exchange(qrcodeId)).sub, /^[0-9a-f]{24}$/);
    });

    test("the code of the login mini program", async () => {
      const { qrcodeId, url } = await gene("WECHAT_MINIPROGRAM");
      const scene = new URL(url).pathname.split("/").pop().replace(".png", "");
      const person = await stack.person();
      const ran = await stack.wechat("mini-login", { app_id: APPS.mini.app_id, user: person.name, scene, phone: "allow" });
      assert.equal(ran.ok, true, JSON.stringify(ran));
      assert.match((await exchange(qrcodeId)).sub, /^[0-9a-f]{24}$/);
    });

    test("the pool's own app, which sets the status", async () => {
      const { qrcodeId, url } = await gene("MOBILE_APP");
      const scene = new URL(url).pathname.split("/").pop().replace(".png", "");
      const person = await stack.person();
      const { id, token } = await onThePhone(person);
      const phone = client({ appId: PHONE_APP, accessToken: token });
      for (const action of ["SCAN", "CONFIRM"]) {
        const answer = await phone.setQrCodeStatus({ qrcodeId: scene, action });
        assert.equal(answer.statusCode, 200, JSON.stringify(answer));
      }
      assert.equal((await exchange(qrcodeId)).sub, id);
    });

    test("the two other calls with which the pool's own app sets the status", async () => {
      const person = await stack.person();
      const { id, token } = await onThePhone(person);
      const phone = client({ appId: PHONE_APP, accessToken: token });
      const calls = [
        ["changeQrCodeStatus", ["SCAN", "CONFIRM"], (qrcodeId, action) => phone.changeQrCodeStatus({ qrcodeId, action })],
        ["qrCodeAppLogin", ["APP_LOGIN"], (qrcodeId, action) => phone.qrCodeAppLogin({ qrcodeId, action })],
      ];
      for (const [name, actions, set] of calls) {
        const { qrcodeId, url } = await gene("MOBILE_APP");
        const scene = new URL(url).pathname.split("/").pop().replace(".png", "");
        for (const action of actions) {
          const answer = await set(scene, action);
          assert.equal(answer.statusCode, 200, `${name} ${action}: ${JSON.stringify(answer)}`);
        }
        assert.equal((await exchange(qrcodeId)).sub, id, name);
      }
    });
  });

  describe("a page in WeChat's browser", () => {
    async function through(connection, { person, act }) {
      await open({ userAgent: WECHAT });
      await context.addCookies([{ name: "hufu-sandbox-person", value: person.name, url: stack.sandbox }]);
      const back = encodeURIComponent(`${site.origin}/done`);
      await tab.goto(`${stack.host}/connections/social/${connection}?app_id=${SITE}&redirect_url=${back}`);
      if (act) await tab.getByRole("button", { name: act, exact: true }).click();
      await tab.waitForURL(`${site.origin}/done?*`);
      return tab.evaluate(() => window.returned);
    }

    test("returns with the user, whom it asked", async () => {
      const person = await stack.person({ nickname: "小满 & Co <🌱>" });
      const { code, data } = await through("page", { person, act: "Allow" });
      assert.equal(code, 200);
      await assertUser(data, person);
    });

    test("silently, with a ticket that works once", async () => {
      const person = await stack.person();
      const { code, data } = await through("silent", { person });
      assert.equal(code, 200);
      assert.deepEqual(Object.keys(data), ["ticket"]);
      const ask = () => stack.call("/api/v2/qrcode/userinfo", { app: SITE, json: { ticket: data.ticket } });
      const { body } = await ask();
      assert.match(body.data.id, /^[0-9a-f]{24}$/);
      assert.equal((await ask()).body.code, 2574);
    });

    test("a refusal returns with its number and its sentence, and without data", async () => {
      const person = await stack.person();
      const { code, message, data } = await through("page", { person, act: "Refuse" });
      assert.notEqual(code, 200);
      assert.ok(code > 0 && message.length > 5, message);
      assert.equal(data, undefined);
    });
  });

  test("a login page in a mini program's web-view leads into the mini program by its own script, and back", async () => {
    const person = await stack.person();
    const opened = await openWindow(browser, { locale: "en", userAgent: `${WECHAT} miniProgram/${APPS.mini.app_id}` });
    ({ context } = opened);
    // WeChat's bridge, which is in every page of a web-view.
    let led;
    const leading = new Promise((resolve) => (led = resolve));
    await context.exposeFunction("led", (name, args) => led({ name, args }));
    await context.addInitScript(() => {
      window.WeixinJSBridge = {
        invoke(name, args, done) {
          window.led(name, args);
          done({ err_msg: `${name}:ok` });
        },
      };
    });
    tab = await context.newPage();
    const request = new URLSearchParams({
      client_id: SITE,
      redirect_uri: `${site.origin}/done`,
      response_type: "code",
      scope: "openid",
      code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      code_challenge_method: "S256",
    });
    await tab.goto(`${stack.host}/oidc/auth?${request}`);
    await tab.locator('[data-connection="mini"]').click();
    const { name, args } = await leading;
    assert.deepEqual([name, args.name], ["invokeMiniProgramAPI", "redirectTo"]);
    const page = new URL(args.arg.url, "mini://program");
    assert.equal(page.pathname, "/pages/login/index");
    // The page of the mini program: wx.login, and the web-view again.
    const { code } = await stack.wechat("codes", { app_id: APPS.mini.app_id, user: person.name });
    const back = new URLSearchParams({ code, state: page.searchParams.get("state") });
    await tab.goto(`${stack.host}/connection/social/mini/${POOL}/callback?${back}`);
    await tab.waitForURL(`${site.origin}/done?*`);
    const answer = new URL(tab.url()).searchParams;
    assert.ok(answer.get("code") && answer.get("iss"), tab.url());
    stack.secrets.add("code", answer.get("code"));
    assert.deepEqual(opened.faults, []);
  });
});
