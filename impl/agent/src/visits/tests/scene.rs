//! An agent whose link is the test, and visitors with sessions.

use std::{sync::Arc, time::Duration};

use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey, Nonce, SessionId};
use p2claw_network::{Machine, Network as _};
use p2claw_proto::v1::{VisitAnswer, VisitEvent, VisitRequest, visit_event};
use p2claw_session::{Config, Fields, Request, Role, Target};
use p2claw_signaling::{
    SignalCode,
    address::PublicAddress,
    agent_link::{VisitOffer, Welcome},
    sdp::Description,
    visitor::{VisitCheck, VisitError, VisitorEvent},
};
use prost::Message as _;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::{self, Connection, Driver, Exchange},
    memory::MemoryTransport,
    routes::{RouteEntry, Routes},
    transport::PeerTransport as _,
    visit::{Host, Outgoing},
    visits::Visits,
};

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("nothing happened within 10 s"))
}

/// An agent whose link is the test.
pub(super) struct Agent {
    pub(super) network: MemoryTransport,
    pub(super) upstream: TcpListener,
    pub(super) host: Arc<Host>,
    pub(super) alias: Alias,
    pub(super) welcome: Arc<Welcome>,
    pub(super) visits: Visits,
    pub(super) shutdown: CancellationToken,
    /// Visits so far; their ids follow from it.
    pub(super) visited: u8,
}

/// A link of it: what comes on it is for one coord.
pub(super) struct Link {
    pub(super) outbox: mpsc::Sender<Outgoing>,
    pub(super) outgoing: mpsc::Receiver<Outgoing>,
}

impl Link {
    pub(super) fn new() -> Self {
        let (outbox, outgoing) = mpsc::channel(64);
        Self { outbox, outgoing }
    }

    async fn next(&mut self) -> Outgoing {
        within(self.outgoing.recv()).await.unwrap()
    }

    /// The next answer; candidates before it are of an earlier visit.
    pub(super) async fn answer(&mut self, session_id: SessionId) -> VisitAnswer {
        loop {
            match self.next().await {
                Outgoing::Answer(answer) => {
                    assert_eq!(answer.session_id, session_id.as_bytes()[..]);
                    return answer;
                }
                Outgoing::Candidate(other, _) => assert_ne!(other, session_id),
                Outgoing::Refuse(_, refusal) => panic!("refused: {refusal:?}"),
            }
        }
    }

    pub(super) async fn refusal(&mut self, session_id: SessionId) -> SignalCode {
        loop {
            match self.next().await {
                Outgoing::Refuse(id, refusal) => {
                    assert_eq!(id, session_id);
                    return refusal.code;
                }
                Outgoing::Candidate(..) => {}
                Outgoing::Answer(_) => panic!("answered"),
            }
        }
    }

    /// The candidates of a visit, up to their end.
    pub(super) async fn candidates(&mut self, session_id: SessionId) -> Vec<String> {
        let mut candidates = Vec::new();
        loop {
            match self.next().await {
                Outgoing::Candidate(id, candidate) if id == session_id => {
                    if candidate.is_end() {
                        return candidates;
                    }
                    assert_eq!(candidate.sdp_mid(), "0");
                    candidates.push(candidate.as_str().to_owned());
                }
                Outgoing::Candidate(..) => {}
                Outgoing::Answer(_) | Outgoing::Refuse(..) => panic!("candidates come first"),
            }
        }
    }
}

/// A visitor with a session.
pub(super) struct Visitor {
    pub(super) check: VisitCheck,
    pub(super) session_id: SessionId,
    pub(super) connection: Connection,
    pub(super) driver: Driver,
}

impl Agent {
    pub(super) async fn start() -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = upstream.local_addr().unwrap().to_string().parse().unwrap();
        let routes = Arc::new(Routes::load(None).unwrap());
        for app in ["recipes", "notes"] {
            let entry = RouteEntry {
                upstream: Clone::clone(&address),
                preserve_host: false,
            };
            routes.expose(AppName::parse(app).unwrap(), entry).unwrap();
        }
        let key = Arc::new(IdentityKey::from_seed([7; 32]));
        let alias = Alias::candidate(&key.peer_id(), 0);
        let network = MemoryTransport::new();
        let host = Arc::new(Host {
            key,
            routes,
            transport: Arc::new(network.clone()),
            network: Arc::new(Machine),
            session: Config::default(),
            sessions: Arc::default(),
        });
        let welcome = Arc::new(Welcome {
            alias: alias.clone(),
            public: PublicAddress {
                scheme: "https".to_owned(),
                parent: "example.net".to_owned(),
                port: None,
            },
            ice_servers: Vec::new(),
            max_routes: 8,
            max_visits: 2,
            heartbeat: Duration::from_secs(15),
        });
        Self {
            network,
            upstream,
            host,
            alias,
            welcome,
            visits: Visits::new(),
            shutdown: CancellationToken::new(),
            visited: 0,
        }
    }

    /// Passes a request on as coord does; the id that it chose.
    pub(super) fn offer(&mut self, link: &Link, check: &VisitCheck, app: &str) -> SessionId {
        let request = VisitRequest::decode(check.request()).unwrap();
        self.visited += 1;
        let session_id = SessionId([self.visited; 16]);
        let description = Description::parse(&request.sdp).unwrap();
        let offer = VisitOffer {
            session_id,
            app: AppName::parse(app).unwrap(),
            alias: self.alias.clone(),
            visitor_fingerprint: description.fingerprint,
            max_message: description.max_message,
            sdp: request.sdp,
            nonce: Nonce::from_bytes(&request.nonce).unwrap(),
            restarts: SessionId::from_bytes(&request.restarts).ok(),
        };
        let (welcome, outbox) = (Arc::clone(&self.welcome), link.outbox.clone());
        self.visits
            .start(&self.host, &self.shutdown, offer, &welcome, outbox);
        session_id
    }

    pub(super) async fn visit(&mut self, link: &mut Link) -> Visitor {
        let mut offered = self.network.offer().await.unwrap();
        let label = HostLabel::new(AppName::parse("recipes").unwrap(), self.alias.clone());
        let nonce = Nonce([self.visited; 32]);
        let mut check = VisitCheck::new(label, nonce, offered.offer, Vec::new()).unwrap();
        let session_id = self.offer(link, &check, "recipes");
        let answer = link.answer(session_id).await;
        offered
            .peer
            .accept_answer(&take(&mut check, answer))
            .unwrap();
        let config = Config::default();
        let (connection, driver) = connection::connect(Role::Visitor, config, offered.peer);
        Visitor {
            check,
            session_id,
            connection,
            driver,
        }
    }

    /// The upstream's end of the next connection, with the head of its request.
    pub(super) async fn accept(&self) -> (TcpStream, String) {
        let (mut stream, _) = within(self.upstream.accept()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(stream.read_u8()).await.unwrap());
        }
        (stream, String::from_utf8(head).unwrap())
    }
}

/// The SDP of an answer that passes all checks.
pub(super) fn take(check: &mut VisitCheck, answer: VisitAnswer) -> String {
    let VisitorEvent::Answer { sdp, .. } = handle(check, answer).unwrap() else {
        panic!("no answer")
    };
    sdp
}

pub(super) fn handle(
    check: &mut VisitCheck,
    answer: VisitAnswer,
) -> Result<VisitorEvent, VisitError> {
    let kind = Some(visit_event::Kind::Answer(answer));
    let event = check.handle(VisitEvent { kind }, Machine.unix_millis())?;
    Ok(event.unwrap())
}

impl Visitor {
    /// Drives the session until `work` is done.
    pub(super) async fn while_driven<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            ended = &mut self.driver => panic!("the session has ended: {ended}"),
            done = within(work) => done,
        }
    }

    pub(super) fn get(&self, target: &str) -> Exchange {
        let request = Request {
            method: "GET".to_owned(),
            target: Target::parse(target).unwrap(),
            fields: Fields::new(),
            end: true,
            protocol: None,
        };
        self.connection.open(request).unwrap()
    }

    pub(super) fn restart(&mut self) -> VisitCheck {
        let offer = self.driver.restart().unwrap();
        let nonce = Nonce(self.session_id.0.repeat(2).try_into().unwrap());
        self.check.restart(self.session_id, nonce, offer).unwrap()
    }

    /// Restarts, and returns the id of it; the session keeps the one that it has.
    pub(super) async fn restarted(&mut self, agent: &mut Agent, link: &mut Link) -> SessionId {
        let mut check = self.restart();
        let id = agent.offer(link, &check, "recipes");
        let answer = self.while_driven(link.answer(id)).await;
        let answer = take(&mut check, answer);
        self.driver.accept_answer(&answer).unwrap();
        self.check = check;
        id
    }

    pub(super) async fn lose_path(&mut self, agent: &Agent) {
        let mut path = self.connection.watch_path();
        agent.network.cut();
        self.while_driven(path.wait_for(|path| path.lost_since.is_some()))
            .await
            .unwrap();
    }

    pub(super) async fn find_path(&mut self) {
        let mut path = self.connection.watch_path();
        self.while_driven(path.wait_for(|path| path.lost_since.is_none()))
            .await
            .unwrap();
    }
}
