//! Limits of signaling, with their units and their reasons.

use std::time::Duration;

use crate::registry::limit;

/// Longest message on the control link, in bytes (spec SIG-002). An offer and an answer fit twice.
pub const MAX_ENVELOPE: usize = limit::ENVELOPE_MAX;
/// Longest session description, in bytes (spec SIG-012). Browsers send 1 to 3 KiB.
pub const MAX_SDP: usize = limit::DESCRIPTION_MAX;
/// What `a=max-message-size` allows where it is missing, in bytes (RFC 8841 section 6.1, spec
/// RTC-007).
pub const MESSAGE_DEFAULT: usize = limit::MESSAGE_SIZE_DEFAULT;
/// Least that it has to allow, in bytes (spec RTC-026): a frame of the default `max_frame`.
pub const MESSAGE_LEAST: usize = limit::MESSAGE_SIZE_LEAST;
/// Longest candidate-attribute, in bytes (spec SIG-013). Real ones stay below 300.
pub const MAX_CANDIDATE: usize = limit::CANDIDATE_MAX;
/// Longest free text in a message (software name, reason, detail), in bytes (spec ERR-006). For
/// readers of logs.
pub const MAX_TEXT: usize = limit::SIGNAL_TEXT_KEPT;
/// Longest body of a visit request or update, in bytes (spec SIG-020).
pub const MAX_VISIT_BODY: usize = limit::ENVELOPE_MAX;
/// Candidates in one visit, either way (spec SIG-013). A host with ten addresses has about 40.
pub const MAX_CANDIDATES: usize = limit::CANDIDATES_MAX;

/// How often an agent shows that it is there (spec SIG-006).
pub const HEARTBEAT: Duration = limit::HEARTBEAT;
/// Heartbeats that may fail to come before a link is dead: 45 s (spec SIG-006).
pub const MISSED_HEARTBEATS: u32 = limit::MISSED_HEARTBEATS;
/// How long Challenge, Hello and Welcome may take together (spec SIG-003).
pub const HANDSHAKE: Duration = limit::HANDSHAKE;
/// How long an agent may take to answer an offer (spec SIG-016).
pub const ANSWER: Duration = limit::ANSWER;
/// How long a visit's stream stays open after the answer (spec SIG-017).
pub const VISIT_AFTER_ANSWER: Duration = limit::VISIT_AFTER_ANSWER;
/// How long a TURN credential holds (spec SIG-022).
pub const TURN_LIFETIME: Duration = limit::TURN_LIFETIME;
/// How old credentials become before coord sends an agent newer ones (spec SIG-048): what an agent
/// begins with them has half an hour at least.
pub const TURN_RENEWAL: Duration = Duration::from_secs(1800);

/// Messages that a link holds for its driver in each direction. A driver that drains after every
/// call holds two at most; this only catches one that does not.
pub const LINK_QUEUE: usize = 256;

/// Messages that a link takes at once (`SIG-011`): candidates of a few dozen visits.
pub const LINK_BURST: u32 = limit::LINK_BURST;

/// Messages that a link takes a second for ever (`SIG-011`): far more than any agent needs, and cheap
/// to read.
pub const LINK_PER_SECOND: u32 = limit::LINK_PER_SECOND;

const _: () = assert!(
    2 * MAX_SDP <= MAX_ENVELOPE,
    "a description fits a message with room for its statement"
);
const _: () = assert!(
    TURN_RENEWAL.as_secs() + limit::TURN_RENEWAL_LEAD.as_secs() <= TURN_LIFETIME.as_secs(),
    "credentials are renewed before the last that is allowed"
);
const _: () = assert!(MAX_SDP < MAX_VISIT_BODY, "an offer fits a visit request");
