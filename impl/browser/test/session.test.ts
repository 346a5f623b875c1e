import assert from "node:assert/strict";
import test from "node:test";
import { FrameType as F } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import { ErrorCode, RequestError } from "../src/session/errors.ts";
import { Pair, field, text } from "./agent-peer.ts";

test("HELLO goes first, requests right behind it", () => {
  const pair = new Pair({ lanes: 4 });
  pair.get("/a?b=c");
  assert.deepEqual(pair.types(), [F.HELLO, F.REQUEST]);
  const [hello, request] = pair.seen;
  assert.deepEqual(msg.decodeSessionHello(hello?.payload ?? text("")), { versions: [1], settings: [{ id: 5, value: 4 }], software: "test" });
  const head = msg.decodeRequest(request?.payload ?? text(""));
  assert.deepEqual([head.method, head.target, head.end, request?.stream, request?.lane], ["GET", "/a?b=c", true, 1, 0]);
});

test("an exchange with interim response, body and trailers", () => {
  const pair = new Pair();
  const stream = pair.get();
  pair.hello();
  pair.respond(stream, 103, [field("link", "</a>")]);
  pair.respond(stream, 200, [field("content-length", "5")]);
  pair.send(F.DATA, stream, text("he"));
  pair.send(F.DATA, stream, text("llo"));
  pair.send(F.TRAILERS, stream, msg.encodeTrailers({ fields: [field("x", "y")] }));
  assert.deepEqual(pair.kinds(), ["open", "interim", "response", "data", "data", "end"]);
  assert.equal(pair.closed(), undefined);
});

test("bodies take turns, control goes first, END closes", () => {
  const pair = new Pair();
  pair.hello([{ id: 2, value: 1_000_000 }, { id: 3, value: 1_000_000 }]);
  const [a, b] = [pair.post(), pair.post()];
  pair.seen.length = 0;
  pair.session.write(a, new Uint8Array(40_000));
  pair.session.write(b, new Uint8Array(40_000));
  pair.session.finish(a);
  pair.session.finish(b);
  pair.run();
  assert.deepEqual(pair.seen.map(({ stream }) => stream), [a, b, a, b, a, b]);
  assert.deepEqual(pair.seen.slice(-2).map(({ type }) => type), [F.DATA_END, F.DATA_END]);
  assert.equal(pair.bodyOf(a), 40_000);
  assert.ok(pair.seen.every(({ payload }) => payload.length + 2 <= 16_384));
});

test("an empty end needs no credit", () => {
  const pair = new Pair();
  const stream = pair.post();
  pair.session.write(stream, new Uint8Array(65_536));
  pair.run();
  pair.session.finish(stream);
  pair.run();
  const last = pair.seen.at(-1);
  assert.deepEqual([last?.type, last?.payload.length], [F.DATA_END, 0]);
});

test("credit of stream and session limits what is sent", () => {
  const pair = new Pair();
  const streams = Array.from({ length: 5 }, () => pair.post());
  for (const stream of streams) pair.session.write(stream, new Uint8Array(100_000));
  pair.run();
  const sent = (): number => streams.reduce((sum, stream) => sum + pair.bodyOf(stream), 0);
  assert.equal(sent(), 262_144);
  for (const stream of streams) assert.ok(pair.bodyOf(stream) <= 65_536);
  pair.hello([{ id: 3, value: 300_000 }]);
  assert.equal(sent(), 300_000, "the initial credit is absolute");
  pair.send(F.CREDIT, 0, msg.encodeCredit({ maxBytes: 10 }));
  assert.equal(sent(), 300_000, "lower than before is ignored");
  pair.send(F.CREDIT, 0, msg.encodeCredit({ maxBytes: 1_000_000 }));
  assert.equal(sent(), 5 * 65_536);
  pair.send(F.CREDIT, streams[0] ?? 0, msg.encodeCredit({ maxBytes: 90_000 }));
  assert.equal(pair.bodyOf(streams[0] ?? 0), 90_000);
});

test("credit is granted once half of a window is consumed", () => {
  const pair = new Pair({ initialStreamCredit: 100_000, initialSessionCredit: 400_000 });
  const stream = pair.get();
  pair.hello();
  pair.respond(stream, 200);
  for (let i = 0; i < 10; i++) pair.send(F.DATA, stream, new Uint8Array(10_000));
  pair.seen.length = 0;
  pair.session.consume(stream, 40_000);
  pair.run();
  assert.equal(pair.seen.length, 0);
  pair.session.consume(stream, 10_000);
  pair.run();
  assert.deepEqual(pair.seen.map(({ type, stream: id, payload }) => [type, id, msg.decodeCredit(payload).maxBytes]), [[F.CREDIT, stream, 150_000]]);
  for (let i = 0; i < 5; i++) pair.send(F.DATA, stream, new Uint8Array(10_000));
  assert.equal(pair.closed(), undefined, pair.kinds().join());
});

test("more than the credit is a FLOW_CONTROL error", () => {
  const pair = new Pair();
  const stream = pair.get();
  pair.hello();
  pair.respond(stream, 200);
  for (let i = 0; i < 4; i++) pair.send(F.DATA, stream, new Uint8Array(16_000));
  pair.send(F.DATA, stream, new Uint8Array(1_537));
  assert.deepEqual(pair.closed(), { code: ErrorCode.FLOW_CONTROL, by: "self" });
  const last = pair.seen.at(-1);
  assert.equal(last?.type, F.GOAWAY);
});

test("bytes of streams that are gone return their session credit", () => {
  const pair = new Pair();
  const streams = Array.from({ length: 20 }, () => pair.get());
  pair.hello();
  for (const stream of streams) {
    pair.session.cancel(stream);
    pair.send(F.RESPONSE, stream, msg.encodeResponse({ status: 200, fields: [], end: false }));
    pair.send(F.DATA, stream, new Uint8Array(16_000));
    pair.send(F.DATA, stream, new Uint8Array(16_000));
    pair.send(F.RESET, stream, msg.encodeReset({ code: 6, reason: "" }));
    pair.send(F.DATA, stream, new Uint8Array(1_000));
  }
  assert.equal(pair.closed(), undefined);
  assert.ok(pair.seen.some(({ type, stream }) => type === F.CREDIT && stream === 0));
  assert.ok(pair.session.canOpen);
});

test("cancelling is RESET and STOP, and nothing more is heard", () => {
  const pair = new Pair();
  pair.hello();
  const stream = pair.post();
  pair.session.write(stream, text("abc"));
  pair.run();
  pair.seen.length = 0;
  pair.session.cancel(stream);
  pair.run();
  assert.deepEqual(pair.types(), [F.RESET, F.STOP]);
  pair.respond(stream, 200);
  pair.send(F.DATA_END, stream, text("x"));
  assert.deepEqual(pair.kinds().filter((kind) => kind !== "sent"), ["open"]);
});

test("a body that was cut off is a failure", () => {
  const pair = new Pair();
  const stream = pair.get();
  pair.hello();
  pair.respond(stream, 200);
  pair.send(F.DATA, stream, text("half"));
  pair.send(F.RESET, stream, msg.encodeReset({ code: ErrorCode.UPSTREAM_FAILED, reason: "hung up" }));
  const last = pair.events.at(-1);
  assert.deepEqual(last, { kind: "failed", stream, code: ErrorCode.UPSTREAM_FAILED, reason: "hung up", retry: false });
});

test("content-length is held to", () => {
  const cases: [string, string, number, boolean][] = [["5", "abcd", 200, false], ["3", "abcd", 200, false], ["4", "abcd", 200, true], ["4, 4", "abcd", 200, false]];
  for (const [declared, body, status, good] of cases) {
    const pair = new Pair();
    const stream = pair.get();
    pair.hello();
    pair.respond(stream, status, [field("content-length", declared)]);
    pair.send(F.DATA_END, stream, text(body));
    assert.equal(pair.events.at(-1)?.kind, good ? "end" : "failed", `${declared} for ${body}`);
    assert.equal(pair.closed(), undefined);
  }
  const pair = new Pair();
  const stream = pair.session.request({ method: "HEAD", target: "/", fields: [], hasBody: false });
  pair.hello();
  pair.respond(stream, 200, [field("content-length", "4000")], true);
  assert.equal(pair.events.at(-1)?.kind, "end");
});

// ERR-004
test("REFUSED before a response may be tried again", () => {
  const pair = new Pair();
  const stream = pair.get();
  pair.hello();
  pair.send(F.RESET, stream, msg.encodeReset({ code: ErrorCode.REFUSED, reason: "" }));
  pair.send(F.STOP, stream, msg.encodeStop({ code: ErrorCode.REFUSED }));
  const last = pair.events.at(-1);
  assert.equal(last?.kind === "failed" && last.retry, true);
});

test("STOP ends the request's body, not the exchange", () => {
  const pair = new Pair();
  const stream = pair.post();
  pair.hello();
  pair.session.write(stream, new Uint8Array(100));
  pair.run();
  pair.send(F.STOP, stream, msg.encodeStop({ code: 0 }));
  assert.equal(pair.seen.at(-1)?.type, F.RESET);
  pair.respond(stream, 413, [], true);
  assert.deepEqual(pair.kinds().slice(-3), ["stopped", "response", "end"]);
});

test("GOAWAY drains: streams above the last one are refused, others go on", () => {
  const pair = new Pair();
  const [a, b] = [pair.get(), pair.get()];
  pair.hello();
  pair.send(F.GOAWAY, 0, msg.encodeGoAway({ code: 0, lastStream: a, reason: "bye" }));
  const failed = pair.events.find(({ kind }) => kind === "failed");
  assert.deepEqual(failed?.kind === "failed" && [failed.stream, failed.retry], [b, true]);
  assert.equal(pair.session.canOpen, false);
  assert.throws(() => pair.get(), RequestError);
  pair.respond(a, 204, [], true);
  assert.equal(pair.events.at(-1)?.kind, "end");
  pair.send(F.GOAWAY, 0, msg.encodeGoAway({ code: 1, lastStream: 0, reason: "" }));
  assert.deepEqual(pair.closed(), { code: 1, by: "peer" });
});

test("PING after 15 s of silence, dead after three", () => {
  const pair = new Pair();
  pair.hello();
  pair.seen.length = 0;
  const start = pair.now;
  for (let second = 0; second < 60; second++) {
    pair.now = start + second * 1_000;
    pair.session.handleTimeout(pair.now);
    pair.run();
  }
  assert.deepEqual(pair.types(), [F.PING, F.PING, F.PING]);
  pair.now = start + 60_000;
  pair.session.handleTimeout(pair.now);
  pair.run();
  assert.equal(pair.closed()?.code, ErrorCode.IDLE_TIMEOUT);
  assert.equal(pair.session.nextTimeout, undefined);
});

test("a PONG keeps it alive, a PING is answered", () => {
  const pair = new Pair();
  pair.hello();
  for (let i = 0; i < 20; i++) {
    pair.now += 15_000;
    pair.session.handleTimeout(pair.now);
    pair.run();
    pair.send(F.PONG, 0, msg.encodePing({ token: 1 }));
  }
  assert.equal(pair.closed(), undefined);
  pair.send(F.PING, 0, msg.encodePing({ token: 99 }));
  const last = pair.seen.at(-1);
  assert.deepEqual([last?.type, msg.decodePing(last?.payload ?? text("")).token], [F.PONG, 99]);
});

test("lanes: none but the first before HELLO, then the quietest; a stream stays on its own", () => {
  const pair = new Pair({ lanes: 4 });
  pair.get();
  pair.hello([{ id: 5, value: 2 }]);
  const streams = [pair.get(), pair.get(), pair.get()];
  const lanes = pair.seen.filter(({ type }) => type === F.REQUEST).map(({ lane }) => lane);
  assert.deepEqual(lanes, [0, 1, 0, 1]);
  pair.respond(streams[0] ?? 0, 200, [], true, 1);
  assert.equal(pair.closed(), undefined);
  pair.respond(streams[1] ?? 0, 200, [], true, 1);
  assert.equal(pair.closed()?.code, ErrorCode.PROTOCOL);
});

test("frames that bring nothing are skipped, up to a budget that time and bytes fill again (SES-004, SES-090, SES-094)", () => {
  const kinds: [string, (pair: Pair, stream: number) => void, number][] = [
    ["unknown frames", (pair) => pair.send(0x1f * 99 + 0x21, 5, text("grease")), 1],
    ["PING", (pair) => pair.send(F.PING, 0, msg.encodePing({ token: 7 })), 1],
    ["CREDIT", (pair, stream) => pair.send(F.CREDIT, stream, msg.encodeCredit({ maxBytes: 9 })), 1],
    ["CREDIT of the session", (pair) => pair.send(F.CREDIT, 0, msg.encodeCredit({ maxBytes: 9 })), 1],
    ["frames of closed streams", (pair) => pair.respond(1, 200), 1],
    ["STOP", (pair) => pair.send(F.STOP, 1, msg.encodeStop({ code: 0 })), 2],
  ];
  for (const [name, act, cost] of kinds) {
    const pair = new Pair();
    pair.hello();
    pair.respond(pair.get(), 204, [], true);
    const stream = pair.get();
    const last = (): void => {
      for (let count = 0; count < 1_000; count += cost) act(pair, stream);
      assert.equal(pair.closed(), undefined, `${name}: an honest peer`);
      for (let count = 0; count <= 1_100 && !pair.closed(); count += cost) act(pair, stream);
    };
    last();
    assert.equal(pair.closed()?.code, ErrorCode.EXCESSIVE_LOAD, name);
  }
  const pair = new Pair();
  pair.hello();
  for (let second = 0; second < 60; second++) {
    pair.now += 1_000;
    for (let i = 0; i < 100; i++) pair.send(0x40, 0);
  }
  const stream = pair.get();
  pair.respond(stream, 200);
  for (let i = 0; i < 3_000; i++) {
    pair.send(F.DATA, stream, new Uint8Array(1_024));
    pair.session.consume(stream, 1_024);
    pair.send(F.CREDIT, 0, msg.encodeCredit({ maxBytes: 9 }));
  }
  assert.equal(pair.closed(), undefined, "a peer that keeps to the numbers");
});

test("what breaks the protocol", () => {
  const hello = msg.encodeSessionHello({ versions: [1], settings: [], software: "" });
  const setting = (id: number, value: number): Uint8Array => msg.encodeSessionHello({ versions: [1], settings: [{ id, value }], software: "" });
  const before: [string, number, (pair: Pair) => void][] = [
    ["first frame is no HELLO", ErrorCode.PROTOCOL, (pair) => pair.send(F.PING, 0)],
    ["no version in common", ErrorCode.VERSION, (pair) => pair.hello([], [2])],
    ["max_frame too small", ErrorCode.PROTOCOL, (pair) => pair.send(F.HELLO, 0, setting(1, 1_000))],
    ["max_frame too large", ErrorCode.PROTOCOL, (pair) => pair.send(F.HELLO, 0, setting(1, 65_537))],
    ["credit lowered", ErrorCode.PROTOCOL, (pair) => pair.send(F.HELLO, 0, setting(2, 1))],
    ["no lanes", ErrorCode.PROTOCOL, (pair) => pair.send(F.HELLO, 0, setting(5, 0))],
    ["HELLO damaged", ErrorCode.PROTOCOL, (pair) => pair.send(F.HELLO, 0, text("\x0a\x7f"))],
    ["HELLO on another lane", ErrorCode.PROTOCOL, (pair) => pair.send(F.HELLO, 0, hello, 1)],
  ];
  const after: typeof before = [
    ["second HELLO", ErrorCode.PROTOCOL, (pair) => pair.send(F.HELLO, 0, hello)],
    ["empty message", ErrorCode.PROTOCOL, (pair) => pair.sendRaw(new Uint8Array())],
    ["header cut off", ErrorCode.PROTOCOL, (pair) => pair.sendRaw(text("\x04"))],
    ["frame too long", ErrorCode.FRAME_SIZE, (pair) => pair.sendRaw(new Uint8Array(16_385))],
    ["never opened", ErrorCode.PROTOCOL, (pair) => pair.respond(99, 200)],
    ["even stream", ErrorCode.PROTOCOL, (pair) => pair.respond(2, 200)],
    ["stream 0", ErrorCode.PROTOCOL, (pair) => pair.send(F.DATA, 0, text("x"))],
    ["REQUEST from the agent", ErrorCode.PROTOCOL, (pair) => pair.send(F.REQUEST, 2)],
    ["PONG damaged", ErrorCode.PROTOCOL, (pair) => pair.send(F.PONG, 0, text("\x08"))],
    ["PING on a stream", ErrorCode.PROTOCOL, (pair) => pair.send(F.PING, 1)],
    ["DATA before RESPONSE", ErrorCode.PROTOCOL, (pair) => pair.send(F.DATA, 1, text("x"))],
    ["empty DATA", ErrorCode.PROTOCOL, (pair) => (pair.respond(1, 200), pair.send(F.DATA, 1))],
    ["second RESPONSE", ErrorCode.PROTOCOL, (pair) => (pair.respond(1, 200), pair.respond(1, 200))],
    ["RESPONSE damaged", ErrorCode.PROTOCOL, (pair) => pair.send(F.RESPONSE, 1, text("\x12\x05"))],
    ["lane not agreed on", ErrorCode.PROTOCOL, (pair) => pair.send(F.PING, 0, text(""), 1)],
  ];
  for (const [name, code, act] of before) {
    const pair = new Pair({ lanes: 2 });
    act(pair);
    assert.deepEqual(pair.closed(), { code, by: "self" }, name);
  }
  for (const [name, code, act] of after) {
    const pair = new Pair({ lanes: 2 });
    pair.get();
    pair.hello();
    act(pair);
    assert.deepEqual(pair.closed(), { code, by: "self" }, name);
    assert.equal(pair.seen.at(-1)?.type, F.GOAWAY, name);
  }
});

test("a response that breaks the rules of fields fails alone", () => {
  for (const bad of [field("Connection", "close"), field("transfer-encoding", "chunked"), field("a", "b\nc"), field("a", " b"), field("", "x")]) {
    const pair = new Pair();
    const stream = pair.get();
    pair.hello();
    pair.respond(stream, 200, [bad]);
    const last = pair.events.at(-1);
    assert.equal(last?.kind === "failed" && last.code, ErrorCode.BAD_MESSAGE, bad.name);
    assert.deepEqual(pair.types().slice(-1), [F.STOP]);
    assert.equal(pair.closed(), undefined);
  }
});

test("a response that breaks the rules and is over needs no STOP, and its stream is gone", () => {
  const pair = new Pair();
  pair.hello();
  const cases: [(stream: number) => void, number[]][] = [
    [(stream) => pair.respond(stream, 700, [], true), []],
    [(stream) => pair.respond(stream, 103, [], true), []],
    [(stream) => pair.respond(stream, 200, [field("content-length", "x")], true), []],
    [(stream) => pair.respond(stream, 200, [field("content-length", "5")], true), []],
    [(stream) => (pair.respond(stream, 200, [field("content-length", "1")]), pair.send(F.DATA_END, stream, text("ab"))), []],
    [(stream) => (pair.respond(stream, 200), pair.send(F.TRAILERS, stream, msg.encodeTrailers({ fields: [field("host", "x")] }))), []],
    [(stream) => pair.respond(stream, 700), [F.STOP]],
  ];
  for (const [act, answers] of cases) {
    for (let i = 0; i < 101 && answers.length === 0; i++) act(pair.get());
    const stream = pair.get();
    pair.seen.length = 0;
    act(stream);
    assert.deepEqual(pair.types(), answers);
    assert.equal(pair.events.at(-1)?.kind, "failed");
    assert.ok(pair.session.canOpen);
  }
  const post = pair.post();
  pair.seen.length = 0;
  pair.respond(post, 700, [], true);
  assert.deepEqual(pair.types(), [F.RESET], "its own half is still open");
});

test("a request that breaks the rules is not sent", () => {
  const pair = new Pair();
  const bad: [string, string, msg.Field[], number][] = [
    ["GET", "http://x/", [], ErrorCode.BAD_MESSAGE],
    ["GET", "*", [], ErrorCode.BAD_MESSAGE],
    ["GET", "/a b", [], ErrorCode.BAD_MESSAGE],
    ["GET", "//a", [], ErrorCode.BAD_MESSAGE],
    ["GET", "/a#b", [], ErrorCode.BAD_MESSAGE],
    ["G T", "/", [], ErrorCode.BAD_MESSAGE],
    ["CONNECT", "/", [], ErrorCode.BAD_MESSAGE],
    ["GET", "/", [field("host", "x")], ErrorCode.BAD_MESSAGE],
    ["GET", "/", [field("te", "gzip")], ErrorCode.BAD_MESSAGE],
    ["GET", "/", [field("cookie", "x".repeat(17_000))], ErrorCode.HEAD_TOO_LARGE],
  ];
  for (const [method, target, fields, code] of bad) {
    assert.throws(() => pair.session.request({ method, target, fields, hasBody: false }), (error: unknown) => error instanceof RequestError && error.code === code, `${method} ${target}`);
  }
  assert.equal(pair.session.request({ method: "OPTIONS", target: "*", fields: [], hasBody: false }), 1);
});

test("larger frames only when both ends say so", () => {
  const pair = new Pair({ maxFrame: 65_536 });
  pair.hello([{ id: 1, value: 32_768 }]);
  const stream = pair.get();
  pair.respond(stream, 200);
  pair.send(F.DATA, stream, new Uint8Array(32_766));
  assert.equal(pair.closed(), undefined);
  pair.send(F.DATA, stream, new Uint8Array(32_767));
  assert.equal(pair.closed()?.code, ErrorCode.FRAME_SIZE);
});

test("a flood of PINGs is not answered without end", () => {
  const pair = new Pair();
  pair.hello();
  for (let i = 0; i < 1_100; i++) pair.session.receive(0, Uint8Array.of(F.PING, 0, 8, 1), pair.now);
  pair.run();
  assert.equal(pair.closed()?.code, ErrorCode.EXCESSIVE_LOAD);
  const last = pair.seen.at(-1);
  assert.equal(last?.type, F.GOAWAY, "the peer is told (SES-072)");
  assert.equal(msg.decodeGoAway(last?.payload ?? text("")).code, ErrorCode.EXCESSIVE_LOAD);
  assert.equal(pair.kinds().filter((kind) => kind === "closed").length, 1);
});

// SES-004
test("a frame of an unknown type may overtake HELLO on another lane", () => {
  const pair = new Pair({ lanes: 2 });
  pair.send(0x40, 0, text("grease"), 1);
  assert.equal(pair.closed(), undefined);
  pair.send(F.PING, 0, text(""), 1);
  assert.equal(pair.closed()?.code, ErrorCode.PROTOCOL);
  const first = new Pair({ lanes: 2 });
  first.send(0x40, 0);
  assert.equal(first.closed()?.code, ErrorCode.PROTOCOL);
});

test("no more streams than the agent bears", () => {
  const pair = new Pair();
  for (let i = 0; i < 100; i++) pair.get();
  assert.equal(pair.session.canOpen, false);
  pair.hello([{ id: 4, value: 101 }]);
  assert.equal(pair.session.canOpen, true);
  pair.get();
  assert.equal(pair.session.canOpen, false);
  pair.respond(1, 200, [], true);
  assert.equal(pair.session.canOpen, true);
});
