// PyPI `authlib` with `flask`.
import { existsSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { folder } from "./harness.mjs";
import { testWebsite } from "./website.mjs";

const python = join(folder("python"), ".venv/bin/python");

testWebsite("Authlib", {
  prepare: () => assert.ok(existsSync(python), `there is no ${python}; ./test makes it`),
  command: (site) => [python, "-m", "flask", "--app", "app", "run", "--port", new URL(site).port],
  cwd: folder("python"),
  signing: "ES256",
  refusal: { state: /state/i, code: /invalid_grant/, issuer: /iss/ },
});
