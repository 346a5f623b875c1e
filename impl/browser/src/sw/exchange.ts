/** The service worker's end of one exchange with the tunnel worker. */
import { type FieldText, type FromTunnel, PORT_WINDOW, type ToTunnel } from "../port/messages.ts";
import type { RequestBody } from "./body.ts";

export interface ResponseHead {
  status: number;
  fields: FieldText[];
}

/** The tunnel could not carry the exchange out; the page hears a network error. */
export class TunnelError extends Error {
  override name = "TunnelError";
  readonly code: string;
  constructor(code: string, reason: string) {
    super(reason);
    this.code = code;
  }
}

export class PortExchange {
  readonly id: number;
  /** Whether the tunnel worker takes the request; what it declines, it has not acted upon. */
  readonly taken: Promise<boolean>;
  readonly head: Promise<ResponseHead>;
  readonly body: ReadableStream<Uint8Array>;
  readonly #post: (message: ToTunnel, transfer?: Transferable[]) => void;
  readonly #over: () => void;
  #take: (taken: boolean) => void = () => undefined;
  #resolve: (head: ResponseHead) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #received = 0;
  #granted = PORT_WINDOW;
  #isOver = false;
  /** Waits until the page has read what came before it (SES-023). */
  #failure: TypeError | undefined;

  /** Of the request, while it is being sent. */
  #body: RequestBody | undefined;
  #bodySent = 0;
  #bodyRoom = PORT_WINDOW;
  #bodyWake: () => void = () => undefined;

  constructor(id: number, post: (message: ToTunnel, transfer?: Transferable[]) => void, over: () => void) {
    this.id = id;
    this.#post = post;
    this.#over = over;
    this.taken = new Promise((resolve) => (this.#take = resolve));
    this.head = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.head.catch(() => undefined);
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => (this.#failure ? this.#failWhenRead() : this.#grant()),
        cancel: () => this.abort(),
      },
      { highWaterMark: PORT_WINDOW, size: (chunk) => chunk.byteLength },
    );
  }

  receive(message: FromTunnel): void {
    if (this.#isOver) return;
    switch (message.t) {
      case "ack":
        this.#take(true);
        break;
      case "decline":
        this.#take(false);
        this.fail(new TunnelError("NO_SESSION", "there is no connection to the machine"));
        break;
      case "head":
        this.#resolve(message);
        break;
      case "chunk":
        this.#received += message.bytes.byteLength;
        this.#controller?.enqueue(message.bytes);
        break;
      case "credit":
        this.#bodyRoom = Math.max(this.#bodyRoom, message.max);
        this.#bodyWake();
        break;
      case "end":
        // BRO-008: what was lost on the way must not look like the end.
        if (message.total !== this.#received) this.fail(new TunnelError("TRUNCATED", "part of the body was lost"));
        else this.#finish(() => this.#controller?.close());
        break;
      case "fail":
        this.fail(new TunnelError(message.code, message.reason));
        break;
      case "pong":
        break;
    }
  }

  /** Ends the exchange with an error for the page. */
  fail(error: Error): void {
    // Whoever still waits for the request to be taken hears of the failure by its head.
    this.#take(true);
    this.#finish(() => {
      this.#reject(error);
      this.#failure = new TypeError(`the connection broke: ${error.message}`);
      this.#failWhenRead();
    });
  }

  #failWhenRead(): void {
    if ((this.#controller?.desiredSize ?? 0) >= PORT_WINDOW) this.#controller?.error(this.#failure);
  }

  /** The page wants no more of it. */
  abort(): void {
    if (this.#isOver) return;
    this.#post({ t: "abort", id: this.id });
    this.fail(new TunnelError("CANCELLED", "the page gave the request up"));
  }

  /** Sends the request's body as fast as the tunnel takes it, until it or the exchange is over. */
  async upload(body: RequestBody): Promise<void> {
    this.#body = body;
    if (this.#isOver) body.cancel();
    try {
      for await (const bytes of body.chunks) {
        while (this.#bodySent >= this.#bodyRoom && !this.#isOver) await new Promise<void>((resolve) => (this.#bodyWake = resolve));
        if (this.#isOver) return;
        this.#bodySent += bytes.byteLength;
        this.#post({ t: "chunk", id: this.id, bytes });
      }
      this.#body = undefined;
      if (!this.#isOver) this.#post({ t: "end", id: this.id });
    } catch (error) {
      this.#body = undefined;
      if (this.#isOver) return;
      this.#post({ t: "abort", id: this.id });
      this.fail(error instanceof Error ? error : new Error("the request's body cannot be read"));
    }
  }

  /** Lets the tunnel send as much as the page's queue has room for. */
  #grant(): void {
    if (this.#isOver) return;
    const due = this.#received + Math.max(0, this.#controller?.desiredSize ?? 0);
    if (due - this.#granted < PORT_WINDOW / 4) return;
    this.#granted = due;
    this.#post({ t: "credit", id: this.id, max: due });
  }

  #finish(settle: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      settle();
    } catch {
      // The page has closed the stream already.
    }
    this.#body?.cancel();
    this.#bodyWake();
    this.#over();
  }
}
