/** What the page sees of a response. */
import assert from "node:assert/strict";
import test from "node:test";
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

// BRO-004, BRO-014
test("our own pages promise only what comes", () => {
  assert.match(brokenPage("NO_SESSION", "x"), /loaded again/);
  assert.match(brokenPage("FAILED", "x"), /reload the page/);
  assert.match(brokenPage("<script>", "<b>"), /&#60;script&#62;: &#60;b&#62;/);
  assert.match(notSentPage(), /Nothing was sent/);
});
