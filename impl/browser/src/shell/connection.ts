/** One attempt at a session: visit, check of the agent's statement, peer connection. */
import { type Candidate, type IceServer, type VisitAnswer, decodeIceServers } from "../codec/signaling-messages.ts";
import type { HostLabel } from "../identity/host-label.ts";
import { type Refusal, checkAnswer } from "../identity/statement.ts";
import { RESERVED_PATH } from "../port/paths.ts";
import type { KnownKey, Pins } from "./pins.ts";
import { Visit, signalCodeName } from "./visit.ts";
import { VisitError } from "./visit-error.ts";

/** Lanes offered (RTC-003). */
const LANES = 4;
/** Longest wait for the list of ICE servers; without it the direct paths still work. */
const ICE_SERVERS_MS = 2_000;
/** Coord gives an agent 10 s to answer; a little more for the way. */
const ANSWER_MS = 13_000;
/** From the answer to the first open lane. */
const CONNECT_MS = 20_000;
/** Longest that signaling goes on beside the session, for candidates of a better path. */
const SETTLE_MS = 2_000;
/** A path that is gone for this long does not come back (RTC-015). */
const DISCONNECTED_MS = 30_000;

/** What an agent may send in one visit (SIG-013). */
const MAX_CANDIDATES = 128;
const MAX_CANDIDATE_BYTES = 1_024;

export interface ConnectionEvents {
  /** The channels, at once: they can be transferred only before they open. */
  onChannels(channels: RTCDataChannel[]): void;
  /** The agent is who it should be; requests may be prepared. */
  onVerified(peerId: string): void;
  /** The attempt failed, or the peer connection is lost for good. */
  onFailed(error: VisitError): void;
}

export class Connection {
  readonly #address: HostLabel;
  readonly #pins: Pins;
  readonly #events: ConnectionEvents;
  readonly #visit = new Visit();
  readonly #peer: RTCPeerConnection;
  readonly #nonce = crypto.getRandomValues(new Uint8Array(32));
  #answered = false;
  /** Candidates of the agent's that have come. */
  #candidates = 0;
  #state: "connecting" | "open" | "over" = "connecting";
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #lost: ReturnType<typeof setTimeout> | undefined;

  constructor(address: HostLabel, pins: Pins, events: ConnectionEvents) {
    this.#address = address;
    this.#pins = pins;
    this.#events = events;
    this.#peer = new RTCPeerConnection();
    const channels = Array.from({ length: LANES }, (_, id) => this.#peer.createDataChannel("p2claw", { negotiated: true, id, ordered: true }));
    events.onChannels(channels);
    this.#peer.onicecandidate = ({ candidate }) => this.#visit.send(candidate?.candidate ?? "", candidate?.sdpMid ?? "0");
    this.#peer.onconnectionstatechange = () => this.#onState();
    this.#peer.oniceconnectionstatechange = () => this.#endVisit();
    this.#allow(ANSWER_MS, "AGENT_TIMEOUT", "the agent did not answer in time");
    // What signaling brings cannot harm a session that is there.
    void this.#run().catch((error: unknown) => this.#state === "connecting" && this.#fail(error));
  }

  /** The session's first messages have come. */
  opened(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#visit.end(), SETTLE_MS);
    this.#endVisit();
  }

  close(): void {
    if (this.#state === "connecting") this.#visit.cancel();
    else this.#visit.end();
    this.#state = "over";
    clearTimeout(this.#deadline);
    clearTimeout(this.#lost);
    this.#peer.close();
  }

  async #run(): Promise<void> {
    const iceServers = fetchIceServers();
    const offer = await this.#peer.createOffer();
    const sdp = offer.sdp ?? "";
    // The offer travels while the list of ICE servers is still on its way.
    const gathering = this.#gather(offer, iceServers);
    gathering.catch((error: unknown) => this.#fail(error));
    for await (const event of this.#visit.run(sdp, this.#nonce)) {
      if (this.#state === "over") return;
      // At most one answer, then candidates, then the end (SIG-018).
      if (event.kind === (this.#answered ? "answer" : "candidate")) throw new VisitError("MALFORMED", "signaling is out of order");
      if (event.kind === "answer") {
        await this.#onAnswer(sdp, event.answer, gathering);
      } else if (event.kind === "candidate") {
        await this.#onCandidate(event.candidate);
      } else if (event.kind === "end") {
        // Behind the answer signaling has done its part, whatever the reason (SIG-018).
        if (!this.#answered && event.end.code !== 0) throw new VisitError(signalCodeName(event.end.code), event.end.reason);
        break;
      }
    }
    if (!this.#answered) throw new VisitError("COORD_UNREACHABLE", "signaling broke off before the answer");
  }

  async #gather(offer: RTCSessionDescriptionInit, iceServers: Promise<IceServer[]>): Promise<void> {
    const servers = await iceServers;
    if (this.#state === "over") return;
    if (servers.length > 0) {
      try {
        this.#peer.setConfiguration({ iceServers: servers });
      } catch {
        // A server that this browser cannot use; direct paths remain.
      }
    }
    await this.#peer.setLocalDescription(offer);
  }

  async #onAnswer(offerSdp: string, answer: VisitAnswer, gathering: Promise<void>): Promise<void> {
    this.#answered = true;
    const peerId = await this.#check(offerSdp, answer);
    await gathering;
    if (this.#isOver()) return;
    this.#allow(CONNECT_MS, "NO_PATH", "no path to the agent was found in time");
    await this.#peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    this.#events.onVerified(peerId);
  }

  /** All that the spec asks for, before any SDP of the agent's is used (IDN-017). */
  async #check(offerSdp: string, answer: VisitAnswer): Promise<string> {
    const known = await this.#pins.known();
    const visit = { ...this.#address, nonce: this.#nonce, pins: known.map(({ peerId }) => peerId), offerSdp, now: Date.now() };
    let verdict: Awaited<ReturnType<typeof checkAnswer>>;
    try {
      verdict = await checkAnswer(crypto.subtle, visit, answer);
    } catch {
      throw new VisitError("NO_ED25519", "this browser cannot check Ed25519 signatures");
    }
    if (!verdict.ok) throw refused(verdict.refusal, known, verdict.presented);
    const other = await this.#pins.keep(verdict.peerId);
    if (other) throw refused("PINNED_KEY", [...known, other], verdict.peerId);
    return verdict.peerId;
  }

  async #onCandidate({ candidate, sdpMid }: Candidate): Promise<void> {
    this.#candidates += 1;
    if (!isCandidate(candidate) || this.#candidates > MAX_CANDIDATES) throw new VisitError("MALFORMED", "a candidate that breaks the rules");
    // One that cannot be used is one path less.
    await this.#peer.addIceCandidate({ candidate, sdpMid: sdpMid || "0" }).catch(() => undefined);
  }

  #onState(): void {
    clearTimeout(this.#lost);
    const state = this.#peer.connectionState;
    if (state === "failed") this.#fail(new VisitError("NO_PATH", "the path to the agent is gone"));
    else if (state === "disconnected") {
      this.#lost = setTimeout(() => this.#fail(new VisitError("NO_PATH", "the path to the agent is gone")), DISCONNECTED_MS);
    }
  }

  /** Once ICE has chosen a path, candidates are of no use to a session that is open. */
  #endVisit(): void {
    if (this.#state === "open" && this.#peer.iceConnectionState === "completed") this.#visit.end();
  }

  #allow(milliseconds: number, code: string, reason: string): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#fail(new VisitError(code, reason)), milliseconds);
  }

  #isOver(): boolean {
    return this.#state === "over";
  }

  #fail(error: unknown): void {
    if (this.#state === "over") return;
    this.close();
    this.#events.onFailed(error instanceof VisitError ? error : new VisitError("INTERNAL", error instanceof Error ? error.message : String(error)));
  }
}

/** One line, and no longer than it may be; "" says that there will be no more (SIG-013). */
export function isCandidate(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return text === "" || (/^candidate:[^\x00-\x1f\x7f-\x9f]*$/.test(text) && new TextEncoder().encode(text).length <= MAX_CANDIDATE_BYTES);
}

const KEY_LABELS: Readonly<Record<KnownKey["from"], string>> = {
  link: "Key in the link",
  store: "Key of your earlier visits",
  tab: "Key of the machine before",
};

function refused(refusal: Refusal, known: readonly KnownKey[], presented: string | undefined): VisitError {
  const facts = known.map(({ from, peerId }): [string, string] => [KEY_LABELS[from], peerId]);
  if (presented !== undefined) facts.push(["Key presented now", presented]);
  // Where nothing but the link speaks against the machine, the link may be at fault.
  const byLink = refusal === "PINNED_KEY" && known.every(({ from, peerId }) => from === "link" || peerId === presented);
  return new VisitError(byLink ? "PINNED_KEY_IN_LINK" : refusal, "the agent's answer failed a check", { refused: true, facts });
}

async function fetchIceServers(): Promise<IceServer[]> {
  try {
    const response = await fetch(`${RESERVED_PATH}v1/ice-servers`, { signal: AbortSignal.timeout(ICE_SERVERS_MS) });
    if (!response.ok) return [];
    const servers = decodeIceServers(new Uint8Array(await response.arrayBuffer()));
    return servers.filter(({ urls }) => urls.length > 0);
  } catch {
    return [];
  }
}
