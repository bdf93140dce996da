// npm `@auth/core`, which is Auth.js.
import { folder } from "./harness.mjs";
import { testWebsite } from "./website.mjs";

testWebsite("Auth.js", {
  command: () => [process.execPath, "app.mjs"],
  cwd: folder("authjs"),
  // Its page has a form with a button for the provider.
  login: async (shop) => shop.submit(await shop.open("/auth/signin")),
  refusal: { state: /state/i, code: /invalid_grant|response body/, iss: /iss/, issuer: /iss/ },
});
