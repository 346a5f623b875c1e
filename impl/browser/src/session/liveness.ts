/**
 * Whether the other end lives: PING after silence, given up after three (SES-060, SES-062); and how
 * long a lost path is waited for (SES-063).
 */
import { Limit } from "../codec/registry.ts";

export class Liveness {
  #pingAt: number;
  #pings = 0;
  /** When there is no more waiting for a path; without a path only. */
  #pathBy: number | undefined;
  constructor(now: number) {
    this.#pingAt = now + Limit.PING_AFTER_MS;
  }
  get deadline(): number {
    return Math.min(this.#pingAt, this.#pathBy ?? Number.POSITIVE_INFINITY);
  }
  /** Something came from the other end. */
  heard(now: number): void {
    this.#pings = 0;
    this.#pingAt = now + Limit.PING_AFTER_MS;
    this.#pathBy = undefined;
  }
  /** The transport's packets no longer arrive; what it says again later changes nothing. */
  pathLost(now: number): void {
    this.#pathBy ??= now + Limit.PATH_GRACE_MS;
  }
  pathFound(): void {
    this.#pathBy = undefined;
  }
  /** What to do now: nothing, send a PING with this token, or give up and say why. */
  check(now: number): { do: "wait" } | { do: "ping"; token: number } | { do: "end"; reason: string } {
    if (this.#pathBy !== undefined && now >= this.#pathBy) return { do: "end", reason: "the path was lost for too long" };
    if (now < this.#pingAt) return { do: "wait" };
    if (this.#pings === Limit.PINGS_MAX) return { do: "end", reason: "the other end does not answer" };
    this.#pings += 1;
    this.#pingAt = now + Limit.PING_AFTER_MS;
    return { do: "ping", token: this.#pings };
  }
}
