//! WebSocket messages that wait, on their way out and on their way in (spec/v1/websocket.md).

use std::collections::VecDeque;

use bytes::{BufMut, Bytes};

use super::send::SendHalf;
use crate::frame::{FrameType, Header};
use crate::limits::{MESSAGE_CHARGE, SEND_CHUNKS_MAX};
use crate::{Close, MessageKind, StreamId, WriteError};

/// A whole message, or a part of one.
#[derive(Debug)]
struct Part {
    kind: MessageKind,
    /// The message ends with it.
    last: bool,
    data: Bytes,
}

impl Part {
    /// What it counts against the credit (SES-040).
    fn charge(&self) -> usize {
        self.data.len() + MESSAGE_CHARGE
    }
}

/// Messages that wait for the lane.
#[derive(Debug, Default)]
pub(crate) struct SendMessages {
    parts: VecDeque<Part>,
    /// Charges of all parts.
    charge: usize,
    /// Kind of the message of which a part was taken, but not the end.
    within: Option<MessageKind>,
    text: Utf8,
    end: Option<MessagesEnd>,
}

/// How a half of messages ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MessagesEnd {
    /// WS_CLOSE.
    Close(Close),
    /// This RESET frame.
    Cut(Bytes),
}

impl SendMessages {
    /// Whether a part of a message was taken, but not its end.
    pub(crate) const fn has_begun(&self) -> bool {
        self.within.is_some()
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.end.is_some()
    }

    pub(crate) const fn charge(&self) -> usize {
        self.charge
    }

    /// Takes what fits, advancing `data`; whether that was all of it.
    pub(crate) fn write(
        &mut self,
        kind: MessageKind,
        data: &mut Bytes,
        last: bool,
        limit: usize,
    ) -> Result<bool, WriteError> {
        if self.within.is_some_and(|within| within != kind) {
            return Err(WriteError::WithinMessage);
        }
        if data.is_empty() && !last {
            return Ok(true);
        }
        // A message may always wait alone, whatever a small limit says of its charge.
        let room = match self.parts.is_empty() {
            true => limit.max(1),
            false => limit.saturating_sub(self.charge + MESSAGE_CHARGE),
        };
        let full = self.parts.len() >= SEND_CHUNKS_MAX || room == 0;
        if full {
            return Ok(false);
        }
        let taken = data.split_to(room.min(data.len()));
        let whole = data.is_empty();
        // WSK-012
        if kind == MessageKind::Text && !self.text.take(&taken, whole && last) {
            return Err(WriteError::NotUtf8);
        }
        let part = Part {
            kind,
            last: whole && last,
            data: taken,
        };
        self.within = (!part.last).then_some(kind);
        self.charge += part.charge();
        self.parts.push_back(part);
        Ok(whole)
    }

    /// Ends the half behind what waits. A message that has not ended is cut off (WSK-014).
    pub(crate) fn finish(&mut self, end: MessagesEnd) {
        self.end = Some(end);
    }

    pub(crate) fn has_room(&self, limit: usize) -> bool {
        self.end.is_none() && self.charge <= limit / 2 && self.parts.len() <= SEND_CHUNKS_MAX / 2
    }

    /// Credit without which nothing can go out now; `None` when nothing waits.
    pub(crate) fn needs(&self) -> Option<u64> {
        match self.parts.front() {
            Some(part) => Some((MESSAGE_CHARGE + usize::from(!part.data.is_empty())) as u64),
            None => self.end.as_ref().map(|_| 0),
        }
    }

    /// The next frame within `max_frame` bytes and `credit`, which covers [`Self::needs`]; its
    /// charge, and how the half ends, if it is the last one.
    pub(crate) fn next_frame(
        &mut self,
        id: StreamId,
        max_frame: usize,
        credit: u64,
    ) -> Option<(Bytes, usize, Option<SendHalf>)> {
        let Some(part) = self.parts.front_mut() else {
            return Some(match self.end.take()? {
                MessagesEnd::Close(close) => {
                    let header = Header::new(FrameType::WsClose, Some(id));
                    let frame = header.message(&close.into_wire());
                    (frame, 0, Some(SendHalf::Done))
                }
                MessagesEnd::Cut(frame) => (frame, 0, Some(SendHalf::Reset)),
            });
        };
        let credit = usize::try_from(credit).unwrap_or(usize::MAX);
        let room = max_frame - Header::new(FrameType::WsBinary, Some(id)).len();
        let count = part
            .data
            .len()
            .min(room)
            .min(credit.saturating_sub(MESSAGE_CHARGE));
        let ends = count == part.data.len() && part.last;
        let mut frame = Header::new(part.kind.frame_type(ends), Some(id)).begin(count);
        // The one copy of a message on its way out.
        frame.put_slice(&part.data.split_to(count));
        self.charge -= count;
        if part.data.is_empty() {
            self.charge -= MESSAGE_CHARGE;
            self.parts.pop_front();
        }
        Some((frame.freeze(), count + MESSAGE_CHARGE, None))
    }
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageFault {
    /// Another kind within a message (WSK-011).
    Kind,
    /// Bytes that are not UTF-8 in a text (WSK-012).
    Utf8,
}

/// Messages that wait for the application.
#[derive(Debug, Default)]
pub(crate) struct RecvMessages {
    parts: VecDeque<Part>,
    /// Charges of all parts.
    charge: usize,
    within: Option<MessageKind>,
    text: Utf8,
}

impl RecvMessages {
    pub(crate) const fn charge(&self) -> usize {
        self.charge
    }

    /// Keeps a slice of the frame as it came.
    pub(crate) fn push(
        &mut self,
        kind: MessageKind,
        data: Bytes,
        last: bool,
    ) -> Result<(), MessageFault> {
        if self.within.is_some_and(|within| within != kind) {
            return Err(MessageFault::Kind);
        }
        if kind == MessageKind::Text && !self.text.take(&data, last) {
            return Err(MessageFault::Utf8);
        }
        self.within = (!last).then_some(kind);
        let part = Part { kind, last, data };
        self.charge += part.charge();
        self.parts.push_back(part);
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Option<(MessageKind, bool, Bytes)> {
        let part = self.parts.pop_front()?;
        self.charge -= part.charge();
        Some((part.kind, part.last, part.data))
    }
}

/// Checks a text that comes in pieces, which may part a character.
#[derive(Debug, Default)]
struct Utf8 {
    /// Beginning of a character that the next piece has to complete.
    begun: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Whether the text can be UTF-8 with this piece, or is, if it is the last one.
    fn take(&mut self, mut data: &[u8], last: bool) -> bool {
        while self.length > 0 {
            let Some((first, rest)) = data.split_first() else {
                return !last;
            };
            self.begun[self.length] = *first;
            self.length += 1;
            data = rest;
            match std::str::from_utf8(&self.begun[..self.length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return false,
            }
        }
        match std::str::from_utf8(data) {
            Ok(_) => true,
            Err(error) if error.error_len().is_none() && !last => {
                let begun = &data[error.valid_up_to()..];
                self.length = begun.len();
                self.begun[..self.length].copy_from_slice(begun);
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_may_part_characters_wherever_they_like() {
        // WSK-012
        let text = "aé水🦀z".as_bytes();
        for cuts in 0..1_u32 << (text.len() - 1) {
            let mut check = Utf8::default();
            let mut begin = 0;
            for end in 1..=text.len() {
                let last = end == text.len();
                if last || cuts & (1 << (end - 1)) != 0 {
                    assert!(check.take(&text[begin..end], last), "cuts {cuts:b}");
                    begin = end;
                }
            }
        }
    }

    #[test]
    fn what_is_not_utf8_is_found_as_soon_as_it_is_certain() {
        // WSK-012
        for (pieces, good) in [
            (&[&b"\xff"[..]][..], 0),
            (&[b"\xc3", b"\x28"], 1),
            (&[b"\xed", b"\xa0"], 1),
            (&[b"\xf0\x9f", b"\xa6", b"a"], 2),
            (&[b"\xf4", b"\x90"], 1),
        ] {
            let mut check = Utf8::default();
            let taken = pieces
                .iter()
                .take_while(|piece| check.take(piece, false))
                .count();
            assert_eq!(taken, good, "{pieces:?}");
        }
        let mut check = Utf8::default();
        assert!(check.take(b"\xe6\xb0", false));
        assert!(!check.take(b"", true), "the last character is not complete");
    }
}
