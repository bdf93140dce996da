// The pages of `hufu dev`, each as somebody meets it: the start page, the outbox, the sandbox's page, the pages of WeChat's
// that the sandbox plays, and its phone. `kit` is `hufu dev`; scenes that say `fresh` are seen before any login.

const APPS = { mini: "wx0de30de30de30001", mobile: "wx0de30de30de30003", account: "wx0de30de30de30005" };
const MODES = ["mini-program", "official-account", "pc-scan", "mini-program-scan", "web-page", "native-app", "app-launch"];

/** Opens a mode of the start page, and waits for its frames. */
const start = (mode) => async (tab, { host }) => {
  await tab.goto(`${host}/?mode=${mode}`);
  await tab.frameLocator("iframe.phone-frame").locator("#screen").waitFor();
  if (await tab.locator("iframe.win-frame").count()) await tab.frameLocator("iframe.win-frame").locator("body").waitFor();
};

const phone = (path, after) => async (tab, { sandbox }) => {
  await tab.goto(`${sandbox}${path}`);
  await tab.locator("#screen").waitFor();
  await after?.(tab);
};

const ringed = async (tab) => {
  await tab.locator("#screen .tap").first().click();
  await tab.locator("#screen").waitFor();
};

/** The address of a page of WeChat's to which a login leads. */
const leads = async ({ host }, mode) => (await fetch(`${host}/dev/try/${mode}`, { redirect: "manual" })).headers.get("location");

export const DEV_SCENES = [
  ...[...MODES, "web-view"].map((mode) => ({ name: `start-${mode}`, fresh: true, script: mode === "mini-program" ? "either" : undefined, open: start(mode) })),
  {
    name: "start-done",
    open: async (tab, kit) => {
      await start("mini-program")(tab, kit);
      const screen = tab.frameLocator("iframe.phone-frame");
      await screen.locator(".tap").click();
      await screen.getByRole("button", { name: /^(Allow|允许)$/ }).click();
      await tab.locator("#got .facts").waitFor();
      await tab.locator("#steps .two li.done:nth-child(2)").waitFor();
    },
  },
  {
    name: "start-refused",
    open: async (tab, kit) => {
      await start("native-app")(tab, kit);
      const screen = tab.frameLocator("iframe.phone-frame");
      await screen.locator(".tap").click();
      await screen.getByRole("button", { name: /^(Refuse|拒绝)$/ }).click();
      await tab.locator(".got-denied").waitFor();
    },
  },
  { name: "outbox-empty", fresh: true, script: "either", open: async (tab, { host }) => tab.goto(`${host}/dev/outbox`) },
  {
    name: "outbox",
    open: async (tab, kit) => {
      for (const body of [{ phoneNumber: "13800000001", channel: "CHANNEL_LOGIN" }]) {
        await fetch(`${kit.host}/api/v3/send-sms`, { method: "POST", headers: { "content-type": "application/json", "x-authing-app-id": "6560c0ffee00000000000002", "accept-language": kit.language }, body: JSON.stringify(body) });
      }
      await tab.goto(`${kit.host}/dev/outbox`);
      await tab.locator(".messages li").first().waitFor();
    },
  },
  { name: "sandbox", fresh: true, open: async (tab, { sandbox }) => tab.goto(sandbox) },
  { name: "phone", script: "either", open: phone("/phone") },
  { name: "phone-scan", script: "either", open: phone("/phone/scan") },
  { name: "phone-minis", open: phone("/phone/minis") },
  { name: "phone-me", open: phone("/phone/me") },
  { name: "phone-people", open: phone("/phone/people") },
  { name: "phone-browser", open: phone("/phone/browser") },
  { name: "phone-browser-wrong", open: phone("/phone/browser?fault=link") },
  { name: "phone-browser-ended", open: phone("/phone/browser?ended=ok") },
  { name: "phone-chat", open: phone(`/phone/chat/${APPS.account}`) },
  { name: "phone-app", open: phone(`/phone/app/${APPS.mobile}`) },
  { name: "phone-app-asks", open: phone(`/phone/app/${APPS.mobile}`, ringed) },
  { name: "phone-mini-asks", script: "either", open: phone("/phone/minis", ringed) },
  {
    name: "phone-mini-done",
    open: phone("/phone/minis", async (tab) => {
      await ringed(tab);
      await tab.getByRole("button", { name: /^(Allow|允许)$/ }).click();
      await tab.locator(".ph-mark").waitFor();
    }),
  },
  {
    name: "phone-scan-asks",
    open: async (tab, kit) => {
      await fetch(await leads(kit, "pc-scan"), { redirect: "follow" });
      await phone("/phone/scan", ringed)(tab, kit);
    },
  },
  {
    name: "phone-consent",
    open: async (tab, kit) => {
      await tab.goto(`${kit.sandbox}/phone/browser?url=${encodeURIComponent(`${kit.host}/dev/try/web-page`)}`);
      await tab.locator(".tap").click();
      await tab.getByRole("button", { name: /^(Allow|允许)$/ }).waitFor();
    },
  },
  {
    name: "phone-web-view",
    open: async (tab, kit) => {
      await phone("/phone/minis?web-view", (tab) => tab.locator("#screen .tap").click())(tab, kit);
      await tab.locator('[data-connection="demo-mini"]').waitFor();
    },
  },
  {
    name: "phone-web-view-done",
    open: async (tab, kit) => {
      await tab.goto(`${kit.sandbox}/phone/minis?web-view`);
      await tab.locator("#screen .tap").click();
      await tab.locator('[data-connection="demo-mini"]').click();
      await tab.locator('a[href*="/phone/minis"]').waitFor();
    },
  },
  {
    name: "wechat-qr-page",
    open: async (tab, kit) => {
      await tab.goto(`${kit.host}/dev/try/pc-scan`);
      await tab.locator("#qr-connect").waitFor();
    },
  },
  // WeChat's page is in Chinese for everybody; the sandbox adds what it means.
  { name: "wechat-error", status: [400], language: "zh-CN", open: async (tab, { sandbox }) => tab.goto(`${sandbox}/open/connect/qrconnect?appid=wx0000000000000000`) },
];

/** Names of the demonstration that are data. */
export const DEV_NAMES = [
  "开发管理 › 开发设置", "青禾生活 Qinghe", "青禾商城 Qinghe", "青禾会员 Asks first", "青禾 Qinghe App", "青禾商城", "青禾生活", "青禾会员", "青禾 App", "青禾", "公众号", "微信登录", "小程序",
  "林晓", "小明", "微信用户", "林", "小", "微", "青", "公", "Qinghe", "Alice", "alice", "carol", "lin", "bob",
];
