// WebSockets of somebody else's app: the server of the npm package `ws`, on an Upstream.
import { WebSocketServer } from "ws";

/** What the flood sends in one message. */
export const FLOOD_MESSAGE = 64 * 1024;

export class Sockets {
  /** {path, code, reason} of every WebSocket that ended, oldest first. */
  closed = [];
  /** The heads that asked for one, oldest first. */
  handshakes = [];
  /** How many askers for `/unanswered` wait, and how many have given up. */
  unanswered = { waiting: 0, gone: 0 };
  /** Those that are open, by path. */
  open = new Map();
  #server = new WebSocketServer({
    noServer: true,
    // The last one, to see that the server chooses; "none" stands for a server that knows none.
    handleProtocols: (protocols) => (protocols.has("none") ? false : [...protocols].at(-1)),
  });

  constructor() {
    this.#server.on("headers", (headers, request) => {
      if (request.url.startsWith("/cookies")) headers.push("set-cookie: socket=warm; Path=/", "set-cookie: hidden=1; Path=/; HttpOnly");
    });
  }

  /** Answers the upgrades of an Upstream that listens. */
  attach(upstream) {
    upstream.server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    return this;
  }

  of(path) {
    return this.open.get(path) ?? [];
  }

  codes(path) {
    return this.closed.filter((one) => one.path === path).map(({ code }) => code);
  }

  #upgrade(request, socket, head) {
    const { pathname, searchParams } = new URL(request.url, "http://upstream");
    this.handshakes.push({ url: request.url, headers: request.headers });
    socket.on("error", () => {});
    const refusal = /^\/refuse\/(\d+)$/.exec(pathname);
    if (refusal) {
      socket.end(`HTTP/1.1 ${refusal[1]} Refused\r\ncontent-type: text/plain\r\ncontent-length: 4\r\nset-cookie: refused=1; Path=/\r\n\r\nno!\n`);
      return;
    }
    if (pathname === "/hang-up") return void socket.destroy();
    if (pathname === "/unanswered") {
      this.unanswered.waiting += 1;
      socket.resume().once("end", () => {
        this.unanswered.waiting -= 1;
        this.unanswered.gone += 1;
        socket.destroy();
      });
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (peer) => {
      this.open.set(pathname, [...this.of(pathname), peer]);
      peer.on("error", () => {});
      peer.on("close", (code, reason) => {
        this.open.set(pathname, this.of(pathname).filter((one) => one !== peer));
        this.closed.push({ path: pathname, code, reason: String(reason) });
      });
      this.#serve(peer, socket, pathname, searchParams, request);
    });
  }

  #serve(peer, socket, path, query, request) {
    const close = () => peer.close(Number(query.get("code")) || undefined, query.get("reason") ?? "");
    switch (path) {
      case "/close":
        close();
        break;
      case "/say-and-close":
        for (const text of ["one", "two", "three"]) peer.send(text);
        close();
        break;
      case "/kill":
        peer.on("message", () => socket.destroy());
        break;
      case "/cookies":
        peer.send(JSON.stringify(request.headers));
        break;
      case "/kinds":
        peer.send("text");
        peer.send(Buffer.from([1, 2, 3]));
        peer.send("");
        peer.send(Buffer.alloc(0));
        peer.send("\ufeffwith a mark");
        break;
      case "/flood": {
        const block = Buffer.alloc(FLOOD_MESSAGE);
        peer.flushed = 0;
        const next = () => {
          if (peer.flushed === Number(query.get("messages"))) return;
          block.writeUInt32BE(peer.flushed, 0);
          // Called when the system has taken it.
          peer.send(block, (error) => {
            peer.flushed += 1;
            if (!error) next();
          });
        };
        next();
        break;
      }
      default:
        peer.on("message", (data, isBinary) => peer.send(data, { binary: isBinary }));
    }
  }
}
