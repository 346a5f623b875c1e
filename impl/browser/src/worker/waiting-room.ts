/** Where exchanges and WebSockets wait for a session, or for room on it. */
import type { Patience } from "../port/messages.ts";
import type { Link } from "./link.ts";

/** Longest wait for a session: after that the page hears an error. */
export const MAX_WAIT_MS = 15_000;
/** Exchanges that may wait; a page that asks for more at once hears an error. */
const MAX_WAITING = 512;

/** How often what an agent refuses is tried again. */
export const MAX_REFUSALS = 5;
/** Wait before the first of those; it doubles each time. */
const FIRST_WAIT_MS = 100;

/** An exchange or a WebSocket that wants a stream. */
export interface Waiter {
  readonly waiting: boolean;
  /** Begins on a link that `canOpen`. */
  start(link: Link): void;
  fail(code: string, reason: string): void;
}

export class WaitingRoom {
  #line: { waiter: Waiter; since: number }[] = [];
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

  enter(waiter: Waiter): void {
    if (!waiter.waiting) return;
    if (this.#line.length >= MAX_WAITING) {
      waiter.fail("BUSY", "too many requests wait for the connection");
      return;
    }
    this.#line.push({ waiter, since: performance.now() });
    this.#timer ??= setInterval(() => this.#expire(), 1_000);
    this.admit();
  }

  /** Enters later what the agent has refused so often. */
  enterAgain(waiter: Waiter, refusals: number): void {
    setTimeout(() => this.enter(waiter), FIRST_WAIT_MS * 2 ** (refusals - 1));
  }

  /** Starts those that can start now. */
  admit(): void {
    while (this.#line.length > 0 && this.#link?.canOpen) {
      const { waiter } = this.#line.shift() ?? {};
      if (waiter?.waiting) waiter.start(this.#link);
    }
  }

  #expire(): void {
    if (!this.#link?.usable) {
      const oldest = performance.now() - MAX_WAIT_MS;
      this.#fail(({ since }) => since < oldest);
    }
    this.#line = this.#line.filter(({ waiter }) => waiter.waiting);
    if (this.#line.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #fail(which: (entry: { since: number }) => boolean): void {
    const late = this.#line.filter(which);
    this.#line = this.#line.filter((entry) => !which(entry));
    for (const { waiter } of late) waiter.fail("NO_SESSION", "there is no connection to the machine");
  }
}
