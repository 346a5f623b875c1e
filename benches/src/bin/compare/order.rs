//! What is said between the two processes.

use serde::{Deserialize, Serialize};

/// What the agent's end is to do with an offer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Send so many bytes, without a session.
    RawDownload(usize),
    /// Take so many bytes, without a session.
    RawUpload(usize),
    /// Serve a session.
    Session,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) offer: String,
    pub(crate) work: Work,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) answer: String,
}
