// The hosted pages, each as somebody meets it. A scene opens its page in a window, by what people do; `kit` is what it is
// done with.
import assert from "node:assert/strict";
import { AGREES, APPS, ASKS, CHOOSES, CLOSED, CONSENTS, FILLS, MERGED, PASSWORD, SITE, TV } from "./world.mjs";

const WECHAT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50";
const IN_WEB_VIEW = `${WECHAT} miniProgram/${APPS.mini.app_id}`;

/** What the scenes are done with: a server with its sandbox, and a website. */
export class Kit {
  #saved = {};
  /** Ends when nobody changes an app of WeChat's. */
  #split = Promise.resolve();

  constructor(stack, site) {
    Object.assign(this, { stack, site });
  }

  /** The address at which an application sends somebody to log in. */
  authorization(client_id, more = {}) {
    const query = new URLSearchParams({
      client_id,
      redirect_uri: `${this.site.origin}/done`,
      response_type: "code",
      scope: "openid",
      state: "s",
      code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      code_challenge_method: "S256",
      ...more,
    });
    return `${this.stack.host}/oidc/auth?${query}`;
  }

  login(application, more = "") {
    return `${this.stack.host}/login?app_id=${application}${more}`;
  }

  /** Fills in the form of a login page. */
  async enter(tab, account, password = PASSWORD) {
    await tab.locator("#account").fill(account);
    await tab.locator("#password").fill(password);
    await tab.locator("#submit").click();
  }

  /** Cookies of a browser in which these people are logged in. Logging in costs a password's hash, so that it is done once. */
  async loggedIn(tab, ...accounts) {
    const key = accounts.join();
    const context = tab.context();
    if (!this.#saved[key]) {
      for (const account of accounts) {
        await tab.goto(this.authorization(SITE, { prompt: "login" }));
        if (!(await tab.locator("#account").count())) await tab.locator("#link-another").click();
        await this.enter(tab, account);
        await tab.waitForURL(`${this.site.origin}/done*`);
      }
      this.#saved[key] = await context.cookies();
    }
    await context.addCookies(this.#saved[key]);
  }

  /** Leaves for the source of a login page's button, where a person agrees, and waits for the page to which that leads. */
  async throughWechat(tab, connection, person, action = "confirm") {
    await tab.locator(`[data-connection="${connection}"]`).click();
    await tab.waitForURL(`${this.stack.sandbox}/open/connect/qrconnect*`);
    const uuid = await tab.locator("#qr-connect").getAttribute("data-uuid");
    await this.stack.wechat("scan", { uuid, user: person.name, action });
    await tab.waitForURL(({ origin }) => origin !== this.stack.sandbox);
  }

  /** Opens the mini program of the code that a page shows, as this person's phone does. */
  async scanMiniProgram(tab, person) {
    const picture = await tab.locator("#qr img").getAttribute("src");
    const scene = picture.split("/").pop().replace(".png", "");
    const cookie = { cookie: `hufu-sandbox-person=${person.name}` };
    const opened = await fetch(`${this.stack.sandbox}/phone/mini/${APPS.mini.app_id}?scene=${scene}`, { headers: cookie });
    assert.equal(opened.status, 200);
    return scene;
  }

  state(tab, state) {
    return tab.locator(`#qr[data-state="${state}"]`).waitFor();
  }

  /** A page of the WeChat of this person, who is new. */
  async newcomer(tab, application, connection, nickname = "小满") {
    const person = await this.stack.person({ nickname });
    await tab.goto(this.login(application));
    await this.throughWechat(tab, connection, person);
    return person;
  }

  /** Somebody whose OpenID and whose UnionID are of two accounts: the app joined its Open Platform account later. */
  async split() {
    const { stack } = this;
    const [app] = [APPS["chooses-pc"]];
    const person = await stack.person({ nickname: "小满" });
    const through = async (application, connection) => {
      const tab = await (await this.browser.newContext()).newPage();
      await tab.goto(this.login(application));
      await this.throughWechat(tab, connection, person);
      await tab.context().close();
    };
    await stack.wechat(`apps/${app.app_id}`, { open_platform: null }, "PATCH");
    await through(CHOOSES, "chooses-pc");
    await stack.wechat(`apps/${app.app_id}`, { open_platform: "shop" }, "PATCH");
    await through(CHOOSES, "pc");
    return person;
  }

  async choosing(tab) {
    const choose = async () => {
      const person = await this.split();
      await tab.goto(this.login(CHOOSES));
      await this.throughWechat(tab, "chooses-pc", person);
      await tab.locator("#merge").waitFor();
    };
    await (this.#split = this.#split.then(choose, choose));
  }

  /** Starts the login of a device, and gives what it shows. */
  async device() {
    const body = new URLSearchParams({ client_id: TV, scope: "openid profile phone" });
    const { body: answer } = await this.stack.call("/oidc/device/auth", { body });
    assert.ok(answer.user_code, JSON.stringify(answer));
    return answer.user_code;
  }
}

const tab = (query) => async (tab, kit) => tab.goto(kit.login(SITE, query));

/**
 * Name, and how the page is opened. `agent` is the browser's name, `script: "either"` that the page is looked at without
 * script as well, `status` an answer's status that is no fault here.
 */
export const SCENES = [
  { name: "login", script: "either", open: async (tab, kit) => tab.goto(kit.authorization(SITE)) },
  { name: "login-phone-code", script: "either", open: tab("&method=phone-code") },
  { name: "login-email-code", open: tab("&method=email-code") },
  {
    name: "login-code-sent",
    open: async (tab, kit) => {
      await tab.goto(kit.login(SITE, "&method=phone-code"));
      await tab.locator("#phone").fill("13912345678");
      await tab.locator("#send-code").click();
      await tab.locator(".banner").waitFor();
    },
  },
  {
    name: "login-wrong",
    status: [400],
    open: async (tab, kit) => {
      await tab.goto(kit.login(SITE));
      await kit.enter(tab, "nobody", "some other password");
      await tab.locator(".banner-bad, .error").first().waitFor();
    },
  },
  {
    name: "login-wechat-refused",
    status: [400, 403],
    open: async (tab, kit) => {
      await tab.goto(kit.login(SITE));
      await kit.throughWechat(tab, "pc", await kit.stack.person(), "cancel");
      await tab.getByRole("alert").waitFor();
    },
  },
  {
    name: "login-already",
    open: async (tab, kit) => {
      await kit.loggedIn(tab, "olivia", "peter");
      await tab.goto(kit.login(SITE));
      await tab.locator("#link-another").waitFor();
    },
  },
  { name: "login-merged", open: async (tab, kit) => tab.goto(kit.login(MERGED)) },
  { name: "login-closed", open: async (tab, kit) => tab.goto(kit.login(CLOSED)) },
  { name: "login-on-a-phone", agent: WECHAT.replace(/MicroMessenger.*/, "Safari/604.1"), open: tab("") },
  { name: "login-in-wechat", agent: WECHAT, script: "either", open: tab("&another=1") },
  { name: "qr-mini-program", script: "either", open: tab("&method=scan") },
  { name: "qr-official-account", open: tab("&method=official") },
  { name: "qr-subscription-code", script: "either", open: tab("&method=subscription") },
  {
    name: "qr-scanned",
    open: async (tab, kit) => {
      await tab.goto(kit.login(SITE, "&method=scan"));
      await kit.scanMiniProgram(tab, await kit.stack.person({ nickname: "小满" }));
      await kit.state(tab, "scanned");
    },
  },
  {
    name: "qr-failed",
    open: async (tab, kit) => {
      await tab.goto(kit.login(MERGED, "&method=only"));
      const person = await kit.stack.person();
      const scene = (await tab.locator("#qr img").getAttribute("src")).split("/").pop().replace(".png", "");
      // What the login mini program does: it tells who scanned, and that they confirm. Strangers may not log in here.
      const { code } = await kit.stack.wechat("codes", { app_id: APPS.mini.app_id, user: person.name });
      const granted = await kit.stack.call(`/oauth/wxapp/grant/?alias=wxapp&code=${code}&random=${scene}`, { method: "GET" });
      await kit.stack.call(`/oauth/wxapp/redirect?random=${scene}`, { json: { openid: granted.body.data.openid } });
      await kit.state(tab, "failed");
    },
  },
  {
    name: "qr-expired",
    open: async (tab, kit) => {
      await tab.goto(kit.authorization(SITE));
      await tab.locator('[data-connection="scan"]').click();
      await kit.state(tab, "created");
      const next = await tab.locator("#qr").getAttribute("data-next");
      const person = await kit.stack.person();
      const scene = await kit.scanMiniProgram(tab, person);
      await kit.stack.wechat("mini-login", { app_id: APPS.mini.app_id, user: person.name, scene, phone: "hide" });
      await tab.waitForURL(`${kit.site.origin}/done*`);
      // What was used once is over.
      await tab.goto(`${kit.stack.host}${next}`);
      await kit.state(tab, "expired");
    },
  },
  { name: "register", script: "either", open: async (tab, kit) => tab.goto(`${kit.stack.host}/register?app_id=${SITE}`) },
  { name: "register-email-password", open: async (tab, kit) => tab.goto(`${kit.stack.host}/register?app_id=${SITE}&method=email-password`) },
  {
    name: "register-wrong",
    status: [400],
    open: async (tab, kit) => {
      await tab.goto(`${kit.stack.host}/register?app_id=${SITE}&method=phone-code`);
      await tab.locator("#phone").fill("1391");
      await tab.locator("#code").fill("000000");
      await tab.locator("#submit").click();
      await tab.locator(".error").first().waitFor();
    },
  },
  { name: "register-closed", open: async (tab, kit) => tab.goto(`${kit.stack.host}/register?app_id=${CLOSED}`) },
  { name: "forgot", script: "either", open: async (tab, kit) => tab.goto(`${kit.stack.host}/forgot?app_id=${SITE}`) },
  {
    name: "forgot-code-sent",
    open: async (tab, kit) => {
      await tab.goto(`${kit.stack.host}/forgot?app_id=${SITE}`);
      await tab.locator("#phone").fill("13912345678");
      await tab.locator("#send-code").click();
      await tab.locator(".banner").waitFor();
    },
  },
  { name: "continue-bind", open: async (tab, kit) => (await kit.newcomer(tab, ASKS, "asks"), tab.locator("#create").waitFor()) },
  {
    name: "continue-bind-wrong",
    status: [400],
    open: async (tab, kit) => {
      await kit.newcomer(tab, ASKS, "asks");
      await tab.locator("#bind-username-password").click();
      await tab.locator("#account").fill("olivia");
      await tab.locator("#password").fill("some other password");
      await tab.locator("#submit").click();
      await tab.locator(".banner-bad, .error").first().waitFor();
    },
  },
  { name: "continue-choose", open: async (tab, kit) => kit.choosing(tab) },
  {
    name: "continue-merge",
    open: async (tab, kit) => {
      await kit.choosing(tab);
      await tab.locator("#merge").click();
      await tab.locator("#link-swap").waitFor();
    },
  },
  {
    name: "continue-complete",
    script: "either",
    open: async (tab, kit) => {
      await tab.goto(kit.login(FILLS));
      await kit.enter(tab, "olivia");
      await tab.locator("#nickname").waitFor();
    },
  },
  {
    name: "continue-complete-wrong",
    status: [400],
    open: async (tab, kit) => {
      await tab.goto(kit.login(FILLS));
      await kit.enter(tab, "olivia");
      await tab.locator("#step").evaluate((form) => {
        form.noValidate = true;
      });
      await tab.locator("#nickname").fill("Olivia");
      await tab.locator('[id="custom.size"]').fill("x");
      await tab.locator("#submit").click();
      await tab.locator(".error").first().waitFor();
    },
  },
  {
    name: "continue-agree",
    open: async (tab, kit) => {
      await tab.goto(kit.login(AGREES));
      await kit.enter(tab, "olivia");
      await tab.locator("#accept").waitFor();
    },
  },
  {
    name: "continue-new-password",
    open: async (tab, kit) => {
      await tab.goto(kit.login(SITE));
      await kit.enter(tab, kit.firstLogin.username, kit.firstLogin.password);
      await tab.locator("#new-password").waitFor();
    },
  },
  { name: "continue-ended", status: [400], open: async (tab, kit) => tab.goto(`${kit.stack.host}/login/continue?app_id=${SITE}`) },
  {
    name: "consent",
    script: "either",
    open: async (tab, kit) => {
      await kit.loggedIn(tab, "olivia");
      await tab.goto(kit.authorization(CONSENTS.id, { scope: "openid profile email phone address offline_access", prompt: "consent" }));
      await tab.locator("#allow").waitFor();
    },
  },
  {
    name: "accounts-to-choose",
    open: async (tab, kit) => {
      await kit.loggedIn(tab, "olivia", "peter");
      await tab.goto(kit.authorization(SITE, { prompt: "select_account" }));
      await tab.locator("#other").waitFor();
    },
  },
  {
    name: "accounts",
    open: async (tab, kit) => {
      await kit.loggedIn(tab, "olivia", "peter");
      await tab.goto(`${kit.stack.host}/accounts`);
    },
  },
  { name: "accounts-none", open: async (tab, kit) => tab.goto(`${kit.stack.host}/accounts`) },
  {
    name: "sign-out",
    script: "either",
    open: async (tab, kit) => {
      await kit.loggedIn(tab, "olivia", "peter");
      await tab.goto(`${kit.stack.host}/oidc/session/end`);
      await tab.locator("#confirm").waitFor();
    },
  },
  {
    name: "signed-out",
    open: async (tab, kit) => {
      await tab.goto(kit.login(SITE));
      await kit.enter(tab, "peter");
      await tab.waitForLoadState();
      await tab.goto(`${kit.stack.host}/oidc/session/end`);
      await tab.locator("#confirm").click();
      await tab.waitForURL("**/signed-out*");
    },
  },
  { name: "device", script: "either", open: async (tab, kit) => tab.goto(`${kit.stack.host}/device`) },
  {
    name: "device-wrong",
    status: [400, 404],
    open: async (tab, kit) => {
      await tab.goto(`${kit.stack.host}/device`);
      await tab.locator("#user_code").fill("BBBBBBBB");
      await tab.locator("#submit").click();
      await tab.locator(".error").waitFor();
    },
  },
  {
    name: "device-asks",
    open: async (tab, kit) => {
      await kit.loggedIn(tab, "olivia");
      await tab.goto(`${kit.stack.host}/device?user_code=${await kit.device()}`);
      await tab.locator("#submit").click();
      await tab.locator("#allow").waitFor();
    },
  },
  { name: "device-done", open: async (tab, kit) => tab.goto(`${kit.stack.host}/device/done`) },
  { name: "device-denied", open: async (tab, kit) => tab.goto(`${kit.stack.host}/device/done?denied=1`) },
  {
    name: "link-asks",
    open: async (tab, kit) => {
      const person = await kit.stack.person({ nickname: "小满" });
      await tab.goto(await kit.linkAddress(person));
      await tab.waitForURL(`${kit.stack.sandbox}/open/connect/qrconnect*`);
      const uuid = await tab.locator("#qr-connect").getAttribute("data-uuid");
      await kit.stack.wechat("scan", { uuid, user: person.name, action: "confirm" });
      await tab.locator("#bind").waitFor();
    },
  },
  {
    name: "link-done",
    open: async (tab, kit) => {
      await SCENES.find(({ name }) => name === "link-asks").open(tab, kit);
      await tab.locator("#bind").click();
      await tab.locator("#bind").waitFor({ state: "detached" });
    },
  },
  {
    name: "link-not",
    open: async (tab, kit) => {
      await SCENES.find(({ name }) => name === "link-asks").open(tab, kit);
      await tab.locator("#cancel").click();
      await tab.locator("#cancel").waitFor({ state: "detached" });
    },
  },
  {
    name: "web-view",
    agent: IN_WEB_VIEW,
    script: "either",
    open: async (tab, kit) => {
      await tab.goto(kit.authorization(SITE));
      await tab.locator('[data-connection="mini"]').click();
      await tab.locator("#to-mini-program").waitFor();
    },
  },
  { name: "administration-login", open: async (tab, kit) => tab.goto(`${kit.stack.host}/administration`) },
  {
    name: "administration",
    open: async (tab, kit) => {
      await tab.goto(await kit.entryLink("mei"));
      await tab.locator("#submit").click();
      await tab.locator("#log-out").waitFor();
    },
  },
  { name: "administration-enter", open: async (tab, kit) => tab.goto(await kit.entryLink("lin")) },
  { name: "administration-no-role", script: "either", open: async (tab, kit) => tab.goto(`${kit.stack.host}/administration/no-role`) },
  { name: "administration-expired", status: [400], open: async (tab, kit) => tab.goto(`${kit.stack.host}/administration/callback?code=x&state=y`) },
  { name: "administration-link-over", status: [404], open: async (tab, kit) => tab.goto(`${kit.stack.host}/administration/enter?token=x`) },
  { name: "administration-register", open: async (tab, kit) => tab.goto(`${kit.stack.host}/register?app_id=console`) },
  { name: "error", status: [400, 404], open: async (tab, kit) => tab.goto(kit.authorization("nobody-knows")) },
  { name: "error-redirect", status: [400], open: async (tab, kit) => tab.goto(kit.authorization(SITE, { redirect_uri: "https://elsewhere.example.com/" })) },
  { name: "error-link-over", status: [400], open: async (tab, kit) => tab.goto(`${kit.stack.host}/link?app_id=${SITE}&link=x`) },
  { name: "not-found", script: "either", status: [404], open: async (tab, kit) => tab.goto(`${kit.stack.host}/nothing/here`) },
];
