//! Every limit of a session, with its unit and where it comes from. Together they bound every queue
//! and all memory, whatever the peer does (SES-093): see [`worst_case_memory`].

use std::time::Duration;

use crate::registry::{limit, setting};
use crate::{Config, Role};

/// Lanes of one session; spec/v1/session.md, registry settings 0x5.
pub const LANES_MAX: u8 = setting::lanes::MAX;

/// Largest number that a varint carries; RFC 9000 section 16.
pub const VARINT_MAX: u64 = (1 << 62) - 1;

/// Bytes of one frame, header included, before both HELLOs allow more: the largest message that
/// every WebRTC stack is known to carry without fragmenting on its side (SES-003).
pub const FRAME_DEFAULT: usize = setting::max_frame::DEFAULT;

/// Bytes of one frame, header included, that two ends may agree on: the SDP default of
/// max-message-size (RFC 8841 section 6.1) (SES-003).
pub const FRAME_MAX: usize = setting::max_frame::MAX;

/// Body bytes per stream before any CREDIT; RFC 9113 section 6.9.2 has 65,535 (SES-043).
pub const STREAM_CREDIT_DEFAULT: u64 = setting::initial_stream_credit::DEFAULT;

/// Body bytes per session before any CREDIT: four default streams (SES-043).
pub const SESSION_CREDIT_DEFAULT: u64 = setting::initial_session_credit::DEFAULT;

/// Streams at the same time before the agent's HELLO; RFC 9113 section 6.5.2 asks for 100 or more.
pub const STREAMS_DEFAULT: u64 = setting::max_streams::DEFAULT;

/// Streams at the same time that this implementation ever keeps, whatever the peer allows.
pub const STREAMS_MAX: u64 = 4_096;

/// Body bytes of one response that may wait for the application: a megabyte keeps 100 Mbit/s
/// busy over 80 ms.
pub const RESPONSE_WINDOW: u64 = 1 << 20;

/// Body bytes of one request that may wait for the upstream.
pub const REQUEST_WINDOW: u64 = 256 << 10;

/// Body bytes of the whole session that may wait for the application: the windows of all streams
/// together, or streams that nobody reads would stop the others (SES-046).
pub const SESSION_WINDOW: u64 = STREAMS_DEFAULT * RESPONSE_WINDOW;

/// Largest window of a stream or a session that can be configured, in bytes.
pub const WINDOW_MAX: u64 = 256 << 20;

/// Bytes per stream that the application may hand over before the lane takes them: four frames.
pub const SEND_BUFFER: usize = 64 << 10;

/// Largest send buffer that can be configured, in bytes per stream.
pub const SEND_BUFFER_MAX: usize = 16 << 20;

/// Pieces per stream in the send buffer, so that many tiny ones stay bounded too.
pub const SEND_CHUNKS_MAX: usize = 256;

/// What a message or a part of one counts against the credit besides its bytes, so that credit
/// bounds short messages too (SES-040).
pub const MESSAGE_CHARGE: usize = limit::MESSAGE_CHARGE;

/// Bytes of the reason with which a WebSocket is closed; RFC 6455 section 5.5 (WSK-020).
pub const CLOSE_REASON_MAX: usize = limit::CLOSE_REASON_MAX;

/// How long a session goes on without a path to its peer (SES-063).
pub const PATH_GRACE: Duration = limit::PATH_GRACE;

/// Received pieces below this many bytes are gathered into one when others wait already, so that
/// bookkeeping never outweighs the body bytes.
pub const SMALL_CHUNK: usize = 1_024;

/// Silence before a PING; RFC 9000 section 10.1.2 advises 15 s for NAT bindings (SES-060).
pub const KEEP_ALIVE: Duration = limit::PING_AFTER;

/// PINGs without an answer that end a session (SES-062).
pub const PINGS_MAX: u8 = limit::PINGS_MAX;

/// PONGs that may wait for lane 0; an honest peer has one PING under way (SES-090, SES-094).
pub const PONGS_MAX: usize = limit::LOAD_PINGS;

/// Refusals that may wait for one lane: twice what an honest visitor can cause before the agent's
/// HELLO (SES-090).
pub const REFUSALS_MAX: usize = 2 * 100;

/// 1xx responses per stream, each way; 100 and 103 are the only ones in use (SES-021).
pub const INFORMATIONAL_MAX: u8 = limit::INTERIM_MAX;

/// Fields of one head or trailer section; hyper's default is 100 (SES-036).
pub const FIELDS_MAX: usize = limit::FIELDS_MAX;

/// Bytes of a reason in RESET and GOAWAY; more is cut (ERR-005).
pub const REASON_MAX: usize = limit::REASON_KEPT;

/// Bytes of the peer's software name that are kept.
pub const SOFTWARE_MAX: usize = limit::SOFTWARE_KEPT;

/// Tokens of the abuse budget when a session starts, and its ceiling (SES-090): twice what a peer
/// may always do, for the two ends count at different times.
pub const BUDGET: u32 = 2 * limit::LOAD_BURST;

/// Tokens that come back each second.
pub const BUDGET_PER_SECOND: u32 = 2 * limit::LOAD_PER_SECOND;

/// Body bytes, received or sent, that bring one token back.
pub const BUDGET_BYTES: u64 = limit::LOAD_CREDIT_BYTES;

/// Tokens for a frame that does nothing: unknown type, closed stream, PING, CREDIT.
pub const COST_FRAME: u32 = limit::LOAD_FRAME;

/// Tokens for a stream that is refused, malformed or given up by the peer.
pub const COST_STREAM: u32 = limit::LOAD_STREAM;

/// Bytes of bookkeeping for one stream: its entry and its places in queues.
const STREAM_OVERHEAD: usize = 1_024;

const _: () = {
    assert!(FRAME_DEFAULT < FRAME_MAX);
    assert!(STREAM_CREDIT_DEFAULT <= REQUEST_WINDOW && REQUEST_WINDOW <= RESPONSE_WINDOW);
    assert!(RESPONSE_WINDOW <= SESSION_WINDOW && SESSION_WINDOW <= WINDOW_MAX);
    assert!(SESSION_CREDIT_DEFAULT <= SESSION_WINDOW);
    assert!(STREAMS_DEFAULT <= STREAMS_MAX);
    assert!(REFUSALS_MAX as u64 == 2 * STREAMS_DEFAULT);
    assert!(SEND_BUFFER >= FRAME_DEFAULT);
    // A page that is left with every stream open must not look like abuse.
    assert!(BUDGET as u64 >= 4 * COST_STREAM as u64 * STREAMS_DEFAULT);
};

/// Bytes that one session holds at most, however its peer behaves.
///
/// Counted: bodies and messages that wait for the application, with their bookkeeping (2.5 times
/// the session credit: the costliest pieces leave gathering buffers half empty, or are messages of a
/// byte); for each stream its send buffer, and the heads and trailers of both ways, decoded where
/// they came from the peer and encoded where they wait for a lane. Not counted: memory that the
/// application's own `Bytes` keep alive beyond their length.
pub fn worst_case_memory(role: Role, config: &Config) -> usize {
    // As a session takes it, so that no sum below overflows.
    let config = config.clone().clamped();
    let streams = usize::try_from(config.max_streams).unwrap_or(usize::MAX);
    let bodies = usize::try_from(config.session_credit)
        .unwrap_or(usize::MAX)
        .saturating_mul(5)
        / 2;
    // Interim responses, the final one, and trailers; a request and its trailers.
    let (responses, requests) = (usize::from(INFORMATIONAL_MAX) + 2, 2);
    let (decoded, encoded) = match role {
        Role::Agent => (requests, responses),
        Role::Visitor => (responses, requests),
    };
    // Decoded: names are copied, values share the frame, one entry for each field.
    let heads = decoded * (2 * config.max_frame + FIELDS_MAX * 64) + encoded * config.max_frame;
    let stream = config.send_buffer + SEND_CHUNKS_MAX * 64 + heads + STREAM_OVERHEAD;
    let lane = REFUSALS_MAX * 64 + STREAM_OVERHEAD;
    streams
        .saturating_mul(stream)
        .saturating_add(bodies)
        .saturating_add(usize::from(config.lanes) * lane)
}
