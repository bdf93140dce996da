// Another WeChat, written independently of the project's own sandbox, to check that Hufu works with WeChat and not just
// with the sandbox: no path prefix, everything as text/plain, `errcode` 0 with a success, unknown keys, and ids that it
// generates itself.
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

export class OtherWechat {
  /** What was asked of it: `{path, query, body}`. */
  asked = [];
  #apps = new Map();
  #codes = new Map();
  #phoneCodes = new Map();
  #tokens = new Map();
  #serial = 0;

  constructor(apps) {
    for (const { appId, secret } of apps) this.#apps.set(appId, secret);
  }

  async start() {
    this.server = createServer((request, response) => this.#answer(request, response)).listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.base = `http://127.0.0.1:${this.server.address().port}`;
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** A person's login code: `{code, sessionKey, openid, unionid}`. */
  loginCode(appId, person) {
    const code = `${++this.#serial}`.padStart(32, "0b");
    const openid = `o${digest(`${appId} ${person}`).slice(0, 27)}`;
    const unionid = `o${digest(`union ${person}`).slice(0, 27)}`;
    const sessionKey = randomBytes(16).toString("base64");
    this.#codes.set(code, { appId, openid, unionid, sessionKey, used: false });
    return { code, sessionKey, openid, unionid };
  }

  phoneCode(appId, phoneNumber) {
    const code = randomBytes(32).toString("hex");
    this.#phoneCodes.set(code, { appId, phoneNumber, used: false });
    return code;
  }

  /** `{encryptedData, iv}` of a phone number, as the phone button of old gives it. */
  static sealedPhone(appId, sessionKey, phoneNumber) {
    const iv = randomBytes(16);
    const cipher = createCipheriv("aes-128-cbc", Buffer.from(sessionKey, "base64"), iv);
    const text = JSON.stringify(phoneInfo(appId, phoneNumber));
    const encryptedData = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]).toString("base64");
    return { encryptedData, iv: iv.toString("base64") };
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.base);
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = text === "" ? {} : JSON.parse(text);
    this.asked.push({ path: url.pathname, query: Object.fromEntries(url.searchParams), body });
    const handlers = {
      "/sns/jscode2session": () => this.#exchange(Object.fromEntries(url.searchParams)),
      "/cgi-bin/stable_token": () => this.#token(body),
      "/cgi-bin/token": () => this.#token(Object.fromEntries(url.searchParams)),
      "/wxa/business/getuserphonenumber": () => this.#phone(url.searchParams.get("access_token"), body),
    };
    const answer = handlers[url.pathname]?.() ?? { errcode: 40066, errmsg: "invalid url" };
    response.setHeader("content-type", "text/plain");
    response.end(JSON.stringify({ x_unknown: [{ deep: null }], ...answer, zzz: 1 }));
  }

  #exchange({ appid, secret, js_code: code, grant_type: grant }) {
    if (!this.#apps.has(appid)) return { errcode: 40013, errmsg: "invalid appid" };
    if (this.#apps.get(appid) !== secret) return { errcode: 40125, errmsg: "invalid appsecret" };
    if (grant !== "authorization_code") return { errcode: 40002, errmsg: "invalid grant_type" };
    const issued = this.#codes.get(code);
    if (issued?.appId !== appid) return { errcode: 40029, errmsg: "invalid code" };
    if (issued.used) return { errcode: 40163, errmsg: "code been used" };
    issued.used = true;
    const { sessionKey: session_key, openid, unionid } = issued;
    return { unionid, session_key, errmsg: "ok", openid, errcode: 0, expires_in: 7200 };
  }

  #token({ appid, secret, grant_type: grant }) {
    if (grant !== "client_credential") return { errcode: 40002, errmsg: "invalid grant_type" };
    if (this.#apps.get(appid) !== secret) return { errcode: 40001, errmsg: "invalid credential" };
    const access_token = `t${randomBytes(100).toString("base64url")}`;
    this.#tokens.set(access_token, appid);
    return { expires_in: 7100, access_token, errcode: 0 };
  }

  #phone(token, { code }) {
    const appId = this.#tokens.get(token);
    if (!appId) return { errcode: 40001, errmsg: "invalid credential" };
    const issued = this.#phoneCodes.get(code);
    if (!issued || issued.used) return { errcode: 40029, errmsg: "invalid code" };
    if (issued.appId !== appId) return { errcode: 40013, errmsg: "invalid appid" };
    issued.used = true;
    return { errmsg: "ok", phone_info: phoneInfo(appId, issued.phoneNumber), errcode: 0 };
  }
}

function phoneInfo(appid, number) {
  // The country code as a bare number, as in WeChat's own example.
  return { countryCode: 86, purePhoneNumber: number, phoneNumber: number, watermark: { timestamp: Math.floor(Date.now() / 1000), appid } };
}

const digest = (text) => createHash("sha256").update(text).digest("base64url");
