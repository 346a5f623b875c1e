/** The length that stands before a message in a length-delimited stream: a protobuf varint. */

/** Reads it at `offset`; `undefined` where the bytes end too early. */
export function readLength(bytes: Uint8Array, offset: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[offset + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, next: offset + i + 1 };
  }
  return { value: Number.POSITIVE_INFINITY, next: offset + 10 };
}
