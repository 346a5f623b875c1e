/** What waits to be sent in the request half of a stream, and how it is cut into frames. */
import { FrameType, beginFrame, encodeFrame, headerLength } from "../codec/frame.ts";
import { Limit } from "../codec/registry.ts";
import { type WsClose, encodeWsClose } from "../codec/session-messages.ts";

export interface OutgoingFrame {
  message: Uint8Array<ArrayBuffer>;
  /** Bytes of the caller's in it. */
  bytes: number;
  /** What it counts against credit. */
  charge: number;
  /** The half ends with it. */
  last: boolean;
}

/** Bytes in the pieces in which they came. */
class ByteQueue {
  #pieces: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  clear(): void {
    this.#pieces = [];
    this.#length = 0;
  }

  /** Fills the end of `message` with the next `count` bytes, of at most `length`. */
  moveInto(message: Uint8Array, count: number): void {
    const target = message.subarray(message.length - count);
    this.#length -= count;
    for (let filled = 0; filled < count; ) {
      const head = this.#pieces[0];
      if (head === undefined) throw new RangeError("the queue holds fewer bytes");
      const taken = Math.min(head.length, count - filled);
      target.set(head.subarray(0, taken), filled);
      filled += taken;
      if (taken === head.length) this.#pieces.shift();
      else this.#pieces[0] = head.subarray(taken);
    }
  }
}

/** The body of a request. */
export class OutgoingBody {
  readonly #queue = new ByteQueue();
  #ended = false;

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  end(): void {
    this.#ended = true;
  }

  /** Nothing more of it is sent. */
  drop(): void {
    this.#queue.clear();
  }

  /** The next frame of at most `maxFrame` bytes that `credit` allows. */
  next(stream: number, maxFrame: number, credit: number): OutgoingFrame | undefined {
    const bytes = Math.min(this.#queue.length, maxFrame - headerLength(FrameType.DATA, stream), credit);
    const last = this.#ended && bytes === this.#queue.length;
    if (bytes <= 0 && !last) return undefined;
    const message = beginFrame(last ? FrameType.DATA_END : FrameType.DATA, stream, bytes);
    this.#queue.moveInto(message, bytes);
    return { message, bytes, charge: bytes, last };
  }
}

/** A message that waits to be sent, and may not be complete; `begun`: a part of it was sent. */
interface Waiting {
  text: boolean;
  queue: ByteQueue;
  complete: boolean;
  begun: boolean;
}

/** The messages of a WebSocket. */
export class OutgoingMessages {
  #messages: Waiting[] = [];
  /** No further message may begin. */
  #finished = false;
  #close: WsClose | undefined;

  /** Adds a message, or a part of one, which has the kind of the parts before it. */
  push(text: boolean, bytes: Uint8Array, last: boolean): void {
    let message = this.#messages.at(-1);
    if (!message || message.complete) {
      if (this.#finished || (bytes.length === 0 && !last)) return;
      this.#messages.push((message = { text, queue: new ByteQueue(), complete: false, begun: false }));
    }
    if (message.text !== text) throw new RangeError("a message has one kind");
    message.queue.push(bytes);
    message.complete = last;
  }

  /**
   * Ends the half behind what waits; cuts off a message that is not complete (WSK-014), and any when the
   * other end has closed: it may give no more credit.
   */
  end(close: WsClose): void {
    this.#close = close;
    if (this.#finished) this.#messages = [];
  }

  /** The other end has closed: what has not begun is not sent any more (WSK-021). */
  finish(): void {
    this.#messages = this.#messages.filter(({ begun }) => begun);
    this.#finished = true;
  }

  drop(): void {
    this.#messages = [];
    this.#finished = true;
  }

  next(stream: number, maxFrame: number, credit: number): OutgoingFrame | undefined {
    const message = this.#messages[0];
    if (message && (message.complete || message.queue.length > 0)) {
      const { text, queue, complete } = message;
      const bytes = Math.min(queue.length, maxFrame - headerLength(FrameType.WS_TEXT, stream), credit - Limit.MESSAGE_CHARGE);
      const last = complete && bytes === queue.length;
      // A part has at least one byte (WSK-011).
      if (bytes <= 0 && !last) return undefined;
      const type = text ? (last ? FrameType.WS_TEXT : FrameType.WS_TEXT_PART) : last ? FrameType.WS_BINARY : FrameType.WS_BINARY_PART;
      const frame = beginFrame(type, stream, bytes);
      queue.moveInto(frame, bytes);
      message.begun = true;
      if (last) this.#messages.shift();
      return { message: frame, bytes, charge: bytes + Limit.MESSAGE_CHARGE, last: false };
    }
    if (!this.#close) return undefined;
    return { message: encodeFrame(FrameType.WS_CLOSE, stream, encodeWsClose(this.#close)), bytes: 0, charge: 0, last: true };
  }
}
