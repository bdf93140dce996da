// crates.io `openidconnect` with `axum`.
import { resolve } from "node:path";
import { folder, run } from "./harness.mjs";
import { testWebsite } from "./website.mjs";

const program = resolve(folder("rust"), process.env.CARGO_TARGET_DIR ?? "target", "debug/site");

testWebsite("openidconnect", {
  prepare: () => run(["cargo", "build", "--locked"], { cwd: folder("rust") }),
  command: () => [program],
  cwd: folder("rust"),
  signing: "ES256",
  refusal: { state: /state/, code: /invalid_grant/, issuer: /Invalid issuer/ },
});
