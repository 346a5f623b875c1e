/** What a peer may make this end do without any use (SES-090, SES-094). */

/** Twice what a peer may always do, for the two ends count at different times. */
const BURST = 2_000;
const PER_SECOND = 200;
/** For so many body bytes, in either direction, one comes back. */
const BYTES = 1_024;

/** What frames count. */
export const Cost = { FRAME: 1, STREAM: 2 } as const;

export class Budget {
  #left = BURST;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** Body bytes have gone either way. */
  moved(bytes: number): void {
    this.#left = Math.min(BURST, this.#left + bytes / BYTES);
  }

  /** Takes what a frame costs; false where too little is left. */
  spend(now: number, cost: number): boolean {
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1_000) * PER_SECOND) - cost;
    this.#at = now;
    return this.#left >= 0;
  }
}
