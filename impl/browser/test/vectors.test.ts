/** The conformance kit's vectors, as far as they are about what a visitor does. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { FrameType, decodeFrame, encodeFrame } from "../src/codec/frame.ts";
import * as msg from "../src/codec/session-messages.ts";
import { readVarint, varintLength, writeVarint } from "../src/codec/varint.ts";
import { verifyStrict } from "../src/identity/ed25519.ts";
import { parseHostLabel } from "../src/identity/host-label.ts";
import { decodePeerId, encodePeerId } from "../src/identity/peer-id.ts";
import { checkAnswer } from "../src/identity/statement.ts";
import { errorName } from "../src/session/errors.ts";
import { Pair } from "./agent-peer.ts";

interface Case<I> {
  id: string;
  input: I;
  result: "valid" | "invalid" | "acceptable";
  [key: string]: unknown;
}

/** The cases of one group. The files stand next to the kit that makes them; tests run from the package. */
function cases<I>(file: string, type: string): Case<I>[] {
  const path = join(process.cwd(), "../../conformance/vectors", `${file}.json`);
  const { groups } = JSON.parse(readFileSync(path, "utf8")) as { groups: { type: string; cases: Case<I>[] }[] };
  const found = groups.find((group) => group.type === type)?.cases ?? [];
  assert.ok(found.length > 0, `no cases of ${type}`);
  return found;
}

const fromHex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, "hex"));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const subtle = webcrypto.subtle as unknown as SubtleCrypto;

test("host labels", () => {
  for (const { id, input, result, app, alias } of cases<string>("names", "host-label")) {
    assert.deepEqual(parseHostLabel(input), result === "valid" ? { app, alias } : undefined, id);
  }
});

test("peer ids", () => {
  for (const { id, input, result, public_key } of cases<string>("peer-ids", "peer-id")) {
    const key = decodePeerId(input);
    assert.equal(key && toHex(key), result === "valid" ? public_key : undefined, id);
    if (key) assert.equal(encodePeerId(key), input, id);
  }
});

test("signatures", async () => {
  for (const { id, input, result } of cases<Record<"public_key" | "context" | "message" | "signature", string>>("statements", "signature")) {
    const holds = await verifyStrict(subtle, fromHex(input.public_key), fromHex(input.signature), input.context, fromHex(input.message));
    if (result !== "acceptable") assert.equal(holds, result === "valid", id);
  }
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

test("visits", async () => {
  for (const { id, input, result, public_key, check } of cases<VisitInput>("statements", "visit")) {
    const pairs = input.visitor_fingerprint.match(/../g) ?? [];
    const offerSdp = `v=0\r\na=fingerprint:sha-256 ${pairs.join(":").toUpperCase()}\r\n`;
    const visit = { alias: input.alias, app: input.app, nonce: fromHex(input.nonce), pins: input.pins, offerSdp, now: input.now_ms };
    const answer = { sdp: input.answer_sdp, statement: fromHex(input.statement), signature: fromHex(input.signature) };
    const verdict = await checkAnswer(subtle, visit, answer);
    if (result === "acceptable") continue;
    assert.equal(verdict.ok ? verdict.peerId : verdict.refusal, result === "valid" ? encodePeerId(fromHex(String(public_key))) : check, id);
  }
});

test("varints", () => {
  for (const { id, input, result, value, canonical } of cases<string>("frames", "varint")) {
    const bytes = fromHex(input);
    const read = readVarint(bytes, 0);
    const whole = read?.next === bytes.length ? read.value : undefined;
    assert.equal(whole, result === "valid" ? Number(value) : undefined, id);
    if (canonical === true && whole !== undefined && Number.isSafeInteger(whole)) {
      const written = new Uint8Array(varintLength(whole));
      writeVarint(written, 0, whole);
      assert.equal(toHex(written), input, id);
    }
  }
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
};

/** Makes both sides comparable: names without underscores, numbers as doubles. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return comparable(toHex(value));
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.replaceAll("_", "").toLowerCase(), comparable(inner)]));
  }
  if (typeof value === "string" && /^\d+$/.test(value)) return Number(value);
  return value;
}

test("frames", () => {
  for (const { id, input, result, type, stream, content, content_length, skip, error } of cases<FrameInput>("frames", "frame")) {
    const message = fromHex(input.hex + (input.then?.hex ?? "").repeat(input.then?.times ?? 0));
    if (result === "valid") {
      const frame = decodeFrame(message);
      assert.ok(frame, id);
      assert.equal(frame.stream, Number(stream), id);
      const number = skip === true ? Number(type) : FrameType[type as keyof typeof FrameType];
      assert.equal(frame.type, number, id);
      const decoder = skip === true ? undefined : DECODERS[String(type)];
      if (content_length !== undefined) assert.equal(frame.payload.length, content_length, id);
      else if (decoder) assert.deepEqual(comparable(decoder(frame.payload)), comparable(content), id);
      else assert.equal(toHex(frame.payload), content, id);
      if (Number.isSafeInteger(frame.type) && Number.isSafeInteger(frame.stream)) assert.ok(encodeFrame(frame.type, frame.stream, frame.payload).length <= message.length, id);
    } else {
      const pair = new Pair({ maxFrame: input.max_frame });
      for (let i = 0; i < 60; i++) pair.get();
      if (type !== "HELLO") pair.hello([{ id: 1, value: input.max_frame }]);
      pair.sendRaw(message);
      const closed = pair.closed();
      assert.equal(closed && errorName(closed.code), error, id);
    }
  }
});

test("a PING with a token that no double holds comes back as it is", () => {
  const pair = new Pair();
  pair.hello();
  pair.sendRaw(fromHex("0a0008ffffffffffffffffff01"));
  const last = pair.seen.at(-1);
  assert.deepEqual([last?.type, last && toHex(last.payload)], [FrameType.PONG, "08ffffffffffffffffff01"]);
});
