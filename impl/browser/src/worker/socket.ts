/**
 * One WebSocket between the port of a page and a stream of the session.
 *
 *   waiting --start--> connecting --200--> open --WS_CLOSE from both ends--> over
 *      ^                   |                 |
 *      +----- REFUSED -----+-- failure, page gone, session gone --> over
 *
 * Credit returns to the agent as the page takes messages, so a page that is busy slows its app down
 * and holds no more than a window of messages.
 */
import type { Field } from "../codec/session-messages.ts";
import { CloseCode, Limit } from "../codec/registry.ts";
import type { Environment } from "../port/environment.ts";
import { type FromSocket, PORT_WINDOW, type ToSocket } from "../port/messages.ts";
import { RequestError, errorName } from "../session/errors.ts";
import { valueText } from "../session/fields.ts";
import { chosenSubprotocol } from "../session/websocket.ts";
import { handshakeFields } from "./handshake.ts";
import type { Link, StreamHandler } from "./link.ts";
import { MAX_REFUSALS, type Waiter, type WaitingRoom } from "./waiting-room.ts";

/** What an agent has to answer a close (WSK-021), and a little more for the way. */
const CLOSE_MS = Limit.CLOSE_ANSWER_MS + 5_000;
/** What a page sends while it is being left comes within this time. */
const LATE_MS = 100;
/** The page hears of so many bytes that have left, or when all have. */
const REPORT = 32_768;

type Ending = Extract<FromSocket, { t: "closed" }>;

/** The part of the cookies that matters here. */
interface Cookies {
  readonly loaded: Promise<void>;
  get(path: string, scope: "all", forScript: boolean): string;
  set(line: string, path: string, fromScript: boolean): void;
}

export class PageSocket implements StreamHandler, Waiter {
  readonly #port: MessagePort;
  readonly #request: Extract<ToSocket, { t: "open" }>;
  readonly #environment: Environment;
  readonly #room: WaitingRoom;
  readonly #cookies: Cookies;
  #state: "waiting" | "connecting" | "open" | "over" = "waiting";
  #link: Link | undefined;
  #stream = 0;
  #refusals = 0;

  /** Messages that wait until the page has taken those before. */
  #queue: Extract<FromSocket, { t: "message" }>[] = [];
  /** Charge of the messages that the page has and has not taken. */
  #untaken = 0;
  /** The page takes no more messages. */
  #deaf = false;
  /** Told behind the messages. */
  #ending: Ending | undefined;

  /** Bytes of the page's messages that have not left, and those that have without its knowing. */
  #unsent = 0;
  #unreported = 0;
  #closing = false;
  #stopped = false;
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(port: MessagePort, request: Extract<ToSocket, { t: "open" }>, environment: Environment, room: WaitingRoom, cookies: Cookies) {
    this.#port = port;
    this.#request = request;
    this.#environment = environment;
    this.#room = room;
    this.#cookies = cookies;
    port.onmessage = (event: MessageEvent<ToSocket>) => this.#receive(event.data);
    // Where the browser tells that the page is gone.
    port.addEventListener("close", () => this.#leave());
    void this.#enter();
  }

  get waiting(): boolean {
    return this.#state === "waiting";
  }

  start(link: Link): void {
    const { target, protocols } = this.#request;
    const fields = handshakeFields(this.#environment, protocols, this.#cookies.get(target, "all", false));
    this.#link = link;
    this.#state = "connecting";
    this.#stopped = false;
    try {
      this.#stream = link.connect(target, fields, this);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.fail(errorName(error.code), error.message);
    }
  }

  fail(code: string, reason: string): void {
    this.#end({ t: "closed", code: CloseCode.ABNORMAL_CLOSURE, reason: "", clean: false, failed: `${reason} (${code})` });
  }

  onResponse(status: number, fields: Field[]): void {
    const protocol = chosenSubprotocol(fields);
    if (status !== 200) {
      const own = fields.find(({ name }) => name === "p2claw-error");
      this.#giveUp("REFUSED", own ? `the tunnel answered ${status} ${valueText(own.value)}` : `the app answered with status ${status}`);
    } else if (protocol === "" && this.#request.protocols.length > 0) {
      // The standard of the browser's WebSocket asks for more than RFC 6455.
      this.#giveUp("NO_SUBPROTOCOL", "the app has chosen none of the subprotocols");
    } else if (this.#stopped) {
      this.#giveUp("STOPPED", "the agent takes no messages");
    } else {
      // Browsers keep no cookies of a refusal.
      for (const { name, value } of fields) if (name === "set-cookie") this.#cookies.set(new TextDecoder().decode(value), this.#request.target, false);
      this.#state = "open";
      this.#post({ t: "accepted", protocol });
    }
  }

  onMessage(data: string | Uint8Array, last: boolean, charge: number): void {
    this.#hurry();
    if (this.#deaf) return this.#link?.consume(this.#stream, charge);
    this.#queue.push({ t: "message", data, last, charge });
    this.#flush();
  }

  onClose(code: number, reason: string): void {
    // Its side, the page, has nothing to say to it (WSK-021).
    if (!this.#closing) this.#link?.end(this.#stream, code, "");
    this.#closing = true;
    this.#end({ t: "closed", code: code || CloseCode.NO_STATUS, reason, clean: true });
  }

  onFailed(code: string, reason: string, retry: boolean): void {
    if (retry && this.#state === "connecting" && this.#refusals < MAX_REFUSALS) {
      this.#state = "waiting";
      this.#room.enterAgain(this, ++this.#refusals);
      return;
    }
    if (this.#state === "connecting" || code === "BAD_MESSAGE") return this.fail(code, reason);
    // As in a browser whose connection breaks, there is no error besides the close.
    this.#end({ t: "closed", code: CloseCode.ABNORMAL_CLOSURE, reason: "", clean: false });
  }

  onSent(bytes: number): void {
    this.#hurry();
    this.#unsent -= bytes;
    this.#unreported += bytes;
    if (this.#unsent > 0 && this.#unreported < REPORT) return;
    this.#post({ t: "sent", bytes: this.#unreported });
    this.#unreported = 0;
  }

  onStopped(): void {
    this.#stopped = true;
    // Its response or RESET says more.
    if (this.#state === "connecting") return;
    // It takes no more messages, but its last ones may still be on their way (WSK-022, WSK-023).
    this.#closing = true;
    this.#hurry();
  }

  /** Body of a refusal, which no page sees. */
  onData(bytes: Uint8Array): void {
    this.#link?.consume(this.#stream, bytes.length);
  }

  onEnd(): void {
    // Of a refusal.
  }

  async #enter(): Promise<void> {
    if (!this.#room.takes("any")) return this.fail("NO_SESSION", "there is no connection to the machine");
    await this.#cookies.loaded;
    this.#room.enter(this);
  }

  #receive(message: ToSocket): void {
    switch (message.t) {
      case "message":
        if (this.#state !== "open" || this.#closing) break;
        this.#unsent += message.bytes.length;
        this.#link?.send(this.#stream, message.text, message.bytes, message.last);
        break;
      case "close":
        this.#close(message.code, message.reason);
        break;
      case "taken":
        if (this.#deaf) break;
        this.#untaken -= message.charge;
        this.#link?.consume(this.#stream, message.charge);
        this.#flush();
        break;
      case "gone":
        this.#leave();
        break;
      default:
    }
  }

  #leave(): void {
    if (this.#state !== "open") return this.#giveUp("CANCELLED", "the page has given it up");
    setTimeout(() => {
      this.#close(CloseCode.GOING_AWAY, "");
      this.#mute();
      this.#flush();
    }, LATE_MS);
  }

  /** Closes from the page's side; what still comes in is dropped, as in a browser. */
  #close(code: number, reason: string): void {
    if (this.#state !== "open" || this.#closing) return;
    this.#closing = true;
    this.#mute();
    this.#link?.end(this.#stream, code, reason);
    this.#hurry();
  }

  /** While it closes, the other end has so much time from one sign of life to the next. */
  #hurry(): void {
    if (!this.#closing || this.#state !== "open") return;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      this.#link?.cancel(this.#stream);
      this.#end({ t: "closed", code: CloseCode.ABNORMAL_CLOSURE, reason: "", clean: false });
    }, CLOSE_MS);
  }

  #giveUp(code: string, reason: string): void {
    if (this.#state === "over") return;
    this.#link?.cancel(this.#stream);
    this.fail(code, reason);
  }

  #end(ending: Ending): void {
    this.#ending ??= ending;
    this.#flush();
  }

  #flush(): void {
    while (this.#untaken < PORT_WINDOW) {
      const message = this.#queue.shift();
      if (!message) break;
      this.#untaken += message.charge;
      const { data } = message;
      this.#post(message, typeof data === "string" ? [] : [data.buffer as ArrayBuffer]);
    }
    if (this.#queue.length > 0 || !this.#ending || this.#state === "over") return;
    this.#post(this.#ending);
    this.#state = "over";
    clearTimeout(this.#deadline);
    this.#mute();
  }

  /** Nobody takes messages any more: their credit returns to the session. */
  #mute(): void {
    if (this.#deaf) return;
    this.#deaf = true;
    const charge = this.#queue.reduce((sum, message) => sum + message.charge, this.#untaken);
    this.#queue = [];
    if (charge > 0) this.#link?.consume(this.#stream, charge);
  }

  #post(message: FromSocket, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}
