/**
 * `WebSocket` to the app's own host goes through the tunnel; all others are the browser's own. Both are
 * objects of one class, the browser's: what a page knows of it stays as it is.
 */
import { RESERVED_PATH } from "../port/paths.ts";
import { TunnelSocket } from "./tunnel-socket.ts";

type Handler = { call(value: unknown, event: Event): unknown } | object | null;

const SCHEMES: Readonly<Record<string, string>> = { "http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:" };
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** `serve` hands a port to the tunnel worker; false where there is no way to it. */
export function installWebSocket(window: Window & typeof globalThis, serve: (port: MessagePort) => boolean): void {
  const Native = window.WebSocket;
  const { prototype } = Native;
  const sockets = new WeakMap<object, TunnelSocket>();
  const live = new Set<TunnelSocket>();
  // A document without an address of its own has an origin all the same.
  const ownHost = URL.canParse(window.origin) ? new URL(window.origin).host : undefined;

  /** Where the tunnel is to lead; `undefined` for other hosts, and for what the browser will refuse in its own words. */
  const ownAddress = (address: unknown): URL | undefined => {
    const text = String(address);
    if (!URL.canParse(text, window.document.baseURI)) return undefined;
    const url = new URL(text, window.document.baseURI);
    const scheme = SCHEMES[url.protocol];
    if (url.host !== ownHost || scheme === undefined || url.href.includes("#") || url.pathname.startsWith(RESERVED_PATH)) return undefined;
    url.protocol = scheme;
    return url;
  };

  const Tunnelled = new Proxy(Native, {
    construct(native, parameters: unknown[], target) {
      const url = parameters.length > 0 ? ownAddress(parameters[0]) : undefined;
      const protocols = url && protocolList(parameters[1]);
      if (!url || !protocols) return Reflect.construct(native, parameters, target) as object;
      const page = Reflect.construct(window.EventTarget, [], target) as EventTarget;
      const { port1, port2 } = new MessageChannel();
      const socket: TunnelSocket = new TunnelSocket(page, url, protocols, port1, window, () => live.delete(socket));
      sockets.set(page, socket);
      live.add(socket);
      if (!serve(port2)) socket.fail("there is no way to the tunnel; reload the tab");
      return page;
    },
  });

  const descriptor = (name: string): PropertyDescriptor => Object.getOwnPropertyDescriptor(prototype, name) ?? {};

  for (const name of ["url", "readyState", "bufferedAmount", "extensions", "protocol", "binaryType"] as const) {
    const native = descriptor(name);
    Object.defineProperty(prototype, name, {
      ...native,
      get(this: object): unknown {
        const socket = sockets.get(this);
        return socket ? socket[name] : native.get?.call(this);
      },
      ...(native.set && {
        set(this: object, value: unknown) {
          const socket = sockets.get(this);
          if (socket) socket.binaryType = String(value) as BinaryType;
          else native.set?.call(this, value);
        },
      }),
    });
  }

  for (const name of ["send", "close"] as const) {
    const native = prototype[name] as (...parameters: unknown[]) => void;
    const own = {
      [name](this: object, ...parameters: unknown[]): void {
        const socket = sockets.get(this);
        if (socket) socket[name](...parameters);
        else native.apply(this, parameters);
      },
    };
    prototype[name] = own[name] as () => void;
  }

  for (const type of ["open", "message", "error", "close"]) defineHandler(type, descriptor(`on${type}`));

  /** The attribute `on<type>`: a listener that stands where the handler was set first. */
  function defineHandler(type: string, native: PropertyDescriptor): void {
    const handlers = new WeakMap<object, { value: Handler; listener: (event: Event) => void }>();
    Object.defineProperty(prototype, `on${type}`, {
      ...native,
      get(this: object): unknown {
        return sockets.has(this) ? (handlers.get(this)?.value ?? null) : native.get?.call(this);
      },
      set(this: EventTarget, value: unknown) {
        if (!sockets.has(this)) {
          native.set?.call(this, value);
          return;
        }
        const old = handlers.get(this);
        const isSet = typeof value === "function" || (typeof value === "object" && value !== null);
        if (old && isSet) old.value = value;
        else if (old) {
          this.removeEventListener(type, old.listener);
          handlers.delete(this);
        } else if (isSet) {
          const handler = { value: value as Handler, listener: (event: Event) => typeof handler.value === "function" && handler.value.call(this, event) };
          handlers.set(this, handler);
          this.addEventListener(type, handler.listener);
        }
      },
    });
  }

  prototype.constructor = Tunnelled;
  window.WebSocket = Tunnelled;
  // It has no way to the tunnel; scripts fall back to the other one.
  delete (window as { WebSocketStream?: unknown }).WebSocketStream;
  window.addEventListener("pagehide", () => {
    for (const socket of live) socket.leave();
  });
}

/** The subprotocols that a page asks for; `undefined` where the browser will refuse them in its own words. */
function protocolList(value: unknown): string[] | undefined {
  const isList = typeof value === "object" && value !== null && Symbol.iterator in value;
  const list = value === undefined ? [] : isList ? Array.from(value as Iterable<unknown>, String) : [String(value)];
  return list.every((name) => TOKEN.test(name)) && new Set(list).size === list.length ? list : undefined;
}
