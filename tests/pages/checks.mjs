// What a machine can see of a page: whether it is accessible, whether everything on it can be reached and read, in which
// language it is, what it weighs, and where its requests go.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { openWindow } from "../wechat/harness.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What a page may weigh when it is opened for the first time, as it is sent. */
const MOST_BYTES = 50_000;
/** The least side of what is clicked (WCAG 2.2, 2.5.8). */
const LEAST_TARGET = 24;

/** Words of other languages that every language writes as they are. */
const TERMS = [
  "Access Token", "ID Token", "Refresh Token", "English", "简体中文", "繁體中文", "日本語", "request URI", "redirect URI",
];

/**
 * A window whose every fault counts: `faults` lists what consoles, requests and policies complained of. `hosts` are those
 * to which requests may go.
 */
export async function openWatched(browser, options, hosts) {
  const { context, faults } = await openWindow(browser, options);
  context.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith("http") && !hosts.includes(host)) faults.push(`a request to ${host}`);
  });
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  return { context, faults };
}

/**
 * Counts what a page's own first load weighs, compressed: the page, and everything that it loads, without its frames. The
 * sandbox serves this machine alone and does not compress; its pages weigh what they would.
 */
export async function weigher(tab) {
  const session = await tab.context().newCDPSession(tab);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const kinds = ["document", "stylesheet", "script", "image", "font", "other"];
  // What WeChat draws weighs what WeChat makes of it.
  const isCode = (url) => /^\/(api\/v2\/qrcode|mp|open\/connect\/qrcode)\//.test(new URL(url).pathname);
  let loads = [];
  tab.on("request", (request) => {
    if (request.frame() !== tab.mainFrame() || isCode(request.url())) return;
    if (request.isNavigationRequest()) loads = [];
    if (kinds.includes(request.resourceType())) loads.push(weight(request));
  });
  return async () => {
    const bytes = await Promise.all(loads);
    return { bytes: bytes.reduce((sum, one) => sum + one, 0), most: MOST_BYTES };
  };
}

async function weight(request) {
  try {
    const answer = await request.response();
    if (!answer || answer.status() >= 300) return 0;
    if (answer.headers()["content-encoding"]) return (await request.sizes()).responseBodySize;
    return gzipSync(await answer.body()).length;
  } catch {
    // It was left before it was there.
    return 0;
  }
}

/** Every fault of the page, and of the frames in it, as it stands at this width and in this theme. */
export async function look(tab, { language, names, asked, script = true }) {
  const faults = [];
  for (const frame of tab.frames()) {
    if (frame !== tab.mainFrame() && !(await isSeen(frame))) continue;
    const where = frame === tab.mainFrame() ? "" : `${new URL(frame.url()).pathname}: `;
    await frame.evaluate(still);
    const found = await frame.evaluate(seen, { language, terms: [...names, ...TERMS], least: LEAST_TARGET });
    if (asked.axe && script) found.push(...(await accessible(frame)));
    faults.push(...found.map((fault) => where + fault));
  }
  return faults;
}

/** Runs in the page: nothing moves any more, so that each theme is seen as it is in the end. */
function still() {
  if (window.isStill) return;
  window.isStill = true;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("*, ::before, ::after { transition: none !important; animation: none !important }");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

async function isSeen(frame) {
  if (frame.isDetached() || !frame.url().startsWith("http")) return false;
  const element = await frame.frameElement();
  const box = await element.boundingBox();
  return Boolean(box && box.width > 1 && box.height > 1);
}

async function accessible(frame) {
  if (!(await frame.evaluate(() => "axe" in window))) await frame.evaluate(axe);
  const violations = await frame.evaluate(async () => {
    const { violations } = await window.axe.run(document, {
      iframes: false,
      resultTypes: ["violations"],
      rules: {
        "target-size": { enabled: true },
        // A frame without a ground of its own has that of the page around it, which axe does not see.
        "color-contrast": { enabled: window === top || !/, 0\)$/.test(getComputedStyle(document.body).backgroundColor) },
      },
    });
    return violations.map(({ id, nodes }) => ({ id, at: nodes.map(({ target, failureSummary }) => `${target.join(" ")} (${failureSummary.split("\n")[1]?.trim()})`) }));
  });
  return violations.map(({ id, at }) => `axe: ${id} at ${at.slice(0, 3).join(", ")}`);
}

/** Runs in the page: what is cut off, covered, too small, or in another language. */
function seen({ language, terms, least }) {
  const faults = [];
  const { documentElement: root } = document;
  const name = (element) => {
    const words = (element.getAttribute("aria-label") ?? element.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 40);
    const mark = element.id ? `#${element.id}` : typeof element.className === "string" && element.className ? `.${element.className.split(" ")[0]}` : "";
    return `${element.localName}${mark} “${words}”`;
  };
  const style = (element) => getComputedStyle(element);
  const shown = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !element.closest(".visually-hidden, .skip");

  // Language.
  if (root.lang !== language) faults.push(`the page says that it is in ${root.lang}`);
  const other = language === "en" ? /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u : /\b[a-z]{2,} [a-z]{2,}\b/;
  const kana = /[\p{Script=Hiragana}\p{Script=Katakana}]/u;
  const longest = [...terms].sort((a, b) => b.length - a.length);
  const said = (text, what) => {
    if (/⟦|\{\s?\$|\{\{|undefined|\bnull\b|NaN/.test(text)) faults.push(`not a text for people, ${what}: ${text.trim()}`);
    const rest = longest.reduce((left, term) => left.replaceAll(term, " § "), text).replace(/[\u2068\u2069]/g, "");
    if (other.test(rest)) faults.push(`of another language, ${what}: ${text.trim()}`);
    if (language.startsWith("zh") && kana.test(rest)) faults.push(`of another language, ${what}: ${text.trim()}`);
  };
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { parentElement: within, data } = texts.currentNode;
    const own = within.closest("[lang]");
    if (within.closest("script, style, noscript, code, pre, kbd, option, .message-text") || own.lang !== language || data.trim() === "") continue;
    said(data, within.localName);
  }
  for (const attribute of ["aria-label", "title", "alt", "placeholder"]) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      const value = element.getAttribute(attribute);
      if (element.closest("[lang]").lang === language && !element.closest("code, pre") && !/^https?:/.test(value)) said(value, attribute);
    }
  }
  said(document.title, "title");

  // Width.
  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.querySelectorAll("body *")].filter((element) => shown(element) && element.getBoundingClientRect().right > root.clientWidth + 1);
    faults.push(`wider than the screen: ${root.scrollWidth} > ${root.clientWidth}, ${wide.slice(-1).map(name)}`);
  }
  // Text that its own box cuts off, unless it says so with an ellipsis or scrolls.
  for (const element of document.querySelectorAll("body *")) {
    if (!shown(element) || element.closest("svg, textarea, select, iframe, input, progress")) continue;
    const { overflowX, overflowY, textOverflow, webkitLineClamp } = style(element);
    if (element.clientWidth < 2 || element.clientHeight < 2 || !element.textContent.trim()) continue;
    const cuts = ["hidden", "clip"];
    if (cuts.includes(overflowX) && textOverflow !== "ellipsis" && element.scrollWidth > element.clientWidth + 1) faults.push(`cut off on the right: ${name(element)}`);
    if (cuts.includes(overflowY) && webkitLineClamp === "none" && element.scrollHeight > element.clientHeight + 2) faults.push(`cut off below: ${name(element)}`);
  }

  // What is clicked.
  const clicked = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, label.check, .swap-tabs label")];
  const targets = clicked.filter((element) => shown(element) && !element.disabled && element.tabIndex !== -1 || element.localName === "label" && shown(element));
  /** The part of an element that the boxes around it leave to be seen, and whether one of them can be scrolled to the rest. */
  const reach = (element) => {
    let { left, right, top, bottom } = element.getBoundingClientRect();
    let scrolls = false;
    for (let around = element.parentElement; around && around !== root; around = around.parentElement) {
      const { overflowX, overflowY } = style(around);
      if (overflowX === "visible" && overflowY === "visible") continue;
      const box = around.getBoundingClientRect();
      [left, right, top, bottom] = [Math.max(left, box.left), Math.min(right, box.right), Math.max(top, box.top), Math.min(bottom, box.bottom)];
      scrolls ||= [overflowX, overflowY].some((overflow) => ["auto", "scroll"].includes(overflow));
    }
    return { left, right, top, bottom, scrolls };
  };
  /** Whether a click that far from its middle still hits it: what is small to see may have an invisible margin. */
  const isHit = (element) => {
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const box = element.getBoundingClientRect();
    const [x, y, far] = [box.left + box.width / 2, box.top + box.height / 2, least / 2 - 1];
    return [[x - far, y], [x + far, y], [x, y - far], [x, y + far]].every((at) => element.contains(document.elementFromPoint(...at)));
  };
  const boxes = new Map();
  for (const element of targets) {
    const box = element.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) continue;
    boxes.set(element, box);
    const visible = reach(element);
    if (!visible.scrolls && (visible.left < -1 || visible.right > root.clientWidth + 1 || visible.right - visible.left < box.width - 1)) faults.push(`partly out of view: ${name(element)}`);
    // A link in a sentence is as high as the sentence.
    const isInText = element.localName === "a" && style(element).display === "inline";
    if (element.localName !== "label" && element.closest("label.check")) continue;
    const area = element.closest("label")?.getBoundingClientRect() ?? box;
    const sheet = document.querySelector(".ph-sheet");
    if (sheet && !sheet.contains(element)) continue;
    if (!isInText && (area.width < least || area.height < least) && !isHit(element)) faults.push(`smaller than ${least} px: ${name(element)}, ${Math.round(area.width)} × ${Math.round(area.height)}`);
  }
  const open = document.querySelector("details[open], dialog[open]");
  if (!open) {
    scrollTo(0, 0);
    const all = [...boxes.keys()].map((element) => [element, reach(element)]).filter(([, { left, right, top, bottom }]) => right > left && bottom > top);
    for (const [at, [one, a]] of all.entries()) {
      for (const [two, b] of all.slice(at + 1)) {
        // The eye is in the field.
        if (one.parentElement === two.parentElement && one.parentElement.matches(".input-end")) continue;
        if (one.contains(two) || two.contains(one) || one.closest("label")?.contains(two) || two.closest("label")?.contains(one)) continue;
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 2 && down > 2) faults.push(`${name(one)} and ${name(two)} overlap`);
      }
    }
    // What lies over what is clicked.
    for (const [element] of boxes) {
      if (element.closest(".ph-veil, [inert]") || (document.querySelector(".ph-sheet") && !element.closest(".ph-sheet"))) continue;
      element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
      const box = element.getBoundingClientRect();
      const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
      if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) continue;
      const on = document.elementFromPoint(x, y);
      const label = element.closest("label") ?? (element.id && document.querySelector(`label[for="${element.id}"]`));
      const inLine = style(element).display === "inline" && element.getClientRects().length > 1;
      if (on && !inLine && !element.contains(on) && !on.contains(element) && !label?.contains(on)) faults.push(`${name(element)} is covered by ${name(on)}`);
    }
    scrollTo(0, 0);
  }
  return faults;
}

/** Says all faults of all pages at once. */
export function assertNoFaults(found) {
  assert.ok(found.size === 0, [...found].map(([fault, places]) => `${fault}\n    ${places.slice(0, 4).join("; ")}${places.length > 4 ? ` and ${places.length - 4} more` : ""}`).join("\n"));
}
