// Shows whether the tests are right: runs them against npm `oidc-provider`, a certified implementation, and prints what
// passed. Arguments are test files, if not all of them.
//
// What the reference does not have, or decides otherwise, is expected to fail and is said so with its reason.
import { run } from "node:test";
import { fileURLToPath } from "node:url";

const EXPECTED = {
  "oidcc-frontchannel-logout-discovery-endpoint-verification": "the reference has no front-channel logout",
  "oidcc-frontchannel-rp-initiated-logout": "the reference has no front-channel logout",
  // RFC 6749 has codes of its own for both; the reference says invalid_request.
  "a grant that it does not have": "the reference says invalid_request, not unauthorized_client",
  "the implicit grant without leave": "the reference says invalid_request, not unauthorized_client",
};

const names = process.argv.slice(2);
const files = (names.length > 0 ? names : ["modules.test.mjs", "attacks.test.mjs", "clients.test.mjs"]).map((name) => fileURLToPath(new URL(name, import.meta.url)));
process.env.OIDC_TARGET = "reference";

const rows = [];
let suites = [];
const note = (passed) => ({ name, nesting, details }) => {
  if (details.type === "suite" || nesting === 0) return;
  rows.push({ suite: suites.slice(1, nesting).join(" › "), name, passed, error: details.error?.cause?.message ?? details.error?.message });
};
const stream = run({ files, concurrency: 1 });
stream.on("test:start", ({ name, nesting }) => {
  suites = suites.slice(0, nesting);
  suites[nesting] = name;
});
stream.on("test:pass", note(true));
stream.on("test:fail", note(false));
for await (const _ of stream);

const width = Math.max(...rows.map(({ name }) => name.length));
let unexpected = 0;
let suite;
for (const row of rows) {
  if (row.suite !== suite) console.log(`\n${(suite = row.suite)}`);
  const reason = EXPECTED[row.name];
  const surprise = row.passed === Boolean(reason);
  if (surprise) unexpected++;
  const verdict = row.passed ? "passed" : reason ? `expected: ${reason}` : `FAILED: ${row.error?.split("\n")[0]}`;
  console.log(`  ${row.name.padEnd(width)}  ${verdict}`);
}
const passed = rows.filter((row) => row.passed).length;
console.log(`\n${passed} of ${rows.length} passed, ${unexpected} not as expected`);
process.exitCode = unexpected === 0 && rows.length > 0 ? 0 : 1;
