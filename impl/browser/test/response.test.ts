/** What the page sees of a response. */
import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import type { FieldText } from "../src/port/messages.ts";

// The build fills this in.
(globalThis as { SHIM_SOURCE?: string }).SHIM_SOURCE = "1";
const { pageHeaders, pageResponse } = await import("../src/sw/response.ts");
const { brokenPage, notSentPage } = await import("../src/sw/pages.ts");

// BRO-012
test("what forbids all frames lets the shell's through, and no other one", () => {
  const options = (...values: string[]): string | null => pageHeaders(values.map((value): FieldText => ["x-frame-options", value]), "H").get("x-frame-options");
  assert.equal(options("DENY"), "SAMEORIGIN");
  assert.equal(options("deny"), "SAMEORIGIN");
  assert.equal(options("SAMEORIGIN"), "SAMEORIGIN");
  assert.equal(options("SAMEORIGIN, DENY"), "SAMEORIGIN");
  assert.equal(options("DENY", "SAMEORIGIN"), "SAMEORIGIN");
  assert.equal(options("ALLOW-FROM https://a.example"), "ALLOW-FROM https://a.example");
  assert.equal(options(), null);
});

test("a body that the page does not take is given up", async () => {
  let cancelled = 0;
  const response = (status: number, fields: FieldText[] = []) =>
    pageResponse({ method: "GET", url: "https://a.example/", destination: "" }, { status, fields }, new ReadableStream({ cancel: () => void (cancelled += 1) }), "H");
  assert.equal((await response(205)).body, null);
  assert.equal(cancelled, 1);
  assert.equal((await response(302, [["location", "/b"]])).body, null);
  assert.equal(cancelled, 2);
  assert.ok((await response(200)).body);
  assert.equal(cancelled, 2);
});

const GET = { method: "GET", url: "https://a.example/" };
const bytesOf = async (body: ReadableStream<Uint8Array> | null): Promise<string> => Buffer.from(await new Response(body).arrayBuffer()).toString("latin1");
const streamed = (bytes: Uint8Array): ReadableStream<Uint8Array> => new Blob([Uint8Array.from(bytes)]).stream() as ReadableStream<Uint8Array>;

// BRO-010, BRO-049
test("codings that are announced are decoded, and named no more; others are errors", async () => {
  const words = "the same words again, the same words again";
  const codings: [string, Uint8Array][] = [["gzip", gzipSync(words)], ["X-GZIP ", gzipSync(words)], ["deflate", deflateSync(words)]];
  for (const [coding, bytes] of codings) {
    const fields: FieldText[] = [["content-encoding", coding], ["content-length", String(bytes.length)], ["content-type", "text/plain"]];
    const { headers, body } = await pageResponse({ ...GET, destination: "" }, { status: 200, fields }, streamed(bytes), "H");
    assert.equal(await bytesOf(body), words, coding);
    assert.deepEqual([...headers], [["content-type", "text/plain"]], coding);
  }
  for (const coding of ["br", "zstd", "gzip, gzip", "unheard-of"]) {
    const fields: FieldText[] = [["content-encoding", coding]];
    await assert.rejects(pageResponse({ ...GET, destination: "" }, { status: 200, fields }, streamed(gzipSync(words)), "H"), TypeError, coding);
  }
});

// BRO-050
test("the client's script is put into documents of a frame, and into nothing else", async () => {
  const page = "<!doctype html><html><head></head><body>\xe4</body></html>";
  const html: FieldText = ["content-type", "text/html; charset=latin1"];
  const cases: [boolean, string, number, FieldText[]][] = [
    [true, "iframe", 200, [html]],
    [true, "frame", 404, [html]],
    [true, "document", 200, [html, ["content-disposition", "inline"]]],
    [false, "iframe", 200, [html, ["content-disposition", "attachment; filename=a.html"]]],
    [false, "iframe", 206, [html, ["content-range", "bytes 0-56/57"]]],
    [false, "iframe", 200, [["content-type", "text/plain"]]],
    [false, "iframe", 200, [["content-type", "text/html-like"]]],
    [false, "iframe", 200, [["content-type", "application/xhtml+xml"]]],
    [false, "iframe", 200, []],
    ...["", "script", "style", "image", "worker", "embed", "object"].map((destination): [boolean, string, number, FieldText[]] => [false, destination, 200, [html]]),
  ];
  for (const [injected, destination, status, fields] of cases) {
    const length: FieldText = ["content-length", String(page.length)];
    const { headers, body } = await pageResponse({ ...GET, destination }, { status, fields: [...fields, length] }, streamed(Buffer.from(page, "latin1")), "H");
    const seen = await bytesOf(body);
    const about = `${destination} ${status} ${fields.join()}`;
    assert.equal(seen !== page, injected, about);
    assert.equal(headers.has("content-length"), !injected, about);
    if (injected) assert.equal(seen.replace(/<script\b.*?<\/script>/s, ""), page, about);
  }
});

// BRO-004, BRO-014
test("our own pages promise only what comes", () => {
  assert.match(brokenPage("NO_SESSION", "x"), /loaded again/);
  assert.match(brokenPage("FAILED", "x"), /reload the page/);
  assert.match(brokenPage("<script>", "<b>"), /&#60;script&#62;: &#60;b&#62;/);
  assert.match(notSentPage(), /Nothing was sent/);
});
