/** What waits to be sent on one lane: control frames first, then bodies, one frame each turn. */
import { FrameType, headerLength } from "../codec/frame.ts";
import { writeVarint } from "../codec/varint.ts";
import type { SendCredit } from "./credit.ts";
import type { Stream } from "./stream.ts";

export interface BodyFrame {
  stream: Stream;
  message: Uint8Array<ArrayBuffer>;
  /** Body bytes in it. */
  bytes: number;
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

  /** The next body frame that credit allows; its stream goes to the back of the line. */
  nextBody(maxFrame: number, session: SendCredit): BodyFrame | undefined {
    this.#bodies = this.#bodies.filter((stream) => stream.sending !== "closed");
    for (const [index, stream] of this.#bodies.entries()) {
      const room = maxFrame - headerLength(FrameType.DATA, stream.id);
      const bytes = Math.max(0, Math.min(stream.queued, room, stream.sendCredit.available, session.available));
      const last = stream.sending === "ending" && bytes === stream.queued;
      if (bytes === 0 && !last) continue;
      const type = last ? FrameType.DATA_END : FrameType.DATA;
      const message = new Uint8Array(headerLength(type, stream.id) + bytes);
      stream.shift(message.subarray(writeVarint(message, writeVarint(message, 0, type), stream.id)));
      stream.sendCredit.spend(bytes);
      session.spend(bytes);
      if (last) stream.sending = "closed";
      this.#bodies.splice(index, 1);
      if (!last) this.#bodies.push(stream);
      return { stream, message, bytes };
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
