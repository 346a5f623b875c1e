/**
 * What stands behind a WebSocket of the page that goes through the tunnel: its state, by the rules of
 * the WebSockets standard, and a port to the tunnel worker.
 *
 *   CONNECTING --accepted--> OPEN --close()--> CLOSING --closed--> CLOSED
 *       |                      +------------closed--------------> CLOSED
 *       +--close()--> CLOSING --> CLOSED          (with an error)
 */
import { CloseCode, Limit, OtherCloseCode } from "../codec/registry.ts";
import { type FromSocket, PORT_WINDOW, type ToSocket } from "../port/messages.ts";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** Bytes of a message that go to the tunnel worker at a time. */
const PART = 65_536;
/** Charge of messages that the tunnel worker hears of at a time, as taken. */
const REPORT = 32_768;
/** Longest message, in bytes or characters. Not much above, it would be longer than a string can be. */
const MAX_MESSAGE = 268_435_456;

type Realm = Window & typeof globalThis;

/** A message of the page's that waits to be sent. */
interface Waiting {
  text: boolean;
  data: Uint8Array | Blob;
  size: number;
  /** So much of it has been handed on. */
  done: number;
}

const utf8 = new TextEncoder();

export class TunnelSocket {
  readonly url: string;
  readonly extensions = "";
  readyState = CONNECTING;
  protocol = "";
  bufferedAmount = 0;
  #binaryType: BinaryType = "blob";
  readonly #page: EventTarget;
  readonly #realm: Realm;
  readonly #port: MessagePort;
  readonly #over: () => void;

  /** The message that is coming in. */
  #parts: (string | Uint8Array<ArrayBuffer>)[] = [];
  #length = 0;
  #taken = 0;

  #waiting: Waiting[] = [];
  /** Said behind the messages that wait. */
  #closing: Extract<ToSocket, { t: "close" }> | undefined;
  #reading = false;
  /** Bytes that the tunnel worker has and has not sent. */
  #underWay = 0;

  /** `page` is what the page holds; `over` is called when no event follows. */
  constructor(page: EventTarget, url: URL, protocols: string[], port: MessagePort, realm: Realm, over: () => void) {
    this.#page = page;
    this.url = url.href;
    this.#realm = realm;
    this.#port = port;
    this.#over = over;
    port.onmessage = (event: MessageEvent<FromSocket>) => this.#receive(event.data);
    // Where the browser tells that the tunnel worker is gone.
    port.addEventListener("close", () => this.#finish(CloseCode.ABNORMAL_CLOSURE, "", false, this.readyState === CONNECTING ? "the tunnel is gone" : undefined));
    this.#post({ t: "open", target: url.pathname + url.search, protocols });
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(value: BinaryType) {
    if (value === "blob" || value === "arraybuffer") this.#binaryType = value;
  }

  send(...parameters: unknown[]): void {
    if (parameters.length === 0) throw new this.#realm.TypeError("1 argument required, but only 0 present.");
    const [text, data] = snapshot(parameters[0]);
    if (this.readyState === CONNECTING) throw this.#exception("Still in CONNECTING state.", "InvalidStateError");
    const size = data instanceof Uint8Array ? data.length : data.size;
    this.bufferedAmount += size;
    if (this.readyState !== OPEN) return;
    this.#waiting.push({ text, data, size, done: 0 });
    this.#pump();
  }

  close(code?: unknown, reason?: unknown): void {
    const number = code === undefined ? 0 : Math.min(65_535, Math.max(0, Math.round(Number(code)) || 0));
    if (code !== undefined && number !== CloseCode.NORMAL_CLOSURE && (number < OtherCloseCode.MIN || number > OtherCloseCode.MAX)) {
      throw this.#exception(`The close code must be either 1000, or between 3000 and 4999. ${number} is neither.`, "InvalidAccessError");
    }
    const text = reason === undefined ? "" : `${reason as string}`;
    const bytes = utf8.encode(text);
    if (bytes.length > Limit.CLOSE_REASON_MAX) throw this.#exception(`The close reason must not be greater than ${Limit.CLOSE_REASON_MAX} UTF-8 bytes.`, "SyntaxError");
    if (this.readyState >= CLOSING) return;
    if (this.readyState === CONNECTING) return this.fail("it was closed before it was open");
    this.readyState = CLOSING;
    this.#closing = { t: "close", code: number || (text === "" ? 0 : CloseCode.NORMAL_CLOSURE), reason: new TextDecoder().decode(bytes) };
    this.#pump();
  }

  /** Ends it before it is open; the page hears of that a little later. */
  fail(reason: string): void {
    this.readyState = CLOSING;
    this.#post({ t: "gone" });
    setTimeout(() => this.#finish(CloseCode.ABNORMAL_CLOSURE, "", false, reason), 0);
  }

  /** The page goes away. */
  leave(): void {
    this.#post({ t: "gone" });
  }

  #receive(message: FromSocket): void {
    switch (message.t) {
      case "accepted":
        if (this.readyState !== CONNECTING) break;
        this.readyState = OPEN;
        this.protocol = message.protocol;
        this.#dispatch(new this.#realm.Event("open"));
        break;
      case "message":
        this.#take(message.data as string | Uint8Array<ArrayBuffer>, message.last);
        this.#taken += message.charge;
        if (this.#taken < REPORT) break;
        this.#post({ t: "taken", charge: this.#taken });
        this.#taken = 0;
        break;
      case "sent":
        this.bufferedAmount -= message.bytes;
        this.#underWay -= message.bytes;
        this.#pump();
        break;
      case "closed":
        this.#finish(message.code, message.reason, message.clean, message.failed);
        break;
    }
  }

  #take(part: string | Uint8Array<ArrayBuffer>, last: boolean): void {
    if (this.readyState !== OPEN) return;
    this.#parts.push(part);
    this.#length += part.length;
    if (this.#length > MAX_MESSAGE) {
      this.#post({ t: "close", code: CloseCode.MESSAGE_TOO_BIG, reason: "" });
      return this.#finish(CloseCode.ABNORMAL_CLOSURE, "", false, `a message is longer than ${MAX_MESSAGE} bytes`);
    }
    if (!last) return;
    const parts = this.#parts;
    const length = this.#length;
    this.#parts = [];
    this.#length = 0;
    const data = typeof part === "string" ? parts.join("") : this.#binary(parts as Uint8Array<ArrayBuffer>[], length);
    this.#dispatch(new this.#realm.MessageEvent("message", { data, origin: new URL(this.url).origin }));
  }

  #binary(parts: Uint8Array<ArrayBuffer>[], length: number): Blob | ArrayBuffer {
    if (this.#binaryType === "blob") return new this.#realm.Blob(parts);
    const whole = new this.#realm.Uint8Array(length);
    let offset = 0;
    for (const part of parts) {
      whole.set(part, offset);
      offset += part.length;
    }
    return whole.buffer;
  }

  /** Hands messages on, in their order, as fast as the tunnel worker sends them; then the close. */
  #pump(): void {
    while (!this.#reading && this.#underWay < PORT_WINDOW && this.readyState !== CLOSED) {
      const next = this.#waiting[0];
      if (!next) {
        if (this.#closing) this.#post(this.#closing);
        this.#closing = undefined;
        return;
      }
      const end = Math.min(next.size, next.done + PART);
      const { data } = next;
      if (data instanceof Uint8Array) {
        // What is handed over as a part must not take the whole along.
        this.#hand(next, next.size <= PART ? data : data.slice(next.done, end));
        continue;
      }
      this.#reading = true;
      data.slice(next.done, end).arrayBuffer().then(
        (buffer) => {
          this.#reading = false;
          this.#hand(next, new Uint8Array(buffer));
          this.#pump();
        },
        () => {
          this.#post({ t: "gone" });
          this.#finish(CloseCode.ABNORMAL_CLOSURE, "", false, "a Blob cannot be read");
        },
      );
    }
  }

  #hand(message: Waiting, bytes: Uint8Array): void {
    message.done += bytes.length;
    const last = message.done >= message.size;
    if (last) this.#waiting.shift();
    this.#underWay += bytes.length;
    this.#post({ t: "message", text: message.text, bytes, last }, [bytes.buffer as ArrayBuffer]);
  }

  #finish(code: number, reason: string, wasClean: boolean, failed?: string): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#waiting = [];
    this.#parts = [];
    this.#port.close();
    this.#over();
    if (failed !== undefined) {
      console.error(`WebSocket connection to '${this.url}' failed: ${failed}`);
      this.#dispatch(new this.#realm.Event("error"));
    }
    this.#dispatch(new this.#realm.CloseEvent("close", { code, reason, wasClean }));
  }

  #exception(message: string, name: string): DOMException {
    return new this.#realm.DOMException(message, name);
  }

  #dispatch(event: Event): void {
    this.#page.dispatchEvent(event);
  }

  #post(message: ToSocket, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}

/** The bytes to send as they are now, and whether they are a text. */
function snapshot(data: unknown): [text: boolean, data: Uint8Array | Blob] {
  // Of whatever realm, so that no constructor can be asked.
  const kind = Object.prototype.toString.call(data);
  if (kind === "[object Blob]" || kind === "[object File]") return [false, data as Blob];
  if (ArrayBuffer.isView(data)) return [false, new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()];
  if (kind === "[object ArrayBuffer]") return [false, new Uint8Array(data as ArrayBuffer).slice()];
  // Not `String`, which takes a symbol.
  return [true, utf8.encode(`${data as string}`)];
}
