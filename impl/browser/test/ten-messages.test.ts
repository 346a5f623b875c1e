/** The bytes of spec/v1/agent-in-ten-messages.md, as far as a visitor writes or reads them. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { FrameType, decodeFrame, encodeFrame } from "../src/codec/frame.ts";
import * as pb from "../src/codec/protobuf.ts";
import * as msg from "../src/codec/session-messages.ts";
import { decodeVisitStatement } from "../src/codec/signaling-messages.ts";
import { verifyStrict } from "../src/identity/ed25519.ts";
import { encodePeerId } from "../src/identity/peer-id.ts";
import { checkAnswer } from "../src/identity/statement.ts";
import { Session } from "../src/session/session.ts";
import { DEFAULT_SETTINGS } from "../src/session/settings.ts";
import { aliasOfKey } from "./alias-of-key.ts";
import { fromHex, toHex } from "./vector-file.ts";

interface Page {
  count: number;
  key: { public_key: string };
  alias: string;
  registration: string;
  visit_statement: string;
  offer_sdp: string;
  answer_sdp: string;
  messages: { name: string; on: string; hex: string }[];
}

const subtle = webcrypto.subtle as unknown as SubtleCrypto;
const page = JSON.parse(readFileSync(join(process.cwd(), "../../conformance/vectors/ten-messages.json"), "utf8")) as Page;
const messages = new Map(page.messages.map(({ name, hex }) => [name, fromHex(hex)]));
const key = fromHex(page.key.public_key);

function message(name: string): Uint8Array {
  const bytes = messages.get(name);
  assert.ok(bytes, `the page has ${name}`);
  return bytes;
}

/** Fields of bytes in the message of a link's envelope, by number. */
function linkFields(name: string): Map<number, Uint8Array> {
  const fields = new Map<number, Uint8Array>();
  const inside: pb.ReadField<undefined> = (tag, _, reader) => {
    if (reader.type === 2) fields.set(tag, pb.bytes(reader));
  };
  const kind: pb.ReadField<undefined> = (_, __, reader) => {
    if (reader.type === 2) pb.message(reader, inside, undefined);
  };
  pb.decode(message(name), kind, undefined);
  return fields;
}

test("the page has every message", () => {
  assert.deepEqual([messages.size, page.messages.length], [page.count, page.count]);
});

// NAM-009, IDN-011
test("its agent asks for the alias of its key, and signs its registration", async () => {
  assert.equal(await aliasOfKey(key, 0), page.alias);
  const hello = linkFields("hello");
  assert.equal(toHex(hello.get(1) ?? key), page.registration);
  const signed = (context: string): Promise<boolean> => verifyStrict(subtle, key, hello.get(2) ?? key, context, fromHex(page.registration));
  assert.equal(await signed("p2claw/v1 registration"), true);
  assert.equal(await signed("p2claw/v1 visit"), false);
});

// IDN-017
test("a visitor believes its answer, and no answer to another offer", async () => {
  const { nonce, expiresAtMs } = decodeVisitStatement(fromHex(page.visit_statement));
  const offer = linkFields("visit-offer");
  assert.deepEqual([new TextDecoder().decode(offer.get(5)), toHex(offer.get(6) ?? key)], [page.offer_sdp, toHex(nonce)]);
  const fields = linkFields("visit-answer");
  const answer = { sdp: new TextDecoder().decode(fields.get(2)), statement: fields.get(3) ?? key, signature: fields.get(4) ?? key };
  assert.deepEqual([answer.sdp, toHex(answer.statement)], [page.answer_sdp, page.visit_statement]);
  const visit = { alias: page.alias, app: "recipes", nonce, pins: [encodePeerId(key)], offerSdp: page.offer_sdp, now: expiresAtMs - 60_000 };
  assert.deepEqual(await checkAnswer(subtle, visit, answer), { ok: true, peerId: encodePeerId(key) });
  const other = await checkAnswer(subtle, { ...visit, nonce: nonce.map((byte) => byte ^ 1) }, answer);
  assert.equal(other.ok ? "" : other.refusal, "NONCE");
});

// SES-005, SES-006, HTP-001
test("a visitor's session writes its messages and takes the agent's", () => {
  const session = new Session({ software: "visitor/1", settings: { ...DEFAULT_SETTINGS, lanes: 4 } }, 0);
  const accept = { name: "accept", value: new TextEncoder().encode("text/html") };
  session.request({ method: "GET", target: "/", fields: [accept], hasBody: false });
  for (const name of ["session-hello-visitor", "request"]) assert.equal(toHex(session.transmit(0) ?? key), toHex(message(name)), name);
  for (const name of ["session-hello-agent", "response", "data-end"]) session.receive(0, message(name), 0);
  const events = [];
  for (let event = session.poll(); event; event = session.poll()) events.push(event.kind);
  assert.deepEqual(events, ["open", "response", "data", "end"]);
});

test("what its agent sends on lane 0 is what an encoder writes", () => {
  const again: Record<number, (payload: Uint8Array) => Uint8Array> = {
    [FrameType.HELLO]: (payload) => msg.encodeSessionHello(msg.decodeSessionHello(payload)),
    [FrameType.RESPONSE]: (payload) => msg.encodeResponse(msg.decodeResponse(payload)),
    [FrameType.DATA_END]: (payload) => payload,
  };
  for (const name of ["session-hello-agent", "response", "data-end"]) {
    const frame = decodeFrame(message(name));
    assert.ok(frame, name);
    assert.equal(toHex(encodeFrame(frame.type, frame.stream, again[frame.type]?.(frame.payload) ?? key)), toHex(message(name)), name);
  }
});
