// What must never appear in a log, collected while the tests run, and the search for it.
import assert from "node:assert/strict";

const SECRET_FIELDS = new Set([
  "token", "access_token", "accessToken", "id_token", "refresh_token", "secret", "session_key", "sessionKey",
  "openid", "openId", "unionid", "unionId", "userIdInIdp", "phone", "phoneNumber", "purePhoneNumber",
]);

// Shapes that reveal a secret even if no test knows its value.
const SHAPES = {
  "a signed token": /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\./,
  "a mainland mobile number": /(?<![\da-f])1[3-9]\d{9}(?![\da-f])/,
  "a session key": /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{22}==(?![A-Za-z0-9+/=])/,
};

// What the sandbox hands out, and what Hufu hands out that is no signed token.
export const HANDED_OUT = {
  "an access token of WeChat": /(?<![\w-])97_[\w-]{100,}/,
  "a code of WeChat": /(?<![A-Za-z0-9])0(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{31}(?![A-Za-z0-9])/,
  "an openid or unionid": /(?<![\w-])o[\w-]{27}(?![\w-])/,
  "a token of Hufu": /(?<![\w-])hf[a-z]_[\w-]{20,}/,
};

/** The secrets that one test file has seen. `shapes` are further ones that reveal a secret. */
export class Secrets {
  #values = new Map();
  #shapes;

  constructor(shapes = {}) {
    this.#shapes = { ...SHAPES, ...shapes };
  }

  /** Remembers a value. Short ones are not: they stand in a text by chance. */
  add(kind, value) {
    if (typeof value === "string" && value.length >= 8) this.#values.set(value, kind);
  }

  /** Remembers what an answer of the server or of the sandbox holds of secrets, however deep. */
  harvest(answer) {
    if (Array.isArray(answer)) {
      for (const item of answer) this.harvest(item);
    } else if (answer && typeof answer === "object") {
      for (const [key, value] of Object.entries(answer)) {
        if (SECRET_FIELDS.has(key)) this.add(key, value);
        this.harvest(value);
      }
    }
  }

  /** Fails, naming kind and line but not the value, if a log holds a secret. */
  assertAbsentFrom(log) {
    const found = [];
    for (const [number, line] of log.split("\n").entries()) {
      for (const [value, kind] of this.#values) {
        if (mentions(line, value)) found.push(`line ${number + 1} holds a value of ${kind}: ${line.replaceAll(value, "█")}`);
      }
      for (const [kind, shape] of Object.entries(this.#shapes)) {
        if (shape.test(line)) found.push(`line ${number + 1} holds ${kind}: ${line.replace(shape, "█")}`);
      }
    }
    assert.deepEqual(found.slice(0, 10), [], `the log gives away ${found.length} secret(s)`);
  }
}

function mentions(line, value) {
  if (!line.includes(value)) return false;
  // A phone number inside a longer number is a coincidence.
  return !/^\d+$/.test(value) || new RegExp(`(?<!\\d)${value}(?!\\d)`).test(line);
}
