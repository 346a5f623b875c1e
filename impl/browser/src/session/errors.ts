/** What can go wrong in a session. */
import { ErrorCode } from "../codec/registry.ts";

export { ErrorCode };

/** The registry's name of `code`, for people. */
export function errorName(code: number): string {
  return Object.entries(ErrorCode).find(([, value]) => value === code)?.[0] ?? `code ${code}`;
}

/** The other end broke the protocol (or a limit): the session is over. */
export class SessionError extends Error {
  override name = "SessionError";
  readonly code: number;
  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

/** The peer broke a rule for which there is no closer code. */
export function protocolError(reason: string): SessionError {
  return new SessionError(ErrorCode.PROTOCOL, reason);
}

/** This request cannot be sent as it is; the session is unharmed. */
export class RequestError extends Error {
  override name = "RequestError";
  readonly code: number;
  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}
