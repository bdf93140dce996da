// `github.com/coreos/go-oidc/v3` with `golang.org/x/oauth2`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folder, run } from "./harness.mjs";
import { testWebsite } from "./website.mjs";

const built = mkdtempSync(join(tmpdir(), "hufu-go-"));
const program = join(built, "site");

testWebsite("go-oidc", {
  prepare: () => run(["go", "build", "-mod=readonly", "-o", program, "."], { cwd: folder("go") }),
  after: () => rmSync(built, { recursive: true, force: true }),
  command: () => [program],
  cwd: built,
  signing: "ES256",
  refusal: { state: /state/i, code: /invalid_grant/, issuer: /issued by a different provider/ },
});
