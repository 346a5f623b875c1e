/** Messages of a WebSocket as they come in, in parts. */
import { protocolError } from "./errors.ts";

export class IncomingMessages {
  /** Whether the message that has begun is a text. */
  #text: boolean | undefined;
  /** Keeps a character that a part has cut. */
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** The next part as it is handed on; `undefined` where a text is not UTF-8 (WSK-012). */
  take(text: boolean, bytes: Uint8Array, last: boolean): string | Uint8Array | undefined {
    if (this.#text !== undefined && this.#text !== text) throw protocolError("a message that changes its kind");
    this.#text = last ? undefined : text;
    if (!text) return bytes;
    try {
      return this.#utf8.decode(bytes, { stream: !last });
    } catch {
      return undefined;
    }
  }
}
