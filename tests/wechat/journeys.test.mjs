// The seven WeChat logins as people see them: the start page of `hufu dev` and the sandbox's phone in Chromium, on a
// desktop and on a small screen, in both themes, on both engines. Every click is one that the page asks for; the test counts them, and prints how many a
// login took.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ENGINE, eventually, openWindow, shotsFolder, startChromium, startDev } from "./harness.mjs";

// Each screen is seen in one theme on one engine, and in the other on the other.
const [THEME, OTHER_THEME] = ENGINE === "sqlite" ? ["light", "dark"] : ["dark", "light"];
const SCREENS = [
  {
    name: "desktop",
    lang: "en",
    options: { viewport: { width: 1440, height: 900 }, locale: "en", colorScheme: THEME },
  },
  {
    name: "small",
    lang: "zh-CN",
    options: { viewport: { width: 390, height: 844 }, locale: "zh-CN", colorScheme: OTHER_THEME, hasTouch: true, isMobile: true },
  },
];

/** What the page promises of each mode: the words on what is clicked. */
const MODES = {
  "mini-program": { en: [/Qinghe/, "Allow"], "zh-CN": [/青禾/, "允许"] },
  "official-account": { en: [/Official account/, "Follow"], "zh-CN": [/公众号关注/, "关注"] },
  "pc-scan": { en: [/Website login/, "Log in"], "zh-CN": [/网站扫码/, "登录"] },
  "mini-program-scan": { en: [/Mini program code/, "Allow"], "zh-CN": [/小程序码/, "允许"] },
  "web-page": { en: ["Open the page", "Allow"], "zh-CN": ["打开网页", "允许"] },
  "native-app": { en: ["Log in with WeChat", "Allow"], "zh-CN": ["微信登录", "允许"] },
  "app-launch": { en: [/Log in with 青禾/, "Allow"], "zh-CN": [/用「.*」登录$/, "允许"] },
};

const shots = shotsFolder();

for (const screen of SCREENS) {
  const { colorScheme } = screen.options;
  describe(`the start page on a ${screen.name} screen, ${colorScheme}, on ${ENGINE}`, () => {
    let dev, browser, window, page;
    /** Modes that are done. */
    const done = [];
    /** Whom the first login created. */
    let user;

    before(async () => {
      dev = await startDev();
      console.log(`pictures: ${shots}`);
      browser = await startChromium();
      window = await openWindow(browser, screen.options);
      page = await window.context.newPage();
    });
    after(async () => {
      await browser?.close();
      await dev?.close();
    });

    const shot = (name) => page.screenshot({ path: join(shots, `${screen.name}-${colorScheme}-${name}.png`), fullPage: true });
    const phone = () => page.frameLocator("iframe.phone-frame");

    /** Comes to a mode as people do: opens the page, and then goes on to the next one. */
    async function arrive(mode) {
      if (done.length === 0) await page.goto(dev.host);
      else await page.locator(".dev-next a").click();
      await page.locator(`#modes a[href="/?mode=${mode}"][aria-current=step]`).waitFor();
      assert.equal(await page.locator("#steps .two li").count(), 2, "the page promises two clicks");
      for (const body of [page.locator("body"), phone().locator("body")]) {
        assert.equal(await body.evaluate(themeOf), colorScheme);
      }
    }

    /** Clicks what is ringed on the phone, or another button there, and checks what it says. */
    async function click(label, { ringed = true } = {}) {
      const target = ringed
        ? phone().locator(".tap").filter({ hasText: label })
        : phone().getByRole("button", { name: label, exact: true });
      await target.waitFor();
      if (ringed) await eventually("what is ringed on the phone", () => phone().locator(".tap").count(), (count) => count === 1);
      await target.click();
    }

    /** What the page says is done. */
    async function ticked() {
      const links = await page.locator("#modes li.done a").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
      return links.map((href) => href.split("=")[1]);
    }

    for (const mode of Object.keys(MODES)) {
      test(mode, async () => {
        await arrive(mode);
        assert.ok(!(await ticked()).includes(mode), "it is not ticked before");
        let clicks = 0;
        for (const label of MODES[mode][screen.lang]) {
          await click(label);
          clicks += 1;
          if (clicks === 1) {
            // The page follows: the first of its two steps is ticked, and the second one is next.
            await page.locator("#steps .two li:nth-child(2)[aria-current=step]").waitFor();
            await shot(`${mode}-1`);
          }
        }
        await page.locator(`#modes li.done a[href="/?mode=${mode}"]`).waitFor();
        await page.locator("#steps .two li.done:nth-child(2)").waitFor();
        done.push(mode);
        console.log(`${mode}: ${clicks} clicks`);
        assert.equal(clicks, 2);
        await shot(`${mode}-2`);
        assert.deepEqual((await ticked()).toSorted(), done.toSorted());
        assert.equal(await page.locator("#tally strong").innerText(), String(done.length));
        assert.equal(await page.locator("#steps .two li.done").count(), 2);
        // A number that is known already is not asked for.
        const isKnown = (call) => mode === "mini-program-scan" && call.startsWith("/wxa/business/getuserphonenumber");
        await eventually(
          "WeChat's calls",
          () => page.locator(".behind li").evaluateAll((all) => all.map((one) => [one.textContent, one.querySelector(".is-ok") !== null])),
          (behind) => behind.length >= 2 && behind.every(([call, isOk]) => isOk || isKnown(call)),
        );

        // The user, and the tokens, decoded.
        const got = page.locator("#got");
        const facts = await got.locator(".facts dd code").allInnerTexts();
        assert.match(facts[0], /^[0-9a-f]{24}$/, "the user's id");
        user ??= facts[0];
        assert.equal(facts[0], user, "one UnionID is one user");
        assert.match(facts[1], /^o[\w-]{27}$/, "the UnionID");
        assert.equal(await got.locator(".is-joined").count(), done.length === 1 ? 0 : 1);
        const tokens = await got.locator("#sample-token-1").textContent();
        const [header, claims] = tokens.split("\n.\n").map(withoutNotes);
        assert.ok(header.alg && header.kid, tokens);
        assert.equal(claims.sub, user);
        assert.equal(claims.iss, `${dev.host}/oidc`);
      });
    }

    test("beside the modes, a page in the mini program's web-view leads into the mini program and back", async () => {
      await page.goto(`${dev.host}/?mode=web-page`);
      await page.locator('.dev-title a[href="/?mode=web-view"]').click();
      await click({ en: /web page/, "zh-CN": /网页/ }[screen.lang]);
      await page.locator("#steps .two li:nth-child(2)[aria-current=step]").waitFor();
      await shot("web-view-1");
      // The login page of the website, which offers the way by itself. What it leads to is a page of the mini program.
      await phone().locator('[data-connection="demo-mini"]').click();
      const back = phone().locator('a[href*="/phone/minis"]');
      await back.waitFor();
      await page.locator("#steps .two li.done:nth-child(2)").waitFor();
      await shot("web-view-2");
      assert.equal(await page.locator("#got .facts dd code").first().innerText(), user, "one UnionID is one user");
      assert.equal(await page.locator("#tally strong").innerText(), String(done.length), "it is none of the seven");
      const behind = page.locator(".behind li:has(svg.is-ok)");
      await eventually("WeChat's calls", () => behind.count(), (count) => count === 3);
      await back.click();
      await phone().locator(".tap").waitFor();
      // A login elsewhere in this browser is in no web-view.
      await page.goto(`${dev.host}/?mode=mini-program-scan&round=9`);
      await page.frameLocator("iframe.win-frame").locator("#qr").waitFor();
      assert.equal(await page.frameLocator("iframe.win-frame").locator('[data-connection="demo-mini"]').count(), 0);
    });

    test("a mode that is chosen again rings its new code", async () => {
      const ringed = () => phone().locator("form:has(.tap) [name=ticket]").first().getAttribute("value");
      const codes = new Set();
      for (let time = 1; time <= 3; time += 1) {
        await page.goto(`${dev.host}/?mode=official-account&round=${time}`);
        codes.add(await ringed());
        assert.equal(codes.size, time, "never one of before");
      }
    });

    test("a refusal is shown, and nothing is ticked", async () => {
      const fresh = await startDev();
      const refused = await openWindow(browser, screen.options);
      const before = page;
      page = await refused.context.newPage();
      const nobody = async () => {
        // The login begins anew, by its first click.
        await page.locator("#steps .two li:first-child[aria-current=step]").waitFor();
        assert.equal(await page.locator("#steps .two li.done").count(), 0);
        assert.deepEqual(await ticked(), []);
        assert.equal(await page.locator("#tally strong").innerText(), "0");
        assert.equal(await page.locator("#got .facts").count(), 0);
      };
      try {
        // The website's login page says so, and offers other ways in.
        await page.goto(`${fresh.host}/?mode=pc-scan`);
        await click(MODES["pc-scan"][screen.lang][0]);
        await click({ en: "Cancel", "zh-CN": "取消" }[screen.lang], { ringed: false });
        const told = page.frameLocator("iframe.win-frame").getByRole("alert");
        await told.waitFor();
        assert.match(await told.innerText(), { en: /you did not agree/, "zh-CN": /没有/ }[screen.lang]);
        await shot("refused-on-the-login-page");
        await nobody();

        // An app is told, and the page shows what.
        await page.goto(`${fresh.host}/?mode=native-app`);
        await click(MODES["native-app"][screen.lang][0]);
        await click({ en: "Refuse", "zh-CN": "拒绝" }[screen.lang], { ringed: false });
        const denied = page.locator(".got-denied");
        await denied.waitFor();
        assert.equal(await denied.locator("code").innerText(), 'SendAuth.Resp {"errCode":-4}');
        await shot("refused-in-the-app");
        await nobody();
        await page.reload();
        await denied.waitFor();
        await nobody();
      } finally {
        page = before;
        await refused.context.close();
        await fresh.close();
      }
    });

    test("a mini program that is open is not opened again by itself", async () => {
      const other = await window.context.newPage();
      try {
        await other.goto(`${dev.sandbox}/phone/minis`);
        await other.locator('a.tap[href^="/phone/mini/"]').click();
        await other.locator("#screen .tap").waitFor();
        const calls = other.locator("#beside");
        const opened = () => calls.getByText({ en: "opens a mini program", "zh-CN": "打开小程序" }[screen.lang]).count();
        const before = await opened();
        assert.ok(before > 0);
        // Something else happens, and the page shows it.
        const others = calls.getByText("/cgi-bin/user/info");
        const known = await others.count();
        await fetch(`${dev.sandbox}/api/cgi-bin/user/info?access_token=none&openid=none`);
        await others.nth(known).waitFor();
        assert.equal(await opened(), before);
      } finally {
        await other.close();
      }
    });

    test("after all seven, neither the log nor the terminal names anybody or holds a secret", async () => {
      assert.equal(done.length, 7);
      const [log, printed] = dev.written;
      // It is the log of these logins, at its most verbose.
      for (const told of ["DEBUG", "/oidc/token", "/api/v3/signin-by-mobile", "/connections/social/"]) assert.ok(log.includes(told), told);
      const secrets = await dev.secrets();
      const lin = (await (await fetch(`${dev.sandbox}/__sandbox/users`)).json()).users.find(({ name }) => name === "lin");
      assert.ok(lin.ids.length >= 5 && lin.ids.every(({ openid, unionid }) => openid && unionid), JSON.stringify(lin));
      for (const text of [log, printed]) secrets.assertAbsentFrom(text);
      // The search would have found them.
      for (const { openid, unionid } of lin.ids) {
        for (const id of [openid, unionid]) assert.throws(() => secrets.assertAbsentFrom(`DEBUG somebody: ${id}`), /the log gives away/);
      }
    });

    test("the page is not wider than the screen, and nothing in it failed", async () => {
      for (const mode of Object.keys(MODES)) {
        await page.goto(`${dev.host}/?mode=${mode}`);
        const { wide, fits } = await page.evaluate(() => {
          const { scrollWidth: wide, clientWidth: fits } = document.documentElement;
          return { wide, fits };
        });
        assert.ok(wide <= fits, `${mode}: ${wide} > ${fits}`);
      }
      assert.deepEqual(window.faults, []);
    });
  });
}

/** The theme in which a page is drawn, by its ground. Runs in the browser. */
function themeOf(body) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(body).backgroundColor;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  // A ground that shows what is behind it says what type is on it.
  if (alpha === 0) return getComputedStyle(body).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  return red + green + blue < 384 ? "dark" : "light";
}

/** JSON as the page shows it, without the notes behind its lines. */
function withoutNotes(text) {
  try {
    return JSON.parse(text.replace(/\s*\/\/[^"\n]*$/gm, ""));
  } catch {
    assert.fail(`not JSON: ${text}`);
  }
}
