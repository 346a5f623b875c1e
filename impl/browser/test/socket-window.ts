/** A window made of what the shim's `WebSocket` looks at, and the tunnel worker's end of its ports. */
import assert from "node:assert/strict";
import type { FromSocket, ToSocket } from "../src/port/messages.ts";
import { installWebSocket } from "../src/shim/websocket.ts";

const ORIGIN = "https://app.example:8443";

class CloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  constructor(type: string, { code = 0, reason = "", wasClean = false }: CloseEventInit = {}) {
    super(type);
    Object.assign(this, { code, reason, wasClean });
    this.code = code;
    this.reason = reason;
    this.wasClean = wasClean;
  }
}

/** The browser's own: it remembers what it was asked for. */
export class NativeWebSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  static asked: unknown[][] = [];
  readonly #url: string;
  #binaryType = "blob";
  #onopen: unknown = null;
  readonly calls: unknown[][] = [];

  constructor(...parameters: [string | URL, unknown?]) {
    super();
    if (!URL.canParse(parameters[0], ORIGIN) || String(parameters[0]).includes("#")) throw new DOMException("bad address", "SyntaxError");
    NativeWebSocket.asked.push(parameters);
    this.#url = String(parameters[0]);
  }
  get url(): string {
    return this.#url;
  }
  get readyState(): number {
    return this.#url === "" ? 3 : 0;
  }
  get bufferedAmount(): number {
    return 0;
  }
  get extensions(): string {
    return "native";
  }
  get protocol(): string {
    return "";
  }
  get binaryType(): string {
    return this.#binaryType;
  }
  set binaryType(value: string) {
    this.#binaryType = value;
  }
  get onopen(): unknown {
    return this.#onopen;
  }
  set onopen(value: unknown) {
    this.#onopen = value;
  }
  send(...parameters: unknown[]): void {
    this.calls.push(["send", ...parameters]);
  }
  close(...parameters: unknown[]): void {
    this.calls.push(["close", ...parameters]);
  }
}

/** What the tests look at in a WebSocket, also where its types forbid to try. */
export type Loose = Omit<WebSocket, "send" | "close"> & { send(...parameters: unknown[]): void; close(...parameters: unknown[]): void };

/** The tunnel worker's end of one WebSocket. */
export class Tunnel {
  readonly heard: ToSocket[] = [];
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = (event: MessageEvent<ToSocket>) => this.heard.push(event.data);
  }

  async say(...messages: FromSocket[]): Promise<void> {
    for (const message of messages) this.#port.postMessage(message);
    await settled();
  }

  /** The messages that came, joined of their parts. */
  messages(): [text: boolean, bytes: string][] {
    const all: [boolean, string][] = [];
    let begun = "";
    for (const message of this.heard) {
      if (message.t !== "message") continue;
      begun += Buffer.from(message.bytes).toString("latin1");
      if (!message.last) continue;
      all.push([message.text, begun]);
      begun = "";
    }
    return all;
  }

  last(): ToSocket | undefined {
    return this.heard.at(-1);
  }

  close(): void {
    this.#port.close();
  }
}

/** A port that delivers in a later turn, always in the same one: no test has to wait for a while. */
class Port extends EventTarget {
  onmessage: ((event: { data: unknown }) => void) | undefined;
  other: Port | undefined;

  postMessage(data: unknown, transfer: Transferable[] = []): void {
    const copy: unknown = structuredClone(data, { transfer: transfer as never });
    const { other } = this;
    setImmediate(() => other?.onmessage?.({ data: copy }));
  }

  close(): void {
    const { other } = this;
    this.other = undefined;
    setImmediate(() => {
      if (other) other.other = undefined;
      other?.dispatchEvent(new Event("close"));
    });
  }
}

globalThis.MessageChannel = class {
  readonly port1 = new Port();
  readonly port2 = new Port();
  constructor() {
    this.port1.other = this.port2;
    this.port2.other = this.port1;
  }
} as unknown as typeof MessageChannel;

/** Every message, timer and Blob that was under way has come to its end. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(() => setImmediate(resolve), 1));
}
export const logged: unknown[][] = [];

export function install({ reachable = true, origin = ORIGIN } = {}): { window: Window & typeof globalThis; tunnels: Tunnel[]; leave: () => void } {
  class Native extends NativeWebSocket {}
  Object.defineProperty(Native, "name", { value: "WebSocket" });
  for (const key of Reflect.ownKeys(NativeWebSocket.prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(NativeWebSocket.prototype, key);
    if (descriptor && key !== "constructor") Object.defineProperty(Native.prototype, key, descriptor);
  }
  NativeWebSocket.asked = [];
  const page = new EventTarget();
  const window = Object.assign(page, {
    WebSocket: Native, WebSocketStream: class {}, origin, document: { baseURI: `${ORIGIN}/dir/page` },
    EventTarget, Event, MessageEvent, CloseEvent, DOMException, TypeError, Blob, Uint8Array,
  }) as unknown as Window & typeof globalThis;
  logged.length = 0;
  console.error = (...values: unknown[]) => void logged.push(values);
  const tunnels: Tunnel[] = [];
  installWebSocket(window, (port) => {
    if (reachable) tunnels.push(new Tunnel(port));
    return reachable;
  });
  return { window, tunnels, leave: () => page.dispatchEvent(new Event("pagehide")) };
}

/** A WebSocket that is open, and what it hears. */
export async function open(protocol = ""): Promise<{ socket: Loose; tunnel: Tunnel; events: unknown[][]; window: Window & typeof globalThis }> {
  const { window, tunnels } = install();
  const socket = new window.WebSocket("/chat", protocol === "" ? [] : [protocol]) as unknown as Loose;
  const events = listen(socket);
  const [tunnel] = tunnels;
  assert.ok(tunnel);
  await tunnel.say({ t: "accepted", protocol });
  return { socket, tunnel, events, window };
}

export function listen(socket: Loose): unknown[][] {
  const events: unknown[][] = [];
  for (const type of ["open", "message", "error", "close"]) {
    socket.addEventListener(type, (event) => {
      const { data, code, reason, wasClean } = event as MessageEvent & CloseEvent;
      events.push([type, socket.readyState, ...(type === "message" ? [data] : type === "close" ? [code, reason, wasClean] : [])]);
    });
  }
  return events;
}
