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
  /** The response will not come, or not to its end. */
  | { kind: "failed"; stream: number; code: number; reason: string; retry: boolean }
  /** So many more bytes of the request's body have left the queue. */
  | { kind: "sent"; stream: number; bytes: number }
  /** The other end wants no more of the request's body. */
  | { kind: "stopped"; stream: number; code: number }
  /** No more requests on this session. */
  | { kind: "draining"; reason: string }
  | { kind: "closed"; code: number; reason: string; by: "self" | "peer" };
