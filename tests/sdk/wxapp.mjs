// npm authing-wxapp-sdk as the tests use it: clients of one server, and logged-in people.
import assert from "node:assert/strict";
import { loadWxappSdk } from "./sdks.mjs";
import { SHOP_POOL } from "./world.mjs";
import { takeUp } from "./wx.mjs";

export const { AuthenticationClient } = loadWxappSdk();

/** A client of the shop's pool, unless `options` say otherwise. */
export function client(stack, options = {}) {
  // The SDK's own handler throws before its caller's promise is rejected; this one leaves the error to the promise.
  return new AuthenticationClient({ userPoolId: SHOP_POOL, host: stack.host, onError: () => {}, ...options });
}

/** A new person with their phone in the hand, logged in. */
export async function loggedIn(stack, { profile, client: options, phone: ofPhone } = {}) {
  const person = await stack.person(profile);
  const phone = takeUp(stack.phone(person, ofPhone));
  const authing = client(stack, options);
  const { code } = await wx.login();
  const user = await authing.loginByCode(code);
  return { person, phone, authing, user };
}

/** For `assert.rejects`: the SDK's error has this code, and a message. */
export const refusal = (code) => (error) => {
  // REST throws an Error with JSON as its message, GraphQL a bare object.
  const { code: actual, message } = error.code === undefined ? JSON.parse(error.message) : error;
  assert.equal(actual, code, `the error is ${JSON.stringify(error)} ${error.message}`);
  assert.ok(typeof message === "string" && message.length > 0);
  return true;
};
