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
import { Budget, Cost } from "./budget.ts";
import { ReceiveCredit, SendCredit } from "./credit.ts";
import { ErrorCode, RequestError, SessionError, protocolError } from "./errors.ts";
import type { SessionEvent, SessionOptions } from "./event.ts";
import { requestFault } from "./fields.ts";
import { Lane, quietestLane } from "./lane.ts";
import { Liveness } from "./liveness.ts";
import { OutgoingBody, OutgoingMessages } from "./outgoing.ts";
import { Receiver } from "./receiver.ts";
import { DEFAULT_SETTINGS, type Settings, greaseId, readSettings, writeSettings } from "./settings.ts";
import { Stream } from "./stream.ts";
import { WEBSOCKET, askedSubprotocols, chargeOf, closeFault, handshakeFault } from "./websocket.ts";

/** The protocol version spoken here. */
const VERSION = 1;
/** Control frames waiting on one lane; only a peer that floods PINGs and reads nothing gets there. */
const MAX_CONTROL = 1_024;

export interface RequestHead {
  method: string;
  target: string;
  fields: msg.Field[];
  /** A body follows. */
  hasBody: boolean;
}

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(FrameType));

export class Session {
  readonly #own: Settings;
  #peer: Settings = DEFAULT_SETTINGS;
  #state: "hello" | "open" | "draining" | "closed" = "hello";
  readonly #lanes: Lane[];
  readonly #streams = new Map<number, Stream>();
  #nextStream = 1;
  /** Highest stream that the agent acts upon. */
  #lastStream = Number.POSITIVE_INFINITY;
  readonly #sendCredit = new SendCredit(DEFAULT_SETTINGS.initialSessionCredit);
  readonly #receiveCredit: ReceiveCredit;
  readonly #events: SessionEvent[] = [];
  readonly #budget: Budget;
  /** Of the message that came last. */
  #now: number;
  readonly #liveness: Liveness;
  readonly #receiver = new Receiver({
    tell: (event) => this.#events.push(event),
    discard: (charge) => this.#consumeSession(charge),
    resetSending: (stream, code) => this.#resetSending(stream, code),
    refuse: (stream, code) => {
      this.#spend(Cost.STREAM);
      this.cancel(stream.id, code);
    },
    forgetIfClosed: (stream) => this.#forgetIfClosed(stream),
  });

  constructor(options: SessionOptions, now: number) {
    this.#own = options.settings;
    this.#receiveCredit = new ReceiveCredit(options.settings.initialSessionCredit);
    this.#lanes = Array.from({ length: options.settings.lanes }, () => new Lane());
    this.#liveness = new Liveness(now);
    this.#budget = new Budget(now);
    this.#now = now;
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

  /** Whether nothing is under way. */
  get idle(): boolean {
    return this.#streams.size === 0;
  }

  get nextTimeout(): number | undefined {
    return this.#state === "closed" ? undefined : this.#liveness.deadline;
  }

  poll(): SessionEvent | undefined {
    return this.#events.shift();
  }

  /** Opens a stream; throws `RequestError` where the request cannot be sent. */
  request({ method, target, fields, hasBody }: RequestHead): number {
    return this.#open({ method, target, fields, end: !hasBody, protocol: "" });
  }

  /** Opens the stream of a WebSocket; messages may follow when the response has status 200 (WSK-001). */
  connect(target: string, fields: msg.Field[]): number {
    return this.#open({ method: "CONNECT", target, fields, end: false, protocol: WEBSOCKET });
  }

  #open(request: msg.Request): number {
    if (!this.canOpen) throw new RequestError(ErrorCode.REFUSED, "no stream can be opened now");
    const connects = request.protocol === WEBSOCKET;
    const fault = requestFault(request) ?? (connects ? handshakeFault(request.fields) : undefined);
    if (fault !== undefined) throw new RequestError(ErrorCode.BAD_MESSAGE, fault);
    const id = this.#nextStream;
    const message = encodeFrame(FrameType.REQUEST, id, msg.encodeRequest(request));
    if (message.length > this.#maxFrame) throw new RequestError(ErrorCode.HEAD_TOO_LARGE, "the request's head is too large");
    this.#nextStream += 2;
    const lane = quietestLane(this.#streams.values(), this.#laneCount);
    this.#streams.set(id, new Stream({
      id,
      lane,
      method: request.method,
      hasBody: !request.end,
      subprotocols: connects ? askedSubprotocols(request.fields) : undefined,
      sendLimit: this.#peer.initialStreamCredit,
      window: this.#own.initialStreamCredit,
    }));
    this.#lane(lane).control(message);
    return id;
  }

  /** Queues bytes of a request's body; the caller bounds the queue by the "sent" events. */
  write(id: number, bytes: Uint8Array): void {
    this.#queue(id, OutgoingBody, (body) => body.push(bytes));
  }

  /** The request's body is complete. */
  finish(id: number): void {
    this.#queue(id, OutgoingBody, (body, stream) => {
      stream.sending = "ending";
      body.end();
    });
  }

  /** Queues a message of a WebSocket, or a part of one, bounded as for `write`. The bytes of a text are UTF-8; parts keep their kind. */
  send(id: number, text: boolean, bytes: Uint8Array, last: boolean): void {
    this.#queue(id, OutgoingMessages, (messages) => messages.push(text, bytes, last));
  }

  /** Closes a WebSocket behind what waits; code 0: without one. */
  end(id: number, code: number, reason: string): void {
    const fault = closeFault({ code, reason });
    if (fault !== undefined) throw new RangeError(fault);
    this.#queue(id, OutgoingMessages, (messages, stream) => {
      stream.sending = "ending";
      messages.end({ code, reason });
    });
  }

  /** Adds to what a stream sends, unless it has ended. */
  #queue<T extends Stream["outgoing"]>(id: number, kind: new () => T, add: (outgoing: T, stream: Stream) => void): void {
    const stream = this.#streams.get(id);
    if (stream?.sending !== "open" || !(stream.outgoing instanceof kind)) return;
    add(stream.outgoing, stream);
    this.#lane(stream.lane).join(stream);
  }

  /** Gives an exchange up: no event of it follows. */
  cancel(id: number, code: number = ErrorCode.CANCELLED): void {
    const stream = this.#streams.get(id);
    if (!stream || stream.receiving === "discarding") return;
    this.#resetSending(stream, code);
    if (stream.receiving !== "closed") {
      stream.receiving = "discarding";
      this.#control(stream.lane, FrameType.STOP, id, msg.encodeStop({ code }));
    }
    this.#forgetIfClosed(stream);
  }

  /** The application has taken (or thrown away) the bytes of a "data" event, or the charge of a "message". */
  consume(id: number, bytes: number): void {
    const stream = this.#streams.get(id);
    if (stream && (stream.receiving === "body" || stream.receiving === "messages" || stream.receiving === "head")) {
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
    this.#budget.moved(body.bytes);
    if (body.bytes > 0) this.#events.push({ kind: "sent", stream: body.stream.id, bytes: body.bytes });
    this.#forgetIfClosed(body.stream);
    return body.message;
  }

  handleTimeout(now: number): void {
    if (this.#state === "closed") return;
    const next = this.#liveness.check(now);
    if (next.do === "ping") this.#control(0, FrameType.PING, 0, msg.encodePing({ token: next.token }));
    else if (next.do === "end") this.close(ErrorCode.IDLE_TIMEOUT, next.reason);
  }

  /** The transport's packets no longer arrive: the session waits for another path (SES-063). */
  pathLost(now: number): void {
    this.#liveness.pathLost(now);
  }

  /** They arrive again. */
  pathFound(): void {
    this.#liveness.pathFound();
  }

  /** Takes one message of a lane. What breaks the protocol closes the session; nothing is thrown. */
  receive(lane: number, message: Uint8Array, now: number): void {
    if (this.#state === "closed") return;
    this.#liveness.heard(now);
    this.#now = now;
    try {
      this.#dispatch(lane, message);
    } catch (error) {
      if (error instanceof SessionError) this.close(error.code, error.message);
      else if (error instanceof MalformedMessage) this.close(ErrorCode.PROTOCOL, error.message);
      else throw error;
    }
  }

  #dispatch(lane: number, message: Uint8Array): void {
    if (message.length > this.#maxFrame) throw new SessionError(ErrorCode.FRAME_SIZE, "a frame is too long");
    const frame = decodeFrame(message);
    if (!frame) throw protocolError("a message holds no frame");
    if (this.#state === "hello") {
      if (lane >= this.#own.lanes) throw protocolError("a lane is used that was not offered");
      if (lane !== 0 && !KNOWN_TYPES.has(frame.type)) return this.#spend(Cost.FRAME);
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
        return this.#onSessionFrame(frame);
      case FrameType.HELLO:
        throw protocolError("a second HELLO");
      case FrameType.REQUEST:
        throw protocolError("the agent opens no streams in version 1");
    }
    if (!KNOWN_TYPES.has(frame.type)) this.#spend(Cost.FRAME);
    else if (frame.type === FrameType.CREDIT && frame.stream === 0) this.#onSessionCredit(lane, frame.payload);
    else this.#onStreamFrame(lane, frame);
  }

  #onSessionCredit(lane: number, payload: Uint8Array): void {
    if (lane !== 0) throw protocolError("the session's credit came on another lane");
    this.#spend(Cost.FRAME);
    this.#sendCredit.raise(msg.decodeCredit(payload).maxBytes);
  }

  /** Counts a frame that costs more than it brings (SES-090). */
  #spend(cost: number): void {
    if (!this.#budget.spend(this.#now, cost)) throw new SessionError(ErrorCode.EXCESSIVE_LOAD, "too many frames that bring nothing");
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
    this.#spend(frame.type === FrameType.GOAWAY ? Cost.STREAM : Cost.FRAME);
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
      // A later one can only lower the number (SES-071).
      this.#lastStream = Math.min(this.#lastStream, goAway.lastStream);
      this.#state = "draining";
      this.#events.push({ kind: "draining", lastStream: this.#lastStream, reason: goAway.reason });
      for (const stream of [...this.#streams.values()]) {
        if (stream.id > this.#lastStream) this.#receiver.onReset(stream, { code: ErrorCode.REFUSED, reason: goAway.reason });
      }
    }
  }

  #onStreamFrame(lane: number, frame: Frame): void {
    const { type, payload } = frame;
    if (frame.stream % 2 === 0 || frame.stream >= this.#nextStream) throw protocolError("a frame for a stream that was never opened");
    const charge = chargeOf(type, payload.length);
    if (!this.#receiveCredit.receive(charge)) throw new SessionError(ErrorCode.FLOW_CONTROL, "more bytes than the session's credit");
    this.#budget.moved(charge);
    const stream = this.#streams.get(frame.stream);
    const givesUp = type === FrameType.RESET || type === FrameType.STOP;
    if (givesUp) this.#spend(Cost.STREAM);
    // What nobody waits for costs, even where it is not judged (SES-028, SES-094).
    else if (type === FrameType.CREDIT || !stream || (type === FrameType.RESPONSE && stream.receiving === "discarding")) this.#spend(Cost.FRAME);
    if (!stream) return this.#consumeSession(charge);
    if (lane !== stream.lane) throw protocolError("a frame came on another lane than its stream's");
    if (type === FrameType.STOP) this.#onStop(stream, msg.decodeStop(payload).code);
    else if (type === FrameType.CREDIT) stream.sendCredit.raise(msg.decodeCredit(payload).maxBytes);
    else this.#receiver.receive(stream, type, payload);
  }

  #onStop(stream: Stream, code: number): void {
    if (stream.sending === "closed") return;
    this.#resetSending(stream, code);
    this.#events.push({ kind: "stopped", stream: stream.id, code });
    this.#forgetIfClosed(stream);
  }

  #resetSending(stream: Stream, code: number): void {
    if (stream.sending === "closed") return;
    stream.sending = "closed";
    stream.outgoing.drop();
    this.#control(stream.lane, FrameType.RESET, stream.id, msg.encodeReset({ code, reason: "" }));
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
