// Every page that a person can see, in a browser: in Chinese and English, light and dark, from the smallest phone to the
// widest screen, with script and, where it matters, without. It finds what a machine can find; what is ugly, people see:
// SHOTS=folder keeps a picture of everything that was looked at.
//
// Environment: that of tests/wechat/harness.mjs. PAGES=all looks at every combination, in four languages, in place of those that
// show every pair of language, theme and width. PAGES=name,… looks at these pages alone.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startChromium, startDev, startSite, startStack } from "../wechat/harness.mjs";
import { assertNoFaults, look, openWatched, weigher } from "./checks.mjs";
import { DEV_NAMES, DEV_SCENES } from "./dev-scenes.mjs";
import { Kit, SCENES } from "./scenes.mjs";
import { APPS, ACCOUNT, NAMES, POOLS, SITE, worldToml } from "./world.mjs";

const WHOLE = process.env.PAGES === "all";
const ONLY = !WHOLE && process.env.PAGES ? process.env.PAGES.split(",") : undefined;
const { SHOTS } = process.env;
if (SHOTS) mkdirSync(SHOTS, { recursive: true });

const HEIGHTS = { 320: 640, 390: 844, 1440: 900, 3840: 2160 };
const LANGUAGES = WHOLE ? ["zh-CN", "en", "zh-TW", "ja"] : ["zh-CN", "en"];

/** How a page is looked at in a language: themes and widths, and at which of them axe looks. */
function views(language) {
  const widths = Object.keys(HEIGHTS).map(Number);
  if (WHOLE) return ["light", "dark"].flatMap((theme) => widths.map((width) => ({ theme, width, axe: true })));
  // With both languages every width is seen in both themes, and so is each language. axe is the slowest to look: it sees a
  // light desktop in one language, and the smallest dark phone in the other.
  const first = language === "en" ? "dark" : "light";
  const second = first === "dark" ? "light" : "dark";
  return widths.map((width, at) => ({ theme: at % 2 ? second : first, width, axe: width === (language === "en" ? 320 : 1440) }));
}

const chosen = (scenes) => scenes.filter(({ name }) => !ONLY || ONLY.includes(name));

/** Looks at a page in all views, and collects what is wrong by fault. */
async function visit(browser, scene, { language, script, kit, names, hosts, found }) {
  const { context, faults } = await openWatched(
    browser,
    {
      locale: language,
      viewport: { width: 1440, height: HEIGHTS[1440] },
      javaScriptEnabled: script,
      reducedMotion: "reduce",
      ...(scene.agent && { userAgent: scene.agent }),
    },
    hosts,
  );
  const note = (fault, place) => {
    // Numbers and names differ from visit to visit.
    found.set(fault, [...(found.get(fault) ?? []), place]);
  };
  const place = `${scene.name} (${language}${script ? "" : ", no script"})`;
  try {
    const tab = await context.newPage();
    context.setDefaultTimeout(20_000);
    const weight = script ? await weigher(tab) : undefined;
    await scene.open(tab, kit);
    await tab.waitForLoadState();
    for (const { theme, width, axe } of script ? views(language) : [{ theme: "light", width: 390 }, { theme: "dark", width: 1440 }]) {
      await tab.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await tab.setViewportSize({ width, height: HEIGHTS[width] });
      for (const fault of await look(tab, { language: scene.language ?? language, names, asked: { axe }, script })) note(fault, `${place} ${theme} ${width}`);
      // A frame that was scrolled moved the page around it.
      await tab.evaluate(() => scrollTo(0, 0));
      if (SHOTS) await tab.screenshot({ path: join(SHOTS, `${scene.name}-${language}-${theme}-${width}${script ? "" : "-no-script"}.png`), fullPage: width < 3840 });
    }
    const load = await weight?.();
    if (load && load.bytes > load.most) note(`weighs more than ${load.most} bytes`, `${place} ${load.bytes}`);
    const expected = (scene.status ?? []).map(String);
    for (const fault of faults) {
      const isExpected = expected.some((status) => fault.startsWith(`${status} `) || fault.includes(`status of ${status}`));
      if (!isExpected) note(fault, place);
    }
  } catch (error) {
    if (SHOTS) await context.pages()[0]?.screenshot({ path: join(SHOTS, `failed-${scene.name}-${language}.png`) });
    note(`cannot be seen: ${error.message.split("\n").slice(0, 3).join(" ")}`, place);
  } finally {
    await context.close();
  }
}

describe("the hosted pages", () => {
  let site, stack, browser, kit;

  before(async () => {
    browser = await startChromium();
    site = await startSite({ "/terms": ["text/html", "<!doctype html><title>Terms</title>"] });
    stack = await startStack();
    kit = Object.assign(new Kit(stack, site), { browser });
    await prepare(stack, site, kit);
  });
  after(async () => {
    await browser?.close();
    site?.close();
    await stack?.close();
  });

  for (const language of LANGUAGES) {
    test(`in ${language}`, async () => {
      const found = new Map();
      const hosts = [stack.host, stack.sandbox, site.origin].map((origin) => new URL(origin).host);
      const scenes = chosen(SCENES).flatMap((scene) => [{ scene, script: true }, ...(scene.script === "either" && (WHOLE || language === "zh-CN") ? [{ scene, script: false }] : [])]);
      await inTurns(scenes, ({ scene, script }) => visit(browser, scene, { language, script, kit, names: NAMES, hosts, found }));
      assertNoFaults(found);
    });
  }
});

describe("the pages of `hufu dev`", { concurrency: true }, () => {
  let browser;
  before(async () => {
    browser = await startChromium();
  });
  after(() => browser?.close());

  for (const language of LANGUAGES.filter((language) => ["zh-CN", "en"].includes(language))) {
    test(`in ${language}`, async () => {
      const dev = await startDev();
      const found = new Map();
      const hosts = [dev.host, dev.sandbox].map((origin) => new URL(origin).host);
      try {
        const kit = { ...dev, language };
        const [fresh, later] = [true, false].map((is) => chosen(DEV_SCENES).filter((scene) => Boolean(scene.fresh) === is));
        for (const scene of [...fresh, ...later]) {
          await visit(browser, scene, { language, script: true, kit, names: DEV_NAMES, hosts, found });
          if (scene.script === "either" && language === "zh-CN") await visit(browser, scene, { language, script: false, kit, names: DEV_NAMES, hosts, found });
        }
      } finally {
        await dev.close();
      }
      assertNoFaults(found);
    });
  }
});

/** Some at a time: a page waits for the server more than it computes. */
async function inTurns(all, act) {
  const queue = [...all];
  await Promise.all(Array.from({ length: 3 }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await act(next);
  }));
}

/** WeChat's apps, the pools, and people who have been there before. */
async function prepare(stack, site, kit) {
  for (const { app_id, secret, kind, original_id } of Object.values(APPS)) {
    stack.secrets.add("app secret", secret);
    await stack.wechat("apps", { app_id, secret, kind, original_id, name: "青禾生活 Qinghe", open_platform: "shop" });
  }
  await stack.wechat("settings", { login_mini_program_host: stack.host });
  await stack.apply(worldToml(site.origin, stack.post.toml()));
  Object.assign(stack.environment, { HUFU_WECHAT_OPEN_BASE: `${stack.sandbox}/open`, HUFU_WECHAT_MP_BASE: `${stack.sandbox}/mp` });
  for (const identifier of ["official", "subscription"]) {
    const url = `${stack.host}/connections/social/${identifier}/${POOLS.shop}/events`;
    await stack.wechat(`apps/${APPS[identifier].app_id}`, { messages: { url, token: ACCOUNT.token, mode: "plain" } }, "PATCH");
  }
  const { stdout } = await stack.command("admin", "create-key", "--name", "pages", "--role", "owner", "--config", stack.config);
  const key = stdout.trim();
  // A link of an administrator takes the place of the one before, so each scene has an administrator of its own.
  for (const username of ["mei", "lin"]) {
    await stack.command("admin", "create-administrator", "--username", username, "--role", "manager", "--pool", POOLS.shop, "--config", stack.config);
  }
  kit.entryLink = async (username) => {
    const made = await stack.command("admin", "login-link", username, "--config", stack.config);
    return made.stdout.split("\n")[0].trim();
  };
  await stack.restartServer();
  kit.firstLogin = { username: "newcomer", password: "seven green bicycles" };
  const made = await stack.call(`/admin/v1/pools/${POOLS.shop}/users`, {
    token: `Bearer ${key}`,
    json: { username: kit.firstLogin.username, password: kit.firstLogin.password, mustReset: true },
  });
  if (made.status >= 300) throw new Error(`no user: ${JSON.stringify(made.body)}`);
  // Where somebody who is logged in to the website binds their WeChat.
  const token = async (person) => {
    const { code } = await stack.wechat("codes", { app_id: APPS.mini.app_id, user: person.name });
    const { body } = await stack.call("/connections/social/wechat-miniprogram/auth", { app: SITE, pool: POOLS.shop, json: { code } });
    if (!body.data?.token) throw new Error(`no token: ${JSON.stringify(body)}`);
    stack.secrets.add("token", body.data.token);
    return body.data.token;
  };
  kit.linkAddress = async (person) => {
    const path = `/api/v3/generate-link-extidp-url?ext_idp_conn_identifier=pc&app_id=${SITE}`;
    const owner = await token(person);
    const { body } = await stack.call(path, { method: "GET", app: SITE, pool: POOLS.shop, token: `Bearer ${owner}` });
    if (!body.data?.url) throw new Error(`no link: ${JSON.stringify(body)}`);
    return body.data.url;
  };
}
