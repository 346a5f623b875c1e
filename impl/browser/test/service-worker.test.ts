import assert from "node:assert/strict";
import test from "node:test";
import { amendCsp } from "../src/sw/csp.ts";
import type { FieldText } from "../src/port/messages.ts";
import { HtmlInjector, declaredCharset } from "../src/sw/html.ts";
import { keepsDocument } from "../src/sw/navigation.ts";
import { Abandoned } from "../src/sw/abandoned.ts";
import { type RequestView, cookieScope, requestFields, requestSite, requestTarget } from "../src/sw/request.ts";

const environment = { origin: "https://app-acme.example", userAgent: "Browser/1", languages: ["de-DE", "de", "en"] };
const view = (change: Partial<RequestView> = {}): RequestView => ({
  method: "GET", url: "https://app-acme.example/a", headers: [], referrer: "", referrerPolicy: "", mode: "cors", destination: "", cache: "default", ...change,
});
const siteOf = (change: Partial<RequestView>, byApp = false): string => requestSite(view(change), environment.origin, byApp);
const fieldsOf = (change: Partial<RequestView> = {}, length?: number): Record<string, string> =>
  Object.fromEntries(requestFields(view(change), environment, requestSite(view(change), environment.origin, false), length));

test("a plain fetch", () => {
  assert.deepEqual(fieldsOf({ headers: [["X-Own", "1"]], referrer: "https://app-acme.example/page?x" }), {
    "x-own": "1",
    accept: "*/*",
    "accept-language": "de-DE,de;q=0.9,en;q=0.8",
    "user-agent": "Browser/1",
    "accept-encoding": "gzip, deflate",
    referer: "https://app-acme.example/page?x",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "cors",
    "sec-fetch-dest": "empty",
  });
});

// BRO-041
test("what the browser says is kept, what is not for the app is dropped", () => {
  const fields = fieldsOf({ headers: [["Accept", "image/png"], ["Accept-Language", "fr"], ["User-Agent", "Own"], ["Host", "x"], ["Connection", "close"], ["Cookie", "a=b"], ["TE", "gzip"], ["Upgrade", "h2c"], ["Sec-Fetch-Site", "cross-site"]] });
  assert.equal(fields["accept"], "image/png");
  assert.equal(fields["accept-language"], "fr");
  assert.equal(fields["user-agent"], "Own");
  for (const name of ["host", "connection", "cookie", "te", "upgrade"]) assert.equal(fields[name], undefined, name);
  assert.equal(fields["sec-fetch-site"], "same-origin");
  const chosen: [string, string][] = [["Referer", "https://a.example/chosen"], ["Sec-Fetch-Mode", "navigate"], ["Sec-Fetch-Dest", "document"], ["Sec-Fetch-User", "?1"], ["Content-Length", "9"], ["Accept-Encoding", "br"]];
  const said = fieldsOf({ headers: chosen });
  for (const [name, value] of chosen) assert.notEqual(said[name.toLowerCase()], value, name);
});

test("origin goes with everything but GET and HEAD", () => {
  assert.equal(fieldsOf({ method: "POST" }, 5)["origin"], "https://app-acme.example");
  assert.equal(fieldsOf({ method: "POST" }, 5)["content-length"], "5");
  assert.equal(fieldsOf({ method: "POST" })["content-length"], undefined);
  assert.equal(fieldsOf({ method: "HEAD" })["origin"], undefined);
  assert.equal(fieldsOf({ referrer: "about:client" })["referer"], undefined);
});

// BRO-015
test("a frame that another site sends here says so", () => {
  const navigation = { mode: "navigate", destination: "iframe" };
  const [own, foreign] = [environment.origin, "https://evil.example"];
  const cases: [Partial<RequestView>, string, string | undefined][] = [
    [{ method: "POST", headers: [["origin", foreign]], referrer: `${foreign}/` }, "cross-site", foreign],
    [{ method: "POST", headers: [["origin", own]], referrer: `${own}/form` }, "same-origin", own],
    [{ method: "POST", headers: [["origin", "null"]] }, "cross-site", "null"],
    [{ method: "POST", referrer: `${own}/form` }, "same-origin", own],
    [{ method: "POST", referrer: `${foreign}/` }, "cross-site", "null"],
    [{ method: "POST" }, "cross-site", "null"],
    [{ method: "POST", referrer: `${own}.evil.example/` }, "cross-site", "null"],
    [{ referrer: `${own}.evil.example/` }, "cross-site", undefined],
    [{ referrer: `${foreign}/` }, "cross-site", undefined],
    [{ referrer: `${own}/page` }, "same-origin", undefined],
    [{ referrer: "about:client" }, "none", undefined],
    [{}, "none", undefined],
  ];
  for (const [change, site, origin] of cases) {
    const fields = fieldsOf({ ...navigation, ...change });
    assert.deepEqual([fields["sec-fetch-site"], fields["origin"]], [site, origin], JSON.stringify(change));
  }
  assert.equal(siteOf({ ...navigation, method: "POST", headers: [["origin", "null"]] }, true), "same-origin", "the app's page says that it is its own");
  assert.equal(siteOf({ method: "POST", referrer: "" }), "same-origin", "parts of a page");
});

// BRO-015
test("a page that hides where it is hides the origin of its forms, and of nothing else", () => {
  const hidden = { method: "POST", referrerPolicy: "no-referrer" };
  const form = view({ ...hidden, mode: "navigate", destination: "iframe" });
  const origin = (request: RequestView): string | undefined => requestFields(request, environment, "same-origin").find(([name]) => name === "origin")?.[1];
  assert.equal(origin(form), "null");
  assert.equal(origin({ ...form, referrerPolicy: "same-origin" }), environment.origin);
  assert.equal(origin(view(hidden)), environment.origin, "fetch");
});

// BRO-045, BRO-046
test("cookies go as far as SameSite lets them", () => {
  const [get, post] = [{ method: "GET", credentials: "include" }, { method: "POST", credentials: "same-origin" }];
  assert.equal(cookieScope(get, "same-origin"), "all");
  assert.equal(cookieScope(get, "none"), "all");
  assert.equal(cookieScope(get, "cross-site"), "cross-site-safe");
  assert.equal(cookieScope(post, "cross-site"), "cross-site-unsafe");
  assert.equal(cookieScope({ ...post, credentials: "omit" }, "cross-site"), "none");
});

test("an aborted request is found by its token, whichever comes first", () => {
  const abandoned = new Abandoned();
  const aborted: string[] = [];
  const watch = (url: string): (() => void) => abandoned.watch(url, () => aborted.push(url));
  const forget = watch("https://a.example/x#p2claw-1");
  watch("https://a.example/y#own");
  abandoned.abandon("1");
  abandoned.abandon("2");
  watch("https://a.example/z#p2claw-2");
  forget();
  abandoned.abandon("1");
  assert.deepEqual(aborted, ["https://a.example/x#p2claw-1", "https://a.example/z#p2claw-2"]);
});

test("navigations look like those of a tab", () => {
  const fields = fieldsOf({ mode: "navigate", destination: "iframe" });
  assert.deepEqual([fields["sec-fetch-dest"], fields["sec-fetch-mode"], fields["sec-fetch-site"]], ["document", "navigate", "none"]);
  assert.equal(fieldsOf({ mode: "navigate", destination: "iframe", referrer: "https://app-acme.example/" })["sec-fetch-site"], "same-origin");
});

test("ranges and event streams come as they are; reloads say so", () => {
  assert.equal(fieldsOf({ headers: [["Range", "bytes=0-"]] })["accept-encoding"], "identity");
  assert.equal(fieldsOf({ headers: [["Accept", "text/event-stream"]] })["accept-encoding"], "identity");
  assert.equal(fieldsOf({ cache: "reload" })["cache-control"], "no-cache");
  assert.equal(fieldsOf({ cache: "no-cache" })["cache-control"], "max-age=0");
});

// BRO-003
test("targets are in origin-form", () => {
  assert.equal(requestTarget("https://a.example/p%20q/ä?x=1#f"), "/p%20q/%C3%A4?x=1");
  assert.equal(requestTarget("https://a.example//b"), "//b");
});

// BRO-012, BRO-052
test("policies", () => {
  const cases: [string, string][] = [
    ["default-src 'self'", "default-src 'self'; script-src 'self' 'sha256-H'"],
    ["script-src 'self'; object-src 'none'", "script-src 'self' 'sha256-H'; object-src 'none'"],
    ["script-src 'none'", "script-src 'sha256-H'"],
    ["default-src 'none'", "default-src 'none'; script-src 'sha256-H'"],
    ["script-src 'self'; script-src-elem a.example", "script-src 'self'; script-src-elem a.example 'sha256-H'"],
    ["script-src 'self' 'unsafe-inline'", "script-src 'self' 'unsafe-inline'"],
    ["script-src 'unsafe-inline' 'nonce-x'", "script-src 'unsafe-inline' 'nonce-x' 'sha256-H'"],
    ["script-src 'strict-dynamic' 'nonce-x'", "script-src 'strict-dynamic' 'nonce-x' 'sha256-H'"],
    ["default-src 'unsafe-inline'", "default-src 'unsafe-inline'"],
    ["img-src *", "img-src *"],
    ["frame-ancestors 'none'", "frame-ancestors 'self'"],
    ["frame-ancestors", "frame-ancestors 'self'"],
    ["frame-ancestors a.example https://b.example", "frame-ancestors a.example https://b.example 'self'"],
    ["frame-ancestors 'SELF' a.example", "frame-ancestors 'SELF' a.example"],
    ["frame-ancestors *", "frame-ancestors *"],
    ["FRAME-ANCESTORS 'none'; Script-Src 'self'", "frame-ancestors 'self'; script-src 'self' 'sha256-H'"],
    ["script-src a; script-src b", "script-src a 'sha256-H'"],
    ["script-src a, default-src b;frame-ancestors c", "script-src a 'sha256-H', default-src b; frame-ancestors c 'self'; script-src b 'sha256-H'"],
    [" ; ;", ""],
  ];
  for (const [before, after] of cases) assert.equal(amendCsp(before, "H"), after, before);
});

const encoder = new TextEncoder();
const SHIM = "<script>1</script>";

function inject(document: Uint8Array, cuts: number[]): string {
  const injector = new HtmlInjector(encoder.encode(SHIM));
  const out: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts, document.length]) {
    out.push(...injector.push(document.subarray(from, cut)));
    from = cut;
  }
  out.push(...injector.end());
  return Buffer.concat(out).toString("latin1");
}

// BRO-050
test("the shim goes behind <head>, wherever the document is cut", () => {
  const cases: [string, string][] = [
    ["<!doctype html><html><head><title>x</title></head>", "<!doctype html><html><head>^<title>x</title></head>"],
    ["<!DOCTYPE html>\n<HTML lang='a>b'>\n<HEAD data-x=\"y>z\">\n<p>", "<!DOCTYPE html>\n<HTML lang='a>b'>\n<HEAD data-x=\"y>z\">^\n<p>"],
    ["<!-- <head> --><head>a", "<!-- <head> --><head>^a"],
    ["<!--><head>a", "<!--><head>^a"],
    ["<!---><head>a", "<!---><head>^a"],
    ["<!-- a --!><head>a", "<!-- a --!><head>^a"],
    ["<!----><head/>a", "<!----><head/>^a"],
    ["<?xml version='1.0'?><html><head >a", "<?xml version='1.0'?><html><head >^a"],
    ["<!doctype html><header>x</header>", "<!doctype html>^<header>x</header>"],
    ["<html><body>x", "<html>^<body>x"],
    ["<!doctype html><meta charset=utf-8>x", "<!doctype html>^<meta charset=utf-8>x"],
    ["hello", "^hello"],
    ["  \n hello", "  \n ^hello"],
    ["<p>x", "^<p>x"],
    ["<html", "^<html"],
    ["<", "^<"],
    ["", "^"],
    ["a", "^a"],
    ["\xef\xbb\xbf<!doctype html><head>x", "\xef\xbb\xbf<!doctype html><head>^x"],
    ["\xff\xfe<\0h\0", "\xff\xfe<\0h\0"],
    ["<htmlx><head>", "^<htmlx><head>"],
    ["</head>", "^</head>"],
  ];
  for (const [before, after] of cases) {
    const bytes = Uint8Array.from(before, (character) => character.charCodeAt(0));
    const expected = after.replace("^", SHIM);
    for (let cut = 0; cut <= bytes.length; cut++) assert.equal(inject(bytes, [cut]), expected, `${before} cut at ${cut}`);
    assert.equal(inject(bytes, Array.from(bytes, (_, i) => i)), expected, `${before} byte by byte`);
  }
});

test("what stands before the head is not held back; an endless comment is not waited for", () => {
  const injector = new HtmlInjector(encoder.encode(SHIM));
  const first = injector.push(encoder.encode("<!doctype html><html>\n<he"));
  assert.equal(Buffer.concat(first).toString(), "<!doctype html><html>\n");
  const endless = new HtmlInjector(encoder.encode(SHIM));
  endless.push(encoder.encode("<!-- "));
  const out = Buffer.concat(endless.push(new Uint8Array(70_000).fill(0x20))).toString();
  assert.ok(out.startsWith(`${SHIM}<!-- `));
});

test("charsets", () => {
  assert.equal(declaredCharset(encoder.encode('<head><meta charset="utf-8">')), "utf-8");
  assert.equal(declaredCharset(encoder.encode("<META CHARSET=ISO-8859-1>")), "ISO-8859-1");
  assert.equal(declaredCharset(encoder.encode('<meta http-equiv="Content-Type" content="text/html; charset=windows-1252">')), "windows-1252");
  assert.equal(declaredCharset(encoder.encode("<title>charset=x</title>")), undefined);
});

test("downloads and empty answers leave the frame's document where it is", () => {
  const frame = { destination: "iframe" };
  const typed = (type: string): FieldText[] => [["content-type", type]];
  const kept: [number, FieldText[]][] = [
    [204, []],
    [205, typed("text/html")],
    [200, typed("application/octet-stream")],
    [200, typed("application/zip")],
    [200, typed("text/csv; charset=utf-8")],
    [200, [["content-type", "text/html"], ["content-disposition", "Attachment; filename=a.html"]]],
  ];
  for (const [status, fields] of kept) assert.ok(keepsDocument(frame, { status, fields }), `${status} ${fields.join()}`);
  const replaced: [number, FieldText[]][] = [
    [200, []],
    [404, typed("text/html")],
    [302, typed("application/octet-stream")],
    [200, typed("image/svg+xml")],
    [200, typed("application/json")],
    [200, typed("application/problem+json")],
    [200, typed("application/pdf")],
    [200, [["content-type", "text/plain"], ["content-disposition", "inline"]]],
  ];
  for (const [status, fields] of replaced) assert.ok(!keepsDocument(frame, { status, fields }), `${status} ${fields.join()}`);
  assert.ok(!keepsDocument({ destination: "image" }, { status: 204, fields: [] }));
});
