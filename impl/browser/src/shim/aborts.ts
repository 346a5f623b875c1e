/**
 * A request that the page aborts before its response begins has to end in the tunnel, too. Chromium does
 * not tell the service worker, so the request carries a token in the fragment of its address: it leaves
 * neither the browser nor, on a redirect, the request, and no response shows it.
 */
import { type PageToServiceWorker, PORT_VERSION, TOKEN_PREFIX } from "../port/messages.ts";
import { RESERVED_PATH } from "../port/paths.ts";

export function installAborts(container: ServiceWorkerContainer): void {
  const page = crypto.randomUUID();
  let count = 0;

  const abandon = (token: string): void =>
    container.controller?.postMessage({ p2claw: PORT_VERSION, type: "abandon", token } satisfies PageToServiceWorker);

  /** The address with a token; `undefined` where it is none that goes through the tunnel. */
  const mark = (address: string | URL): { url: string; token: string } | undefined => {
    if (!URL.canParse(address, document.baseURI)) return undefined;
    const url = new URL(address, document.baseURI);
    if (url.origin !== window.origin || url.hash !== "" || url.pathname.startsWith(RESERVED_PATH)) return undefined;
    const token = `${page}-${++count}`;
    return { url: url.href + TOKEN_PREFIX + token, token };
  };

  const nativeFetch = window.fetch;
  window.fetch = function fetch(...parameters: Parameters<typeof nativeFetch>): Promise<Response> {
    const [input, init] = parameters;
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const marked = signal && !signal.aborted ? markInput(input) : undefined;
    if (!marked || !signal) return nativeFetch.apply(window, parameters);
    const onAbort = (): void => abandon(marked.token);
    signal.addEventListener("abort", onAbort);
    const forget = (): void => signal.removeEventListener("abort", onAbort);
    const promise = nativeFetch.call(window, input instanceof Request ? new Request(marked.url, input) : marked.url, init);
    promise.then(forget, forget);
    return promise;
  };

  const markInput = (input: RequestInfo | URL): ReturnType<typeof mark> => {
    if (typeof input === "string" || input instanceof URL) return mark(input);
    // A body cannot be taken out of a request and put into another one unchanged.
    return input instanceof Request && (input.method === "GET" || input.method === "HEAD") ? mark(input.url) : undefined;
  };

  const tokens = new WeakMap<XMLHttpRequest, string>();
  const nativeOpen = XMLHttpRequest.prototype.open as (this: XMLHttpRequest, ...parameters: unknown[]) => void;
  XMLHttpRequest.prototype.open = function open(this: XMLHttpRequest, method: string, url: string | URL, ...rest: unknown[]): void {
    // Synchronous ones never reach the service worker.
    const marked = rest.length > 0 && !rest[0] ? undefined : mark(url);
    nativeOpen.call(this, method, marked?.url ?? url, ...rest);
    const known = tokens.has(this);
    tokens.set(this, marked?.token ?? "");
    if (known) return;
    const onEnd = (): void => {
      const token = tokens.get(this);
      if (token) abandon(token);
    };
    this.addEventListener("abort", onEnd);
    this.addEventListener("timeout", onEnd);
  };
}
