// The code of docs/openid.md is that of the programs here, to the letter but for the indentation. A line with `…` stands
// for what is left out.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

const programs = {
  js: ["node/app.mjs", "authjs/app.mjs", "api/app.mjs"],
  python: ["python/app.py"],
  go: ["go/main.go"],
  java: ["spring/src/main/java/site/Site.java", "spring/src/main/java/site/Pages.java"],
  yaml: ["spring/src/main/resources/application.yml"],
  rust: ["rust/src/main.rs"],
};

const indentation = (line) => line.match(/^\s*/)[0].length;

/** Lines without the indentation that they share. */
function outdented(lines) {
  const common = Math.min(...lines.filter((line) => line.trim()).map(indentation));
  return lines.map((line) => line.slice(common));
}

/** The pieces of a block between its lines with `…`. */
function pieces(block) {
  const found = [[]];
  for (const line of block.trimEnd().split("\n")) {
    if (/^\s*(\/\/|#) …$/.test(line)) found.push([]);
    else found.at(-1).push(line);
  }
  return found.filter((lines) => lines.some((line) => line.trim()));
}

/** Where the program goes on after these lines, looking from a line on; -1 if they are not there. */
function after(program, lines, from) {
  const wanted = outdented(lines).join("\n");
  for (let at = from; at + lines.length <= program.length; at++) {
    const here = program.slice(at, at + lines.length);
    if (here[0].trim() === lines[0].trim() && outdented(here).join("\n") === wanted) return at + lines.length;
  }
  return -1;
}

function isExcerpt(block, path) {
  const program = read(path).split("\n");
  let at = 0;
  return pieces(block).every((lines) => (at = after(program, lines, at)) >= 0);
}

describe("docs/openid.md", () => {
  const blocks = [...read("../../docs/openid.md").matchAll(/```(\w+)\n(.*?)```/gs)]
    .map(([, language, code]) => ({ language, code }))
    .filter(({ language }) => programs[language]);

  for (const [language, paths] of Object.entries(programs)) {
    for (const path of paths) {
      test(`quotes ${path}`, () => {
        const own = blocks.filter((block) => block.language === language);
        assert.ok(own.some(({ code }) => isExcerpt(code, path)), `no ${language} block is an excerpt of ${path}`);
      });
    }
  }

  test("has no code of these languages from elsewhere", () => {
    for (const { language, code } of blocks) {
      assert.ok(programs[language].some((path) => isExcerpt(code, path)), `not in ${programs[language]}:\n${code}`);
    }
  });
});
