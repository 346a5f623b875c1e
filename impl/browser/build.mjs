// Builds dist/, which is checked in: the edge embeds it and needs no node.
//   node build.mjs           writes dist/
//   node build.mjs --check   builds to a temporary directory and compares with dist/
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
/** Where the edge serves the files; the path itself is written once, in the sources. */
const BASE = `${/"(\/[^"]+)"/.exec(readFileSync(join(root, "src/port/paths.ts"), "utf8"))[1]}v1/`;
/** Compressed bytes a first visit may cost in all. */
const BUDGET = 50 * 1024;

const digest = (text, encoding) => createHash("sha256").update(text).digest(encoding);

/** Bundles one entry point and returns its text. */
async function bundle(entry, format, define = {}) {
  const result = await build({
    entryPoints: [join(root, entry)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    minify: true,
    format,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    define: Object.fromEntries(Object.entries(define).map(([name, value]) => [name, JSON.stringify(value)])),
  });
  return result.outputFiles[0].text;
}

const hashed = (name, extension, text) => `assets/${name}-${digest(text, "hex").slice(0, 12)}.${extension}`;

/** Builds everything; the result maps paths below dist/ to their text. */
async function buildAll() {
  const files = new Map();
  const source = (name) => readFileSync(join(root, "static", name), "utf8");

  const css = source("shell.css").replace(/\/\*.*?\*\//gs, "").replace(/\s+/g, " ").replace(/ ?([{};:,]) ?/g, "$1").trim() + "\n";
  const cssPath = hashed("shell", "css", css);
  files.set(cssPath, css);

  const tunnel = await bundle("src/worker/main.ts", "iife");
  const tunnelPath = hashed("tunnel", "js", tunnel);
  files.set(tunnelPath, tunnel);

  const shell = await bundle("src/shell/main.ts", "esm", { TUNNEL_URL: BASE + tunnelPath });
  const shellPath = hashed("shell", "js", shell);
  files.set(shellPath, shell);

  const html = source("shell.html")
    .replace(/<!--.*?-->\s*/gs, "")
    .replaceAll("{{base}}", BASE)
    .replaceAll("{{css}}", BASE + cssPath)
    .replaceAll("{{shell}}", BASE + shellPath)
    .replaceAll("{{tunnel}}", BASE + tunnelPath);
  files.set("shell.html", html);
  const blank = source("blank.html");
  files.set("blank.html", blank);

  // The shim stands inline in the app's HTML: a "</script" inside would end it early.
  const shim = (await bundle("src/shim/main.ts", "iife")).trim();
  if (/<\/script/i.test(shim)) throw new Error("the shim contains </script");
  const version = digest([html, shell, tunnel, css, shim].join("\0"), "hex").slice(0, 12);
  const sw = await bundle("src/sw/main.ts", "iife", {
    SHELL_HTML: html,
    BLANK_HTML: blank,
    SHIM_SOURCE: shim,
    SHIM_HASH: digest(shim, "base64"),
    ASSETS: [cssPath, shellPath, tunnelPath].map((path) => BASE + path),
    BUILD: version,
  });
  files.set("sw.js", sw);

  const types = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8" };
  const manifest = {
    files: [...files.keys()].sort().map((path) => ({
      path,
      content_type: types[path.split(".").pop()],
      immutable: path.startsWith("assets/"),
    })),
  };
  files.set("manifest.json", JSON.stringify(manifest, null, 2) + "\n");
  return { files, shim };
}

function report({ files, shim }) {
  let total = 0;
  const row = (name, text) => {
    const gzip = gzipSync(text, { level: 9 }).length;
    const brotli = brotliCompressSync(text).length;
    console.log(`${name.padEnd(34)} ${String(Buffer.byteLength(text)).padStart(7)} ${String(gzip).padStart(7)} ${String(brotli).padStart(7)}`);
    return gzip;
  };
  console.log(`${"file".padEnd(34)} ${"bytes".padStart(7)} ${"gzip".padStart(7)} ${"brotli".padStart(7)}`);
  for (const [path, text] of files) if (path !== "manifest.json") total += row(path, text);
  row("(shim, inside sw.js)", shim);
  console.log(`a first visit costs ${total} bytes of gzip in all; at most ${BUDGET}`);
  if (total > BUDGET) throw new Error("the client has outgrown its budget");
}

function listFiles(dir) {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

function writeAll(files, dir) {
  for (const [path, text] of files) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
}

const dist = join(root, "dist");
const result = await buildAll();
if (process.argv.includes("--check")) {
  const dir = mkdtempSync(join(tmpdir(), "p2claw-dist-"));
  try {
    writeAll(result.files, dir);
    const [built, checkedIn] = [listFiles(dir), listFiles(dist)];
    const wrong = [...new Set([...built, ...checkedIn])].filter(
      (path) => !built.includes(path) || !checkedIn.includes(path) || !readFileSync(join(dir, path)).equals(readFileSync(join(dist, path))),
    );
    if (wrong.length > 0) {
      console.error(`dist/ is not what the sources build; run \`npm run build\`. Different: ${wrong.join(", ")}`);
      process.exitCode = 1;
    } else {
      console.log(`dist/ is what the sources build (${built.length} files)`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
} else {
  // Written first and pruned then: whoever embeds dist/ never finds it empty.
  writeAll(result.files, dist);
  for (const path of listFiles(dist)) if (!result.files.has(path)) rmSync(join(dist, path));
  report(result);
}
