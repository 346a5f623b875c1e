// Protobuf without a schema: enough to take a message apart, change it and put it together again.

function readVarint(bytes, at) {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    if (at + index >= bytes.length) return undefined;
    const byte = bytes[at + index];
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  throw new Error("a varint of more than ten bytes");
}

export function varint(value) {
  let rest = BigInt(value);
  const bytes = [];
  do {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? byte | 0x80 : byte);
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/** The fields in order: {number, wire, value}; value is a BigInt (wire 0) or a Buffer (wire 2). */
export function decode(bytes) {
  const fields = [];
  let at = 0;
  while (at < bytes.length) {
    const key = readVarint(bytes, at);
    const number = Number(key.value >> 3n);
    const wire = Number(key.value & 7n);
    const next = readVarint(bytes, key.end);
    if (wire === 0) {
      fields.push({ number, wire, value: next.value });
      at = next.end;
    } else if (wire === 2) {
      const end = next.end + Number(next.value);
      fields.push({ number, wire, value: Buffer.from(bytes.subarray(next.end, end)) });
      at = end;
    } else {
      throw new Error(`wire type ${wire} is not in these messages`);
    }
  }
  return fields;
}

export function encode(fields) {
  return Buffer.concat(
    fields.flatMap(({ number, wire, value }) => {
      const key = varint((number << 3) | wire);
      return wire === 0 ? [key, varint(value)] : [key, varint(value.length), value];
    }),
  );
}

/** The value of the first field with this number. */
export function field(fields, number) {
  return fields.find((one) => one.number === number)?.value;
}

/** A copy of the fields in which `number` has another value. */
export function withField(fields, number, value) {
  return fields.map((one) => (one.number === number ? { ...one, value } : one));
}

/** Cuts a stream of length-delimited messages into messages. */
export class Delimited {
  #rest = Buffer.alloc(0);

  /** Takes bytes as they come and returns the messages that are now complete. */
  push(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages = [];
    for (;;) {
      const length = readVarint(this.#rest, 0);
      if (!length || this.#rest.length < length.end + Number(length.value)) return messages;
      const end = length.end + Number(length.value);
      messages.push(this.#rest.subarray(length.end, end));
      this.#rest = this.#rest.subarray(end);
    }
  }
}

export function delimited(message) {
  return Buffer.concat([varint(message.length), message]);
}
