// Spring Security's OAuth2 client, with Spring Boot.
import { existsSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { folder } from "./harness.mjs";
import { testWebsite } from "./website.mjs";

const jar = join(folder("spring"), "target/site.jar");

testWebsite("Spring Security", {
  prepare: () => assert.ok(existsSync(jar), `there is no ${jar}; ./test makes it`),
  // The options halve the time to start and bound the memory; a customer would not need them.
  command: () => ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-jar", jar],
  cwd: folder("spring"),
  signing: "RS256",
  login: (shop) => shop.open("/oauth2/authorization/hufu"),
  // Its page has a form with a button.
  logout: async (shop) => shop.submit(await shop.open("/logout")),
  backchannel: "/logout/connect/back-channel/hufu",
  // A response without a state is none to it.
  refusal: { state: /authorization_request_not_found|invalid_request/, code: /invalid_grant/, issuer: /invalid_id_token.*iss/s },
});
