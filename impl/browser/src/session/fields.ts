/** Field rules of RFC 9110 section 5 and RFC 9113 section 8.2, as far as a visitor needs them (SES-030 to SES-039). */
import { Limit } from "../codec/registry.ts";
import type { Field, Request, Response } from "../codec/session-messages.ts";

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Fields of one hop only, which a tunnel does not have (SES-031). */
export const HOP_BY_HOP: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

const latin1 = new TextDecoder("latin1");

/** A field value as the one-character-per-byte text that `Headers` uses. */
export function valueText(value: Uint8Array): string {
  // "latin1" decodes as windows-1252, which differs from Latin-1 in 0x80-0x9f.
  if (value.every((byte) => byte < 0x80)) return latin1.decode(value);
  return Array.from(value, (byte) => String.fromCharCode(byte)).join("");
}

/** The bytes of a text that `Headers` would accept; `undefined` where a character is above 0xff. */
export function valueBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0xff) return undefined;
    bytes[i] = unit;
  }
  return bytes;
}

/** Why these fields may not be sent or accepted; `undefined` where they may. */
export function fieldFault(fields: readonly Field[]): string | undefined {
  for (const { name, value } of fields) {
    if (!NAME.test(name)) return "a field name is no lower-case token";
    if (HOP_BY_HOP.has(name)) return `field ${name} is meant for one hop only`;
    if (name === "te" && valueText(value) !== "trailers") return "te may only say trailers";
    for (const byte of value) if (byte === 0 || byte === 10 || byte === 13) return `field ${name} holds a control character`;
    const [first, last] = [value[0], value[value.length - 1]];
    if (first === 32 || first === 9 || last === 32 || last === 9) return `field ${name} has space around its value`;
  }
  return undefined;
}

/** Why this request may not be sent; `undefined` where it may. */
export function requestFault(request: Request): string | undefined {
  if (!TOKEN.test(request.method)) return "the method is no token";
  // SES-033
  const connects = request.method === "CONNECT";
  if (connects !== (request.protocol !== "") || (connects && request.end)) return "CONNECT comes with a protocol and without end, and no other method does";
  const asterisk = request.target === "*" && request.method === "OPTIONS";
  if (!asterisk && !/^\/(?!\/)[\x21\x22\x24-\x7e]*$/.test(request.target)) return "the target is not in origin-form";
  if (request.fields.some(({ name }) => name === "host")) return "the agent knows the host";
  return fieldFault(request.fields);
}

/** Why this response may not be accepted; `undefined` where it may. */
export function responseFault(response: Response): string | undefined {
  if (response.status < 100 || response.status > 599 || response.status === 101) return `status ${response.status} is out of range`;
  if (response.status < 200 && response.end) return "an interim response cannot end the exchange";
  return fieldFault(response.fields);
}

/** Why these trailers may not be accepted; `undefined` where they may (SES-039). */
export function trailersFault(fields: readonly Field[]): string | undefined {
  const misplaced = fields.find(({ name }) => name === "content-length" || name === "host" || name === "trailer");
  return misplaced ? `${misplaced.name} has no place in trailers` : fieldFault(fields);
}

/** The declared length of a body; `"bad"` where the fields contradict themselves. */
export function contentLength(fields: readonly Field[]): number | "bad" | undefined {
  const values = new Set(fields.filter(({ name }) => name === "content-length").map(({ value }) => valueText(value)));
  if (values.size === 0) return undefined;
  const [value] = values;
  if (values.size > 1 || value === undefined || !/^\d+$/.test(value) || value.length > Limit.LENGTH_DIGITS) return "bad";
  return Number(value);
}
