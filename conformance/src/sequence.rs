//! Plays the other end of a session against an implementation, step by step.
//!
//! The form is described in `conformance/vectors/README.md`, "Sequences of a session". Whoever
//! tests an implementation writes an [`End`] for it and calls [`play`] with every case.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::vectors::{Case, Expected, Long, VectorError};

/// What a message of a WebSocket counts besides its payload (SES-040).
const MESSAGE_CHARGE: u64 = 64;

/// A frame that the end under test has sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Lane that it was sent on.
    pub lane: u8,
    /// Name of its type in the registry; empty for a type that is not in it.
    pub kind: String,
    /// Its stream, 0 for the session.
    pub stream: u64,
    /// `code`, `token`, `last_stream`, `max_bytes`, `status`, `end`, `method`, `protocol`, as far
    /// as the frame has them and as the vectors write them; `settings` of a HELLO by their names.
    pub content: Map<String, Value>,
    /// Payload of DATA, DATA_END and messages.
    pub payload: Vec<u8>,
}

/// One end of a session, as the vectors drive it. Calls take effect at once, and what they bring
/// about is in [`End::sent`] and [`End::told`] afterwards.
pub trait End {
    /// A message comes in.
    fn receive(&mut self, lane: u8, message: &[u8]);
    /// The application does something; whether that was possible.
    fn call(&mut self, name: &str, values: &Map<String, Value>) -> bool;
    /// Time passes.
    fn wait(&mut self, milliseconds: u64);
    /// Frames since the last call, in their order on each lane.
    fn sent(&mut self) -> Vec<Sent>;
    /// Events since the last call, as the vectors write them.
    fn told(&mut self) -> Vec<Map<String, Value>>;
    /// Whether the session is over.
    fn is_over(&self) -> bool;
}

/// What a case is about, and its steps.
#[derive(Debug, Deserialize)]
pub struct Sequence {
    /// The end under test: `agent` or `visitor`.
    pub role: String,
    /// What it announces, by the names of the registry.
    #[serde(default)]
    pub settings: BTreeMap<String, u64>,
    /// Whether its application takes at once what comes.
    #[serde(default = "yes")]
    pub take: bool,
    steps: Vec<Step>,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
struct Step {
    receive: Option<String>,
    then: Option<Value>,
    #[serde(default)]
    lane: u8,
    call: Option<String>,
    wait_ms: Option<u64>,
    times: Option<u32>,
    #[serde(default)]
    refused: bool,
    sends: Option<Vec<Entry>>,
    events: Option<Vec<Entry>>,
    #[serde(default)]
    may_send: Vec<Entry>,
    #[serde(default)]
    may_tell: Vec<Entry>,
    pings: Option<u32>,
    #[serde(default)]
    credit: BTreeMap<String, Bounds>,
    #[serde(default)]
    charge: BTreeMap<String, Bounds>,
    #[serde(flatten)]
    values: Map<String, Value>,
}

type Entry = Map<String, Value>;

#[derive(Debug, Deserialize)]
struct Bounds {
    at_least: Option<String>,
    at_most: String,
}

impl Bounds {
    fn hold(&self, value: u64) -> bool {
        let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
        self.at_least
            .as_deref()
            .is_none_or(|least| number(least) <= value)
            && value <= number(&self.at_most)
    }
}

/// What has happened since the last comparison, and counts over the whole case.
#[derive(Default)]
struct Seen {
    sent: Vec<Sent>,
    told: Vec<Entry>,
    pings: u32,
    last: Option<Sent>,
    /// Highest credit that was given, by stream; 0 is the session.
    credit: BTreeMap<u64, u64>,
    /// Credit that was used, in the same way.
    charge: BTreeMap<u64, u64>,
}

/// What became of the row of a state table, for a snapshot.
pub type Outcome = String;

/// Plays a case. What the end under test did from `step` on is the outcome.
///
/// # Errors
/// In words, when the end did something else than it should. A case that is acceptable never
/// fails.
pub fn play(case: &Case, end: &mut dyn End) -> Result<Outcome, String> {
    let sequence: Sequence = case.input().map_err(|error| error.to_string())?;
    let from: usize = case.get("step").unwrap_or_default();
    let mut outcome = Vec::new();
    let result = run(case, &sequence, end, |index, text| {
        if index >= from {
            outcome.push(text);
        }
    });
    match result {
        Err(_) if case.expected() == Expected::Acceptable => {}
        Err(error) => return Err(format!("{}: {error}", case.id)),
        Ok(()) => {}
    }
    Ok(outcome.join("; "))
}

fn run(
    case: &Case,
    sequence: &Sequence,
    end: &mut dyn End,
    mut note: impl FnMut(usize, String),
) -> Result<(), String> {
    let failure = failure(case).map_err(|error| error.to_string())?;
    let over = failure
        .as_ref()
        .is_some_and(|(_, scope)| scope == "session");
    let mut seen = Seen::default();
    seen.gather(end);
    for (index, step) in sequence.steps.iter().enumerate() {
        let last = index + 1 == sequence.steps.len();
        for _ in 0..step.times.unwrap_or(1) {
            act(step, end).map_err(|error| format!("step {index}: {error}"))?;
            seen.gather(end);
        }
        note(index, seen.describe());
        if last && over {
            break;
        }
        if step.sends.is_some() || step.events.is_some() {
            let compared = compare(step, &mut seen);
            let what = step.values.get("note").and_then(Value::as_str);
            compared.map_err(|error| format!("step {index} ({}): {error}", what.unwrap_or("-")))?;
        }
    }
    match failure {
        Some((code, scope)) if scope == "session" => {
            let last = seen.last.as_ref();
            let said = last.filter(|sent| sent.kind == "GOAWAY" && sent.content["code"] == *code);
            match said {
                Some(_) if end.is_over() => Ok(()),
                Some(_) => Err(format!("the session goes on behind GOAWAY {code}")),
                None => Err(format!("the last frame is no GOAWAY {code}, but {last:?}")),
            }
        }
        _ => Ok(()),
    }
}

/// Error and scope of a case that has one.
fn failure(case: &Case) -> Result<Option<(String, String)>, VectorError> {
    match case.has("error") {
        true => Ok(Some((case.get("error")?, case.get("scope")?))),
        false => Ok(None),
    }
}

fn act(step: &Step, end: &mut dyn End) -> Result<(), String> {
    if let Some(hex) = &step.receive {
        let mut input = Map::new();
        input.insert("hex".to_owned(), Value::from(hex.clone()));
        input.extend(step.then.clone().map(|then| ("then".to_owned(), then)));
        let long = Long::deserialize(Value::Object(input)).map_err(|error| error.to_string())?;
        end.receive(step.lane, &long.bytes());
    } else if let Some(call) = &step.call {
        // What has to be turned down may also be dropped in silence: nothing is sent in any case.
        if !end.call(call, &step.values) && !step.refused {
            return Err(format!("{call} was not possible"));
        }
    } else if let Some(ms) = step.wait_ms {
        end.wait(ms);
    } else {
        return Err("a step of no known kind".to_owned());
    }
    Ok(())
}

impl Seen {
    fn gather(&mut self, end: &mut dyn End) {
        for sent in end.sent() {
            self.last = Some(sent.clone());
            match sent.kind.as_str() {
                "HELLO" => {
                    for (stream, name) in [
                        (0, "initial_session_credit"),
                        (u64::MAX, "initial_stream_credit"),
                    ] {
                        let value = sent.content.get(name).and_then(Value::as_u64);
                        self.credit.extend(value.map(|value| (stream, value)));
                    }
                }
                "CREDIT" => {
                    let limit = text(&sent.content, "max_bytes").parse().unwrap_or(0);
                    let before = self.credit.entry(sent.stream).or_default();
                    *before = limit.max(*before);
                }
                "PING" => self.pings += 1,
                "" => {}
                kind => {
                    let count = sent.payload.len() as u64;
                    let charge = match kind {
                        "DATA" | "DATA_END" => count,
                        _ if message(kind).is_some() => count + MESSAGE_CHARGE,
                        _ => 0,
                    };
                    *self.charge.entry(sent.stream).or_default() += charge;
                    *self.charge.entry(0).or_default() += charge;
                    self.sent.push(sent);
                }
            }
        }
        self.told.extend(end.told());
    }

    fn describe(&self) -> String {
        let entries = entries(&self.sent)
            .into_iter()
            .map(|entry| words("sends", &entry, "type"));
        let events = joined(&self.told)
            .into_iter()
            .map(|event| words("tells", &event, "event"));
        let all: Vec<_> = entries.chain(events).collect();
        match all.is_empty() {
            true => "nothing".to_owned(),
            false => all.join(", "),
        }
    }
}

/// A short form for people and snapshots.
fn words(verb: &str, entry: &Entry, key: &str) -> String {
    let mut words = vec![verb.to_owned(), text(entry, key)];
    for name in ["status", "code"] {
        if let Some(value) = entry.get(name) {
            words.push(
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            );
        }
    }
    words.join(" ")
}

fn text(entry: &Entry, key: &str) -> String {
    entry
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Kind of a message's frame, and whether the message ends with it.
fn message(kind: &str) -> Option<(&'static str, bool)> {
    match kind {
        "WS_TEXT" => Some(("text", true)),
        "WS_TEXT_PART" => Some(("text", false)),
        "WS_BINARY" => Some(("binary", true)),
        "WS_BINARY_PART" => Some(("binary", false)),
        _ => None,
    }
}

/// Frames as the vectors write them: bodies and messages joined.
fn entries(sent: &[Sent]) -> Vec<Entry> {
    let mut done: Vec<Entry> = Vec::new();
    let mut bodies: BTreeMap<u64, (Vec<u8>, bool)> = BTreeMap::new();
    let mut parts: BTreeMap<u64, (&'static str, Vec<u8>)> = BTreeMap::new();
    for sent in sent {
        if matches!(sent.kind.as_str(), "DATA" | "DATA_END") {
            let (bytes, end) = bodies.entry(sent.stream).or_default();
            bytes.extend(&sent.payload);
            *end |= sent.kind == "DATA_END";
        } else if let Some((kind, whole)) = message(&sent.kind) {
            let (_, bytes) = parts.entry(sent.stream).or_insert((kind, Vec::new()));
            bytes.extend(&sent.payload);
            if whole && let Some((kind, bytes)) = parts.remove(&sent.stream) {
                done.push(piece("MESSAGE", sent.stream, kind, &bytes));
            }
        } else {
            let mut entry = sent.content.clone();
            entry.insert("type".to_owned(), sent.kind.clone().into());
            entry.insert("lane".to_owned(), sent.lane.into());
            if sent.stream > 0 {
                entry.insert("stream".to_owned(), sent.stream.to_string().into());
            }
            done.push(entry);
        }
    }
    for (stream, (kind, bytes)) in parts {
        done.push(piece("PARTS", stream, kind, &bytes));
    }
    for (stream, (bytes, end)) in bodies {
        let mut entry = piece("BODY", stream, "", &bytes);
        entry.insert("end".to_owned(), end.into());
        done.push(entry);
    }
    done
}

fn piece(kind: &str, stream: u64, of: &str, bytes: &[u8]) -> Entry {
    let mut entry = amount(bytes);
    entry.insert("type".to_owned(), kind.into());
    entry.insert("stream".to_owned(), stream.to_string().into());
    entry.insert("kind".to_owned(), of.into());
    entry
}

/// Bytes as `hex` and as their number.
#[must_use]
pub fn amount(bytes: &[u8]) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert(
        "hex".to_owned(),
        data_encoding::HEXLOWER.encode(bytes).into(),
    );
    entry.insert("bytes".to_owned(), bytes.len().into());
    entry
}

/// Events with pieces of a body that follow each other joined.
fn joined(told: &[Entry]) -> Vec<Entry> {
    let mut done: Vec<Entry> = Vec::new();
    for event in told {
        let is_data = |event: &Entry| text(event, "event") == "data";
        let before = done
            .iter_mut()
            .rev()
            .find(|other| other.get("stream") == event.get("stream"));
        match before {
            Some(before) if is_data(event) && is_data(before) => {
                let hex = text(before, "hex") + &text(event, "hex");
                before.insert("bytes".to_owned(), (hex.len() / 2).into());
                before.insert("hex".to_owned(), hex.into());
            }
            _ => done.push(event.clone()),
        }
    }
    done
}

/// Whether everything that is expected of an entry is so.
fn fits(expected: &Entry, actual: &Entry) -> bool {
    let expected = expected.iter().filter(|(key, _)| *key != "times");
    let mut expected = expected.filter(|(_, value)| !value.is_null());
    expected.all(|(key, value)| actual.get(key) == Some(value))
}

fn compare(step: &Step, seen: &mut Seen) -> Result<(), String> {
    let mut actual = entries(&std::mem::take(&mut seen.sent));
    for expected in step.sends.iter().flatten() {
        let times = expected.get("times").and_then(Value::as_u64).unwrap_or(1);
        for _ in 0..times {
            let found = actual.iter().position(|entry| fits(expected, entry));
            let found =
                found.ok_or_else(|| format!("{expected:?} was not sent, but {actual:?}"))?;
            actual.remove(found);
        }
    }
    actual.retain(|entry| !step.may_send.iter().any(|may| fits(may, entry)));
    if !actual.is_empty() {
        return Err(format!("{actual:?} was sent"));
    }
    compare_events(step, joined(&std::mem::take(&mut seen.told)))?;
    if let Some(pings) = step.pings
        && pings != seen.pings
    {
        return Err(format!("{} PINGs were sent, and not {pings}", seen.pings));
    }
    let initial = seen.credit.get(&u64::MAX).copied();
    within("credit", &step.credit, &seen.credit, initial)?;
    within("charge", &step.charge, &seen.charge, None)
}

fn compare_events(step: &Step, mut actual: Vec<Entry>) -> Result<(), String> {
    for expected in step.events.iter().flatten() {
        // In their order on each stream: the first one that is left there has to be it.
        let stream = expected.get("stream");
        let optional = |event: &Entry| step.may_tell.iter().any(|may| fits(may, event));
        let next = actual.iter().position(|event| {
            event.get("stream") == stream && (fits(expected, event) || !optional(event))
        });
        let found = next.filter(|next| fits(expected, &actual[*next]));
        let found = found.ok_or_else(|| format!("{expected:?} was not told, but {actual:?}"))?;
        actual.remove(found);
    }
    actual.retain(|event| !step.may_tell.iter().any(|may| fits(may, event)));
    match actual.is_empty() {
        true => Ok(()),
        false => Err(format!("{actual:?} was told")),
    }
}

fn within(
    what: &str,
    expected: &BTreeMap<String, Bounds>,
    actual: &BTreeMap<u64, u64>,
    initial: Option<u64>,
) -> Result<(), String> {
    for (name, bounds) in expected {
        let stream = name.parse().unwrap_or(0);
        let value = actual.get(&stream).copied().or(initial).unwrap_or(0);
        if !bounds.hold(value) {
            return Err(format!(
                "{what} of {name} is {value}, which is not within {bounds:?}"
            ));
        }
    }
    Ok(())
}
