/**
 * The visitor's end of a session: HTTP over lanes (spec/v1/session.md). No clock, no channels, no
 * browser in here: times come in as milliseconds, messages go in and out, events are polled.
 *
 *   const session = new Session(options, now);
 *   session.receive(lane, message, now);       // for each message of a lane
 *   session.transmit(lane);                    // while the lane has room
 *   session.poll();                            // until undefined
 *   session.handleTimeout(now);                // at session.nextTimeout
 */
import { type Frame, FrameType, decodeFrame, encodeFrame } from "../codec/frame.ts";
import { MalformedMessage } from "../codec/protobuf.ts";
import * as msg from "../codec/session-messages.ts";
import { Budget } from "./budget.ts";
import { ReceiveCredit, SendCredit } from "./credit.ts";
import { ErrorCode, RequestError, SessionError, protocolError } from "./errors.ts";
import type { SessionEvent, SessionOptions } from "./event.ts";
import { contentLength, requestFault, responseFault, trailersFault } from "./fields.ts";
import { Lane, quietestLane } from "./lane.ts";
import { Liveness } from "./liveness.ts";
import { DEFAULT_SETTINGS, type Settings, greaseId, readSettings, writeSettings } from "./settings.ts";
import { Stream } from "./stream.ts";

/** The protocol version spoken here. */
const VERSION = 1;
/** Control frames waiting on one lane; only a peer that floods PINGs and reads nothing gets there. */
const MAX_CONTROL = 1_024;

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(FrameType));

export class Session {
  readonly #own: Settings;
  #peer: Settings = DEFAULT_SETTINGS;
  #state: "hello" | "open" | "draining" | "closed" = "hello";
  readonly #lanes: Lane[];
  readonly #streams = new Map<number, Stream>();
  #nextStream = 1;
  readonly #sendCredit = new SendCredit(DEFAULT_SETTINGS.initialSessionCredit);
  readonly #receiveCredit: ReceiveCredit;
  readonly #events: SessionEvent[] = [];
  readonly #unknown = new Budget(1_000, 100);
  readonly #liveness: Liveness;

  constructor(options: SessionOptions, now: number) {
    this.#own = options.settings;
    this.#receiveCredit = new ReceiveCredit(options.settings.initialSessionCredit);
    this.#lanes = Array.from({ length: options.settings.lanes }, () => new Lane());
    this.#liveness = new Liveness(now);
    const settings = writeSettings(this.#own);
    if (options.grease !== undefined) settings.push({ id: greaseId(options.grease), value: options.grease });
    this.#control(0, FrameType.HELLO, 0, msg.encodeSessionHello({ versions: [VERSION], settings, software: options.software }));
    if (options.grease !== undefined) this.#control(0, greaseId(options.grease), 0, new Uint8Array());
  }

  get closed(): boolean {
    return this.#state === "closed";
  }

  /** Whether `request` may be called now. */
  get canOpen(): boolean {
    return (this.#state === "hello" || this.#state === "open") && this.#streams.size < this.#peer.maxStreams;
  }

  get nextTimeout(): number | undefined {
    return this.#state === "closed" ? undefined : this.#liveness.deadline;
  }

  poll(): SessionEvent | undefined {
    return this.#events.shift();
  }

  /** Opens a stream; throws `RequestError` where the request cannot be sent. */
  request(head: { method: string; target: string; fields: msg.Field[]; hasBody: boolean }): number {
    if (!this.canOpen) throw new RequestError(ErrorCode.REFUSED, "no stream can be opened now");
    const request = { method: head.method, target: head.target, fields: head.fields, end: !head.hasBody };
    const fault = requestFault(request);
    if (fault !== undefined) throw new RequestError(ErrorCode.BAD_MESSAGE, fault);
    const id = this.#nextStream;
    const message = encodeFrame(FrameType.REQUEST, id, msg.encodeRequest(request));
    if (message.length > this.#maxFrame) throw new RequestError(ErrorCode.HEAD_TOO_LARGE, "the request's head is too large");
    this.#nextStream += 2;
    const lane = quietestLane(this.#streams.values(), this.#laneCount);
    const stream = new Stream(id, lane, head.method, head.hasBody, this.#peer.initialStreamCredit, this.#own.initialStreamCredit);
    this.#streams.set(id, stream);
    this.#lane(lane).control(message);
    return id;
  }

  /** Queues bytes of a request's body; the caller bounds the queue by the "sent" events. */
  write(id: number, bytes: Uint8Array): void {
    const stream = this.#streams.get(id);
    if (stream?.sending !== "open") return;
    stream.push(bytes);
    this.#lane(stream.lane).join(stream);
  }

  /** The request's body is complete. */
  finish(id: number): void {
    const stream = this.#streams.get(id);
    if (stream?.sending !== "open") return;
    stream.sending = "ending";
    this.#lane(stream.lane).join(stream);
  }

  /** Gives an exchange up: no event of it follows. */
  cancel(id: number, code: number = ErrorCode.CANCELLED): void {
    const stream = this.#streams.get(id);
    if (!stream || stream.receiving === "discarding") return;
    this.#resetSending(stream, code, "");
    if (stream.receiving !== "closed") {
      stream.receiving = "discarding";
      this.#control(stream.lane, FrameType.STOP, id, msg.encodeStop({ code }));
    }
    this.#forgetIfClosed(stream);
  }

  /** The application has taken (or thrown away) bytes of a "data" event. */
  consume(id: number, bytes: number): void {
    const stream = this.#streams.get(id);
    if (stream && (stream.receiving === "body" || stream.receiving === "head")) {
      const limit = stream.receiveCredit.consume(bytes);
      if (limit !== undefined) this.#control(stream.lane, FrameType.CREDIT, id, msg.encodeCredit({ maxBytes: limit }));
    }
    this.#consumeSession(bytes);
  }

  /** Ends the session from this side. */
  close(code: number, reason: string): void {
    if (this.#state === "closed") return;
    this.#control(0, FrameType.GOAWAY, 0, msg.encodeGoAway({ code, lastStream: 0, reason }));
    this.#end(code, reason, "self");
  }

  /** The next message for a lane; to be asked for only while the lane has room. */
  transmit(lane: number): Uint8Array<ArrayBuffer> | undefined {
    // GOAWAY is the last frame of a session that is over (SES-072).
    if (this.#state === "closed" && lane !== 0) return undefined;
    const queue = this.#lane(lane);
    const control = queue.nextControl();
    if (control || this.#state === "closed") return control;
    const body = queue.nextBody(this.#maxFrame, this.#sendCredit);
    if (!body) return undefined;
    if (body.bytes > 0) this.#events.push({ kind: "sent", stream: body.stream.id, bytes: body.bytes });
    this.#forgetIfClosed(body.stream);
    return body.message;
  }

  handleTimeout(now: number): void {
    if (this.#state === "closed") return;
    const next = this.#liveness.check(now);
    if (next.do === "ping") this.#control(0, FrameType.PING, 0, msg.encodePing({ token: next.token }));
    else if (next.do === "end") this.close(ErrorCode.IDLE_TIMEOUT, "the other end does not answer");
  }

  /** Takes one message of a lane. What breaks the protocol closes the session; nothing is thrown. */
  receive(lane: number, message: Uint8Array, now: number): void {
    if (this.#state === "closed") return;
    this.#liveness.heard(now);
    try {
      this.#dispatch(lane, message, now);
    } catch (error) {
      if (error instanceof SessionError) this.close(error.code, error.message);
      else if (error instanceof MalformedMessage) this.close(ErrorCode.PROTOCOL, error.message);
      else throw error;
    }
  }

  #dispatch(lane: number, message: Uint8Array, now: number): void {
    if (message.length > this.#maxFrame) throw new SessionError(ErrorCode.FRAME_SIZE, "a frame is too long");
    const frame = decodeFrame(message);
    if (!frame) throw protocolError("a message holds no frame");
    if (this.#state === "hello") {
      if (lane !== 0 && !KNOWN_TYPES.has(frame.type)) return this.#skip(now);
      if (lane !== 0 || frame.type !== FrameType.HELLO || frame.stream !== 0) throw protocolError("the first frame is no HELLO");
      this.#onHello(msg.decodeSessionHello(frame.payload));
      return;
    }
    if (lane >= this.#laneCount) throw protocolError("a lane is used that was not agreed on");
    switch (frame.type) {
      case FrameType.PING:
      case FrameType.PONG:
      case FrameType.GOAWAY:
        if (lane !== 0 || frame.stream !== 0) throw protocolError("a frame of the session is out of place");
        this.#onSessionFrame(frame);
        return;
      case FrameType.CREDIT:
        if (frame.stream === 0) {
          if (lane !== 0) throw protocolError("the session's credit came on another lane");
          this.#sendCredit.raise(msg.decodeCredit(frame.payload).maxBytes);
          return;
        }
        break;
      case FrameType.RESPONSE:
      case FrameType.DATA:
      case FrameType.DATA_END:
      case FrameType.TRAILERS:
      case FrameType.RESET:
      case FrameType.STOP:
        break;
      case FrameType.HELLO:
        throw protocolError("a second HELLO");
      case FrameType.REQUEST:
        throw protocolError("the agent opens no streams in version 1");
      default:
        return this.#skip(now);
    }
    this.#onStreamFrame(lane, frame);
  }

  /** A frame of a type that means nothing here (SES-004). */
  #skip(now: number): void {
    if (!this.#unknown.spend(now)) throw new SessionError(ErrorCode.EXCESSIVE_LOAD, "too many frames of unknown types");
  }

  #onHello(hello: msg.SessionHello): void {
    if (!hello.versions.includes(VERSION)) throw new SessionError(ErrorCode.VERSION, "no version in common");
    this.#peer = readSettings(hello.settings);
    this.#sendCredit.raise(this.#peer.initialSessionCredit);
    for (const stream of this.#streams.values()) stream.sendCredit.raise(this.#peer.initialStreamCredit);
    this.#state = "open";
    this.#events.push({ kind: "open", software: hello.software });
  }

  #onSessionFrame(frame: Frame): void {
    if (frame.type === FrameType.PING) {
      // Sent back as it came: a token may have 64 bits (SES-061), which no number here holds.
      msg.decodePing(frame.payload);
      this.#control(0, FrameType.PONG, 0, frame.payload);
    } else if (frame.type === FrameType.PONG) {
      // A PONG says no more than any other frame: somebody is there.
      msg.decodePing(frame.payload);
    } else if (frame.type === FrameType.GOAWAY) {
      const goAway = msg.decodeGoAway(frame.payload);
      if (goAway.code !== ErrorCode.NO_ERROR) {
        this.#end(goAway.code, goAway.reason, "peer");
        return;
      }
      if (this.#state === "open") this.#events.push({ kind: "draining", reason: goAway.reason });
      this.#state = "draining";
      for (const stream of [...this.#streams.values()]) {
        if (stream.id > goAway.lastStream) this.#onReset(stream, ErrorCode.REFUSED, goAway.reason);
      }
    }
  }

  #onStreamFrame(lane: number, frame: Frame): void {
    const { type, payload } = frame;
    if (frame.stream % 2 === 0 || frame.stream >= this.#nextStream) throw protocolError("a frame for a stream that was never opened");
    const isData = type === FrameType.DATA || type === FrameType.DATA_END;
    if (isData && !this.#receiveCredit.receive(payload.length)) throw new SessionError(ErrorCode.FLOW_CONTROL, "more bytes than the session's credit");
    const stream = this.#streams.get(frame.stream);
    if (!stream) {
      if (isData) this.#consumeSession(payload.length);
      return;
    }
    if (lane !== stream.lane) throw protocolError("a frame came on another lane than its stream's");
    switch (type) {
      case FrameType.RESPONSE:
        this.#onResponse(stream, msg.decodeResponse(payload));
        return;
      case FrameType.DATA:
      case FrameType.DATA_END:
        this.#onData(stream, payload, type === FrameType.DATA_END);
        return;
      case FrameType.TRAILERS:
        this.#onTrailers(stream, msg.decodeTrailers(payload));
        return;
      case FrameType.RESET: {
        const reset = msg.decodeReset(payload);
        this.#onReset(stream, reset.code, reset.reason);
        return;
      }
      case FrameType.STOP: {
        const { code } = msg.decodeStop(payload);
        if (stream.sending === "closed") return;
        this.#resetSending(stream, code, "");
        this.#events.push({ kind: "stopped", stream: stream.id, code });
        this.#forgetIfClosed(stream);
        return;
      }
      default:
        stream.sendCredit.raise(msg.decodeCredit(payload).maxBytes);
    }
  }

  #onResponse(stream: Stream, response: msg.Response): void {
    if (stream.receiving === "discarding") {
      if (response.end) this.#closeReceiving(stream);
      return;
    }
    if (stream.receiving !== "head") throw protocolError("a second response to one request");
    const fault = responseFault(response);
    if (fault !== undefined) return this.#refuse(stream, fault, response.end);
    const { status, fields } = response;
    if (status < 200) {
      this.#events.push({ kind: "interim", stream: stream.id, status, fields });
      return;
    }
    const declared = contentLength(fields);
    if (declared === "bad") return this.#refuse(stream, "content-length contradicts itself", response.end);
    const bodiless = stream.method === "HEAD" || status === 204 || status === 304;
    stream.contentLength = bodiless ? 0 : declared;
    stream.receiving = "body";
    this.#events.push({ kind: "response", stream: stream.id, status, fields });
    if (response.end) this.#onEnd(stream, []);
  }

  #onData(stream: Stream, bytes: Uint8Array, end: boolean): void {
    if (bytes.length === 0 && !end) throw protocolError("DATA without a byte");
    if (!stream.receiveCredit.receive(bytes.length)) throw new SessionError(ErrorCode.FLOW_CONTROL, "more bytes than the stream's credit");
    if (stream.receiving === "discarding") {
      this.#consumeSession(bytes.length);
      if (end) this.#closeReceiving(stream);
      return;
    }
    if (stream.receiving !== "body") throw protocolError(stream.receiving === "head" ? "a body before its response" : "a body behind its end");
    stream.received += bytes.length;
    if (stream.contentLength !== undefined && stream.received > stream.contentLength) {
      this.#consumeSession(bytes.length);
      return this.#refuse(stream, "the body is longer than declared", end);
    }
    if (bytes.length > 0) this.#events.push({ kind: "data", stream: stream.id, bytes });
    if (end) this.#onEnd(stream, []);
  }

  #onTrailers(stream: Stream, trailers: msg.Trailers): void {
    if (stream.receiving === "discarding") return this.#closeReceiving(stream);
    if (stream.receiving !== "body") throw protocolError("trailers out of place");
    const fault = trailersFault(trailers.fields);
    if (fault === undefined) return this.#onEnd(stream, trailers.fields);
    this.#refuse(stream, fault, true);
  }

  #onEnd(stream: Stream, trailers: msg.Field[]): void {
    if (stream.contentLength !== undefined && stream.received < stream.contentLength) {
      return this.#refuse(stream, "the body is shorter than declared", true);
    }
    this.#events.push({ kind: "end", stream: stream.id, trailers });
    this.#closeReceiving(stream);
  }

  #onReset(stream: Stream, code: number, reason: string): void {
    if (stream.receiving === "closed") return;
    if (stream.receiving !== "discarding") {
      this.#events.push({ kind: "failed", stream: stream.id, code, reason, retry: code === ErrorCode.REFUSED && stream.receiving === "head" });
      this.#resetSending(stream, ErrorCode.CANCELLED, "");
    }
    this.#closeReceiving(stream);
  }

  /** The agent's half broke a rule of its own stream (ERR-002); `over`: it has ended all the same. */
  #refuse(stream: Stream, reason: string, over: boolean): void {
    this.#events.push({ kind: "failed", stream: stream.id, code: ErrorCode.BAD_MESSAGE, reason, retry: false });
    if (over) stream.receiving = "closed";
    this.cancel(stream.id, ErrorCode.BAD_MESSAGE);
  }

  #resetSending(stream: Stream, code: number, reason: string): void {
    if (stream.sending === "closed") return;
    stream.drop();
    this.#control(stream.lane, FrameType.RESET, stream.id, msg.encodeReset({ code, reason }));
  }

  #closeReceiving(stream: Stream): void {
    stream.receiving = "closed";
    this.#forgetIfClosed(stream);
  }

  #forgetIfClosed(stream: Stream): void {
    if (stream.closed) this.#streams.delete(stream.id);
  }

  #consumeSession(bytes: number): void {
    const limit = this.#receiveCredit.consume(bytes);
    if (limit !== undefined) this.#control(0, FrameType.CREDIT, 0, msg.encodeCredit({ maxBytes: limit }));
  }

  #control(lane: number, type: number, stream: number, payload: Uint8Array): void {
    if (this.#state === "closed") return;
    const queue = this.#lane(lane);
    queue.control(encodeFrame(type, stream, payload));
    if (queue.controlLength > MAX_CONTROL) {
      queue.clear();
      this.close(ErrorCode.EXCESSIVE_LOAD, "the other end asks for more answers than it reads");
    }
  }

  #end(code: number, reason: string, by: "self" | "peer"): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#streams.clear();
    this.#events.push({ kind: "closed", code, reason, by });
  }

  get #maxFrame(): number {
    return Math.min(this.#own.maxFrame, this.#peer.maxFrame);
  }

  get #laneCount(): number {
    return this.#state === "hello" ? 1 : Math.min(this.#own.lanes, this.#peer.lanes);
  }

  #lane(index: number): Lane {
    const lane = this.#lanes[index];
    if (!lane) throw new RangeError(`no lane ${index}`);
    return lane;
  }
}
