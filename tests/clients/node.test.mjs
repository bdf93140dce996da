// npm `openid-client`.
import { folder } from "./harness.mjs";
import { testWebsite } from "./website.mjs";

testWebsite("openid-client", {
  command: () => [process.execPath, "app.mjs"],
  cwd: folder("node"),
  signing: "ES256",
  refusal: { state: /state/i, code: /invalid_grant|response body/, iss: /"iss"/, issuer: /"iss"/ },
});
