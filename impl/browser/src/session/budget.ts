/** What a peer may make this end do without any use (SES-090, SES-094). */
import { Limit } from "../codec/registry.ts";

/** Twice what a peer may always do, for the two ends count at different times. */
const BURST = 2 * Limit.LOAD_BURST;
const PER_SECOND = 2 * Limit.LOAD_PER_SECOND;

/** What frames count. */
export const Cost = { FRAME: Limit.LOAD_FRAME, STREAM: Limit.LOAD_STREAM } as const;

export class Budget {
  #left = BURST;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** Body bytes have gone either way. */
  moved(bytes: number): void {
    this.#left = Math.min(BURST, this.#left + bytes / Limit.LOAD_CREDIT_BYTES);
  }

  /** Takes what a frame costs; false where too little is left. */
  spend(now: number, cost: number): boolean {
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1_000) * PER_SECOND) - cost;
    this.#at = now;
    return this.#left >= 0;
  }
}
