/** The conformance kit's vectors about names, keys, statements, frames and heads, as far as a visitor meets them. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import test from "node:test";
import { FrameType, decodeFrame, encodeFrame } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import { readVarint, varintLength, writeVarint } from "../src/codec/varint.ts";
import { verifyStrict } from "../src/identity/ed25519.ts";
import { parseHostLabel } from "../src/identity/host-label.ts";
import { decodePeerId, encodePeerId } from "../src/identity/peer-id.ts";
import { checkAnswer } from "../src/identity/statement.ts";
import { errorName } from "../src/session/errors.ts";
import { contentLength, requestFault } from "../src/session/fields.ts";
import { WEBSOCKET, handshakeFault } from "../src/session/websocket.ts";
import { Pair } from "./agent-peer.ts";
import { aliasOfKey } from "./alias-of-key.ts";
import { type RestartInput, answered } from "./answered.ts";
import { issue, letsIn } from "./turn-credential.ts";
import { type Case, fromHex, fromPieces, testVectors, toHex } from "./vector-file.ts";

const subtle = webcrypto.subtle as unknown as SubtleCrypto;
const AGENT = "what an agent does";

testVectors("names", {
  // A visitor meets names as parts of host labels only.
  "app-name": ({ input, result }: Case<string>) => {
    assert.equal(parseHostLabel(`${input}-acme`)?.app, result === "valid" ? input : undefined);
  },
  alias: ({ input, result }: Case<string>) => {
    const label = parseHostLabel(`app-${input}`);
    assert.equal(label?.app === "app" && label.alias === input, result === "valid");
  },
  "host-label": ({ input, result, app, alias }: Case<string>) => {
    assert.deepEqual(parseHostLabel(input), result === "valid" ? { app, alias } : undefined);
  },
  host: "what an edge does with the field Host",
});

testVectors("aliases", {
  // NAM-009
  "alias-of-key": async ({ input, alias }: Case<{ public_key: string; counter: number }>) => {
    assert.equal(await aliasOfKey(fromHex(input.public_key), input.counter), alias);
  },
});

testVectors("peer-ids", {
  "peer-id": ({ input, result, public_key }: Case<string>) => {
    const key = decodePeerId(input);
    assert.equal(key && toHex(key), result === "valid" ? public_key : undefined);
    if (key) assert.equal(encodePeerId(key), input);
  },
});

interface VisitInput {
  alias: string;
  app: string;
  pins: string[];
  nonce: string;
  visitor_fingerprint: string;
  answer_sdp: string;
  now_ms: number;
  statement: string;
  signature: string;
}

testVectors("statements", {
  signature: async ({ input, result }: Case<Record<"public_key" | "context" | "message" | "signature", string>>) => {
    const holds = await verifyStrict(subtle, fromHex(input.public_key), fromHex(input.signature), input.context, fromHex(input.message));
    if (result !== "acceptable") assert.equal(holds, result === "valid");
  },
  visit: async ({ input, result, public_key, check }: Case<VisitInput>) => {
    const pairs = input.visitor_fingerprint.match(/../g) ?? [];
    const offerSdp = `v=0\r\na=fingerprint:sha-256 ${pairs.join(":").toUpperCase()}\r\n`;
    const visit = { alias: input.alias, app: input.app, nonce: fromHex(input.nonce), pins: input.pins, offerSdp, now: input.now_ms };
    const answer = { sdp: input.answer_sdp, statement: fromHex(input.statement), signature: fromHex(input.signature) };
    const verdict = await checkAnswer(subtle, visit, answer);
    if (result === "acceptable") return;
    assert.equal(verdict.ok ? verdict.peerId : verdict.refusal, result === "valid" ? encodePeerId(fromHex(String(public_key))) : check);
  },
  // SIG-046
  restart: async ({ input, result, check }: Case<RestartInput>) => {
    const { outcome, done } = await answered(input, true);
    // The client has one word for both: a certificate that is not the signed one, and not the session's.
    assert.equal(outcome, result === "valid" ? "taken" : check === "SESSION" ? "FINGERPRINT" : check);
    assert.deepEqual(done, ["restarting offer", ...(result === "valid" ? ["local offer", "remote answer"] : [])], "nothing of what is refused is used");
    // It is a good answer, but for the session that runs.
    if (check === "SESSION") assert.equal((await answered(input, false)).outcome, "taken");
  },
  registration: "what coord checks",
  revoke: "what coord checks",
});

testVectors("turn-credentials", {
  // SIG-022
  "turn-issue": async ({ input, username, credential, expires_at }: Case<{ secret: string; now: number; random: string }>) => {
    assert.deepEqual(await issue(input.secret, input.now, input.random), { username, credential, expires_at });
  },
  // SIG-029
  "turn-check": async ({ input, result }: Case<Record<"secret" | "username" | "credential", string> & { now: number }>) => {
    const taken = await letsIn(input.secret, input, input.now);
    if (result !== "acceptable") assert.equal(taken, result === "valid");
  },
});

interface FrameInput {
  hex: string;
  max_frame: number;
  then?: { hex: string; times: number };
}

/** Decodes a payload into the form of the vectors: numbers as text, bytes as hex. */
const DECODERS: Record<string, (bytes: Uint8Array) => object> = {
  HELLO: msg.decodeSessionHello,
  REQUEST: msg.decodeRequest,
  RESPONSE: msg.decodeResponse,
  TRAILERS: msg.decodeTrailers,
  RESET: msg.decodeReset,
  STOP: msg.decodeStop,
  CREDIT: msg.decodeCredit,
  PING: msg.decodePing,
  PONG: msg.decodePing,
  GOAWAY: msg.decodeGoAway,
  WS_CLOSE: msg.decodeWsClose,
};

/** Makes both sides comparable: names without underscores, numbers as doubles, and nothing that has its default. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return comparable(toHex(value));
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, inner]) => [key.replaceAll("_", "").toLowerCase(), comparable(inner)] as const);
    return Object.fromEntries(entries.filter(([, inner]) => inner !== "" && inner !== 0 && inner !== false && !(Array.isArray(inner) && inner.length === 0)));
  }
  if (typeof value === "string" && /^\d+$/.test(value)) return Number(value);
  return value;
}

testVectors("frames", {
  varint: ({ input, result, value, canonical }: Case<string>) => {
    const bytes = fromHex(input);
    const read = readVarint(bytes, 0);
    const whole = read?.next === bytes.length ? read.value : undefined;
    assert.equal(whole, result === "valid" ? Number(value) : undefined);
    if (canonical !== true || whole === undefined || !Number.isSafeInteger(whole)) return;
    const written = new Uint8Array(varintLength(whole));
    writeVarint(written, 0, whole);
    assert.equal(toHex(written), input);
  },
  frame: ({ input, result, type, stream, content, content_length, skip, error }: Case<FrameInput>) => {
    const message = fromPieces(input);
    if (result === "valid") {
      const frame = decodeFrame(message);
      assert.ok(frame);
      assert.equal(frame.stream, Number(stream));
      assert.equal(frame.type, skip === true ? Number(type) : FrameType[type as keyof typeof FrameType]);
      const decoder = skip === true ? undefined : DECODERS[String(type)];
      if (content_length !== undefined) assert.equal(frame.payload.length, content_length);
      else if (decoder) assert.deepEqual(comparable(decoder(frame.payload)), comparable(content));
      else assert.equal(toHex(frame.payload), content);
      if (Number.isSafeInteger(frame.type) && Number.isSafeInteger(frame.stream)) assert.ok(encodeFrame(frame.type, frame.stream, frame.payload).length <= message.length);
      return;
    }
    const pair = new Pair({ maxFrame: input.max_frame });
    for (let i = 0; i < 60; i++) pair.get();
    if (type !== "HELLO") pair.hello([{ id: 1, value: input.max_frame }]);
    pair.sendRaw(message);
    const closed = pair.closed();
    assert.equal(closed && errorName(closed.code), error);
  },
});

interface HeadInput {
  frame: string;
  method?: string;
  target?: string;
  protocol?: string;
  end?: boolean;
  to_method?: string;
  fields: { name?: string; hex_name?: string; value: string }[];
}

/** Plays a frame of the agent as the answer to a request, and says what became of it. */
function outcome(frame: string, method: string, before: (pair: Pair) => void = () => undefined): { error: string; scope: string } | undefined {
  const pair = new Pair();
  pair.hello();
  pair.session.request({ method, target: "/", fields: [], hasBody: false });
  pair.run();
  before(pair);
  pair.sendRaw(fromHex(frame));
  const closed = pair.closed();
  if (closed) return { error: errorName(closed.code), scope: "session" };
  const failed = pair.events.find((event) => event.kind === "failed");
  return failed?.kind === "failed" ? { error: errorName(failed.code), scope: "stream" } : undefined;
}

function expected({ result, error, scope }: Case<never>): unknown {
  return result === "valid" ? undefined : { error, scope };
}

testVectors("http-fields", {
  // What an agent would refuse, a visitor does not send.
  "request-head": ({ input, result, scope }: Case<HeadInput>) => {
    if (scope === "session") return "no visitor sends it";
    const fields = input.fields.map(({ name = "", value }) => ({ name, value: fromHex(value) }));
    const head = { method: input.method ?? "", target: input.target ?? "", fields, end: input.end ?? false, protocol: input.protocol ?? "" };
    const length = contentLength(fields);
    const fault = requestFault(head) ?? (head.protocol === WEBSOCKET ? handshakeFault(fields) : undefined)
      ?? (length === "bad" || (head.end && length !== undefined && length > 0) ? "content-length" : undefined);
    if (result !== "acceptable") assert.equal(fault === undefined, result === "valid", fault);
    if (result !== "valid") return;
    const frame = decodeFrame(fromHex(input.frame));
    assert.deepEqual(msg.decodeRequest(frame?.payload ?? new Uint8Array()), head);
    assert.equal(toHex(encodeFrame(FrameType.REQUEST, 1, msg.encodeRequest(head))), input.frame);
  },
  "response-head": (one: Case<HeadInput>) => {
    const seen = outcome(one.input.frame, one.input.to_method ?? "GET");
    if (one.result !== "acceptable") assert.deepEqual(seen, expected(one as Case<never>));
  },
  trailers: (one: Case<HeadInput>) => {
    const seen = outcome(one.input.frame, "GET", (pair) => pair.respond(1, 200));
    if (one.result !== "acceptable") assert.deepEqual(seen, expected(one as Case<never>));
  },
  "upstream-fields": AGENT,
  "visitor-fields": AGENT,
}, { "request-head": { "no visitor sends it": 1 } });

testVectors("response-mapping", {
  response: ({ input, result, error, scope, interim, status, body, trailers, cut }: Case<{ method: string; frames: string[] }>) => {
    const pair = new Pair();
    pair.hello();
    pair.session.request({ method: input.method, target: "/", fields: [], hasBody: false });
    pair.run();
    for (const frame of input.frames) pair.sendRaw(fromHex(frame));
    const seen = { interim: [] as number[], status: null as number | null, body: "", trailers: null as unknown, cut: null as string | null };
    for (const event of pair.events) {
      if (event.kind === "interim") seen.interim.push(event.status);
      else if (event.kind === "response") seen.status = event.status;
      else if (event.kind === "data") seen.body += toHex(event.bytes);
      else if (event.kind === "end") seen.trailers = event.trailers.map(({ name, value }) => [name, toHex(value)]);
      else if (event.kind === "failed") seen.cut = errorName(event.code);
    }
    if (result === "acceptable") return;
    if (result === "valid") {
      assert.deepEqual({ ...seen, trailers: seen.trailers ?? [] }, { interim, status, body, trailers, cut });
      assert.equal(pair.closed(), undefined);
    } else if (scope === "session") {
      assert.equal(errorName(pair.closed()?.code ?? 0), error);
    } else {
      assert.equal(pair.closed(), undefined);
      assert.equal(seen.cut, error, "the caller gets an error");
      const stop = pair.seen.find(({ type }) => type === FrameType.STOP);
      if (stop) assert.equal(errorName(msg.decodeStop(stop.payload).code), error);
    }
  },
});

testVectors("websocket-closes", {
  "ws-close": ({ input, result, error, scope, code, reason }: Case<string>) => {
    const pair = new Pair();
    pair.hello();
    const stream = pair.connect();
    pair.send(FrameType.WS_CLOSE, stream, fromHex(input));
    const last = pair.events.at(-1);
    if (result === "valid") {
      assert.deepEqual(last, { kind: "close", stream, code, reason });
      pair.session.end(stream, Number(code), String(reason));
      pair.run();
      assert.equal(toHex(pair.seen.at(-1)?.payload ?? new Uint8Array()), toHex(msg.encodeWsClose({ code: Number(code), reason: String(reason) })));
    } else if (result === "invalid") {
      const seen = last?.kind === "failed" ? { error: errorName(last.code), scope: "stream" } : { error: errorName(pair.closed()?.code ?? 0), scope: "session" };
      assert.deepEqual(seen, { error, scope });
    }
  },
});

test("a PING with a token that no double holds comes back as it is (SES-061)", () => {
  const pair = new Pair();
  pair.hello();
  pair.sendRaw(fromHex("0a0008ffffffffffffffffff01"));
  const last = pair.seen.at(-1);
  assert.deepEqual([last?.type, last && toHex(last.payload)], [FrameType.PONG, "08ffffffffffffffffff01"]);
});
