// `hufu dev` in a folder and on a database of its own, and the code that its start page shows.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase, dropDatabase, ended, HUFU } from "./harness.mjs";

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };

/** The page's text without its tags. */
const plain = (html) => html.replace(/<[^>]*>/g, "").replace(/&(lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity]);

export async function startDev() {
  const folder = mkdtempSync(join(tmpdir(), "hufu-start-"));
  const anywhere = ["--listen", "--sandbox-listen", "--metrics-listen"].flatMap((flag) => [flag, "127.0.0.1:0"]);
  const database = await createDatabase(folder);
  const dev = spawn(HUFU, ["dev", ...anywhere, "--database-url", database], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  dev.stdout.setEncoding("utf8");
  await new Promise((resolve, reject) => {
    dev.on("exit", (code) => reject(new Error(`hufu dev ended with ${code}:\n${printed}`)));
    dev.stdout.on("data", (chunk) => {
      printed += chunk;
      if (printed.includes(" try --")) resolve();
    });
  });
  const value = (label) => printed.match(new RegExp(`^ *${label} +(\\S+)`, "m"))?.[1];
  const [host, sandbox] = [value("Server"), value("Sandbox")];

  return {
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
      dev.kill("SIGTERM");
      await exit;
      await dropDatabase(database);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
