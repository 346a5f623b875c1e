/** Whether the other end lives: PING after silence, given up after three (SES-060, SES-062). */

const PING_AFTER_MS = 15_000;
const MAX_PINGS = 3;

export class Liveness {
  #deadline: number;
  #pings = 0;
  constructor(now: number) {
    this.#deadline = now + PING_AFTER_MS;
  }
  get deadline(): number {
    return this.#deadline;
  }
  /** Something came from the other end. */
  heard(now: number): void {
    this.#pings = 0;
    this.#deadline = now + PING_AFTER_MS;
  }
  /** What to do now: nothing, send a PING with this token, or give up. */
  check(now: number): { do: "wait" } | { do: "ping"; token: number } | { do: "end" } {
    if (now < this.#deadline) return { do: "wait" };
    if (this.#pings === MAX_PINGS) return { do: "end" };
    this.#pings += 1;
    this.#deadline = now + PING_AFTER_MS;
    return { do: "ping", token: this.#pings };
  }
}
