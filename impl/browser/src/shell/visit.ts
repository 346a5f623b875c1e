/** Signaling of one visit: the offer goes out, answer and candidates stream in (spec/v1/signaling.md). */
import { SIGNAL_CODES } from "../codec/registry.ts";
import { type Candidate, type VisitEvent, VisitEventReader, encodeVisitRequest, encodeVisitUpdate } from "../codec/signaling-messages.ts";
import { RESERVED_PATH } from "../port/paths.ts";
import { VisitError } from "./visit-error.ts";

const VISITS = `${RESERVED_PATH}v1/visits`;
const PROTOBUF = { "content-type": "application/x-protobuf" };
/** Candidates gathered within this time travel together. */
const BATCH_MS = 15;

export class Visit {
  readonly #location: Promise<string>;
  #setLocation: (location: string) => void = () => undefined;
  #candidates: Candidate[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #streaming = new AbortController();
  #over = false;

  constructor() {
    this.#location = new Promise((resolve) => (this.#setLocation = resolve));
  }

  /** Sends the offer and yields the events of the visit; throws `VisitError`. `restarts`: see SIG-043. */
  async *run(sdp: string, nonce: Uint8Array, restarts?: Uint8Array): AsyncGenerator<VisitEvent> {
    const body = encodeVisitRequest({ versions: [1], sdp, nonce, ...(restarts && { restarts }) }).slice();
    let response: Response;
    try {
      response = await fetch(VISITS, { method: "POST", headers: PROTOBUF, body, signal: this.#streaming.signal });
    } catch {
      if (this.#over) return;
      throw new VisitError("NETWORK", "the network is down or this site does not answer");
    }
    if (!response.ok || !response.body) throw await refusal(response);
    const location = response.headers.get("location");
    if (location?.startsWith(`${VISITS}/`)) this.#setLocation(location);
    const events = new VisitEventReader();
    const reader = response.body.getReader();
    try {
      for (;;) {
        const part = await reader.read().catch(() => undefined);
        if (!part || part.done) return;
        yield* read(events, part.value);
      }
    } finally {
      void reader.cancel().catch(() => undefined);
    }
  }

  /** Sends one of the own candidates; "" after the last one. */
  send(candidate: string, sdpMid: string): void {
    this.#candidates.push({ sessionId: new Uint8Array(), candidate, sdpMid });
    this.#timer ??= setTimeout(() => void this.#flush(), BATCH_MS);
  }

  /** Signaling has done its part; its stream takes up one of the few connections to the edge. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#streaming.abort();
  }

  /** Gives the visit up (SIG-028). Where its location is not known yet, the end of the stream says so. */
  cancel(): void {
    if (this.#over) return;
    void this.#location.then((location) => fetch(location, { method: "DELETE", keepalive: true })).catch(() => undefined);
    this.end();
  }

  async #flush(): Promise<void> {
    const location = await this.#location;
    this.#timer = undefined;
    const candidates = this.#candidates.splice(0);
    if (this.#over || candidates.length === 0) return;
    const body = encodeVisitUpdate(candidates).slice();
    // A candidate that is lost is one path less to try; others may do.
    await fetch(location, { method: "POST", headers: PROTOBUF, body }).catch(() => undefined);
  }
}

function read(events: VisitEventReader, bytes: Uint8Array): VisitEvent[] {
  try {
    return events.push(bytes);
  } catch {
    throw new VisitError("MALFORMED", "the answer cannot be read");
  }
}

/** The name of the code that ended a visit. */
export function signalCodeName(code: number): string {
  return SIGNAL_CODES[code] ?? `SIGNAL_${code}`;
}

async function refusal(response: Response): Promise<VisitError> {
  try {
    const { code, detail } = (await response.json()) as { code?: unknown; detail?: unknown };
    if (typeof code === "string" && /^[A-Z_]{2,40}$/.test(code)) return new VisitError(code, typeof detail === "string" ? detail : "");
  } catch {
    // Not the JSON of coord or edge.
  }
  return new VisitError(response.status >= 500 ? "COORD_UNREACHABLE" : "INTERNAL", `status ${response.status}`);
}
