/** One frame is one message on a lane: varint type, varint stream, payload (spec/v1/session.md). */
import { readVarint, varintLength, writeVarint } from "./varint.ts";

export { FrameType } from "./registry.ts";

/** A frame as it came from a lane; `payload` is a view of the message. */
export interface Frame {
  type: number;
  stream: number;
  payload: Uint8Array;
}

/** Reads a message; `undefined` where its header is cut off or the message is empty. */
export function decodeFrame(message: Uint8Array): Frame | undefined {
  const type = readVarint(message, 0);
  if (!type) return undefined;
  const stream = readVarint(message, type.next);
  if (!stream) return undefined;
  return { type: type.value, stream: stream.value, payload: message.subarray(stream.next) };
}

/** Bytes before the payload. */
export function headerLength(type: number, stream: number): number {
  return varintLength(type) + varintLength(stream);
}

/** A message with its header, and room for so many bytes of payload behind it. */
export function beginFrame(type: number, stream: number, length: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(headerLength(type, stream) + length);
  writeVarint(message, writeVarint(message, 0, type), stream);
  return message;
}

/** Builds a message of its own memory, so that `payload` may be reused. */
export function encodeFrame(type: number, stream: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = beginFrame(type, stream, payload.length);
  message.set(payload, message.length - payload.length);
  return message;
}
