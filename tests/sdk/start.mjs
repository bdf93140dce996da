// `hufu dev` in a folder and on a database of its own, and the code that its start page shows. At the end its log, which is as
// verbose as it gets, is searched for secrets.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase, dropDatabase, ended, HUFU } from "./harness.mjs";
import { HANDED_OUT, Secrets } from "./secrets.mjs";

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };

/** The page's text without its tags. */
const plain = (html) => html.replace(/<[^>]*>/g, "").replace(/&(lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity]);

export async function startDev() {
  const folder = mkdtempSync(join(tmpdir(), "hufu-start-"));
  const anywhere = ["--listen", "--sandbox-listen", "--metrics-listen"].flatMap((flag) => [flag, "127.0.0.1:0"]);
  const database = await createDatabase(folder);
  const dev = spawn(HUFU, ["dev", ...anywhere, "--database-url", database, "--log", "debug"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let [printed, log] = ["", ""];
  dev.stdout.setEncoding("utf8");
  dev.stderr.setEncoding("utf8").on("data", (chunk) => (log += chunk));
  await new Promise((resolve, reject) => {
    dev.on("exit", (code) => reject(new Error(`hufu dev ended with ${code}:\n${printed}${log}`)));
    dev.stdout.on("data", (chunk) => {
      printed += chunk;
      if (printed.includes(" try --")) resolve();
    });
  });
  const value = (label) => printed.match(new RegExp(`^ *${label} +(\\S+)`, "m"))?.[1];
  const [host, sandbox] = [value("Server"), value("Sandbox")];

  /** What its WeChat has handed out, as far as it can be asked for. The rest is known by its shape. */
  async function secrets() {
    const found = new Secrets(HANDED_OUT);
    const ask = async (path, body) => (await fetch(`${sandbox}${path}`, body && { method: "POST", body: JSON.stringify(body) })).json();
    const [users, apps] = [await ask("/__sandbox/users"), await ask("/__sandbox/apps")];
    found.harvest([users, apps]);
    const all = Object.values(apps).flat();
    assert.ok(all.length >= 5 && all.every((app) => app.secret), JSON.stringify(Object.keys(all[0] ?? {})));
    for (const { app_id: appid, secret } of all) {
      // A stable token is the same for whoever asks: it is the one that the server was given.
      found.harvest(await ask("/api/cgi-bin/stable_token", { grant_type: "client_credential", appid, secret }));
    }
    for (const said of ["demonstration-secret-of-the-website-01", "demonstrationToken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE"]) found.add("secret", said);
    return found;
  }

  return {
    /** Its log, and what it shows on the terminal but for the link that logs its administrator in. */
    get written() {
      return [log, printed.replace(/^ *Enter .*$/m, "")];
    },
    secrets,
    folder,
    host,
    sandbox,
    value,
    /** The code of a tab of the start page, as a reader copies it. */
    async sample(mode, id) {
      const page = await (await fetch(`${host}/?mode=${mode}`, { headers: { accept: "text/html", "accept-language": "en" } })).text();
      const [, html] = page.match(new RegExp(`<code id="sample-${id}">(.*?)</code>`, "s")) ?? [];
      if (!html) throw new Error(`${mode} has no sample ${id}`);
      return plain(html);
    },
    /** A call of the sandbox's control API. */
    async control(path, body) {
      const answer = await fetch(`${sandbox}/__sandbox/${path}`, { method: "POST", body: JSON.stringify(body) });
      return answer.json();
    },
    async close() {
      const exit = ended(dev);
      try {
        const found = await secrets();
        dev.kill("SIGTERM");
        await exit;
        assert.ok(log.length > 0, "hufu dev logged nothing at all");
        found.assertAbsentFrom(log);
      } finally {
        dev.kill("SIGKILL");
        // Whoever is connected to the database keeps it from being dropped.
        await exit;
        await dropDatabase(database);
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}
