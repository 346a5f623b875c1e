/** When the next attempt is made: longer and longer waits, spread out, cut short by good news. */

const FIRST_MS = 1_000;
/** Of attempts that nothing speaks for. */
const FIRST_SLOW_MS = 10_000;
const MAX_MS = 30_000;
/** Good news within this time of an attempt changes nothing. */
const HURRY_MS = 1_000;

export class Backoff {
  #attempts = 0;
  #pending: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;

  /** A good session is over: start anew. */
  reset(): void {
    this.#attempts = 0;
  }

  /** The first attempt behind a session: at once, unless there have been others lately. */
  first(attempt: () => void): void {
    if (this.#attempts === 0) {
      this.#attempts = 1;
      this.#schedule(attempt, 0);
    } else {
      this.next(attempt, false);
    }
  }

  next(attempt: () => void, slow: boolean): void {
    const wait = Math.min(MAX_MS, (slow ? FIRST_SLOW_MS : FIRST_MS) * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#schedule(attempt, wait * (0.7 + 0.6 * Math.random()));
  }

  /** Makes the pending attempt now. */
  hurry(): void {
    if (this.#pending && performance.now() - this.#lastAt > HURRY_MS) this.#run();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#pending = undefined;
  }

  #schedule(attempt: () => void, milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#pending = attempt;
    this.#timer = setTimeout(() => this.#run(), milliseconds);
  }

  #run(): void {
    clearTimeout(this.#timer);
    const attempt = this.#pending;
    this.#pending = undefined;
    this.#lastAt = performance.now();
    attempt?.();
  }
}
