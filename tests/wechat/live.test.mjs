// The QR codes of a login page are live: what becomes of a code reaches the page by a stream of events, and by nothing else;
// without script the page refreshes itself. Chromium's own log of the network tells what was asked for.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, afterEach, before, describe, test } from "node:test";
import { ENGINE, eventually, openWindow, startChromium, startShop, startSite } from "./harness.mjs";
import { APPS, GUARD } from "./world.mjs";

const EVENTS = "/api/v2/qrcode/events";

describe(`the QR codes of the login page on ${ENGINE}`, () => {
  let site, stack, browser, window, page;

  before(async () => {
    site = await startSite({});
    stack = await startShop(site.origin);
    browser = await startChromium();
  });
  after(async () => {
    await browser?.close();
    site?.close();
    await stack?.close();
  });
  afterEach(() => window?.context.close());

  /** Opens the login page at one of its tabs, and gives what Chromium logs of its network. */
  async function open(method, { timers = true, ...options } = {}) {
    window = await openWindow(browser, { locale: "en", ...options });
    // Without time: no timer of the page's ever ends, so that nothing but the server moves it.
    if (!timers) await window.context.addInitScript(stopTimers);
    page = await window.context.newPage();
    const log = await watch(page);
    const query = new URLSearchParams({
      client_id: GUARD.scanning,
      redirect_uri: `${site.origin}/done`,
      response_type: "code",
      scope: "openid",
      state: "state-of-the-site",
      nonce: "nonce-of-the-site",
      code_challenge: createHash("sha256").update(randomBytes(32)).digest("base64url"),
      code_challenge_method: "S256",
    });
    await page.goto(`${stack.host}/oidc/auth?${query}`);
    // One of the tabs is there already, and the other one is a click away.
    const tab = page.locator(`.method-tabs [data-connection="${method}"]`);
    if ((await tab.getAttribute("aria-current")) === null) await tab.click();
    await page.locator(`.method-tabs [data-connection="${method}"][aria-current]`).waitFor();
    await shows("created");
    return log;
  }

  const shows = (state) => page.locator(`#qr[data-state="${state}"]`).waitFor();
  const scene = async () => (await page.locator("#qr img").getAttribute("src")).match(/\/([^/]+)\.png$/)[1];
  /** The stream of the page that is open, once it has told of this status. */
  async function heard(log, status) {
    const stream = () => log.asked.findLast(({ type }) => type === "EventSource");
    await eventually(`an event of ${status}`, async () => log.told.filter(({ id }) => id === stream()?.id), (told) => told.some((event) => event.status === status));
    return stream();
  }
  const follow = async (code) => stack.wechat("scan", { scene: code, app_id: APPS.account.app_id, user: (await stack.person()).name });

  async function isDone() {
    await page.waitForURL(`${site.origin}/done?*`);
    const { searchParams } = new URL(page.url());
    assert.match(searchParams.get("code"), /^\S{20,}$/, page.url());
    assert.equal(searchParams.get("state"), "state-of-the-site");
    stack.secrets.add("code", searchParams.get("code"));
    assert.deepEqual(window.faults, []);
  }

  /** What a page asked of the server, from one place of the log on, as method, path and type. */
  const asked = (log, from = 0) =>
    log.asked.slice(from).filter(({ url }) => url.origin === stack.host).map(({ method, url, type }) => `${method} ${url.pathname} ${type}`);

  /** Fails if anything but streams, pages and what they show was asked for. */
  function isUnasked(log) {
    assert.deepEqual(log.asked.filter(({ url }) => url.pathname.endsWith("/check")).map(String), []);
    assert.deepEqual(log.asked.filter(({ type }) => ["XHR", "Fetch", "Ping", "WebSocket"].includes(type)).map(({ url }) => url.href), []);
  }

  /** Fails unless what was asked for first from this place of the log on is the page, and an event of this stream asked for it. */
  async function wentOnByTheEvent(log, at, stream, status) {
    const { url, type, initiator } = log.asked[at];
    assert.deepEqual([url.pathname, type], ["/login", "Document"], asked(log, at).join("\n"));
    const frames = initiator.stack.callFrames;
    assert.ok(frames.every((frame) => /\/qr\b.*\.js$/.test(new URL(frame.url).pathname)), JSON.stringify(frames));
    assert.equal(frames.at(-1).functionName, "events.onmessage", JSON.stringify(frames));
    await eventually("the event", async () => log.told, (told) => told.some((event) => event.id === stream.id && event.status === status));
  }

  test("an official account's: one event, and the page goes on", async () => {
    const log = await open("official", { timers: false });
    const stream = await heard(log, 0);
    assert.deepEqual([stream.method, stream.url.pathname, log.types.get(stream.id)], ["GET", EVENTS, "text/event-stream"]);
    await page.waitForLoadState("load");
    const before = log.asked.length;
    await follow(await scene());
    await isDone();
    // Nothing was asked for between the scan and the event.
    await wentOnByTheEvent(log, before, stream, 2);
    assert.deepEqual(asked(log, before).filter((line) => line.includes("/api/")), []);
    assert.deepEqual(log.told.filter(({ id }) => id === stream.id).map(({ status }) => status), [0, 2]);
    isUnasked(log);
  });

  test("a mini program's: an event at the scan, and another one at the answer", async () => {
    const log = await open("scan", { timers: false });
    const first = await heard(log, 0);
    await page.waitForLoadState("load");
    const [person, code] = [await stack.person(), await scene()];
    let before = log.asked.length;
    const { code: login } = await stack.wechat("codes", { app_id: APPS.mini.app_id, user: person.name });
    stack.secrets.add("login code", login);
    const granted = await stack.call(`/oauth/wxapp/grant/?alias=wxapp&code=${login}&random=${code}`, { method: "GET" });
    assert.equal(granted.body.code, 200, JSON.stringify(granted.body));
    await shows("scanned");
    await wentOnByTheEvent(log, before, first, 1);
    // The page of the scan waits at a stream of its own.
    const second = await heard(log, 1);
    assert.notEqual(second.id, first.id);
    await page.waitForLoadState("load");
    before = log.asked.length;
    const confirmed = await stack.call(`/oauth/wxapp/redirect?random=${code}`, { json: { openid: granted.body.data.openid } });
    assert.equal(confirmed.body.code, 200, JSON.stringify(confirmed.body));
    await isDone();
    await wentOnByTheEvent(log, before, second, 2);
    assert.equal(log.asked.filter(({ type }) => type === "EventSource").length, 2);
    isUnasked(log);
  });

  test("without script, by a page that refreshes itself", async () => {
    const log = await open("official", { javaScriptEnabled: false });
    const refreshed = () => log.asked.filter(({ url, type }) => type === "Document" && url.pathname === "/login" && url.searchParams.has("qr"));
    const code = await scene();
    await eventually("a refreshed page", async () => refreshed().length, (count) => count >= 1);
    await shows("created");
    assert.equal(await scene(), code, "the same code while it waits");
    await follow(code);
    await isDone();
    assert.ok(refreshed().length >= 2, "the page that went on was a refreshed one");
    assert.ok(refreshed().every(({ initiator }) => initiator.type !== "script"));
    assert.deepEqual(log.asked.filter(({ url }) => url.pathname.startsWith("/api/") && !url.pathname.endsWith(".png")).map(({ url }) => url.href), []);
    isUnasked(log);
  });
});

/** Runs in the browser. */
function stopTimers() {
  for (const name of ["setTimeout", "setInterval", "requestAnimationFrame", "requestIdleCallback"]) globalThis[name] = () => 0;
}

/** Chromium's log of a page's network, in the order of its time. */
async function watch(page) {
  const session = await page.context().newCDPSession(page);
  /** What was asked for; the events of streams, by the id of what asked for them; the types of what came, by the same. */
  const log = { asked: [], told: [], types: new Map() };
  session.on("Network.requestWillBeSent", ({ requestId: id, request, type, initiator }) => {
    log.asked.push({ id, method: request.method, url: new URL(request.url), type, initiator });
  });
  session.on("Network.responseReceived", ({ requestId, response }) => log.types.set(requestId, response.mimeType));
  session.on("Network.eventSourceMessageReceived", ({ requestId: id, data }) => log.told.push({ id, status: JSON.parse(data).status }));
  await session.send("Network.enable");
  return log;
}
