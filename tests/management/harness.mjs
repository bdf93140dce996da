// A server with a management key for its first pool, and the published management clients, unmodified.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { startStack } from "../sdk/harness.mjs";
import { OTHER_POOL, SHOP_POOL } from "../sdk/world.mjs";

export { ENGINE } from "../sdk/harness.mjs";
export { MINI, OTHER_POOL, SHOP, SHOP_POOL } from "../sdk/world.mjs";

const require = createRequire(import.meta.url);
const node = require("authing-node-sdk");
const js = require("authing-js-sdk");

/** The text of the published client that names the calls. */
export const nodeSource = () => readFileSync(require.resolve("authing-node-sdk/dist/ManagementClient.js"), "utf8");

export async function startManaged() {
  const stack = await startStack();
  try {
    stack.key = await managementKey(stack, SHOP_POOL);
    stack.otherKey = await managementKey(stack, OTHER_POOL);
    await stack.restartServer();
  } catch (error) {
    await stack.abandon();
    throw error;
  }
  return stack;
}

/** Makes the management key of a pool, as an operator does. */
export async function managementKey(stack, pool, ...options) {
  const { stdout } = await stack.command("admin", "management-key", "--pool", pool, "--config", stack.config, ...options);
  return { id: pool, secret: stdout.trim() };
}

/** `authing-node-sdk`, which signs its requests. */
export function nodeClient(stack, key = stack.key) {
  return new node.ManagementClient({ host: stack.host, accessKeyId: key.id, accessKeySecret: key.secret, lang: "en-US" });
}

/** `authing-js-sdk`, which gets a token and speaks GraphQL. */
export function jsClient(stack, key = stack.key) {
  return new js.ManagementClient({
    host: stack.host,
    userPoolId: key.id,
    secret: key.secret,
    onError: (code, message, data) => {
      throw { code, message, data };
    },
  });
}

/**
 * A client, which notes in `answered` the methods that gave what is an answer: those of its parts with the part before them,
 * such as `users.create`.
 */
export function noting(part, answered, { isPart = () => false, isAnswer = () => true }, area = "") {
  return new Proxy(part, {
    get(_, name) {
      const member = part[name];
      if (typeof member === "object" && area === "" && isPart(name)) return noting(member, answered, { isAnswer }, `${name}.`);
      if (typeof member !== "function") return member;
      return async (...args) => {
        const answer = await member.apply(part, args);
        if (isAnswer(answer)) answered.add(`${area}${name}`);
        return answer;
      };
    },
  });
}

/** The calls of `authing-node-sdk` by its methods, such as `get-user` by `getUser`. */
export function nodeCalls() {
  const methods = Object.getOwnPropertyNames(node.ManagementClient.prototype).filter((name) => name !== "constructor");
  const call = (name) => node.ManagementClient.prototype[name].toString().match(/url:\s*["'](?:\/api\/v3)?\/([^"']+)["']/)?.[1];
  return new Map(methods.map((name) => [name, call(name)]));
}

/** The rows of the table of docs/clients.md that begins with these cells, each a list of its cells. */
export function documented(...first) {
  const page = readFileSync(new URL("../../docs/clients.md", import.meta.url), "utf8");
  const [, below] = page.split("\n## The management clients\n");
  const lines = below.split("\n");
  const start = lines.indexOf(`|${first.map((cell) => (cell === "" ? " |" : ` ${cell} |`)).join("")}`);
  assert.ok(start >= 0, `docs/clients.md has no table that begins with ${first}`);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(0, end).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

/** What stands in backticks in a cell. */
export const names = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

/** The data of an answer in the envelope. */
export function data(answer) {
  assert.equal(answer.statusCode, 200, JSON.stringify(answer));
  return answer.data;
}

/** Fails unless the answer is a refusal with this code. */
export function refused(answer, code) {
  assert.equal(answer.apiCode, code, JSON.stringify(answer));
  assert.ok(answer.statusCode >= 400 && answer.message.endsWith("."), JSON.stringify(answer));
}
