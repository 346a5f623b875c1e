// A path to a UDP server on this machine that can be lost, as a NAT loses its mappings: what was
// going over it goes nowhere any more, and whoever sends from a new port gets through.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";

export const LOOPBACK = "127.0.0.1";

/** An address of this machine that a packet from elsewhere could come to; loopback where there is none. */
export const OUTER = Object.values(networkInterfaces()).flat().find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? LOOPBACK;

export class UdpPath {
  /** {socket, isLost} by the address of the client, which need not be a loopback one. */
  #flows = new Map();

  /** Stands before the port `target` of loopback; `this.host` and `this.port` are where clients send to. */
  async start({ target, host = LOOPBACK } = {}) {
    this.target = target;
    this.host = host;
    this.socket = createSocket("udp4");
    this.socket.on("message", (packet, client) => this.#flow(client).forward(packet));
    this.socket.bind(0, host);
    await once(this.socket, "listening");
    this.port = this.socket.address().port;
    return this;
  }

  /** Loses all that goes over it now; returns how many clients that hits. */
  lose() {
    const alive = [...this.#flows.values()].filter((flow) => !flow.isLost);
    for (const flow of alive) flow.isLost = true;
    return alive.length;
  }

  stop() {
    this.socket.close();
    for (const { socket } of this.#flows.values()) socket.close();
  }

  #flow({ address, port }) {
    const key = `${address} ${port}`;
    const known = this.#flows.get(key);
    if (known) return known;
    const socket = createSocket("udp4");
    const flow = {
      socket,
      isLost: false,
      forward: (packet) => flow.isLost || socket.send(packet, this.target, LOOPBACK),
    };
    socket.on("message", (packet) => flow.isLost || this.socket.send(packet, port, address));
    this.#flows.set(key, flow);
    return flow;
  }
}
