// The search of the logs for secrets finds what is there; otherwise its silence would prove nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HANDED_OUT, Secrets } from "./secrets.mjs";

const LOGIN = {
  data: { token: "a-token-of-a-user", identities: [{ userIdInIdp: "o-an-openid-of-somebody" }], phone: "13912345678", nickname: "a nickname" },
};

test("a log with a secret fails, and the failure does not repeat it", () => {
  for (const secret of ["a-token-of-a-user", "o-an-openid-of-somebody", "13912345678"]) {
    const secrets = new Secrets();
    secrets.harvest(LOGIN);
    assert.throws(
      () => secrets.assertAbsentFrom(`started\nserving somebody x${secret}y\n`),
      (error) => /line 2/.test(error.message) && !error.message.includes(secret),
    );
  }
});

test("a log with what looks like a secret fails, whoever saw it", () => {
  for (const secret of ["eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "13812345678", "o0q0otL8aEzpcZL/FT9WsQ=="]) {
    assert.throws(() => new Secrets().assertAbsentFrom(`somebody said "${secret}"`));
  }
});

test("what the sandbox and Hufu hand out is known by its shape", () => {
  const handed = [`97_${"aB3-_".repeat(27)}`, `0${"aZ9".repeat(10)}x`, `o${"aB3-_".repeat(5)}xy`, `hfr_${"aB3".repeat(12)}`];
  for (const secret of handed) {
    assert.throws(() => new Secrets(HANDED_OUT).assertAbsentFrom(`DEBUG call{url="/x?code=${secret}&y"}`), secret);
    new Secrets().assertAbsentFrom(secret);
  }
  new Secrets(HANDED_OUT).assertAbsentFrom("DEBUG id=01939b2f-7a52-7c10-8000-000000000001 hash=0a1b2c3d4e5f at=o-1");
});

test("a log without secrets passes", () => {
  const secrets = new Secrets();
  secrets.harvest(LOGIN);
  secrets.assertAbsentFrom('{"level":"INFO","at":1795259810754,"nickname":"a nickname","rid":"6740bd0e-13912345-67800000"}\n');
});
