import assert from "node:assert/strict";
import test from "node:test";
import { FrameType, decodeFrame, encodeFrame } from "../src/codec/frame.ts";
import { MalformedMessage } from "../src/codec/protobuf.ts";
import * as msg from "../src/codec/session-messages.ts";
import { VisitEventReader, decodeIceServers, decodeVisitStatement, encodeVisitRequest } from "../src/codec/signaling-messages.ts";
import { readVarint, varintLength, writeVarint } from "../src/codec/varint.ts";

const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("varints of RFC 9000 appendix A.1", () => {
  const samples: [string, number][] = [["9d7f3e7d", 494_878_333], ["7bbd", 15_293], ["25", 37]];
  for (const [text, value] of samples) {
    assert.equal(readVarint(fromHex(text), 0)?.value, value);
    const bytes = new Uint8Array(varintLength(value));
    writeVarint(bytes, 0, value);
    assert.equal(toHex(bytes), text);
  }
  assert.equal(readVarint(fromHex("4025"), 0)?.value, 37, "longer than needed is read");
  assert.equal(readVarint(fromHex("c0ffffffffffffff"), 0)?.value, 0xffffffffffffff);
  for (const cut of ["", "40", "9d7f3e", "c0ffffffffffff"]) assert.equal(readVarint(fromHex(cut), 0), undefined);
});

test("varints survive at every border", () => {
  for (const value of [0, 63, 64, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const bytes = new Uint8Array(varintLength(value));
    assert.equal(writeVarint(bytes, 0, value), bytes.length);
    assert.deepEqual(readVarint(bytes, 0), { value, next: bytes.length });
  }
});

test("frames", () => {
  const message = encodeFrame(FrameType.DATA, 300, fromHex("0102"));
  assert.equal(toHex(message), "04412c0102");
  const frame = decodeFrame(message);
  assert.deepEqual(frame && { ...frame, payload: toHex(frame.payload) }, { type: 4, stream: 300, payload: "0102" });
  assert.equal(decodeFrame(new Uint8Array()), undefined);
  assert.equal(decodeFrame(fromHex("04")), undefined);
});

test("session messages are read as they were written", () => {
  const hello = { versions: [1, 77], settings: [{ id: 1, value: 65_536 }, { id: 900, value: 2 ** 40 }], software: "test é" };
  assert.deepEqual(msg.decodeSessionHello(msg.encodeSessionHello(hello)), hello);
  const fields = [{ name: "a", value: fromHex("00ff") }, { name: "b", value: new Uint8Array() }];
  const request = { method: "GET", target: "/ä", fields, end: true, protocol: "" };
  assert.deepEqual(plain(msg.decodeRequest(msg.encodeRequest(request))), plain(request));
  const connect = { ...request, method: "CONNECT", end: false, protocol: "websocket" };
  assert.deepEqual(plain(msg.decodeRequest(msg.encodeRequest(connect))), plain(connect));
  for (const close of [{ code: 0, reason: "" }, { code: 4999, reason: "fertig ✓" }]) assert.deepEqual(msg.decodeWsClose(msg.encodeWsClose(close)), close);
  const response = { status: 200, fields, end: false };
  assert.deepEqual(plain(msg.decodeResponse(msg.encodeResponse(response))), plain(response));
  assert.deepEqual(msg.decodeGoAway(msg.encodeGoAway({ code: 3, lastStream: 7, reason: "x" })), { code: 3, lastStream: 7, reason: "x" });
  assert.deepEqual(msg.decodeCredit(msg.encodeCredit({ maxBytes: 2 ** 45 })), { maxBytes: 2 ** 45 });
  assert.deepEqual(msg.decodeStop(new Uint8Array()), { code: 0 });
  assert.deepEqual(msg.decodeReset(msg.encodeReset({ code: 6, reason: "" })), { code: 6, reason: "" });
});

test("unknown fields are skipped; damaged messages are errors", () => {
  // Field 99, each wire type, around field 1 = 5.
  assert.deepEqual(msg.decodePing(fromHex("9806 07 0805 9a06 03616263 9d06 01020304 9906 0102030405060708")), { token: 5 });
  for (const bad of ["08", "0a05", "1203", "0a", "ffffffffffffffffffffff", "00", "0b"]) {
    assert.throws(() => msg.decodeSessionHello(fromHex(bad)), MalformedMessage, bad);
  }
  assert.throws(() => msg.decodeRequest(fromHex("0801")), MalformedMessage, "wire type of another");
  assert.throws(() => msg.decodeRequest(fromHex("1a04 0a06 6161")), MalformedMessage, "inner length too long");
  assert.throws(() => msg.decodeRequest(fromHex("0a02fffe")), MalformedMessage, "no UTF-8");
});

test("versions are read packed and one by one", () => {
  assert.deepEqual(msg.decodeSessionHello(fromHex("0801 0802")).versions, [1, 2]);
  assert.deepEqual(msg.decodeSessionHello(fromHex("0a020102")).versions, [1, 2]);
});

test("events of a visit, cut at every byte", () => {
  const sdp = "x".repeat(200);
  const answer = concat(fromHex("0a02aabb 12c801"), Buffer.from(sdp), fromHex("1a0101 220102"));
  const events = concat(
    lengthDelimited(concat(fromHex("0a"), varint(answer.length), answer)),
    lengthDelimited(fromHex("1203 120163")),
    lengthDelimited(fromHex("5203010203")),
    lengthDelimited(fromHex("1a02 100d")),
  );
  for (let cut = 0; cut <= events.length; cut++) {
    const reader = new VisitEventReader();
    const all = [...reader.push(events.subarray(0, cut)), ...reader.push(events.subarray(cut))];
    assert.deepEqual(all.map(({ kind }) => kind), ["answer", "candidate", "unknown", "end"]);
    assert.equal(all[0]?.kind === "answer" && all[0].answer.sdp, sdp);
    assert.equal(all[1]?.kind === "candidate" && all[1].candidate.candidate, "c");
    assert.equal(all[3]?.kind === "end" && all[3].end.code, 13);
  }
  assert.throws(() => new VisitEventReader().push(fromHex("ffffff7f00")), MalformedMessage);
});

test("other signaling messages", () => {
  assert.equal(toHex(encodeVisitRequest({ versions: [1], sdp: "s", nonce: fromHex("ab") })), "0a01011201731a01ab");
  assert.equal(toHex(encodeVisitRequest({ versions: [1], sdp: "s", nonce: fromHex("ab"), restarts: fromHex("cdef") })), "0a01011201731a01ab2202cdef");
  assert.deepEqual(decodeIceServers(fromHex("0a09 0a0173 120175 1a0163")), [{ urls: ["s"], username: "u", credential: "c" }]);
  assert.equal(decodeVisitStatement(fromHex("38ffffffffffffffffff01")).expiresAtMs, -1);
});

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner: unknown) => (inner instanceof Uint8Array ? toHex(inner) : inner)));
}
function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
function varint(value: number): Uint8Array {
  return value < 0x80 ? Uint8Array.of(value) : Uint8Array.of((value & 0x7f) | 0x80, value >> 7);
}
function lengthDelimited(bytes: Uint8Array): Uint8Array {
  return concat(varint(bytes.length), bytes);
}
