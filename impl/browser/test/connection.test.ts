/** One attempt at a session, with a peer connection and a coord that are the test. */
import assert from "node:assert/strict";
import test from "node:test";
import { Bench, type FakePeer, answerEvent, candidateEvent, endEvent, turns } from "./visit-bench.ts";

const gathered = (peer: FakePeer, candidate: string): void => peer.onicecandidate?.({ candidate: { candidate, sdpMid: "0" } });

// RTC-002, RTC-003
test("lanes are agreed on beforehand, with the numbers of the lanes", async () => {
  const { connection, peer } = await Bench.answered();
  assert.deepEqual(peer.channels, [0, 1, 2, 3].map((id) => ["p2claw", { negotiated: true, id, ordered: true }]));
  connection.close();
});

// RTC-004
test("nobody listens for channels that the agent opens", async () => {
  const { connection, peer } = await Bench.open();
  assert.equal(peer.ondatachannel, undefined);
  connection.close();
});

// RTC-011
test("the offer waits for no candidate, and those that come later follow it", async () => {
  // Nothing has been gathered when the answer is here.
  const { connection, peer, updates } = await Bench.answered();
  gathered(peer, "candidate:1");
  gathered(peer, "candidate:2");
  await turns();
  gathered(peer, "candidate:3");
  await turns();
  assert.deepEqual(updates, [["/visits/0", ["candidate:1", "candidate:2"]], ["/visits/0", ["candidate:3"]]]);
  connection.close();
});

// IDN-016
test("each visit and each restart has a nonce of its own, all of it random", async () => {
  const nonces: Uint8Array[] = [];
  for (let i = 0; i < 4; i++) {
    const bench = await Bench.open();
    bench.window.dispatchEvent(new Event("online"));
    await turns();
    assert.deepEqual(bench.visits.map(({ restarts }) => restarts !== undefined), [false, true]);
    nonces.push(...bench.visits.map(({ nonce }) => nonce));
    bench.connection.close();
  }
  assert.equal(nonces.length, 8);
  for (const { length } of nonces) assert.equal(length, 32);
  // Eight random bytes are the same once in 256 ** 7.
  for (let i = 0; i < 32; i++) assert.ok(new Set(nonces.map((nonce) => nonce[i])).size > 1, `byte ${i}`);
  assert.equal(new Set(nonces.map((nonce) => nonce.join())).size, 8);
});

// RTC-007, RTC-026
test("an agent that takes no message of a frame's length is not connected to", async () => {
  for (const [lines, codes] of [["a=max-message-size:16384\r\n", []], ["a=max-message-size:16383\r\n", ["MALFORMED"]]] as const) {
    const bench = new Bench();
    await turns();
    bench.last.send(answerEvent(bench.last.nonce, 2, lines));
    await turns();
    assert.deepEqual(bench.codes, codes, lines);
    assert.equal(bench.peer.done.includes("remote answer"), codes.length === 0, lines);
    bench.connection.close();
  }
});

// SIG-018
test("signaling out of order ends a visit, but no session", async () => {
  const early = await Bench.answered();
  early.last.send(answerEvent(early.last.nonce));
  await turns();
  assert.deepEqual(early.codes, ["MALFORMED"]);
  assert.ok(early.peer.closed && early.last.signal.aborted);

  for (const what of ["answer", "rubbish"]) {
    const open = await Bench.answered();
    open.connection.opened();
    open.last.send(what === "answer" ? answerEvent(open.last.nonce) : new Uint8Array(20).fill(0xff));
    await turns();
    assert.deepEqual([open.failures, open.peer.closed], [[], false], what);
    open.connection.close();
  }
});

// SIG-030
test("signaling ends when the session is open and ICE has chosen", async () => {
  const first = await Bench.answered();
  first.connection.opened();
  assert.ok(!first.last.signal.aborted, "a better path may still come");
  first.peer.iceConnectionState = "completed";
  first.peer.oniceconnectionstatechange?.();
  assert.ok(first.last.signal.aborted);
  await turns();
  assert.deepEqual([first.failures, first.peer.closed], [[], false]);

  const second = await Bench.answered();
  second.peer.iceConnectionState = "completed";
  second.peer.oniceconnectionstatechange?.();
  assert.ok(!second.last.signal.aborted, "there is no session yet");
  second.connection.opened();
  assert.ok(second.last.signal.aborted);
  for (const { connection } of [first, second]) connection.close();
});

// SIG-013, SIG-018
test("an agent that sends more candidates than it may, or bad ones, is refused; an end behind the answer is none", async () => {
  const candidate = candidateEvent("candidate:1 1 udp 1 192.0.2.7 1 typ host");
  const many = await Bench.answered();
  for (let i = 0; i < 128; i++) many.last.send(candidate);
  await turns();
  assert.deepEqual(many.failures, []);
  many.last.send(candidate);
  await turns();
  assert.deepEqual(many.codes, ["MALFORMED"]);

  const bad = await Bench.answered();
  bad.last.send(candidateEvent("candidate:1\r\na=fingerprint:sha-256 00"));
  await turns();
  assert.deepEqual([bad.codes, bad.peer.closed], [["MALFORMED"], true]);

  const ended = await Bench.answered();
  ended.last.send(endEvent(13));
  await turns();
  assert.deepEqual([ended.failures, ended.peer.closed], [[], false], "the connection goes on");
  ended.connection.close();
});

// RTC-016
test("the path is told, direct or through a relay of either end", async () => {
  const bench = await Bench.open();
  assert.deepEqual(bench.paths, ["direct"]);
  const ways: [[string, string], string][] = [[["relay", "host"], "relayed-tls"], [["srflx", "relay"], "relayed"], [["srflx", "srflx"], "direct"]];
  for (const [types, path] of ways) {
    bench.peer.types = types;
    bench.peer.become("connected");
    await turns();
    assert.equal(bench.paths.at(-1), path);
  }
  bench.connection.close();
});

test("a connection that never comes about is no lost path", async () => {
  const bench = await Bench.answered();
  bench.peer.become("failed");
  assert.deepEqual([bench.codes, bench.paths], [["NO_PATH"], []]);
});
