/**
 * A WebSocket to the app's own origin has no way through the tunnel in version 1, and the edge would
 * be the wrong place for it: it fails here, as if the server did not answer. Others are untouched.
 */
export function installWebSocket(): void {
  const Native = window.WebSocket;
  // A document without an address of its own has an origin all the same.
  const ownHost = URL.canParse(window.origin) ? new URL(window.origin).host : undefined;

  class UnreachableWebSocket extends EventTarget {
    static readonly CONNECTING = 0;
    static readonly OPEN = 1;
    static readonly CLOSING = 2;
    static readonly CLOSED = 3;
    readonly CONNECTING = 0;
    readonly OPEN = 1;
    readonly CLOSING = 2;
    readonly CLOSED = 3;
    readonly url: string = "";
    readonly protocol = "";
    readonly extensions = "";
    readonly bufferedAmount = 0;
    binaryType: BinaryType = "blob";
    readyState = 0;

    static override [Symbol.hasInstance](value: unknown): boolean {
      return Function.prototype[Symbol.hasInstance].call(UnreachableWebSocket, value) || value instanceof Native;
    }

    constructor(url: string | URL, protocols?: string | string[]) {
      super();
      const target = URL.canParse(url, document.baseURI) ? new URL(url, document.baseURI) : undefined;
      // The browser's own knows best what is wrong with an address.
      const isOurs = target !== undefined && target.host === ownHost && /^(ws|http)s?:$/.test(target.protocol) && target.hash === "";
      if (!isOurs) return new Native(url, protocols) as unknown as UnreachableWebSocket;
      target.protocol = target.protocol.replace(/^http/, "ws");
      this.url = target.href;
      setTimeout(() => this.#fail(), 0);
    }

    send(): void {
      if (this.readyState === this.CONNECTING) throw new DOMException("Still in CONNECTING state.", "InvalidStateError");
    }

    close(): void {
      if (this.readyState === this.CONNECTING) this.readyState = this.CLOSING;
    }

    #fail(): void {
      this.readyState = this.CLOSED;
      this.dispatchEvent(new Event("error"));
      this.dispatchEvent(new CloseEvent("close", { code: 1006, wasClean: false }));
    }
  }

  for (const type of ["open", "message", "error", "close"]) defineHandler(UnreachableWebSocket.prototype, type);
  Object.defineProperty(UnreachableWebSocket, "name", { value: "WebSocket" });
  window.WebSocket = UnreachableWebSocket as unknown as typeof WebSocket;
}

/** The attribute `on<type>`: one listener whose function may change. */
function defineHandler(prototype: EventTarget, type: string): void {
  const handlers = new WeakMap<EventTarget, unknown>();
  Object.defineProperty(prototype, `on${type}`, {
    configurable: true,
    enumerable: true,
    get(this: EventTarget): unknown {
      return handlers.get(this) ?? null;
    },
    set(this: EventTarget, value: unknown) {
      if (!handlers.has(this)) {
        this.addEventListener(type, (event) => {
          const handler = handlers.get(this);
          if (typeof handler === "function") handler.call(this, event);
        });
      }
      handlers.set(this, typeof value === "function" ? value : null);
    },
  });
}
