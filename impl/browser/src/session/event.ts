/** What a session is made of and what it tells. */
import type { Field } from "../codec/session-messages.ts";
import type { Settings } from "./settings.ts";

export interface SessionOptions {
  software: string;
  /** What this end offers; the windows are those that it keeps. */
  settings: Settings;
  /** A random number of up to 16 bits; chooses what is sent to test the other end's tolerance. */
  grease?: number;
}

export type SessionEvent =
  /** The other end's HELLO has come. */
  | { kind: "open"; software: string }
  | { kind: "interim"; stream: number; status: number; fields: Field[] }
  | { kind: "response"; stream: number; status: number; fields: Field[] }
  /** `bytes` count against credit until `consume`. */
  | { kind: "data"; stream: number; bytes: Uint8Array }
  | { kind: "end"; stream: number; trailers: Field[] }
  /** A message of a WebSocket, or a part of one; `charge` counts against credit until `consume`. */
  | { kind: "message"; stream: number; data: string | Uint8Array; last: boolean; charge: number }
  /** The other end has closed a WebSocket; code 0: without one. Its own close is due (WSK-021). */
  | { kind: "close"; stream: number; code: number; reason: string }
  /** The response will not come, or not to its end. */
  | { kind: "failed"; stream: number; code: number; reason: string; retry: boolean }
  /** So many more bytes of the request's body or of messages have left the queue. */
  | { kind: "sent"; stream: number; bytes: number }
  /** The other end wants no more of the request's body or of messages. */
  | { kind: "stopped"; stream: number; code: number }
  /** No more requests on this session; those above `lastStream` were not acted upon. */
  | { kind: "draining"; lastStream: number; reason: string }
  | { kind: "closed"; code: number; reason: string; by: "self" | "peer" };
