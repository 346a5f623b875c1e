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
export enum CloseCode {
  /** The exchange has done what it was for. */
  NORMAL_CLOSURE = 1000,
  /** An end goes away: a page is left or a server or agent stops. */
  GOING_AWAY = 1001,
  /** The other end of the WebSocket broke RFC 6455. */
  PROTOCOL_ERROR = 1002,
  /** A kind of message that the end cannot take. */
  UNSUPPORTED_DATA = 1003,
  /** What an application sees of a WS_CLOSE without a code. */
  NO_STATUS = 1005,
  /** What an application sees of a RESET or the end of the session. */
  ABNORMAL_CLOSURE = 1006,
  /** A text that is not UTF-8 or another payload that does not fit its kind. */
  INVALID_PAYLOAD = 1007,
  /** A message that the end does not want. */
  POLICY_VIOLATION = 1008,
  /** A message that is longer than the end takes. */
  MESSAGE_TOO_BIG = 1009,
  /** The server did not agree to an extension that the client needs. */
  MANDATORY_EXTENSION = 1010,
  /** The end failed on its own account. */
  INTERNAL_ERROR = 1011,
  /** The service starts again. */
  SERVICE_RESTART = 1012,
  /** The service has too much to do. */
  TRY_AGAIN_LATER = 1013,
  /** A gateway got an invalid answer from its upstream. */
  BAD_GATEWAY = 1014,
  /** What an application sees when TLS fails. */
  TLS_HANDSHAKE = 1015,
}

/** The close codes that are sent; the others only tell an application what happened (WSK-020). */
export const TRAVELLING: readonly number[] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];

/** Codes of libraries and applications, which travel as well (WSK-020). */
export enum OtherCloseCode {
  MIN = 3_000,
  MAX = 4_999,
}

/* Values of the field `p2claw-error`, with their status. */
/** This address answers only through a p2claw client. */
export const HTTP_NOT_TUNNELLED = { name: "NOT_TUNNELLED", status: 503 } as const;
/** The request names no host. */
export const HTTP_NO_HOST = { name: "NO_HOST", status: 400 } as const;
/** The label below the parent is no host label. */
export const HTTP_NO_SUCH_ALIAS = { name: "NO_SUCH_ALIAS", status: 404 } as const;
/** The host is not below the parent of this edge. */
export const HTTP_ELSEWHERE = { name: "ELSEWHERE", status: 404 } as const;
/** A path of the edge's own that does not exist. */
export const HTTP_NOT_FOUND = { name: "NOT_FOUND", status: 404 } as const;
/** A path of the edge's own with another method than GET or HEAD. */
export const HTTP_METHOD = { name: "METHOD", status: 405 } as const;
/** A path below /.well-known/p2claw/ of a version that the edge does not serve. */
export const HTTP_VERSION = { name: "VERSION", status: 404 } as const;
/** The edge cannot reach coord; the body is the JSON error of signaling. */
export const HTTP_COORD_UNREACHABLE = { name: "COORD_UNREACHABLE", status: 502 } as const;
/** The agent has no route of this name any more. */
export const HTTP_NO_SUCH_APP = { name: "NO_SUCH_APP", status: 404 } as const;
/** Nothing accepts connections at the upstream. */
export const HTTP_UPSTREAM_UNAVAILABLE = { name: "UPSTREAM_UNAVAILABLE", status: 502 } as const;
/** The upstream hung up or sent no HTTP before its response head was complete. */
export const HTTP_UPSTREAM_FAILED = { name: "UPSTREAM_FAILED", status: 502 } as const;
/** The upstream sent no response head within the agent's idle limit. */
export const HTTP_UPSTREAM_TIMEOUT = { name: "UPSTREAM_TIMEOUT", status: 504 } as const;
/** The upstream's response head does not fit into one frame or has too many fields. */
export const HTTP_HEAD_TOO_LARGE = { name: "HEAD_TOO_LARGE", status: 502 } as const;
/** The request head does not fit into one frame. */
export const HTTP_REQUEST_HEAD_TOO_LARGE = { name: "REQUEST_HEAD_TOO_LARGE", status: 431 } as const;
/** No session with the agent can be had; nothing of the request has left. */
export const HTTP_NO_SESSION = { name: "NO_SESSION", status: 502 } as const;
/** The stream or the session ended before the final response. */
export const HTTP_SESSION_LOST = { name: "SESSION_LOST", status: 502 } as const;
/** A request head that cannot travel in a session. */
export const HTTP_BAD_REQUEST = { name: "BAD_REQUEST", status: 400 } as const;
/** The request is for a name under which the gateway does not serve. */
export const HTTP_WRONG_HOST = { name: "WRONG_HOST", status: 421 } as const;
/** The request comes from a website that is not the app's. */
export const HTTP_WRONG_ORIGIN = { name: "WRONG_ORIGIN", status: 403 } as const;
/** An extended CONNECT with a protocol that the agent does not know. */
export const HTTP_UNSUPPORTED_PROTOCOL = { name: "UNSUPPORTED_PROTOCOL", status: 501 } as const;
/** The upstream answered a WebSocket handshake with success but did not switch protocols or did it wrongly. */
export const HTTP_NOT_A_WEBSOCKET = { name: "NOT_A_WEBSOCKET", status: 502 } as const;

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

/** Numbers that the text fixes. */
export enum Limit {
  /** Longest app name, in characters (NAM-001). */
  APP_NAME_MAX = 32,
  /** Shortest word of a haiku alias (NAM-005). */
  ALIAS_WORD_MIN = 3,
  /** Longest word of a haiku alias (NAM-005). */
  ALIAS_WORD_MAX = 10,
  /** Number of a haiku alias (NAM-005, NAM-013). */
  ALIAS_DIGITS = 4,
  /** Groups of a haiku alias (NAM-013). */
  HAIKU_GROUPS = 3,
  /** Shortest vanity alias, in characters (NAM-006). */
  VANITY_MIN = 3,
  /** Longest alias, in characters (NAM-006). */
  ALIAS_MAX = 30,
  /** Host label, in characters (NAM-012). */
  HOST_LABEL_MAX = 63,
  /** Each list of words of aliases (NAM-009). */
  ALIAS_WORDS = 512,
  /** Public key of Ed25519, in bytes (IDN-002, IDN-007). */
  PUBLIC_KEY_BYTES = 32,
  /** Peer id, in characters (IDN-002). */
  PEER_ID_CHARACTERS = 52,
  /** Signature of Ed25519, in bytes (IDN-007). */
  SIGNATURE_BYTES = 64,
  /** Nonce, in bytes (IDN-012, IDN-014, IDN-016, SIG-020). */
  NONCE_BYTES = 32,
  /** Session id, in bytes (BWS-011, SIG-014, SIG-026, SIG-044). */
  SESSION_ID_BYTES = 16,
  /** Envelope, body of a request, event, in bytes (SIG-002, SIG-015, SIG-020). */
  ENVELOPE_MAX = 65_536,
  /** Session description, in bytes (SIG-012). */
  DESCRIPTION_MAX = 32_768,
  /** Message where the SDP names no size, in bytes (RTC-007). */
  MESSAGE_SIZE_DEFAULT = 65_536,
  /** Message that an SDP has to allow, in bytes (RTC-026). */
  MESSAGE_SIZE_LEAST = 16_384,
  /** Candidate, in bytes (SIG-013). */
  CANDIDATE_MAX = 1_024,
  /** `sdp_mid` of a candidate, in bytes (SIG-013). */
  SDP_MID_MAX = 64,
  /** Candidates of a visit, each way (SIG-013). */
  CANDIDATES_MAX = 128,
  /** Challenge, Hello and Welcome together, in milliseconds (SIG-003). */
  HANDSHAKE_MS = 10_000,
  /** Time between two heartbeats, in milliseconds (SIG-006). */
  HEARTBEAT_MS = 15_000,
  /** Longest time that `Welcome.heartbeat_seconds` can ask for, in milliseconds (SIG-006). */
  HEARTBEAT_MAX_MS = 60_000,
  /** Heartbeats without which a link is dead (SIG-006). */
  MISSED_HEARTBEATS = 3,
  /** Messages that coord takes of an agent in a second (SIG-011). */
  LINK_PER_SECOND = 128,
  /** Messages that coord takes of an agent at once (SIG-011). */
  LINK_BURST = 1_024,
  /** Refused routes that a `RouteAck` names (SIG-008). */
  REFUSALS_MAX = 64,
  /** Statement in a `VisitAnswer`, in bytes (SIG-016). */
  STATEMENT_MAX = 4_096,
  /** Answer to an offer, in milliseconds (SIG-014, SIG-016). */
  ANSWER_MS = 10_000,
  /** Stream of a visit, after the answer, in milliseconds (SIG-017). */
  VISIT_AFTER_ANSWER_MS = 30_000,
  /** Signaling behind a direct path, for candidates, in milliseconds (SIG-030). */
  SETTLE_MS = 2_000,
  /** Signaling behind a relayed path or a restart, for candidates, in milliseconds (SIG-030). */
  SETTLE_SEARCH_MS = 10_000,
  /** HELLO, after the answer, in milliseconds (SIG-041). */
  HELLO_AFTER_ANSWER_MS = 30_000,
  /** HELLO, after a `VisitEnd`, in milliseconds (SIG-041). */
  HELLO_AFTER_END_MS = 5_000,
  /** Difference of clocks, in milliseconds (IDN-011, IDN-017). */
  CLOCK_SKEW_MS = 60_000,
  /** Expiry of a statement about a visit, in milliseconds (BWS-011, IDN-013, IDN-017). */
  STATEMENT_LIFETIME_MS = 60_000,
  /** Restarts of one session at once (SIG-047). */
  RESTART_BURST = 4,
  /** Time in which one more restart is allowed, in milliseconds (SIG-047). */
  RESTART_INTERVAL_MS = 1_000,
  /** Restarts by whose ids a session is found (SIG-045). */
  RESTART_IDS = 8,
  /** TURN credential, in milliseconds (SIG-022, SIG-029). */
  TURN_LIFETIME_MS = 3_600_000,
  /** Random digits in the username of a TURN credential (SIG-022). */
  TURN_RANDOM_DIGITS = 16,
  /** Newer TURN credentials, before the older ones end, in milliseconds (SIG-048). */
  TURN_RENEWAL_LEAD_MS = 600_000,
  /** `reason`, `detail`, `software`, in bytes (ERR-006). */
  SIGNAL_TEXT_KEPT = 256,
  /** Shortest wait before a link is made anew, in milliseconds (SIG-010). */
  RECONNECT_MIN_MS = 1_000,
  /** Longest wait before the first attempt to make a link anew, in milliseconds (SIG-010). */
  RECONNECT_FIRST_MS = 2_000,
  /** Longest wait before a link is made anew, in milliseconds (SIG-010). */
  RECONNECT_MAX_MS = 60_000,
  /** Time on a link that makes the waits start over, in milliseconds (SIG-010). */
  LINK_HEALTHY_MS = 60_000,
  /** Fields of a head (HTP-041, SES-036). */
  FIELDS_MAX = 256,
  /** Head of an upstream's response, in bytes (HTP-041). */
  UPSTREAM_HEAD_MAX = 65_536,
  /** Digits of `content-length` (SES-037). */
  LENGTH_DIGITS = 15,
  /** Interim responses of a stream (HTP-004, SES-021). */
  INTERIM_MAX = 4,
  /** What a frame of a message counts, in bytes (SES-040). */
  MESSAGE_CHARGE = 64,
  /** Reason of a WebSocket's close, in bytes (WSK-020). */
  CLOSE_REASON_MAX = 123,
  /** Own WS_CLOSE, behind the other end's, in milliseconds (WSK-021). */
  CLOSE_ANSWER_MS = 10_000,
  /** `reason` in RESET and GOAWAY, in bytes (ERR-005). */
  REASON_KEPT = 256,
  /** `software` in HELLO, in bytes. */
  SOFTWARE_KEPT = 128,
  /** Silence before a PING, in milliseconds (SES-060, SES-062). */
  PING_AFTER_MS = 15_000,
  /** PINGs without any answer (SES-062). */
  PINGS_MAX = 3,
  /** Time without a path, in milliseconds (SES-063). */
  PATH_GRACE_MS = 30_000,
  /** Counts that a peer may always cause at once (SES-094). */
  LOAD_BURST = 1_000,
  /** Counts that a peer may always cause in a second (SES-094). */
  LOAD_PER_SECOND = 100,
  /** PINGs that wait for their PONG (SES-094). */
  LOAD_PINGS = 16,
  /** What a frame that brings nothing counts. */
  LOAD_FRAME = 1,
  /** What a stream that brings nothing counts. */
  LOAD_STREAM = 2,
  /** Body bytes for which a CREDIT counts nothing, in bytes. */
  LOAD_CREDIT_BYTES = 1_024,
  /** Bytes queued in the transport (BQC-008, BWS-008, RTC-014). */
  TRANSPORT_QUEUE = 262_144,
  /** Lanes that an end makes (RTC-003). */
  LANES_MADE = 4,
  /** Time between two checks that is asked for, in milliseconds (RTC-021). */
  PACING_WANTED_MS = 20,
  /** Time between two checks where nothing is asked for, in milliseconds (RTC-021). */
  PACING_USUAL_MS = 50,
  /** Path lost, or relayed instead of direct, before a restart, in milliseconds (RTC-019). */
  RESTART_AFTER_MS = 2_000,
  /** From one restart for a lost path to the next, in milliseconds (RTC-019). */
  RESTART_EVERY_MS = 5_000,
  /** From one restart for a direct path to the next, in milliseconds (RTC-019). */
  DETOUR_EVERY_MS = 15_000,
  /** Further restarts for a direct path that the agent does not answer (RTC-019). */
  DETOUR_REPEATS = 2,
  /** Checks for a direct path beside a relayed one, in milliseconds (RTC-022). */
  RELAY_SEARCH_MS = 10_000,
  /** Sending to an address, behind its last answer, in milliseconds (RTC-024). */
  CONSENT_END_MS = 30_000,
  /** Wait for the other end's acknowledgement before a close, in milliseconds (RTC-025). */
  LINGER_MS = 2_000,
  /** Cookies that a jar holds at least (BRO-047). */
  COOKIES_MIN = 50,
  /** Longest name and value of a cookie that is kept at least, in characters (BRO-047). */
  COOKIE_MAX = 4_096,
}

/** Grease: the numbers `GREASE_FIRST + n * GREASE_STEP` stand for nothing (VER-020). */
export const GREASE_FIRST = 0x21;
export const GREASE_STEP = 0x1f;
