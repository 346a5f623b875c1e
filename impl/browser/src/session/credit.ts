/** Flow control by absolute credit (RFC 9000 section 4.1), in the bytes of SES-040. */

/** What this end may still send. */
export class SendCredit {
  #limit: number;
  #sent = 0;
  constructor(limit: number) {
    this.#limit = limit;
  }
  get available(): number {
    return this.#limit - this.#sent;
  }
  /** A limit lower than the one before is ignored. */
  raise(limit: number): void {
    if (limit > this.#limit) this.#limit = limit;
  }
  spend(bytes: number): void {
    this.#sent += bytes;
  }
}

/** What the other end may still send. */
export class ReceiveCredit {
  readonly #window: number;
  #granted: number;
  #received = 0;
  #consumed = 0;
  constructor(window: number) {
    this.#window = window;
    this.#granted = window;
  }
  /** Counts bytes that came; false where they are more than was granted. */
  receive(bytes: number): boolean {
    this.#received += bytes;
    return this.#received <= this.#granted;
  }
  /** Counts bytes that the application took; returns a new limit once half of the window is due. */
  consume(bytes: number): number | undefined {
    this.#consumed += bytes;
    const due = this.#consumed + this.#window;
    if (due - this.#granted < this.#window / 2) return undefined;
    this.#granted = due;
    return due;
  }
}
