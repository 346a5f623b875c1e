/**
 * Plays the sequences of a session (conformance/vectors/README.md, "Sequences of a session") against
 * the visitor's end. The application takes everything at once, unless a case says otherwise.
 */
import assert from "node:assert/strict";
import { FrameType, decodeFrame } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import { ErrorCode, RequestError, errorName } from "../src/session/errors.ts";
import type { SessionEvent } from "../src/session/event.ts";
import { Session } from "../src/session/session.ts";
import { DEFAULT_SETTINGS, type Settings } from "../src/session/settings.ts";
import { chargeOf } from "../src/session/websocket.ts";
import { type Thing, joinedEvents, joinedFrames, matchAll, matchInOrder, plainEvent } from "./sequence-form.ts";
import { type Case, fromHex, fromPieces } from "./vector-file.ts";

export interface Step {
  receive?: string;
  then?: { hex: string; times: number };
  lane?: number;
  times?: number;
  call?: string;
  wait_ms?: number;
  stream?: string;
  method?: string;
  target?: string;
  fields?: [string, string][];
  end?: boolean;
  protocol?: string;
  hex?: string;
  bytes?: number;
  kind?: string;
  last?: boolean;
  code?: number | string;
  reason?: string;
  trailers?: unknown;
  refused?: boolean;
  sends?: Thing[];
  may_send?: Thing[];
  events?: Thing[];
  may_tell?: Thing[];
  pings?: number;
  credit?: Record<string, { at_least: string; at_most: string }>;
  charge?: Record<string, { at_most: string }>;
}

export interface Sequence {
  role: string;
  settings?: Record<string, number | string>;
  take?: boolean;
  steps: Step[];
}

/** A call that this end has no way to make. */
class NoSuchCall extends Error {}

const NAMES = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]));
/** Frames that the vectors say nothing about. */
const UNSAID: ReadonlySet<number> = new Set([FrameType.HELLO, FrameType.CREDIT, FrameType.PING]);

export class Player {
  readonly #session: Session;
  readonly #settings: Settings;
  readonly #takes: boolean;
  #now = 1_000_000;
  /** Since the last comparison. */
  #sent: Thing[] = [];
  #told: Thing[] = [];
  /** Body bytes and charges that the application has not taken, by stream. */
  readonly #waiting = new Map<number, { event: SessionEvent; charge: number }[]>();
  #pings = 0;
  readonly #granted = new Map<number, number>();
  readonly #charged = new Map<number, number>();
  #last: { type: number; payload: Uint8Array } | undefined;
  /** All that was compared. */
  readonly #gone: Thing[] = [];
  /** Streams whose half had been given up when the last message came. */
  #givenUpBefore = new Set<unknown>();
  /** Parts of messages that have not ended, by stream. */
  readonly #begun = new Map<unknown, (string | Uint8Array)[]>();
  /** It has sent what it need not have, and so ended its own half. */
  gaveUp = false;

  constructor({ settings = {}, take = true }: Sequence) {
    const named = Object.entries(settings).map(([name, value]) => [name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), Number(value)]);
    this.#settings = { ...DEFAULT_SETTINGS, ...(Object.fromEntries(named) as Partial<Settings>) };
    this.#takes = take;
    this.#session = new Session({ software: "test", settings: this.#settings }, this.#now);
    this.#run();
  }

  play(step: Step): void {
    for (let time = 0; time < (step.times ?? 1); time++) this.#act(step);
    if (step.sends || step.events) this.#compare(step);
    if (step.pings !== undefined) assert.equal(this.#pings, step.pings, "PINGs");
    for (const [of, { at_least, at_most }] of Object.entries(step.credit ?? {})) {
      const granted = this.#grantOf(of);
      assert.ok(granted >= Number(at_least) && granted <= Number(at_most), `credit of ${of}: ${granted} is not from ${at_least} to ${at_most}`);
    }
    for (const [of, { at_most }] of Object.entries(step.charge ?? {})) {
      const charged = this.#charged.get(of === "session" ? 0 : Number(of)) ?? 0;
      assert.ok(charged <= Number(at_most), `charge of ${of}: ${charged} is more than ${at_most}`);
    }
  }

  /** Behind the last step of a case that ends the session. */
  endedWith(error: unknown): void {
    assert.ok(this.#session.closed, "the session is over");
    assert.equal(this.#last?.type, FrameType.GOAWAY, "GOAWAY is the last frame");
    assert.equal(errorName(msg.decodeGoAway(this.#last?.payload ?? new Uint8Array()).code), error);
  }

  get closed(): boolean {
    return this.#session.closed;
  }

  #act(step: Step): void {
    if (step.receive !== undefined) {
      this.#givenUpBefore = new Set(this.#sent.concat(this.#gone).flatMap((thing) => (thing["type"] === "RESET" ? [thing["stream"]] : [])));
      this.#session.receive(step.lane ?? 0, fromPieces({ hex: step.receive, then: step.then }), this.#now);
    } else if (step.wait_ms !== undefined) {
      this.#wait(step.wait_ms);
    } else {
      this.#call(step);
    }
    this.#run();
  }

  #wait(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (let next = this.#session.nextTimeout; next !== undefined && next <= end; next = this.#session.nextTimeout) {
      this.#now = next;
      this.#session.handleTimeout(next);
      this.#run();
    }
    this.#now = end;
  }

  #call(step: Step): void {
    const stream = Number(step.stream);
    const bytes = step.hex === undefined ? new Uint8Array(step.bytes ?? 0).fill(0x78) : fromHex(step.hex);
    switch (step.call) {
      case "open":
        return this.#open(step, stream);
      case "write":
        return this.#session.write(stream, bytes);
      case "finish":
        if (step.trailers) throw new NoSuchCall("this client sends no trailers");
        return this.#session.finish(stream);
      case "cancel":
        return this.#session.cancel(stream);
      case "message":
        return turnedDown(step, RangeError, () => this.#session.send(stream, step.kind === "text", bytes, step.last !== false));
      case "close":
        return turnedDown(step, RangeError, () => this.#session.end(stream, Number(step.code), step.reason ?? ""));
      case "take":
        return this.#take(stream, step.bytes ?? 0);
      case "path_lost":
        return this.#session.pathLost(this.#now);
      case "path_found":
        return this.#session.pathFound();
      case "end":
        return this.#session.close(ErrorCode[step.code as keyof typeof ErrorCode], "a defect");
      default:
        throw new NoSuchCall(`no call ${step.call}`);
    }
  }

  #open(step: Step, stream: number): void {
    const fields = (step.fields ?? []).map(([name, value]) => ({ name, value: new TextEncoder().encode(value) }));
    turnedDown(step, RequestError, () => {
      const id = step.protocol === "websocket" ? this.#session.connect(step.target ?? "", fields)
        : this.#session.request({ method: step.method ?? "", target: step.target ?? "", fields, hasBody: step.end !== true });
      assert.equal(id, stream);
    });
  }

  /** Moves what can move. */
  #run(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (let event = this.#session.poll(); event; event = this.#session.poll()) this.#hear(event);
      for (let lane = 0; lane < this.#settings.lanes; lane++) {
        for (let message = this.#session.transmit(lane); message; message = this.#session.transmit(lane)) {
          this.#see(lane, message);
          moved = true;
        }
      }
    }
  }

  #see(lane: number, message: Uint8Array): void {
    const frame = decodeFrame(message);
    assert.ok(frame, "every message is a frame");
    const { type, stream, payload } = frame;
    this.#last = frame;
    const charge = chargeOf(type, payload.length);
    for (const of of [0, stream]) this.#charged.set(of, (this.#charged.get(of) ?? 0) + charge);
    if (type === FrameType.PING) this.#pings += 1;
    if (type === FrameType.CREDIT) this.#granted.set(stream, Math.max(this.#granted.get(stream) ?? 0, msg.decodeCredit(payload).maxBytes));
    if (UNSAID.has(type) || !NAMES.has(type)) return;
    const thing: Thing = { type: NAMES.get(type), stream: String(stream), lane, payload };
    if (type === FrameType.REQUEST) {
      const { method, end, protocol } = msg.decodeRequest(payload);
      Object.assign(thing, { method, end, protocol });
    } else if (type === FrameType.RESET) thing["code"] = errorName(msg.decodeReset(payload).code);
    else if (type === FrameType.STOP) thing["code"] = errorName(msg.decodeStop(payload).code);
    else if (type === FrameType.PONG) thing["token"] = String(BigInt(decimalToken(payload)));
    else if (type === FrameType.WS_CLOSE) thing["code"] = msg.decodeWsClose(payload).code;
    else if (type === FrameType.GOAWAY) {
      const { code, lastStream } = msg.decodeGoAway(payload);
      Object.assign(thing, { code: errorName(code), last_stream: String(lastStream) });
    }
    this.#sent.push(thing);
  }

  #hear(event: SessionEvent): void {
    if (event.kind === "data" || event.kind === "message") {
      const charge = event.kind === "data" ? event.bytes.length : event.charge;
      const waiting = this.#waiting.get(event.stream) ?? [];
      this.#waiting.set(event.stream, waiting);
      waiting.push({ event, charge });
      if (this.#takes) this.#take(event.stream, charge);
      return;
    }
    const thing = plainEvent(event);
    // Nobody hears of an end before the bytes that came before it.
    const waiting = "stream" in event ? this.#waiting.get(event.stream) : undefined;
    if (waiting && waiting.length > 0) waiting.push({ event, charge: 0 });
    else if (thing) this.#told.push(thing);
  }

  #take(stream: number, charge: number): void {
    this.#session.consume(stream, charge);
    const waiting = this.#waiting.get(stream) ?? [];
    for (let left = charge; ; ) {
      const head = waiting[0];
      if (!head || (left === 0 && head.charge > 0)) return;
      if (head.charge > left) throw new NoSuchCall("this client takes pieces as they came");
      left -= head.charge;
      waiting.shift();
      const { event } = head;
      if (event.kind === "data") this.#told.push({ event: "data", stream: String(stream), raw: event.bytes });
      else if (event.kind === "message") this.#told.push({ event: "message", stream: String(stream), data: event.data, last: event.last });
      else this.#told.push(plainEvent(event) ?? {});
    }
  }

  #grantOf(of: string): number {
    if (of === "session") return Math.max(this.#granted.get(0) ?? 0, this.#settings.initialSessionCredit);
    return Math.max(this.#granted.get(Number(of)) ?? 0, this.#settings.initialStreamCredit);
  }

  #compare({ sends = [], may_send = [], events = [], may_tell = [] }: Step): void {
    const sent = joinedFrames(this.#sent);
    const told = joinedEvents(this.#told, this.#begun);
    this.#gone.push(...this.#sent);
    this.#sent = [];
    this.#told = [];
    const wanted = sends.flatMap(({ times, ...thing }) => Array.from({ length: Number(times ?? 1) }, () => thing));
    this.gaveUp ||= matchAll("sends", sent, wanted, may_send).length > 0;
    // Their order is said for each stream only.
    for (const stream of new Set([...told, ...events, ...may_tell].map(({ stream: of }) => of))) {
      const of = (things: Thing[]): Thing[] => things.filter((thing) => thing["stream"] === stream);
      // What has been given up cannot be stopped any more.
      const wanted = of(events).filter(({ event }) => event !== "stopped" || !this.#givenUpBefore.has(stream));
      matchInOrder(of(told), wanted, of(may_tell));
    }
  }
}

/** Makes a call that has to go through, or to be turned down with such an error, or in silence. */
function turnedDown({ refused }: Step, kind: new (...parameters: never[]) => Error, call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!refused || !(error instanceof kind)) throw error;
  }
}

/** A token as decimal text: it may have 64 bits. */
function decimalToken(payload: Uint8Array): bigint {
  return payload.slice(1).reduceRight((value, byte) => (value << 7n) | BigInt(byte & 0x7f), 0n);
}

/**
 * Plays one case. Says why where it is not played to its end: it needs a call that this client does
 * not have, or it is one of `OwnHalfOpen` and this client has closed the stream before its last step.
 */
export function playSequence({ input, result, error, scope, flags }: Case<Sequence>): void | string {
  const player = new Player(input);
  const ends = result === "invalid" && scope === "session";
  for (const [index, step] of input.steps.entries()) {
    const { sends: _, events: __, ...bare } = step;
    try {
      // With the error that ends the session, nothing else of the step is compared.
      const isLast = index === input.steps.length - 1;
      player.play(result === "acceptable" || (ends && isLast) ? bare : step);
    } catch (fault) {
      if (fault instanceof NoSuchCall) return fault.message;
      if (fault instanceof Error) fault.message = `step ${index} (${JSON.stringify(step).slice(0, 200)}): ${fault.message}`;
      throw fault;
    }
  }
  if (result === "acceptable") return;
  if (flags.includes("OwnHalfOpen") && player.gaveUp && !player.closed) return "OwnHalfOpen";
  if (ends) player.endedWith(error);
}
