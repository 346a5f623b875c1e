/** The shell's side of the service worker: registration, ports to the tunnel worker, keeping alive. */
import { type FromServiceWorker, PORT_VERSION, type ToServiceWorker } from "../port/messages.ts";
import { RESERVED_PATH } from "../port/paths.ts";

const SCRIPT = `${RESERVED_PATH}v1/sw.js`;
/** Firefox stops a service worker, and cuts its streams, without a sign of life this often. */
const ALIVE_MS = 15_000;
const REGISTER_ATTEMPTS = 5;
const REGISTER_WAIT_MS = 2_000;

export class RouterLink {
  readonly #serve: (port: MessagePort) => void;
  /** Settles when navigations of the frame go through the service worker. */
  readonly ready: Promise<void>;
  #worker: ServiceWorker | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `serve` hands a port to the tunnel worker; `stays` hears that a navigation to `url` brought no document. */
  constructor(serve: (port: MessagePort) => void, stays: (url: string) => void) {
    this.#serve = serve;
    navigator.serviceWorker.onmessage = (event: MessageEvent<(Partial<FromServiceWorker> & { url?: string }) | null>) => {
      const port = event.ports[0];
      if (event.data?.type === "serve" && port) serve(port);
      else if (event.data?.type === "stays" && event.data.url !== undefined) stays(event.data.url);
    };
    navigator.serviceWorker.addEventListener("controllerchange", () => this.#introduce(navigator.serviceWorker.controller));
    this.ready = this.#register();
  }

  /** Something streams through the service worker, or nothing does any more. */
  setBusy(busy: boolean): void {
    if (!busy) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else this.#timer ??= setInterval(() => this.#post({ p2claw: PORT_VERSION, type: "alive" }), ALIVE_MS);
  }

  /** The frame is about to ask for `url`; `undefined`: it no longer waits for what was said before. */
  expect(url: string | undefined, by: "app" | "shell"): void {
    this.#post(url === undefined ? { p2claw: PORT_VERSION, type: "unexpect" } : { p2claw: PORT_VERSION, type: "expect", url, by });
  }

  /** Answers the service worker's question whose a page is. */
  mine(token: number): void {
    this.#post({ p2claw: PORT_VERSION, type: "mine", token });
  }

  async #register(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await navigator.serviceWorker.register(SCRIPT, { scope: "/", updateViaCache: "none" });
        break;
      } catch (error) {
        // Forbidden stays forbidden; a script that could not be fetched may come the next time.
        if (attempt === REGISTER_ATTEMPTS || (error instanceof DOMException && error.name === "SecurityError")) throw error;
        await new Promise((resolve) => setTimeout(resolve, REGISTER_WAIT_MS));
      }
    }
    const registration = await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) registration.active?.postMessage({ p2claw: PORT_VERSION, type: "claim" } satisfies ToServiceWorker);
    this.#introduce(registration.active);
  }

  /** Gives a service worker a port before it has to ask for one. */
  #introduce(worker: ServiceWorker | null): void {
    if (!worker || worker === this.#worker) return;
    this.#worker = worker;
    const { port1, port2 } = new MessageChannel();
    this.#serve(port1);
    this.#post({ p2claw: PORT_VERSION, type: "port" }, [port2]);
  }

  #post(message: ToServiceWorker, transfer: Transferable[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }
}
