// The checks see what is wrong: a page without a fault, and one for each fault that they look for.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startChromium, startSite } from "../wechat/harness.mjs";
import { look, openWatched, weigher } from "./checks.mjs";

const page = (body, style = "") => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in</title>
<meta name="viewport" content="width=device-width"><style>body { margin: 0; font: 16px sans-serif; color: #111; background: #fff }
button, .link { display: block; min-height: 32px } ${style}</style></head><body><main><h1>Log in</h1>${body}</main></body></html>`;

const BUTTON = '<button id="one">Go on</button>';
/** What is wrong, the page, and what is said about it. */
const FAULTS = [
  ["a button without a name", "<button></button>", /^axe: button-name/],
  ["a text too pale to read", '<p style="color:#bbb">Your code</p>', /^axe: color-contrast/],
  ["wider than the screen", '<div style="width:500px">Wide</div>', /^wider than the screen/],
  ["a button half out of view", '<button style="position:absolute;left:-20px">Go on</button>', /^partly out of view: button/],
  ["a button that its box cuts off", '<div style="width:60px;overflow:hidden"><button style="width:90px">Go on</button></div>', /^partly out of view: button/],
  ["a text that its box cuts off", '<p style="width:60px;overflow:hidden;white-space:nowrap">A long line of text</p>', /^cut off on the right: p/],
  ["a text cut off below", '<p style="height:10px;overflow:hidden">Two words</p>', /^cut off below: p/],
  ["a target too small", '<button style="width:16px;height:16px;min-height:0;padding:0" aria-label="Close">x</button>', /^smaller than 24 px: button/],
  ["buttons that overlap", `${BUTTON}<button style="margin-top:-12px">Back</button>`, /overlap$/],
  ["a button that is covered", `${BUTTON}<div style="position:fixed;inset:0">Wait</div>`, /is covered by div/],
  ["a key without a text", "<p>⟦login-title⟧</p>", /^not a text for people, p/],
  ["a placeholder that was not filled in", '<p aria-label="{$name}">x</p>', /^not a text for people, aria-label/],
  ["a text in another language", "<p>登录</p>", /^of another language, p: 登录/],
  ["a label in another language", '<input aria-label="密码">', /^of another language, aria-label: 密码/],
];

let browser, site;
before(async () => {
  browser = await startChromium();
  const files = Object.fromEntries(FAULTS.map(([, body], at) => [`/${at}`, ["text/html", page(body)]]));
  files["/right"] = ["text/html", page(`${BUTTON}<p>A <a href="/">link</a> in a text of <code>登录</code></p>`)];
  files["/chinese"] = ["text/html", page("<p>请输入 phone number 再继续</p>").replace('lang="en"', 'lang="zh-CN"').replaceAll("Log in", "登录")];
  files["/heavy"] = ["text/html", page(`<p>${Array.from({ length: 30_000 }, (_, at) => (at * 7919).toString(36)).join("-")}</p>`)];
  files["/elsewhere"] = ["text/html", page('<img alt="" src="http://127.0.0.2:9/logo.png">')];
  files["/script"] = ["text/html", page('<script>throw new Error("broken")</script>')];
  files["/policy"] = ["text/html", page("<p>Text</p>").replace("<meta charset", `<meta http-equiv="content-security-policy" content="img-src 'self'"><meta charset`).replace("</main>", '<img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></main>')];
  site = await startSite(files);
});
after(async () => {
  await browser?.close();
  site?.close();
});

/** Opens a page, and says what the checks and the window say. */
async function faultsOf(path, { language = "en" } = {}) {
  const { context, faults } = await openWatched(browser, { viewport: { width: 390, height: 600 } }, [new URL(site.origin).host]);
  try {
    const tab = await context.newPage();
    const weight = await weigher(tab);
    await tab.goto(`${site.origin}${path}`);
    const found = await look(tab, { language, names: [], asked: { axe: true } });
    const { bytes, most } = await weight();
    return [...found, ...faults, ...(bytes > most ? [`weighs ${bytes}`] : [])];
  } finally {
    await context.close();
  }
}

test("a page without a fault", async () => {
  assert.deepEqual(await faultsOf("/right"), []);
});

for (const [at, [name, , said]] of FAULTS.entries()) {
  test(name, async () => {
    const found = await faultsOf(`/${at}`);
    assert.ok(found.some((fault) => said.test(fault)), `${said}: ${JSON.stringify(found)}`);
  });
}

test("English in a Chinese page, and a page that is in another language than was asked for", async () => {
  const found = await faultsOf("/chinese", { language: "zh-CN" });
  assert.ok(found.some((fault) => /^of another language, p: 请输入 phone number/.test(fault)), JSON.stringify(found));
  assert.ok((await faultsOf("/right", { language: "zh-CN" })).some((fault) => /says that it is in en/.test(fault)));
});

for (const [path, said] of [
  ["/heavy", /^weighs \d{5,}/],
  ["/elsewhere", /^a request to 127\.0\.0\.2:9/],
  ["/script", /^script: broken/],
  ["/policy", /policy: img-src data/],
]) {
  test(`what a window says: ${path.slice(1)}`, async () => {
    const found = await faultsOf(path);
    assert.ok(found.some((fault) => said.test(fault)), `${said}: ${JSON.stringify(found)}`);
  });
}
