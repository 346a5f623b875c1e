/** Serves one port: the requests of a service worker, or one WebSocket of a page. */
import type { SharedJar } from "../cookie/shared-jar.ts";
import type { Environment } from "../port/environment.ts";
import type { CookieScope, FromTunnel, ToSocket, ToTunnel } from "../port/messages.ts";
import { Exchange, type RequestMessage, type Surroundings } from "./exchange.ts";
import { PageSocket } from "./socket.ts";
import type { WaitingRoom } from "./waiting-room.ts";

export class PortServer implements Surroundings {
  readonly #port: MessagePort;
  readonly #room: WaitingRoom;
  readonly #jar: SharedJar;
  readonly #environment: Environment;
  readonly #count: (change: 1 | -1) => void;
  readonly #exchanges = new Map<number, Exchange>();

  /** `count` hears of exchanges that begin and end. */
  constructor(port: MessagePort, room: WaitingRoom, jar: SharedJar, environment: Environment, count: (change: 1 | -1) => void) {
    this.#port = port;
    this.#room = room;
    this.#jar = jar;
    this.#environment = environment;
    this.#count = count;
    port.onmessage = (event: MessageEvent<ToTunnel | ToSocket>) => this.#receive(event.data);
    // Where the browser tells that the other end is gone, its exchanges need not stall for ever.
    port.addEventListener("close", () => {
      for (const exchange of [...this.#exchanges.values()]) exchange.abort();
    });
  }

  post(message: FromTunnel, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  cookieHeader(target: string, scope: CookieScope): string {
    return this.#jar.get(target, scope, false);
  }

  storeCookie(line: string, target: string): void {
    this.#jar.set(line, target, false);
  }

  waitAgain(exchange: Exchange, refusals: number): void {
    this.#room.enterAgain(exchange, refusals);
  }

  over(exchange: Exchange): void {
    if (this.#exchanges.delete(exchange.id)) this.#count(-1);
  }

  #receive(message: ToTunnel | ToSocket): void {
    if (message.t === "ping") this.post({ t: "pong", token: message.token });
    else if (message.t === "request") this.#begin(message);
    // From now on the port is the WebSocket's.
    else if (message.t === "open") new PageSocket(this.#port, message, this.#environment, this.#room, this.#jar);
    else if ("id" in message) this.#exchanges.get(message.id)?.receive(message);
  }

  #begin(request: RequestMessage): void {
    if (!this.#room.takes(request.patience)) {
      this.post({ t: "decline", id: request.id });
      return;
    }
    this.post({ t: "ack", id: request.id });
    const exchange = new Exchange(request, this);
    this.#exchanges.set(request.id, exchange);
    this.#count(1);
    void this.#jar.loaded.then(() => this.#room.enter(exchange));
  }
}
