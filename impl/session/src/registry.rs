//! The numbers of `spec/registries`, and their names.
//!
//! Generated from spec/registries by `python3 scripts/spec-check --write`; do not edit.

use crate::error::{ErrorCode, Fault};

/// The lowest number of grease; such numbers stand for nothing (VER-020).
pub const GREASE_FIRST: u64 = 0x21;

/// The distance from one number of grease to the next.
pub const GREASE_STEP: u64 = 0x1f;

/// A frame type of the registry `spec/registries/frame-types.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// Versions and settings; first frame each way on lane 0.
    Hello,
    /// Opens a stream.
    Request,
    /// One interim or final response head.
    Response,
    /// Body bytes; at least one.
    Data,
    /// Last body bytes; may be empty; ends the body.
    DataEnd,
    /// Trailer fields; ends the body.
    Trailers,
    /// The sender of a body gives it up.
    Reset,
    /// The receiver of a body asks its sender to give it up.
    Stop,
    /// Body bytes that may have been sent in all.
    Credit,
    /// Asks for a PONG.
    Ping,
    /// Answers a PING with the same token.
    Pong,
    /// No further streams; with a code other than 0 the session is over.
    GoAway,
    /// The last or only part of a text message; may be empty.
    WsText,
    /// The last or only part of a binary message; may be empty.
    WsBinary,
    /// A part of a text message that goes on; at least one byte.
    WsTextPart,
    /// A part of a binary message that goes on; at least one byte.
    WsBinaryPart,
    /// Close code and reason; ends this half of a WebSocket.
    WsClose,
}

impl FrameType {
    /// Every registered type, in the order of the registry.
    pub const ALL: &'static [Self] = &[
        Self::Hello,
        Self::Request,
        Self::Response,
        Self::Data,
        Self::DataEnd,
        Self::Trailers,
        Self::Reset,
        Self::Stop,
        Self::Credit,
        Self::Ping,
        Self::Pong,
        Self::GoAway,
        Self::WsText,
        Self::WsBinary,
        Self::WsTextPart,
        Self::WsBinaryPart,
        Self::WsClose,
    ];

    /// The type with this number, `None` if it is not registered.
    pub const fn from_wire(value: u64) -> Option<Self> {
        match value {
            0x01 => Some(Self::Hello),
            0x02 => Some(Self::Request),
            0x03 => Some(Self::Response),
            0x04 => Some(Self::Data),
            0x05 => Some(Self::DataEnd),
            0x06 => Some(Self::Trailers),
            0x07 => Some(Self::Reset),
            0x08 => Some(Self::Stop),
            0x09 => Some(Self::Credit),
            0x0a => Some(Self::Ping),
            0x0b => Some(Self::Pong),
            0x0c => Some(Self::GoAway),
            0x10 => Some(Self::WsText),
            0x11 => Some(Self::WsBinary),
            0x12 => Some(Self::WsTextPart),
            0x13 => Some(Self::WsBinaryPart),
            0x14 => Some(Self::WsClose),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn wire(self) -> u64 {
        match self {
            Self::Hello => 0x01,
            Self::Request => 0x02,
            Self::Response => 0x03,
            Self::Data => 0x04,
            Self::DataEnd => 0x05,
            Self::Trailers => 0x06,
            Self::Reset => 0x07,
            Self::Stop => 0x08,
            Self::Credit => 0x09,
            Self::Ping => 0x0a,
            Self::Pong => 0x0b,
            Self::GoAway => 0x0c,
            Self::WsText => 0x10,
            Self::WsBinary => 0x11,
            Self::WsTextPart => 0x12,
            Self::WsBinaryPart => 0x13,
            Self::WsClose => 0x14,
        }
    }

    /// The name in the registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Request => "REQUEST",
            Self::Response => "RESPONSE",
            Self::Data => "DATA",
            Self::DataEnd => "DATA_END",
            Self::Trailers => "TRAILERS",
            Self::Reset => "RESET",
            Self::Stop => "STOP",
            Self::Credit => "CREDIT",
            Self::Ping => "PING",
            Self::Pong => "PONG",
            Self::GoAway => "GOAWAY",
            Self::WsText => "WS_TEXT",
            Self::WsBinary => "WS_BINARY",
            Self::WsTextPart => "WS_TEXT_PART",
            Self::WsBinaryPart => "WS_BINARY_PART",
            Self::WsClose => "WS_CLOSE",
        }
    }
}

impl ErrorCode {
    /// Nothing is wrong; a drain or an exchange that is no longer wanted.
    pub const NO_ERROR: Self = Self::new(0);
    /// The sender of the code failed on its own account.
    pub const INTERNAL: Self = Self::new(1);
    /// The peer broke a rule for which there is no closer code.
    pub const PROTOCOL: Self = Self::new(2);
    /// A frame was longer than agreed.
    pub const FRAME_SIZE: Self = Self::new(3);
    /// Body bytes beyond the credit.
    pub const FLOW_CONTROL: Self = Self::new(4);
    /// A head or a body that breaks the rules of HTTP.
    pub const BAD_MESSAGE: Self = Self::new(5);
    /// The caller no longer wants the exchange.
    pub const CANCELLED: Self = Self::new(6);
    /// Not acted upon; safe to retry.
    pub const REFUSED: Self = Self::new(7);
    /// The upstream hung up before its message was complete.
    pub const UPSTREAM_FAILED: Self = Self::new(8);
    /// Nothing came for too long.
    pub const IDLE_TIMEOUT: Self = Self::new(9);
    /// No version in common.
    pub const VERSION: Self = Self::new(10);
    /// The peer costs more than it is allowed to.
    pub const EXCESSIVE_LOAD: Self = Self::new(11);
    /// A head that does not fit into one frame.
    pub const HEAD_TOO_LARGE: Self = Self::new(12);

    /// Every registered code, in the order of the registry.
    pub const REGISTERED: &'static [Self] = &[
        Self::NO_ERROR,
        Self::INTERNAL,
        Self::PROTOCOL,
        Self::FRAME_SIZE,
        Self::FLOW_CONTROL,
        Self::BAD_MESSAGE,
        Self::CANCELLED,
        Self::REFUSED,
        Self::UPSTREAM_FAILED,
        Self::IDLE_TIMEOUT,
        Self::VERSION,
        Self::EXCESSIVE_LOAD,
        Self::HEAD_TOO_LARGE,
    ];

    /// The registry's name, `UNKNOWN` for a code that is not in it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NO_ERROR => "NO_ERROR",
            Self::INTERNAL => "INTERNAL",
            Self::PROTOCOL => "PROTOCOL",
            Self::FRAME_SIZE => "FRAME_SIZE",
            Self::FLOW_CONTROL => "FLOW_CONTROL",
            Self::BAD_MESSAGE => "BAD_MESSAGE",
            Self::CANCELLED => "CANCELLED",
            Self::REFUSED => "REFUSED",
            Self::UPSTREAM_FAILED => "UPSTREAM_FAILED",
            Self::IDLE_TIMEOUT => "IDLE_TIMEOUT",
            Self::VERSION => "VERSION",
            Self::EXCESSIVE_LOAD => "EXCESSIVE_LOAD",
            Self::HEAD_TOO_LARGE => "HEAD_TOO_LARGE",
            _ => "UNKNOWN",
        }
    }

    /// Whose fault it is, seen from the end that sent the code.
    pub const fn fault(self) -> Fault {
        match self {
            Self::NO_ERROR => Fault::Caller,
            Self::INTERNAL => Fault::Own,
            Self::PROTOCOL => Fault::Peer,
            Self::FRAME_SIZE => Fault::Peer,
            Self::FLOW_CONTROL => Fault::Peer,
            Self::BAD_MESSAGE => Fault::Peer,
            Self::CANCELLED => Fault::Caller,
            Self::REFUSED => Fault::Limit,
            Self::UPSTREAM_FAILED => Fault::Upstream,
            Self::IDLE_TIMEOUT => Fault::Peer,
            Self::VERSION => Fault::Peer,
            Self::EXCESSIVE_LOAD => Fault::Peer,
            Self::HEAD_TOO_LARGE => Fault::Limit,
            // An unknown code counts as INTERNAL (VER-015).
            _ => Fault::Own,
        }
    }
}

/// Settings of a HELLO; registry `spec/registries/settings.csv`.
pub mod setting {
    /// Longest frame that the sender accepts once both ends have said so.
    pub mod max_frame {
        /// The setting's number.
        pub const ID: u64 = 0x1;
        /// What holds without the setting, in bytes.
        pub const DEFAULT: usize = 16_384;
        /// The lowest value allowed.
        pub const MIN: usize = 16_384;
        /// The highest value allowed.
        pub const MAX: usize = 65_536;
    }

    /// Credit that every stream starts with.
    pub mod initial_stream_credit {
        /// The setting's number.
        pub const ID: u64 = 0x2;
        /// What holds without the setting, in bytes.
        pub const DEFAULT: u64 = 65_536;
        /// The lowest value allowed.
        pub const MIN: u64 = 65_536;
        /// The highest value allowed.
        pub const MAX: u64 = u64::MAX;
    }

    /// Credit that the session starts with.
    pub mod initial_session_credit {
        /// The setting's number.
        pub const ID: u64 = 0x3;
        /// What holds without the setting, in bytes.
        pub const DEFAULT: u64 = 262_144;
        /// The lowest value allowed.
        pub const MIN: u64 = 262_144;
        /// The highest value allowed.
        pub const MAX: u64 = u64::MAX;
    }

    /// Streams that the agent serves at a time; sent by the agent.
    pub mod max_streams {
        /// The setting's number.
        pub const ID: u64 = 0x4;
        /// What holds without the setting, in streams.
        pub const DEFAULT: u64 = 100;
        /// The lowest value allowed.
        pub const MIN: u64 = 100;
        /// The highest value allowed.
        pub const MAX: u64 = u64::MAX;
    }

    /// Lanes that the sender uses.
    pub mod lanes {
        /// The setting's number.
        pub const ID: u64 = 0x5;
        /// What holds without the setting, in lanes.
        pub const DEFAULT: u8 = 1;
        /// The lowest value allowed.
        pub const MIN: u8 = 1;
        /// The highest value allowed.
        pub const MAX: u8 = 16;
    }

    /// Content codings that the sender decodes: 1 gzip; 2 deflate.
    pub mod encodings {
        /// The setting's number.
        pub const ID: u64 = 0x6;
        /// What holds without the setting, a bit mask.
        pub const DEFAULT: u64 = 0;
        /// The lowest value allowed.
        pub const MIN: u64 = 0;
        /// The highest value allowed.
        pub const MAX: u64 = u64::MAX;
    }
}

/// Close codes of a WebSocket; registry `spec/registries/close-codes.csv`.
pub mod close_code {
    use std::ops::RangeInclusive;

    /// The exchange has done what it was for.
    pub const NORMAL_CLOSURE: u16 = 1000;
    /// An end goes away: a page is left or a server or agent stops.
    pub const GOING_AWAY: u16 = 1001;
    /// The other end of the WebSocket broke RFC 6455.
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// A kind of message that the end cannot take.
    pub const UNSUPPORTED_DATA: u16 = 1003;
    /// What an application sees of a WS_CLOSE without a code.
    pub const NO_STATUS: u16 = 1005;
    /// What an application sees of a RESET or the end of the session.
    pub const ABNORMAL_CLOSURE: u16 = 1006;
    /// A text that is not UTF-8 or another payload that does not fit its kind.
    pub const INVALID_PAYLOAD: u16 = 1007;
    /// A message that the end does not want.
    pub const POLICY_VIOLATION: u16 = 1008;
    /// A message that is longer than the end takes.
    pub const MESSAGE_TOO_BIG: u16 = 1009;
    /// The server did not agree to an extension that the client needs.
    pub const MANDATORY_EXTENSION: u16 = 1010;
    /// The end failed on its own account.
    pub const INTERNAL_ERROR: u16 = 1011;
    /// The service starts again.
    pub const SERVICE_RESTART: u16 = 1012;
    /// The service has too much to do.
    pub const TRY_AGAIN_LATER: u16 = 1013;
    /// A gateway got an invalid answer from its upstream.
    pub const BAD_GATEWAY: u16 = 1014;
    /// What an application sees when TLS fails.
    pub const TLS_HANDSHAKE: u16 = 1015;

    /// The codes that are sent; the others only tell an application what happened (WSK-020).
    pub const TRAVEL: &[u16] = &[
        NORMAL_CLOSURE,
        GOING_AWAY,
        PROTOCOL_ERROR,
        UNSUPPORTED_DATA,
        INVALID_PAYLOAD,
        POLICY_VIOLATION,
        MESSAGE_TOO_BIG,
        MANDATORY_EXTENSION,
        INTERNAL_ERROR,
        SERVICE_RESTART,
        TRY_AGAIN_LATER,
        BAD_GATEWAY,
    ];

    /// Codes of libraries and applications, which travel as well (WSK-020).
    pub const OTHERS: RangeInclusive<u16> = 3_000..=4_999;
}

/// Numbers that the text fixes; registry `spec/registries/limits.csv`.
pub mod limit {
    use std::time::Duration;

    /// Fields of a head (HTP-041, SES-036).
    pub const FIELDS_MAX: usize = 256;
    /// Head of an upstream's response, in bytes (HTP-041).
    pub const UPSTREAM_HEAD_MAX: usize = 65_536;
    /// Digits of `content-length` (SES-037).
    pub const LENGTH_DIGITS: usize = 15;
    /// Interim responses of a stream (HTP-004, SES-021).
    pub const INTERIM_MAX: u8 = 4;
    /// What a frame of a message counts, in bytes (SES-040).
    pub const MESSAGE_CHARGE: usize = 64;
    /// Reason of a WebSocket's close, in bytes (WSK-020).
    pub const CLOSE_REASON_MAX: usize = 123;
    /// Own WS_CLOSE, behind the other end's (WSK-021).
    pub const CLOSE_ANSWER: Duration = Duration::from_secs(10);
    /// `reason` in RESET and GOAWAY, in bytes (ERR-005).
    pub const REASON_KEPT: usize = 256;
    /// `software` in HELLO, in bytes.
    pub const SOFTWARE_KEPT: usize = 128;
    /// Silence before a PING (SES-060, SES-062).
    pub const PING_AFTER: Duration = Duration::from_secs(15);
    /// PINGs without any answer (SES-062).
    pub const PINGS_MAX: u8 = 3;
    /// Time without a path (SES-063).
    pub const PATH_GRACE: Duration = Duration::from_secs(30);
    /// Counts that a peer may always cause at once (SES-094).
    pub const LOAD_BURST: u32 = 1_000;
    /// Counts that a peer may always cause in a second (SES-094).
    pub const LOAD_PER_SECOND: u32 = 100;
    /// PINGs that wait for their PONG (SES-094).
    pub const LOAD_PINGS: usize = 16;
    /// What a frame that brings nothing counts.
    pub const LOAD_FRAME: u32 = 1;
    /// What a stream that brings nothing counts.
    pub const LOAD_STREAM: u32 = 2;
    /// Body bytes for which a CREDIT counts nothing, in bytes.
    pub const LOAD_CREDIT_BYTES: u64 = 1_024;
    /// Bytes queued in the transport (BQC-008, BWS-008, RTC-014).
    pub const TRANSPORT_QUEUE: usize = 262_144;
}
