//! The whole table of states and events (SES-020 to SES-026): a change of any cell shows up in review.

use bytes::Bytes;

use super::recv::RecvHalf;
use super::send::SendHalf;
use super::{Answer, BodyEnd, EndOfBody, NextFrame, Receiver, Sender};
use crate::head::BodyLength;
use crate::{Close, ErrorCode, Fields, MessageKind, StreamId};

const CODE: ErrorCode = ErrorCode::CANCELLED;

fn id() -> StreamId {
    StreamId::new(1).unwrap()
}

type Case<T> = (&'static str, fn() -> T);
type Action<T> = (&'static str, fn(&mut T) -> String);

fn table<T>(states: &[Case<T>], events: &[Action<T>], name: fn(&T) -> String) -> String {
    let mut lines = Vec::new();
    for (state, make) in states {
        lines.push(format!("{state}:"));
        for (event, act) in events {
            let mut subject = make();
            let outcome = act(&mut subject);
            lines.push(format!("  {event:<16} -> {:<22} {outcome}", name(&subject)));
        }
    }
    lines
        .iter()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

fn text(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

fn sender(len: usize, end: Option<BodyEnd>) -> Sender {
    let mut sender = Sender::request(100, false);
    sender.write(&mut Bytes::from(vec![0; len]), 1_000).unwrap();
    if let Some(end) = end {
        sender.finish(end).unwrap();
    }
    sender
}

fn close() -> Close {
    Close::new(1000, "bye").unwrap()
}

fn messages_out(list: &[(MessageKind, usize, bool)]) -> Sender {
    let mut sender = Sender::connect(100);
    sender.answered(true);
    for (kind, len, last) in list {
        let mut data = Bytes::from(vec![b'x'; *len]);
        assert_eq!(
            sender.send_message(*kind, &mut data, *last, 1_000),
            Ok(true)
        );
    }
    sender
}

fn message_out(sender: &mut Sender, kind: MessageKind, last: bool) -> String {
    text(sender.send_message(kind, &mut Bytes::from_static(b"12345"), last, 1_000))
}

fn send_name(sender: &Sender) -> String {
    match sender.half() {
        SendHalf::Head { informational } => format!("Head({informational})"),
        SendHalf::Body(_) => format!(
            "Body({}{})",
            sender.buffered(),
            if sender.is_open() { "" } else { ", ending" }
        ),
        SendHalf::Connecting => "Connecting".into(),
        SendHalf::Messages(_) => format!(
            "Messages({}{})",
            sender.buffered(),
            if sender.is_open() { "" } else { ", closing" }
        ),
        SendHalf::Done => "Done".into(),
        SendHalf::Reset => "Reset".into(),
        SendHalf::Stopped { .. } => "Stopped".into(),
    }
}

#[test]
fn sending_half() {
    let states: [Case<Sender>; 14] = [
        ("Head", || Sender::response(100)),
        ("Head, 4 1xx sent", || {
            let mut sender = Sender::response(100);
            while sender.respond(Answer::Informational) == Ok(true) {}
            sender
        }),
        ("Body, nothing waits", || sender(0, None)),
        ("Body, 10 bytes wait", || sender(10, None)),
        ("Body, 200 bytes wait for credit of 100", || {
            sender(200, None)
        }),
        ("Body, 10 bytes and the end wait", || {
            sender(10, Some(BodyEnd::Plain))
        }),
        ("Body, 10 bytes and trailers wait", || {
            sender(10, Some(BodyEnd::Trailers(Bytes::from_static(b"frame"))))
        }),
        ("Connecting", || Sender::connect(100)),
        ("Messages, nothing waits", || messages_out(&[])),
        ("Messages, two wait", || {
            messages_out(&[
                (MessageKind::Text, 10, true),
                (MessageKind::Binary, 0, true),
            ])
        }),
        ("Messages, a part and the close wait", || {
            let mut sender = messages_out(&[(MessageKind::Binary, 10, false)]);
            sender.close(close()).unwrap();
            sender
        }),
        ("Done", || Sender::request(100, true)),
        ("Reset", || {
            let mut sender = sender(10, None);
            sender.reset();
            sender
        }),
        ("Stopped", || {
            let mut sender = sender(10, None);
            sender.on_stop(CODE);
            sender
        }),
    ];
    let events: [Action<Sender>; 17] = [
        ("respond 1xx", |sender| {
            text(sender.respond(Answer::Informational))
        }),
        ("respond", |sender| text(sender.respond(Answer::WithBody))),
        ("respond, end", |sender| {
            text(sender.respond(Answer::WithoutBody))
        }),
        ("respond, accept", |sender| {
            text(sender.respond(Answer::Accept))
        }),
        ("200 received", |sender| {
            sender.answered(true);
            String::new()
        }),
        ("refusal received", |sender| {
            sender.answered(false);
            String::new()
        }),
        ("text 5", |sender| {
            message_out(sender, MessageKind::Text, true)
        }),
        ("binary part 5", |sender| {
            message_out(sender, MessageKind::Binary, false)
        }),
        ("close", |sender| text(sender.close(close()))),
        ("write 5", |sender| {
            text(sender.write(&mut Bytes::from_static(b"12345"), 1_000))
        }),
        ("finish", |sender| text(sender.finish(BodyEnd::Plain))),
        ("reset", |sender| format!("RESET due: {}", sender.reset())),
        ("STOP", |sender| {
            format!("answer: {:?}", sender.on_stop(CODE))
        }),
        ("CREDIT 150", |sender| {
            sender.on_credit(150);
            format!("can send: {}", sender.can_send())
        }),
        ("turn", |sender| {
            frame_name(&sender.next_frame(id(), 16_384, 1_000))
        }),
        ("turn, session 70", |sender| {
            frame_name(&sender.next_frame(id(), 16_384, 70))
        }),
        ("turn, no session", |sender| {
            frame_name(&sender.next_frame(id(), 16_384, 0))
        }),
    ];
    insta::assert_snapshot!(table(&states, &events, send_name));
}

fn frame_name(next: &NextFrame) -> String {
    match next {
        NextFrame::Frame { frame, body } => match frame.first() {
            Some(4) => format!("DATA {body}"),
            Some(5) => format!("DATA_END {body}"),
            Some(0x10) => format!("WS_TEXT {body}"),
            Some(0x11) => format!("WS_BINARY {body}"),
            Some(0x12) => format!("WS_TEXT_PART {body}"),
            Some(0x13) => format!("WS_BINARY_PART {body}"),
            Some(0x14) => "WS_CLOSE".into(),
            _ => "TRAILERS".into(),
        },
        NextFrame::SessionBlocked => "session blocked".into(),
        NextFrame::Nothing => "nothing".into(),
    }
}

fn receiver(len: usize, length: BodyLength) -> Receiver {
    let mut receiver = Receiver::request(100, false, length);
    receiver.on_data(Bytes::from(vec![0; len])).unwrap();
    receiver
}

fn messages_in(window: u64, list: &[(MessageKind, &'static [u8], bool)]) -> Receiver {
    let mut receiver = Receiver::connect(window);
    receiver.answered(true);
    for (kind, data, last) in list {
        receiver
            .on_message(*kind, Bytes::from_static(data), *last)
            .unwrap();
    }
    receiver
}

fn message_in(
    receiver: &mut Receiver,
    kind: MessageKind,
    data: &'static [u8],
    last: bool,
) -> String {
    text(receiver.on_message(kind, Bytes::from_static(data), last))
}

fn recv_name(receiver: &Receiver) -> String {
    let waiting = receiver.buffered();
    match receiver.half() {
        RecvHalf::Head { informational } => format!("Head({informational})"),
        RecvHalf::Body(_) => format!("Body({waiting})"),
        RecvHalf::Connecting => "Connecting".into(),
        RecvHalf::Messages(_) => format!("Messages({waiting})"),
        RecvHalf::Closed(_, close) => format!("Closed({waiting}, {:?})", close.code()),
        RecvHalf::MessagesCut(_, failure) => format!("MessagesCut({waiting}, {})", failure.code),
        RecvHalf::Ended(..) => format!("Ended({waiting})"),
        RecvHalf::Cut(_, failure) => format!("Cut({waiting}, {})", failure.code),
        RecvHalf::Stopped(None) => "Stopped".into(),
        RecvHalf::Stopped(Some(failure)) => format!("Stopped({})", failure.code),
        RecvHalf::Dropped => "Dropped".into(),
    }
}

#[test]
fn receiving_half() {
    let states: [Case<Receiver>; 18] = [
        ("Head", || Receiver::response(100)),
        ("Body, 10 bytes wait", || receiver(10, BodyLength::Any)),
        ("Body, 10 bytes of 12", || {
            receiver(10, BodyLength::Exactly(12))
        }),
        ("Body, 10 bytes of 10", || {
            receiver(10, BodyLength::Exactly(10))
        }),
        ("Body, credit used up", || receiver(100, BodyLength::Any)),
        ("Ended, 10 bytes wait", || {
            let mut receiver = receiver(10, BodyLength::Any);
            receiver
                .on_end(EndOfBody::End(Some(Fields::new())))
                .unwrap();
            receiver
        }),
        ("Cut, 10 bytes wait", || {
            let mut receiver = receiver(10, BodyLength::Any);
            receiver
                .on_end(EndOfBody::Reset(CODE, String::new()))
                .unwrap();
            receiver
        }),
        ("Stopped", || {
            let mut receiver = receiver(10, BodyLength::Any);
            receiver.stop();
            receiver
        }),
        ("Stopped by a broken rule", || {
            let mut receiver = receiver(10, BodyLength::Any);
            receiver.fail(ErrorCode::BAD_MESSAGE, "rule".into(), false);
            receiver
        }),
        ("Connecting", || Receiver::connect(100)),
        ("Messages, nothing waits", || messages_in(200, &[])),
        ("Messages, one waits", || {
            messages_in(200, &[(MessageKind::Text, b"abc", true)])
        }),
        ("Messages, within a text", || {
            messages_in(200, &[(MessageKind::Text, b"\xc3", false)])
        }),
        ("Messages, within a binary", || {
            messages_in(200, &[(MessageKind::Binary, b"abc", false)])
        }),
        ("Messages, credit used up", || {
            messages_in(70, &[(MessageKind::Binary, b"abc", true)])
        }),
        ("Closed, one waits", || {
            let mut receiver = messages_in(200, &[(MessageKind::Text, b"abc", true)]);
            receiver.on_end(EndOfBody::Close(close())).unwrap();
            receiver
        }),
        ("MessagesCut, one waits", || {
            let mut receiver = messages_in(200, &[(MessageKind::Text, b"abc", true)]);
            receiver
                .on_end(EndOfBody::Reset(CODE, String::new()))
                .unwrap();
            receiver
        }),
        ("Dropped", || {
            let mut receiver = receiver(10, BodyLength::Any);
            receiver.stop();
            receiver.on_end(EndOfBody::End(None)).unwrap();
            receiver
        }),
    ];
    let events: [Action<Receiver>; 18] = [
        ("RESPONSE 1xx", |receiver| {
            text(receiver.on_response(Answer::Informational, BodyLength::Any))
        }),
        ("RESPONSE", |receiver| {
            text(receiver.on_response(Answer::WithBody, BodyLength::Any))
        }),
        ("RESPONSE, end", |receiver| {
            text(receiver.on_response(Answer::WithoutBody, BodyLength::Any))
        }),
        ("RESPONSE 200", |receiver| {
            text(receiver.on_response(Answer::Accept, BodyLength::Any))
        }),
        ("accept", |receiver| {
            receiver.answered(true);
            String::new()
        }),
        ("refuse", |receiver| {
            receiver.answered(false);
            String::new()
        }),
        ("WS_TEXT \\xa9", |receiver| {
            message_in(receiver, MessageKind::Text, b"\xa9", true)
        }),
        ("WS_TEXT empty", |receiver| {
            message_in(receiver, MessageKind::Text, b"", true)
        }),
        ("WS_TEXT_PART 5", |receiver| {
            message_in(receiver, MessageKind::Text, b"12345", false)
        }),
        ("WS_BINARY 5", |receiver| {
            message_in(receiver, MessageKind::Binary, b"12345", true)
        }),
        ("WS_CLOSE", |receiver| {
            text(receiver.on_end(EndOfBody::Close(close())))
        }),
        ("DATA 5", |receiver| {
            text(receiver.on_data(Bytes::from_static(b"12345")))
        }),
        ("END", |receiver| {
            text(receiver.on_end(EndOfBody::End(None)))
        }),
        ("RESET", |receiver| {
            text(receiver.on_end(EndOfBody::Reset(ErrorCode::INTERNAL, "why".into())))
        }),
        ("stop", |receiver| {
            let (due, dropped) = receiver.stop();
            format!("STOP due: {due}, {dropped} bytes dropped")
        }),
        ("broken rule", |receiver| fail(receiver, false)),
        ("broken rule, end", |receiver| fail(receiver, true)),
        ("read", |receiver| text(receiver.read())),
    ];
    insta::assert_snapshot!(table(&states, &events, recv_name));
}

fn fail(receiver: &mut Receiver, over: bool) -> String {
    let (due, dropped) = receiver.fail(ErrorCode::BAD_MESSAGE, "rule".into(), over);
    format!("STOP due: {due}, {dropped} bytes dropped")
}
