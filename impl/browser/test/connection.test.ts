/** One attempt at a session, with a peer connection and a coord that are the test. */
import assert from "node:assert/strict";
import test from "node:test";
import { PbfWriter } from "pbf";
import * as pb from "../src/codec/protobuf.ts";
import { Connection } from "../src/shell/connection.ts";
import { Pins } from "../src/shell/pins.ts";
import type { VisitError } from "../src/shell/visit-error.ts";
import { encodeStatement, fingerprint, line, sdp, signed } from "./agent-statement.ts";

class FakePeer {
  static last: FakePeer | undefined;
  iceConnectionState = "new";
  connectionState = "new";
  closed = false;
  readonly channels: unknown[][] = [];
  oniceconnectionstatechange: (() => void) | undefined;
  onicecandidate: ((event: { candidate: { candidate: string; sdpMid: string } | null }) => void) | undefined;
  constructor() {
    FakePeer.last = this;
  }
  createDataChannel(...channel: unknown[]): object {
    this.channels.push(channel);
    return {};
  }
  createOffer(): Promise<{ type: string; sdp: string }> {
    return Promise.resolve({ type: "offer", sdp: sdp(line(1)) });
  }
  setLocalDescription(): Promise<void> {
    return Promise.resolve();
  }
  setRemoteDescription(): Promise<void> {
    return Promise.resolve();
  }
  addIceCandidate(): Promise<void> {
    return Promise.resolve();
  }
  close(): void {
    this.closed = true;
  }
}

const turns = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

/** Begins a visit and answers it; `send` brings further bytes of signaling. */
async function answered(): Promise<{ connection: Connection; peer: FakePeer; failures: VisitError[]; send: (bytes: Uint8Array) => void; answer: Uint8Array; signal: AbortSignal }> {
  let nonce = new Uint8Array();
  let signal = new AbortController().signal;
  let coord: ReadableStreamDefaultController<Uint8Array> | undefined;
  globalThis.RTCPeerConnection = FakePeer as unknown as typeof RTCPeerConnection;
  globalThis.fetch = (_input, init) => {
    if (init?.method !== "POST") return Promise.resolve(new Response(null, { status: 404 }));
    pb.decode(init.body as Uint8Array, (tag, _holder, reader) => {
      if (tag === 3) nonce = pb.bytes(reader).slice();
    }, {});
    signal = init.signal ?? signal;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (coord = controller) });
    return Promise.resolve(new Response(body, { status: 201, headers: { location: "/.well-known/p2claw/v1/visits/0" } }));
  };
  const failures: VisitError[] = [];
  let verified = false;
  const connection = new Connection({ alias: "acme", app: "recipes" }, new Pins("https://app.example", "", { read: () => Promise.resolve(undefined), add: (pin) => Promise.resolve(pin) }), {
    onChannels: () => undefined,
    onVerified: () => (verified = true),
    onFailed: (error) => failures.push(error),
  });
  await turns();
  const statement = encodeStatement({ version: 1, alias: "acme", app: "recipes", nonce, visitor: fingerprint(1), agent: fingerprint(2), expires: Date.now() + 50_000 });
  const writer = new PbfWriter();
  writer.writeMessage(1, (_: null, inner) => {
    inner.writeStringField(2, sdp(line(2)));
    inner.writeBytesField(3, statement);
    inner.writeBytesField(4, signed(statement));
  }, null);
  const event = writer.finish();
  const length = new PbfWriter();
  length.writeVarint(event.length);
  const answer = Uint8Array.from([...length.finish(), ...event]);
  coord?.enqueue(answer);
  await turns();
  assert.ok(verified, String(failures[0]));
  return { connection, peer: FakePeer.last ?? new FakePeer(), failures, send: (bytes) => coord?.enqueue(bytes), answer, signal };
}

// RTC-002, RTC-003
test("lanes are agreed on beforehand, with the numbers of the lanes", async () => {
  const { connection, peer } = await answered();
  assert.deepEqual(peer.channels, [0, 1, 2, 3].map((id) => ["p2claw", { negotiated: true, id, ordered: true }]));
  connection.close();
});

// RTC-011
test("the offer waits for no candidate, and those that come later follow it", async () => {
  // Nothing has been gathered when the answer is here.
  const { connection, peer } = await answered();
  const updates: [string, string[]][] = [];
  globalThis.fetch = (input, init) => {
    const candidates: string[] = [];
    pb.decode(init?.body as Uint8Array, (tag, _holder, reader) => {
      if (tag === 1) pb.message(reader, (inner) => void (inner === 2 && candidates.push(pb.string(reader))), {});
    }, {});
    updates.push([String(input), candidates]);
    return Promise.resolve(new Response(null, { status: 204 }));
  };
  const gathered = (candidate: string): void => peer.onicecandidate?.({ candidate: { candidate, sdpMid: "0" } });
  gathered("candidate:1");
  gathered("candidate:2");
  await turns();
  gathered("candidate:3");
  await turns();
  assert.deepEqual(updates, [["/.well-known/p2claw/v1/visits/0", ["candidate:1", "candidate:2"]], ["/.well-known/p2claw/v1/visits/0", ["candidate:3"]]]);
  connection.close();
});

// SIG-018
test("signaling out of order ends a visit, but no session", async () => {
  const early = await answered();
  early.send(early.answer);
  await turns();
  assert.deepEqual(early.failures.map(({ code }) => code), ["MALFORMED"]);
  assert.ok(early.peer.closed && early.signal.aborted);

  for (const bytes of ["answer", "rubbish"]) {
    const open = await answered();
    open.connection.opened();
    open.send(bytes === "answer" ? open.answer : new Uint8Array(20).fill(0xff));
    await turns();
    assert.deepEqual([open.failures, open.peer.closed], [[], false], bytes);
    open.connection.close();
  }
});

// SIG-030
test("signaling ends when the session is open and ICE has chosen", async () => {
  const first = await answered();
  first.connection.opened();
  assert.ok(!first.signal.aborted, "a better path may still come");
  first.peer.iceConnectionState = "completed";
  first.peer.oniceconnectionstatechange?.();
  assert.ok(first.signal.aborted);
  await turns();
  assert.deepEqual([first.failures, first.peer.closed], [[], false]);

  const second = await answered();
  second.peer.iceConnectionState = "completed";
  second.peer.oniceconnectionstatechange?.();
  assert.ok(!second.signal.aborted, "there is no session yet");
  second.connection.opened();
  assert.ok(second.signal.aborted);
  for (const { connection } of [first, second]) connection.close();
});

// SIG-013, SIG-018
test("an agent that sends more candidates than it may, or bad ones, is refused; an end behind the answer is none", async () => {
  const event = (tag: number, write: (writer: PbfWriter) => void): Uint8Array => {
    const writer = new PbfWriter();
    writer.writeMessage(tag, (_: null, inner) => write(inner), null);
    const bytes = writer.finish();
    return Uint8Array.from([bytes.length, ...bytes]);
  };
  const candidate = event(2, (inner) => inner.writeStringField(2, "candidate:1 1 udp 1 192.0.2.7 1 typ host"));
  const many = await answered();
  for (let i = 0; i < 128; i++) many.send(candidate);
  await turns();
  assert.deepEqual(many.failures, []);
  many.send(candidate);
  await turns();
  assert.deepEqual(many.failures.map(({ code }) => code), ["MALFORMED"]);

  const bad = await answered();
  bad.send(event(2, (inner) => inner.writeStringField(2, "candidate:1\r\na=fingerprint:sha-256 00")));
  await turns();
  assert.deepEqual([bad.failures.map(({ code }) => code), bad.peer.closed], [["MALFORMED"], true]);

  const ended = await answered();
  ended.send(event(3, (inner) => inner.writeVarintField(2, 13)));
  await turns();
  assert.deepEqual([ended.failures, ended.peer.closed], [[], false], "the connection goes on");
  ended.connection.close();
});
