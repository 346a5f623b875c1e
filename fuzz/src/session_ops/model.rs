//! What the applications at both ends know of one half of a stream, and what they may see of it.

use bytes::Bytes;
use p2claw_session::{Close, ErrorCode, MessageKind, StreamId};

/// An end of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, arbitrary::Arbitrary)]
pub(super) enum Side {
    Visitor,
    Agent,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Visitor => Self::Agent,
            Self::Agent => Self::Visitor,
        }
    }
}

/// A message that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: MessageKind,
    pub(super) length: usize,
    pub(super) ended: bool,
}

/// One half: what its sender has done, and what its receiver has seen.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Body bytes that the session took.
    pub(super) written: u64,
    /// With trailers or without.
    pub(super) finished: Option<bool>,
    pub(super) messages: Vec<Message>,
    /// How many of them began before the other half was closed. Those that begin behind the peer's
    /// close are dropped (WSK-021), and here it is not known when that arrives.
    pub(super) promised: usize,
    pub(super) close: Option<Close>,
    /// The sender gave up, or was asked to.
    pub(super) aborted: Vec<ErrorCode>,
    /// The sender gave up behind what it had written.
    pub(super) cut_behind: bool,

    pub(super) read: u64,
    pub(super) read_messages: Vec<Message>,
    /// The reader was told of the end, and of none after that.
    pub(super) over: bool,
    pub(super) stopped: bool,
    /// The reader was told that the rest will not come.
    pub(super) cut: bool,
}

impl Half {
    /// The next bytes of the body.
    pub(super) fn body(&self, from: Side, id: StreamId, length: usize) -> Bytes {
        let length = length as u64;
        let offsets = self.written..self.written + length;
        offsets.map(|offset| byte(from, id, offset)).collect()
    }

    /// The next bytes of a message. Texts have characters of every length, and end with a whole one.
    pub(super) fn message(&self, kind: MessageKind, length: usize, last: bool) -> Bytes {
        let begun = match self.messages.last() {
            Some(message) if !message.ended => message.length,
            _ => 0,
        };
        let period = TEXT.len();
        let mut end = begun + length;
        if kind == MessageKind::Text && last {
            end = end.next_multiple_of(period);
        }
        (begun..end)
            .map(|offset| message_byte(kind, offset))
            .collect()
    }

    /// The session took so many bytes of a message.
    pub(super) fn sent(
        &mut self,
        kind: MessageKind,
        length: usize,
        ended: bool,
        peer_has_closed: bool,
    ) {
        push(&mut self.messages, kind, length, ended);
        if !peer_has_closed {
            self.promised = self.messages.len();
        }
    }

    /// Messages that have to arrive whole.
    fn owed(&self) -> usize {
        whole(&self.messages[..self.promised])
    }

    /// Whether its sender has said how it ends, so that it takes no more.
    pub(super) const fn is_ended(&self) -> bool {
        self.finished.is_some() || self.close.is_some() || self.cut_behind
    }

    pub(super) fn cut_off(&mut self, code: ErrorCode) {
        self.cut_behind |= !self.is_ended() && self.aborted.is_empty();
        self.aborted.push(code);
    }

    pub(super) fn got_data(&mut self, from: Side, id: StreamId, data: &[u8]) {
        assert!(!self.over && !self.stopped, "bytes behind the end");
        assert!(!data.is_empty());
        for (offset, seen) in (self.read..).zip(data) {
            assert_eq!(
                *seen,
                byte(from, id, offset),
                "byte {offset} of stream {id}"
            );
        }
        self.read += data.len() as u64;
        assert!(self.read <= self.written, "more was read than written");
    }

    pub(super) fn got_message(&mut self, kind: MessageKind, data: &[u8], last: bool) {
        assert!(!self.over && !self.stopped, "a message behind the end");
        assert!(last || !data.is_empty(), "an empty part");
        let begun = match self.read_messages.last() {
            Some(message) if !message.ended => message.length,
            _ => 0,
        };
        for (offset, seen) in (begun..).zip(data) {
            assert_eq!(*seen, message_byte(kind, offset));
        }
        push(&mut self.read_messages, kind, data.len(), last);
        let count = self.read_messages.len();
        let (read, sent) = (&self.read_messages[count - 1], self.messages.get(count - 1));
        let sent = sent.expect("a message was sent before it was read");
        assert!(read.kind == sent.kind && read.length <= sent.length);
        assert!(!read.ended || read == sent, "a message ended early");
    }

    /// A clean end is one that the sender has made, behind all of its bytes.
    pub(super) fn got_end(&mut self, trailers: bool) {
        // Trailers are handed over once; whoever reads on is told of the end again.
        let again = self.over && !trailers;
        assert!(
            self.finished == Some(trailers) || again && self.finished.is_some(),
            "an end that nobody made"
        );
        assert_eq!(self.read, self.written, "an end before all bytes");
        self.over = true;
    }

    pub(super) fn got_close(&mut self, close: &Close) {
        assert_eq!(self.close.as_ref(), Some(close), "a close that nobody made");
        assert!(
            whole(&self.read_messages) >= self.owed(),
            "a close before all messages"
        );
        self.over = true;
    }

    /// Everything has arrived, in order, and the end too.
    pub(super) fn is_complete(&self) -> bool {
        self.over && self.read == self.written && whole(&self.read_messages) >= self.owed()
    }

    /// Nobody gave it up in a way that may lose something.
    pub(super) const fn must_arrive(&self) -> bool {
        !self.stopped && self.aborted.len() <= self.cut_behind as usize
    }
}

fn whole(messages: &[Message]) -> usize {
    messages.iter().filter(|message| message.ended).count()
}

fn push(messages: &mut Vec<Message>, kind: MessageKind, length: usize, ended: bool) {
    match messages.last_mut() {
        Some(message) if !message.ended => {
            assert_eq!(message.kind, kind, "a message changed its kind");
            message.length += length;
            message.ended = ended;
        }
        _ => messages.push(Message {
            kind,
            length,
            ended,
        }),
    }
}

fn byte(from: Side, id: StreamId, offset: u64) -> u8 {
    let mixed = offset * 31 + (offset >> 8) * 7 + id.get() * 13 + u64::from(from == Side::Agent);
    mixed.to_le_bytes()[0]
}

/// Characters of one to four bytes.
const TEXT: &[u8] = "aé水🦀".as_bytes();

fn message_byte(kind: MessageKind, offset: usize) -> u8 {
    match kind {
        MessageKind::Text => TEXT[offset % TEXT.len()],
        MessageKind::Binary => (offset * 7).to_le_bytes()[0],
    }
}
