import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { Jar } from "../src/cookie/jar.ts";
import { parseCookieDate, parseSetCookie } from "../src/cookie/parse.ts";
import { SharedJar } from "../src/cookie/shared-jar.ts";
import type { CookieScope } from "../src/port/messages.ts";
import { type Case, testVectors } from "./vector-file.ts";

const now = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

// BRO-042, BRO-043, BRO-047
test("attributes", () => {
  assert.deepEqual(parseSetCookie("a = b=c ; Path=/x; HttpOnly; Secure; Max-Age=60; SameSite=Lax", now), {
    name: "a", value: "b=c", expires: now + 60_000, path: "/x", domain: undefined, secure: true, httpOnly: true, sameSite: "lax",
  });
  assert.equal(parseSetCookie("a=b; max-age=0", now)?.expires, 0);
  assert.equal(parseSetCookie("a=b; expires=Thu, 01 Jan 1970 00:00:00 GMT", now)?.expires, 0);
  assert.equal(parseSetCookie("a=b; expires=Thu, 01 Jan 1970 00:00:00 GMT; max-age=5", now)?.expires, now + 5_000);
  assert.equal(parseSetCookie("a=b; max-age=999999999", now)?.expires, now + 400 * 24 * HOUR);
  assert.equal(parseSetCookie("a=b; path=x", now)?.path, undefined);
  assert.equal(parseSetCookie("lonely", now)?.value, "lonely");
  for (const bad of ["", "=", "a=b\x01", `a=${"x".repeat(4_096)}`]) assert.equal(parseSetCookie(bad, now), undefined, bad.slice(0, 10));
});

test("dates in the forms that servers write", () => {
  const expected = Date.UTC(2021, 5, 9, 10, 18, 14);
  for (const text of ["Wed, 09 Jun 2021 10:18:14 GMT", "Wednesday, 09-Jun-21 10:18:14 GMT", "Wed Jun  9 10:18:14 2021", "9 jun 2021 10:18:14"]) {
    assert.equal(parseCookieDate(text), expected, text);
  }
  for (const text of ["", "nonsense", "Wed, 31 Feb 2021 10:18:14 GMT", "Wed, 09 Jun 2021", "Wed, 09 Jun 1600 10:18:14 GMT", "Wed, 09 Jun 2021 25:18:14 GMT"]) {
    assert.equal(parseCookieDate(text), undefined, text);
  }
});

// BRO-044, BRO-045
test("a jar keeps, orders, hides and forgets", () => {
  const jar = new Jar("app-acme.example");
  jar.set("a=1", "/x/y", now, false);
  jar.set("b=2; path=/", "/x/y", now + 1, false);
  jar.set("c=3; path=/x; httponly", "/", now + 2, false);
  jar.set("d=4; path=/; max-age=60", "/", now + 3, true);
  assert.equal(jar.get("/x/z?q", now + 4, "all", false), "a=1; c=3; b=2; d=4");
  assert.equal(jar.get("/xy", now + 4, "all", false), "b=2; d=4", "/x does not match /xy");
  assert.equal(jar.get("/x/z", now + 4, "all", true), "a=1; b=2; d=4");
  assert.deepEqual(jar.set("c=9; path=/x", "/", now + 5, true), [], "scripts cannot replace what they cannot see");
  assert.deepEqual(jar.set("e=9; httponly", "/", now + 5, true), []);
  jar.set("b=5; path=/", "/", now + 6, true);
  assert.equal(jar.get("/", now + 7, "all", false), "b=5; d=4", "a change keeps its place");
  jar.set("b=; path=/; max-age=0", "/", now + 8, true);
  assert.equal(jar.get("/", now + 61_000, "all", false), "");
});

// BRO-042, BRO-043
test("domains and prefixes", () => {
  const jar = new Jar("app-acme.example");
  const accepted = (line: string): boolean => jar.set(line, "/", now, false).length > 0;
  assert.ok(accepted("a=1; domain=app-acme.example"));
  assert.ok(accepted("a=1; domain=.APP-acme.example"));
  assert.ok(!accepted("a=1; domain=example"), "the parent is a public suffix");
  assert.ok(!accepted("a=1; domain=other.example"));
  assert.ok(!accepted("__Secure-a=1"));
  assert.ok(accepted("__Secure-a=1; secure"));
  assert.ok(accepted("__Host-a=1; secure; path=/"));
  assert.ok(!accepted("__Host-a=1; secure"));
  assert.ok(!accepted("__Host-a=1; secure; path=/; domain=app-acme.example"));
});

test("two copies agree in the end, in whatever order changes come", () => {
  const [one, two] = [new Jar("h"), new Jar("h")];
  const first = one.set("a=1; path=/", "/", now, false);
  const second = one.set("a=2; path=/", "/", now, false);
  const gone = one.set("b=1; path=/; max-age=0", "/", now, false);
  two.merge(second, now);
  two.merge(first, now);
  two.merge(gone, now);
  assert.equal(two.get("/", now + 1, "all", false), "a=2");
  assert.equal(one.get("/", now + 1, "all", false), "a=2");
});

// BRO-047
test("a jar is bounded; session cookies end", () => {
  const jar = new Jar("h");
  for (let i = 0; i < 200; i++) jar.set(`c${i}=1; path=/`, "/", now + i, false);
  const names = jar.get("/", now + 300, "all", false).split("; ");
  assert.equal(names.length, 180);
  assert.ok(!names.includes("c0=1") && names.includes("c199=1"));
  assert.equal(jar.get("/", now + 25 * HOUR, "all", false), "");
});

// BRO-043, BRO-046
test("SameSite holds a cookie back where another site sends a frame here", () => {
  const jar = new Jar("h");
  for (const line of ["s=1; SameSite=Strict", "l=1; SameSite=lax", "d=1", "u=1; SameSite=whatever", "n=1; SameSite=None; Secure"]) jar.set(line, "/", now, false);
  assert.deepEqual(jar.set("x=1; SameSite=None", "/", now, false), [], "None needs Secure");
  assert.equal(jar.get("/", now, "all", false), "s=1; l=1; d=1; u=1; n=1");
  assert.equal(jar.get("/", now, "cross-site-safe", false), "l=1; d=1; u=1; n=1");
  assert.equal(jar.get("/", now, "cross-site-unsafe", false), "n=1");
  assert.equal(jar.get("/", now, "none", false), "");
});

test("a deleted cookie is remembered for a while, and then forgotten", () => {
  const [jar, late] = [new Jar("h"), new Jar("h")];
  const old = late.set("a=1; path=/", "/", now, false);
  const gone = jar.set("a=1; path=/; max-age=0", "/", now + 1_000, false);
  jar.merge(gone, now + 30_000);
  jar.merge(old, now + 30_000);
  assert.equal(jar.get("/", now + 30_000, "all", false), "", "an older record does not revive it");
  jar.set("b=1; path=/", "/", now + HOUR, false);
  jar.merge(old, now + HOUR);
  assert.equal(jar.get("/", now + HOUR, "all", false), "a=1; b=1", "nothing is left of it");
});

/** A browser that stores nothing, in the ways in which browsers say so. */
const REFUSALS: Readonly<Record<string, { open(): unknown }>> = {
  "an error": {
    open() {
      const request: { onerror?: () => void; error: Error } = { error: new DOMException("no storage here", "UnknownError") };
      queueMicrotask(() => request.onerror?.());
      return request;
    },
  },
  "an exception": {
    open() {
      throw new DOMException("no storage here", "SecurityError");
    },
  },
};

// BRO-055
test("without storage cookies live as long as the tab", async () => {
  const before = { indexedDB: globalThis.indexedDB, BroadcastChannel: globalThis.BroadcastChannel };
  try {
    for (const [answer, indexedDB] of Object.entries(REFUSALS)) {
      let asked = 0;
      const counted = { open: (): unknown => ((asked += 1), indexedDB.open()) };
      class Silent {
        postMessage(): void {}
      }
      Object.assign(globalThis, { indexedDB: counted, BroadcastChannel: Silent });
      // The two copies of one tab: the shell's and the tunnel worker's.
      const shell: SharedJar = new SharedJar("h", (records) => worker.merge(records));
      const worker: SharedJar = new SharedJar("h", (records) => shell.merge(records));
      worker.set("early=1; path=/", "/", false);
      await Promise.all([shell.loaded, worker.loaded]);
      worker.set("late=2; path=/; max-age=3600", "/", false);
      shell.set("own=3; path=/", "/", true);
      // Whatever became of the attempts to store them.
      await new Promise((resolve) => setTimeout(resolve, 5));
      for (const jar of [shell, worker]) assert.equal(jar.get("/", "all", false), "early=1; late=2; own=3", answer);
      worker.set("late=; path=/; max-age=0", "/", false);
      for (const jar of [shell, worker]) assert.equal(jar.get("/", "all", false), "early=1; own=3", answer);
      const next = new SharedJar("h", () => undefined);
      await next.loaded;
      assert.equal(next.get("/", "all", false), "", "another tab has its own");
      assert.ok(asked > 0, "it was tried");
    }
  } finally {
    Object.assign(globalThis, before);
  }
});

interface SetCookieInput {
  line: string;
  host: string;
  request_path: string;
  now_ms: number;
  script: boolean;
}
interface JarStep {
  at_ms: number;
  set?: string;
  path?: string;
  get?: string;
  script: boolean;
  site?: string;
  cookie?: string;
}

const SCOPES: Readonly<Record<string, CookieScope>> = { same: "all", "cross-safe": "cross-site-safe", "cross-unsafe": "cross-site-unsafe", omit: "none" };

// BRO-011, BRO-042 to BRO-047
testVectors("cookies", {
  "set-cookie": ({ input, result, cookie }: Case<SetCookieInput>) => {
    const [record] = new Jar(input.host).set(input.line, input.request_path, input.now_ms, input.script);
    assert.equal(record !== undefined, result === "valid");
    if (!record) return;
    const over = (expires: number | null): number | null | "over" => (expires !== null && expires <= input.now_ms ? "over" : expires);
    const { name, value, path, expires, httpOnly, sameSite } = record;
    const wanted = cookie as { expires_ms: number | null };
    assert.deepEqual(
      { name, value, path, expires_ms: over(expires), http_only: httpOnly, same_site: sameSite ?? null },
      { ...wanted, expires_ms: over(wanted.expires_ms) },
    );
  },
  "cookie-date": ({ input, result, time_ms }: Case<string>) => {
    assert.equal(parseCookieDate(input), result === "valid" ? time_ms : undefined);
  },
  jar: ({ input }: Case<{ host: string; steps: JarStep[] }>) => {
    const one = new Jar(input.host);
    for (const { at_ms, set, path, get, script, site, cookie } of input.steps) {
      if (set !== undefined) one.set(set, path ?? "/", at_ms, script);
      else assert.equal(one.get(get ?? "/", at_ms, SCOPES[site ?? ""] ?? assert.fail(`site ${site}`), script), cookie);
    }
  },
});

test("the seeds of the jar's fuzzer", () => {
  const fuzzer = join(process.cwd(), "../../fuzz/cookies.mjs");
  const told = execFileSync(process.execPath, [fuzzer, "--replay"], { encoding: "utf8" });
  assert.match(told, /^jar: [1-9]\d* executions, .*nothing found$/m);
});
