// Builds the page: `npm ci --ignore-scripts && npm run build`. Another folder than the package's may be named.
// The bundle is kept in git, so the lines are kept short for its differences, and the names are fixed: a browser
// learns of a change from ?v=, which is the first part of the file's SHA-256.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const web = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(web, "../src/glmkit/serve/static");

/** SHA-256 of a file's bytes, in hex. @param {string | Buffer} content */
const sha256 = (content) => createHash("sha256").update(content).digest("hex");

/** Every file below a folder, sorted by its path. @param {string} folder @returns {string[]} */
const files = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/** One bundle as text, and the packages that are in it. @param {import("esbuild").BuildOptions} options */
async function bundle(options) {
  const result = await build({
    absWorkingDir: web,
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    legalComments: "none", // LICENSES.txt holds them whole
    lineLimit: 160,
    logLevel: "warning",
    ...options,
  });
  const inputs = Object.keys(result.metafile.inputs);
  return { text: result.outputFiles[0].text, inputs };
}

/** The licenses of the packages whose code is in the bundles, each with its name and version. @param {string[]} inputs */
function licenses(inputs) {
  const names = new Set(
    inputs.map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter((name) => name !== undefined),
  );
  const parts = [...names].sort().map((name) => {
    const folder = join(web, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file
      ? readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim()
      : `License: ${license}`;
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return `The page's files hold code of these packages.\n\n${parts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

const math = await bundle({ entryPoints: ["src/math.js"] });
const app = await bundle({
  entryPoints: ["src/main.js"],
  external: ["./math.js?v=*"],
  alias: { "linkify-it": "./src/markdown/links.js" },
  define: { MATH_URL: JSON.stringify(`./math.js?v=${sha256(math.text).slice(0, 12)}`) },
});
const theme = await bundle({ entryPoints: ["src/theme.js"], format: "iife" });
const css = await bundle({ entryPoints: ["src/css/app.css"] });
const icon = readFileSync(join(web, "src/icon.svg"), "utf8");

/** @type {Record<string, string>} */
const outputs = {
  "app.js": app.text,
  "math.js": math.text,
  "theme.js": theme.text,
  "app.css": css.text,
  "icon.svg": icon,
  "LICENSES.txt": licenses([...app.inputs, ...math.inputs]),
};
outputs["index.html"] = readFileSync(join(web, "src/index.html"), "utf8").replaceAll(
  /static\/([\w.]+)/g,
  (path, name) => `${path}?v=${sha256(outputs[name]).slice(0, 12)}`,
);
const sources = [
  ...files(join(web, "src")),
  ...["build.mjs", "package.json", "package-lock.json"].map((name) => join(web, name)),
];
const record = {
  sources: Object.fromEntries(sources.map((path) => [relative(web, path), sha256(readFileSync(path))])),
  outputs: Object.fromEntries(
    Object.keys(outputs)
      .sort()
      .map((name) => [name, sha256(outputs[name])]),
  ),
};
outputs["BUILD.json"] = `${JSON.stringify(record, null, 1)}\n`;

if (existsSync(out)) for (const path of readdirSync(out)) rmSync(join(out, path));
mkdirSync(out, { recursive: true });
for (const [name, text] of Object.entries(outputs)) writeFileSync(join(out, name), text);
