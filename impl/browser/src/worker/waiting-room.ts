/** Where exchanges wait for a session, or for room on it. */
import type { Patience } from "../port/messages.ts";
import type { Exchange } from "./exchange.ts";
import type { Link } from "./link.ts";

/** Longest wait for a session: after that the page hears an error. */
export const MAX_WAIT_MS = 15_000;
/** Exchanges that may wait; a page that asks for more at once hears an error. */
const MAX_WAITING = 512;

export class WaitingRoom {
  #line: { exchange: Exchange; since: number }[] = [];
  #link: Link | undefined;
  /** The first session of this tab is still being made. */
  #fresh = true;
  #stopped = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** The link that new exchanges use; `undefined` while there is none. */
  use(link: Link | undefined): void {
    // Those that waited for room begin to wait for a session.
    if (this.#link && !link) for (const entry of this.#line) entry.since = performance.now();
    this.#fresh = false;
    this.#link = link;
    if (!link && this.#stopped) this.#fail(() => true);
    this.admit();
  }

  /** No other session will come; one that is there goes on. */
  stop(): void {
    this.#stopped = true;
    this.#fresh = false;
    if (!this.#link) this.#fail(() => true);
  }

  /** Whether a request may enter: there is a session, or one that is worth its patience is being made. */
  takes(patience: Patience): boolean {
    if (this.#link?.usable) return true;
    return patience === "first" ? this.#fresh : patience === "any" && !this.#stopped;
  }

  enter(exchange: Exchange): void {
    if (!exchange.waiting) return;
    if (this.#line.length >= MAX_WAITING) {
      exchange.fail("BUSY", "too many requests wait for the connection");
      return;
    }
    this.#line.push({ exchange, since: performance.now() });
    this.#timer ??= setInterval(() => this.#expire(), 1_000);
    this.admit();
  }

  /** Starts those that can start now. */
  admit(): void {
    while (this.#line.length > 0 && this.#link?.canOpen) {
      const { exchange } = this.#line.shift() ?? {};
      if (exchange?.waiting) exchange.start(this.#link);
    }
  }

  #expire(): void {
    if (!this.#link?.usable) {
      const oldest = performance.now() - MAX_WAIT_MS;
      this.#fail(({ since }) => since < oldest);
    }
    this.#line = this.#line.filter(({ exchange }) => exchange.waiting);
    if (this.#line.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #fail(which: (entry: { since: number }) => boolean): void {
    const late = this.#line.filter(which);
    this.#line = this.#line.filter((entry) => !which(entry));
    for (const { exchange } of late) exchange.fail("NO_SESSION", "there is no connection to the machine");
  }
}
