/** Payloads of session frames: proto/p2claw/v1/session.proto, under the same names. */
import * as pb from "./protobuf.ts";

export interface Setting {
  id: number;
  value: number;
}
export interface SessionHello {
  versions: number[];
  settings: Setting[];
  software: string;
}
/** A header or trailer field; the value is bytes, as on the wire. */
export interface Field {
  name: string;
  value: Uint8Array;
}
export interface Request {
  method: string;
  target: string;
  fields: Field[];
  end: boolean;
  /** With the method CONNECT only; "" without one. */
  protocol: string;
}
export interface Response {
  status: number;
  fields: Field[];
  end: boolean;
}
export interface WsClose {
  /** 0: none. */
  code: number;
  reason: string;
}
export interface Trailers {
  fields: Field[];
}
export interface Reset {
  code: number;
  reason: string;
}
export interface Stop {
  code: number;
}
export interface Credit {
  maxBytes: number;
}
export interface Ping {
  token: number;
}
export interface GoAway {
  code: number;
  lastStream: number;
  reason: string;
}

const readSetting: pb.ReadField<Setting> = (tag, setting, reader) => {
  if (tag === 1) setting.id = pb.number(reader);
  else if (tag === 2) setting.value = pb.number(reader);
};

const readField: pb.ReadField<Field> = (tag, field, reader) => {
  if (tag === 1) field.name = pb.string(reader);
  else if (tag === 2) field.value = pb.bytes(reader);
};

const nextField = (reader: pb.PbfReader): Field => pb.message(reader, readField, { name: "", value: new Uint8Array() });

function writeFields(writer: pb.PbfWriter, tag: number, fields: readonly Field[]): void {
  for (const field of fields) {
    writer.writeMessage(tag, (one: Field, inner) => {
      inner.writeStringField(1, one.name);
      if (one.value.length > 0) inner.writeBytesField(2, one.value);
    }, field);
  }
}

export const decodeSessionHello = (bytes: Uint8Array): SessionHello =>
  pb.decode<SessionHello>(bytes, (tag, hello, reader) => {
    if (tag === 1) pb.numbers(reader, hello.versions);
    else if (tag === 2) hello.settings.push(pb.message(reader, readSetting, { id: 0, value: 0 }));
    else if (tag === 3) hello.software = pb.string(reader);
  }, { versions: [], settings: [], software: "" });

export const encodeSessionHello = (hello: SessionHello): Uint8Array =>
  pb.encode((writer) => {
    writer.writePackedVarint(1, hello.versions);
    for (const setting of hello.settings) {
      writer.writeMessage(2, (one: Setting, inner) => {
        inner.writeVarintField(1, one.id);
        inner.writeVarintField(2, one.value);
      }, setting);
    }
    writer.writeStringField(3, hello.software);
  });

export const decodeRequest = (bytes: Uint8Array): Request =>
  pb.decode<Request>(bytes, (tag, request, reader) => {
    if (tag === 1) request.method = pb.string(reader);
    else if (tag === 2) request.target = pb.string(reader);
    else if (tag === 3) request.fields.push(nextField(reader));
    else if (tag === 4) request.end = pb.number(reader) !== 0;
    else if (tag === 5) request.protocol = pb.string(reader);
  }, { method: "", target: "", fields: [], end: false, protocol: "" });

export const encodeRequest = (request: Request): Uint8Array =>
  pb.encode((writer) => {
    writer.writeStringField(1, request.method);
    writer.writeStringField(2, request.target);
    writeFields(writer, 3, request.fields);
    if (request.end) writer.writeBooleanField(4, true);
    if (request.protocol !== "") writer.writeStringField(5, request.protocol);
  });

export const decodeResponse = (bytes: Uint8Array): Response =>
  pb.decode<Response>(bytes, (tag, response, reader) => {
    if (tag === 1) response.status = pb.number(reader);
    else if (tag === 2) response.fields.push(nextField(reader));
    else if (tag === 3) response.end = pb.number(reader) !== 0;
  }, { status: 0, fields: [], end: false });

export const encodeResponse = (response: Response): Uint8Array =>
  pb.encode((writer) => {
    writer.writeVarintField(1, response.status);
    writeFields(writer, 2, response.fields);
    if (response.end) writer.writeBooleanField(3, true);
  });

export const decodeTrailers = (bytes: Uint8Array): Trailers =>
  pb.decode<Trailers>(bytes, (tag, trailers, reader) => {
    if (tag === 1) trailers.fields.push(nextField(reader));
  }, { fields: [] });

export const encodeTrailers = (trailers: Trailers): Uint8Array =>
  pb.encode((writer) => writeFields(writer, 1, trailers.fields));

/** RESET and WS_CLOSE each hold a code in field 1 and a reason in field 2. */
export const decodeReset = (bytes: Uint8Array): Reset & WsClose =>
  pb.decode<Reset>(bytes, (tag, reset, reader) => {
    if (tag === 1) reset.code = pb.number(reader);
    else if (tag === 2) reset.reason = pb.string(reader);
  }, { code: 0, reason: "" });

export const encodeReset = (reset: Reset | WsClose): Uint8Array =>
  pb.encode((writer) => {
    if (reset.code !== 0) writer.writeVarintField(1, reset.code);
    if (reset.reason !== "") writer.writeStringField(2, reset.reason);
  });

export const decodeWsClose: (bytes: Uint8Array) => WsClose = decodeReset;
export const encodeWsClose: (close: WsClose) => Uint8Array = encodeReset;

/** STOP, CREDIT, PING and PONG each hold a single number in field 1. */
function decodeNumber(bytes: Uint8Array): number {
  return pb.decode<{ value: number }>(bytes, (tag, holder, reader) => {
    if (tag === 1) holder.value = pb.number(reader);
  }, { value: 0 }).value;
}

const encodeNumber = (value: number): Uint8Array =>
  pb.encode((writer) => {
    if (value !== 0) writer.writeVarintField(1, value);
  });

export const decodeStop = (bytes: Uint8Array): Stop => ({ code: decodeNumber(bytes) });
export const encodeStop = (stop: Stop): Uint8Array => encodeNumber(stop.code);
export const decodeCredit = (bytes: Uint8Array): Credit => ({ maxBytes: decodeNumber(bytes) });
export const encodeCredit = (credit: Credit): Uint8Array => encodeNumber(credit.maxBytes);
export const decodePing = (bytes: Uint8Array): Ping => ({ token: decodeNumber(bytes) });
export const encodePing = (ping: Ping): Uint8Array => encodeNumber(ping.token);

export const decodeGoAway = (bytes: Uint8Array): GoAway =>
  pb.decode<GoAway>(bytes, (tag, goAway, reader) => {
    if (tag === 1) goAway.code = pb.number(reader);
    else if (tag === 2) goAway.lastStream = pb.number(reader);
    else if (tag === 3) goAway.reason = pb.string(reader);
  }, { code: 0, lastStream: 0, reason: "" });

export const encodeGoAway = (goAway: GoAway): Uint8Array =>
  pb.encode((writer) => {
    if (goAway.code !== 0) writer.writeVarintField(1, goAway.code);
    if (goAway.lastStream !== 0) writer.writeVarintField(2, goAway.lastStream);
    if (goAway.reason !== "") writer.writeStringField(3, goAway.reason);
  });
