use std::fmt;

use crate::limits::{LANES_MAX, VARINT_MAX};

/// Which end of the session this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opens streams: a browser or a native client.
    Visitor,
    /// Answers streams: the program on the box that holds the app.
    Agent,
}

/// Number of a lane, 0 to 15 (SES-014).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneId(u8);

impl LaneId {
    /// Lane 0: it always exists and carries the frames of the session itself.
    pub const ZERO: Self = Self(0);

    /// The lane with this number, if it is below 16.
    pub const fn new(lane: u8) -> Option<Self> {
        if lane < LANES_MAX {
            Some(Self(lane))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a stream: 1 to 2^62 - 1; odd ones are opened by the visitor (SES-010).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(u64);

impl StreamId {
    /// The stream with this number; 0 means the session itself and is none.
    pub const fn new(stream: u64) -> Option<Self> {
        if stream >= 1 && stream <= VARINT_MAX {
            Some(Self(stream))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) const fn is_visitors(self) -> bool {
        self.0 % 2 == 1
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
