import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import test from "node:test";
import { parseHost, parseHostLabel } from "../src/identity/host-label.ts";
import { decodePeerId, encodePeerId } from "../src/identity/peer-id.ts";
import { sdpFingerprint, sdpMaxMessage } from "../src/identity/sdp.ts";
import { type Verdict, checkAnswer } from "../src/identity/statement.ts";
import { pinFromFragment } from "../src/shell/pins.ts";
import { type Statement, encodeStatement, fingerprint, line, peerId, sdp, signed } from "./agent-statement.ts";

const subtle = webcrypto.subtle as unknown as SubtleCrypto;

test("peer ids", () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
  const id = encodePeerId(key);
  assert.equal(id.length, 52);
  assert.deepEqual(decodePeerId(id), key);
  assert.equal(encodePeerId(new Uint8Array(32)), "y".repeat(52));
  assert.equal(encodePeerId(new Uint8Array(32).fill(0xff)), `${"9".repeat(51)}o`);
  assert.equal(decodePeerId(`${"y".repeat(51)}b`), undefined, "trailing bits");
  assert.equal(decodePeerId("y".repeat(51)), undefined);
  assert.equal(decodePeerId(id.toUpperCase()), undefined);
  assert.equal(decodePeerId(`${"y".repeat(51)}l`), undefined);
});

test("pins in fragments", () => {
  const id = "y".repeat(52);
  assert.equal(pinFromFragment(`#p=${id}`), id);
  assert.equal(pinFromFragment(`#p=${id}x`), "malformed");
  assert.equal(pinFromFragment("#p="), "malformed");
  assert.equal(pinFromFragment("#page"), undefined);
  assert.equal(pinFromFragment(""), undefined);
});

// RTC-007
test("the longest message that a description allows", () => {
  const limits: [number, string][] = [
    [65_536, ""],
    [262_144, "a=max-message-size:262144\r\n"],
    [16_383, "a=max-message-size:16383\r\n"],
    [Infinity, "a=max-message-size:0\r\n"],
    [65_536, "a=max-message-size:\r\na=max-message-size:-1\r\n"],
    [20_000, " A= Max-Message-Size : 20000\n"],
    [20_000, "a=max-message-size:0\r\na=max-message-size:20000\r\na=max-message-size:30000\r\n"],
  ];
  for (const [limit, lines] of limits) assert.equal(sdpMaxMessage(sdp(line(1), lines)), limit, lines);
});

test("host labels", () => {
  const good: [string, string, string][] = [
    ["recipes-honeyed-marble-4155", "recipes", "honeyed-marble-4155"],
    ["my-app-honeyed-marble-0000", "my-app", "honeyed-marble-0000"],
    ["app-acme", "app", "acme"],
    ["a-b-c-acme", "a-b-c", "acme"],
    ["x-4you", "x", "4you"],
  ];
  for (const [label, app, alias] of good) assert.deepEqual(parseHostLabel(label), { app, alias }, label);
  for (const label of ["", "acme", "-acme", "www-acme", "xn--a-acme", "a-b-c-1234", "a-1234", "app-ab", "app-acme-", "Recipes-acme", `${"a".repeat(33)}-acme`]) {
    assert.equal(parseHostLabel(label), undefined, label);
  }
  assert.deepEqual(parseHost("app-acme.localhost:8443"), { app: "app", alias: "acme" });
});

test("fingerprints of descriptions", () => {
  assert.deepEqual(sdpFingerprint(sdp(line(7))), fingerprint(7));
  assert.deepEqual(sdpFingerprint(sdp(line(7), line(7).toLowerCase())), fingerprint(7));
  assert.equal(sdpFingerprint(sdp(line(7), line(8))), undefined);
  assert.equal(sdpFingerprint(sdp(line(7), line(7, "sha-1"))), undefined);
  assert.equal(sdpFingerprint(sdp(line(7), " a = fingerprint : sha-256 00\r\n")), undefined);
  assert.equal(sdpFingerprint(sdp()), undefined);
  assert.equal(sdpFingerprint(sdp("a=fingerprint:sha-256 01:02\r\n")), undefined);
});

const now = 1_800_000_000_000;
const honest: Statement = { version: 1, alias: "acme", app: "recipes", nonce: fingerprint(9), visitor: fingerprint(1), agent: fingerprint(2), expires: now + 50_000 };

async function check(change: Partial<Statement> = {}, options: { pins?: string[]; answer?: string; context?: string; bytes?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>; signature?: (s: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>; key?: Uint8Array } = {}): Promise<Verdict> {
  const bytes = encodeStatement({ ...honest, ...change }, options.key);
  const signature = signed(bytes, options.context);
  return checkAnswer(subtle, { alias: "acme", app: "recipes", nonce: fingerprint(9), pins: options.pins ?? [], offerSdp: sdp(line(1)), now }, {
    sdp: options.answer ?? sdp(line(2)),
    statement: options.bytes?.(bytes) ?? bytes,
    signature: options.signature?.(signature) ?? signature,
  });
}

const refusal = async (verdict: Promise<Verdict>): Promise<string> => {
  const result = await verdict;
  return result.ok ? "ok" : result.refusal;
};

test("an honest statement is accepted", async () => {
  assert.deepEqual(await check(), { ok: true, peerId });
  assert.deepEqual(await check({}, { pins: [peerId, peerId] }), { ok: true, peerId });
});

test("each lie is found", async () => {
  const flip = (at: number) => (bytes: Uint8Array<ArrayBuffer>) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
  assert.equal(await refusal(check({}, { signature: flip(3) })), "SIGNATURE");
  assert.equal(await refusal(check({}, { signature: flip(40) })), "SIGNATURE");
  assert.equal(await refusal(check({}, { context: "p2claw/v1 registration" })), "SIGNATURE");
  assert.equal(await refusal(check({}, { bytes: (bytes) => Uint8Array.of(...bytes, 0x98, 0x06, 0x07) })), "SIGNATURE");
  assert.equal(await refusal(check({}, { bytes: () => Uint8Array.of(0x12, 0x7f) })), "STATEMENT");
  assert.equal(await refusal(check({}, { pins: ["y".repeat(52)] })), "PINNED_KEY");
  assert.equal(await refusal(check({}, { pins: [peerId, "y".repeat(52)] })), "PINNED_KEY");
  assert.equal(await refusal(check({ version: 2 })), "VERSION");
  assert.equal(await refusal(check({ alias: "other" })), "ALIAS");
  assert.equal(await refusal(check({ app: "accounting" })), "APP");
  assert.equal(await refusal(check({ nonce: fingerprint(8) })), "NONCE");
  assert.equal(await refusal(check({ nonce: new Uint8Array() })), "NONCE");
  assert.equal(await refusal(check({ visitor: fingerprint(3) })), "FINGERPRINT");
  assert.equal(await refusal(check({ agent: fingerprint(3) })), "FINGERPRINT");
  assert.equal(await refusal(check({}, { answer: sdp(line(2), line(3)) })), "FINGERPRINT");
  assert.equal(await refusal(check({ expires: now - 60_000 })), "EXPIRED");
  assert.equal(await refusal(check({ expires: now - 59_999 })), "ok");
  assert.equal(await refusal(check({ expires: now + 120_000 })), "ok");
  assert.equal(await refusal(check({ expires: now + 120_001 })), "EXPIRED");
});

test("the first failing check decides", async () => {
  const all = { version: 2, alias: "x", app: "x", nonce: fingerprint(0), visitor: fingerprint(0), agent: fingerprint(0), expires: 0 };
  assert.equal(await refusal(check(all, { pins: ["y".repeat(52)], context: "other" })), "SIGNATURE");
  assert.equal(await refusal(check(all, { pins: ["y".repeat(52)] })), "PINNED_KEY");
  assert.equal(await refusal(check(all)), "VERSION");
  assert.equal(await refusal(check({ ...all, version: 1 })), "ALIAS");
});

test("keys of small order and unreduced scalars are refused", async () => {
  const small = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  ];
  for (const key of small) {
    const verdict = await refusal(check({}, { key: Uint8Array.from(Buffer.from(key, "hex")), signature: () => Uint8Array.of(1, ...new Uint8Array(63)) }));
    assert.equal(verdict, "SIGNATURE", key);
  }
  const addOrder = (signature: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
    const order = Buffer.from("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", "hex");
    const sum = signature.slice();
    let carry = 0;
    for (let i = 0; i < 32; i++) {
      carry += (sum[32 + i] ?? 0) + (order[i] ?? 0);
      sum[32 + i] = carry & 0xff;
      carry >>= 8;
    }
    return sum;
  };
  assert.equal(await refusal(check({}, { signature: addOrder })), "SIGNATURE");
});
