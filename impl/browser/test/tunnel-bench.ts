/** A tunnel worker without its browser: waiting room, ports, and links whose other end is the test. */
import test from "node:test";
import { FrameType as F, decodeFrame, encodeFrame } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import type { SharedJar } from "../src/cookie/shared-jar.ts";
import type { FromSocket, FromTunnel, Patience, ToSocket, ToTunnel } from "../src/port/messages.ts";
import { Link } from "../src/worker/link.ts";
import { PortServer } from "../src/worker/port-server.ts";
import { WaitingRoom } from "../src/worker/waiting-room.ts";
import type { Seen } from "./agent-peer.ts";

export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** A data channel whose other end is the test. */
export class FakeChannel {
  readyState = "open";
  bufferedAmount = 0;
  binaryType = "";
  bufferedAmountLowThreshold = 0;
  onmessage: ((event: { data: ArrayBuffer }) => void) | undefined;
  onclose: (() => void) | undefined;
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

/** A port whose other end is the test. */
export class FakePort<To, From> {
  readonly posted: From[] = [];
  onmessage: ((event: { data: To }) => void) | undefined;
  #close: (() => void) | undefined;

  postMessage(message: From): void {
    this.posted.push(structuredClone(message));
  }

  addEventListener(_type: "close", listener: () => void): void {
    this.#close = listener;
  }

  tell(message: To): void {
    this.onmessage?.({ data: message });
  }

  /** The other end is gone. */
  vanish(): void {
    this.#close?.();
  }
}

export class Bench {
  readonly room = new WaitingRoom();
  readonly port = new FakePort<ToTunnel, FromTunnel>();
  /** Lines of `set-cookie` that were kept. */
  readonly cookies: string[] = [];
  #next = 1;

  constructor() {
    this.serve(this.port);
  }

  get posted(): FromTunnel[] {
    return this.port.posted;
  }

  serve<To, From>(port: FakePort<To, From>): void {
    const jar = { loaded: Promise.resolve(), get: (path: string) => (path.startsWith("/with-cookies") ? "a=b; c=\u00fc" : ""), set: (line: string) => void this.cookies.push(line) };
    const environment = { origin: "https://app.example", userAgent: "Browser/1", languages: ["de", "en"] };
    new PortServer(port as unknown as MessagePort, this.room, jar as unknown as SharedJar, environment, () => undefined);
  }

  /** The port of a page's new WebSocket. */
  async open(target = "/socket", protocols: string[] = []): Promise<FakePort<ToSocket, FromSocket>> {
    const port = new FakePort<ToSocket, FromSocket>();
    this.serve(port);
    port.tell({ t: "open", target, protocols });
    await turn();
    return port;
  }

  async connect(settings: msg.Setting[] = [], lanes = 1): Promise<{ channel: FakeChannel; channels: FakeChannel[]; link: Link }> {
    const channel = new FakeChannel();
    const channels = [channel, ...Array.from({ length: lanes - 1 }, () => new FakeChannel())];
    const link: Link = new Link(channels as unknown as RTCDataChannel[], "test", {
      onReady: () => this.room.use(link),
      onOpen: () => undefined,
      onDraining: () => undefined,
      onClosed: () => this.room.use(undefined),
      onRoom: () => this.room.admit(),
    });
    links.push(link);
    await turn();
    channel.deliver(F.HELLO, 0, msg.encodeSessionHello({ versions: [1], settings, software: "agent" }));
    return { channel, channels, link };
  }

  tell(message: ToTunnel): void {
    this.port.tell(message);
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

export const streamOf = (id: number): number => 2 * id - 1;
