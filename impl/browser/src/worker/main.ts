/**
 * Tunnel worker: owns the data channels and the session, away from the main thread, which the app may
 * keep busy. Service workers, and WebSockets of pages, talk to it through ports of their own.
 */
import { SharedJar } from "../cookie/shared-jar.ts";
import type { FromWorker, ToWorker } from "../port/messages.ts";
import { SOFTWARE } from "../port/software.ts";
import { Link } from "./link.ts";
import { PortServer } from "./port-server.ts";
import { WaitingRoom } from "./waiting-room.ts";

declare const self: DedicatedWorkerGlobalScope;

const tell = (message: FromWorker): void => self.postMessage(message);
const room = new WaitingRoom();
const environment = { origin: self.location.origin, userAgent: navigator.userAgent, languages: navigator.languages };
const jar = new SharedJar(self.location.hostname, (records) => tell({ type: "cookies", records }));
/** The link of each visit that is not over; the newest one takes new requests. */
const links = new Map<number, Link>();
let newest = 0;
let exchanges = 0;

function count(change: 1 | -1): void {
  exchanges += change;
  tell({ type: "busy", exchanges });
}

function connect(visit: number, channels: RTCDataChannel[]): void {
  newest = visit;
  const link = new Link(channels, SOFTWARE, {
    onReady: () => {
      if (visit === newest) room.use(link);
    },
    onOpen: (software) => tell({ type: "open", visit, software }),
    onDraining: (reason) => tell({ type: "draining", visit, reason }),
    onClosed: (code, reason) => {
      links.delete(visit);
      if (visit === newest) room.use(undefined);
      tell({ type: "closed", visit, code, reason });
    },
    onRoom: () => room.admit(),
  });
  links.set(visit, link);
}

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  switch (message.type) {
    case "connect":
      connect(message.visit, message.channels);
      break;
    case "serve":
      new PortServer(message.port, room, jar, environment, count);
      break;
    case "path":
      links.get(message.visit)?.path(message.lost);
      break;
    case "disconnect":
      links.get(message.visit)?.close("DISCONNECTED", message.reason);
      break;
    case "stop":
      room.stop();
      break;
    case "cookies":
      jar.merge(message.records);
      break;
  }
};
