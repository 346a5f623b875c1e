/**
 * One peer connection: from its visit to its end, over every path that it finds.
 *
 *   connecting --HELLO--> open --NO_SUCH_VISIT, DTLS gone--> over
 *       |                  |  ^ path lost: restarts of ICE, while the session waits (SES-063)
 *       +--failed--> over  +--+
 */
import { Limit } from "../codec/registry.ts";
import type { HostLabel } from "../identity/host-label.ts";
import { type Introduced, Introduction } from "./introduction.ts";
import { type Path, pathOf } from "./path.ts";
import type { Pins } from "./pins.ts";
import { Restarts } from "./restarts.ts";
import { VisitError } from "./visit-error.ts";

/** What coord gives an agent to answer, and a little more for the way. */
const PATIENCE_MS = Limit.ANSWER_MS + 3_000;
/** From the answer to the first open lane. */
const CONNECT_MS = 20_000;

export interface ConnectionEvents {
  /** The channels, at once: they can be transferred only before they open. */
  onChannels(channels: RTCDataChannel[]): void;
  /** The agent is who it should be; requests may be prepared. */
  onVerified(peerId: string): void;
  /** The path of an open session is another one, or none at all. */
  onPath(path: Path | "lost"): void;
  /** ICE is being restarted. */
  onRestart(): void;
  /** The attempt failed, or the session is lost for good. */
  onFailed(error: VisitError): void;
}

/** The part of NetworkInformation that matters here; not every browser has it. */
type NetworkInformation = EventTarget & { readonly type?: string };

export class Connection {
  readonly #address: HostLabel;
  readonly #pins: Pins;
  readonly #events: ConnectionEvents;
  readonly #peer: RTCPeerConnection;
  /** The latest one: what is gathered is for it. */
  #introduction: Introduction;
  /** Whom the session is with. */
  #agent: Introduced | undefined;
  readonly #restarts = new Restarts(() => void this.#restart());
  readonly #listening = new AbortController();
  #state: "connecting" | "open" | "over" = "connecting";
  #path: Path | "lost" | undefined;
  #restarted = false;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #settling: ReturnType<typeof setTimeout> | undefined;

  constructor(address: HostLabel, pins: Pins, events: ConnectionEvents) {
    this.#address = address;
    this.#pins = pins;
    this.#events = events;
    this.#peer = new RTCPeerConnection();
    this.#introduction = new Introduction(address, pins, this.#peer);
    const channels = Array.from({ length: Limit.LANES_MADE }, (_, id) => this.#peer.createDataChannel("p2claw", { negotiated: true, id, ordered: true }));
    events.onChannels(channels);
    this.#peer.onicecandidate = ({ candidate }) => this.#introduction.send(candidate);
    this.#peer.onconnectionstatechange = () => this.#onState();
    this.#peer.oniceconnectionstatechange = () => this.#endVisit();
    this.#allow(PATIENCE_MS, "AGENT_TIMEOUT", "the agent did not answer in time");
    // What signaling brings cannot harm a session that is there.
    void this.#introduction.run((agent) => this.#onAnswered(agent)).catch((error: unknown) => this.#state === "connecting" && this.#fail(error));
  }

  /** The session's first messages have come. */
  opened(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    clearTimeout(this.#deadline);
    this.#watch();
    this.#settle();
    this.#endVisit();
    void this.#showPath();
  }

  close(): void {
    if (this.#state === "connecting") this.#introduction.cancel();
    else this.#introduction.end();
    this.#state = "over";
    clearTimeout(this.#deadline);
    clearTimeout(this.#settling);
    this.#restarts.found();
    this.#listening.abort();
    this.#peer.close();
  }

  #onAnswered(agent: Introduced): void {
    this.#agent = agent;
    if (this.#state === "connecting") this.#allow(CONNECT_MS, "NO_PATH", "no path to the agent was found in time");
    this.#events.onVerified(agent.peerId);
  }

  /** News of the machine's network: its addresses may be others now (RTC-019). */
  #watch(): void {
    const { signal } = this.#listening;
    window.addEventListener("online", () => this.#restarts.hurry(), { signal });
    const { connection } = navigator as { connection?: NetworkInformation };
    let type = connection?.type;
    connection?.addEventListener("change", () => {
      // Estimates of rates change all the time.
      if (connection.type === type && this.#path !== "lost") return;
      type = connection.type;
      this.#restarts.hurry();
    }, { signal });
    this.#peer.sctp?.transport.iceTransport.addEventListener("selectedcandidatepairchange", () => void this.#showPath(), { signal });
  }

  async #restart(): Promise<void> {
    if (this.#state !== "open" || !this.#agent) return;
    this.#introduction.end();
    this.#restarted = true;
    const restart = new Introduction(this.#address, this.#pins, this.#peer, this.#agent);
    this.#introduction = restart;
    if (this.#path === "lost") this.#events.onRestart();
    try {
      await restart.run(() => {
        this.#restarts.stay();
        if (this.#path !== "lost") this.#settle();
      });
    } catch (error) {
      if (this.#state !== "open" || this.#introduction !== restart) return;
      const { code, refused } = error as Partial<VisitError>;
      // Of a session that is alive somebody else says so.
      if (code === "NO_SUCH_VISIT" && this.#path !== "lost") this.#restarts.stay();
      else if (code === "NO_SUCH_VISIT") this.#fail(new VisitError("LOST", "the agent does not have the session any more"));
      // An answer for another session: somebody does not know of restarts, or lies (SIG-046).
      else if (refused) restart.cancel();
    }
  }

  #onState(): void {
    const state = this.#peer.connectionState;
    if (this.#state === "connecting") {
      if (state === "failed") this.#fail(new VisitError("NO_PATH", "no path to the agent was found"));
    } else if (state === "connected") {
      this.#restarts.found();
      this.#settle();
      void this.#showPath();
    } else if (state === "disconnected" || state === "failed") {
      // Of the two only DTLS has no way back.
      if (this.#peer.sctp?.transport.state === "failed") return this.#fail(new VisitError("LOST", "the connection failed"));
      this.#tell("lost");
      this.#restarts.lost();
      if (state === "failed") this.#restarts.hurry();
    }
  }

  async #showPath(): Promise<void> {
    const path = await pathOf(this.#peer).catch(() => undefined);
    if (path !== undefined && this.#state === "open" && this.#peer.connectionState === "connected") this.#tell(path);
  }

  #tell(path: Path | "lost"): void {
    if (this.#path === path) return;
    this.#path = path;
    if (path !== "lost") this.#restarts.takes(path === "direct" ? "direct" : "relayed");
    if (this.#isRelayed) this.#settle();
    else this.#endVisit();
    this.#events.onPath(path);
  }

  get #isRelayed(): boolean {
    return this.#path !== undefined && this.#path !== "lost" && this.#path !== "direct";
  }

  /** Signaling goes on for a moment beside a session that has a path. */
  #settle(): void {
    clearTimeout(this.#settling);
    const introduction = this.#introduction;
    const searches = this.#restarted || this.#isRelayed;
    this.#settling = setTimeout(() => introduction.end(), searches ? Limit.SETTLE_SEARCH_MS : Limit.SETTLE_MS);
  }

  /** Once ICE has chosen a path, candidates are of no use to a session that is open; one on a relay may find a better path. */
  #endVisit(): void {
    if (this.#state === "open" && this.#peer.iceConnectionState === "completed" && !this.#isRelayed) this.#introduction.end();
  }

  #allow(milliseconds: number, code: string, reason: string): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#fail(new VisitError(code, reason)), milliseconds);
  }

  #fail(error: unknown): void {
    if (this.#state === "over") return;
    this.close();
    this.#events.onFailed(error instanceof VisitError ? error : new VisitError("INTERNAL", error instanceof Error ? error.message : String(error)));
  }
}
