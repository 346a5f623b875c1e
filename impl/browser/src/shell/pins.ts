/** The keys that this address must have: the one it had before, and the one that the link names. */
import { decodePeerId } from "../identity/peer-id.ts";
import { type Pin, addRow, readRow } from "../port/database.ts";

const MARK = "#p=";

/**
 * The pin in a fragment `#p=<peer id>`; `"malformed"` where the id is damaged, which counts as a key
 * that differs (IDN-019).
 */
export function pinFromFragment(hash: string): string | "malformed" | undefined {
  if (!hash.startsWith(MARK)) return undefined;
  const peerId = hash.slice(MARK.length);
  return decodePeerId(peerId) ? peerId : "malformed";
}

/** An address of the app's as the tab may show it: only links that people open carry pins. */
export function withoutPin(href: string): string {
  const url = new URL(href);
  if (url.hash.startsWith(MARK)) url.hash = "";
  return url.href;
}

/** Where pins outlive the tab. */
export interface PinStore {
  read(origin: string): Promise<Pin | undefined>;
  /** Stores a pin unless there is one; returns the one that stands. */
  add(pin: Pin): Promise<Pin>;
}

const database: PinStore = { read: (origin) => readRow("pins", origin), add: (pin) => addRow("pins", pin.origin, pin) };

/** One key and where it is known from. */
export interface KnownKey {
  from: "link" | "store" | "tab";
  /** Peer id; of a damaged link, what stands there, which no key equals. */
  peerId: string;
}

export class Pins {
  readonly #origin: string;
  readonly #store: PinStore;
  readonly #link: KnownKey | undefined;
  /** The first key that was verified in this tab: it holds with or without storage. */
  #verified: KnownKey | undefined;

  /** `hash`: the fragment with which the tab was opened (BRO-002). */
  constructor(origin: string, hash: string, store: PinStore = database) {
    this.#origin = origin;
    this.#store = store;
    const link = pinFromFragment(hash);
    if (link !== undefined) this.#link = { from: "link", peerId: link === "malformed" ? `damaged: ${hash.slice(MARK.length, 80)}` : link };
  }

  /** Every key that the agent's must equal (IDN-017, check 2). */
  async known(): Promise<KnownKey[]> {
    let stored: KnownKey | undefined;
    try {
      const pin = await this.#store.read(this.#origin);
      if (pin) stored = { from: "store", peerId: pin.peerId };
    } catch {
      // Without storage each tab is a first visit.
    }
    return [stored, this.#verified, this.#link].filter((key) => key !== undefined);
  }

  /**
   * Keeps a key that has passed all checks (IDN-020). Returns another one that was stored meanwhile:
   * the check has failed after all.
   */
  async keep(peerId: string): Promise<KnownKey | undefined> {
    try {
      const pin = await this.#store.add({ origin: this.#origin, peerId, since: Date.now() });
      if (pin.peerId !== peerId) return { from: "store", peerId: pin.peerId };
    } catch {
      // It holds for this tab.
    }
    this.#verified ??= { from: "tab", peerId };
    return undefined;
  }
}
