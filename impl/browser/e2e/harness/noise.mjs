// The sample app's /download stream, made again without its code, and SHA-256.
import { createHash } from "node:crypto";

/** Self-contained, so that it can also run in a page. */
export function noise(total) {
  const words = new Uint32Array(Math.ceil(total / 4));
  for (let index = 0; index < words.length; index++) {
    let x = (index + 1) >>> 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x7feb352d);
    x ^= x >>> 15;
    x = Math.imul(x, 0x846ca68b);
    x ^= x >>> 16;
    words[index] = x >>> 0;
  }
  return new Uint8Array(words.buffer, 0, total);
}

export function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
