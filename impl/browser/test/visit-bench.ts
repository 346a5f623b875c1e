/** A visitor's connection whose browser and coord are the test. */
import { PbfWriter } from "pbf";
import * as pb from "../src/codec/protobuf.ts";
import { Connection } from "../src/shell/connection.ts";
import { Pins } from "../src/shell/pins.ts";
import type { VisitError } from "../src/shell/visit-error.ts";
import { encodeStatement, fingerprint, line, sdp, signed } from "./agent-statement.ts";

export type Gathered = { candidate: string; sdpMid: string; usernameFragment?: string };

/** The peer connection of the last `Bench`. */
export class FakePeer {
  static last = new FakePeer();
  iceConnectionState = "new";
  connectionState = "new";
  sctp: { transport: { state: string; iceTransport: EventTarget } } | null = null;
  closed = false;
  readonly channels: unknown[][] = [];
  /** What was done with it, in order. */
  readonly done: string[] = [];
  /** Types of the two candidates in use. */
  types: [local: string, remote: string] = ["host", "prflx"];
  #offers = 0;
  oniceconnectionstatechange: (() => void) | undefined;
  onconnectionstatechange: (() => void) | undefined;
  onicecandidate: ((event: { candidate: Gathered | null }) => void) | undefined;
  ondatachannel: unknown;
  constructor() {
    FakePeer.last = this;
  }
  createDataChannel(...channel: unknown[]): object {
    this.channels.push(channel);
    return {};
  }
  createOffer({ iceRestart }: RTCOfferOptions): Promise<{ type: string; sdp: string }> {
    this.#offers += 1;
    this.done.push(iceRestart ? "restarting offer" : "offer");
    return Promise.resolve({ type: "offer", sdp: sdp(`a=ice-ufrag:offer${this.#offers}\r\n`, line(1)) });
  }
  setLocalDescription({ type }: { type: string }): Promise<void> {
    this.done.push(`local ${type}`);
    return Promise.resolve();
  }
  setRemoteDescription({ type }: { type: string }): Promise<void> {
    this.done.push(`remote ${type}`);
    return Promise.resolve();
  }
  addIceCandidate({ candidate }: { candidate: string }): Promise<void> {
    this.done.push(candidate === "" ? "the last candidate" : "candidate");
    return Promise.resolve();
  }
  getStats(): Promise<Map<string, object>> {
    const [local, remote] = this.types;
    return Promise.resolve(new Map<string, object>([
      ["T", { type: "transport", selectedCandidatePairId: "P" }],
      ["P", { type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R" }],
      ["L", { type: "local-candidate", candidateType: local, ...(local === "relay" && { relayProtocol: "tls" }) }],
      ["R", { type: "remote-candidate", candidateType: remote }],
    ]));
  }
  close(): void {
    this.closed = true;
  }
  /** The browser finds it in this state. */
  become(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

/** A visit as coord sees it. */
export interface SeenVisit {
  nonce: Uint8Array;
  /** Session id of the session to be restarted. */
  restarts: Uint8Array | undefined;
  signal: AbortSignal;
  send(bytes: Uint8Array): void;
}

export const turns = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

/** One event in the stream of a visit. */
export function event(tag: number, write: (writer: PbfWriter) => void): Uint8Array {
  const writer = new PbfWriter();
  writer.writeMessage(tag, (_: null, inner) => write(inner), null);
  const bytes = writer.finish();
  const length = new PbfWriter();
  length.writeVarint(bytes.length);
  return Uint8Array.from([...length.finish(), ...bytes]);
}

export const candidateEvent = (candidate: string): Uint8Array => event(2, (inner) => inner.writeStringField(2, candidate));
export const endEvent = (code: number): Uint8Array => event(3, (inner) => inner.writeVarintField(2, code));

/** The answer of the agent with the certificate `agent`, with these lines too. */
export function answerEvent(nonce: Uint8Array, agent = 2, lines = ""): Uint8Array {
  const statement = encodeStatement({ version: 1, alias: "acme", app: "recipes", nonce, visitor: fingerprint(1), agent: fingerprint(agent), expires: Date.now() + 50_000 });
  return event(1, (inner) => {
    inner.writeStringField(2, sdp(line(agent), lines));
    inner.writeBytesField(3, statement);
    inner.writeBytesField(4, signed(statement));
  });
}

export class Bench {
  readonly visits: SeenVisit[] = [];
  /** Candidates that went to a visit, by request. */
  readonly updates: [visit: string, candidates: string[]][] = [];
  readonly given: string[] = [];
  readonly failures: VisitError[] = [];
  readonly paths: string[] = [];
  readonly window = new EventTarget();
  readonly network = Object.assign(new EventTarget(), { type: "wifi" });
  restarts = 0;
  verified = 0;
  readonly connection: Connection;
  readonly peer: FakePeer;

  constructor() {
    Object.assign(globalThis, { window: this.window, RTCPeerConnection: FakePeer });
    Object.defineProperty(globalThis, "navigator", { configurable: true, value: { connection: this.network } });
    globalThis.fetch = (input, init) => this.#fetch(String(input), init ?? {});
    const pins = new Pins("https://app.example", "", { read: () => Promise.resolve(undefined), add: (pin) => Promise.resolve(pin) });
    this.connection = new Connection({ alias: "acme", app: "recipes" }, pins, {
      onChannels: () => undefined,
      onVerified: () => (this.verified += 1),
      onPath: (path) => this.paths.push(path),
      onRestart: () => (this.restarts += 1),
      onFailed: (error) => this.failures.push(error),
    });
    this.peer = FakePeer.last;
  }

  /** A session that is open and has a path. */
  static async open(): Promise<Bench> {
    const bench = await Bench.answered();
    bench.connection.opened();
    bench.peer.become("connected");
    await turns();
    return bench;
  }

  /** A visit that is answered. */
  static async answered(): Promise<Bench> {
    const bench = new Bench();
    await turns();
    bench.last.send(answerEvent(bench.last.nonce));
    await turns();
    return bench;
  }

  get last(): SeenVisit {
    const visit = this.visits.at(-1);
    if (!visit) throw new Error("there is no visit");
    return visit;
  }

  get codes(): string[] {
    return this.failures.map(({ code }) => code);
  }

  #fetch(url: string, { method, body, signal }: RequestInit): Promise<Response> {
    const path = url.replace("/.well-known/p2claw/v1", "");
    if (method === "DELETE") this.given.push(path);
    if (method !== "POST") return Promise.resolve(new Response(null, { status: 404 }));
    if (path !== "/visits") {
      const candidates: string[] = [];
      pb.decode(body as Uint8Array, (tag, _holder, reader) => {
        if (tag !== 1) return;
        const one = pb.message<{ text: string }>(reader, (inner, holder) => {
          if (inner === 2) holder.text = pb.string(reader);
        }, { text: "" });
        candidates.push(one.text);
      }, {});
      this.updates.push([path, candidates]);
      return Promise.resolve(new Response(null, { status: 204 }));
    }
    const visit: Partial<SeenVisit> = { restarts: undefined, signal: signal ?? new AbortController().signal };
    pb.decode(body as Uint8Array, (tag, _holder, reader) => {
      if (tag === 3) visit.nonce = pb.bytes(reader).slice();
      else if (tag === 4) visit.restarts = pb.bytes(reader).slice();
    }, {});
    const stream = new ReadableStream<Uint8Array>({ start: (controller) => void (visit.send = (bytes) => controller.enqueue(bytes)) });
    this.visits.push(visit as SeenVisit);
    return Promise.resolve(new Response(stream, { status: 201, headers: { location: `/.well-known/p2claw/v1/visits/${this.visits.length - 1}` } }));
  }
}
