/**
 * Service worker: a router without a state of its own. Documents of a tab get the shell; everything
 * else on this origin goes through the tunnel; signaling and other origins pass untouched.
 */
import { PORT_VERSION, PORT_VERSIONS, type ToServiceWorker } from "../port/messages.ts";
import { requestBody } from "./body.ts";
import { TunnelError } from "./exchange.ts";
import { keepsDocument, leavesOrigin } from "./navigation.ts";
import { brokenPage, leavingPage } from "./pages.ts";
import { requestFields, requestTarget } from "./request.ts";
import { pageResponse } from "./response.ts";
import { Tunnel } from "./tunnel.ts";

declare const self: ServiceWorkerGlobalScope;
declare const SHELL_HTML: string;
declare const BLANK_HTML: string;
declare const SHIM_HASH: string;
declare const ASSETS: string[];
declare const BUILD: string;

const RESERVED = "/.well-known/p2claw/";
const BLANK = `${RESERVED}v1/blank`;
const CACHE_PREFIX = "p2claw-";
const CACHE = CACHE_PREFIX + BUILD;

const tunnel = new Tunnel();

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(ASSETS)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const tidy = async (): Promise<void> => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith(CACHE_PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("message", (event) => {
  const message = event.data as Partial<ToServiceWorker> | null;
  if (!PORT_VERSIONS.includes(message?.p2claw ?? 0)) return;
  const port = event.ports[0];
  if (message?.type === "claim") event.waitUntil(self.clients.claim());
  else if (message?.type === "port" && port && event.source instanceof Client) tunnel.offer(event.source.id, port);
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (url.pathname === BLANK) {
    event.respondWith(html(BLANK_HTML));
  } else if (url.pathname.startsWith(RESERVED)) {
    if (ASSETS.includes(url.pathname)) event.respondWith(caches.match(request.url).then((cached) => cached ?? fetch(request)));
  } else if (request.mode === "navigate" && request.destination === "document") {
    event.respondWith(html(SHELL_HTML));
  } else {
    event.respondWith(throughTunnel(event));
  }
});

function html(text: string, status = 200): Response {
  return new Response(text, { status, headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" } });
}

async function throughTunnel(event: FetchEvent): Promise<Response> {
  const { request } = event;
  try {
    const body = await requestBody(request);
    const environment = { origin: self.location.origin, userAgent: navigator.userAgent, languages: navigator.languages };
    const exchange = await tunnel.send(
      {
        method: request.method,
        target: requestTarget(request.url),
        fields: requestFields(request, environment, body?.length),
        body: body !== undefined,
        cookies: request.credentials !== "omit",
      },
      { page: event.clientId, newPage: event.resultingClientId, keepalive: request.keepalive },
    );
    if (request.signal.aborted) exchange.abort();
    request.signal.addEventListener("abort", () => exchange.abort());
    if (body) void exchange.upload(body.chunks);
    const head = await exchange.head;
    const elsewhere = leavesOrigin(request, head);
    if (elsewhere !== undefined) {
      exchange.abort();
      return html(leavingPage(elsewhere));
    }
    if (keepsDocument(request, head)) void tunnel.tell(event.resultingClientId, { p2claw: PORT_VERSION, type: "stays" });
    const view = await pageResponse(request, head, exchange.body, SHIM_HASH);
    return new Response(view.body, { status: view.status, headers: view.headers });
  } catch (error) {
    if (request.mode !== "navigate") return Response.error();
    const code = error instanceof TunnelError ? error.code : "FAILED";
    return html(brokenPage(code, error instanceof Error ? error.message : "unknown"), 502);
  }
}
