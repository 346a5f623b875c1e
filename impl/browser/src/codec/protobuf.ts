/**
 * `pbf` with the checks that it leaves out: lengths that reach past their message, wire types that are
 * not the schema's, and field number 0 are errors instead of silent nonsense. Unknown fields are skipped.
 */
import { PbfReader, PbfWriter } from "pbf";

export { PbfReader, PbfWriter };

/** The bytes are no protobuf message of the expected kind. */
export class MalformedMessage extends Error {
  override name = "MalformedMessage";
}

/** Reads field `tag` into `message`, or leaves it alone when the tag is unknown. */
export type ReadField<T> = (tag: number, message: T, reader: PbfReader) => void;

const VARINT = 0;
const BYTES = 2;

function readUntil<T>(reader: PbfReader, end: number, readField: ReadField<T>, message: T): T {
  if (end > reader.length) throw new MalformedMessage("a length reaches past the message");
  const outer = reader.length;
  reader.length = end;
  while (reader.pos < end) {
    const tag = reader.readVarint();
    reader.type = tag & 7;
    if (tag >>> 3 === 0) throw new MalformedMessage("a field has the number 0");
    const start = reader.pos;
    readField(tag >>> 3, message, reader);
    if (reader.pos === start) reader.skip(reader.type);
  }
  if (reader.pos !== end) throw new MalformedMessage("a field reaches past its message");
  reader.length = outer;
  return message;
}

/** Reads a whole message. */
export function decode<T>(bytes: Uint8Array, readField: ReadField<T>, message: T): T {
  try {
    return readUntil(new PbfReader(bytes), bytes.length, readField, message);
  } catch (error) {
    if (error instanceof MalformedMessage) throw error;
    throw new MalformedMessage(error instanceof Error ? error.message : "unreadable");
  }
}

/** Builds a message. */
export function encode(write: (writer: PbfWriter) => void): Uint8Array {
  const writer = new PbfWriter();
  write(writer);
  return writer.finish();
}

function expect(reader: PbfReader, type: number): void {
  if (reader.type !== type) throw new MalformedMessage("a field has the wrong wire type");
}

/** A field of an unsigned or signed integer, boolean or enum type. */
export function number(reader: PbfReader, signed = false): number {
  expect(reader, VARINT);
  const value = reader.readVarint(signed);
  if (reader.pos > reader.length) throw new MalformedMessage("a number is cut off");
  return value;
}

/** A `bytes` field: a view of the message. */
export function bytes(reader: PbfReader): Uint8Array {
  expect(reader, BYTES);
  const value = reader.readBytes();
  if (reader.pos > reader.length) throw new MalformedMessage("a field is cut off");
  return value;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A `string` field. */
export function string(reader: PbfReader): string {
  return utf8.decode(bytes(reader));
}

/** A field that holds a message. */
export function message<T>(reader: PbfReader, readField: ReadField<T>, value: T): T {
  expect(reader, BYTES);
  const length = reader.readVarint();
  return readUntil(reader, reader.pos + length, readField, value);
}

/** Repeated integers, packed or not. */
export function numbers(reader: PbfReader, into: number[]): void {
  if (reader.type === VARINT) {
    into.push(number(reader));
    return;
  }
  const packed = new PbfReader(bytes(reader));
  while (packed.pos < packed.length) into.push(packed.readVarint());
  if (packed.pos !== packed.length) throw new MalformedMessage("a packed number is cut off");
}
