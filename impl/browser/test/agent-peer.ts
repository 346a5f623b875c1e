/** A tiny agent-role peer for tests: it speaks frames and leaves every decision to the test. */
import { FrameType, decodeFrame, encodeFrame } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import type { SessionEvent } from "../src/session/event.ts";
import { Session } from "../src/session/session.ts";
import { DEFAULT_SETTINGS, type Settings } from "../src/session/settings.ts";

export interface Seen {
  lane: number;
  type: number;
  stream: number;
  payload: Uint8Array;
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const field = (name: string, value: string): msg.Field => ({ name, value: text(value) });

/** A session and its peer, with a clock of their own. */
export class Pair {
  now = 1_000;
  readonly session: Session;
  /** What the visitor has sent, oldest first. */
  readonly seen: Seen[] = [];
  readonly events: SessionEvent[] = [];
  readonly lanes: number;

  constructor(settings: Partial<Settings> = {}) {
    const all = { ...DEFAULT_SETTINGS, ...settings };
    this.lanes = all.lanes;
    this.session = new Session({ software: "test", settings: all }, this.now);
    this.run();
  }

  /** Moves everything that can move. */
  run(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (let lane = 0; lane < this.lanes; lane++) {
        const message = this.session.transmit(lane);
        if (!message) continue;
        const frame = decodeFrame(message);
        if (!frame) throw new Error("the visitor sent no frame");
        this.seen.push({ lane, ...frame });
        moved = true;
      }
      for (let event = this.session.poll(); event; event = this.session.poll()) this.events.push(event);
    }
  }

  send(type: number, stream: number, payload: Uint8Array = new Uint8Array(), lane = 0): void {
    this.sendRaw(encodeFrame(type, stream, payload), lane);
  }

  sendRaw(message: Uint8Array, lane = 0): void {
    this.session.receive(lane, message, this.now);
    this.run();
  }

  hello(settings: msg.Setting[] = [], versions = [1]): void {
    this.send(FrameType.HELLO, 0, msg.encodeSessionHello({ versions, settings, software: "agent" }));
  }

  respond(stream: number, status: number, fields: msg.Field[] = [], end = false, lane = 0): void {
    this.send(FrameType.RESPONSE, stream, msg.encodeResponse({ status, fields, end }), lane);
  }

  get(target = "/", fields: msg.Field[] = []): number {
    const stream = this.session.request({ method: "GET", target, fields, hasBody: false });
    this.run();
    return stream;
  }

  post(): number {
    const stream = this.session.request({ method: "POST", target: "/", fields: [], hasBody: true });
    this.run();
    return stream;
  }

  /** Asks for a WebSocket; with `accept`, the agent opens it. */
  connect(accept = true, protocols?: string): number {
    const stream = this.session.connect("/chat", protocols === undefined ? [] : [field("sec-websocket-protocol", protocols)]);
    this.run();
    if (accept) this.respond(stream, 200);
    return stream;
  }

  /** What was sent on a stream, without its head. */
  framesOf(stream: number): [type: number, length: number][] {
    return this.seen.filter((frame) => frame.stream === stream && frame.type !== FrameType.REQUEST).map(({ type, payload }) => [type, payload.length]);
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  types(): number[] {
    return this.seen.map(({ type }) => type);
  }

  /** The code and reason with which the session closed. */
  closed(): { code: number; by: string } | undefined {
    const event = this.events.find(({ kind }) => kind === "closed");
    return event?.kind === "closed" ? { code: event.code, by: event.by } : undefined;
  }

  bodyOf(stream: number): number {
    return this.seen
      .filter((frame) => frame.stream === stream && (frame.type === FrameType.DATA || frame.type === FrameType.DATA_END))
      .reduce((sum, frame) => sum + frame.payload.length, 0);
  }
}
