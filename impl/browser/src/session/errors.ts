/** Error codes of frames. Registry: spec/registries/error-codes.csv. */
export const ErrorCode = {
  NO_ERROR: 0,
  INTERNAL: 1,
  PROTOCOL: 2,
  FRAME_SIZE: 3,
  FLOW_CONTROL: 4,
  BAD_MESSAGE: 5,
  CANCELLED: 6,
  REFUSED: 7,
  UPSTREAM_FAILED: 8,
  IDLE_TIMEOUT: 9,
  VERSION: 10,
  EXCESSIVE_LOAD: 11,
  HEAD_TOO_LARGE: 12,
} as const;

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
