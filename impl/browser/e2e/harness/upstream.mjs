// An app of somebody else's: a node HTTP server that remembers what reached it.
import { createServer } from "node:http";
import { once } from "node:events";
import { until } from "./poll.mjs";

const PAGE = `<!doctype html><meta charset="utf-8"><title>Upstream</title><h1 id="hello">Hello from the upstream</h1>`;

export class Upstream {
  /** {method, url, headers} of every request, oldest first. */
  requests = [];
  /** Connections accepted, ever. */
  connections = 0;
  #sockets = new Set();

  /** `handle` answers what it knows and returns true; everything else is the page. */
  constructor(handle = () => false) {
    this.handle = handle;
  }

  async listen(port = this.port ?? 0) {
    this.server = createServer((request, response) => {
      const { method, url, headers } = request;
      this.requests.push({ method, url, headers });
      if (this.handle(request, response)) return;
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(PAGE);
    });
    this.server.on("connection", (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.server.on("clientError", (_error, socket) => socket.destroy());
    // A port that was just in use may take a moment to be free again.
    await until(`port ${port}`, async () => {
      this.server.listen(port, "127.0.0.1");
      await once(this.server, "listening");
      return true;
    });
    this.port = this.server.address().port;
    return this;
  }

  /** Goes away, open connections and all; `listen` brings it back on the same port. */
  async stop() {
    if (!this.server?.listening) return;
    const closed = once(this.server, "close");
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
