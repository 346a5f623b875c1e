/** What waits to be sent on one lane: control frames first, then bodies, one frame each turn. */
import type { SendCredit } from "./credit.ts";
import type { OutgoingFrame } from "./outgoing.ts";
import type { Stream } from "./stream.ts";

export interface BodyFrame extends OutgoingFrame {
  stream: Stream;
}

export class Lane {
  readonly #control: Uint8Array<ArrayBuffer>[] = [];
  /** Streams with a body under way, in turn. */
  #bodies: Stream[] = [];

  get controlLength(): number {
    return this.#control.length;
  }

  /** Queues a frame other than body bytes. */
  control(message: Uint8Array<ArrayBuffer>): void {
    this.#control.push(message);
  }

  /** Lets a stream take part in the turns. */
  join(stream: Stream): void {
    if (!this.#bodies.includes(stream)) this.#bodies.push(stream);
  }

  /** Drops everything: the session is over. */
  clear(): void {
    this.#control.length = 0;
    this.#bodies = [];
  }

  nextControl(): Uint8Array<ArrayBuffer> | undefined {
    return this.#control.shift();
  }

  /** The next frame of a body or message that credit allows; its stream goes to the back of the line. */
  nextBody(maxFrame: number, session: SendCredit): BodyFrame | undefined {
    this.#bodies = this.#bodies.filter((stream) => stream.sending !== "closed");
    for (const [index, stream] of this.#bodies.entries()) {
      const credit = Math.max(0, Math.min(stream.sendCredit.available, session.available));
      const frame = stream.outgoing.next(stream.id, maxFrame, credit);
      if (!frame) continue;
      stream.sendCredit.spend(frame.charge);
      session.spend(frame.charge);
      this.#bodies.splice(index, 1);
      if (frame.last) stream.sending = "closed";
      else this.#bodies.push(stream);
      return { ...frame, stream };
    }
    return undefined;
  }
}

/** Of the first `count` lanes, the lowest one of those that carry the fewest streams. */
export function quietestLane(streams: Iterable<Stream>, count: number): number {
  const carried = new Array<number>(count).fill(0);
  for (const { lane } of streams) carried[lane] = (carried[lane] ?? 0) + 1;
  return carried.indexOf(Math.min(...carried));
}
