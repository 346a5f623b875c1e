/**
 * What the parts of the client say to each other. A running shell is never replaced by force, so a
 * newer service worker must understand the version before its own.
 */

/** Version of everything in this file. */
export const PORT_VERSION = 1;
/** Versions that the service worker serves: its own and the one before. */
export const PORT_VERSIONS: readonly number[] = [PORT_VERSION];
/** Body bytes that may be under way on a port in one exchange, each way, before any credit. */
export const PORT_WINDOW = 262_144;

/** Field values are texts of one character per byte, as `Headers` has them. */
export type FieldText = [name: string, value: string];

/** Service worker to tunnel worker, over a port of their own. */
export type ToTunnel =
  | { t: "ping"; token: number }
  | { t: "request"; id: number; method: string; target: string; fields: FieldText[]; body: boolean; cookies: boolean }
  | { t: "chunk"; id: number; bytes: Uint8Array }
  | { t: "end"; id: number }
  /** Gives the exchange up. */
  | { t: "abort"; id: number }
  /** Absolute: bytes of the response that may have been sent in all. */
  | { t: "credit"; id: number; max: number };

/** Tunnel worker to service worker. */
export type FromTunnel =
  | { t: "pong"; token: number }
  /** The request has arrived here (it may have to wait for a session). */
  | { t: "ack"; id: number }
  | { t: "head"; id: number; status: number; fields: FieldText[] }
  | { t: "chunk"; id: number; bytes: Uint8Array }
  /** `total` body bytes were sent; fewer at the other end means that some were lost. */
  | { t: "end"; id: number; total: number }
  | { t: "fail"; id: number; code: string; reason: string }
  /** Absolute: bytes of the request's body that may have been sent in all. */
  | { t: "credit"; id: number; max: number };

/** Shell to tunnel worker. */
export type ToWorker =
  | { type: "connect"; visit: number; channels: RTCDataChannel[] }
  /** A service worker wants to talk through this port. */
  | { type: "serve"; port: MessagePort }
  /** The peer connection of this visit is gone or given up. */
  | { type: "disconnect"; visit: number; reason: string }
  | { type: "cookies"; records: CookieRecord[] };

/** Tunnel worker to shell. */
export type FromWorker =
  /** The agent's HELLO has come. */
  | { type: "open"; visit: number; software: string }
  /** The session takes no new requests; those under way go on. */
  | { type: "draining"; visit: number; reason: string }
  | { type: "closed"; visit: number; code: string; reason: string }
  /** How many exchanges are under way. */
  | { type: "busy"; exchanges: number }
  | { type: "cookies"; records: CookieRecord[] };

/** Shell to service worker. */
export type ToServiceWorker =
  /** Takes control of pages that are not controlled yet. */
  | { p2claw: number; type: "claim" }
  /** A port of the shell's tunnel worker; the port is transferred. */
  | { p2claw: number; type: "port" }
  /** Keeps the service worker alive while something streams through it. */
  | { p2claw: number; type: "alive" };

/** Service worker to shell. */
export type FromServiceWorker =
  /** Hand this port to the tunnel worker. */
  | { p2claw: number; type: "serve" }
  /** The frame asked for an address and keeps its document all the same: a download, or a 204. */
  | { p2claw: number; type: "stays" };

/** One cookie of the jar, or the grave of one (`expires` in the past). */
export interface CookieRecord {
  name: string;
  value: string;
  path: string;
  /** Unix milliseconds; `null` for a session cookie. */
  expires: number | null;
  httpOnly: boolean;
  created: number;
  /** When it was changed; of two records for one cookie the later one holds. */
  stamp: number;
}
