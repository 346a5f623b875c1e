import assert from "node:assert/strict";
import test from "node:test";
import { explain } from "../src/shell/explanations.ts";
import { Pins, type PinStore, withoutPin } from "../src/shell/pins.ts";
import type { Pin } from "../src/port/database.ts";

const [one, two] = ["y".repeat(52), `${"y".repeat(51)}o`];
const ORIGIN = "https://app.example";

function storeOf(pins: Pin[]): PinStore {
  return {
    read: () => Promise.resolve(pins[0]),
    add: (pin) => {
      pins[0] ??= pin;
      return Promise.resolve(pins[0]);
    },
  };
}
const broken: PinStore = { read: () => Promise.reject(new Error("no storage")), add: () => Promise.reject(new Error("no storage")) };
const idsOf = async (pins: Pins): Promise<string[]> => (await pins.known()).map(({ peerId }) => peerId);

// IDN-020
test("a key that was verified once holds for the tab, with storage and without", async () => {
  for (const store of [broken, storeOf([])]) {
    const pins = new Pins(ORIGIN, "", store);
    assert.deepEqual(await idsOf(pins), []);
    assert.equal(await pins.keep(one), undefined);
    assert.ok((await idsOf(pins)).includes(one));
  }
});

// BRO-002, IDN-019
test("the key of the link holds for the tab, whatever becomes of the address", async () => {
  const pins = new Pins(ORIGIN, `#p=${one}`, broken);
  assert.deepEqual(await pins.known(), [{ from: "link", peerId: one }]);
  const [damaged] = await new Pins(ORIGIN, "#p=2", broken).known();
  assert.deepEqual(damaged, { from: "link", peerId: "damaged: 2" });
  assert.deepEqual(await new Pins(ORIGIN, "#q=2", broken).known(), []);
});

// IDN-020
test("a key that another tab has stored meanwhile is no less a pin", async () => {
  const pins = new Pins(ORIGIN, "", storeOf([{ origin: ORIGIN, peerId: two, since: 0 }]));
  assert.deepEqual(await pins.keep(one), { from: "store", peerId: two });
  assert.deepEqual(await idsOf(pins), [two]);
});

test("the bar shows no fragment of the app's that looks like a pin", () => {
  assert.equal(withoutPin("https://app.example/a?b#p=2"), "https://app.example/a?b");
  assert.equal(withoutPin("https://app.example/a?b#page"), "https://app.example/a?b#page");
});

test("every code that a visit can end with has words of its own", () => {
  const codes = [
    "PINNED_KEY", "PINNED_KEY_IN_LINK", "SIGNATURE", "STATEMENT", "VERSION", "ALIAS", "APP", "NONCE", "FINGERPRINT", "EXPIRED",
    "MALFORMED", "LIMIT", "NO_SUCH_ALIAS", "NO_SUCH_APP", "AGENT_OFFLINE", "AGENT_TIMEOUT", "BAD_OFFER", "REVOKED", "SHUTTING_DOWN",
    "INTERNAL", "COORD_UNREACHABLE", "NETWORK", "NO_PATH", "LOST", "NO_ED25519", "NO_WEBRTC", "NO_SERVICE_WORKER", "NO_WORKER",
  ];
  const unknown = explain("?");
  for (const code of codes) assert.notEqual(explain(code), unknown, code);
  assert.deepEqual(explain("SHUTTING_DOWN"), explain("AGENT_OFFLINE"));
  assert.doesNotMatch(JSON.stringify(explain("PINNED_KEY_IN_LINK")), /delet|stored data/i);
});
