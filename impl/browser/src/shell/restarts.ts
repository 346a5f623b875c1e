/**
 * When ICE is restarted (RTC-019).
 *
 *   with a path --lost--> lost for 2 s --> restart --> 5 s --> restart ... until it is found
 *   direct --relayed--> relayed for 2 s --> restart --> 15 s --> restart ... until one is answered, or three
 *
 * A path that comes back by itself through a relay tells that the agent has moved; from there it may
 * be reached directly as well.
 *
 * News of the network make the next restart come at once, as far as the agent takes it (SIG-047).
 */
import { Limit } from "../codec/registry.ts";

/** Attempts to leave a relay; then it is taken for the best there is. */
const DETOUR_ATTEMPTS = 1 + Limit.DETOUR_REPEATS;

export class Restarts {
  readonly #restart: () => void;
  readonly #now: () => number;
  #lost = false;
  /** There was a direct path, and no restart has looked for another one since. */
  #wasDirect = false;
  /** Restarts that will still try to leave the relay of the present path. */
  #detours = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(restart: () => void, now: () => number = () => performance.now()) {
    this.#restart = restart;
    this.#now = now;
  }

  /** Packets no longer arrive. */
  lost(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#schedule(Limit.RESTART_AFTER_MS);
  }

  /** They arrive again. */
  found(): void {
    this.#lost = false;
    this.#detours = 0;
    clearTimeout(this.#timer);
  }

  /** Packets take this kind of path. */
  takes(kind: "direct" | "relayed"): void {
    if (this.#lost) return;
    if (kind === "direct") {
      this.#wasDirect = true;
      if (this.#detours > 0) this.found();
    } else if (this.#wasDirect && this.#detours === 0) {
      this.#detours = DETOUR_ATTEMPTS;
      this.#schedule(Limit.RESTART_AFTER_MS);
    }
  }

  /** A relay is the best there is: a restart has looked for more, or none can. */
  stay(): void {
    this.#wasDirect = false;
    if (this.#detours > 0 && !this.#lost) clearTimeout(this.#timer);
    this.#detours = 0;
  }

  /** The machine has another network, or waiting has turned out to be of no use. */
  hurry(): void {
    this.#schedule(0);
  }

  #schedule(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(), Math.max(milliseconds, this.#lastAt + Limit.RESTART_INTERVAL_MS - this.#now()));
  }

  #run(): void {
    this.#lastAt = this.#now();
    if (this.#lost) this.#schedule(Limit.RESTART_EVERY_MS);
    else if (this.#detours > 0 && --this.#detours > 0) this.#schedule(Limit.DETOUR_EVERY_MS);
    this.#restart();
  }
}
