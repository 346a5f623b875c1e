//! A visitor: plain HTTP, one connection for each request.

use crate::agent::{PATIENCE, unix_ms};
use crate::service::Service;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use p2claw_identity::{Alias, AppName, HostLabel, Nonce, PeerId, SessionId};
use p2claw_proto::v1::{VisitEvent, visit_event::Kind};
use p2claw_signaling::event_stream::EventReader;
use p2claw_signaling::visitor::{VisitCheck, VisitorEvent};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) const VISITS: &str = "/.well-known/p2claw/v1/visits";
pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// A response whose body is still to come, and its connection.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    connection: JoinHandle<()>,
}

impl Answer {
    /// The whole body.
    pub(crate) async fn bytes(self) -> Bytes {
        let body = timeout(PATIENCE, self.body.collect()).await.unwrap();
        body.unwrap().to_bytes()
    }

    /// The code in a JSON error.
    pub(crate) async fn code(self) -> String {
        assert_eq!(self.headers["content-type"], "application/json");
        let json: serde_json::Value = serde_json::from_slice(&self.bytes().await).unwrap();
        assert!(json["detail"].is_string());
        json["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn request(
    service: &Service,
    method: Method,
    path: &str,
    fields: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(service.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .unwrap();
    let connection = tokio::spawn(async move {
        let _ = connection.await;
    });
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let response = timeout(PATIENCE, sender.send_request(request))
        .await
        .unwrap()
        .unwrap();
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
        connection,
    }
}

pub(crate) async fn post(service: &Service, host: &str, path: &str, body: Bytes) -> Answer {
    let fields = [("host", host), ("content-type", PROTOBUF)];
    request(service, Method::POST, path, &fields, body).await
}

/// A visit that was accepted.
pub(crate) struct Visit {
    pub(crate) location: String,
    pub(crate) host: String,
    check: VisitCheck,
    answer: Answer,
    reader: EventReader,
}

pub(crate) fn check(alias: &Alias, pinned: Option<PeerId>) -> VisitCheck {
    let address = HostLabel::new(AppName::parse("recipes").unwrap(), alias.clone());
    let pins = pinned.into_iter().collect();
    VisitCheck::new(address, Nonce([2; 32]), crate::sdp(3), pins).unwrap()
}

impl Visit {
    pub(crate) async fn start(service: &Service, host: &str, check: VisitCheck) -> Self {
        let request = check.request();
        Self::post(service, host, check, request).await
    }

    /// Starts with a request of the test's own, whose answer is not looked at.
    pub(crate) async fn start_with(service: &Service, host: &str, request: Vec<u8>) -> Self {
        let check = check(&Alias::parse("quiet-otter-0417").unwrap(), None);
        Self::post(service, host, check, request.into()).await
    }

    async fn post(service: &Service, host: &str, check: VisitCheck, request: Bytes) -> Self {
        let answer = post(service, host, VISITS, request).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(
            answer.headers["content-type"],
            "application/x-protobuf-stream"
        );
        Self {
            location: answer.headers["location"].to_str().unwrap().to_owned(),
            host: host.to_owned(),
            check,
            answer,
            reader: EventReader::new(),
        }
    }

    /// The next event as it came; `None` at a clean end of the body.
    pub(crate) async fn raw_event(&mut self) -> Option<VisitEvent> {
        loop {
            if let Some(event) = self.reader.next_event().unwrap() {
                return Some(event);
            }
            let frame = timeout(PATIENCE, self.answer.body.frame()).await.unwrap();
            let Some(frame) = frame else {
                assert!(self.reader.is_empty());
                return None;
            };
            self.reader.push(frame.unwrap().data_ref().unwrap());
        }
    }

    /// The next event, checked.
    pub(crate) async fn event(&mut self) -> VisitorEvent {
        let event = self.raw_event().await.unwrap();
        self.check.handle(event, unix_ms()).unwrap().unwrap()
    }

    /// The end that comes next, and that nothing comes after it.
    pub(crate) async fn end(&mut self) -> p2claw_signaling::SignalCode {
        let event = self.raw_event().await.unwrap();
        let Some(Kind::End(end)) = event.kind else {
            panic!("expected the end, got {event:?}")
        };
        assert_eq!(self.raw_event().await, None);
        end.code()
    }

    /// A restart of the session that this visit has set up.
    pub(crate) fn restart(&self, session: SessionId, nonce: Nonce) -> VisitCheck {
        self.check.restart(session, nonce, crate::sdp(3)).unwrap()
    }

    /// Goes away without a word.
    pub(crate) fn vanish(self) {
        self.answer.connection.abort();
    }

    pub(crate) async fn update(&self, service: &Service, body: Bytes) -> StatusCode {
        post(service, &self.host, &self.location, body).await.status
    }

    pub(crate) async fn delete(&self, service: &Service) -> StatusCode {
        let fields = [("host", self.host.as_str())];
        let answer = request(service, Method::DELETE, &self.location, &fields, "").await;
        answer.status
    }
}
