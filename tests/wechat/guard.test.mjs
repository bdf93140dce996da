// npm `@authing/guard`, unmodified, in Chromium on a page of another site: it draws the tabs that an application has, and
// logs people in with a password, with codes, and with WeChat.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { after, afterEach, before, describe, test } from "node:test";
import { ALICE } from "../sdk/world.mjs";
import { ENGINE, eventually, openWindow, shotsFolder, startChromium, startShop, startSite, verified } from "./harness.mjs";
import { APPS, GUARD, GUEST } from "./world.mjs";

const published = (name) => readFileSync(new URL(`node_modules/@authing/guard/dist/global/guard.min.${name}`, import.meta.url), "utf8");
const PAGE = `<!doctype html><meta charset="utf-8"><title>Shop</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/guard.css"><div id="guard"></div><script src="/guard.js"></script>`;
/** The picture of a code to scan. */
const CODE = '.g2-view-login img[src^="data:image"]';
const LANGUAGES = ["zh-CN", "en-US"];
const shots = shotsFolder();

describe(`npm @authing/guard in Chromium on ${ENGINE}`, () => {
  let site, origin, stack, browser, context, faults, page;
  /** The scenes of the codes that were shown. */
  let pictures;

  before(async () => {
    const page = ["text/html", PAGE];
    site = await startSite({ "/": page, "/bye": page, "/guard.js": ["text/javascript", published("js")], "/guard.css": ["text/css", published("css")] });
    // Another site than the server's, which is at 127.0.0.1.
    origin = site.origin.replace("127.0.0.1", "localhost");
    stack = await startShop(origin);
    browser = await startChromium();
    console.log(`pictures: ${shots}`);
  });
  after(async () => {
    await browser?.close();
    site?.close();
    await stack?.close();
  });
  afterEach(() => context?.close());

  /** A window with the shop's page, and Guard in it. */
  async function open(appId, { lang = "en-US", options = {} } = {}) {
    // Guard offers no popup to a browser that it does not know, such as one without a screen.
    const userAgent = `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${browser.version()} Safari/537.36`;
    ({ context, faults } = await openWindow(browser, { locale: "en", viewport: { width: 800, height: 900 }, userAgent }));
    page = await context.newPage();
    pictures = [];
    page.on("request", (request) => pictures.push(...(/\/qrcode\/([^/]+)\.png$/.exec(request.url())?.slice(1) ?? [])));
    await page.goto(origin);
    await start({ host: stack.host, appId, lang, ...options });
    await page.locator(".g2-view-login").waitFor();
    await page.locator("#guard-svg-string").waitFor({ state: "attached" });
  }

  async function start(options) {
    await page.evaluate((options) => {
      window.seen = { login: [], "login-error": [], "load-error": [] };
      window.guard = new GuardFactory.Guard(options);
      for (const [event, list] of Object.entries(seen)) guard.on(event, (given) => void list.push(given));
      guard.start("#guard").then((user) => (window.user = user), () => {});
    }, options);
  }

  const shot = (name) => page.screenshot({ path: join(shots, `guard-${name}-${ENGINE}.png`) });
  const submit = () => page.locator(".authing-g2-submit-button").click();

  /** The tabs as Guard names them, with `*` before the active one of each row; a code's with the connection that it is of. */
  async function tabs() {
    const drawn = await page.locator("[role=tab]").evaluateAll((all) => all.map((one) => [one.id, one.ariaSelected]));
    return drawn.map(([id, selected]) => `${selected === "true" ? "*" : ""}${id.replace(/^rc-tabs-\d+-tab-/, "")}`);
  }

  /** Waits until this is read from the page, which Guard draws in several steps. */
  const comes = (what, read, expected) => eventually(what, read, (seen) => isDeepStrictEqual(seen, expected));
  const hint = (id) => () => page.locator(id).getAttribute("placeholder");

  /** What the login gave, to the event and to whoever waits for `start`. */
  async function loggedIn(appId) {
    await page.waitForFunction(() => window.user);
    const { user, seen } = await page.evaluate(() => ({ user, seen }));
    assert.equal(seen.login.length, 1);
    assert.equal(seen.login[0].id, user.id);
    stack.secrets.add("token", user.token);
    assert.equal((await verified(stack, user.token, appId)).sub, user.id);
    return user;
  }

  async function ids(appId) {
    const { body } = await stack.call(`/api/v2/applications/${appId}/public-config`, { method: "GET" });
    const of = (tab) => body.data.qrcodeTabsSettings[tab].map(({ id }) => `${tab}${id}`);
    return { official: of("wechatmp-qrcode"), scan: of("wechat-miniprogram-qrcode") };
  }

  for (const lang of LANGUAGES) {
    describe(`its tabs in ${lang}`, () => {
      const says = (texts) => texts[LANGUAGES.indexOf(lang)];

      test("all of them: the order and the default are the application's, and codes are one tab", async () => {
        const { official, scan } = await ids(GUARD.everything);
        await open(GUARD.everything, { lang });
        await comes("tabs", tabs, ["*password", "phone-code", `*${official}`, `${scan}`]);
        const names = [...says([["密码登录", "验证码登录"], ["Password", "Verify Code"]]), "WeChat", "WeChat"];
        await comes("their names", () => page.locator("[role=tab]").allInnerTexts(), names);
        const asks = says(["请输入用户名 / 邮箱 / 手机号", "Enter Username / Email / Phone number"]);
        await comes("what it asks for", hint("#passworLogin_account"), asks);
        // Its only button is of the one way that opens a window; it and the corner that leads to the codes are icons.
        for (const icon of [".g2-social-login-item use", ".qrcode-switch-image use"]) {
          const { width } = await page.locator(icon).first().boundingBox();
          assert.ok(width > 8, icon);
        }
        assert.equal(await page.locator(".g2-social-login-item").count(), 1);
        assert.equal(await page.locator(".g2-view-header img").isVisible(), false, "no broken picture");
        await shot(`everything-${lang}`);
        await page.locator('[role=tab][id$="-phone-code"]').click();
        const takes = says(["请输入手机号 / 邮箱", "Enter Phone number / Email"]);
        await comes("what it takes", hint("#phoneCode_identify"), takes);
        await shot(`codes-${lang}`);
        assert.deepEqual(faults, []);
      });

      test("codes first: the one that is named first is shown", async () => {
        const { official, scan } = await ids(GUARD.scanning);
        await open(GUARD.scanning, { lang });
        // The forms wait behind the codes.
        await comes("tabs", tabs, ["password", `*${scan}`, `${official}`]);
        await page.locator(CODE).waitFor();
        await shot(`scanning-${lang}`);
        assert.deepEqual(faults, []);
      });

      test("codes by e-mail alone", async () => {
        await open(GUARD.mail, { lang });
        await comes("tabs", tabs, ["*phone-code", "password"]);
        const takes = says(["请输入邮箱", "Enter Email"]);
        await comes("what it takes", hint("#phoneCode_identify"), takes);
        await shot(`mail-${lang}`);
        assert.deepEqual(faults, []);
      });
    });
  }

  /** Asks for a code, and logs in with it. */
  async function withCode(name, to) {
    await page.locator("#phoneCode_identify").fill(name);
    await page.locator(".authing-g2-send-code-btn").click();
    const code = await stack.post.code(to);
    stack.secrets.add("code", code);
    await page.locator("#phoneCode_code").fill(code);
    await submit();
  }

  async function withPassword(password) {
    await page.locator("#passworLogin_account").fill(GUEST.username);
    await page.locator("#passworLogin_password").fill(password);
    await submit();
  }

  test("a password; the login outlives the page, and ends", async () => {
    await open(GUARD.everything);
    await withPassword(ALICE.password);
    const user = await loggedIn(GUARD.everything);
    assert.equal(user.username, GUEST.username);
    const held = () => page.evaluate(async () => (await guard.trackSession())?.id ?? null);
    assert.equal(await held(), user.id);
    const status = await page.evaluate(() => guard.checkLoginStatus());
    assert.deepEqual([status.status, status.data.id], [true, user.id]);
    await page.reload();
    await start({ host: stack.host, appId: GUARD.everything });
    await page.waitForFunction(() => window.user);
    assert.equal(await page.evaluate(() => user.id), user.id);
    const away = page.waitForURL(`${origin}/bye`);
    await page.evaluate((redirectUri) => void guard.logout({ redirectUri }), `${origin}/bye`);
    await away;
    await start({ host: stack.host, appId: GUARD.everything });
    assert.equal(await held(), null);
    const { body } = await stack.call("/api/v2/users/me", { method: "GET", app: GUARD.everything, token: user.token });
    assert.equal(body.code, 2020, "the session is over");
    assert.deepEqual(faults, []);
  });

  test("a wrong password, and how many more of them", async () => {
    await open(GUARD.everything, { lang: "zh-CN" });
    await withPassword("not the password");
    await page.getByText("还可以尝试 9 次").waitFor();
    await shot("wrong");
    const { login, "login-error": errors } = await page.evaluate(() => seen);
    assert.deepEqual([login.length, errors.length], [0, 1]);
    assert.match(errors[0].message, /密码/);
    assert.deepEqual(faults, []);
  });

  test("a code by SMS", async () => {
    await open(GUARD.everything);
    await page.locator('[role=tab][id$="-phone-code"]').click();
    await withCode(GUEST.phone.slice(3), GUEST.phone);
    assert.equal((await loggedIn(GUARD.everything)).username, GUEST.username);
    assert.deepEqual(faults, []);
  });

  test("a code by e-mail, where it also creates an account", async () => {
    await open(GUARD.mail);
    const address = stack.address();
    await withCode(address, address);
    assert.equal((await loggedIn(GUARD.mail)).email, address);
    assert.deepEqual(faults, []);
  });

  test("WeChat in a window of its own", async () => {
    await open(GUARD.everything);
    const opening = context.waitForEvent("page");
    await page.locator(".g2-social-login-item").click();
    const window = await opening;
    await window.waitForURL(`${stack.sandbox}/open/connect/qrconnect*`);
    const person = await stack.person({ nickname: "小满" });
    const uuid = await window.locator("#qr-connect").getAttribute("data-uuid");
    await stack.wechat("scan", { uuid, user: person.name, action: "confirm" });
    const user = await loggedIn(GUARD.everything);
    assert.deepEqual([user.nickname, user.registerSource], ["小满", ["wechat:pc"]]);
    await shot("popup");
    if (!window.isClosed()) await window.waitForEvent("close");
    assert.deepEqual(faults, []);
  });

  test("the code of an official account", async () => {
    await open(GUARD.everything);
    await page.locator(".g2-qrcode-switch .switch-img").click();
    await page.locator(CODE).waitFor();
    const { accounts } = await stack.wechat("pending", undefined, "GET");
    await shot("official");
    const person = await stack.person();
    await stack.wechat("scan", { ticket: accounts.at(-1).ticket, user: person.name });
    assert.deepEqual((await loggedIn(GUARD.everything)).registerSource, ["wechatmp-qrcode"]);
    assert.deepEqual(faults, []);
  });

  test("the code of a mini program", async () => {
    await open(GUARD.scanning);
    await page.locator(CODE).waitFor();
    const person = await stack.person();
    const ran = await stack.wechat("mini-login", { app_id: APPS.mini.app_id, user: person.name, scene: pictures.at(-1), phone: "allow" });
    assert.equal(ran.ok, true, JSON.stringify(ran));
    assert.equal((await loggedIn(GUARD.scanning)).phone, person.phone);
    assert.deepEqual(faults, []);
  });
});
