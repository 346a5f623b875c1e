//! The parts of one real visit in one process: upstream, coord, agent and a native visitor.

use std::{
    convert::Infallible,
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::{body::Frame, service::service_fn};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use p2claw_agent::{
    Agent, LinkStatus, RouteEntry, Routes,
    connection::{self, Connection},
    transport::PeerTransport,
};
use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey, Nonce};
use p2claw_session::{Config, Role};
use p2claw_signaling::{
    address::PublicAddress,
    event_stream::EventReader,
    visitor::{VisitCheck, VisitorEvent},
};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::stack::Stack;

/// Whatever went wrong; a benchmark only reports it.
pub type Failure = Box<dyn Error + Send + Sync>;

/// One piece of the upstream's body.
const PIECE: usize = 64 * 1024;

/// Registration and connection within one process.
const PATIENCE: Duration = Duration::from_secs(20);

/// A visitor with an open session, and everything behind it. Dropping it ends all.
#[derive(Debug)]
pub struct Stage {
    /// The visitor's end of the session.
    pub visitor: Connection,
    _end: DropGuard,
    _endpoint: Arc<dyn PeerTransport>,
}

/// The session as agents and browsers of this repository set it up.
#[must_use]
pub fn session_config() -> Config {
    Config {
        lanes: 4,
        ..Config::default()
    }
}

impl Stage {
    /// Starts everything, visits the app and waits for the session.
    ///
    /// # Errors
    /// When a part does not start, or the visit fails.
    pub async fn open() -> Result<Self, Failure> {
        let end = CancellationToken::new();
        let upstream = TcpListener::bind("127.0.0.1:0").await?;
        let upstream_address = upstream.local_addr()?;
        tokio::spawn(end.clone().run_until_cancelled_owned(serve_zeros(upstream)));

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let coord = listener.local_addr()?;
        let public = PublicAddress {
            scheme: "http".to_owned(),
            parent: "localhost".to_owned(),
            port: None,
        };
        let config = p2claw_coord::Config::new(coord.to_string(), public);
        tokio::spawn(p2claw_coord::run(listener, config, end.clone()));

        let app = AppName::parse("bench")?;
        let routes = Arc::new(Routes::load(None)?);
        let upstream = upstream_address.to_string().parse()?;
        routes.expose(
            app.clone(),
            RouteEntry {
                upstream,
                preserve_host: false,
            },
        )?;
        let agent = Agent {
            key: Arc::new(IdentityKey::from_seed(random()?)),
            routes,
            transport: Stack::Str0m.endpoint()?,
            coord: format!("http://{coord}"),
            software: "p2claw-benches".to_owned(),
            api: None,
        };
        let (status, mut watched) = watch::channel(LinkStatus::default());
        tokio::spawn(agent.run(status, end.clone()));
        let alias = timeout(PATIENCE, watched.wait_for(|status| status.registered))
            .await??
            .alias
            .clone()
            .ok_or("no alias")?;
        let alias = Alias::parse(&alias)?;
        let near = Stack::Str0m.endpoint()?;
        let coord = coord.to_string();
        let visitor = timeout(PATIENCE, visit(&*near, &coord, &app, &alias)).await??;
        Ok(Self {
            visitor,
            _end: end.drop_guard(),
            _endpoint: near,
        })
    }
}

/// A visit by hand: offer, answer, proof, session.
async fn visit(
    endpoint: &dyn PeerTransport,
    coord: &str,
    app: &AppName,
    alias: &Alias,
) -> Result<Connection, Failure> {
    let mut offered = endpoint.offer().await?;
    let mut check = VisitCheck::new(
        HostLabel::new(app.clone(), alias.clone()),
        Nonce(random()?),
        offered.offer.clone(),
        Vec::new(),
    )?;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::post(format!("http://{coord}/.well-known/p2claw/v1/visits"))
        .header("content-type", "application/x-protobuf")
        .header("p2claw-host", format!("{app}-{alias}.localhost"))
        .body(Full::new(check.request()))?;
    let response = client.request(request).await?;
    if response.status() != 201 {
        return Err(format!("coord answered {}", response.status()).into());
    }
    let mut stream = response.into_body();
    let mut events = EventReader::new();
    let answer = loop {
        if let Some(event) = events.next_event()? {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
            match check.handle(event, i64::try_from(now)?)? {
                Some(VisitorEvent::Answer { sdp, .. }) => break sdp,
                Some(VisitorEvent::End { code, reason }) => {
                    return Err(format!("visit ended: {code:?} {reason}").into());
                }
                _ => continue,
            }
        }
        let frame = stream.frame().await.ok_or("the visit's stream ended")??;
        if let Some(data) = frame.data_ref() {
            events.push(data);
        }
    };
    offered.peer.accept_answer(&answer)?;
    let (visitor, driver) = connection::connect(Role::Visitor, session_config(), offered.peer);
    tokio::spawn(driver);
    Ok(visitor)
}

/// An HTTP server that answers `/<bytes>` with that many zeros.
async fn serve_zeros(listener: TcpListener) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(
            |request: hyper::Request<hyper::body::Incoming>| async move {
                let size: usize = request.uri().path()[1..].parse().unwrap_or(0);
                let piece = Bytes::from_static(&[0; PIECE]);
                let pieces = (0..size.div_ceil(PIECE)).map(move |index| {
                    let length = PIECE.min(size - index * PIECE);
                    Ok::<_, Infallible>(Frame::data(piece.slice(..length)))
                });
                let body = StreamBody::new(futures_util::stream::iter(pieces));
                let mut response = hyper::Response::new(body);
                response
                    .headers_mut()
                    .insert("content-length", http::HeaderValue::from(size));
                Ok::<_, Infallible>(response)
            },
        );
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
