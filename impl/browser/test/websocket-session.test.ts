/** WebSockets in the session engine: opening, messages, credit, closing (spec/v1/websocket.md). */
import assert from "node:assert/strict";
import test from "node:test";
import { FrameType as F } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import { ErrorCode, RequestError } from "../src/session/errors.ts";
import { Limit } from "../src/codec/registry.ts";
import { Pair, field, text } from "./agent-peer.ts";

const closeFrame = (code: number, reason = ""): Uint8Array => msg.encodeWsClose({ code, reason });

/** A session with an open WebSocket on stream 1, and nothing of that seen. */
function open(settings: msg.Setting[] = []): { pair: Pair; stream: number } {
  const pair = new Pair();
  pair.hello(settings);
  const stream = pair.connect();
  pair.seen.length = 0;
  pair.events.length = 0;
  return { pair, stream };
}

test("a WebSocket is opened by an extended CONNECT without end (WSK-001, SES-033)", () => {
  const pair = new Pair();
  pair.hello();
  const stream = pair.connect(false, "v2.chat, v1.chat");
  const head = msg.decodeRequest(pair.seen.at(-1)?.payload ?? text(""));
  assert.deepEqual([head.method, head.protocol, head.target, head.end], ["CONNECT", "websocket", "/chat", false]);
  pair.respond(stream, 101);
  assert.equal(pair.events.at(-1)?.kind, "failed", "101 is no answer here");
  const other = pair.connect(false);
  pair.respond(other, 103);
  pair.respond(other, 200);
  assert.deepEqual(pair.kinds().slice(-2), ["interim", "response"]);
  assert.equal(pair.closed(), undefined);
});

test("fields of one connection have no place in its heads, on either side (WSK-002, SES-036)", () => {
  const pair = new Pair();
  pair.hello();
  for (const name of ["sec-websocket-key", "sec-websocket-accept", "sec-websocket-version", "sec-websocket-extensions", "content-length"]) {
    assert.throws(() => pair.session.connect("/", [field(name, "1")]), (error: unknown) => error instanceof RequestError && error.code === ErrorCode.BAD_MESSAGE, name);
    const stream = pair.connect(false);
    pair.respond(stream, 200, [field(name, "1")]);
    const last = pair.events.at(-1);
    assert.equal(last?.kind === "failed" && last.code, ErrorCode.BAD_MESSAGE, name);
    assert.deepEqual(pair.framesOf(stream).map(([type]) => type), [F.RESET, F.STOP], name);
  }
});

test("nothing of the visitor's half but RESET goes before the final response (WSK-005)", () => {
  const pair = new Pair();
  pair.hello();
  const stream = pair.connect(false);
  pair.session.send(stream, true, text("early"), true);
  pair.session.end(stream, 1000, "");
  pair.session.write(stream, text("early"));
  pair.session.finish(stream);
  pair.respond(stream, 103);
  assert.deepEqual(pair.framesOf(stream), []);
  pair.session.cancel(stream);
  pair.run();
  assert.deepEqual(pair.framesOf(stream).map(([type]) => type), [F.RESET, F.STOP]);
});

test("a refusal is an ordinary response, and ends the request half without a frame (WSK-004, WSK-005)", () => {
  const pair = new Pair();
  pair.hello();
  const stream = pair.connect(false);
  pair.respond(stream, 403, [field("content-length", "2")]);
  pair.send(F.DATA, stream, text("no"));
  pair.send(F.DATA_END, stream);
  assert.deepEqual(pair.kinds().slice(-3), ["response", "data", "end"]);
  pair.session.send(stream, true, text("late"), true);
  pair.run();
  assert.deepEqual(pair.framesOf(stream), []);
  for (let i = 0; i < 200; i++) pair.respond(pair.connect(false), 404, [], true);
  assert.ok(pair.session.canOpen, "streams of refusals are gone");
});

test("another success than 200, an end, and a subprotocol that nobody asked for are BAD_MESSAGE (WSK-006)", () => {
  const cases: [string, string | undefined, (pair: Pair, stream: number) => void, number[]][] = [
    ["200 with end", undefined, (pair, stream) => pair.respond(stream, 200, [], true), [F.RESET]],
    ["201", undefined, (pair, stream) => pair.respond(stream, 201), [F.RESET, F.STOP]],
    ["204 with end", undefined, (pair, stream) => pair.respond(stream, 204, [], true), [F.RESET]],
    ["299", undefined, (pair, stream) => pair.respond(stream, 299), [F.RESET, F.STOP]],
    ["one where none was asked for", undefined, (pair, stream) => pair.respond(stream, 200, [field("sec-websocket-protocol", "a")]), [F.RESET, F.STOP]],
    ["another one", "a, b", (pair, stream) => pair.respond(stream, 200, [field("sec-websocket-protocol", "c")]), [F.RESET, F.STOP]],
    ["another case of letters", "a", (pair, stream) => pair.respond(stream, 200, [field("sec-websocket-protocol", "A")]), [F.RESET, F.STOP]],
    ["two of those asked for", "a, b", (pair, stream) => pair.respond(stream, 200, [field("sec-websocket-protocol", "a, b")]), [F.RESET, F.STOP]],
    ["two fields", "a, b", (pair, stream) => pair.respond(stream, 200, [field("sec-websocket-protocol", "a"), field("sec-websocket-protocol", "b")]), [F.RESET, F.STOP]],
  ];
  for (const [name, asked, act, frames] of cases) {
    const pair = new Pair();
    pair.hello();
    const stream = pair.connect(false, asked);
    act(pair, stream);
    const last = pair.events.at(-1);
    assert.equal(last?.kind === "failed" && last.code, ErrorCode.BAD_MESSAGE, name);
    assert.deepEqual(pair.framesOf(stream).map(([type]) => type), frames, name);
    assert.equal(pair.closed(), undefined, name);
  }
  for (const chosen of [[], [field("sec-websocket-protocol", "b")]]) {
    const pair = new Pair();
    pair.hello();
    pair.respond(pair.connect(false, "a,b"), 200, chosen);
    assert.equal(pair.events.at(-1)?.kind, "response");
  }
});

test("messages come as they were sent, whole and in parts (WSK-010, WSK-011, WSK-013)", () => {
  const { pair, stream } = open();
  pair.send(F.WS_TEXT, stream, text("text"));
  pair.send(F.WS_BINARY, stream, Uint8Array.of(1, 2));
  pair.send(F.WS_TEXT, stream);
  pair.send(F.WS_BINARY_PART, stream, Uint8Array.of(3));
  pair.send(F.WS_BINARY_PART, stream, Uint8Array.of(4));
  pair.send(F.WS_BINARY, stream);
  const heard = pair.events.map((event) => event.kind === "message" && [typeof event.data === "string" ? event.data : [...event.data], event.last, event.charge]);
  assert.deepEqual(heard, [["text", true, 68], [[1, 2], true, 66], ["", true, 64], [[3], false, 65], [[4], false, 65], [[], true, 64]]);
});

test("a part may end within a character, and what is no UTF-8 fails the stream alone (WSK-012)", () => {
  const { pair, stream } = open();
  const bytes = text("\ufeffaé水🦀z");
  for (let cut = 1; cut < bytes.length; cut++) {
    pair.events.length = 0;
    pair.send(F.WS_TEXT_PART, stream, bytes.subarray(0, cut));
    pair.send(F.WS_TEXT, stream, bytes.subarray(cut));
    assert.equal(pair.events.map((event) => (event.kind === "message" ? event.data : "?")).join(""), "\ufeffaé水🦀z", `cut at ${cut}`);
  }
  const wrong: [string, number[][]][] = [
    ["a byte that never occurs", [[0x61, 0xff]]],
    ["a surrogate", [[0xed, 0xa0, 0x80]]],
    ["too long a form", [[0xc0, 0xaf]]],
    ["a character without its end", [[0xe6, 0xb0], []]],
    ["found in the first part", [[0xc3, 0x28]]],
    ["beyond the last character", [[0xf4, 0x90, 0x80, 0x80]]],
  ];
  for (const [name, parts] of wrong) {
    const one = open();
    parts.forEach((part, index) => one.pair.send(index === parts.length - 1 ? F.WS_TEXT : F.WS_TEXT_PART, one.stream, Uint8Array.from(part)));
    const last = one.pair.events.at(-1);
    assert.equal(last?.kind === "failed" && last.code, ErrorCode.BAD_MESSAGE, name);
    assert.deepEqual(one.pair.framesOf(one.stream).map(([type]) => type), [F.RESET, F.STOP], name);
    // The rest of it is not judged any more (SES-028).
    one.pair.send(F.WS_BINARY, one.stream, text("x"));
    assert.equal(one.pair.closed(), undefined, name);
  }
});

test("frames that do not fit a WebSocket end the session (WSK-010, WSK-011, SES-020)", () => {
  const cases: [string, (pair: Pair, stream: number) => void][] = [
    ["DATA", (pair, stream) => pair.send(F.DATA, stream, text("x"))],
    ["DATA_END", (pair, stream) => pair.send(F.DATA_END, stream)],
    ["TRAILERS", (pair, stream) => pair.send(F.TRAILERS, stream, msg.encodeTrailers({ fields: [] }))],
    ["a second RESPONSE", (pair, stream) => pair.respond(stream, 200)],
    ["an interim RESPONSE", (pair, stream) => pair.respond(stream, 103)],
    ["an empty text part", (pair, stream) => pair.send(F.WS_TEXT_PART, stream)],
    ["an empty binary part", (pair, stream) => pair.send(F.WS_BINARY_PART, stream)],
    ["binary in a text", (pair, stream) => (pair.send(F.WS_TEXT_PART, stream, text("a")), pair.send(F.WS_BINARY, stream, text("b")))],
    ["a text part in a binary", (pair, stream) => (pair.send(F.WS_BINARY_PART, stream, text("a")), pair.send(F.WS_TEXT_PART, stream, text("b")))],
    ["a message behind the close", (pair, stream) => (pair.send(F.WS_CLOSE, stream, closeFrame(1000)), pair.send(F.WS_TEXT, stream, text("x")))],
    ["a second close", (pair, stream) => (pair.send(F.WS_CLOSE, stream, closeFrame(1000)), pair.send(F.WS_CLOSE, stream, closeFrame(1000)))],
    ["a damaged close", (pair, stream) => pair.send(F.WS_CLOSE, stream, text("\x12\x05"))],
    ["a message on an ordinary stream", (pair) => (pair.respond(pair.get(), 200), pair.send(F.WS_TEXT, 3, text("x")))],
    ["a close on an ordinary stream", (pair) => (pair.respond(pair.get(), 200), pair.send(F.WS_CLOSE, 3, closeFrame(1000)))],
    ["a message before the response", (pair) => pair.send(F.WS_TEXT, pair.connect(false), text("x"))],
    ["a message on a refused one", (pair) => (pair.respond(pair.connect(false), 403), pair.send(F.WS_TEXT, 3, text("x")))],
    ["a message on stream 0", (pair) => pair.send(F.WS_TEXT, 0, text("x"))],
    ["a message on a stream that was never opened", (pair) => pair.send(F.WS_TEXT, 99, text("x"))],
  ];
  for (const [name, act] of cases) {
    const { pair, stream } = open();
    act(pair, stream);
    assert.deepEqual(pair.closed(), { code: ErrorCode.PROTOCOL, by: "self" }, name);
  }
});

test("long messages go out in parts of what fits a frame, and their boundaries stay (WSK-011, WSK-013, SES-003)", () => {
  const { pair, stream } = open([{ id: 2, value: 1_000_000 }, { id: 3, value: 1_000_000 }]);
  const room = 16_384 - 2;
  pair.session.send(stream, true, new Uint8Array(2 * room + 5), true);
  pair.session.send(stream, false, new Uint8Array(room), true);
  pair.session.send(stream, false, new Uint8Array(), true);
  pair.run();
  assert.deepEqual(pair.framesOf(stream), [[F.WS_TEXT_PART, room], [F.WS_TEXT_PART, room], [F.WS_TEXT, 5], [F.WS_BINARY, room], [F.WS_BINARY, 0]]);
  pair.seen.length = 0;
  pair.session.send(stream, false, text("ab"), false);
  pair.run();
  pair.session.send(stream, false, new Uint8Array(), false);
  pair.run();
  pair.session.send(stream, false, new Uint8Array(), true);
  pair.session.send(stream, true, text("next"), true);
  pair.run();
  assert.deepEqual(pair.framesOf(stream), [[F.WS_BINARY_PART, 2], [F.WS_BINARY, 0], [F.WS_TEXT, 4]], "a part is not held back");
  pair.session.send(stream, true, text("a"), false);
  assert.throws(() => pair.session.send(stream, false, text("b"), true), RangeError);
});

test("credit counts each frame of a message and 64 bytes more, out and in (SES-040, SES-042)", () => {
  const { pair, stream } = open();
  for (let i = 0; i < 2_000; i++) pair.session.send(stream, true, new Uint8Array(), true);
  pair.run();
  assert.equal(pair.framesOf(stream).length, 65_536 / Limit.MESSAGE_CHARGE, "empty messages are not free");
  pair.send(F.CREDIT, stream, msg.encodeCredit({ maxBytes: 65_536 + 63 }));
  assert.equal(pair.framesOf(stream).length, 1_024, "63 bytes carry no message");
  pair.send(F.CREDIT, stream, msg.encodeCredit({ maxBytes: 65_536 + 64 }));
  assert.equal(pair.framesOf(stream).length, 1_025);

  const part = open();
  part.pair.session.send(part.stream, false, new Uint8Array(100_000), true);
  part.pair.run();
  const sent = part.pair.framesOf(part.stream);
  assert.equal(sent.reduce((sum, [, length]) => sum + length + Limit.MESSAGE_CHARGE, 0), 65_536);
  assert.ok(sent.every(([type]) => type === F.WS_BINARY_PART));
  part.pair.send(F.CREDIT, part.stream, msg.encodeCredit({ maxBytes: 65_536 + 64 }));
  assert.equal(part.pair.framesOf(part.stream).length, sent.length, "no part without a byte");

  const incoming = open();
  for (let i = 0; i < 1_024; i++) incoming.pair.send(F.WS_TEXT, incoming.stream);
  assert.equal(incoming.pair.closed(), undefined);
  incoming.pair.send(F.WS_TEXT, incoming.stream);
  assert.equal(incoming.pair.closed()?.code, ErrorCode.FLOW_CONTROL);
});

test("credit of a WebSocket comes back as its messages are taken (SES-044, SES-045)", () => {
  const { pair, stream } = open();
  for (let i = 0; i < 4; i++) pair.send(F.WS_BINARY, stream, new Uint8Array(8_192));
  assert.deepEqual(pair.types(), []);
  pair.session.consume(stream, 4 * (8_192 + Limit.MESSAGE_CHARGE));
  pair.run();
  assert.deepEqual(pair.seen.map(({ type, payload }) => [type, msg.decodeCredit(payload).maxBytes]), [[F.CREDIT, 65_536 + 33_024]]);
  // Of streams that are given up, nobody takes anything: the session's credit comes back by itself.
  for (let i = 0; i < 40; i++) {
    const other = pair.connect();
    pair.session.cancel(other);
    for (let k = 0; k < 5; k++) pair.send(F.WS_TEXT, other, new Uint8Array(12_000));
    pair.send(F.WS_CLOSE, other, closeFrame(1000));
    pair.send(F.WS_TEXT, other, new Uint8Array(100));
  }
  assert.equal(pair.closed(), undefined);
  assert.ok(pair.seen.some(({ type, stream: of }) => type === F.CREDIT && of === 0));
});

test("messages and bodies take turns on a lane, one frame each (SES-081, SES-082)", () => {
  const { pair, stream } = open([{ id: 2, value: 1_000_000 }, { id: 3, value: 1_000_000 }]);
  const post = pair.post();
  pair.seen.length = 0;
  pair.session.write(post, new Uint8Array(100_000));
  pair.session.send(stream, true, new Uint8Array(40_000), true);
  pair.session.send(stream, true, text("short"), true);
  pair.run();
  assert.deepEqual(pair.seen.map(({ stream: of }) => of).slice(0, 8), [post, stream, post, stream, post, stream, post, stream]);
});

test("a WebSocket without credit holds up nothing else (SES-082)", () => {
  const { pair, stream } = open();
  const post = pair.post();
  pair.session.send(stream, false, new Uint8Array(500_000), true);
  pair.session.write(post, new Uint8Array(60_000));
  pair.run();
  assert.equal(pair.bodyOf(post), 60_000);
});

test("a close goes behind the messages, and the stream is gone when both have closed (WSK-021)", () => {
  const { pair, stream } = open();
  pair.session.send(stream, true, text("last"), true);
  pair.session.end(stream, 4000, "done");
  pair.session.send(stream, true, text("too late"), true);
  pair.session.end(stream, 4001, "");
  pair.run();
  assert.deepEqual(pair.framesOf(stream).map(([type]) => type), [F.WS_TEXT, F.WS_CLOSE]);
  assert.deepEqual(msg.decodeWsClose(pair.seen.at(-1)?.payload ?? text("")), { code: 4000, reason: "done" });
  assert.equal(pair.session.idle, false);
  pair.send(F.WS_TEXT, stream, text("crossing"));
  pair.send(F.WS_CLOSE, stream, closeFrame(4000));
  assert.deepEqual(pair.kinds(), ["sent", "message", "close"]);
  assert.ok(pair.session.idle);
});

test("behind the other end's close no message begins, and one that has begun may end (WSK-014, WSK-021)", () => {
  const { pair, stream } = open();
  pair.session.send(stream, true, text("begun"), false);
  pair.run();
  // As much as uses the credit up, and more that waits.
  pair.session.send(stream, true, new Uint8Array(70_000), true);
  pair.session.send(stream, true, text("never"), true);
  pair.run();
  pair.send(F.WS_CLOSE, stream, closeFrame(1001, "leaving"));
  assert.deepEqual(pair.events.at(-1), { kind: "close", stream, code: 1001, reason: "leaving" });
  pair.session.send(stream, true, text("nor this"), true);
  pair.send(F.CREDIT, stream, msg.encodeCredit({ maxBytes: 1_000_000 }));
  pair.session.end(stream, 1001, "");
  pair.run();
  const types = pair.framesOf(stream).map(([type]) => type);
  assert.deepEqual(types.slice(-2), [F.WS_TEXT, F.WS_CLOSE]);
  assert.equal(types.filter((type) => type === F.WS_TEXT).length, 1);
  assert.ok(pair.session.idle);

  const stuck = open();
  stuck.pair.session.send(stuck.stream, true, new Uint8Array(70_000), true);
  stuck.pair.run();
  stuck.pair.send(F.WS_CLOSE, stuck.stream, closeFrame(1000));
  stuck.pair.session.end(stuck.stream, 1000, "");
  stuck.pair.run();
  assert.equal(stuck.pair.framesOf(stuck.stream).at(-1)?.[0], F.WS_CLOSE, "the close waits for no credit");
});

test("WS_CLOSE within a message cuts it off, in either direction (WSK-014)", () => {
  const { pair, stream } = open();
  pair.session.send(stream, false, text("half"), false);
  pair.session.end(stream, 1009, "");
  pair.run();
  pair.send(F.WS_TEXT_PART, stream, text("half of "));
  pair.send(F.WS_CLOSE, stream, closeFrame(1000));
  assert.deepEqual(pair.framesOf(stream).map(([type]) => type), [F.WS_BINARY_PART, F.WS_CLOSE]);
  assert.deepEqual(pair.kinds(), ["sent", "message", "close"]);
  assert.equal(pair.closed(), undefined);
});

test("close codes and reasons that may not travel are BAD_MESSAGE, and are not sent (WSK-020)", () => {
  const good: [number, string][] = [[0, ""], [1000, ""], [1000, "x".repeat(123)], [1001, "é".repeat(61)], [1003, ""], [1007, ""], [1014, ""], [3000, ""], [4999, "end"]];
  const bad: [number, string][] = [[0, "x"], [1, ""], [999, ""], [1004, ""], [1005, ""], [1006, ""], [1015, ""], [1016, ""], [2999, ""], [5000, ""], [65_536 + 1000, ""], [1000, "x".repeat(124)], [1000, "é".repeat(62)]];
  for (const [code, reason] of good) {
    const { pair, stream } = open();
    pair.send(F.WS_CLOSE, stream, closeFrame(code, reason));
    assert.deepEqual(pair.events.at(-1), { kind: "close", stream, code, reason });
    assert.doesNotThrow(() => pair.session.end(stream, code, reason), `${code} ${reason}`);
  }
  for (const [code, reason] of bad) {
    const { pair, stream } = open();
    pair.send(F.WS_CLOSE, stream, closeFrame(code, reason));
    const last = pair.events.at(-1);
    assert.equal(last?.kind === "failed" && last.code, ErrorCode.BAD_MESSAGE, `${code} ${reason}`);
    assert.deepEqual(pair.framesOf(stream).map(([type]) => type), [F.RESET], "the other half is over");
    assert.throws(() => pair.session.end(stream, code, reason), RangeError);
  }
});

test("RESET and STOP cut a WebSocket off (WSK-022, SES-024, ERR-002)", () => {
  const reset = open();
  reset.pair.send(F.WS_TEXT, reset.stream, text("before"));
  reset.pair.send(F.RESET, reset.stream, msg.encodeReset({ code: ErrorCode.UPSTREAM_FAILED, reason: "hung up" }));
  assert.deepEqual(reset.pair.kinds(), ["message", "failed"], "behind what came before");
  assert.deepEqual(reset.pair.framesOf(reset.stream).map(([type]) => type), [F.RESET]);
  assert.ok(reset.pair.session.idle);

  const stop = open();
  stop.pair.session.send(stop.stream, false, new Uint8Array(100_000), true);
  stop.pair.run();
  stop.pair.send(F.STOP, stop.stream, msg.encodeStop({ code: ErrorCode.INTERNAL }));
  const last = stop.pair.seen.at(-1);
  assert.deepEqual([last?.type, msg.decodeReset(last?.payload ?? text("")).code], [F.RESET, ErrorCode.INTERNAL]);
  stop.pair.send(F.CREDIT, stop.stream, msg.encodeCredit({ maxBytes: 1_000_000 }));
  assert.equal(stop.pair.seen.at(-1), last, "the rest of the message is dropped");
});

test("a WebSocket that is refused before it was acted upon may be tried again (SES-051, SES-071)", () => {
  const pair = new Pair();
  pair.hello();
  const [a, b] = [pair.connect(false), pair.connect()];
  pair.send(F.RESET, a, msg.encodeReset({ code: ErrorCode.REFUSED, reason: "" }));
  pair.send(F.GOAWAY, 0, msg.encodeGoAway({ code: 0, lastStream: a, reason: "" }));
  const retries = pair.events.flatMap((event) => (event.kind === "failed" ? [[event.stream, event.retry]] : []));
  assert.deepEqual(retries, [[a, true], [b, false]], "one that is open is not opened twice");
});
