/** What the agent's frames do to the receiving half of a stream (spec/v1/session.md, "Exchanges"). */
import { FrameType, Limit } from "../codec/registry.ts";
import * as msg from "../codec/session-messages.ts";
import { ErrorCode, SessionError, protocolError } from "./errors.ts";
import type { SessionEvent } from "./event.ts";
import { contentLength, responseFault, trailersFault } from "./fields.ts";
import { OutgoingMessages } from "./outgoing.ts";
import type { Stream } from "./stream.ts";
import { acceptFault, chargeOf, closeFault } from "./websocket.ts";

/** What a session does on behalf of its streams. */
export interface Surroundings {
  tell(event: SessionEvent): void;
  /** Returns credit of the session for what nobody takes (SES-044). */
  discard(charge: number): void;
  /** Ends the sending half with RESET, unless it has ended. */
  resetSending(stream: Stream, code: number): void;
  /** The agent's half broke a rule: gives the stream up, with RESET and STOP for what has not ended. */
  refuse(stream: Stream, code: number): void;
  forgetIfClosed(stream: Stream): void;
}

/** Frames that end a half, besides RESET and a RESPONSE that says so. */
const ENDS: ReadonlySet<number> = new Set([FrameType.DATA_END, FrameType.TRAILERS, FrameType.WS_CLOSE]);

export class Receiver {
  readonly #session: Surroundings;

  constructor(session: Surroundings) {
    this.#session = session;
  }

  /** Takes a frame of the agent's half. */
  receive(stream: Stream, type: number, payload: Uint8Array): void {
    const charge = chargeOf(type, payload.length);
    if (!stream.receiveCredit.receive(charge)) throw new SessionError(ErrorCode.FLOW_CONTROL, "more bytes than the stream's credit");
    if (stream.receiving === "discarding" && type !== FrameType.RESET) return this.#discard(stream, type, payload, charge);
    switch (type) {
      case FrameType.RESPONSE:
        return this.#onResponse(stream, msg.decodeResponse(payload));
      case FrameType.DATA:
      case FrameType.DATA_END:
        return this.#onData(stream, payload, type === FrameType.DATA_END);
      case FrameType.TRAILERS:
        return this.#onTrailers(stream, msg.decodeTrailers(payload));
      case FrameType.RESET:
        return this.onReset(stream, msg.decodeReset(payload));
      case FrameType.WS_TEXT:
      case FrameType.WS_TEXT_PART:
        return this.#onMessage(stream, true, payload, type === FrameType.WS_TEXT);
      case FrameType.WS_BINARY:
      case FrameType.WS_BINARY_PART:
        return this.#onMessage(stream, false, payload, type === FrameType.WS_BINARY);
      case FrameType.WS_CLOSE:
        return this.#onClose(stream, msg.decodeWsClose(payload));
      default:
        throw protocolError("a frame that no agent sends on a stream");
    }
  }

  /** What comes behind STOP is not judged (SES-028); its end counts. */
  #discard(stream: Stream, type: number, payload: Uint8Array, charge: number): void {
    if (charge > 0) this.#session.discard(charge);
    const ends = type === FrameType.RESPONSE ? msg.decodeResponse(payload).end : ENDS.has(type);
    if (ends) this.#close(stream);
  }

  /** The agent gives its half up, or has refused the stream. */
  onReset(stream: Stream, { code, reason }: msg.Reset): void {
    if (stream.receiving === "closed") return;
    if (stream.receiving !== "discarding") {
      this.#session.tell({ kind: "failed", stream: stream.id, code, reason, retry: code === ErrorCode.REFUSED && stream.receiving === "head" });
      this.#session.resetSending(stream, ErrorCode.CANCELLED);
    }
    this.#close(stream);
  }

  #onResponse(stream: Stream, response: msg.Response): void {
    const { status, fields, end } = response;
    if (stream.receiving !== "head") throw protocolError("a second response to one request");
    const fault = responseFault(response);
    if (fault !== undefined) return this.#refuse(stream, fault, end);
    if (status < 200) return this.#session.tell({ kind: "interim", stream: stream.id, status, fields });
    if (stream.subprotocols && status < 300) return this.#accept(stream, response, stream.subprotocols);
    const declared = contentLength(fields);
    if (declared === "bad") return this.#refuse(stream, "content-length contradicts itself", end);
    const bodiless = stream.method === "HEAD" || status === 204 || status === 304;
    stream.contentLength = bodiless ? 0 : declared;
    stream.receiving = "body";
    // A WebSocket that is refused has no request half (WSK-005).
    if (stream.sending === "waiting") stream.sending = "closed";
    this.#session.tell({ kind: "response", stream: stream.id, status, fields });
    if (end) this.#end(stream, []);
  }

  #accept(stream: Stream, response: msg.Response, asked: readonly string[]): void {
    const fault = acceptFault(response, asked);
    if (fault !== undefined) return this.#refuse(stream, fault, response.end);
    stream.receiving = "messages";
    if (stream.sending === "waiting") stream.sending = "open";
    this.#session.tell({ kind: "response", stream: stream.id, status: response.status, fields: response.fields });
  }

  #onData(stream: Stream, bytes: Uint8Array, end: boolean): void {
    if (bytes.length === 0 && !end) throw protocolError("DATA without a byte");
    if (stream.receiving !== "body") throw outOfPlace(stream, "DATA");
    stream.received += bytes.length;
    if (stream.contentLength !== undefined && stream.received > stream.contentLength) {
      this.#session.discard(bytes.length);
      return this.#refuse(stream, "the body is longer than declared", end);
    }
    if (end && stream.contentLength !== undefined && stream.received < stream.contentLength) {
      this.#session.discard(bytes.length);
      return this.#refuse(stream, "the body is shorter than declared", true);
    }
    if (bytes.length > 0) this.#session.tell({ kind: "data", stream: stream.id, bytes });
    if (end) this.#end(stream, []);
  }

  #onTrailers(stream: Stream, { fields }: msg.Trailers): void {
    if (stream.receiving !== "body") throw outOfPlace(stream, "TRAILERS");
    const fault = trailersFault(fields);
    if (fault === undefined) this.#end(stream, fields);
    else this.#refuse(stream, fault, true);
  }

  /** A message of a WebSocket, or a part of one (WSK-010, WSK-011). */
  #onMessage(stream: Stream, text: boolean, bytes: Uint8Array, last: boolean): void {
    if (bytes.length === 0 && !last) throw protocolError("a part of a message without a byte");
    if (stream.receiving !== "messages") throw outOfPlace(stream, "a message");
    const charge = bytes.length + Limit.MESSAGE_CHARGE;
    const data = stream.incoming.take(text, bytes, last);
    if (data !== undefined) return this.#session.tell({ kind: "message", stream: stream.id, data, last, charge });
    this.#session.discard(charge);
    this.#refuse(stream, "a text message is not UTF-8", false);
  }

  #onClose(stream: Stream, close: msg.WsClose): void {
    if (stream.receiving !== "messages") throw outOfPlace(stream, "WS_CLOSE");
    const fault = closeFault(close);
    if (fault !== undefined) return this.#refuse(stream, fault, true);
    if (stream.outgoing instanceof OutgoingMessages) stream.outgoing.finish();
    this.#session.tell({ kind: "close", stream: stream.id, ...close });
    this.#close(stream);
  }

  #end(stream: Stream, trailers: msg.Field[]): void {
    if (stream.contentLength !== undefined && stream.received < stream.contentLength) {
      return this.#refuse(stream, "the body is shorter than declared", true);
    }
    this.#session.tell({ kind: "end", stream: stream.id, trailers });
    this.#close(stream);
  }

  /** The agent's half broke a rule of its own stream (ERR-002); `over`: it has ended all the same. */
  #refuse(stream: Stream, reason: string, over: boolean): void {
    this.#session.tell({ kind: "failed", stream: stream.id, code: ErrorCode.BAD_MESSAGE, reason, retry: false });
    if (over) stream.receiving = "closed";
    this.#session.refuse(stream, ErrorCode.BAD_MESSAGE);
  }

  #close(stream: Stream): void {
    stream.receiving = "closed";
    this.#session.forgetIfClosed(stream);
  }
}

function outOfPlace(stream: Stream, what: string): SessionError {
  const where = { head: "before its response", body: "in a body", messages: "on a WebSocket", discarding: "", closed: "behind the end" }[stream.receiving];
  return protocolError(`${what} ${where}`);
}
