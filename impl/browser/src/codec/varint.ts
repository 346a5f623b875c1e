/**
 * QUIC variable-length integers (RFC 9000 section 16). Any length encoding is read; the shortest is
 * written. Values above 2^53 lose precision when read: nothing in the protocol that large is known to
 * this side, so they are only ever compared, and never equal something known.
 */

/** Reads one varint at `offset`; `undefined` where the bytes end too early. */
export function readVarint(bytes: Uint8Array, offset: number): { value: number; next: number } | undefined {
  const first = bytes[offset];
  if (first === undefined) return undefined;
  const length = 1 << (first >> 6);
  if (offset + length > bytes.length) return undefined;
  let value = first & 0x3f;
  for (let i = 1; i < length; i++) value = value * 256 + (bytes[offset + i] ?? 0);
  return { value, next: offset + length };
}

/** Bytes that `value` takes when written. */
export function varintLength(value: number): 1 | 2 | 4 | 8 {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  return value < 0x4000_0000 ? 4 : 8;
}

/** Writes `value` (0 to 2^53 - 1) at `offset`, shortest form; returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, offset: number, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`no varint: ${value}`);
  const length = varintLength(value);
  let rest = value;
  for (let i = length - 1; i >= 0; i--) {
    bytes[offset + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  const prefix = { 1: 0x00, 2: 0x40, 4: 0x80, 8: 0xc0 }[length];
  bytes[offset] = (bytes[offset] ?? 0) | prefix;
  return offset + length;
}
