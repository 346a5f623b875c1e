/** The conformance kit's vectors about signaling, as far as a visitor meets them. */
import assert from "node:assert/strict";
import { encodeVisitRequest, encodeVisitUpdate, VisitEventReader, type VisitEvent } from "../src/codec/signaling-messages.ts";
import { sdpFingerprint, sdpMaxMessage } from "../src/identity/sdp.ts";
import { Connection } from "../src/shell/connection.ts";
import { isCandidate } from "../src/shell/introduction.ts";
import { Pins } from "../src/shell/pins.ts";
import { Visit } from "../src/shell/visit.ts";
import type { VisitError } from "../src/shell/visit-error.ts";
import { SETTINGS, SIGNAL_CODES } from "../src/codec/registry.ts";
import { turns } from "./visit-bench.ts";
import { type Case, fromHex, fromPieces, testVectors, toHex } from "./vector-file.ts";

interface Pieces {
  hex: string;
  then?: { hex: string; times: number };
}
interface TextPieces {
  text: string;
  then?: { text: string; times: number };
}

/** An event in the form of the vectors: bytes in hex, codes by name, and nothing that has its default. */
function plain(event: VisitEvent): { kind: string | null; content?: Record<string, unknown> } {
  const content: Record<string, unknown> = {};
  const put = (name: string, value: string | Uint8Array): void => {
    if (value.length > 0) content[name] = typeof value === "string" ? value : toHex(value);
  };
  if (event.kind === "answer") {
    put("session_id", event.answer.sessionId);
    put("sdp", event.answer.sdp);
    put("statement", event.answer.statement);
    put("signature", event.answer.signature);
  } else if (event.kind === "candidate") {
    put("session_id", event.candidate.sessionId);
    put("candidate", event.candidate.candidate);
    put("sdp_mid", event.candidate.sdpMid);
  } else if (event.kind === "end") {
    put("session_id", event.end.sessionId);
    if (event.end.code !== 0) content["code"] = SIGNAL_CODES[event.end.code] ?? String(event.end.code);
    put("reason", event.end.reason);
  }
  return { kind: event.kind === "unknown" ? null : event.kind, content };
}

interface VisitorInput {
  app: string;
  alias: string;
  nonce: string;
  offer_sdp: string;
  pins: string[];
  now_ms: number;
  events: (string | null)[];
}

/** A visit whose coord and WebRTC are the test. */
class Visitor {
  readonly #done: string[] = [];
  #coord: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly #connection: Connection;

  constructor({ app, alias, nonce, offer_sdp, pins, now_ms }: VisitorInput) {
    const done = this.#done;
    globalThis.RTCPeerConnection = class {
      iceConnectionState = "new";
      connectionState = "new";
      createDataChannel = (): object => ({});
      createOffer = (): Promise<object> => Promise.resolve({ type: "offer", sdp: offer_sdp });
      setLocalDescription = (): Promise<void> => Promise.resolve();
      setRemoteDescription = (): Promise<void> => Promise.resolve();
      addIceCandidate = (): Promise<void> => Promise.resolve(void done.push("candidate"));
      close = (): void => undefined;
    } as unknown as typeof RTCPeerConnection;
    globalThis.fetch = (input, init) => {
      if (init?.method !== "POST" || !String(input).endsWith("/visits")) return Promise.resolve(new Response(null, { status: 404 }));
      const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#coord = controller) });
      return Promise.resolve(new Response(body, { status: 201, headers: { location: "/.well-known/p2claw/v1/visits/0" } }));
    };
    Object.defineProperty(crypto, "getRandomValues", { configurable: true, value: (bytes: Uint8Array) => (bytes.set(fromHex(nonce)), bytes) });
    Date.now = () => now_ms;
    this.#connection = new Connection({ alias, app }, new Pins("https://app.example", pins[0] === undefined ? "" : `#p=${pins[0]}`, { read: () => Promise.resolve(undefined), add: (pin) => Promise.resolve(pin) }), {
      onChannels: () => undefined,
      onVerified: () => done.push("answer"),
      onPath: () => undefined,
      onRestart: () => undefined,
      onFailed: (error: VisitError) => done.push(error.code === "COORD_UNREACHABLE" ? "lost" : error.refused || error.code === "MALFORMED" ? "refused" : "end"),
    });
  }

  /** Brings an event, and says what came of it. */
  async take(event: string | null): Promise<string[]> {
    this.#done.length = 0;
    try {
      if (event === null) this.#coord?.close();
      else this.#coord?.enqueue(delimited(fromHex(event)));
    } catch {
      // The client reads no more of it.
    }
    await turns();
    return [...this.#done];
  }

  close(): void {
    this.#connection.close();
  }
}

function delimited(message: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = message.length; ; rest >>>= 7) {
    length.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) break;
  }
  return Uint8Array.from([...length, ...message]);
}

/** What shows in nothing that the visitor does. */
const SILENT: ReadonlySet<string> = new Set(["ignored", "stream-over", "over"]);

const LINK = "what the ends of an agent link do";

testVectors("signaling", {
  // IDN-022
  description: ({ input, result, fingerprint }: Case<TextPieces>) => {
    const text = input.text + (input.then?.text ?? "").repeat(input.then?.times ?? 0);
    const seen = sdpFingerprint(text);
    // Its other rules are those of coord and agent; a visitor uses no more than this of a description.
    if (result === "valid") assert.equal(seen && toHex(seen), fingerprint);
    else if (seen) return "a rule of coord and agent";
  },
  // SIG-013
  candidate: ({ input, result }: Case<string>) => {
    assert.equal(isCandidate(input), result === "valid");
  },
  // SIG-043
  "visit-request": ({ id, input, result, versions, sdp, nonce, restarts }: Case<Pieces>) => {
    if (result !== "valid" || input.then || id.endsWith("unknown-field")) return "no visitor sends it";
    const request = { versions: versions as number[], sdp: String(sdp), nonce: fromHex(String(nonce)) };
    const named = restarts === undefined ? {} : { restarts: fromHex(String(restarts)) };
    assert.equal(toHex(encodeVisitRequest({ ...request, ...named })), input.hex);
  },
  "visit-update": ({ input, result, candidates }: Case<Pieces>) => {
    if (result !== "valid") return "no visitor sends it";
    const list = (candidates as string[]).map((candidate) => ({ sessionId: new Uint8Array(), candidate, sdpMid: candidate === "" ? "" : "0" }));
    assert.equal(toHex(encodeVisitUpdate(list)), toHex(fromPieces(input)));
  },
  // SIG-015
  "event-stream": ({ input, result, events }: Case<{ chunks: Pieces[] }>) => {
    const reader = new VisitEventReader();
    const seen: ReturnType<typeof plain>[] = [];
    let broken = false;
    for (const chunk of input.chunks) {
      try {
        if (!broken) seen.push(...reader.push(fromPieces(chunk)).map(plain));
      } catch {
        broken = true;
      }
    }
    assert.equal(broken, result === "invalid");
    // Events that came in one piece with the fault are dropped with it.
    const wanted = (events as { content?: unknown }[]).slice(0, broken ? seen.length : undefined);
    assert.deepEqual(seen, wanted.map((event, index) => (event.content === undefined ? { ...event, content: seen[index]?.content } : event)));
  },
  // SIG-018, IDN-017
  "visit-visitor": async ({ input, outcomes }: Case<VisitorInput>) => {
    const visitor = new Visitor(input);
    await turns();
    let answered = false;
    for (const [index, event] of input.events.entries()) {
      const wanted = (outcomes as string[])[index] ?? "";
      const silent: boolean = SILENT.has(wanted) || (wanted === "end" && answered);
      assert.deepEqual(await visitor.take(event), silent ? [] : [wanted], `event ${index}`);
      answered ||= wanted === "answer";
    }
    visitor.close();
  },
  envelope: LINK,
  "link-agent": LINK,
  "link-coord": LINK,
  "visit-agent": "what an agent does",
  "visit-coord": "what coord does",
  // SIG-019: what the page is told of a refusal
  "http-error": async ({ input, status, body }: Case<{ code: string; detail: string }>) => {
    const { fetch } = globalThis;
    globalThis.fetch = () => Promise.resolve(Response.json(body, { status: status as number }));
    try {
      const refused = (error: VisitError): boolean => error.code === input.code && error.message === input.detail;
      await assert.rejects(new Visit().run("v=0\r\n", new Uint8Array(32)).next(), refused);
    } finally {
      globalThis.fetch = fetch;
    }
  },
  "message-limit": ({ input, result, max_message }: Case<string>) => {
    const limit = sdpMaxMessage(input);
    assert.equal(limit >= SETTINGS.maxFrame.default, result === "valid");
    if (result === "valid") assert.equal(limit, max_message ?? Infinity);
  },
}, {
  description: { "a rule of coord and agent": 12 },
  "visit-request": { "no visitor sends it": 18 },
  "visit-update": { "no visitor sends it": 4 },
});
