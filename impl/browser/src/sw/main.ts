/**
 * Service worker: a router without a state of its own. Documents of a tab get the shell; everything
 * else on this origin goes through the tunnel; signaling and other origins pass untouched.
 */
import { HTTP_NOT_TUNNELLED } from "../codec/registry.ts";
import { PORT_VERSIONS, type PageToServiceWorker, type ToServiceWorker } from "../port/messages.ts";
import { RESERVED_PATH } from "../port/paths.ts";
import { Abandoned } from "./abandoned.ts";
import { requestBody } from "./body.ts";
import { type PortExchange, TunnelError } from "./exchange.ts";
import { keepsDocument, leavesOrigin, redirectOf } from "./navigation.ts";
import { Owners } from "./owners.ts";
import { brokenPage, leavingPage, notSentPage } from "./pages.ts";
import { cookieScope, requestFields, requestSite, requestTarget } from "./request.ts";
import { pageResponse } from "./response.ts";
import { Tunnel } from "./tunnel.ts";

declare const self: ServiceWorkerGlobalScope;
declare const SHELL_HTML: string;
declare const BLANK_HTML: string;
declare const SHIM_HASH: string;
declare const ASSETS: string[];
declare const BUILD: string;

const BLANK = `${RESERVED_PATH}v1/blank`;
const CACHE_PREFIX = "p2claw-";
const CACHE = CACHE_PREFIX + BUILD;

const owners = new Owners();
const tunnel = new Tunnel(owners);
const abandoned = new Abandoned();

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
  const message = event.data as ToServiceWorker | PageToServiceWorker | null;
  if (!message || !PORT_VERSIONS.includes(message.p2claw)) return;
  if (message.type === "claim") event.waitUntil(self.clients.claim());
  else if (message.type === "abandon") abandoned.abandon(message.token);
  else if (event.source instanceof Client) {
    const [port] = event.ports;
    if (message.type !== "socket") hearShell(event.source.id, message, port);
    else if (port) event.waitUntil(tunnel.lend(event.source, port));
  }
});

function hearShell(shell: string, message: ToServiceWorker, port: MessagePort | undefined): void {
  if (message.type === "port" && port) tunnel.offer(shell, port);
  else if (message.type === "expect") owners.expect(shell, message.url, message.by);
  else if (message.type === "unexpect") owners.unexpect(shell);
  else if (message.type === "mine") owners.answer(message.token, shell);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (url.pathname === BLANK) {
    event.respondWith(html(BLANK_HTML));
  } else if (url.pathname.startsWith(RESERVED_PATH)) {
    if (ASSETS.includes(url.pathname)) event.respondWith(caches.match(request.url).then((cached) => cached ?? fetch(request)));
  } else if (request.mode === "navigate" && request.destination === "document") {
    // The shell could not pass a form on, and must not swallow it (BRO-014).
    const reads = request.method === "GET" || request.method === "HEAD";
    event.respondWith(reads ? html(SHELL_HTML) : html(notSentPage(), HTTP_NOT_TUNNELLED.status, { "p2claw-error": HTTP_NOT_TUNNELLED.name }));
  } else {
    event.respondWith(throughTunnel(event));
  }
});

function html(text: string, status = 200, fields: Record<string, string> = {}): Response {
  return new Response(text, { status, headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-store", ...fields } });
}

async function throughTunnel(event: FetchEvent): Promise<Response> {
  const { request } = event;
  const given = new AbortController();
  const giveUp = (): void => given.abort();
  const isFrame = request.mode === "navigate" && request.destination === "iframe";
  const navigation = isFrame ? owners.begin(request.url, event.clientId, giveUp) : undefined;
  const unwatch = abandoned.watch(request.url, giveUp);
  request.signal.addEventListener("abort", giveUp);
  let exchange: PortExchange | undefined;
  try {
    const body = await requestBody(request);
    const environment = { origin: self.location.origin, userAgent: navigator.userAgent, languages: navigator.languages };
    const byApp = (): boolean => navigation?.expected?.by === "app";
    let site = requestSite(request, environment.origin, byApp());
    if (navigation && !navigation.expected && (site === "cross-site" || !owners.knows(event.clientId))) {
      await navigation.announced();
      site = requestSite(request, environment.origin, byApp());
    }
    exchange = await tunnel.send(
      {
        method: request.method,
        target: requestTarget(request.url),
        fields: requestFields(request, environment, site, body?.length),
        body: body !== undefined,
        cookies: cookieScope(request, site),
      },
      { page: event.clientId, newPage: event.resultingClientId, referrer: request.referrer, keepalive: request.keepalive, shell: navigation?.expected?.shell },
    );
    given.signal.addEventListener("abort", () => exchange?.abort());
    if (given.signal.aborted || request.signal.aborted) exchange.abort();
    if (body) void exchange.upload(body);
    const head = await exchange.head;
    if (navigation) owners.settle(navigation, redirectOf(request.url, head));
    const elsewhere = leavesOrigin(request, head);
    if (elsewhere !== undefined) {
      exchange.abort();
      return html(leavingPage(elsewhere));
    }
    if (keepsDocument(request, head)) void owners.stays(request.url, navigation?.expected);
    const view = await pageResponse(request, head, exchange.body, SHIM_HASH);
    return new Response(view.body, { status: view.status, headers: view.headers });
  } catch (error) {
    exchange?.abort();
    if (navigation) owners.settle(navigation);
    if (request.mode !== "navigate") return Response.error();
    const code = error instanceof TunnelError ? error.code : "FAILED";
    return html(brokenPage(code, error instanceof Error ? error.message : "unknown"), 502);
  } finally {
    unwatch();
  }
}
