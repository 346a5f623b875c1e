/**
 * One exchange, seen from the visitor.
 *
 *   sending half:    open --finish--> ending --last frame--> closed
 *                    open/ending --cancel, STOP--> closed (RESET sent)
 *   receiving half:  head --RESPONSE--> body --DATA_END, TRAILERS, RESET--> closed
 *                    head/body --cancel--> discarding --end or RESET--> closed
 *
 * With both halves closed the stream is gone.
 */
import { ReceiveCredit, SendCredit } from "./credit.ts";

export class Stream {
  readonly id: number;
  readonly lane: number;
  readonly method: string;
  sending: "open" | "ending" | "closed";
  receiving: "head" | "body" | "discarding" | "closed" = "head";
  readonly sendCredit: SendCredit;
  readonly receiveCredit: ReceiveCredit;
  /** Declared by the response; compared with what came. */
  contentLength: number | undefined;
  received = 0;
  readonly #queue: Uint8Array[] = [];
  #queued = 0;

  constructor(id: number, lane: number, method: string, hasBody: boolean, sendLimit: number, window: number) {
    this.id = id;
    this.lane = lane;
    this.method = method;
    this.sending = hasBody ? "open" : "closed";
    this.sendCredit = new SendCredit(sendLimit);
    this.receiveCredit = new ReceiveCredit(window);
  }

  get closed(): boolean {
    return this.sending === "closed" && this.receiving === "closed";
  }

  /** Body bytes that wait for credit or for room on the lane. */
  get queued(): number {
    return this.#queued;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
  }

  /** Moves the next bytes of the queue into `target`, which must not be longer than `queued`. */
  shift(target: Uint8Array): void {
    let filled = 0;
    while (filled < target.length) {
      const head = this.#queue[0];
      if (head === undefined) throw new RangeError("the queue holds fewer bytes");
      const taken = Math.min(head.length, target.length - filled);
      target.set(head.subarray(0, taken), filled);
      filled += taken;
      if (taken === head.length) this.#queue.shift();
      else this.#queue[0] = head.subarray(taken);
    }
    this.#queued -= filled;
  }

  /** Gives the body up. */
  drop(): void {
    this.#queue.length = 0;
    this.#queued = 0;
    this.sending = "closed";
  }
}
