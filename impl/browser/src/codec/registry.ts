/** The numbers of spec/registries, and their names. Generated from spec/registries by `python3 scripts/spec-check --write`; do not edit. */

/** Frame types. */
export const FrameType = {
  /** Versions and settings; first frame each way on lane 0. */
  HELLO: 0x01,
  /** Opens a stream. */
  REQUEST: 0x02,
  /** One interim or final response head. */
  RESPONSE: 0x03,
  /** Body bytes; at least one. */
  DATA: 0x04,
  /** Last body bytes; may be empty; ends the body. */
  DATA_END: 0x05,
  /** Trailer fields; ends the body. */
  TRAILERS: 0x06,
  /** The sender of a body gives it up. */
  RESET: 0x07,
  /** The receiver of a body asks its sender to give it up. */
  STOP: 0x08,
  /** Body bytes that may have been sent in all. */
  CREDIT: 0x09,
  /** Asks for a PONG. */
  PING: 0x0a,
  /** Answers a PING with the same token. */
  PONG: 0x0b,
  /** No further streams; with a code other than 0 the session is over. */
  GOAWAY: 0x0c,
  /** The last or only part of a text message; may be empty. */
  WS_TEXT: 0x10,
  /** The last or only part of a binary message; may be empty. */
  WS_BINARY: 0x11,
  /** A part of a text message that goes on; at least one byte. */
  WS_TEXT_PART: 0x12,
  /** A part of a binary message that goes on; at least one byte. */
  WS_BINARY_PART: 0x13,
  /** Close code and reason; ends this half of a WebSocket. */
  WS_CLOSE: 0x14,
} as const;

/** Codes of RESET, STOP and GOAWAY. */
export const ErrorCode = {
  /** Nothing is wrong; a drain or an exchange that is no longer wanted. */
  NO_ERROR: 0,
  /** The sender of the code failed on its own account. */
  INTERNAL: 1,
  /** The peer broke a rule for which there is no closer code. */
  PROTOCOL: 2,
  /** A frame was longer than agreed. */
  FRAME_SIZE: 3,
  /** Body bytes beyond the credit. */
  FLOW_CONTROL: 4,
  /** A head or a body that breaks the rules of HTTP. */
  BAD_MESSAGE: 5,
  /** The caller no longer wants the exchange. */
  CANCELLED: 6,
  /** Not acted upon; safe to retry. */
  REFUSED: 7,
  /** The upstream hung up before its message was complete. */
  UPSTREAM_FAILED: 8,
  /** Nothing came for too long. */
  IDLE_TIMEOUT: 9,
  /** No version in common. */
  VERSION: 10,
  /** The peer costs more than it is allowed to. */
  EXCESSIVE_LOAD: 11,
  /** A head that does not fit into one frame. */
  HEAD_TOO_LARGE: 12,
} as const;

/** Settings of a HELLO. A `max` of Infinity is that of the 64 bits on the wire. */
export const SETTINGS = {
  /** Longest frame that the sender accepts once both ends have said so. */
  maxFrame: { id: 0x1, default: 16_384, min: 16_384, max: 65_536 },
  /** Credit that every stream starts with. */
  initialStreamCredit: { id: 0x2, default: 65_536, min: 65_536, max: Infinity },
  /** Credit that the session starts with. */
  initialSessionCredit: { id: 0x3, default: 262_144, min: 262_144, max: Infinity },
  /** Streams that the agent serves at a time; sent by the agent. */
  maxStreams: { id: 0x4, default: 100, min: 100, max: Infinity },
  /** Lanes that the sender uses. */
  lanes: { id: 0x5, default: 1, min: 1, max: 16 },
  /** Content codings that the sender decodes: 1 gzip; 2 deflate. */
  encodings: { id: 0x6, default: 0, min: 0, max: Infinity },
} as const;

/** Close codes of a WebSocket. */
export const CloseCode = {
  /** The exchange has done what it was for. */
  NORMAL_CLOSURE: 1000,
  /** An end goes away: a page is left or a server or agent stops. */
  GOING_AWAY: 1001,
  /** The other end of the WebSocket broke RFC 6455. */
  PROTOCOL_ERROR: 1002,
  /** A kind of message that the end cannot take. */
  UNSUPPORTED_DATA: 1003,
  /** What an application sees of a WS_CLOSE without a code. */
  NO_STATUS: 1005,
  /** What an application sees of a RESET or the end of the session. */
  ABNORMAL_CLOSURE: 1006,
  /** A text that is not UTF-8 or another payload that does not fit its kind. */
  INVALID_PAYLOAD: 1007,
  /** A message that the end does not want. */
  POLICY_VIOLATION: 1008,
  /** A message that is longer than the end takes. */
  MESSAGE_TOO_BIG: 1009,
  /** The server did not agree to an extension that the client needs. */
  MANDATORY_EXTENSION: 1010,
  /** The end failed on its own account. */
  INTERNAL_ERROR: 1011,
  /** The service starts again. */
  SERVICE_RESTART: 1012,
  /** The service has too much to do. */
  TRY_AGAIN_LATER: 1013,
  /** A gateway got an invalid answer from its upstream. */
  BAD_GATEWAY: 1014,
  /** What an application sees when TLS fails. */
  TLS_HANDSHAKE: 1015,
} as const;

/** The close codes that are sent; the others only tell an application what happened (WSK-020). */
export const TRAVELLING: readonly number[] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];

/** Names of signal codes, by number. */
export const SIGNAL_CODES = [
  "OK", "MALFORMED", "UNKNOWN_KIND", "VERSION", "BAD_SIGNATURE", "STALE", "WRONG_DOMAIN", "UNEXPECTED",
  "NAME_INVALID", "NAME_RESERVED", "LIMIT", "NO_SUCH_ALIAS", "NO_SUCH_APP", "AGENT_OFFLINE", "AGENT_TIMEOUT",
  "NO_SUCH_VISIT", "BAD_OFFER", "REVOKED", "SHUTTING_DOWN", "INTERNAL", "HEARTBEAT_LOST", "COORD_UNREACHABLE",
] as const;

/** Names that no app may have. */
export const RESERVED_NAMES = [
  "www", "api", "admin", "auth", "login", "account", "accounts", "mail", "ftp", "ssh", "p2claw", "peer",
  "sys", "internal", "static", "status", "health", "default",
] as const;

/** Grease: the numbers `GREASE_FIRST + n * GREASE_STEP` stand for nothing (VER-020). */
export const GREASE_FIRST = 0x21;
export const GREASE_STEP = 0x1f;
