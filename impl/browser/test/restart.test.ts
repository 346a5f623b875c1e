/** A path that is lost, and the restarts of ICE that bring another one. */
import assert from "node:assert/strict";
import test, { type MockTracker } from "node:test";
import { SIGNAL_CODES } from "../src/codec/registry.ts";
import { Restarts } from "../src/shell/restarts.ts";
import { Bench, answerEvent, candidateEvent, endEvent, turns } from "./visit-bench.ts";

/** A session that has lost its path and has asked for a restart. */
async function restarting(): Promise<Bench> {
  const bench = await Bench.open();
  bench.peer.done.length = 0;
  // Nothing waits for this one to come back by itself.
  bench.peer.become("failed");
  await turns();
  assert.equal(bench.visits.length, 2);
  return bench;
}

/** Restarts under a clock of their own, which begins at 10 s; `at` has their times. */
function timed(mock: MockTracker): { restarts: Restarts; at: number[]; pass: (milliseconds: number) => void } {
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 10_000;
  const at: number[] = [];
  const restarts = new Restarts(() => at.push(now), () => now);
  const pass = (milliseconds: number): void => {
    for (let passed = 0; passed < milliseconds; passed += 100) {
      now += 100;
      mock.timers.tick(100);
    }
  };
  return { restarts, at, pass };
}

// RTC-019, RTC-020, SIG-043, SES-063
test("a lost path is restarted in a visit that names the session, and the connection stays", async () => {
  const bench = await restarting();
  const { peer, last } = bench;
  assert.deepEqual(last.restarts, new Uint8Array(16), "the id of the first visit");
  assert.notDeepEqual(last.nonce, bench.visits[0]?.nonce);
  assert.ok(bench.visits[0]?.signal.aborted);
  assert.deepEqual([bench.paths, bench.restarts], [["direct", "lost"], 1]);
  assert.deepEqual(peer.done, ["restarting offer"], "nothing is touched before the answer");
  last.send(answerEvent(last.nonce));
  last.send(candidateEvent("candidate:1 1 udp 1 192.0.2.7 1 typ host"));
  last.send(candidateEvent(""));
  await turns();
  assert.deepEqual(peer.done, ["restarting offer", "local offer", "remote answer", "candidate", "the last candidate"]);
  peer.types = ["relay", "host"];
  peer.become("connecting");
  peer.become("connected");
  await turns();
  assert.deepEqual(bench.paths, ["direct", "lost", "relayed-tls"]);
  assert.deepEqual([bench.failures, peer.closed, bench.visits.length, bench.verified], [[], false, 2, 1]);
  bench.connection.close();
});

// SIG-046
test("an answer of another certificate, or to another question, is refused, and the session stays as it was", async () => {
  for (const what of ["certificate", "nonce"]) {
    const bench = await restarting();
    const { last, peer } = bench;
    last.send(what === "certificate" ? answerEvent(last.nonce, 3) : answerEvent(new Uint8Array(32)));
    await turns();
    assert.deepEqual(peer.done, ["restarting offer"], what);
    assert.deepEqual([bench.failures, peer.closed, bench.given], [[], false, ["/visits/1"]], what);
    bench.connection.close();
  }
});

// SIG-045
test("an agent that does not have the session any more ends it at once; any other code does not", async () => {
  for (const code of ["NO_SUCH_VISIT", "AGENT_OFFLINE", "LIMIT"] as const) {
    const bench = await restarting();
    bench.last.send(endEvent(SIGNAL_CODES.indexOf(code)));
    await turns();
    const isOver = code === "NO_SUCH_VISIT";
    assert.deepEqual([bench.codes, bench.peer.closed], [isOver ? ["LOST"] : [], isOver], code);
    bench.connection.close();
  }
});

// SIG-049, RTC-011
test("candidates go to the visit of the offer that they were gathered for", async () => {
  const bench = await restarting();
  const gathered = (candidate: string, offer: number): void => bench.peer.onicecandidate?.({ candidate: { candidate, sdpMid: "0", usernameFragment: `offer${offer}` } });
  gathered("candidate:old", 1);
  gathered("candidate:new", 2);
  bench.peer.onicecandidate?.({ candidate: null });
  await turns();
  assert.deepEqual(bench.updates, [["/visits/1", ["candidate:new", ""]]]);
  bench.connection.close();
});

// RTC-015
test("a connection without DTLS is beyond a restart", async () => {
  const bench = await Bench.open();
  bench.peer.sctp = { transport: { state: "failed", iceTransport: new EventTarget() } };
  bench.peer.become("failed");
  assert.deepEqual([bench.codes, bench.paths], [["LOST"], ["direct"]]);
  assert.equal(bench.visits.length, 1);
});

// RTC-019
test("news of the network restart ICE at once, and news of its speed do not", async () => {
  const bench = await Bench.open();
  bench.network.dispatchEvent(new Event("change"));
  await turns();
  assert.equal(bench.visits.length, 1);
  bench.network.type = "cellular";
  bench.network.dispatchEvent(new Event("change"));
  await turns();
  assert.equal(bench.visits.length, 2);
  assert.equal(bench.restarts, 0, "there is a path, and nothing to tell");
  bench.connection.close();

  const online = await Bench.open();
  online.window.dispatchEvent(new Event("online"));
  await turns();
  assert.equal(online.visits.length, 2);
  online.connection.close();
  online.window.dispatchEvent(new Event("online"));
  await turns();
  assert.equal(online.visits.length, 2, "what is closed hears nothing");
});

// RTC-019
test("a direct path that gives way to a relay is looked for again, until the agent has answered", ({ mock }) => {
  const { restarts, at, pass } = timed(mock);
  restarts.takes("relayed");
  pass(20_000);
  assert.deepEqual(at, [], "there was no direct one");
  restarts.takes("direct");
  restarts.takes("relayed");
  pass(1_000);
  restarts.takes("direct");
  pass(20_000);
  assert.deepEqual(at, [], "it came back");
  restarts.takes("relayed");
  pass(18_000);
  assert.deepEqual(at.splice(0), [53_000, 68_000]);
  restarts.stay();
  restarts.takes("relayed");
  pass(60_000);
  assert.deepEqual(at, [], "there is none now");
  restarts.takes("direct");
  restarts.lost();
  restarts.found();
  restarts.takes("relayed");
  pass(120_000);
  assert.equal(at.splice(0).length, 3, "it came back as a detour, and nobody answers");
  restarts.takes("direct");
  restarts.takes("relayed");
  restarts.lost();
  pass(3_000);
  restarts.stay();
  at.length = 0;
  pass(20_000);
  assert.equal(at.length, 4, "a path that is lost is looked for whoever answers");
});

// RTC-019, SIG-047
test("a restart comes 2 s behind the loss, every 5 s, and with news at once, but a second apart", ({ mock }) => {
  const { restarts, at, pass } = timed(mock);
  restarts.lost();
  pass(1_000);
  restarts.lost();
  pass(12_000);
  assert.deepEqual(at.splice(0), [12_000, 17_000, 22_000]);
  restarts.hurry();
  pass(100);
  restarts.hurry();
  pass(7_000);
  assert.deepEqual(at.splice(0), [23_100, 24_100, 29_100]);
  restarts.found();
  pass(20_000);
  assert.deepEqual(at, []);
  restarts.hurry();
  pass(20_000);
  assert.equal(at.length, 1, "once, where the path is there");
});
