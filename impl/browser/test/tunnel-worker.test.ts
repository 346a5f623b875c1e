import assert from "node:assert/strict";
import test from "node:test";
import { FrameType as F, decodeFrame, encodeFrame } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import type { SharedJar } from "../src/cookie/shared-jar.ts";
import type { FromTunnel, Patience, ToTunnel } from "../src/port/messages.ts";
import { Link } from "../src/worker/link.ts";
import { PortServer } from "../src/worker/port-server.ts";
import { WaitingRoom } from "../src/worker/waiting-room.ts";
import { type Seen, text } from "./agent-peer.ts";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** A data channel whose other end is the test. */
class FakeChannel {
  readyState = "open";
  bufferedAmount = 0;
  binaryType = "";
  bufferedAmountLowThreshold = 0;
  onmessage: ((event: { data: ArrayBuffer }) => void) | undefined;
  readonly sent: Seen[] = [];

  send(message: Uint8Array): void {
    const frame = decodeFrame(message);
    if (frame) this.sent.push({ lane: 0, ...frame });
  }

  close(): void {
    this.readyState = "closed";
  }

  deliver(type: number, stream: number, payload: Uint8Array = new Uint8Array()): void {
    this.onmessage?.({ data: encodeFrame(type, stream, payload).buffer });
  }

  count(type: number): number {
    return this.sent.filter((frame) => frame.type === type).length;
  }
}

const links: Link[] = [];
test.after(() => {
  for (const link of links) link.close("CLOSED", "the test is over");
});

/** A tunnel worker without its browser: room, one port, and a link when the test makes one. */
class Bench {
  readonly room = new WaitingRoom();
  readonly posted: FromTunnel[] = [];
  readonly port = { postMessage: (message: FromTunnel) => void this.posted.push(message), addEventListener: () => undefined, onmessage: undefined as ((event: { data: ToTunnel }) => void) | undefined };
  #next = 1;

  constructor() {
    const jar = { loaded: Promise.resolve(), get: () => "", set: () => undefined } as unknown as SharedJar;
    new PortServer(this.port as unknown as MessagePort, this.room, jar, () => undefined);
  }

  async connect(): Promise<{ channel: FakeChannel; link: Link }> {
    const channel = new FakeChannel();
    const link: Link = new Link([channel as unknown as RTCDataChannel], "test", {
      onReady: () => this.room.use(link),
      onOpen: () => undefined,
      onDraining: () => undefined,
      onClosed: () => this.room.use(undefined),
      onRoom: () => this.room.admit(),
    });
    links.push(link);
    await turn();
    channel.deliver(F.HELLO, 0, msg.encodeSessionHello({ versions: [1], settings: [], software: "agent" }));
    return { channel, link };
  }

  tell(message: ToTunnel): void {
    this.port.onmessage?.({ data: message });
  }

  async request(method: string, body: boolean, patience: Patience = "first"): Promise<number> {
    const id = this.#next++;
    this.tell({ t: "request", id, method, target: "/", fields: [], body, cookies: "none", patience });
    await turn();
    return id;
  }

  /** What was posted about an exchange. */
  heard(id: number): string[] {
    return this.posted.filter((message) => "id" in message && message.id === id).map(({ t }) => t);
  }
}

const streamOf = (id: number): number => 2 * id - 1;

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

// SES-072
test("the last words go out although a lot is buffered", async () => {
  const bench = new Bench();
  const { channel } = await bench.connect();
  channel.bufferedAmount = 10_000_000;
  channel.deliver(F.HELLO, 0, text("again"));
  assert.equal(channel.sent.at(-1)?.type, F.GOAWAY);
});
