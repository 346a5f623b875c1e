/** Bounds what a peer can do cheaply: `burst` at once, then `perSecond`. */
export class Budget {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #at: number | undefined;
  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }
  /** Takes one; false where nothing is left. */
  spend(now: number): boolean {
    const seconds = (now - (this.#at ?? now)) / 1_000;
    this.#at = now;
    this.#left = Math.min(this.#burst, this.#left + seconds * this.#perSecond) - 1;
    return this.#left >= 0;
  }
}
