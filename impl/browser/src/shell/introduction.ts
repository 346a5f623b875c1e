/** One exchange of offer and answer: for a new session, or to restart the ICE of one that runs. */
import { Limit } from "../codec/registry.ts";
import { type Candidate, type IceServer, type VisitAnswer, decodeIceServers, decodeVisitStatement } from "../codec/signaling-messages.ts";
import { equalBytes } from "../identity/bytes.ts";
import type { HostLabel } from "../identity/host-label.ts";
import { sdpFingerprint, sdpMaxMessage } from "../identity/sdp.ts";
import { type Refusal, checkAnswer } from "../identity/statement.ts";
import { RESERVED_PATH } from "../port/paths.ts";
import type { KnownKey, Pins } from "./pins.ts";
import { Visit, signalCodeName } from "./visit.ts";
import { VisitError } from "./visit-error.ts";

/** Longest wait for the list of ICE servers; without it the direct paths still work. */
const ICE_SERVERS_MS = 2_000;

/** Whom a session is with: the answer to a restart has to say the same (SIG-046). */
export interface Introduced {
  /** The session id of the visit. */
  sessionId: Uint8Array;
  peerId: string;
  /** SHA-256 fingerprint of the agent's certificate. */
  fingerprint: Uint8Array;
}

export class Introduction {
  readonly #address: HostLabel;
  readonly #pins: Pins;
  readonly #peer: RTCPeerConnection;
  readonly #running: Introduced | undefined;
  readonly #visit = new Visit();
  readonly #nonce = crypto.getRandomValues(new Uint8Array(Limit.NONCE_BYTES));
  #offer: RTCSessionDescriptionInit = { type: "offer" };
  #answered = false;
  /** Candidates of the agent's that have come. */
  #candidates = 0;
  #over = false;

  /** `running`: the session whose ICE is restarted. */
  constructor(address: HostLabel, pins: Pins, peer: RTCPeerConnection, running?: Introduced) {
    this.#address = address;
    this.#pins = pins;
    this.#peer = peer;
    this.#running = running;
  }

  /**
   * Makes the offer, and acts upon what comes back until the visit is over; `onAnswered` hears whose
   * answer has passed all checks and is in use. Throws `VisitError`.
   */
  async run(onAnswered: (agent: Introduced) => void): Promise<void> {
    const servers = fetchIceServers();
    this.#offer = await this.#peer.createOffer({ iceRestart: this.#running !== undefined });
    const sdp = this.#offer.sdp ?? "";
    // The first offer travels while the list of ICE servers is still on its way. One that restarts
    // touches nothing before it is answered: the session may find its old path again.
    const prepared = this.#prepare(servers, this.#running === undefined);
    prepared.catch(() => this.#visit.cancel());
    for await (const event of this.#visit.run(sdp, this.#nonce, this.#running?.sessionId)) {
      if (this.#over) return;
      // At most one answer, then candidates, then the end (SIG-018).
      if (event.kind === (this.#answered ? "answer" : "candidate")) throw new VisitError("MALFORMED", "signaling is out of order");
      if (event.kind === "answer") {
        this.#answered = true;
        const agent = await this.#check(sdp, event.answer);
        await prepared;
        if (this.#isOver()) return;
        if (this.#running) await this.#peer.setLocalDescription(this.#offer);
        await this.#peer.setRemoteDescription({ type: "answer", sdp: event.answer.sdp });
        onAnswered(agent);
      } else if (event.kind === "candidate") {
        await this.#onCandidate(event.candidate);
      } else if (event.kind === "end") {
        // Behind the answer signaling has done its part, whatever the reason (SIG-018).
        if (!this.#answered && event.end.code !== 0) throw new VisitError(signalCodeName(event.end.code), event.end.reason);
        break;
      }
    }
    await prepared;
    if (!this.#answered && !this.#over) throw new VisitError("COORD_UNREACHABLE", "signaling broke off before the answer");
  }

  /** Passes one of the own candidates on; `null` after the last one. */
  send(candidate: RTCIceCandidate | null): void {
    // One that was gathered for another offer is of no use (SIG-049).
    const { usernameFragment } = candidate ?? {};
    if (usernameFragment && !this.#offer.sdp?.includes(`a=ice-ufrag:${usernameFragment}`)) return;
    this.#visit.send(candidate?.candidate ?? "", candidate?.sdpMid ?? "0");
  }

  /** Its work is done, or another one takes its place. */
  end(): void {
    this.#over = true;
    this.#visit.end();
  }

  /** Gives it up. */
  cancel(): void {
    this.#over = true;
    this.#visit.cancel();
  }

  async #prepare(servers: Promise<IceServer[]>, gather: boolean): Promise<void> {
    const iceServers = await servers;
    if (this.#over) return;
    if (iceServers.length > 0) {
      try {
        this.#peer.setConfiguration({ iceServers });
      } catch {
        // A server that this browser cannot use; direct paths remain.
      }
    }
    if (gather) await this.#peer.setLocalDescription(this.#offer);
  }

  /** All that the spec asks for, before any SDP of the agent's is used (IDN-017, SIG-046). */
  async #check(offerSdp: string, answer: VisitAnswer): Promise<Introduced> {
    const known = await this.#pins.known();
    if (this.#running) known.push({ from: "tab", peerId: this.#running.peerId });
    const visit = { ...this.#address, nonce: this.#nonce, pins: known.map(({ peerId }) => peerId), offerSdp, now: Date.now() };
    let verdict: Awaited<ReturnType<typeof checkAnswer>>;
    try {
      verdict = await checkAnswer(crypto.subtle, visit, answer);
    } catch {
      throw new VisitError("NO_ED25519", "this browser cannot check Ed25519 signatures");
    }
    if (!verdict.ok) throw refused(verdict.refusal, known, verdict.presented);
    // RTC-026: the session sends frames of this length, and no longer ones.
    if (sdpMaxMessage(answer.sdp) < Limit.MESSAGE_SIZE_LEAST) throw new VisitError("MALFORMED", "the machine takes no messages of this length");
    const other = await this.#pins.keep(verdict.peerId);
    if (other) throw refused("PINNED_KEY", [...known, other], verdict.peerId);
    const { sessionId } = decodeVisitStatement(answer.statement);
    const fingerprint = sdpFingerprint(answer.sdp);
    if (!fingerprint || (this.#running && !equalBytes(fingerprint, this.#running.fingerprint))) throw refused("FINGERPRINT", known, verdict.peerId);
    return { sessionId, peerId: verdict.peerId, fingerprint };
  }

  async #onCandidate({ candidate, sdpMid }: Candidate): Promise<void> {
    this.#candidates += 1;
    if (!isCandidate(candidate) || this.#candidates > Limit.CANDIDATES_MAX) throw new VisitError("MALFORMED", "a candidate that breaks the rules");
    // One that cannot be used is one path less.
    await this.#peer.addIceCandidate({ candidate, sdpMid: sdpMid || "0" }).catch(() => undefined);
  }

  #isOver(): boolean {
    return this.#over;
  }
}

/** One line, and no longer than it may be; "" says that there will be no more (SIG-013). */
export function isCandidate(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return text === "" || (/^candidate:[^\x00-\x1f\x7f-\x9f]*$/.test(text) && new TextEncoder().encode(text).length <= Limit.CANDIDATE_MAX);
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
