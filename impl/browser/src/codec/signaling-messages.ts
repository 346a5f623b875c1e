/** The part of proto/p2claw/v1/signaling.proto that a visitor meets, under the same names. */
import { readLength } from "./protobuf-length.ts";
import * as pb from "./protobuf.ts";
import { Limit } from "./registry.ts";

export interface IceServer {
  urls: string[];
  username: string;
  credential: string;
}
export interface VisitRequest {
  versions: number[];
  sdp: string;
  nonce: Uint8Array;
  /** Session id of a session that runs, to restart its ICE (SIG-043). */
  restarts?: Uint8Array;
}
export interface VisitAnswer {
  sessionId: Uint8Array;
  sdp: string;
  /** Exactly the bytes that were signed. */
  statement: Uint8Array;
  signature: Uint8Array;
}
export interface VisitStatement {
  version: number;
  sessionId: Uint8Array;
  alias: string;
  nonce: Uint8Array;
  visitorFingerprint: Uint8Array;
  agentFingerprint: Uint8Array;
  expiresAtMs: number;
  publicKey: Uint8Array;
  app: string;
}
export interface Candidate {
  sessionId: Uint8Array;
  candidate: string;
  sdpMid: string;
}
export interface VisitEnd {
  sessionId: Uint8Array;
  code: number;
  reason: string;
}
export type VisitEvent =
  | { kind: "answer"; answer: VisitAnswer }
  | { kind: "candidate"; candidate: Candidate }
  | { kind: "end"; end: VisitEnd }
  /** Of a kind that a later version may bring. */
  | { kind: "unknown" };

const none = (): Uint8Array => new Uint8Array();

const readIceServer: pb.ReadField<IceServer> = (tag, server, reader) => {
  if (tag === 1) server.urls.push(pb.string(reader));
  else if (tag === 2) server.username = pb.string(reader);
  else if (tag === 3) server.credential = pb.string(reader);
};

export const decodeIceServers = (bytes: Uint8Array): IceServer[] =>
  pb.decode<IceServer[]>(bytes, (tag, servers, reader) => {
    if (tag === 1) servers.push(pb.message(reader, readIceServer, { urls: [], username: "", credential: "" }));
  }, []);

export const encodeVisitRequest = (request: VisitRequest): Uint8Array =>
  pb.encode((writer) => {
    writer.writePackedVarint(1, request.versions);
    writer.writeStringField(2, request.sdp);
    writer.writeBytesField(3, request.nonce);
    if (request.restarts !== undefined) writer.writeBytesField(4, request.restarts);
  });

export const encodeVisitUpdate = (candidates: readonly Candidate[]): Uint8Array =>
  pb.encode((writer) => {
    for (const candidate of candidates) {
      writer.writeMessage(1, (one: Candidate, inner) => {
        if (one.sessionId.length > 0) inner.writeBytesField(1, one.sessionId);
        if (one.candidate !== "") inner.writeStringField(2, one.candidate);
        if (one.sdpMid !== "") inner.writeStringField(3, one.sdpMid);
      }, candidate);
    }
  });

const readAnswer: pb.ReadField<VisitAnswer> = (tag, answer, reader) => {
  if (tag === 1) answer.sessionId = pb.bytes(reader);
  else if (tag === 2) answer.sdp = pb.string(reader);
  else if (tag === 3) answer.statement = pb.bytes(reader);
  else if (tag === 4) answer.signature = pb.bytes(reader);
};

const readCandidate: pb.ReadField<Candidate> = (tag, candidate, reader) => {
  if (tag === 1) candidate.sessionId = pb.bytes(reader);
  else if (tag === 2) candidate.candidate = pb.string(reader);
  else if (tag === 3) candidate.sdpMid = pb.string(reader);
};

const readEnd: pb.ReadField<VisitEnd> = (tag, end, reader) => {
  if (tag === 1) end.sessionId = pb.bytes(reader);
  else if (tag === 2) end.code = pb.number(reader);
  else if (tag === 3) end.reason = pb.string(reader);
};

export function decodeVisitEvent(bytes: Uint8Array): VisitEvent {
  const read: pb.ReadField<{ event: VisitEvent }> = (tag, holder, reader) => {
    if (tag === 1) {
      const answer = pb.message(reader, readAnswer, { sessionId: none(), sdp: "", statement: none(), signature: none() });
      holder.event = { kind: "answer", answer };
    } else if (tag === 2) {
      const candidate = pb.message(reader, readCandidate, { sessionId: none(), candidate: "", sdpMid: "" });
      holder.event = { kind: "candidate", candidate };
    } else if (tag === 3) {
      holder.event = { kind: "end", end: pb.message(reader, readEnd, { sessionId: none(), code: 0, reason: "" }) };
    }
  };
  return pb.decode(bytes, read, { event: { kind: "unknown" } }).event;
}

export const decodeVisitStatement = (bytes: Uint8Array): VisitStatement =>
  pb.decode<VisitStatement>(bytes, (tag, statement, reader) => {
    if (tag === 1) statement.version = pb.number(reader);
    else if (tag === 2) statement.sessionId = pb.bytes(reader);
    else if (tag === 3) statement.alias = pb.string(reader);
    else if (tag === 4) statement.nonce = pb.bytes(reader);
    else if (tag === 5) statement.visitorFingerprint = pb.bytes(reader);
    else if (tag === 6) statement.agentFingerprint = pb.bytes(reader);
    else if (tag === 7) statement.expiresAtMs = pb.number(reader, true);
    else if (tag === 8) statement.publicKey = pb.bytes(reader);
    else if (tag === 9) statement.app = pb.string(reader);
  }, {
    version: 0, sessionId: none(), alias: "", nonce: none(), visitorFingerprint: none(),
    agentFingerprint: none(), expiresAtMs: 0, publicKey: none(), app: "",
  });

/** Cuts the streamed response of a visit into its length-delimited events. */
export class VisitEventReader {
  #pending: Uint8Array = none();

  /** Takes the next bytes, however they were cut, and returns the events that they complete. */
  push(chunk: Uint8Array): VisitEvent[] {
    const joined = new Uint8Array(this.#pending.length + chunk.length);
    joined.set(this.#pending);
    joined.set(chunk, this.#pending.length);
    const events: VisitEvent[] = [];
    let offset = 0;
    for (;;) {
      const length = readLength(joined, offset);
      if (length === undefined) break;
      if (length.value > Limit.ENVELOPE_MAX) throw new pb.MalformedMessage("an event of the visit is too long");
      const end = length.next + length.value;
      if (end > joined.length) break;
      events.push(decodeVisitEvent(joined.subarray(length.next, end)));
      offset = end;
    }
    this.#pending = joined.slice(offset);
    return events;
  }
}
