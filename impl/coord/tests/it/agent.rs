//! An agent of few words: the link's core on a real WebSocket, and messages sent by hand.

use crate::service::{DOMAIN, Service};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey, Nonce, statement};
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{self, Envelope};
use p2claw_signaling::agent_link::{AgentEvent, AgentLink, VisitOffer};
use prost::Message as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn key(seed: u8) -> Arc<IdentityKey> {
    Arc::new(IdentityKey::from_seed([seed; 32]))
}

pub(crate) fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// A WebSocket with nobody behind it.
pub(crate) struct RawAgent {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl RawAgent {
    pub(crate) async fn connect(service: &Service) -> Self {
        Self::try_connect(service, Some("p2claw.v1")).await.unwrap()
    }

    /// Connects by this name for the service.
    pub(crate) async fn connect_as(service: &Service, host: &str) -> Self {
        let fields = [("sec-websocket-protocol", "p2claw.v1"), ("host", host)];
        Self::connect_with(service, &fields).await.unwrap()
    }

    pub(crate) async fn try_connect(
        service: &Service,
        subprotocol: Option<&str>,
    ) -> Result<Self, tungstenite::Error> {
        let field = subprotocol.map(|name| ("sec-websocket-protocol", name));
        Self::connect_with(service, field.as_slice()).await
    }

    async fn connect_with(
        service: &Service,
        fields: &[(&'static str, &str)],
    ) -> Result<Self, tungstenite::Error> {
        let url = format!("ws://{}/.well-known/p2claw/v1/agent", service.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, response) = connect_async(request).await?;
        assert_eq!(response.headers()["sec-websocket-protocol"], "p2claw.v1");
        Ok(Self { socket })
    }

    pub(crate) async fn send(&mut self, seq: u64, kind: Kind) {
        let kind = Some(kind);
        let envelope = Envelope { seq, re: 0, kind };
        self.send_bytes(envelope.encode_to_vec()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: impl Into<Bytes>) {
        let message = Message::Binary(bytes.into());
        self.socket.send(message).await.unwrap();
    }

    /// The next binary message; `None` once the link is closed.
    pub(crate) async fn receive_bytes(&mut self) -> Option<Bytes> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.unwrap() {
                Some(Ok(Message::Binary(bytes))) => return Some(bytes),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next message of a kind that is known.
    pub(crate) async fn receive(&mut self) -> Option<Envelope> {
        loop {
            let envelope = Envelope::decode(self.receive_bytes().await?).unwrap();
            if envelope.kind.is_some() {
                return Some(envelope);
            }
        }
    }

    /// The next message, which must be an error; its code, and what it answers.
    pub(crate) async fn error(&mut self) -> (v1::SignalCode, u64) {
        match self.receive().await {
            Some(Envelope {
                re,
                kind: Some(Kind::Error(error)),
                ..
            }) => (error.code(), re),
            other => panic!("expected an error, got {other:?}"),
        }
    }

    pub(crate) async fn challenge(&mut self) -> v1::Challenge {
        match self.receive().await {
            Some(Envelope {
                kind: Some(Kind::Challenge(challenge)),
                ..
            }) => challenge,
            other => panic!("expected a challenge, got {other:?}"),
        }
    }
}

/// A Hello with everything open to change.
pub(crate) fn hello(key: &IdentityKey, domain: &str, nonce: &[u8], now_ms: i64) -> v1::Hello {
    let nonce = Nonce::from_bytes(nonce).unwrap();
    let (registration, signature) = statement::sign_registration(key, domain, &nonce, now_ms);
    v1::Hello {
        registration,
        signature,
        software: "test/1".into(),
    }
}

/// A registered agent that is driven by hand.
pub(crate) struct TestAgent {
    pub(crate) raw: RawAgent,
    pub(crate) link: AgentLink,
    pub(crate) key: Arc<IdentityKey>,
    pub(crate) alias: Alias,
}

impl TestAgent {
    /// Registers, with these apps.
    pub(crate) async fn start(service: &Service, seed: u8, apps: &[&str]) -> Self {
        let key = key(seed);
        let mut agent = Self {
            raw: RawAgent::connect(service).await,
            link: AgentLink::new(Arc::clone(&key), "test/1", Instant::now()).expect_domain(DOMAIN),
            alias: Alias::candidate(&key.peer_id(), 0),
            key,
        };
        match agent.event().await {
            AgentEvent::Registered(welcome) => agent.alias = welcome.alias,
            other => panic!("expected a welcome, got {other:?}"),
        }
        agent.announce(apps).await;
        agent
    }

    pub(crate) async fn announce(&mut self, apps: &[&str]) {
        let names = apps.iter().map(|app| AppName::parse(app).unwrap());
        self.link.announce_routes(names.collect()).unwrap();
        match self.event().await {
            AgentEvent::RouteAck { accepted, .. } => assert_eq!(accepted.len(), apps.len()),
            other => panic!("expected an acknowledgement, got {other:?}"),
        }
    }

    pub(crate) fn host(&self, app: &str) -> String {
        let label = HostLabel::new(AppName::parse(app).unwrap(), self.alias.clone());
        format!("{label}.{}", crate::PARENT)
    }

    /// Sends what waits, and returns the next event.
    pub(crate) async fn event(&mut self) -> AgentEvent {
        loop {
            self.flush().await;
            if let Some(event) = self.link.poll_event() {
                return event;
            }
            let bytes = self.raw.receive_bytes().await.unwrap();
            self.link.handle(Instant::now(), unix_ms(), &bytes).unwrap();
        }
    }

    pub(crate) async fn flush(&mut self) {
        while let Some(bytes) = self.link.poll_transmit() {
            self.raw.send_bytes(bytes).await;
        }
    }

    pub(crate) async fn offer(&mut self) -> VisitOffer {
        match self.event().await {
            AgentEvent::VisitOffer(offer) => offer,
            other => panic!("expected an offer, got {other:?}"),
        }
    }

    /// The code of the end that comes next.
    pub(crate) async fn visit_end(&mut self) -> v1::SignalCode {
        match self.event().await {
            AgentEvent::VisitEnd { code, .. } => code,
            other => panic!("expected an end, got {other:?}"),
        }
    }

    pub(crate) async fn answer(&mut self, offer: &VisitOffer) {
        let answer = offer.answer(&self.key, crate::sdp(4), unix_ms()).unwrap();
        self.link.answer(answer).unwrap();
        self.flush().await;
    }
}
