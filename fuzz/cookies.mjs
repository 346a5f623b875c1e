// A fuzzer for the browser's cookie jar: random lines, and mutations of those in fuzz/corpus/jar,
// against properties that hold for every line. It stops at the first that does not, and writes the
// input to fuzz/target/findings/jar.
//
//   node fuzz/cookies.mjs [--seconds N] [--seed N]     (60 s, a seed from the clock)
//   node fuzz/cookies.mjs --replay                     every file of the corpus once
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const browser = join(here, "../impl/browser");
const HOST = "recipes-quiet-otter-0417.p2claw.example";
const NOW = Date.UTC(2026, 0, 1);
const YEAR = 366 * 24 * 3_600_000;
/** Cookies that a jar keeps (src/cookie/jar.ts). */
const MAX_COOKIES = 180;
/** Longest attribute that is heeded (src/cookie/parse.ts). */
const MAX_ATTRIBUTE = 1_024;
/** Longest time of the processor for one input, in ms: a line that takes longer could stop a page. */
const SLOW_MS = 1_000;
const OPERATIONS = 24;

/** The jar, as the browser gets it. */
async function load() {
  const { build } = createRequire(join(browser, "package.json"))("esbuild");
  const folder = mkdtempSync(join(tmpdir(), "p2claw-fuzz-"));
  try {
    const stdin = { contents: 'export * from "./jar.ts"; export * from "./parse.ts";', resolveDir: join(browser, "src/cookie"), loader: "ts" };
    const outfile = join(folder, "cookie.mjs");
    await build({ stdin, outfile, bundle: true, format: "esm", platform: "node", target: "node20" });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// --- Input -------------------------------------------------------------------------------------

/** mulberry32: the same seed gives the same run. */
function randomFrom(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const PIECES = [
  "a", "b", "=", ";", "; ", " ", "\t", ",", "\"", "/", "//", ".", "..", "%2f", "é", "\u{1f980}", "\u0000", "\u007f", "\r\n", "\ud800", "__Host-", "__Secure-", "__host-", "__SECURE-",
  "Path=", "path=/", "path=/a", "path=/a/b", "path=a", "Domain=", `domain=${HOST}`, `domain=.${HOST.toUpperCase()}`, "domain=p2claw.example", "domain=example", "domain=evil.example",
  "Secure", "HttpOnly", "SameSite=", "samesite=none", "samesite=strict", "samesite=lax", "Max-Age=", "max-age=0", "max-age=-1", "max-age=60", "max-age=99999999999999999999", "Expires=",
  "expires=Wed, 09 Jun 2027 10:18:14 GMT", "expires=Thu, 01 Jan 1970 00:00:00 GMT", "Wed, 31 Feb 2027 10:18:14", "0", "9", "99", "1601", "10:18:14", "jun", "Dec", "x".repeat(1_024), "y".repeat(4_090),
];
const PATHS = ["/", "/a", "/a/", "/a/b", "/a/b?q=/c#d", "/ab", "//", "", "/é", "?x", "/a;b"];
const SCOPES = ["all", "cross-site-safe", "cross-site-unsafe", "none"];

function mutate(line, random, corpus) {
  for (let count = 1 + random(4); count > 0; count--) {
    const at = random(line.length + 1);
    const to = Math.min(line.length, at + random(8));
    const other = corpus[random(corpus.length)];
    const from = random(other.length + 1);
    switch (random(6)) {
      case 0: line = line.slice(0, at) + line.slice(to); break;
      case 1: line = line.slice(0, at) + line.slice(at, to) + line.slice(at); break;
      case 2: line = line.slice(0, at) + String.fromCharCode(random(random(4) === 0 ? 0x10000 : 0x80)) + line.slice(at); break;
      case 3: line = line.slice(0, at) + other.slice(from, from + random(64)) + line.slice(to); break;
      default: line = line.slice(0, at) + PIECES[random(PIECES.length)] + line.slice(at);
    }
  }
  return line.slice(0, 9_000);
}

function fresh(random) {
  let line = "";
  for (let count = random(14); count > 0; count--) line += PIECES[random(PIECES.length)] + (random(3) === 0 ? "; " : "");
  return line;
}

// --- Properties --------------------------------------------------------------------------------

// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
/** Without spaces and tabs at the ends; other blanks are part of a text. */
const trimmed = (text) => text.replace(/^[ \t]+|[ \t]+$/g, "");
const pathOf = (target) => target.split(/[?#]/, 1)[0] || "/";
const isUnder = (path, parent) => path === parent || (path.startsWith(parent) && (parent.endsWith("/") || path[parent.length] === "/"));

/** What parsing promises of any line; its result. */
function checkLine({ parseSetCookie, parseCookieDate }, line) {
  const date = parseCookieDate(line);
  assert.ok(date === undefined || (Number.isSafeInteger(date) && date % 1_000 === 0), "a date is a whole second");
  const cookie = parseSetCookie(line, NOW);
  if (!cookie) return undefined;
  const { name, value, expires, path, domain } = cookie;
  for (const text of [name, value, path ?? "", domain ?? ""]) {
    assert.ok(!CONTROL.test(text) && !text.includes(";"), "no control character, no semicolon");
  }
  for (const text of [name, value, path ?? ""]) assert.equal(text, trimmed(text));
  assert.ok(!name.includes("=") && name + value !== "" && name.length + value.length <= 4_096);
  assert.ok(name !== "" || !/^__(host|secure)-/i.test(value), "a nameless cookie does not look like one with a prefix");
  assert.ok(path === undefined || path.startsWith("/"));
  assert.ok(domain === undefined || domain === domain.toLowerCase());
  assert.ok(expires === null || (Number.isFinite(expires) && expires <= NOW + 400 * 24 * 3_600_000));
  // Written again, it is the same; one dot before a domain counts for nothing. Lower case may be
  // longer than what was read, and then it is not taken again.
  const dotted = domain?.startsWith(".") ? `.${domain}` : domain;
  if ((dotted?.length ?? 0) > MAX_ATTRIBUTE) return cookie;
  // Blanks behind the dot are part of a domain that matches no host (RFC 6265 section 5.2.3).
  if (domain !== undefined && domain !== trimmed(domain)) return cookie;
  const attributes = [path && `path=${path}`, domain && `domain=${dotted}`, cookie.secure && "secure", cookie.httpOnly && "httponly", cookie.sameSite && `samesite=${cookie.sameSite}`];
  const again = parseSetCookie([`${name}=${value}`, ...attributes.filter(Boolean)].join("; "), NOW);
  assert.deepEqual(again, { ...cookie, expires: null });
  return cookie;
}

/** A sequence of writes by servers and scripts, in two copies of the jar. */
function checkJar(module, lines, random) {
  const [jar, copy] = [new module.Jar(HOST), new module.Jar(HOST)];
  const changes = [];
  let now = NOW;
  for (const line of lines) {
    now += random(1_000);
    const [target, fromScript] = [PATHS[random(PATHS.length)], random(3) === 0];
    const cookie = checkLine(module, line);
    const records = jar.set(line, target, now, fromScript);
    if (!cookie) assert.equal(records.length, 0, "an unreadable line changes something");
    for (const record of records) {
      assert.ok(record.path.startsWith("/") && record.stamp >= NOW && record.created <= now);
      changes.push(record);
    }
    const [record] = records;
    if (record) {
      assert.ok(cookie.domain === undefined || cookie.domain === HOST, "a cookie for another domain was taken");
      assert.ok(!(fromScript && cookie.httpOnly), "a script made an HttpOnly cookie");
      assert.ok(!/^__secure-/i.test(cookie.name) || cookie.secure);
      assert.ok(!/^__host-/i.test(cookie.name) || (cookie.secure && cookie.path === "/" && cookie.domain === undefined));
      assert.ok(cookie.sameSite !== "none" || cookie.secure);
      assert.equal(record.path, cookie.path ?? record.path);
    }
    checkReads(jar, changes, now, PATHS[random(PATHS.length)]);
  }
  // In whatever order changes reach another copy, it ends up the same.
  const shuffled = [...changes];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  copy.merge(shuffled, now);
  for (const target of PATHS) {
    const pairs = (one) => one.get(target, now, "all", false).split("; ").sort();
    assert.deepEqual(pairs(copy), pairs(jar), "the copies differ");
  }
  for (const target of PATHS) assert.equal(jar.get(target, now + 2 * YEAR, "all", false), "", "a cookie outlives its time");
}

/** Only what was set for this path is read, and less with less right. */
function checkReads(jar, changes, now, target) {
  const all = jar.get(target, now, "all", false);
  assert.ok(!CONTROL.test(all), "a control character is sent");
  const allowed = changes.filter((record) => isUnder(pathOf(target), record.path));
  const known = new Set(allowed.map(({ name, value }) => (name === "" ? value : `${name}=${value}`)));
  // A value may hold "; " only if it came so, and none does: checkLine has looked.
  const pairs = all === "" ? [] : all.split("; ");
  assert.ok(pairs.length <= MAX_COOKIES);
  for (const pair of pairs) assert.ok(known.has(pair), `${JSON.stringify(pair)} does not belong to ${target}`);
  const seen = new Set(pairs);
  for (const scope of SCOPES) {
    for (const forScript of [false, true]) {
      const some = jar.get(target, now, scope, forScript);
      const hidden = some === "" ? [] : some.split("; ").filter((pair) => !seen.has(pair));
      assert.deepEqual(hidden, [], "less right shows more");
      assert.ok(scope !== "none" || some === "");
    }
  }
}

// --- The run -----------------------------------------------------------------------------------

const options = { seconds: 60, seed: Date.now() % 2 ** 31, replay: false };
for (let i = 2; i < process.argv.length; i++) {
  const name = process.argv[i].replace(/^--/, "");
  if (name === "replay") options.replay = true;
  else if (name in options && /^\d+$/.test(process.argv[i + 1] ?? "")) options[name] = Number(process.argv[++i]);
  else {
    console.error("usage: node fuzz/cookies.mjs [--seconds N] [--seed N] [--replay]");
    process.exit(2);
  }
}

const module = await load();
const folder = join(here, "corpus/jar");
const files = readdirSync(folder).sort();
const inputs = files.map((file) => readFileSync(join(folder, file), "utf8").split("\n"));
let executions = 0;

function execute(lines, seed) {
  executions++;
  const began = process.cpuUsage();
  try {
    checkJar(module, lines, randomFrom(seed));
    const { user, system } = process.cpuUsage(began);
    const took = (user + system) / 1_000;
    assert.ok(took < SLOW_MS, `one input took ${took.toFixed(0)} ms`);
  } catch (error) {
    const found = join(here, "target/findings/jar");
    mkdirSync(found, { recursive: true });
    const file = join(found, `${seed}.json`);
    writeFileSync(file, JSON.stringify({ seed, lines }));
    console.error(error instanceof assert.AssertionError ? error.stack : error);
    console.error(`jar: found after ${executions} executions; the input is in ${file}`);
    process.exit(1);
  }
}

for (const lines of inputs) for (let seed = 0; seed < 8; seed++) execute(lines, seed);
if (!options.replay) {
  const corpus = inputs.flat();
  const random = randomFrom(options.seed);
  const end = Date.now() + options.seconds * 1_000;
  while (Date.now() < end) {
    const lines = Array.from({ length: 1 + random(OPERATIONS) }, () => (random(4) === 0 ? fresh(random) : mutate(corpus[random(corpus.length)], random, corpus)));
    execute(lines, random(2 ** 31));
  }
}
console.log(`jar: ${executions} executions, seed ${options.seed}, nothing found`);
