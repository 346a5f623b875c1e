//! The session engine, as the sequences of the vectors drive it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2claw_conformance::sequence::{End, Sent, amount};
use p2claw_session::frame::Frame;
use p2claw_session::{
    Close, Config, ErrorCode, Event, Fields, LaneId, MessageKind, Read, Request, Response, Role,
    Session, StreamId, Target,
};
use serde_json::{Map, Value, json};

use crate::describe::Describe;

/// Body bytes that an application hands over at once.
const SEND_BUFFER: usize = 1 << 20;

pub(crate) struct SessionEnd<'a> {
    session: Session,
    describe: &'a Describe,
    now: Instant,
    take: bool,
    told: Vec<Map<String, Value>>,
    /// Parts of messages that have not ended.
    parts: BTreeMap<u64, Vec<u8>>,
    /// Streams whose receiving half has told its end.
    done: BTreeSet<u64>,
    /// Streams with a message of their own that has begun and not ended.
    begun: BTreeSet<u64>,
}

/// What an end with these settings is configured as; what is missing has its default.
fn config(settings: &BTreeMap<String, u64>) -> Config {
    let of = |name: &str, default: u64| settings.get(name).copied().unwrap_or(default);
    Config {
        max_frame: of("max_frame", 16_384).try_into().unwrap(),
        stream_credit: of("initial_stream_credit", 65_536),
        session_credit: of("initial_session_credit", 262_144),
        max_streams: of("max_streams", 100),
        lanes: of("lanes", 1).try_into().unwrap(),
        send_buffer: SEND_BUFFER,
        ..Config::default()
    }
}

impl<'a> SessionEnd<'a> {
    pub(crate) fn new(
        role: &str,
        settings: &BTreeMap<String, u64>,
        take: bool,
        describe: &'a Describe,
    ) -> Self {
        let role = match role {
            "agent" => Role::Agent,
            "visitor" => Role::Visitor,
            other => panic!("no role {other}"),
        };
        let now = Instant::now();
        Self {
            session: Session::new(role, config(settings), now),
            describe,
            now,
            take,
            told: Vec::new(),
            parts: BTreeMap::new(),
            done: BTreeSet::new(),
            begun: BTreeSet::new(),
        }
    }

    fn tell(&mut self, event: &str, stream: Option<StreamId>, rest: Value) {
        let mut told = Map::new();
        told.insert("event".to_owned(), event.into());
        if let Some(stream) = stream {
            told.insert("stream".to_owned(), stream.get().to_string().into());
        }
        if let Value::Object(rest) = rest {
            told.extend(rest);
        }
        self.told.push(told);
    }

    fn over(&mut self, event: &str, stream: StreamId, rest: Value) {
        if self.done.insert(stream.get()) {
            self.tell(event, Some(stream), rest);
        }
    }

    fn poll(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Connected(_) => self.tell("connected", None, json!({})),
                Event::Request { id, request } => {
                    let mut head =
                        json!({"method": request.method, "target": request.target.as_str()});
                    if let Some(protocol) = &request.protocol {
                        head["protocol"] = protocol.as_str().into();
                    }
                    self.tell("request", Some(id), head);
                    if request.end {
                        self.over("end", id, json!({}));
                    }
                }
                Event::Response { id, response } => {
                    self.tell("response", Some(id), json!({"status": response.status}));
                    if response.end {
                        self.over("end", id, json!({}));
                    }
                }
                Event::Readable(id) if self.take => {
                    self.read(id);
                }
                Event::Readable(_) | Event::Writable(_) => {}
                Event::Stopped { id, code } => {
                    self.tell("stopped", Some(id), json!({"code": code_name(code)}));
                }
                Event::Reset { id, code, .. } => {
                    self.over("cut", id, json!({"code": code_name(code)}));
                }
                Event::GoAway { last_stream, .. } => {
                    self.tell(
                        "goaway",
                        None,
                        json!({"last_stream": last_stream.to_string()}),
                    );
                }
                Event::Closed(error) => {
                    self.tell("closed", None, json!({"code": code_name(error.code)}));
                }
            }
        }
    }

    /// Reads until nothing is left; how many body bytes there were.
    fn read(&mut self, id: StreamId) -> usize {
        let mut count = 0;
        loop {
            match self.session.read(id) {
                Ok(Read::Data(data)) => {
                    count += data.len();
                    self.tell("data", Some(id), Value::Object(amount(&data)));
                }
                Ok(Read::Message { kind, last, data }) => {
                    let parts = self.parts.entry(id.get()).or_default();
                    parts.extend(&data);
                    if last {
                        let mut rest = amount(&std::mem::take(parts));
                        rest.insert("kind".to_owned(), kind_name(kind).into());
                        self.tell("message", Some(id), Value::Object(rest));
                    }
                }
                Ok(Read::Close(close)) => {
                    let code = close.code().unwrap_or(1005);
                    self.over("close", id, json!({"code": code, "reason": close.reason()}));
                    return count;
                }
                Ok(Read::End(trailers)) => {
                    let rest = trailers.map(|fields| json!({"trailers": pairs(&fields)}));
                    self.over("end", id, rest.unwrap_or(json!({})));
                    return count;
                }
                // Why a half was cut off has been told.
                Ok(Read::Blocked) | Err(_) => return count,
            }
        }
    }
}

fn kind_name(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Text => "text",
        MessageKind::Binary => "binary",
    }
}

/// Name in the registry, or the number.
pub(crate) fn code_name(code: ErrorCode) -> String {
    match code.name() {
        "UNKNOWN" => code.get().to_string(),
        name => name.to_owned(),
    }
}

fn pairs(fields: &Fields) -> Vec<(String, String)> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.to_owned(), data_encoding::HEXLOWER.encode(value)))
        .collect()
}

fn text<'v>(values: &'v Map<String, Value>, name: &str) -> &'v str {
    values.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn code(values: &Map<String, Value>) -> ErrorCode {
    let name = text(values, "code");
    let registered = ErrorCode::REGISTERED.iter();
    *registered.clone().find(|code| code.name() == name).unwrap()
}

/// `hex`, or so many times 0x78.
fn content(values: &Map<String, Value>) -> Bytes {
    match values.get("bytes").and_then(Value::as_u64) {
        Some(count) => vec![0x78; count.try_into().unwrap()].into(),
        None => data_encoding::HEXLOWER
            .decode(text(values, "hex").as_bytes())
            .unwrap()
            .into(),
    }
}

/// Pairs of name and value; values are text, or hex where `hex` says so.
fn fields(values: &Map<String, Value>, name: &str, hex: bool) -> Fields {
    let mut fields = Fields::new();
    for pair in values
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let value = pair[1].as_str().unwrap().as_bytes();
        let value = match hex {
            true => data_encoding::HEXLOWER.decode(value).unwrap(),
            false => value.to_vec(),
        };
        fields.push(pair[0].as_str().unwrap(), value).unwrap();
    }
    fields
}

impl End for SessionEnd<'_> {
    fn receive(&mut self, lane: u8, message: &[u8]) {
        let lane = LaneId::new(lane).unwrap();
        let message = Bytes::copy_from_slice(message);
        // What it thinks of the message shows in what it sends and tells.
        let _ = self.session.handle_message(self.now, lane, message);
    }

    fn call(&mut self, name: &str, values: &Map<String, Value>) -> bool {
        let flag = |name: &str| {
            values
                .get(name)
                .and_then(Value::as_bool)
                .unwrap_or_default()
        };
        let number = |name: &str| values.get(name).and_then(Value::as_u64).unwrap_or_default();
        let id = text(values, "stream").parse().ok().and_then(StreamId::new);
        let stream = || id.unwrap();
        match name {
            "open" => {
                let protocol = text(values, "protocol");
                let request = Request {
                    method: text(values, "method").to_owned(),
                    target: Target::parse(text(values, "target")).unwrap(),
                    fields: fields(values, "fields", false),
                    end: flag("end"),
                    protocol: (!protocol.is_empty()).then(|| protocol.to_owned()),
                };
                let opened = self.session.open(request);
                assert!(opened.as_ref().is_ok_and(|id| *id == stream()) || opened.is_err());
                opened.is_ok()
            }
            "respond" => {
                let response = Response {
                    status: number("status").try_into().unwrap(),
                    fields: fields(values, "fields", false),
                    end: flag("end"),
                };
                self.session.respond(stream(), response).is_ok()
            }
            "write" => {
                let mut data = content(values);
                self.session.write(stream(), &mut data).is_ok() && data.is_empty()
            }
            "finish" => {
                let trailers = values.contains_key("trailers");
                let trailers = trailers.then(|| fields(values, "trailers", true));
                self.session.finish(stream(), trailers).is_ok()
            }
            "message" => {
                let kind = match text(values, "kind") {
                    "text" => MessageKind::Text,
                    _ => MessageKind::Binary,
                };
                let mut data = content(values);
                let last = flag("last");
                let id = stream().get();
                // The engine leaves it to the application to begin no message behind the peer's
                // close (WSK-021).
                if self.done.contains(&id) && !self.begun.contains(&id) {
                    return false;
                }
                match last {
                    true => self.begun.remove(&id),
                    false => self.begun.insert(id),
                };
                let sent = self.session.send_message(stream(), kind, &mut data, last);
                sent.is_ok_and(|whole| whole)
            }
            "close" => {
                let close = match number("code") {
                    0 => Close::NONE,
                    code => Close::new(code.try_into().unwrap(), text(values, "reason")).unwrap(),
                };
                self.session.close_websocket(stream(), close).is_ok()
            }
            "reset" => {
                self.session.reset(stream(), code(values), "");
                true
            }
            "stop" => {
                self.session.stop(stream(), code(values));
                true
            }
            "cancel" => {
                self.session.reset(stream(), ErrorCode::CANCELLED, "");
                self.session.stop(stream(), ErrorCode::CANCELLED);
                true
            }
            "release" => {
                self.session.release(stream());
                true
            }
            "take" => self.read(stream()) as u64 == number("bytes"),
            "go_away" => {
                self.session.go_away();
                true
            }
            "end" => {
                self.session.close(code(values), "");
                true
            }
            "path_lost" => {
                self.session.path_lost(self.now);
                true
            }
            "path_found" => {
                self.session.path_found();
                true
            }
            other => panic!("no call {other}"),
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        let until = self.now + Duration::from_millis(milliseconds);
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
        }
        self.now = until;
    }

    fn sent(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        for lane in 0..16 {
            while let Some(message) = self.session.poll_transmit(LaneId::new(lane).unwrap()) {
                sent.push(describe(self.describe, lane, &message));
            }
        }
        sent
    }

    fn told(&mut self) -> Vec<Map<String, Value>> {
        self.poll();
        std::mem::take(&mut self.told)
    }

    fn is_over(&self) -> bool {
        self.session.is_closed()
    }
}

/// A frame as the sequences compare it.
fn describe(describe: &Describe, lane: u8, message: &Bytes) -> Sent {
    let frame = Frame::decode(message.clone()).unwrap();
    let mut sent = Sent {
        lane,
        kind: String::new(),
        stream: 0,
        content: Map::new(),
        payload: Vec::new(),
    };
    let stream = |id: &StreamId| id.get();
    match &frame {
        Frame::Unknown { .. } => return sent,
        Frame::Data { stream: id, data } => {
            (sent.kind, sent.stream) = ("DATA".to_owned(), stream(id));
            sent.payload = data.to_vec();
            return sent;
        }
        Frame::DataEnd { stream: id, data } => {
            (sent.kind, sent.stream) = ("DATA_END".to_owned(), stream(id));
            sent.payload = data.to_vec();
            return sent;
        }
        Frame::Message {
            stream: id,
            kind,
            last,
            data,
        } => {
            let end = if *last { "" } else { "_PART" };
            let kind = kind_name(*kind).to_uppercase();
            (sent.kind, sent.stream) = (format!("WS_{kind}{end}"), stream(id));
            sent.payload = data.to_vec();
            return sent;
        }
        _ => {}
    }
    let (kind, stream, content) = describe.frame(message);
    (sent.kind, sent.stream) = (kind, stream);
    if let Value::Object(content) = content {
        sent.content = content;
    }
    // What is at its default is there as well, and codes by their names.
    let mut set = |name: &str, value: Value| sent.content.insert(name.to_owned(), value);
    match frame {
        Frame::Hello(hello) => {
            let mut credit = |name: &str, id, default: u64| {
                let value = hello.settings.iter().rev().find(|setting| setting.id == id);
                set(name, value.map_or(default, |setting| setting.value).into());
            };
            credit("initial_stream_credit", 2, 65_536);
            credit("initial_session_credit", 3, 262_144);
        }
        Frame::Request { head, .. } => {
            set("end", head.end.into());
        }
        Frame::Response { head, .. } => {
            set("end", head.end.into());
        }
        Frame::Reset { code, .. } | Frame::Stop { code, .. } => {
            set("code", code_name(code).into());
        }
        Frame::GoAway {
            code, last_stream, ..
        } => {
            set("code", code_name(code).into());
            set("last_stream", last_stream.to_string().into());
        }
        Frame::Pong { token } => {
            set("token", token.to_string().into());
        }
        Frame::Close { close, .. } => {
            set("code", close.code.to_string().into());
        }
        _ => {}
    }
    sent
}
