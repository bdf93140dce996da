// What every website must do that logs people in through Hufu, whatever its language: a suite for the programs of this
// folder. They have the same pages: `/` shows who is logged in, as `{claims, userinfo}`; `/login`, `/refresh` and
// `/logout` do what they are called.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { answerQuestions } from "../oidc/flows.mjs";
import { Browser, ENGINE, freePort, NINA, SITE, startHufu, startImpostor, startProgram, until } from "./harness.mjs";

/**
 * Tests a website. `command` gives what starts it, `login(shop)` and `logout(shop)` are how its login and its logout begin,
 * `backchannel` is where it is told of logouts elsewhere, if it can be. `refusal` is how its library words what it refuses: the
 * state, the code, the `iss` of the response (RFC 9207; if it looks at it), the ID token's issuer.
 */
export function testWebsite(name, {
  command, cwd, signing, prepare, login = (shop) => shop.open("/login"), logout = (shop) => shop.open("/logout"), backchannel, refusal,
  after: afterwards,
}) {
  describe(`${name} on ${ENGINE}`, () => {
    let hufu, impostor, site, program;

    before(async () => {
      await prepare?.();
      site = `http://127.0.0.1:${await freePort()}`;
      hufu = await startHufu({ site, signing, backchannel });
      program = await startProgram(command(site), { site, cwd, issuer: hufu.issuer });
    });
    after(async () => {
      await program?.close();
      impostor?.close();
      await hufu?.close();
      await afterwards?.();
    });

    /** How often Hufu has given tokens, by its log. */
    const tokenAnswers = () =>
      hufu.stack.log.split("\n").filter((line) => line.includes('"answered"') && line.includes('"route":"/oidc/token"')).length;

    /** A person's browser, as it is at the site and at Hufu. */
    const visitor = () => ({ shop: new Browser(site), hufu: hufu.browser() });

    /** From the site to Hufu, through its questions, and up to the address where Hufu sends the browser. */
    async function logIn({ shop, hufu: browser }) {
      const start = await login(shop);
      assert.ok(start.callback, `expected to be sent to the login page, but was at ${start}\n${program.output}`);
      assert.equal(start.callback.url.origin, hufu.origin);
      const { page, steps } = await answerQuestions(hufu, browser, await browser.open(start.callback.url), { person: NINA });
      assert.ok(page.callback?.url, `expected to be back at the site, but was at ${page}`);
      hufu.secret("authorization code", page.callback.params.get("code"));
      return { arrival: page.callback.url, steps, asked: start.callback.params };
    }

    const bodyOf = (page) => {
      try {
        return JSON.parse(page.html);
      } catch {
        assert.fail(`not JSON: ${page.status} ${page.url}\n${page.html.slice(0, 500)}\n${program.output}`);
      }
    };

    async function assertIn({ shop }) {
      const page = await shop.open("/");
      const shown = bodyOf(page);
      assert.equal(page.status, 200, JSON.stringify(shown));
      const { claims, userinfo } = shown;
      assert.equal(claims.sub, NINA.id);
      assert.equal(claims.iss, hufu.issuer);
      assert.equal([claims.aud].flat().join(), SITE.id);
      assert.deepEqual(claims.amr, ["pwd"]);
      assert.equal(userinfo.sub, NINA.id);
      assert.equal(userinfo.email, NINA.email);
      assert.equal(userinfo.email_verified, true);
      assert.equal(userinfo.name, NINA.name);
      return shown;
    }

    async function assertOut({ shop }) {
      const page = await shop.open("/");
      assert.equal(page.status, 401, page.html);
    }

    /** Asserts that the library refuses this arrival and names the reason. */
    async function assertRefused(person, arrival, reason) {
      const before = program.output.length;
      const page = await person.shop.open(arrival);
      const told = page.isHtml ? program.output.slice(before) : bodyOf(page).error;
      assert.match(told, reason);
      await assertOut(person);
    }

    test("logs a person in, asks for new tokens and logs out", async () => {
      const person = visitor();
      await assertOut(person);
      const { arrival, steps, asked } = await logIn(person);
      assert.deepEqual(steps, ["login"]);
      assert.equal(asked.get("code_challenge_method"), "S256");
      await person.shop.open(arrival);
      // Only here: the ID token of a refresh has none (OpenID Connect Core 12.2).
      assert.ok((await assertIn(person)).claims.nonce, "nonce");

      // Twice, so that the second time shows that the program has kept the new refresh token.
      for (let times = 0; times < 2; times++) {
        const given = tokenAnswers();
        const page = await person.shop.open("/refresh");
        assert.equal(page.status, 200, page.html);
        await until(() => tokenAnswers() === given + 1, "the program asks Hufu for tokens");
        await assertIn(person);
      }

      const leaving = await logout(person.shop);
      assert.equal(leaving.callback?.uri, `${hufu.issuer}/session/end`, `${leaving}`);
      hufu.secret("id token", leaving.callback.params.get("id_token_hint"));
      const { callback } = await person.hufu.open(leaving.callback.url);
      assert.equal(callback?.uri, `${site}/`, "the person is not asked, and is sent back");
      await person.shop.open(callback.url);
      await assertOut(person);
      assert.deepEqual((await logIn(person)).steps, ["login"], "Hufu's login has ended too");
    });

    test("a second login is without a question", async () => {
      const person = visitor();
      await person.shop.open((await logIn(person)).arrival);
      const later = { ...visitor(), hufu: person.hufu };
      const { arrival, steps } = await logIn(later);
      assert.deepEqual(steps, []);
      await later.shop.open(arrival);
      await assertIn(later);
    });

    test("a response with another state is refused", async () => {
      const person = visitor();
      const { arrival } = await logIn(person);
      arrival.searchParams.set("state", "another");
      await assertRefused(person, arrival, refusal.state);
    });

    test("a response to somebody else's browser is refused", async () => {
      const { arrival } = await logIn(visitor());
      const victim = visitor();
      await login(victim.shop);
      await assertRefused(victim, arrival, refusal.state);
    });

    test("a response to a request that the site did not send is refused", async () => {
      // Somebody's own code, asked for without anything that binds it to a browser.
      const asked = (await login(new Browser(site))).callback.params;
      const forged = async () => {
        const query = new URLSearchParams({ client_id: SITE.id, response_type: "code", scope: "openid", redirect_uri: asked.get("redirect_uri") });
        const browser = hufu.browser();
        const { page } = await answerQuestions(hufu, browser, await browser.open(`/oidc/auth?${query}`), { person: NINA });
        hufu.secret("authorization code", page.callback.params.get("code"));
        return page.callback.url;
      };
      await assertRefused(visitor(), await forged(), refusal.state);
      const begun = visitor();
      await login(begun.shop);
      await assertRefused(begun, await forged(), refusal.state);
      const left = visitor();
      await left.shop.open((await logIn(left)).arrival);
      await assertIn(left);
      await logout(left.shop);
      await assertRefused(left, await forged(), refusal.state);
    });

    test("a response with a code that Hufu did not give is refused", async () => {
      const person = visitor();
      const { arrival } = await logIn(person);
      arrival.searchParams.set("code", "invented");
      await assertRefused(person, arrival, refusal.code);
    });

    if (backchannel) {
      test("hears of a logout elsewhere", async () => {
        const person = visitor();
        await person.shop.open((await logIn(person)).arrival);
        await assertIn(person);
        const question = await person.hufu.open(`${hufu.issuer}/session/end`);
        await person.hufu.submit(question, {}, { button: "confirm" });
        await until(async () => (await person.shop.open("/")).status === 401, "the site ends its login too");
      });
    }

    if (refusal.iss) {
      test("a response that says that it is of another issuer is refused", async () => {
        const person = visitor();
        const { arrival } = await logIn(person);
        arrival.searchParams.set("iss", "https://other.example.com/oidc");
        await assertRefused(person, arrival, refusal.iss);
      });
    }

    test("an ID token of another issuer is refused", async () => {
      await program.close();
      impostor = await startImpostor(hufu.issuer);
      program = await startProgram(command(site), { site, cwd, issuer: impostor.issuer });
      const person = visitor();
      const { arrival } = await logIn(person);
      // The response is as the impostor would give it; the token remains Hufu's.
      if (arrival.searchParams.has("iss")) arrival.searchParams.set("iss", impostor.issuer);
      await assertRefused(person, arrival, refusal.issuer);
    });
  });
}
