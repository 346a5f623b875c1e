/** One answer of the statements' vectors, given to the exchange that asked for it. */
import { createPrivateKey, createPublicKey } from "node:crypto";
import type { HostLabel } from "../src/identity/host-label.ts";
import { encodePeerId } from "../src/identity/peer-id.ts";
import { type Introduced, Introduction } from "../src/shell/introduction.ts";
import { Pins } from "../src/shell/pins.ts";
import { VisitError } from "../src/shell/visit-error.ts";
import { sdp } from "./agent-statement.ts";
import { fromHex } from "./vector-file.ts";
import { FakePeer, endEvent, event } from "./visit-bench.ts";

export interface RestartInput extends HostLabel {
  session_seed: string;
  session_agent_fingerprint: string;
  nonce: string;
  visitor_fingerprint: string;
  answer_sdp: string;
  now_ms: number;
  statement: string;
  signature: string;
}

/** What stands before the 32 bytes of an Ed25519 seed in PKCS 8 (RFC 8410 section 7). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

function peerIdOf(seed: string): string {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, fromHex(seed)]), format: "der", type: "pkcs8" });
  return encodePeerId(Uint8Array.from(createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32)));
}

/** A visitor's end with the certificate of `fingerprint`. */
class Visitor extends FakePeer {
  readonly #sdp: string;
  constructor(fingerprint: string) {
    super();
    this.#sdp = sdp(`a=fingerprint:sha-256 ${(fingerprint.match(/../g) ?? []).join(":").toUpperCase()}\r\n`);
  }
  override async createOffer(options: RTCOfferOptions): Promise<{ type: string; sdp: string }> {
    return { ...(await super.createOffer(options)), sdp: this.#sdp };
  }
}

/**
 * Makes an offer with the nonce and at the time of `input`, and answers it: `outcome` is `taken`, or
 * the code of the refusal, and `done` what the peer connection was told. With `restarts` the offer
 * restarts the session of `input`; otherwise it is a first visit.
 */
export async function answered(input: RestartInput, restarts: boolean): Promise<{ outcome: string; done: string[] }> {
  const running: Introduced = { sessionId: new Uint8Array(16), peerId: peerIdOf(input.session_seed), fingerprint: fromHex(input.session_agent_fingerprint) };
  const peer = new Visitor(input.visitor_fingerprint);
  const pins = new Pins("https://app.example", "", { read: () => Promise.resolve(undefined), add: (pin) => Promise.resolve(pin) });
  const answer = event(1, (inner) => {
    inner.writeStringField(2, input.answer_sdp);
    inner.writeBytesField(3, fromHex(input.statement));
    inner.writeBytesField(4, fromHex(input.signature));
  });
  const body = Buffer.concat([answer, endEvent(0)]);
  const before = { fetch: globalThis.fetch, now: Date.now, random: crypto.getRandomValues };
  globalThis.fetch = (_, init) => Promise.resolve(init?.method === "POST" ? new Response(body, { status: 201 }) : new Response(null, { status: 404 }));
  Date.now = () => input.now_ms;
  crypto.getRandomValues = (array) => {
    (array as unknown as Uint8Array).set(fromHex(input.nonce));
    return array;
  };
  let outcome = "nothing";
  try {
    const { app, alias } = input;
    const introduction = new Introduction({ app, alias }, pins, peer as unknown as RTCPeerConnection, restarts ? running : undefined);
    await introduction.run(() => (outcome = "taken"));
  } catch (error) {
    if (!(error instanceof VisitError && error.refused)) throw error;
    outcome = error.code;
  } finally {
    globalThis.fetch = before.fetch;
    Date.now = before.now;
    crypto.getRandomValues = before.random;
  }
  return { outcome, done: peer.done };
}
