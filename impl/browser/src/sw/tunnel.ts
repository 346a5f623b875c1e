/**
 * Finds the tunnel worker of a shell and sends it requests. What is remembered here saves time only:
 * the service worker may be stopped at any moment, and then the shells are found anew.
 */
import { type FieldText, type FromServiceWorker, type FromTunnel, PORT_VERSION, type ToTunnel } from "../port/messages.ts";
import { PortExchange, TunnelError } from "./exchange.ts";

declare const self: ServiceWorkerGlobalScope;

/** A tunnel worker that lives answers within this time, whatever the app does with its own thread. */
const ACK_MS = 2_000;
/** Longest search for a shell that answers. */
const SEARCH_MS = 15_000;
/** How often it is checked that the shells of open exchanges are still there. */
const CHECK_MS = 2_000;
/** Methods that may be repeated when nobody knows whether they arrived (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

export interface TunnelRequest {
  method: string;
  target: string;
  fields: FieldText[];
  body: boolean;
  cookies: boolean;
}

/** Who asked; "" where a client is not known. */
export interface Asker {
  page: string;
  /** The document that a navigation makes. */
  newPage: string;
  /** The request is meant to outlive its page. */
  keepalive: boolean;
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

  open(request: TunnelRequest, asker: Asker): PortExchange {
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
    post({ t: "request", id, ...request });
    this.#check ??= setInterval(() => void this.#checkClients(), CHECK_MS);
    return exchange;
  }

  /** Whether the tunnel worker answers in time. */
  async ping(): Promise<boolean> {
    const token = this.#next++;
    const pong = new Promise<void>((resolve) => this.#pongs.set(token, resolve));
    this.#port.postMessage({ t: "ping", token } satisfies ToTunnel);
    const answered = await within(pong, ACK_MS);
    this.#pongs.delete(token);
    return answered;
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
  readonly #ports = new Map<string, TunnelPort>();
  /** The shell that carries each page's requests, by client id; insertion order is age. */
  readonly #owners = new Map<string, string>();

  /** A shell offers a port to its tunnel worker. */
  offer(shell: string, port: MessagePort): void {
    this.#ports.set(shell, new TunnelPort(shell, port));
  }

  /** Sends a request; settles when a tunnel worker has taken it. */
  async send(request: TunnelRequest, asker: Asker): Promise<PortExchange> {
    const deadline = Date.now() + SEARCH_MS;
    const repeatable = IDEMPOTENT.has(request.method);
    const silent = new Set<string>();
    do {
      const port = await this.#find(asker.page, silent, deadline);
      if (!port) break;
      // What must not arrive twice is sent only to a tunnel that has just answered (BRO-009).
      if (repeatable || (await port.ping())) {
        const exchange = port.open(request, asker);
        const failed = exchange.head.then(() => undefined, (error: Error) => error);
        if (await within(Promise.race([exchange.acknowledged, failed]), ACK_MS)) {
          this.#own(asker.newPage !== "" ? asker.newPage : asker.page, port.shell);
          return exchange;
        }
        exchange.abort();
        if (!repeatable) break;
      }
      this.#ports.delete(port.shell);
      silent.add(port.shell);
    } while (Date.now() < deadline);
    throw new TunnelError("NO_SHELL", "no tab holds a connection to this address");
  }

  /** Tells something to the shell that carries this page's requests. */
  async tell(page: string, message: FromServiceWorker): Promise<void> {
    const shell = await self.clients.get(this.#owners.get(page) ?? "");
    shell?.postMessage(message);
  }

  /** The port of a shell that is there: the page's own if known, else the one used last. */
  async #find(page: string, silent: Set<string>, deadline: number): Promise<TunnelPort | undefined> {
    const owner = this.#owners.get(page);
    const known = owner === undefined || silent.has(owner) ? undefined : this.#ports.get(owner);
    if (known && (await self.clients.get(known.shell))) return known;
    for (;;) {
      const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
      const shells = windows.filter((client) => client.frameType !== "nested" && client.frameType !== "none");
      for (const [id, port] of this.#ports) {
        if (shells.some((shell) => shell.id === id)) continue;
        port.fail("the tab that held the connection was closed");
        this.#ports.delete(id);
      }
      const shell = shells.find(({ id }) => id === owner && !silent.has(id)) ?? shells.find(({ id }) => !silent.has(id)) ?? shells[0];
      if (shell) return this.#ports.get(shell.id) ?? this.#ask(shell);
      if (Date.now() >= deadline) return undefined;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #ask(shell: Client): TunnelPort {
    const { port1, port2 } = new MessageChannel();
    shell.postMessage({ p2claw: PORT_VERSION, type: "serve" } satisfies FromServiceWorker, [port2]);
    this.offer(shell.id, port1);
    return this.#ports.get(shell.id) ?? new TunnelPort(shell.id, port1);
  }

  #own(page: string, shell: string): void {
    if (page === "") return;
    this.#owners.delete(page);
    this.#owners.set(page, shell);
    const oldest = this.#owners.keys().next();
    if (this.#owners.size > 500 && !oldest.done) this.#owners.delete(oldest.value);
  }
}

async function within(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), milliseconds)));
  const result = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return result;
}
