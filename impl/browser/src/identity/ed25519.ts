/** Strict Ed25519 verification: what every implementation agrees on, beyond what WebCrypto checks. */
import { Limit } from "../codec/registry.ts";
import { hex } from "./bytes.ts";

/** The group's order L, little-endian bytes. */
const ORDER = [
  0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
/** Encodings of points of small order, sign bit cleared; a signature by such a key proves nothing. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
]);

function hasSmallOrder(point: Uint8Array): boolean {
  const cleared = point.slice();
  cleared[31] = (cleared[31] ?? 0) & 0x7f;
  return SMALL_ORDER.has(hex(cleared));
}

/** Whether S, the second half of a signature, is below L. */
function isReduced(scalar: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (scalar[i] ?? 0) - (ORDER[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/**
 * Whether `signature` is `publicKey`'s over `context || 0x00 || bytes`. Throws `NotSupportedError`
 * where the browser knows no Ed25519.
 */
export async function verifyStrict(
  crypto: SubtleCrypto, publicKey: Uint8Array, signature: Uint8Array, context: string, bytes: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== Limit.PUBLIC_KEY_BYTES || signature.length !== Limit.SIGNATURE_BYTES) return false;
  if (hasSmallOrder(publicKey) || hasSmallOrder(signature.slice(0, 32)) || !isReduced(signature.slice(32))) return false;
  const prefix = new TextEncoder().encode(context);
  const signed = new Uint8Array(prefix.length + 1 + bytes.length);
  signed.set(prefix);
  signed.set(bytes, prefix.length + 1);
  let key: CryptoKey;
  try {
    key = await crypto.importKey("raw", publicKey.slice(), { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotSupportedError") throw error;
    return false;
  }
  return crypto.verify({ name: "Ed25519" }, key, signature.slice(), signed);
}
