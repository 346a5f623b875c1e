import assert from "node:assert/strict";
import test from "node:test";
import { FrameType as F } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import type { Patience } from "../src/port/messages.ts";
import { ErrorCode } from "../src/session/errors.ts";
import { text } from "./agent-peer.ts";
import { Bench, streamOf, turn } from "./tunnel-bench.ts";

// SES-023, SES-025
test("a response that ends before the request's body gives its stream back", async () => {
  const bench = new Bench();
  const { channel, link } = await bench.connect();
  for (let i = 0; i < 101; i++) {
    const id = await bench.request("POST", true);
    bench.tell({ t: "chunk", id, bytes: new Uint8Array(10) });
    channel.deliver(F.RESPONSE, streamOf(id), msg.encodeResponse({ status: 401, fields: [], end: true }));
    assert.deepEqual(bench.heard(id).filter((t) => t !== "credit"), ["ack", "head", "end"]);
    bench.tell({ t: "chunk", id, bytes: new Uint8Array(10) });
    bench.tell({ t: "end", id });
  }
  assert.deepEqual([channel.count(F.RESET), channel.count(F.STOP), channel.count(F.DATA_END)], [101, 0, 0]);
  assert.ok(link.canOpen && link.usable);
});

test("a body that is complete is sent to its end, although the response is there", async () => {
  const bench = new Bench();
  const { channel } = await bench.connect();
  const id = await bench.request("POST", true);
  bench.tell({ t: "chunk", id, bytes: new Uint8Array(100_000) });
  bench.tell({ t: "end", id });
  channel.deliver(F.RESPONSE, streamOf(id), msg.encodeResponse({ status: 200, fields: [], end: true }));
  channel.deliver(F.CREDIT, streamOf(id), msg.encodeCredit({ maxBytes: 200_000 }));
  assert.deepEqual([channel.count(F.RESET), channel.count(F.DATA_END)], [0, 1]);
});

test("a tab takes a request with a session, or while it makes its first one", async () => {
  const bench = new Bench();
  const outcome = async (patience: Patience): Promise<string | undefined> => bench.heard(await bench.request("GET", false, patience))[0];
  const fresh = [await outcome("none"), await outcome("first"), await outcome("any")];
  assert.deepEqual(fresh, ["decline", "ack", "ack"], "the first session is being made");
  const { link } = await bench.connect();
  assert.deepEqual([await outcome("none"), await outcome("first"), await outcome("any")], ["ack", "ack", "ack"]);
  link.close("CLOSED", "gone");
  assert.deepEqual([await outcome("none"), await outcome("first"), await outcome("any")], ["decline", "decline", "ack"], "another one may come");
  bench.room.stop();
  assert.deepEqual([await outcome("none"), await outcome("first"), await outcome("any")], ["decline", "decline", "decline"], "none will come");
});

test("who waits in a tab that gives up hears of it at once", async () => {
  const bench = new Bench();
  const id = await bench.request("GET", false);
  assert.deepEqual(bench.heard(id), ["ack"]);
  bench.room.stop();
  assert.deepEqual(bench.posted.at(-1), { t: "fail", id, code: "NO_SESSION", reason: "there is no connection to the machine" });
});

test("a session that ends says LOST to the requests on it", async () => {
  const bench = new Bench();
  const { channel } = await bench.connect();
  const id = await bench.request("GET", false);
  channel.deliver(F.GOAWAY, 0, msg.encodeGoAway({ code: 1, lastStream: 0, reason: "oops" }));
  const last = bench.posted.at(-1);
  assert.equal(last?.t === "fail" && last.id === id && last.code, "LOST");
});

// RTC-006
test("a lane that closes ends the session, and no lane closes alone", async () => {
  const bench = new Bench();
  const { channels } = await bench.connect([], 3);
  const id = await bench.request("GET", false);
  assert.deepEqual(channels.map(({ readyState }) => readyState), ["open", "open", "open"]);
  channels[1]?.onclose?.();
  const last = bench.posted.at(-1);
  assert.equal(last?.t === "fail" && last.id === id && last.code, "LOST");
  assert.deepEqual(channels.map(({ readyState }) => readyState), ["closed", "closed", "closed"]);
});

// SES-072
test("the last words go out although a lot is buffered", async () => {
  const bench = new Bench();
  const { channel } = await bench.connect();
  channel.bufferedAmount = 10_000_000;
  channel.deliver(F.HELLO, 0, text("again"));
  assert.equal(channel.sent.at(-1)?.type, F.GOAWAY);
});

// HTP-042, SES-038
test("a request whose head fits no frame is answered here, with 431", async () => {
  const bench = new Bench();
  const { channel } = await bench.connect();
  bench.tell({ t: "request", id: 1, method: "GET", target: "/", fields: [["x", "y".repeat(17_000)]], body: false, cookies: "none", patience: "first" });
  bench.tell({ t: "credit", id: 1, max: 100_000 });
  await turn();
  const head = bench.posted.find((message) => message.t === "head");
  assert.ok(head?.t === "head");
  assert.equal(head.status, 431);
  assert.ok(head.fields.some(([name, value]) => name === "p2claw-error" && value === "REQUEST_HEAD_TOO_LARGE"));
  assert.deepEqual(bench.heard(1).slice(-2), ["chunk", "end"]);
  assert.equal(channel.count(F.REQUEST), 0, "no part of it is sent");
});

// BRO-009, ERR-004
test("only what was refused is asked for again, and nothing that has a body", async () => {
  const bench = new Bench();
  const { channel, link } = await bench.connect();
  const waited = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));
  const reset = (code: number): void => channel.deliver(F.RESET, 2 * channel.count(F.REQUEST) - 1, msg.encodeReset({ code, reason: "" }));
  const get = await bench.request("GET", false);
  reset(ErrorCode.REFUSED);
  await waited();
  assert.equal(channel.count(F.REQUEST), 2, "it was not acted upon");
  reset(ErrorCode.UPSTREAM_FAILED);
  await waited();
  assert.deepEqual([channel.count(F.REQUEST), bench.heard(get).at(-1)], [2, "fail"], "it may have been acted upon");
  const post = await bench.request("POST", true);
  reset(ErrorCode.REFUSED);
  await waited();
  assert.deepEqual([channel.count(F.REQUEST), bench.heard(post).at(-1)], [3, "fail"], "its body has gone by");
  const bare = await bench.request("POST", false);
  reset(ErrorCode.UPSTREAM_FAILED);
  await waited();
  assert.deepEqual([channel.count(F.REQUEST), bench.heard(bare).at(-1)], [4, "fail"], "it may have been acted upon");
  // Nor in the session that comes behind one that was lost.
  const [lost, last] = [await bench.request("POST", false), await bench.request("DELETE", false)];
  assert.equal(channel.count(F.REQUEST), 6);
  link.close("CLOSED", "lost");
  const { channel: next } = await bench.connect();
  await waited();
  assert.equal(next.count(F.REQUEST), 0);
  for (const id of [lost, last]) assert.equal(bench.heard(id).at(-1), "fail");
});
