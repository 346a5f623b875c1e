//! The numbers of `spec/registries` that signaling and gateways use, and their names.
//!
//! Generated from spec/registries by `python3 scripts/spec-check --write`; do not edit.

use p2claw_proto::v1::SignalCode;

/// The lowest number of grease; such numbers stand for nothing (VER-020).
pub const GREASE_FIRST: u64 = 0x21;

/// The distance from one number of grease to the next.
pub const GREASE_STEP: u64 = 0x1f;

/// The HTTP status of a signal code; registry `spec/registries/signal-codes.csv`.
#[must_use]
pub const fn http_status(code: SignalCode) -> Option<u16> {
    match code {
        SignalCode::Ok => None,
        SignalCode::Malformed => Some(400),
        SignalCode::UnknownKind => None,
        SignalCode::Version => Some(400),
        SignalCode::BadSignature => None,
        SignalCode::Stale => None,
        SignalCode::WrongDomain => None,
        SignalCode::Unexpected => None,
        SignalCode::NameInvalid => None,
        SignalCode::NameReserved => None,
        SignalCode::Limit => Some(429),
        SignalCode::NoSuchAlias => Some(404),
        SignalCode::NoSuchApp => Some(404),
        SignalCode::AgentOffline => Some(503),
        SignalCode::AgentTimeout => Some(504),
        SignalCode::NoSuchVisit => Some(404),
        SignalCode::BadOffer => Some(400),
        SignalCode::Revoked => Some(410),
        SignalCode::ShuttingDown => Some(503),
        SignalCode::Internal => Some(500),
        SignalCode::HeartbeatLost => None,
        SignalCode::CoordUnreachable => Some(502),
    }
}

/// Values of the field `p2claw-error`; registry `spec/registries/http-errors.csv`.
pub mod http_error {
    /// Those of the edge.
    pub mod edge {
        use crate::code::HttpError;

        /// This address answers only through a p2claw client.
        pub const NOT_TUNNELLED: HttpError = HttpError::new("NOT_TUNNELLED", 503);
        /// The request names no host.
        pub const NO_HOST: HttpError = HttpError::new("NO_HOST", 400);
        /// The label below the parent is no host label.
        pub const NO_SUCH_ALIAS: HttpError = HttpError::new("NO_SUCH_ALIAS", 404);
        /// The host is not below the parent of this edge.
        pub const ELSEWHERE: HttpError = HttpError::new("ELSEWHERE", 404);
        /// A path of the edge's own that does not exist.
        pub const NOT_FOUND: HttpError = HttpError::new("NOT_FOUND", 404);
        /// A path of the edge's own with another method than GET or HEAD.
        pub const METHOD: HttpError = HttpError::new("METHOD", 405);
        /// A path below /.well-known/p2claw/ of a version that the edge does not serve.
        pub const VERSION: HttpError = HttpError::new("VERSION", 404);
        /// The edge cannot reach coord; the body is the JSON error of signaling.
        pub const COORD_UNREACHABLE: HttpError = HttpError::new("COORD_UNREACHABLE", 502);
    }
    /// Those of the agent.
    pub mod agent {
        use crate::code::HttpError;

        /// The agent has no route of this name any more.
        pub const NO_SUCH_APP: HttpError = HttpError::new("NO_SUCH_APP", 404);
        /// Nothing accepts connections at the upstream.
        pub const UPSTREAM_UNAVAILABLE: HttpError = HttpError::new("UPSTREAM_UNAVAILABLE", 502);
        /// The upstream hung up or sent no HTTP before its response head was complete.
        pub const UPSTREAM_FAILED: HttpError = HttpError::new("UPSTREAM_FAILED", 502);
        /// The upstream sent no response head within the agent's idle limit.
        pub const UPSTREAM_TIMEOUT: HttpError = HttpError::new("UPSTREAM_TIMEOUT", 504);
        /// The upstream's response head does not fit into one frame or has too many fields.
        pub const HEAD_TOO_LARGE: HttpError = HttpError::new("HEAD_TOO_LARGE", 502);
        /// An extended CONNECT with a protocol that the agent does not know.
        pub const UNSUPPORTED_PROTOCOL: HttpError = HttpError::new("UNSUPPORTED_PROTOCOL", 501);
        /// The upstream answered a WebSocket handshake with success but did not switch protocols or did it wrongly.
        pub const NOT_A_WEBSOCKET: HttpError = HttpError::new("NOT_A_WEBSOCKET", 502);
    }
    /// Those of the visitor.
    pub mod visitor {
        use crate::code::HttpError;

        /// The request head does not fit into one frame.
        pub const REQUEST_HEAD_TOO_LARGE: HttpError = HttpError::new("REQUEST_HEAD_TOO_LARGE", 431);
        /// No session with the agent can be had; nothing of the request has left.
        pub const NO_SESSION: HttpError = HttpError::new("NO_SESSION", 502);
        /// The stream or the session ended before the final response.
        pub const SESSION_LOST: HttpError = HttpError::new("SESSION_LOST", 502);
        /// A request head that cannot travel in a session.
        pub const BAD_REQUEST: HttpError = HttpError::new("BAD_REQUEST", 400);
        /// The request is for a name under which the gateway does not serve.
        pub const WRONG_HOST: HttpError = HttpError::new("WRONG_HOST", 421);
        /// The request comes from a website that is not the app's.
        pub const WRONG_ORIGIN: HttpError = HttpError::new("WRONG_ORIGIN", 403);
    }
}

/// Numbers that the text fixes; registry `spec/registries/limits.csv`.
pub mod limit {
    use std::time::Duration;

    /// Envelope, body of a request, event, in bytes (SIG-002, SIG-015, SIG-020).
    pub const ENVELOPE_MAX: usize = 65_536;
    /// Session description, in bytes (SIG-012).
    pub const DESCRIPTION_MAX: usize = 32_768;
    /// Message where the SDP names no size, in bytes (RTC-007).
    pub const MESSAGE_SIZE_DEFAULT: usize = 65_536;
    /// Message that an SDP has to allow, in bytes (RTC-026).
    pub const MESSAGE_SIZE_LEAST: usize = 16_384;
    /// Candidate, in bytes (SIG-013).
    pub const CANDIDATE_MAX: usize = 1_024;
    /// `sdp_mid` of a candidate, in bytes (SIG-013).
    pub const SDP_MID_MAX: usize = 64;
    /// Candidates of a visit, each way (SIG-013).
    pub const CANDIDATES_MAX: usize = 128;
    /// Challenge, Hello and Welcome together (SIG-003).
    pub const HANDSHAKE: Duration = Duration::from_secs(10);
    /// Time between two heartbeats (SIG-006).
    pub const HEARTBEAT: Duration = Duration::from_secs(15);
    /// Longest time that `Welcome.heartbeat_seconds` can ask for (SIG-006).
    pub const HEARTBEAT_MAX: Duration = Duration::from_secs(60);
    /// Heartbeats without which a link is dead (SIG-006).
    pub const MISSED_HEARTBEATS: u32 = 3;
    /// Messages that coord takes of an agent in a second (SIG-011).
    pub const LINK_PER_SECOND: u32 = 128;
    /// Messages that coord takes of an agent at once (SIG-011).
    pub const LINK_BURST: u32 = 1_024;
    /// Refused routes that a `RouteAck` names (SIG-008).
    pub const REFUSALS_MAX: usize = 64;
    /// Statement in a `VisitAnswer`, in bytes (SIG-016).
    pub const STATEMENT_MAX: usize = 4_096;
    /// Answer to an offer (SIG-014, SIG-016).
    pub const ANSWER: Duration = Duration::from_secs(10);
    /// Stream of a visit, after the answer (SIG-017).
    pub const VISIT_AFTER_ANSWER: Duration = Duration::from_secs(30);
    /// Signaling behind a direct path, for candidates (SIG-030).
    pub const SETTLE: Duration = Duration::from_secs(2);
    /// Signaling behind a relayed path or a restart, for candidates (SIG-030).
    pub const SETTLE_SEARCH: Duration = Duration::from_secs(10);
    /// HELLO, after the answer (SIG-041).
    pub const HELLO_AFTER_ANSWER: Duration = Duration::from_secs(30);
    /// HELLO, after a `VisitEnd` (SIG-041).
    pub const HELLO_AFTER_END: Duration = Duration::from_secs(5);
    /// Restarts of one session at once (SIG-047).
    pub const RESTART_BURST: u32 = 4;
    /// Time in which one more restart is allowed (SIG-047).
    pub const RESTART_INTERVAL: Duration = Duration::from_secs(1);
    /// Restarts by whose ids a session is found (SIG-045).
    pub const RESTART_IDS: usize = 8;
    /// TURN credential (SIG-022, SIG-029).
    pub const TURN_LIFETIME: Duration = Duration::from_secs(3_600);
    /// Random digits in the username of a TURN credential (SIG-022).
    pub const TURN_RANDOM_DIGITS: usize = 16;
    /// Newer TURN credentials, before the older ones end (SIG-048).
    pub const TURN_RENEWAL_LEAD: Duration = Duration::from_secs(600);
    /// `reason`, `detail`, `software`, in bytes (ERR-006).
    pub const SIGNAL_TEXT_KEPT: usize = 256;
    /// Shortest wait before a link is made anew (SIG-010).
    pub const RECONNECT_MIN: Duration = Duration::from_secs(1);
    /// Longest wait before the first attempt to make a link anew (SIG-010).
    pub const RECONNECT_FIRST: Duration = Duration::from_secs(2);
    /// Longest wait before a link is made anew (SIG-010).
    pub const RECONNECT_MAX: Duration = Duration::from_secs(60);
    /// Time on a link that makes the waits start over (SIG-010).
    pub const LINK_HEALTHY: Duration = Duration::from_secs(60);
}
