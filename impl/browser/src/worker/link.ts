/** One session on its data channels: drives the protocol core with channels, timers and handlers. */
import { Limit } from "../codec/registry.ts";
import type { Field } from "../codec/session-messages.ts";
import { ErrorCode, errorName } from "../session/errors.ts";
import { type RequestHead, Session } from "../session/session.ts";
import { DEFAULT_SETTINGS, Encoding } from "../session/settings.ts";

/** What one exchange hears of its stream. */
export interface StreamHandler {
  onResponse(status: number, fields: Field[]): void;
  /** The bytes count against credit until `Link.consume`. */
  onData(bytes: Uint8Array): void;
  onEnd(): void;
  onFailed(code: string, reason: string, retry: boolean): void;
  onSent(bytes: number): void;
  onStopped(): void;
  /** A message of a WebSocket, or a part of one; the charge counts against credit until `Link.consume`. */
  onMessage?(data: string | Uint8Array, last: boolean, charge: number): void;
  /** The agent has closed a WebSocket; code 0: without one. */
  onClose?(code: number, reason: string): void;
}

export interface LinkEvents {
  /** Requests may be sent: the first lane is open. */
  onReady(): void;
  onOpen(software: string): void;
  onDraining(reason: string): void;
  onClosed(code: string, reason: string): void;
  /** A stream ended, so that there may be room for another. */
  onRoom(): void;
}

/** Body bytes of a response that may wait here for the page. */
const STREAM_WINDOW = 1_048_576;
/** The same for the streams that an agent allows: none that nobody reads stops the others (SES-046). */
const SESSION_WINDOW = DEFAULT_SETTINGS.maxStreams * STREAM_WINDOW;
/** Below this a channel asks for more. At most an eighth of `Limit.TRANSPORT_QUEUE` on each of the lanes in use. */
const LOW_BUFFERED = 32_768;

export class Link {
  readonly #session: Session;
  readonly #channels: readonly RTCDataChannel[];
  readonly #events: LinkEvents;
  readonly #handlers = new Map<number, StreamHandler>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pumping = false;
  #again = false;
  #draining = false;
  #closed = false;

  constructor(channels: readonly RTCDataChannel[], software: string, events: LinkEvents) {
    this.#channels = channels;
    this.#events = events;
    const settings = {
      ...DEFAULT_SETTINGS,
      initialStreamCredit: STREAM_WINDOW,
      initialSessionCredit: SESSION_WINDOW,
      lanes: channels.length,
      encodings: Encoding.GZIP | Encoding.DEFLATE,
    };
    this.#session = new Session({ software, settings, grease: Math.floor(Math.random() * 65_536) }, performance.now());
    for (const [lane, channel] of channels.entries()) {
      channel.binaryType = "arraybuffer";
      channel.bufferedAmountLowThreshold = LOW_BUFFERED;
      channel.onopen = () => this.#onChannelOpen(lane);
      channel.onmessage = (event: MessageEvent<ArrayBuffer | string>) => this.#onMessage(lane, event.data);
      channel.onbufferedamountlow = () => this.#pump();
      // Lanes never close one by one (RTC-006).
      channel.onclose = () => this.close("CLOSED", "the connection was closed");
      channel.onerror = () => this.close("CLOSED", "the connection failed");
      if (channel.readyState === "open") queueMicrotask(() => this.#onChannelOpen(lane));
    }
  }

  /** Whether `request` may be called now. */
  get canOpen(): boolean {
    return !this.#closed && this.#channels[0]?.readyState === "open" && this.#session.canOpen;
  }

  /** Whether requests can be sent, now or when others have ended. */
  get usable(): boolean {
    return !this.#closed && !this.#draining && this.#channels[0]?.readyState === "open";
  }

  /** Opens a stream; throws `RequestError` where the request cannot be sent. */
  request(head: RequestHead, handler: StreamHandler): number {
    return this.#handle(this.#session.request(head), handler);
  }

  /** Opens the stream of a WebSocket; throws like `request`. */
  connect(target: string, fields: Field[], handler: StreamHandler): number {
    return this.#handle(this.#session.connect(target, fields), handler);
  }

  #handle(stream: number, handler: StreamHandler): number {
    this.#handlers.set(stream, handler);
    this.#pump();
    return stream;
  }

  /** Sends a message of a WebSocket, or a part of one. */
  send(stream: number, text: boolean, bytes: Uint8Array, last: boolean): void {
    this.#session.send(stream, text, bytes, last);
    this.#pump();
  }

  /** Closes a WebSocket behind its messages. */
  end(stream: number, code: number, reason: string): void {
    this.#session.end(stream, code, reason);
    this.#pump();
  }

  write(stream: number, bytes: Uint8Array): void {
    this.#session.write(stream, bytes);
    this.#pump();
  }

  finish(stream: number): void {
    this.#session.finish(stream);
    this.#pump();
  }

  cancel(stream: number): void {
    this.#handlers.delete(stream);
    this.#session.cancel(stream);
    this.#pump();
  }

  consume(stream: number, bytes: number): void {
    this.#session.consume(stream, bytes);
    this.#pump();
  }

  /** Packets no longer arrive, or arrive again (SES-063). */
  path(lost: boolean): void {
    if (this.#closed) return;
    if (lost) this.#session.pathLost(performance.now());
    else this.#session.pathFound();
    this.#tick();
  }

  /** Ends the session from this side, or because its transport is gone. */
  close(code: string, reason: string): void {
    if (this.#closed) return;
    this.#session.close(ErrorCode.NO_ERROR, reason);
    this.#finish(code, reason);
  }

  #onChannelOpen(lane: number): void {
    if (lane === 0) {
      this.#tick();
      this.#pump();
      this.#events.onReady();
    } else {
      this.#pump();
    }
  }

  #onMessage(lane: number, data: ArrayBuffer | string): void {
    // A text message is no frame; neither is an empty one, and the session says so (RTC-005).
    this.#session.receive(lane, typeof data === "string" ? new Uint8Array() : new Uint8Array(data), performance.now());
    this.#pump();
  }

  #tick(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    this.#session.handleTimeout(now);
    this.#pump();
    const next = this.#session.nextTimeout;
    if (next !== undefined) this.#timer = setTimeout(() => this.#tick(), Math.max(50, next - now));
  }

  /** Hands out events and sends what the channels take, until neither has anything left. */
  #pump(): void {
    this.#again = true;
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#again && !this.#closed) {
        this.#again = false;
        this.#deliver();
        this.#transmit();
      }
    } finally {
      this.#pumping = false;
    }
  }

  #transmit(): void {
    let buffered = this.#channels.reduce((sum, channel) => sum + channel.bufferedAmount, 0);
    for (let sent = true; sent; ) {
      sent = false;
      for (const [lane, channel] of this.#channels.entries()) {
        if (channel.readyState !== "open") continue;
        // The last words go out in any case: they are few, and nothing comes behind them (SES-072).
        if (buffered > Limit.TRANSPORT_QUEUE && !this.#session.closed) return;
        const message = this.#session.transmit(lane);
        if (!message) continue;
        channel.send(message);
        buffered += message.length;
        sent = true;
        this.#again = true;
      }
    }
  }

  #deliver(): void {
    for (let event = this.#session.poll(); event; event = this.#session.poll()) {
      switch (event.kind) {
        case "open":
          this.#events.onOpen(event.software);
          break;
        case "draining":
          this.#draining = true;
          this.#events.onDraining(event.reason);
          break;
        case "closed":
          this.#transmit();
          this.#finish(errorName(event.code), event.reason);
          return;
        case "interim":
          break;
        case "response":
          this.#handlers.get(event.stream)?.onResponse(event.status, event.fields);
          break;
        case "data": {
          const handler = this.#handlers.get(event.stream);
          if (handler) handler.onData(event.bytes);
          else this.#session.consume(event.stream, event.bytes.length);
          break;
        }
        case "message":
          {
            const handler = this.#handlers.get(event.stream);
            if (handler?.onMessage) handler.onMessage(event.data, event.last, event.charge);
            else this.#session.consume(event.stream, event.charge);
          }
          break;
        case "close":
          this.#take(event.stream)?.onClose?.(event.code, event.reason);
          break;
        case "end":
          this.#take(event.stream)?.onEnd();
          break;
        case "failed":
          this.#take(event.stream)?.onFailed(errorName(event.code), event.reason, event.retry);
          break;
        case "sent":
          this.#handlers.get(event.stream)?.onSent(event.bytes);
          break;
        case "stopped":
          this.#handlers.get(event.stream)?.onStopped();
          break;
      }
    }
    // Not before the last frames are out, which streams without a handler may still have.
    if (this.#draining && this.#session.idle) this.close("DRAINED", "the session was drained");
    else if (!this.#closed && this.#session.canOpen) this.#events.onRoom();
  }

  #take(stream: number): StreamHandler | undefined {
    const handler = this.#handlers.get(stream);
    this.#handlers.delete(stream);
    return handler;
  }

  #finish(code: string, reason: string): void {
    if (this.#closed) return;
    this.#transmit();
    this.#closed = true;
    clearTimeout(this.#timer);
    const handlers = [...this.#handlers.values()];
    this.#handlers.clear();
    for (const handler of handlers) handler.onFailed("LOST", reason, false);
    for (const channel of this.#channels) channel.close();
    this.#events.onClosed(code, reason);
  }
}
