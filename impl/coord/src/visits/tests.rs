//! The cases `visit-coord` of `conformance/vectors/signaling.json`: a visit at coord, in every
//! state with every event (spec/states/visit-coord.csv).
use super::{News, Undelivered, VisitTask, Visits};
use crate::Limits;
use crate::agents::{Agents, Command, Entered};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use p2claw_identity::{HostLabel, SessionId};
use p2claw_proto::v1::{Envelope, VisitEvent, envelope, visit_event};
use p2claw_signaling::SignalCode;
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::code;
use p2claw_signaling::event_stream::EventReader;
use prost::Message as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const VECTORS: &str = include_str!("../../../../conformance/vectors/signaling.json");
const TABLE: &str = include_str!("../../../../spec/states/visit-coord.csv");

/// One visit, offered, and everything around it.
struct Bench {
    visits: Arc<Visits>,
    session: SessionId,
    link: Option<Entered>,
    commands: mpsc::Receiver<Command>,
    body: Option<mpsc::Receiver<Bytes>>,
    events: EventReader,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Bench {
    fn new(session: SessionId) -> Self {
        let label = HostLabel::parse("recipes-honeyed-marble-4155").unwrap();
        let (agents, limits) = (Arc::new(Agents::new()), Limits::default());
        let (sender, commands) = mpsc::channel(8);
        let link = agents.enter(label.alias().clone(), sender, &limits);
        link.set_apps(vec![label.app().clone()]);
        let visits = Arc::new(Visits::default());
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (task, body): (VisitTask, _) =
            visits.enter(session, agents.reach(&label).unwrap(), place);
        let shutdown = CancellationToken::new();
        Self {
            visits,
            session,
            link: Some(link),
            commands,
            body: Some(body),
            events: EventReader::new(),
            task: tokio::spawn(task.run(limits, shutdown.clone())),
            shutdown,
        }
    }

    /// Does a step; what goes to the agent at once, and the status of an answer.
    async fn act(&mut self, step: &Value) -> (Vec<Value>, Option<u16>) {
        let mut at_once = Vec::new();
        let mut status = None;
        if let Some(hex) = step["agent"].as_str() {
            at_once.extend(self.bring(&HEXLOWER.decode(hex.as_bytes()).unwrap()));
        } else if let Some(what) = step["visitor"].as_str() {
            let done = match what {
                "update" => {
                    let listed = step["candidates"].as_array().unwrap().iter();
                    let listed =
                        listed.map(|one| IceCandidate::parse(one.as_str().unwrap(), "0").unwrap());
                    Some(self.visits.update(self.session, listed.collect()))
                }
                "delete" => Some(self.visits.give_up(self.session)),
                "close" => {
                    self.body = None;
                    None
                }
                other => panic!("no step {other}"),
            };
            status = done.map(|done| match done {
                Ok(()) => 204,
                Err(Undelivered::NoSuchVisit) => code::http_status(SignalCode::NoSuchVisit),
                Err(Undelivered::Limit) => code::http_status(SignalCode::Limit),
            });
        } else if step["link"] == "lost" {
            self.link = None;
        } else if step["stop"] == true {
            self.shutdown.cancel();
        } else {
            let ms = step["wait_ms"].as_u64().unwrap();
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        // Let the visit's task do what there is to do, without time passing.
        for _ in 0..32 {
            tokio::task::yield_now().await;
        }
        (at_once, status)
    }

    /// What the link's driver does with news for a visit.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a visit is told of three kinds"
    )]
    fn bring(&self, bytes: &[u8]) -> Option<Value> {
        let news = match Envelope::decode(bytes).unwrap().kind.unwrap() {
            envelope::Kind::VisitAnswer(answer) => News::Answer(answer),
            envelope::Kind::Candidate(candidate) => News::Candidate(candidate.try_into().unwrap()),
            envelope::Kind::VisitEnd(end) => News::End(code::from_number(end.code), end.reason),
            other => panic!("no visit is told of {other:?}"),
        };
        let link = self.link.as_ref()?.link();
        let answers = matches!(news, News::Answer(_));
        let told = self.visits.tell(self.session, link, news);
        // SIG-032
        (answers && told == Err(Undelivered::NoSuchVisit)).then(|| {
            json!({"kind": "VisitEnd", "code": "NO_SUCH_VISIT", "session_id": self.session.to_string()})
        })
    }

    fn sent_to_agent(&mut self) -> Vec<Value> {
        let mut sent = Vec::new();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Candidates(session, candidates) => {
                    sent.extend(candidates.iter().map(|candidate| match candidate.is_end() {
                        true => json!({"kind": "Candidate", "session_id": session.to_string()}),
                        false => json!({"kind": "Candidate", "session_id": session.to_string(), "candidate": candidate.as_str()}),
                    }));
                }
                Command::EndVisit(session, code, _) => {
                    sent.push(json!({"kind": "VisitEnd", "session_id": session.to_string(), "code": code::name(code)}));
                }
                Command::Offer(offer) => panic!("a second offer: {offer:?}"),
            }
        }
        sent
    }

    fn sent_to_visitor(&mut self) -> Vec<Value> {
        while let Some(Ok(bytes)) = self.body.as_mut().map(mpsc::Receiver::try_recv) {
            self.events.push(&bytes);
        }
        let mut sent = Vec::new();
        while let Some(VisitEvent { kind }) = self.events.next_event().unwrap() {
            sent.push(match kind.unwrap() {
                visit_event::Kind::Answer(answer) => {
                    json!({"kind": "answer", "sdp": answer.sdp, "signature": HEXLOWER.encode(&answer.signature)})
                }
                visit_event::Kind::Candidate(candidate) => {
                    json!({"kind": "candidate", "candidate": candidate.candidate})
                }
                visit_event::Kind::End(end) => {
                    json!({"kind": "end", "code": code::name(code::from_number(end.code))})
                }
            });
        }
        sent
    }
}

/// Whether these messages are those that were expected, as far as they are compared.
fn compare(actual: &[Value], expected: &Value, what: &str) {
    let expected = expected.as_array().unwrap();
    let fits = |(actual, expected): (&Value, &Value)| {
        let expected = expected.as_object().unwrap();
        expected.iter().all(|(key, value)| actual[key] == *value)
    };
    let same = actual.len() == expected.len() && actual.iter().zip(expected).all(fits);
    assert!(same, "{what}: {actual:?}, and not {expected:?}");
}

/// The rows of the table that can happen, as the cases name them.
fn rows() -> BTreeSet<String> {
    let rows = TABLE
        .lines()
        .skip(1)
        .map(|row| row.split(',').collect::<Vec<_>>());
    rows.filter(|cells| cells[3] != "cannot happen")
        .map(|cells| format!("{}/{}", cells[0], cells[1]).replace(' ', "-"))
        .collect()
}

/// What a message is, in short.
fn words(to: &str, sent: &Value) -> String {
    let code = sent["code"].as_str().unwrap_or_default();
    let kind = sent["kind"].as_str().unwrap();
    format!("to {to}: {kind} {code}").trim_end().to_owned()
}

/// SIG-016 to SIG-018, SIG-021, SIG-027, SIG-028, SIG-030 to SIG-032.
#[tokio::test(start_paused = true)]
async fn sig_017_visits_go_as_the_vectors_say() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let groups = vectors["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["type"] == "visit-coord");
    let cases = group.unwrap()["cases"].as_array().unwrap();
    let (mut tried, mut lines) = (BTreeSet::new(), Vec::new());
    for case in cases {
        let input = &case["input"];
        let row = case["id"].as_str().unwrap().strip_prefix("visit-coord/");
        let row = row.unwrap().to_owned();
        let mut outcome = Vec::new();
        let mut bench = Bench::new(input["session_id"].as_str().unwrap().parse().unwrap());
        let mut ended = false;
        for (index, step) in input["steps"].as_array().unwrap().iter().enumerate() {
            let what = format!("{} step {index}", case["id"]);
            let (mut to_agent, status) = bench.act(step).await;
            to_agent.extend(bench.sent_to_agent());
            compare(
                &to_agent,
                &step["to_agent"],
                &format!("{what}, to the agent"),
            );
            let to_visitor = bench.sent_to_visitor();
            compare(
                &to_visitor,
                &step["to_visitor"],
                &format!("{what}, to the visitor"),
            );
            assert_eq!(json!(status), step["status"], "{what}");
            ended |= step["ended"] == true;
            assert_eq!(
                bench.task.is_finished(),
                ended,
                "{what}: whether it is over"
            );
            if case["step"].as_u64() <= u64::try_from(index).ok() {
                outcome.extend(to_agent.iter().map(|sent| words("agent", sent)));
                outcome.extend(to_visitor.iter().map(|sent| words("visitor", sent)));
                outcome.extend(status.map(|status| status.to_string()));
                outcome.extend((step["ended"] == true).then(|| "ended".to_owned()));
            }
        }
        let outcome = match outcome.is_empty() {
            true => "nothing".to_owned(),
            false => outcome.join(", "),
        };
        lines.push(format!("{row} | {outcome}"));
        assert!(tried.insert(row), "{} twice", case["id"]);
    }
    assert_eq!(tried, rows(), "rows of visit-coord");
    insta::assert_snapshot!("visit-coord", lines.join("\n"));
}
