/**
 * A WebSocket to the app's own origin has no way through the tunnel in version 1, and the edge would
 * be the wrong place for it: it fails here, as if the server did not answer. Others are untouched.
 */
export function installWebSocket(): void {
  const Native = window.WebSocket;

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
    onopen: ((event: Event) => void) | null = null;
    onmessage: ((event: MessageEvent) => void) | null = null;
    onerror: ((event: Event) => void) | null = null;
    onclose: ((event: CloseEvent) => void) | null = null;

    static override [Symbol.hasInstance](value: unknown): boolean {
      return Function.prototype[Symbol.hasInstance].call(UnreachableWebSocket, value) || value instanceof Native;
    }

    constructor(url: string | URL, protocols?: string | string[]) {
      super();
      const target = new URL(url, document.baseURI);
      if (target.host !== location.host) return new Native(url, protocols) as unknown as UnreachableWebSocket;
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
      const error = new Event("error");
      this.onerror?.(error);
      this.dispatchEvent(error);
      const close = new CloseEvent("close", { code: 1006, wasClean: false });
      this.onclose?.(close);
      this.dispatchEvent(close);
    }
  }

  Object.defineProperty(UnreachableWebSocket, "name", { value: "WebSocket" });
  window.WebSocket = UnreachableWebSocket as unknown as typeof WebSocket;
}
