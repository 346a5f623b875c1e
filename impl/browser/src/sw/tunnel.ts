/**
 * Finds a tunnel worker with a session and sends it requests: that of the page's own tab, or of another
 * one. What is remembered here saves time only: the service worker may be stopped at any moment, and
 * then the shells are found anew.
 */
import { CloseCode } from "../codec/registry.ts";
import {
  type CookieScope, type FieldText, type FromServiceWorker, type FromSocket, type FromTunnel, type Patience, PORT_VERSION, type ToTunnel,
} from "../port/messages.ts";
import { PortExchange, TunnelError } from "./exchange.ts";
import { type Asker, type Owners, topClients } from "./owners.ts";

declare const self: ServiceWorkerGlobalScope;

/** A tunnel worker that lives answers within this time, whatever the app does with its own thread. */
const ACK_MS = 2_000;
/** Longest search for a shell that answers. */
const SEARCH_MS = 15_000;
/** Between two rounds of the search. */
const ROUND_MS = 100;
/** How often it is checked that the shells of open exchanges are still there. */
const CHECK_MS = 2_000;
/** Methods that may be repeated when nobody knows whether they arrived (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

export interface TunnelRequest {
  method: string;
  target: string;
  fields: FieldText[];
  body: boolean;
  cookies: CookieScope;
}

/** One port to the tunnel worker of one shell. */
class TunnelPort {
  readonly shell: string;
  readonly #port: MessagePort;
  readonly #exchanges = new Map<number, PortExchange>();
  /** Pages whose end is the end of their exchanges. */
  readonly #pages = new Map<number, string>();
  readonly #pongs = new Map<number, () => void>();
  #next = 1;
  #check: ReturnType<typeof setInterval> | undefined;

  constructor(shell: string, port: MessagePort) {
    this.shell = shell;
    this.#port = port;
    port.onmessage = (event: MessageEvent<FromTunnel>) => {
      const message = event.data;
      if (message.t === "pong") this.#pongs.get(message.token)?.();
      else this.#exchanges.get(message.id)?.receive(message);
    };
  }

  open(request: TunnelRequest, asker: Asker, patience: Patience): PortExchange {
    const id = this.#next++;
    const post = (message: ToTunnel, transfer: Transferable[] = []): void => this.#port.postMessage(message, transfer);
    const exchange = new PortExchange(id, post, () => {
      this.#exchanges.delete(id);
      this.#pages.delete(id);
      if (this.#exchanges.size === 0) {
        clearInterval(this.#check);
        this.#check = undefined;
      }
    });
    this.#exchanges.set(id, exchange);
    if (asker.newPage === "" && asker.page !== "" && !asker.keepalive) this.#pages.set(id, asker.page);
    post({ t: "request", id, ...request, patience });
    this.#check ??= setInterval(() => void this.#checkClients(), CHECK_MS);
    return exchange;
  }

  /** Whether the tunnel worker answers in time. */
  async ping(): Promise<boolean> {
    const token = this.#next++;
    const pong = new Promise<boolean>((resolve) => this.#pongs.set(token, () => resolve(true)));
    this.#port.postMessage({ t: "ping", token } satisfies ToTunnel);
    const answered = await within(pong, ACK_MS);
    this.#pongs.delete(token);
    return answered ?? false;
  }

  fail(reason: string): void {
    for (const exchange of [...this.#exchanges.values()]) exchange.fail(new TunnelError("SHELL_GONE", reason));
  }

  /** Neither a closed shell nor a closed page says anything; their exchanges would wait for ever. */
  async #checkClients(): Promise<void> {
    if (!(await self.clients.get(this.shell))) this.fail("the tab that held the connection was closed");
    for (const page of new Set(this.#pages.values())) {
      if (await self.clients.get(page)) continue;
      for (const [id, owner] of [...this.#pages]) if (owner === page) this.#exchanges.get(id)?.abort();
    }
  }
}

export class Tunnel {
  readonly #owners: Owners;
  readonly #ports = new Map<string, TunnelPort>();
  /** Tabs that did not answer; they are asked last. */
  readonly #silent = new Set<string>();

  constructor(owners: Owners) {
    this.#owners = owners;
  }

  /** A shell offers a port to its tunnel worker. */
  offer(shell: string, port: MessagePort): void {
    this.#silent.delete(shell);
    this.#ports.set(shell, new TunnelPort(shell, port));
  }

  /** Hands a page's port to the tunnel worker of its shell, or of another one where nobody can tell. */
  async lend({ id, url }: Client, port: MessagePort): Promise<void> {
    const shells = await this.#shells();
    const own = await this.#owners.find({ page: id, newPage: "", referrer: url, keepalive: false, shell: undefined }, shells);
    const shell = shells.find((one) => one.id === own) ?? shells[0];
    if (shell) shell.postMessage({ p2claw: PORT_VERSION, type: "serve" } satisfies FromServiceWorker, [port]);
    else port.postMessage({ t: "closed", code: CloseCode.ABNORMAL_CLOSURE, reason: "", clean: false, failed: "no tab holds a connection to this address" } satisfies FromSocket);
  }

  /** Sends a request; settles when a tunnel worker has taken it. */
  async send(request: TunnelRequest, asker: Asker): Promise<PortExchange> {
    const deadline = Date.now() + SEARCH_MS;
    let declined = false;
    do {
      const shells = await this.#shells();
      const own = await this.#owners.find(asker, shells);
      const order = [...shells].sort((a, b) => this.#rank(a.id, own) - this.#rank(b.id, own));
      const silent = new Set<string>();
      // Whoever has a session comes first; then it is worth waiting for one.
      for (const patience of ["first", "any"] as const) {
        for (const shell of order.filter(({ id }) => !silent.has(id))) {
          const asked = patience === "first" && shell.id !== own ? "none" : patience;
          const exchange = await this.#try(shell, request, asker, asked);
          if (exchange === "declined") continue;
          if (exchange === "silent") {
            silent.add(shell.id);
            continue;
          }
          // A page that another tab happens to serve is asked again whose it is.
          if (asker.newPage === "") this.#owners.own(asker.page, own ?? shell.id);
          else if (own !== undefined) this.#owners.own(asker.newPage, own);
          return exchange;
        }
      }
      declined = order.length > silent.size;
      if (declined && silent.size === 0) break;
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    } while (Date.now() < deadline);
    if (declined) throw new TunnelError("NO_SESSION", "there is no connection to the machine");
    throw new TunnelError("NO_SHELL", "no tab holds a connection to this address");
  }

  async #try(shell: Client, request: TunnelRequest, asker: Asker, patience: Patience): Promise<PortExchange | "declined" | "silent"> {
    const port = this.#ports.get(shell.id) ?? this.#ask(shell);
    const repeatable = IDEMPOTENT.has(request.method);
    // What must not arrive twice is sent only to a tunnel that has just answered (BRO-009).
    if (repeatable || (await port.ping())) {
      const exchange = port.open(request, asker, patience);
      const taken = await within(exchange.taken, ACK_MS);
      if (taken === true) return exchange;
      if (taken === false) return "declined";
      exchange.abort();
      if (!repeatable) throw new TunnelError("NO_SHELL", "nobody knows whether the request has arrived");
    }
    this.#ports.delete(shell.id);
    this.#silent.add(shell.id);
    return "silent";
  }

  /** Smaller is earlier: the page's own shell, those that serve already, those that do not answer. */
  #rank(shell: string, own: string | undefined): number {
    if (this.#silent.has(shell)) return 3;
    if (shell === own) return 0;
    return this.#ports.has(shell) ? 1 : 2;
  }

  async #shells(): Promise<readonly Client[]> {
    const shells = await topClients();
    for (const [id, port] of this.#ports) {
      if (shells.some((shell) => shell.id === id)) continue;
      port.fail("the tab that held the connection was closed");
      this.#ports.delete(id);
    }
    return shells;
  }

  #ask(shell: Client): TunnelPort {
    const { port1, port2 } = new MessageChannel();
    shell.postMessage({ p2claw: PORT_VERSION, type: "serve" } satisfies FromServiceWorker, [port2]);
    const port = new TunnelPort(shell.id, port1);
    this.#ports.set(shell.id, port);
    return port;
  }
}

/** What a promise brings in time. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), milliseconds)));
  const result = await Promise.race([promise, late]);
  clearTimeout(timer);
  return result;
}
