/** WebSockets in the tunnel worker: between a page's port and a stream. */
import assert from "node:assert/strict";
import test from "node:test";
import { FrameType as F } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import { type FromSocket, PORT_WINDOW, type ToSocket } from "../src/port/messages.ts";
import { ErrorCode } from "../src/session/errors.ts";
import { valueText } from "../src/session/fields.ts";
import { field, text } from "./agent-peer.ts";
import { Bench, type FakeChannel, type FakePort, turn } from "./tunnel-bench.ts";
import { type Case, fromHex, testVectors } from "./vector-file.ts";

type Port = FakePort<ToSocket, FromSocket>;

const closeFrame = (code: number, reason = ""): Uint8Array => msg.encodeWsClose({ code, reason });
const later = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const kinds = (port: Port): string[] => port.posted.map(({ t }) => t);
const accept = (channel: FakeChannel, stream: number, fields: msg.Field[] = []): void =>
  channel.deliver(F.RESPONSE, stream, msg.encodeResponse({ status: 200, fields, end: false }));
const typesOn = (channel: FakeChannel, stream: number): number[] => channel.sent.filter((frame) => frame.stream === stream).map(({ type }) => type);

/** An open WebSocket on stream 1 of a new session. */
async function open(settings: msg.Setting[] = []): Promise<{ bench: Bench; port: Port; channel: FakeChannel; close: () => void }> {
  const bench = new Bench();
  const { channel, link } = await bench.connect(settings);
  const port = await bench.open();
  accept(channel, 1);
  return { bench, port, channel, close: () => link.close("CLOSED", "gone") };
}

test("the handshake is a browser's, with the jar's cookies (BRO-022, WSK-001, WSK-002)", async () => {
  const bench = new Bench();
  const { channel } = await bench.connect();
  const port = await bench.open("/with-cookies?x=y", ["v2", "v1"]);
  const head = msg.decodeRequest(channel.sent.at(-1)?.payload ?? text(""));
  assert.deepEqual([head.method, head.protocol, head.target, head.end], ["CONNECT", "websocket", "/with-cookies?x=y", false]);
  assert.deepEqual(Object.fromEntries(head.fields.map(({ name, value }) => [name, new TextDecoder().decode(value)])), {
    pragma: "no-cache",
    "cache-control": "no-cache",
    "user-agent": "Browser/1",
    origin: "https://app.example",
    "accept-language": "de,en;q=0.9",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "websocket",
    "sec-fetch-dest": "websocket",
    "sec-websocket-protocol": "v2, v1",
    cookie: "a=b; c=ü",
  });
  accept(channel, 1, [field("sec-websocket-protocol", "v1"), field("set-cookie", "s=1"), field("set-cookie", "t=2")]);
  assert.deepEqual(port.posted, [{ t: "accepted", protocol: "v1" }]);
  assert.deepEqual(bench.cookies, ["s=1", "t=2"]);
  await bench.open("/plain");
  assert.deepEqual(msg.decodeRequest(channel.sent.at(-1)?.payload ?? text("")).fields.filter(({ name }) => name === "cookie" || name.startsWith("sec-websocket")).map(({ value }) => valueText(value)), []);
});

test("a refusal fails the WebSocket, and keeps no cookies (BRO-021, BRO-022, WSK-004)", async () => {
  const bench = new Bench();
  const { channel } = await bench.connect();
  const port = await bench.open();
  channel.deliver(F.RESPONSE, 1, msg.encodeResponse({ status: 403, fields: [field("set-cookie", "s=1")], end: false }));
  assert.deepEqual(port.posted, [{ t: "closed", code: 1006, reason: "", clean: false, failed: "the app answered with status 403 (REFUSED)" }]);
  assert.deepEqual(bench.cookies, []);
  assert.deepEqual(typesOn(channel, 1), [F.REQUEST, F.STOP], "its content is not wanted");
  channel.deliver(F.DATA_END, 1, text("no"));
  const own = await bench.open();
  channel.deliver(F.RESPONSE, 3, msg.encodeResponse({ status: 502, fields: [field("p2claw-error", "UPSTREAM_UNAVAILABLE")], end: true }));
  assert.match(JSON.stringify(own.posted), /the tunnel answered 502 UPSTREAM_UNAVAILABLE/);
});

test("an app that chooses none of the subprotocols fails it, as in a browser (BRO-021)", async () => {
  const bench = new Bench();
  const { channel } = await bench.connect();
  const port = await bench.open("/", ["a"]);
  accept(channel, 1);
  const last = port.posted.at(-1);
  assert.ok(last?.t === "closed" && last.code === 1006 && last.failed !== undefined);
  assert.deepEqual(typesOn(channel, 1), [F.REQUEST, F.RESET, F.STOP]);
});

test("messages go both ways, in order, in parts (WSK-013)", async () => {
  const { port, channel } = await open();
  port.tell({ t: "message", text: true, bytes: text("one"), last: true });
  port.tell({ t: "message", text: false, bytes: text("two "), last: false });
  port.tell({ t: "message", text: false, bytes: text("parts"), last: true });
  assert.deepEqual(typesOn(channel, 1), [F.REQUEST, F.WS_TEXT, F.WS_BINARY_PART, F.WS_BINARY]);
  channel.deliver(F.WS_TEXT_PART, 1, text("Gr\u00fc").subarray(0, 3));
  channel.deliver(F.WS_TEXT, 1, text("Gr\u00fc\u00dfe").subarray(3));
  channel.deliver(F.WS_BINARY, 1, Uint8Array.of(1, 2));
  const heard = port.posted.flatMap((message) => (message.t === "message" ? [[typeof message.data === "string" ? message.data : [...message.data], message.last]] : []));
  assert.deepEqual(heard, [["Gr", false], ["\u00fc\u00dfe", true], [[1, 2], true]]);
});

test("a page hears how much of its messages has left, down to the last byte (BRO-023, SES-042)", async () => {
  const { port, channel } = await open();
  for (let i = 0; i < 3; i++) port.tell({ t: "message", text: false, bytes: new Uint8Array(40_000), last: true });
  const sent = (): number => port.posted.reduce((sum, message) => sum + (message.t === "sent" ? message.bytes : 0), 0);
  assert.ok(sent() < 65_536 && sent() > 20_000, `${sent()} bytes within the credit`);
  channel.deliver(F.CREDIT, 1, msg.encodeCredit({ maxBytes: 1_000_000 }));
  assert.equal(sent(), 120_000);
});

test("credit returns as the page takes messages, and no more than a window lies at the page (BRO-023, SES-045)", async () => {
  const { port, channel } = await open();
  const block = new Uint8Array(16_000);
  const count = 60;
  for (let i = 0; i < count; i++) channel.deliver(F.WS_BINARY, 1, block);
  const charge = block.length + 64;
  const posted = (): number => kinds(port).filter((kind) => kind === "message").length;
  assert.equal(posted(), Math.ceil(PORT_WINDOW / charge), "the page gets a window");
  assert.equal(channel.count(F.CREDIT), 0);
  for (let taken = 0; taken < count; taken++) port.tell({ t: "taken", charge });
  assert.equal(posted(), count);
  const credits = channel.sent.filter(({ type, stream }) => type === F.CREDIT && stream === 1).map(({ payload }) => msg.decodeCredit(payload).maxBytes);
  assert.ok(credits.length > 0 && credits.every((limit) => limit <= 1_048_576 + count * charge));
});

test("a page that closes sends its messages first and hears the other end's code (WSK-021, WSK-022)", async () => {
  const { port, channel } = await open();
  port.tell({ t: "message", text: true, bytes: text("last"), last: true });
  port.tell({ t: "close", code: 4000, reason: "done" });
  port.tell({ t: "message", text: true, bytes: text("late"), last: true });
  assert.deepEqual(typesOn(channel, 1), [F.REQUEST, F.WS_TEXT, F.WS_CLOSE]);
  channel.deliver(F.WS_TEXT, 1, text("crossing"));
  channel.deliver(F.WS_CLOSE, 1, closeFrame(4001, "so be it"));
  assert.deepEqual(kinds(port), ["accepted", "sent", "closed"], "who closes hears no message");
  assert.deepEqual(port.posted.at(-1), { t: "closed", code: 4001, reason: "so be it", clean: true });
});

test("a close of the app is answered at once, and told behind its messages (WSK-021, WSK-022)", async () => {
  for (const [code, told] of [[1000, 1000], [0, 1005], [4999, 4999]] as const) {
    const { port, channel } = await open();
    channel.deliver(F.WS_TEXT, 1, text("last words"));
    channel.deliver(F.WS_CLOSE, 1, closeFrame(code, code === 0 ? "" : "bye"));
    assert.deepEqual(kinds(port), ["accepted", "message", "closed"]);
    assert.deepEqual(port.posted.at(-1), { t: "closed", code: told, reason: code === 0 ? "" : "bye", clean: true });
    const answer = channel.sent.at(-1);
    assert.deepEqual([answer?.type, msg.decodeWsClose(answer?.payload ?? text("")).code], [F.WS_CLOSE, code]);
  }
});

test("RESET and the end of the session are 1006, without an error, behind the messages (WSK-022)", async () => {
  const reset = await open();
  reset.channel.deliver(F.WS_TEXT, 1, text("before"));
  reset.channel.deliver(F.RESET, 1, msg.encodeReset({ code: ErrorCode.UPSTREAM_FAILED, reason: "hung up" }));
  assert.deepEqual(reset.port.posted.slice(-2), [
    { t: "message", data: "before", last: true, charge: 70 },
    { t: "closed", code: 1006, reason: "", clean: false },
  ]);
  const lost = await open();
  lost.close();
  assert.deepEqual(lost.port.posted.at(-1), { t: "closed", code: 1006, reason: "", clean: false });
  const stopped = await open();
  // STOP may overtake the last messages and the RESET behind them.
  stopped.channel.deliver(F.STOP, 1, msg.encodeStop({ code: ErrorCode.CANCELLED }));
  stopped.channel.deliver(F.WS_TEXT, 1, text("last words"));
  stopped.channel.deliver(F.RESET, 1, msg.encodeReset({ code: ErrorCode.UPSTREAM_FAILED, reason: "hung up" }));
  assert.deepEqual(stopped.port.posted.slice(-2), [
    { t: "message", data: "last words", last: true, charge: 74 },
    { t: "closed", code: 1006, reason: "", clean: false },
  ]);
  assert.deepEqual(typesOn(stopped.channel, 1), [F.REQUEST, F.RESET]);
});

test("a text that is not UTF-8 is an error for the page (WSK-012)", async () => {
  const { port, channel } = await open();
  channel.deliver(F.WS_TEXT, 1, Uint8Array.of(0xff));
  const last = port.posted.at(-1);
  assert.ok(last?.t === "closed" && last.code === 1006 && last.failed?.includes("UTF-8"));
});

test("a page that goes away says 1001 behind its last words (BRO-024)", async () => {
  const { port, channel } = await open();
  port.tell({ t: "gone" });
  port.tell({ t: "message", text: true, bytes: text("bye"), last: true });
  await later(150);
  assert.deepEqual(typesOn(channel, 1), [F.REQUEST, F.WS_TEXT, F.WS_CLOSE]);
  assert.equal(msg.decodeWsClose(channel.sent.at(-1)?.payload ?? text("")).code, 1001);
  const dead = await open();
  dead.port.vanish();
  dead.port.vanish();
  await later(150);
  assert.deepEqual(typesOn(dead.channel, 1), [F.REQUEST, F.WS_CLOSE], "also where only the browser tells");
});

test("what pages that are gone have not taken returns to the session (SES-044, BRO-024)", async () => {
  const bench = new Bench();
  const { channel } = await bench.connect();
  const ports: Port[] = [];
  // More than half of the session's window, which is 100 MiB.
  for (let n = 0; n < 56; n++) {
    ports.push(await bench.open());
    accept(channel, 2 * n + 1);
    for (let i = 0; i < 60; i++) channel.deliver(F.WS_BINARY, 2 * n + 1, new Uint8Array(16_300));
    if (n % 2) channel.deliver(F.WS_CLOSE, 2 * n + 1, closeFrame(1000));
  }
  assert.ok(ports.every((port) => kinds(port).at(-1) === "message"), "no page has taken anything, nor heard of an end");
  assert.equal(channel.count(F.CREDIT), 0);
  for (const port of ports) port.tell({ t: "gone" });
  await later(150);
  assert.equal(channel.sent.filter(({ type, stream }) => type === F.CREDIT && stream === 0).length, 1);
  assert.equal(channel.count(F.WS_CLOSE), 56);
});

test("a WebSocket that is given up before it is open goes with RESET and STOP (BRO-024, WSK-005, SES-025)", async () => {
  const bench = new Bench();
  const waiting = await bench.open();
  waiting.tell({ t: "gone" });
  const { channel } = await bench.connect();
  assert.equal(channel.count(F.REQUEST), 0, "not even asked for");
  const port = await bench.open();
  port.tell({ t: "gone" });
  assert.deepEqual(typesOn(channel, 1), [F.REQUEST, F.RESET, F.STOP]);
  accept(channel, 1);
  channel.deliver(F.WS_TEXT, 1, text("nobody hears it"));
  assert.ok(!kinds(port).includes("message"));
});

test("it waits for a session, is tried again when refused, and fails when none comes (SES-051, BRO-016)", async () => {
  const bench = new Bench();
  const port = await bench.open();
  assert.deepEqual(port.posted, []);
  const { channel } = await bench.connect();
  assert.equal(channel.count(F.REQUEST), 1);
  channel.deliver(F.RESET, 1, msg.encodeReset({ code: ErrorCode.REFUSED, reason: "" }));
  channel.deliver(F.STOP, 1, msg.encodeStop({ code: ErrorCode.REFUSED }));
  await later(150);
  assert.equal(channel.count(F.REQUEST), 2);
  // STOP may come first.
  channel.deliver(F.STOP, 3, msg.encodeStop({ code: ErrorCode.REFUSED }));
  channel.deliver(F.RESET, 3, msg.encodeReset({ code: ErrorCode.REFUSED, reason: "" }));
  await later(300);
  accept(channel, 5);
  assert.deepEqual(kinds(port), ["accepted"]);
  const none = new Bench();
  none.room.stop();
  const failed = (await none.open()).posted.at(-1);
  assert.ok(failed?.t === "closed" && failed.failed?.includes("no connection"));
});

test("an agent that drains closes its WebSockets, and the session ends when all frames are out (WSK-024, SES-070)", async () => {
  const { port, channel } = await open();
  channel.deliver(F.GOAWAY, 0, msg.encodeGoAway({ code: 0, lastStream: 1, reason: "stopping" }));
  assert.equal(channel.readyState, "open");
  channel.deliver(F.WS_CLOSE, 1, closeFrame(1001));
  assert.deepEqual(port.posted.at(-1), { t: "closed", code: 1001, reason: "", clean: true });
  await turn();
  assert.deepEqual(channel.sent.slice(-2).map(({ type }) => type), [F.WS_CLOSE, F.GOAWAY]);
  assert.equal(channel.readyState, "closed");
});

// WSK-020, WSK-022
testVectors("websocket-closes", {
  "ws-close": async ({ input, result, application_code, reason }: Case<string>) => {
    const { port, channel } = await open();
    channel.deliver(F.WS_CLOSE, 1, fromHex(input));
    const { t, code, reason: told, clean } = port.posted.at(-1) as Extract<FromSocket, { t: "closed" }>;
    if (result === "valid") assert.deepEqual([t, code, told, clean], ["closed", application_code, reason, true]);
    else if (result === "invalid") assert.deepEqual([t, code, clean], ["closed", 1006, false]);
  },
});
