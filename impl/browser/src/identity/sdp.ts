/** What a session description says about its end: the certificate, and how long messages may be. */
import { Limit } from "../codec/registry.ts";

/**
 * The SHA-256 fingerprint of a description; `undefined` unless there is one, and every
 * `a=fingerprint` line says the same (a second one could be the one that the browser heeds).
 */
export function sdpFingerprint(sdp: string): Uint8Array | undefined {
  const values = new Set<string>();
  for (const line of sdp.split(/\r\n|\r|\n/)) {
    const match = /^\s*a\s*=\s*fingerprint\s*:\s*(.*?)\s*$/i.exec(line);
    if (match) values.add((match[1] ?? "").toLowerCase());
  }
  const [value] = values;
  if (values.size !== 1 || value === undefined) return undefined;
  const match = /^sha-256 +([0-9a-f]{2}(?::[0-9a-f]{2}){31})$/.exec(value);
  if (!match?.[1]) return undefined;
  return Uint8Array.from(match[1].split(":"), (pair) => Number.parseInt(pair, 16));
}

/** Bytes of the longest message that the end of a description takes (RTC-007, RFC 8841 section 6.1). */
export function sdpMaxMessage(sdp: string): number {
  const sizes = [...sdp.matchAll(/^\s*a\s*=\s*max-message-size\s*:\s*(\d+)\s*$/gim)];
  return Math.min(...(sizes.length > 0 ? sizes.map(([, size]) => Number(size) || Infinity) : [Limit.MESSAGE_SIZE_DEFAULT]));
}
