/** Peer id: the 32-byte Ed25519 public key in z-base-32, 52 characters. */
import { Limit } from "../codec/registry.ts";

const ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769";

/** Writes a public key; throws on any other length. */
export function encodePeerId(key: Uint8Array): string {
  if (key.length !== Limit.PUBLIC_KEY_BYTES) throw new RangeError("a public key has 32 bytes");
  let text = "";
  for (let i = 0; i < Limit.PEER_ID_CHARACTERS; i++) {
    let index = 0;
    for (let bit = 5 * i; bit < 5 * i + 5; bit++) index = index * 2 + (((key[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1);
    text += ALPHABET[index];
  }
  return text;
}

/** Reads a peer id; `undefined` where it is none (the 4 trailing bits must be zero). */
export function decodePeerId(text: string): Uint8Array | undefined {
  if (text.length !== Limit.PEER_ID_CHARACTERS) return undefined;
  const key = new Uint8Array(Limit.PUBLIC_KEY_BYTES);
  for (let i = 0; i < Limit.PEER_ID_CHARACTERS; i++) {
    const index = ALPHABET.indexOf(text.charAt(i));
    if (index < 0) return undefined;
    for (let k = 0; k < 5; k++) {
      if (((index >> (4 - k)) & 1) === 0) continue;
      const bit = 5 * i + k;
      if (bit >= 8 * Limit.PUBLIC_KEY_BYTES) return undefined;
      key[bit >> 3] = (key[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
    }
  }
  return key;
}
