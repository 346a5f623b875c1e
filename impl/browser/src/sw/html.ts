/**
 * Puts the shim right behind `<head>`, while the document streams through. Only what stands before
 * that place is looked at; bytes are held back only inside of an unfinished tag or comment there.
 */

/** Longest tag or comment waited for; behind that the shim goes before it. */
const MAX_HELD = 65_536;

const LT = 0x3c;
const GT = 0x3e;

type Found =
  /** Everything before `safe` may pass; more bytes are needed to tell. */
  | { safe: number; at?: undefined }
  /** The shim goes to `at`. */
  | { safe: number; at: number };

export class HtmlInjector {
  readonly #shim: Uint8Array;
  #held: Uint8Array = new Uint8Array();
  #first = true;
  #done = false;

  /** `shim`: the bytes of a whole script element. */
  constructor(shim: Uint8Array) {
    this.#shim = shim;
  }

  /** Takes the next bytes, however they were cut; returns what can be passed on. */
  push(chunk: Uint8Array): Uint8Array[] {
    if (this.#done) return [chunk];
    const bytes = concat(this.#held, chunk);
    if (this.#first) {
      if (bytes.length < 2) return this.#hold(bytes, 0);
      // UTF-16 cannot take the bytes of the shim.
      if ((bytes[0] === 0xfe && bytes[1] === 0xff) || (bytes[0] === 0xff && bytes[1] === 0xfe)) {
        this.#done = true;
        return [bytes];
      }
    }
    const found = find(bytes, this.#first);
    if (found.at === undefined) return this.#hold(bytes, found.safe);
    this.#done = true;
    return [bytes.subarray(0, found.at), this.#shim, bytes.subarray(found.at)].filter((part) => part.length > 0);
  }

  /** The document is over: what was held back, and the shim if it had no place yet. */
  end(): Uint8Array[] {
    if (this.#done) return [];
    this.#done = true;
    return [this.#shim, this.#held].filter((part) => part.length > 0);
  }

  #hold(bytes: Uint8Array, safe: number): Uint8Array[] {
    this.#held = bytes.subarray(safe);
    if (safe > 0) this.#first = false;
    return safe > 0 ? [bytes.subarray(0, safe)] : [];
  }
}

function find(bytes: Uint8Array, first: boolean): Found {
  let i = 0;
  if (first && bytes[0] === 0xef) {
    if (bytes.length < 3) return { safe: 0 };
    i = 3;
  }
  for (;;) {
    while (isSpace(bytes[i])) i++;
    if (i >= bytes.length) return { safe: i };
    if (bytes[i] !== LT) return { safe: i, at: i };
    const end = tokenEnd(bytes, i);
    if (end === "other") return { safe: i, at: i };
    if (end === undefined) return bytes.length - i > MAX_HELD ? { safe: i, at: i } : { safe: i };
    if (isTag(bytes, i, "head")) return { safe: end, at: end };
    i = end;
  }
}

/** Where the doctype, comment, `<html>` or `<head>` at `i` ends; `"other"` for anything else. */
function tokenEnd(bytes: Uint8Array, i: number): number | "other" | undefined {
  const next = bytes[i + 1];
  if (next === undefined) return undefined;
  if (next === 0x21 && bytes[i + 2] === undefined) return undefined;
  if (next === 0x21 && bytes[i + 2] === 0x2d && bytes[i + 3] === undefined) return undefined;
  if (next === 0x21 && bytes[i + 2] === 0x2d && bytes[i + 3] === 0x2d) {
    // "<!-->" and "<!--->" are whole comments too.
    for (let k = i + 4; k < bytes.length; k++) {
      if (bytes[k] !== GT) continue;
      const behindBang = bytes[k - 1] === 0x21 ? 1 : 0;
      const dashes = bytes[k - 1 - behindBang] === 0x2d && bytes[k - 2 - behindBang] === 0x2d;
      if (k === i + 4 || (k === i + 5 && bytes[k - 1] === 0x2d) || (dashes && k - 2 - behindBang >= i + 4)) return k + 1;
    }
    return undefined;
  }
  if (next === 0x21 || next === 0x3f) {
    const end = bytes.indexOf(GT, i);
    return end < 0 ? undefined : end + 1;
  }
  if (bytes.length - i < 6 && isPrefix(bytes, i)) return undefined;
  if (!isTag(bytes, i, "html") && !isTag(bytes, i, "head")) return "other";
  let quote = 0;
  for (let k = i + 5; k < bytes.length; k++) {
    const byte = bytes[k];
    if (quote !== 0) {
      if (byte === quote) quote = 0;
    } else if (byte === 0x22 || byte === 0x27) quote = byte;
    else if (byte === GT) return k + 1;
  }
  return undefined;
}

/** Whether `<name` stands at `i`, as a whole word. */
function isTag(bytes: Uint8Array, i: number, name: string): boolean {
  for (let k = 0; k < name.length; k++) if (((bytes[i + 1 + k] ?? 0) | 0x20) !== name.charCodeAt(k)) return false;
  const behind = bytes[i + 1 + name.length];
  return behind === GT || behind === 0x2f || isSpace(behind);
}

/** Whether what is there of a tag may still become `<html` or `<head`. */
function isPrefix(bytes: Uint8Array, i: number): boolean {
  const there = String.fromCharCode(...bytes.subarray(i, i + 5)).toLowerCase();
  return "<html".startsWith(there) || "<head".startsWith(there);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === 0x0c;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** The injector as a stage of a pipe. */
export function injectShim(shim: Uint8Array): TransformStream<Uint8Array, Uint8Array> {
  const injector = new HtmlInjector(shim);
  return new TransformStream({
    transform(chunk, controller) {
      for (const part of injector.push(chunk)) controller.enqueue(part);
    },
    flush(controller) {
      for (const part of injector.end()) controller.enqueue(part);
    },
  });
}

/**
 * The charset that a `<meta>` near the start declares. Browsers look for it in the first 1024 bytes,
 * out of which the shim may push it; so it goes into the content type instead.
 */
export function declaredCharset(start: Uint8Array): string | undefined {
  const text = String.fromCharCode(...start.subarray(0, 1_024));
  return /<meta[^>]*\scharset\s*=\s*["']?\s*([a-z0-9_:.-]+)/i.exec(text)?.[1]
    ?? /<meta[^>]*;\s*charset\s*=\s*([a-z0-9_:.-]+)/i.exec(text)?.[1];
}
