//! Reference traces: everything that the parties of one visit say to each other, in order.
//!
//! The reference's agent, visitor and coord make them as they run in a simulation with a fixed seed,
//! and a test compares them with the files. Read one to see the protocol at work, or replay one end of it against an
//! implementation of your own.
//!
//! ```
//! use p2claw_conformance::trace;
//!
//! let visit = trace::VISIT.lines()?;
//! let requests = visit.iter().filter(|line| line.kind == "REQUEST");
//! assert!(requests.count() >= 4);
//! # Ok::<(), serde_json::Error>(())
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One message.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When it was sent, in milliseconds since the trace began.
    pub ms: u64,
    /// Who sent it: `agent`, `coord` or `visitor`.
    pub from: String,
    /// Who gets it.
    pub to: String,
    /// What carries it: `link` (the agent link), `visit` (signaling over HTTP: a body of the
    /// visitor's, the list of ICE servers, an event of the stream), or `lane 0` to `lane 15`.
    pub on: String,
    /// Kind of the message: a kind of envelope or visit event, or a name of the frame registry;
    /// the number of a frame type that is not registered, `unknown` for such an envelope.
    #[serde(rename = "type")]
    pub kind: String,
    /// The stream of a frame, 0 for those of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<u64>,
    /// The decoded payload as `conformance/vectors/README.md` writes messages: field names of the
    /// proto, bytes in hex, numbers of 64 bits as decimal text, what is at its default left out.
    pub content: Value,
    /// The whole message as it travels, in hex.
    pub hex: String,
}

/// A trace that comes with this crate.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    /// File name below `conformance/traces`.
    pub name: &'static str,
    text: &'static str,
}

/// Registration, a visit, a page, a streamed upload, a cancelled download, a WebSocket, a restart of
/// ICE, the end.
pub const VISIT: Trace = Trace {
    name: "visit.jsonl",
    text: include_str!("../traces/visit.jsonl"),
};

impl Trace {
    /// All messages in the order in which they were sent.
    ///
    /// # Errors
    /// When a line is no [`Line`].
    pub fn lines(self) -> Result<Vec<Line>, serde_json::Error> {
        self.text.lines().map(serde_json::from_str).collect()
    }

    /// The file as it is.
    #[must_use]
    pub const fn text(self) -> &'static str {
        self.text
    }
}
