/**
 * What the parts of the client say to each other. A running shell is never replaced by force, so a
 * newer service worker must understand the version before its own.
 */

/** Version of everything in this file. */
export const PORT_VERSION = 1;
/** Versions that the service worker serves: its own and the one before. */
export const PORT_VERSIONS: readonly number[] = [PORT_VERSION];
/** Codes of failures that pass when a session is there again. */
export const PASSING: ReadonlySet<string> = new Set(["NO_SESSION", "NO_SHELL", "SHELL_GONE", "LOST"]);
/** What stands before the token in the fragment of a request that its page can abort. */
export const TOKEN_PREFIX = "#p2claw-";
/** Body bytes that may be under way on a port in one exchange, each way, before any credit. */
export const PORT_WINDOW = 262_144;

/** Which cookies of the jar a request may carry and its response set (RFC 6265bis section 5.8.3). */
export type CookieScope =
  | "none"
  | "all"
  /** A page of another site led here, by a method that changes nothing: `SameSite=Strict` stays back. */
  | "cross-site-safe"
  /** The same by any other method: only `SameSite=None` goes. */
  | "cross-site-unsafe";

/** What a tunnel worker without a session does with a request. */
export type Patience =
  /** It declines. */
  | "none"
  /** It keeps the request while it makes the first session of its tab. */
  | "first"
  /** It keeps the request while a session may still come. */
  | "any";

/** Field values are texts of one character per byte, as `Headers` has them. */
export type FieldText = [name: string, value: string];

/** Service worker to tunnel worker, over a port of their own. */
export type ToTunnel =
  | { t: "ping"; token: number }
  | { t: "request"; id: number; method: string; target: string; fields: FieldText[]; body: boolean; cookies: CookieScope; patience: Patience }
  | { t: "chunk"; id: number; bytes: Uint8Array }
  | { t: "end"; id: number }
  /** Gives the exchange up. */
  | { t: "abort"; id: number }
  /** Absolute: bytes of the response that may have been sent in all. */
  | { t: "credit"; id: number; max: number };

/** Tunnel worker to service worker. */
export type FromTunnel =
  | { t: "pong"; token: number }
  /** The request is taken (it may have to wait for a session). */
  | { t: "ack"; id: number }
  /** Nothing was done with the request, for there is no session; another tab may have one. */
  | { t: "decline"; id: number }
  | { t: "head"; id: number; status: number; fields: FieldText[] }
  | { t: "chunk"; id: number; bytes: Uint8Array }
  /** `total` body bytes were sent; fewer at the other end means that some were lost. */
  | { t: "end"; id: number; total: number }
  | { t: "fail"; id: number; code: string; reason: string }
  /** Absolute: bytes of the request's body that may have been sent in all. */
  | { t: "credit"; id: number; max: number };

/** A WebSocket of a page to the tunnel worker, over a port of its own. */
export type ToSocket =
  /** First of all, and once. */
  | { t: "open"; target: string; protocols: string[] }
  /** A message, or a part of one; the bytes of a text are UTF-8. */
  | { t: "message"; text: boolean; bytes: Uint8Array; last: boolean }
  /** Closes behind the messages; code 0: without one. */
  | { t: "close"; code: number; reason: string }
  /** The page goes away, or has given up before the WebSocket was open. Its last messages may follow. */
  | { t: "gone" }
  /** The page has taken messages of this charge. */
  | { t: "taken"; charge: number };

/** Tunnel worker to a WebSocket of a page. */
export type FromSocket =
  | { t: "accepted"; protocol: string }
  /** A message, or a part of one. */
  | { t: "message"; data: string | Uint8Array; last: boolean; charge: number }
  /** So many more bytes of the page's messages have left. */
  | { t: "sent"; bytes: number }
  /** The last one. `failed`: why there is an error, for people. */
  | { t: "closed"; code: number; reason: string; clean: boolean; failed?: string };

/** Shell to tunnel worker. */
export type ToWorker =
  | { type: "connect"; visit: number; channels: RTCDataChannel[] }
  /** A service worker, or a page with a WebSocket, wants to talk through this port. */
  | { type: "serve"; port: MessagePort }
  /** Packets of this visit's peer connection no longer arrive, or arrive again. */
  | { type: "path"; visit: number; lost: boolean }
  /** The peer connection of this visit is gone or given up. */
  | { type: "disconnect"; visit: number; reason: string }
  /** The tab makes no more sessions. */
  | { type: "stop" }
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
  | { p2claw: number; type: "alive" }
  /** The shell's frame is about to ask for this address, because the app's page in it or the shell says so. */
  | { p2claw: number; type: "expect"; url: string; by: "app" | "shell" }
  /** The frame no longer waits for the address that was expected last. */
  | { p2claw: number; type: "unexpect" }
  /** Answers `whose`. */
  | { p2claw: number; type: "mine"; token: number };

/** A page of the app to the service worker. */
export type PageToServiceWorker =
  /** The request with this token was aborted. */
  | { p2claw: number; type: "abandon"; token: string }
  /** A page that cannot reach its shell has a WebSocket; its port is transferred. */
  | { p2claw: number; type: "socket" };

/** Service worker to a page of the app. */
export type ServiceWorkerToPage =
  /** Which shell's frame are you in? The shell answers with `mine`. */
  { p2claw: number; type: "whose"; token: number };

/** Service worker to shell. */
export type FromServiceWorker =
  /** Hand this port, of the service worker or of a page, to the tunnel worker. */
  | { p2claw: number; type: "serve" }
  /** The frame asked for an address and keeps its document all the same: a download, or a 204. */
  | { p2claw: number; type: "stays"; url: string };

export type SameSite = "strict" | "lax" | "none";

/** One cookie of the jar, or the grave of one (`expires` in the past). */
export interface CookieRecord {
  name: string;
  value: string;
  path: string;
  /** Unix milliseconds; `null` for a session cookie. */
  expires: number | null;
  httpOnly: boolean;
  /** Without one, `lax` holds. */
  sameSite?: SameSite;
  created: number;
  /** When it was changed; of two records for one cookie the later one holds. */
  stamp: number;
}
