// A small browser without script: cookies, redirects, forms by the names of their elements.
//
// It stays on the provider: a redirect, or a form that posts itself, to any other origin is not followed but returned
// as the `callback` of the page.
import assert from "node:assert/strict";
import { parse } from "node-html-parser";

const MAX_REDIRECTS = 20;

export class Browser {
  jar = new CookieJar();
  /** Every exchange, oldest first: `{method, url, status}`. */
  history = [];
  #origin;

  constructor(origin) {
    this.#origin = origin;
  }

  open(url, { headers } = {}) {
    return this.#travel(new URL(url, this.#origin), { method: "GET", headers });
  }

  post(url, fields, { headers, origin = this.#origin } = {}) {
    return this.#travel(new URL(url, this.#origin), { method: "POST", body: new URLSearchParams(fields), headers, origin });
  }

  /** Follows the first link whose element has this id, name or text. */
  follow(page, wanted) {
    const link = page.root
      .querySelectorAll("a[href]")
      .find((a) => [a.id, a.getAttribute("name"), a.text.trim()].includes(wanted));
    assert.ok(link, `there is no link ${wanted} on ${page}`);
    return this.open(new URL(link.getAttribute("href"), page.url));
  }

  /**
   * Fills in and submits the form that has all of `fields` and the `button`. Hidden fields are sent along, except those
   * named in `without`; the button is the named one, else the form's first.
   */
  submit(page, fields = {}, { button, without = [], origin, headers } = {}) {
    const form = page.form([...Object.keys(fields), ...(button ? [button] : [])]);
    const { action, method, data } = form.filledIn(fields, button);
    for (const name of without) data.delete(name);
    this.#checkFormAction(page, action);
    if (method === "GET") {
      action.search = data.toString();
      return this.#travel(action, { method, headers });
    }
    return this.#travel(action, { method, body: data, origin: origin ?? page.url.origin, headers, from: page });
  }

  login(page, { account, password }, { names = { account: "account", password: "password" }, ...options } = {}) {
    return this.submit(page, { [names.account]: account, [names.password]: password }, options);
  }

  /** Answers the question of the consent page: "allow" or "deny". */
  consent(page, answer = "allow") {
    return this.submit(page, {}, { button: answer });
  }

  /** Chooses an account by a text that is shown with it. */
  choose(page, text) {
    const offered = page.root.querySelectorAll("button, input[type=submit]").filter((element) => {
      const name = element.getAttribute("name") ?? "";
      const shown = `${element.text} ${element.getAttribute("aria-label") ?? ""} ${element.closest("form")?.text ?? ""}`;
      return (name === "account" || name.startsWith("choose-")) && shown.includes(text);
    });
    assert.equal(offered.length, 1, `${text} is not to choose once on ${page}`);
    return this.submit(page, {}, { button: offered[0] });
  }

  async #travel(url, { method, body, headers, origin, from }) {
    for (let hops = 0; hops < MAX_REDIRECTS; hops++) {
      const sent = new Headers({ accept: "text/html,application/xhtml+xml", "accept-language": "en", ...headers });
      const cookie = this.jar.header(url);
      if (cookie) sent.set("cookie", cookie);
      if (method === "POST" && origin) sent.set("origin", origin);
      const response = await fetch(url, { method, headers: sent, body, redirect: "manual" });
      this.history.push({ method, url: url.href, status: response.status });
      this.jar.store(url, response.headers.getSetCookie());
      const html = await response.text();
      const location = response.headers.get("location");
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
        return new Page({ response, url, html, home: this.#origin });
      }
      const next = new URL(location, url);
      // Chrome holds the page with the form to its form-action through every redirect.
      if (from) this.#checkFormAction(from, next);
      if (next.origin !== this.#origin) {
        return new Page({ response, url, html, home: this.#origin, leaving: next });
      }
      if (response.status === 303 || (method === "POST" && [301, 302].includes(response.status))) {
        method = "GET";
        body = undefined;
      }
      url = next;
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects: ${this.history.slice(-4).map((step) => step.url).join(" → ")}`);
  }

  /** Where a page's Content-Security-Policy would have stopped a browser that enforces it: `{page, target}`. */
  blocked = [];

  #checkFormAction(page, target) {
    if (!page.mayPostTo(target)) this.blocked.push({ page: page.url.pathname, target: `${target.protocol}//${target.host}` });
  }
}

export class Page {
  constructor({ response, url, html, home, leaving }) {
    this.status = response.status;
    this.headers = response.headers;
    this.url = url;
    this.html = html;
    const type = response.headers.get("content-type") ?? "";
    this.isHtml = type.startsWith("text/html");
    this.root = parse(this.isHtml ? html : "");
    this.callback = leaving ? fromRedirect(leaving) : this.#fromFormPost(home);
  }

  get title() {
    return this.root.querySelector("title")?.text.trim() ?? "";
  }

  /** What a person reads, without styles and scripts. */
  get text() {
    const copy = parse(this.html);
    for (const element of copy.querySelectorAll("style, script")) element.remove();
    return copy.structuredText;
  }

  /** Where the page itself leads: a `meta refresh`. */
  get refresh() {
    const content = this.root.querySelector('meta[http-equiv="refresh" i]')?.getAttribute("content");
    const target = content?.match(/url\s*=\s*['"]?([^'"]+)/i)?.[1];
    return target && new URL(target, this.url);
  }

  get links() {
    return this.root.querySelectorAll("a[href]").map((a) => new URL(a.getAttribute("href"), this.url));
  }

  get frames() {
    return this.root.querySelectorAll("iframe[src]").map((frame) => new URL(frame.getAttribute("src"), this.url));
  }

  get forms() {
    return this.root.querySelectorAll("form").map((element) => new Form(element, this));
  }

  has(name) {
    return this.root.querySelectorAll("input, button, select, textarea, a").some((e) => named(e, name));
  }

  /** The form that has elements of all these names. */
  form(names) {
    const found = this.forms.find((form) => names.every((name) => typeof name !== "string" ? form.contains(name) : form.has(name)));
    assert.ok(found, `no form has ${names.filter((name) => typeof name === "string").join(", ")} on ${this}`);
    return found;
  }

  /** Whether the page's Content-Security-Policy lets its forms lead to this URL. */
  mayPostTo(url) {
    return this.#allows(url, "form-action");
  }

  mayShow(url) {
    return this.#allows(url, "img-src", "default-src");
  }

  mayFrame(url) {
    return this.#allows(url, "frame-src", "child-src", "default-src");
  }

  /** The first of the directives that is there decides. */
  #allows(url, ...directives) {
    const policy = (this.headers.get("content-security-policy") ?? "").split(/[;,]/).map((part) => part.trim().split(/\s+/));
    const found = directives.map((name) => policy.find(([own]) => own.toLowerCase() === name)).find(Boolean);
    if (!found) return true;
    return found.slice(1).some((source) => {
      if (source === "*") return /^https?:$/.test(url.protocol);
      if (source === "'self'") return url.origin === this.url.origin;
      if (source.endsWith(":")) return url.protocol === source;
      return source === url.origin || url.href.startsWith(source);
    });
  }

  toString() {
    return `${this.url.pathname} (${this.status} ${this.title}):\n${this.text.slice(0, 800)}`;
  }

  #fromFormPost(home) {
    const forms = this.forms;
    const form = forms.length === 1 && forms[0].method === "POST" ? forms[0] : undefined;
    if (!form || form.action.origin === home) return undefined;
    const { data } = form.filledIn({});
    // A page whose script would send a message has no address in its form.
    const mode = form.action.protocol === "about:" ? "web_message" : "form_post";
    return { mode, uri: form.action.href, params: data };
  }
}

class Form {
  constructor(element, page) {
    this.element = element;
    this.page = page;
    this.method = (element.getAttribute("method") ?? "get").toUpperCase();
    this.action = new URL(element.getAttribute("action") ?? page.url.href, page.url);
  }

  get elements() {
    const all = this.page.root.querySelectorAll("input, button, select, textarea");
    return all.filter((element) => {
      const owner = element.getAttribute("form");
      return owner ? owner === this.element.id : element.closest("form") === this.element;
    });
  }

  contains(element) {
    return this.elements.includes(element);
  }

  has(name) {
    return this.elements.some((element) => named(element, name));
  }

  filledIn(fields, button) {
    const data = new URLSearchParams();
    const isButton = (e) => e.tagName === "BUTTON" ? (e.getAttribute("type") ?? "submit") === "submit" : e.getAttribute("type") === "submit";
    const pressed = button
      ? this.elements.find((e) => (typeof button === "string" ? named(e, button) : e === button))
      : this.elements.find(isButton);
    const left = new Map(Object.entries(fields));
    for (const element of this.elements) {
      const name = element.getAttribute("name");
      const type = (element.getAttribute("type") ?? "text").toLowerCase();
      if (!name || element.hasAttribute("disabled")) continue;
      if (element.tagName === "BUTTON" || ["submit", "button", "image", "reset"].includes(type)) {
        if (element === pressed) data.append(name, element.getAttribute("value") ?? "");
      } else if (left.has(name)) {
        data.append(name, left.get(name));
        left.delete(name);
      } else if (["checkbox", "radio"].includes(type)) {
        if (element.hasAttribute("checked")) data.append(name, element.getAttribute("value") ?? "on");
      } else if (element.tagName === "SELECT") {
        const options = element.querySelectorAll("option");
        const chosen = options.find((option) => option.hasAttribute("selected")) ?? options[0];
        if (chosen) data.append(name, chosen.getAttribute("value") ?? chosen.text);
      } else {
        data.append(name, element.tagName === "TEXTAREA" ? element.text : element.getAttribute("value") ?? "");
      }
    }
    assert.equal(left.size, 0, `the form has no ${[...left.keys()]}`);
    const action = pressed?.getAttribute("formaction");
    return {
      data,
      action: action ? new URL(action, this.page.url) : new URL(this.action),
      method: (pressed?.getAttribute("formmethod") ?? this.method).toUpperCase(),
    };
  }
}

class CookieJar {
  #cookies = [];

  store(url, lines) {
    for (const line of lines) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const at = pair.indexOf("=");
      const cookie = {
        name: pair.slice(0, at),
        value: pair.slice(at + 1),
        host: url.hostname,
        path: url.pathname.replace(/\/[^/]*$/, "") || "/",
        line,
      };
      for (const attribute of attributes) {
        const [key, value = ""] = attribute.split(/=(.*)/s);
        switch (key.toLowerCase()) {
          case "path": if (value.startsWith("/")) cookie.path = value; break;
          case "secure": cookie.secure = true; break;
          case "httponly": cookie.httpOnly = true; break;
          case "samesite": cookie.sameSite = value.toLowerCase(); break;
          case "max-age": cookie.expires = Date.now() + Number(value) * 1000; break;
          case "expires": cookie.expires ??= Date.parse(value); break;
        }
      }
      if (cookie.secure && url.protocol !== "https:") continue;
      this.#cookies = this.#cookies.filter(
        (other) => other.name !== cookie.name || other.path !== cookie.path || other.host !== cookie.host,
      );
      if (cookie.expires === undefined || cookie.expires > Date.now()) this.#cookies.push(cookie);
    }
  }

  /** Puts a cookie in from outside, as somebody does who shares the machine. */
  plant(url, name, value) {
    this.store(new URL(url), [`${name}=${value}; Path=/`]);
  }

  for(url) {
    const { hostname, pathname, protocol } = new URL(url);
    return this.#cookies
      .filter(({ host, path, secure, expires }) =>
        host === hostname && (expires ?? Infinity) > Date.now() && (!secure || protocol === "https:") &&
        (pathname === path || pathname.startsWith(path.endsWith("/") ? path : `${path}/`)))
      .sort((a, b) => b.path.length - a.path.length);
  }

  header(url) {
    return this.for(url).map(({ name, value }) => `${name}=${value}`).join("; ");
  }

  get(name) {
    return this.#cookies.find((cookie) => cookie.name === name);
  }

  get all() {
    return [...this.#cookies];
  }
}

/** An authorization response that came as a redirect. */
function fromRedirect(url) {
  const fragment = new URLSearchParams(url.hash.slice(1));
  const inFragment = url.hash.length > 1 && !url.searchParams.has("code") && !url.searchParams.has("error");
  const bare = new URL(url);
  bare.hash = "";
  bare.search = "";
  return {
    mode: inFragment ? "fragment" : "query",
    uri: bare.href,
    params: inFragment ? fragment : url.searchParams,
    url,
  };
}

const named = (element, name) => element.getAttribute("name") === name || element.id === name;
