/** What a session description says about its end: the certificate, and how long messages may be. */
import { Limit } from "../codec/registry.ts";

/** The values of an attribute, more forgiving of case and spaces than any parser behind this one. */
function values(sdp: string, attribute: string): string[] {
  const line = new RegExp(`^\\s*a\\s*=\\s*${attribute}\\s*:(.*)$`, "i");
  return sdp.split(/\r\n|\r|\n/).flatMap((text) => line.exec(text)?.[1]?.trim() ?? []);
}

/**
 * The SHA-256 fingerprint of a description; `undefined` unless there is one, and every
 * `a=fingerprint` line says the same (a second one could be the one that the browser heeds).
 */
export function sdpFingerprint(sdp: string): Uint8Array | undefined {
  const [value, other] = new Set(values(sdp, "fingerprint").map((text) => text.toLowerCase()));
  if (value === undefined || other !== undefined) return undefined;
  const match = /^sha-256 +([0-9a-f]{2}(?::[0-9a-f]{2}){31})$/.exec(value);
  if (!match?.[1]) return undefined;
  return Uint8Array.from(match[1].split(":"), (pair) => Number.parseInt(pair, 16));
}

/** Bytes of the longest message that the end of a description takes (RTC-007, RFC 8841 section 6.1). */
export function sdpMaxMessage(sdp: string): number {
  const sizes = values(sdp, "max-message-size").filter((size) => /^\d+$/.test(size));
  return Math.min(...(sizes.length > 0 ? sizes.map((size) => Number(size) || Infinity) : [Limit.MESSAGE_SIZE_DEFAULT]));
}
