//! The body of a visit's response: length-delimited [`VisitEvent`]s (spec SIG-015).

use crate::limits::MAX_ENVELOPE;
use bytes::{Buf, Bytes, BytesMut};
use p2claw_proto::v1::VisitEvent;
use prost::Message;

/// Content type of the stream.
pub const CONTENT_TYPE: &str = "application/x-protobuf-stream";

/// Longest length prefix: a varint of 64 bits.
const MAX_PREFIX: usize = 10;

/// Why a stream of events cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventStreamError {
    /// An event longer than 64 KiB.
    #[error("read the visit's stream: an event is longer than 64 KiB, so coord is at fault")]
    TooLong,
    /// Bytes that are no event.
    #[error("read the visit's stream: it is no sequence of events, so coord is at fault")]
    Malformed,
}

/// One event as it goes onto the stream.
#[must_use]
pub fn encode(event: &VisitEvent) -> Bytes {
    Bytes::from(event.encode_length_delimited_to_vec())
}

/// Cuts a stream, however it arrives, into events.
#[derive(Debug, Default)]
pub struct EventReader {
    buffer: BytesMut,
}

impl EventReader {
    /// Starts with nothing read.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole event, `None` until more bytes have come.
    ///
    /// # Errors
    /// When the stream is broken; it cannot be read on after that.
    pub fn next_event(&mut self) -> Result<Option<VisitEvent>, EventStreamError> {
        let mut peek = &self.buffer[..];
        let length = match prost::decode_length_delimiter(&mut peek) {
            Ok(length) => length,
            Err(_) if self.buffer.len() < MAX_PREFIX => return Ok(None),
            Err(_) => return Err(EventStreamError::Malformed),
        };
        if length > MAX_ENVELOPE {
            return Err(EventStreamError::TooLong);
        }
        if peek.len() < length {
            return Ok(None);
        }
        let prefix = self.buffer.len() - peek.len();
        self.buffer.advance(prefix);
        VisitEvent::decode(self.buffer.split_to(length))
            .map(Some)
            .map_err(|_| EventStreamError::Malformed)
    }

    /// Whether the body may end here, between two events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2claw_proto::v1::{Candidate, VisitEnd, visit_event::Kind};
    use proptest::prelude::*;

    fn events() -> Vec<VisitEvent> {
        let candidate = |text: String| Candidate {
            session_id: Bytes::new(),
            candidate: text,
            sdp_mid: "0".into(),
        };
        [
            Kind::Candidate(candidate("c".repeat(300))),
            Kind::Candidate(candidate(String::new())),
            Kind::End(VisitEnd::default()),
        ]
        .into_iter()
        .map(|kind| VisitEvent { kind: Some(kind) })
        .collect()
    }

    proptest! {
        /// SIG-015: events come out whole however the body is cut.
        #[test]
        fn sig_015_any_cut_gives_the_same_events(cuts in prop::collection::vec(1_usize..40, 1..60)) {
            let body: Vec<u8> = events().iter().flat_map(encode).collect();
            let (mut reader, mut found, mut rest) = (EventReader::new(), vec![], &body[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                reader.push(now);
                rest = later;
                while let Some(event) = reader.next_event().unwrap() { found.push(event); }
            }
            prop_assert!(reader.is_empty());
            prop_assert_eq!(found, events());
        }

        /// Bytes never crash the reader.
        #[test]
        fn sig_015_arbitrary_bytes(body: Vec<u8>) {
            let mut reader = EventReader::new();
            reader.push(&body);
            while let Ok(Some(_)) = reader.next_event() {}
        }
    }

    #[test]
    fn sig_015_a_long_event_is_refused_before_it_is_there() {
        let mut reader = EventReader::new();
        reader.push(&[0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(reader.next_event(), Err(EventStreamError::TooLong));
        let mut reader = EventReader::new();
        reader.push(&[0xff; 10]);
        assert_eq!(reader.next_event(), Err(EventStreamError::Malformed));
    }
}
