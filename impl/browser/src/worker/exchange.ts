/**
 * One exchange between a port of the service worker and a stream of the session.
 *
 *   waiting --start--> open --end, failure, abort--> over
 *     ^                 |
 *     +---- REFUSED ----+   (only requests without a body)
 */
import { HTTP_REQUEST_HEAD_TOO_LARGE } from "../codec/registry.ts";
import type { Field } from "../codec/session-messages.ts";
import { ErrorCode, RequestError, errorName } from "../session/errors.ts";
import { valueBytes, valueText } from "../session/fields.ts";
import { type CookieScope, type FieldText, type FromTunnel, PORT_WINDOW, type ToTunnel } from "../port/messages.ts";
import type { Link, StreamHandler } from "./link.ts";
import { MAX_REFUSALS, type Waiter } from "./waiting-room.ts";

/** Body bytes of one message on a port: larger ones are cheaper, up to about here (measured). */
const COALESCE = 65_536;

const utf8 = new TextDecoder();

export type RequestMessage = Extract<ToTunnel, { t: "request" }>;

/** What an exchange needs from its surroundings. */
export interface Surroundings {
  post(message: FromTunnel, transfer?: Transferable[]): void;
  cookieHeader(target: string, scope: CookieScope): string;
  storeCookie(line: string, target: string): void;
  /** The exchange was refused so often, and may be started again later. */
  waitAgain(exchange: Exchange, refusals: number): void;
  over(exchange: Exchange): void;
}

export class Exchange implements StreamHandler, Waiter {
  readonly id: number;
  readonly #request: RequestMessage;
  readonly #around: Surroundings;
  #state: "waiting" | "open" | "over" = "waiting";
  #link: Link | undefined;
  #stream = 0;
  #refusals = 0;

  /** Body of the request that came before the stream was open. */
  #early: Uint8Array[] = [];
  #complete: boolean;
  #wanted = true;
  #sent = 0;
  #granted = PORT_WINDOW;

  /** Body of the response that the service worker has no room for yet. */
  #queue: Uint8Array[] = [];
  #delivered = 0;
  #room = PORT_WINDOW;
  #ended = false;
  #failure: { code: string; reason: string } | undefined;

  constructor(request: RequestMessage, around: Surroundings) {
    this.id = request.id;
    this.#request = request;
    this.#around = around;
    this.#complete = !request.body;
  }

  get waiting(): boolean {
    return this.#state === "waiting";
  }

  /** Sends the request on a link that `canOpen`. */
  start(link: Link): void {
    const { method, target, body } = this.#request;
    const fields = this.#fields();
    if (!fields) return this.fail("BAD_MESSAGE", "a field has a character that cannot be sent");
    try {
      this.#stream = link.request({ method, target, fields, hasBody: body }, this);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (error.code === ErrorCode.HEAD_TOO_LARGE) this.#answerHeadTooLarge();
      else this.fail(errorName(error.code), error.message);
      return;
    }
    this.#state = "open";
    this.#link = link;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) link.write(this.#stream, bytes);
    if (body && this.#complete) link.finish(this.#stream);
  }

  /** Takes a message of the port about this exchange. */
  receive(message: ToTunnel): void {
    switch (message.t) {
      case "chunk":
        if (!this.#wanted) break;
        if (this.#state === "open") this.#link?.write(this.#stream, message.bytes);
        else if (this.#state === "waiting") this.#early.push(message.bytes);
        break;
      case "end":
        if (this.#complete) break;
        this.#complete = true;
        if (this.#state === "open") this.#link?.finish(this.#stream);
        break;
      case "credit":
        this.#room = Math.max(this.#room, message.max);
        this.#flush();
        break;
      case "abort":
        this.abort();
        break;
      default:
    }
  }

  /** Ends the exchange without a word to the port. */
  abort(): void {
    if (this.#state === "over") return;
    const wasOpen = this.#state === "open";
    this.#close();
    if (wasOpen) this.#link?.cancel(this.#stream);
  }

  /** Ends the exchange with an error at the port. */
  fail(code: string, reason: string): void {
    if (this.#state === "over") return;
    this.#around.post({ t: "fail", id: this.id, code, reason });
    this.#close();
  }

  onResponse(status: number, fields: Field[]): void {
    const texts: FieldText[] = [];
    for (const { name, value } of fields) {
      if (name !== "set-cookie") texts.push([name, valueText(value)]);
      else if (this.#request.cookies !== "none") this.#around.storeCookie(utf8.decode(value), this.#request.target);
    }
    this.#around.post({ t: "head", id: this.id, status, fields: texts });
  }

  onData(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#flush();
  }

  onEnd(): void {
    this.#ended = true;
    this.#flush();
  }

  onFailed(code: string, reason: string, retry: boolean): void {
    if (retry && !this.#request.body && this.#refusals < MAX_REFUSALS && this.#state === "open") {
      this.#state = "waiting";
      this.#around.waitAgain(this, ++this.#refusals);
      return;
    }
    // The error comes behind the bytes that came before it (SES-023).
    this.#failure = { code, reason };
    this.#flush();
  }

  onSent(bytes: number): void {
    this.#sent += bytes;
    const due = this.#sent + PORT_WINDOW;
    if (due - this.#granted < PORT_WINDOW / 2) return;
    this.#granted = due;
    this.#around.post({ t: "credit", id: this.id, max: due });
  }

  onStopped(): void {
    this.#wanted = false;
    // The rest of the body is taken and dropped, so that its sender comes to its end.
    this.#around.post({ t: "credit", id: this.id, max: Number.MAX_SAFE_INTEGER });
  }

  #flush(): void {
    while (this.#queue.length > 0 && this.#delivered < this.#room) {
      const bytes = this.#next();
      this.#delivered += bytes.length;
      // Counted first: once transferred, the bytes are no longer ours.
      const { length } = bytes;
      this.#around.post({ t: "chunk", id: this.id, bytes }, [bytes.buffer]);
      this.#link?.consume(this.#stream, length);
    }
    if (this.#queue.length > 0 || this.#state === "over") return;
    if (this.#failure) return this.fail(this.#failure.code, this.#failure.reason);
    if (!this.#ended) return;
    this.#around.post({ t: "end", id: this.id, total: this.#delivered });
    this.#close();
    // The page has its answer and sends no more; a body that stays unfinished must say so (SES-023).
    if (!this.#complete) this.#link?.cancel(this.#stream);
  }

  /** The next bytes of the queue; small ones that had to wait are joined. */
  #next(): Uint8Array<ArrayBuffer> {
    let count = 0;
    let length = 0;
    for (const bytes of this.#queue) {
      if (count > 0 && length + bytes.length > COALESCE) break;
      length += bytes.length;
      count += 1;
    }
    const parts = this.#queue.splice(0, count);
    const [first] = parts;
    if (first && count === 1 && first.buffer instanceof ArrayBuffer) return first as Uint8Array<ArrayBuffer>;
    const joined = new Uint8Array(length);
    let offset = 0;
    for (const bytes of parts) {
      joined.set(bytes, offset);
      offset += bytes.length;
    }
    return joined;
  }

  #fields(): Field[] | undefined {
    const texts = [...this.#request.fields];
    const { cookies, target } = this.#request;
    const cookie = cookies === "none" ? "" : this.#around.cookieHeader(target, cookies);
    if (cookie !== "") texts.push(["cookie", cookie]);
    const fields: Field[] = [];
    for (const [name, text] of texts) {
      const value = valueBytes(name === "cookie" ? utf8AsBytes(text) : text);
      if (!value) return undefined;
      fields.push({ name, value });
    }
    return fields;
  }

  #answerHeadTooLarge(): void {
    const bytes = new TextEncoder().encode("The head of this request does not fit into one frame. Shorten the address or the cookies.\n");
    const fields: FieldText[] = [["content-type", "text/plain; charset=utf-8"], ["p2claw-error", HTTP_REQUEST_HEAD_TOO_LARGE.name]];
    this.#around.post({ t: "head", id: this.id, status: HTTP_REQUEST_HEAD_TOO_LARGE.status, fields });
    this.#delivered = bytes.length;
    this.#around.post({ t: "chunk", id: this.id, bytes }, [bytes.buffer]);
    this.#ended = true;
    this.#flush();
  }

  #close(): void {
    this.#state = "over";
    this.#early = [];
    for (const bytes of this.#queue.splice(0)) this.#link?.consume(this.#stream, bytes.length);
    this.#around.over(this);
  }
}

/** Scripts may set cookies beyond Latin-1; they travel as UTF-8, as from any browser. */
function utf8AsBytes(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}
