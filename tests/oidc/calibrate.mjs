// Shows whether the tests are right, by running them against npm `oidc-provider`, a certified implementation:
//
//   node calibrate.mjs [FILE…]     which tests pass against the reference
//   node calibrate.mjs --faults    which modules notice when the reference is broken in just their point; a further
//                                  argument picks the faults whose names contain it, or a part of all: 2/4, say
//
// What the reference decides otherwise is expected to fail, and is said so with the reason. It has no front-channel
// logout; reference.mjs has a stand-in.
import { run } from "node:test";
import { fileURLToPath } from "node:url";

const EXPECTED = {
  // RFC 6749 has a code of its own for both.
  "a grant that it does not have": "the reference says invalid_request, not unauthorized_client",
  // It fetches no request objects.
  "oidcc-request-uri-signed-rs256": "the reference has pushed requests alone",
  "the implicit grant without leave": "the reference says invalid_request, not unauthorized_client",
};

process.env.OIDC_TARGET = "reference";
const names = process.argv.slice(2);
process.exitCode = names[0] === "--faults" ? await faults(names[1] ?? "") : await reference(names);

async function reference(names) {
  const rows = await results(names.length > 0 ? names : ["modules.test.mjs", "attacks.test.mjs", "clients.test.mjs"]);
  const width = Math.max(...rows.map(({ name }) => name.length));
  let unexpected = 0;
  let suite;
  for (const row of rows) {
    if (row.suite !== suite) console.log(`\n${(suite = row.suite)}`);
    const reason = EXPECTED[row.name];
    if (row.passed === Boolean(reason)) unexpected++;
    const verdict = row.passed ? "passed" : reason ? `expected: ${reason}` : `FAILED: ${row.error?.split("\n")[0]}`;
    console.log(`  ${row.name.padEnd(width)}  ${verdict}`);
  }
  const passed = rows.filter((row) => row.passed).length;
  console.log(`\n${passed} of ${rows.length} passed, ${unexpected} not as expected`);
  return unexpected === 0 && rows.length > 0 ? 0 : 1;
}

async function faults(wanted) {
  const { FAULTS } = await import("./faults.mjs");
  const part = /^(\d+)\/(\d+)$/.exec(wanted);
  const isWanted = ([name], index) => (part ? index % part[2] === part[1] - 1 : name.includes(wanted));
  const picked = Object.entries(FAULTS).filter(isWanted);
  const noticed = new Set();
  const modules = new Set();
  let wrong = 0;
  for (const [fault, { fails }] of picked) {
    process.env.OIDC_FAULT = fault;
    const rows = await results(["modules.test.mjs"]);
    const failed = new Set();
    for (const { suite, name, passed } of rows) {
      modules.add(name);
      if (passed || EXPECTED[name]) continue;
      failed.add(suite.includes("formpost") ? `formpost:${name}` : name);
      noticed.add(name);
    }
    const missed = fails.filter((name) => !failed.has(name));
    if (missed.length > 0) wrong++;
    const others = [...failed].filter((name) => !fails.includes(name) && !name.startsWith("formpost:"));
    console.log(`${fault}: ${missed.length > 0 ? `NOT NOTICED by ${missed.join(", ")}` : `noticed by ${fails.join(", ")}`}${
      others.length > 0 ? ` (and ${others.length > 4 ? `${others.length} more` : others.join(", ")})` : ""}`);
  }
  console.log(`\n${picked.length} faults, ${wrong} not noticed`);
  if (wanted !== "") return wrong === 0 ? 0 : 1;
  const never = [...modules].filter((name) => !noticed.has(name) && !EXPECTED[name]);
  console.log(`modules that noticed none: ${never.join(", ") || "none"}`);
  return wrong === 0 && never.length === 0 ? 0 : 1;
}

/** What became of each test: `{suite, name, passed, error}`. */
async function results(names) {
  const files = names.map((name) => fileURLToPath(new URL(name, import.meta.url)));
  const rows = [];
  let suites = [];
  const note = (passed) => ({ name, nesting, skip, details }) => {
    if (details.type === "suite" || nesting === 0 || skip !== undefined) return;
    const error = details.error?.cause?.message ?? details.error?.message;
    rows.push({ suite: suites.slice(1, nesting).join(" › "), name, passed, error });
  };
  const stream = run({ files, concurrency: 1 });
  stream.on("test:start", ({ name, nesting }) => {
    suites = suites.slice(0, nesting);
    suites[nesting] = name;
  });
  stream.on("test:pass", note(true));
  stream.on("test:fail", note(false));
  for await (const _ of stream);
  return rows;
}
