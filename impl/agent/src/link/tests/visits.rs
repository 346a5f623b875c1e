//! The cases `visit-agent` of `conformance/vectors/signaling.json`: a visit at the agent, in every
//! state with every event (spec/states/visit-agent.csv). The whole agent plays them but for its
//! WebRTC stack; the test is coord's end of the socket, the stack, and the visitor.
use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use data_encoding::HEXLOWER;
use futures_util::future::BoxFuture;
use p2claw_identity::AppName;
use p2claw_network::UdpSocket;
use p2claw_proto::v1::{Envelope, envelope};
use p2claw_session::{LaneId, frame::Frame};
use p2claw_signaling::code;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::{io::DuplexStream, sync::oneshot};

use super::*;
use crate::{
    routes::RouteEntry,
    transport::{Accepted, Offered, Path, Peer, PeerEvent, PeerTransport, TransportError},
};

const VECTORS: &str = include_str!("../../../../../conformance/vectors/signaling.json");
const TABLE: &str = include_str!("../../../../../spec/states/visit-agent.csv");

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// The machine's network: one connection to coord, and a clock that the steps move.
#[derive(Debug)]
struct OneSocket {
    socket: Mutex<Option<DuplexStream>>,
    now_ms: AtomicI64,
}

impl p2claw_network::Network for OneSocket {
    fn bind_udp(&self, _: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect_tcp(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        let socket = lock(&self.socket).take();
        Box::pin(async move {
            let socket = socket.ok_or(io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(socket) as Box<dyn ByteStream>)
        })
    }

    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }

    fn unix_millis(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }
}

/// The WebRTC stack: it thinks about each offer until a step tells what comes of it.
#[derive(Debug, Clone)]
struct Stack(Arc<Mutex<StackState>>);

#[derive(Debug)]
struct StackState {
    answer: String,
    /// Offers that wait; `true` for one that it can use.
    asked: VecDeque<oneshot::Sender<bool>>,
    /// The transport that was made last.
    transport: Arc<Mutex<Transport>>,
}

/// What there is to see of a transport.
#[derive(Debug, Default)]
struct Transport {
    open: bool,
    news: VecDeque<PeerEvent>,
    waker: Option<Waker>,
    /// Candidates of the visitor's.
    candidates: Vec<String>,
    sent: Vec<Bytes>,
}

impl Transport {
    fn happens(&mut self, event: PeerEvent) {
        self.news.push_back(event);
        self.waker.take().inspect(|waker| waker.wake_by_ref());
    }
}

impl PeerTransport for Stack {
    fn accept<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Accepted, TransportError>> {
        let (word, waits) = oneshot::channel();
        lock(&self.0).asked.push_back(word);
        Box::pin(async move {
            let unusable = TransportError::BadDescription("it says nothing to me".to_owned());
            if !waits.await.unwrap() {
                return Err(unusable);
            }
            let transport = Arc::new(Mutex::new(Transport {
                open: true,
                news: [PeerEvent::LaneOpen(LaneId::ZERO)].into(),
                ..Transport::default()
            }));
            let mut stack = lock(&self.0);
            stack.transport = Arc::clone(&transport);
            let answer = stack.answer.clone();
            let peer = Box::new(End {
                transport,
                answer: answer.clone(),
            });
            Ok(Accepted { answer, peer })
        })
    }

    fn offer(&self) -> BoxFuture<'_, Result<Offered, TransportError>> {
        Box::pin(async { Err(TransportError::Closed) })
    }

    fn use_servers(&self, _: &[IceServer]) {}

    fn local_addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }
}

/// The agent's end of a transport.
struct End {
    transport: Arc<Mutex<Transport>>,
    answer: String,
}

impl Peer for End {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent> {
        let mut transport = lock(&self.transport);
        if !transport.open {
            return Poll::Ready(PeerEvent::Closed("closed".to_owned()));
        }
        transport.waker = Some(cx.waker().clone());
        match transport.news.pop_front() {
            Some(event) => Poll::Ready(event),
            None => Poll::Pending,
        }
    }

    fn try_send(&mut self, _: LaneId, message: &Bytes) -> Result<bool, TransportError> {
        lock(&self.transport).sent.push(message.clone());
        Ok(true)
    }

    fn restart(&mut self) -> Result<String, TransportError> {
        Err(TransportError::Closed)
    }

    fn accept_restart(&mut self, _: &str) -> Result<String, TransportError> {
        Ok(self.answer.clone())
    }

    fn accept_answer(&mut self, _: &str) -> Result<(), TransportError> {
        Err(TransportError::Closed)
    }

    fn add_candidate(&mut self, candidate: &str) {
        lock(&self.transport).candidates.push(candidate.to_owned());
    }

    fn path(&self) -> Option<Path> {
        None
    }

    fn close(&mut self) {
        lock(&self.transport).open = false;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        lock(&self.transport).open = false;
    }
}

/// An agent, and everything around it.
struct Bench {
    network: Arc<OneSocket>,
    stack: Stack,
    /// Coord's end of the link.
    coord: Option<WebSocketStream<DuplexStream>>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), LinkError>>,
}

/// What a step leads to.
#[derive(Debug, Default)]
struct Outcome {
    sends: Vec<Value>,
    to_stack: Vec<String>,
    to_visitor: Vec<Value>,
    transport: bool,
}

impl Bench {
    async fn new(input: &Value) -> Self {
        let (here, there) = tokio::io::duplex(limits::MAX_ENVELOPE);
        let network = Arc::new(OneSocket {
            socket: Mutex::new(Some(there)),
            now_ms: AtomicI64::new(input["now_ms"].as_i64().unwrap()),
        });
        let stack = Stack(Arc::new(Mutex::new(StackState {
            answer: input["answer_sdp"].as_str().unwrap().to_owned(),
            asked: VecDeque::new(),
            transport: Arc::default(),
        })));
        let routes = Arc::new(Routes::load(None).unwrap());
        for app in input["apps"].as_array().unwrap() {
            let entry = RouteEntry {
                upstream: "1".parse().unwrap(),
                preserve_host: false,
            };
            let app = AppName::parse(app.as_str().unwrap()).unwrap();
            routes.expose(app, entry).unwrap();
        }
        let seed = bytes(&input["seed"]).try_into().unwrap();
        let host = Host {
            key: Arc::new(IdentityKey::from_seed(seed)),
            routes,
            transport: Arc::new(stack.clone()),
            network: Arc::clone(&network) as Arc<dyn p2claw_network::Network>,
            session: Config::for_role(p2claw_session::Role::Agent),
            sessions: Arc::default(),
        };
        let domain = input["domain"].as_str().unwrap();
        let shutdown = CancellationToken::new();
        let link = Link {
            host: Arc::new(host),
            url: format!("ws://{domain}/"),
            domain: domain.to_owned(),
            software: "vectors".to_owned(),
            status: watch::channel(LinkStatus::default()).0,
            shutdown: shutdown.clone(),
        };
        let running = tokio::spawn(link.run());
        let coord = within(accept_hdr_async(here, agree)).await.unwrap();
        Self {
            network,
            stack,
            coord: Some(coord),
            shutdown,
            running,
        }
    }

    async fn act(&mut self, step: &Value) -> Outcome {
        if let Some(message) = step.get("receive") {
            let message = Message::Binary(bytes(message).into());
            self.coord.as_mut().unwrap().send(message).await.unwrap();
        } else if let Some(word) = step["stack"].as_str() {
            // It may have been told that nobody needs its answer any more.
            if let Some(asked) = lock(&self.stack.0).asked.pop_front() {
                let _ = asked.send(word == "answer");
            }
        } else if let Some(frame) = step.get("frame") {
            let frame = PeerEvent::Message(LaneId::ZERO, bytes(frame).into());
            lock(&self.transport()).happens(frame);
        } else if step["visitor"] == "leaves" {
            lock(&self.transport()).happens(PeerEvent::Closed("closed".to_owned()));
        } else if step["link"] == "lost" {
            self.coord = None;
        } else if step["stop"] == true {
            self.shutdown.cancel();
        } else {
            let ms = step["wait_ms"].as_u64().unwrap();
            sleep(Duration::from_millis(ms)).await;
            let ms = i64::try_from(ms).unwrap();
            self.network.now_ms.fetch_add(ms, Ordering::Relaxed);
        }
        // The paused clock goes on when nobody has anything left to do.
        sleep(Duration::from_millis(1)).await;
        let sends = self.sent_to_coord().await;
        let transport = self.transport();
        let mut transport = lock(&transport);
        let mut to_visitor: Vec<_> = transport.sent.drain(..).filter_map(described).collect();
        // The end of a session that drains says GOAWAY once more.
        to_visitor.dedup();
        Outcome {
            sends,
            to_stack: std::mem::take(&mut transport.candidates),
            to_visitor,
            transport: transport.open,
        }
    }

    fn transport(&self) -> Arc<Mutex<Transport>> {
        Arc::clone(&lock(&self.stack.0).transport)
    }

    /// What has come on the link and is about visits.
    async fn sent_to_coord(&mut self) -> Vec<Value> {
        let mut sent = Vec::new();
        let Some(coord) = &mut self.coord else {
            return sent;
        };
        while let Ok(Some(Ok(message))) = timeout(Duration::ZERO, coord.next()).await {
            if let Message::Binary(message) = message {
                sent.extend(about_visits(&message));
            }
        }
        sent
    }
}

fn bytes(hex: &Value) -> Vec<u8> {
    HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap()
}

/// A message to coord, as the vectors write it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the vectors leave the others out"
)]
fn about_visits(message: &[u8]) -> Option<Value> {
    let name = |number| code::name(code::from_number(number));
    Some(match Envelope::decode(message).unwrap().kind? {
        envelope::Kind::VisitAnswer(answer) => json!({
            "kind": "VisitAnswer",
            "session_id": HEXLOWER.encode(&answer.session_id),
            "sdp": answer.sdp,
            "statement": HEXLOWER.encode(&answer.statement),
            "signature": HEXLOWER.encode(&answer.signature),
        }),
        envelope::Kind::VisitEnd(end) => json!({
            "kind": "VisitEnd",
            "session_id": HEXLOWER.encode(&end.session_id),
            "code": name(end.code),
        }),
        envelope::Kind::Candidate(candidate) => json!({
            "kind": "Candidate",
            "candidate": candidate.candidate,
        }),
        envelope::Kind::Error(error) => json!({"kind": "Error", "code": name(error.code)}),
        _ => return None,
    })
}

/// A frame to the visitor, but for those that the vectors leave out.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest belongs to streams, and none is open"
)]
fn described(message: Bytes) -> Option<Value> {
    match Frame::decode(message).unwrap() {
        Frame::Hello(_) | Frame::Credit { .. } | Frame::Ping { .. } | Frame::Unknown { .. } => None,
        Frame::Pong { token } => {
            Some(json!({"type": "PONG", "stream": "0", "token": token.to_string()}))
        }
        Frame::GoAway {
            code, last_stream, ..
        } => Some(json!({
            "type": "GOAWAY",
            "stream": "0",
            "code": code.name(),
            "last_stream": last_stream.to_string(),
        })),
        other => panic!("a session with nothing open sent {other:?}"),
    }
}

/// Whether these are those that were expected, as far as they are compared.
fn covers(actual: &[Value], expected: &[Value]) -> bool {
    let fits = |(actual, expected): (&Value, &Value)| {
        let mut expected = expected.as_object().unwrap().iter();
        expected.all(|(key, value)| key == "re" || actual[key] == *value)
    };
    actual.len() == expected.len() && actual.iter().zip(expected).all(fits)
}

/// The rows of the table that can happen, as the cases name them.
fn rows() -> BTreeSet<String> {
    let rows = TABLE.lines().skip(1);
    rows.map(|row| row.split(',').collect::<Vec<_>>())
        .filter(|cells| cells[3] != "cannot happen")
        .map(|cells| format!("{}/{}", cells[0], cells[1]).replace(' ', "-"))
        .collect()
}

/// SIG-010, SIG-013, SIG-014, SIG-016, SIG-025, SIG-041, SIG-045, SIG-047, SES-070, IDN-014: the
/// agent decides, and what it does is what the vectors say.
#[tokio::test(start_paused = true)]
async fn visits_go_as_the_vectors_say() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let groups = vectors["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["type"] == "visit-agent");
    let (mut tried, mut lines) = (BTreeSet::new(), Vec::new());
    for case in group.unwrap()["cases"].as_array().unwrap() {
        let row = case["id"].as_str().unwrap().strip_prefix("visit-agent/");
        let row = row.unwrap().to_owned();
        let input = &case["input"];
        let mut bench = Bench::new(input).await;
        let mut shown = Vec::new();
        for (index, step) in input["steps"].as_array().unwrap().iter().enumerate() {
            let outcome = bench.act(step).await;
            let what = format!("{row}, step {index}: {outcome:?}, and not {step}");
            let listed = |key: &str| step[key].as_array().cloned().unwrap_or_default();
            let may_send = [listed("sends"), listed("may_send")].concat();
            let sends = &outcome.sends;
            assert!(
                covers(sends, &listed("sends")) || covers(sends, &may_send),
                "{what}"
            );
            assert_eq!(json!(outcome.to_stack), step["to_stack"], "{what}");
            assert!(covers(&outcome.to_visitor, &listed("to_visitor")), "{what}");
            if let Some(transport) = step["transport"].as_bool() {
                assert_eq!(outcome.transport, transport, "{what}");
            }
            if case["step"].as_u64() <= u64::try_from(index).ok() {
                shown.extend(outcome.words());
            }
        }
        bench.running.abort();
        let shown = if shown.is_empty() {
            "nothing".to_owned()
        } else {
            shown.join(", ")
        };
        lines.push(format!("{row} | {shown}"));
        assert!(tried.insert(row), "{} twice", case["id"]);
    }
    assert_eq!(tried, rows(), "rows of visit-agent");
    insta::assert_snapshot!("visit-agent", lines.join("\n"));
}

impl Outcome {
    fn words(&self) -> impl Iterator<Item = String> {
        let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let sends = self
            .sends
            .iter()
            .map(move |sent| ("to coord", word(sent, "kind"), word(sent, "code")));
        let frames = self
            .to_visitor
            .iter()
            .map(move |sent| ("to the visitor", word(sent, "type"), word(sent, "code")));
        let candidates = self
            .to_stack
            .iter()
            .map(|_| ("to the stack", "Candidate".to_owned(), String::new()));
        let words = sends.chain(frames).chain(candidates);
        words.map(|(to, what, code)| format!("{to}: {what} {code}").trim_end().to_owned())
    }
}
