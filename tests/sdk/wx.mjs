// A phone with a mini program: the part of WeChat's `wx` object that login SDKs call, for Node.
//
// `takeUp(phone)` makes a phone's `wx` the global one, as the SDKs expect; a test with two people takes up one phone
// after the other. Network traffic is recorded in `phone.calls`. With a `storageFile`, the storage outlives the
// process, like a mini program's.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

/** Makes `phone` the one in hand: its `wx` becomes the global. */
export function takeUp(phone) {
  globalThis.wx = phone.wx;
  return phone;
}

export class Phone {
  /** Every exchange over the network, oldest first: `{method, url, headers, body, status, answer}`. */
  calls = [];
  #storage = new Map();
  #options;

  /**
   * - `login`: async, gives the code that `wx.login` answers.
   * - `image`: path of the picture that the person chooses.
   * - `appId`: sends the `Referer` of this mini program, as WeChat does on a real phone.
   * - `storageFile`: where the storage is kept across restarts.
   * - `undefinedHeaders`: "drop" them, or send the "text" `undefined`, as some versions of WeChat do.
   */
  constructor(options = {}) {
    this.#options = { undefinedHeaders: "drop", ...options };
    const { storageFile } = options;
    if (storageFile && existsSync(storageFile)) {
      this.#storage = new Map(JSON.parse(readFileSync(storageFile, "utf8")));
    }
    this.wx = {
      ...this.#network(),
      ...this.#device(),
      ...this.#storageCalls(),
    };
  }

  /** What is stored under `key`, or `undefined`. */
  stored(key) {
    return this.#storage.get(key);
  }

  /** Stores a value, as the mini program itself would. */
  store(key, value) {
    if (value === undefined) this.#storage.delete(key);
    else this.#storage.set(key, value);
    this.#persist();
  }

  #persist() {
    const { storageFile } = this.#options;
    if (storageFile) writeFileSync(storageFile, JSON.stringify([...this.#storage]));
  }

  #network() {
    return {
      request: bothStyles("request", async ({ url, method = "GET", data, header, dataType = "json" }) => {
        const verb = method.toUpperCase();
        const headers = this.#headers({ "content-type": "application/json", ...lowerCaseKeys(header) });
        const target = verb === "GET" ? withQuery(url, data) : url;
        const body = verb === "GET" ? undefined : encodeBody(data, headers.get("content-type"));
        const { status, responseHeaders, text } = await this.#send(verb, target, headers, body);
        const answer = dataType === "json" ? parsedOrText(text) : text;
        return { data: answer, statusCode: status, header: responseHeaders, cookies: [] };
      }),
      uploadFile: bothStyles("uploadFile", async ({ url, filePath, name, formData = {}, header }) => {
        const form = new FormData();
        for (const [key, value] of Object.entries(formData)) form.append(key, String(value));
        form.append(name, new Blob([await readFile(filePath)]), basename(filePath));
        const { status, text } = await this.#send("POST", url, this.#headers(lowerCaseKeys(header)), form);
        return { data: text, statusCode: status };
      }),
    };
  }

  #device() {
    const system = { platform: "devtools", system: "iOS 18.0", version: "8.0.50", SDKVersion: "3.6.0", language: "zh_CN" };
    return {
      login: bothStyles("login", async () => ({ code: await this.#options.login() })),
      checkSession: bothStyles("checkSession", async () => ({})),
      chooseImage: bothStyles("chooseImage", async () => {
        const { image } = this.#options;
        if (!image) throw new Error("cancel");
        const { length: size } = await readFile(image);
        return { tempFilePaths: [image], tempFiles: [{ path: image, size }] };
      }),
      getSystemInfo: bothStyles("getSystemInfo", async () => system),
      getSystemInfoSync: () => system,
      canIUse: () => true,
    };
  }

  #storageCalls() {
    const set = (key, data) => this.store(key, data === undefined ? "" : structuredClone(data));
    const get = (key) => structuredClone(this.#storage.get(key));
    const remove = (key) => this.store(key, undefined);
    const clear = () => {
      this.#storage.clear();
      this.#persist();
    };
    return {
      setStorageSync: set,
      // Absent values read as empty text, not as undefined.
      getStorageSync: (key) => (this.#storage.has(key) ? get(key) : ""),
      removeStorageSync: remove,
      clearStorageSync: clear,
      setStorage: bothStyles("setStorage", async ({ key, data }) => void set(key, data)),
      getStorage: bothStyles("getStorage", async ({ key }) => {
        if (!this.#storage.has(key)) throw new Error("data not found");
        return { data: get(key) };
      }),
      removeStorage: bothStyles("removeStorage", async ({ key }) => void remove(key)),
      clearStorage: bothStyles("clearStorage", async () => void clear()),
    };
  }

  #headers(entries) {
    const headers = new Headers();
    for (const [name, value] of Object.entries(entries)) {
      if (value === undefined && this.#options.undefinedHeaders === "drop") continue;
      headers.set(name, String(value));
    }
    // WeChat sets the referrer itself; a mini program cannot.
    const { appId } = this.#options;
    if (appId) headers.set("referer", `https://servicewechat.com/${appId}/7/page-frame.html`);
    return headers;
  }

  async #send(method, url, headers, body) {
    const response = await fetch(url, { method, headers, body, redirect: "manual" });
    const text = await response.text();
    const responseHeaders = Object.fromEntries(response.headers);
    this.calls.push({
      method,
      url,
      headers: Object.fromEntries(headers),
      body,
      status: response.status,
      answer: parsedOrText(text),
    });
    return { status: response.status, responseHeaders, text };
  }
}

/**
 * WeChat's calling convention: with any of the callbacks `success`, `fail` and `complete` they are called; without them
 * a promise is returned. Answers and failures carry `errMsg`.
 */
function bothStyles(name, work) {
  return (options = {}) => {
    const { success, fail, complete } = options;
    const outcome = Promise.resolve(options)
      .then(work)
      .then(
        (answer) => ({ errMsg: `${name}:ok`, ...answer }),
        (error) => Promise.reject({ errMsg: `${name}:fail ${error?.cause?.code ?? error?.message ?? error}` }),
      );
    if (!success && !fail && !complete) return outcome;
    outcome.then(
      (answer) => {
        success?.(answer);
        complete?.(answer);
      },
      (error) => {
        fail?.(error);
        complete?.(error);
      },
    );
    return undefined;
  };
}

function encodeBody(data, contentType) {
  if (data === undefined || data === null) return undefined;
  if (typeof data === "string") return data;
  if (contentType?.includes("application/x-www-form-urlencoded")) {
    return Object.entries(data)
      .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
      .join("&");
  }
  return JSON.stringify(data);
}

function withQuery(url, data) {
  const pairs = typeof data === "object" && data !== null ? Object.entries(data) : [];
  if (pairs.length === 0) return url;
  const query = pairs.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join("&");
  return `${url}${url.includes("?") ? "&" : "?"}${query}`;
}

const lowerCaseKeys = (object = {}) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key.toLowerCase(), value]));

function parsedOrText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
