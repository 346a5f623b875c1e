//! The control link: a WebSocket to coord, kept up for as long as the agent runs.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use p2claw_network::ByteStream;
use p2claw_signaling::{
    agent_link::{AgentEvent, AgentLink, SendError, Welcome},
    backoff::Backoff,
    bucket::Bucket,
    limits,
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, interval, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest as _, protocol::WebSocketConfig},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    visit::{Host, Outgoing},
    visits::Visits,
};

/// From the first packet to the end of the WebSocket handshake.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Buffers of one link, in bytes: envelopes are small.
const LINK_BUFFER_BYTES: usize = 8 * 1024;

/// How long coord may take to read what is sent; a link that is stuck for longer is made anew.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// How often the machine's addresses are compared with those of the link's beginning.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the last words may take.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(1);

/// Answers and candidates that wait for the link.
const OUTBOX: usize = 64;

/// Messages about visits that an agent sends over its link at once, and a second (`SIG-011`). Beyond
/// them messages wait: coord would end the link. What the link says of itself comes out of the rest.
const VISITS_BURST: u32 = limits::LINK_BURST - 64;
const VISITS_PER_SECOND: u32 = limits::LINK_PER_SECOND - 8;

/// How the agent stands with coord, as the local API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct LinkStatus {
    /// Registered and in touch at this moment.
    pub registered: bool,
    /// The alias, once coord has given one.
    pub alias: Option<String>,
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// Host and port under which the labels stand.
    pub parent: Option<String>,
    /// Why there is no link now, for people.
    pub problem: Option<String>,
    /// Apps that coord sends visitors to.
    pub accepted: Vec<String>,
    /// Apps that coord refused, with its reason.
    pub refused: Vec<(String, String)>,
}

impl LinkStatus {
    /// Whether coord has said yes or no to an app.
    pub(crate) fn has_judged(&self, app: &str) -> bool {
        self.accepted.iter().any(|name| name == app)
            || self.refused.iter().any(|(name, _)| name == app)
    }

    /// The public address of an app; `None` until coord has given an alias.
    #[must_use]
    pub fn url(&self, app: &str) -> Option<String> {
        let (scheme, alias, parent) = (
            self.scheme.as_ref()?,
            self.alias.as_ref()?,
            self.parent.as_ref()?,
        );
        Some(format!("{scheme}://{app}-{alias}.{parent}/"))
    }
}

/// Why the agent gave up the link for good.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Another agent with this key has registered.
    #[error(
        "stay registered: another agent with the same identity key has taken over; stop one of the \
         two, or give one another --state-dir"
    )]
    Replaced,
    /// The address of coord is none.
    #[error("connect to coord {url}: {reason}; give a URL such as http://127.0.0.1:8788")]
    BadUrl {
        /// As given.
        url: String,
        /// What is wrong.
        reason: String,
    },
}

pub(crate) struct Link {
    pub(crate) host: Arc<Host>,
    /// `ws://` or `wss://`.
    pub(crate) url: String,
    /// The name that coord must go by: host and port of the URL (`IDN-009`).
    pub(crate) domain: String,
    pub(crate) software: String,
    pub(crate) status: watch::Sender<LinkStatus>,
    pub(crate) shutdown: CancellationToken,
}

type Socket = WebSocketStream<MaybeTlsStream<Box<dyn ByteStream>>>;

enum Ended {
    Shutdown,
    Replaced,
    Lost(String),
}

impl Link {
    /// Keeps the link up until the shutdown; visits go on meanwhile and get a drain of their own.
    pub(crate) async fn run(self) -> Result<(), LinkError> {
        let mut visits = Visits::new();
        let mut backoff = Backoff::new();
        let result = loop {
            let ended = self.once(&mut visits, &mut backoff).await;
            let problem = match ended {
                Ended::Shutdown => break Ok(()),
                Ended::Replaced => break Err(LinkError::Replaced),
                Ended::Lost(problem) => problem,
            };
            let wait = backoff.after_failure(Instant::now().into_std(), clock::variety_u64());
            tracing::warn!(%problem, retry_in = ?wait, "no link to coord");
            self.status.send_modify(|status| {
                status.registered = false;
                status.accepted.clear();
                status.problem = Some(problem);
            });
            tokio::select! {
                biased;
                () = sleep(wait) => {}
                () = self.shutdown.cancelled() => break Ok(()),
                () = visits.reap() => {}
            }
        };
        // Each visit has a drain deadline of its own.
        self.shutdown.cancel();
        visits.drain().await;
        result
    }

    /// One link, from connect to loss.
    async fn once(&self, visits: &mut Visits, backoff: &mut Backoff) -> Ended {
        let mut socket = tokio::select! {
            connected = timeout(CONNECT_DEADLINE, self.connect()) => match connected {
                Ok(Ok(socket)) => socket,
                Ok(Err(error)) => return Ended::Lost(describe(&self.domain, &error)),
                Err(_) => return Ended::Lost(format!("no answer from coord at {} within 10 s", self.domain)),
            },
            () = self.shutdown.cancelled() => return Ended::Shutdown,
        };
        let own = self.host.network.addresses().unwrap_or_default();
        let mut look = interval(LOOK_EVERY);
        let now = Instant::now().into_std();
        let mut link = AgentLink::new(Arc::clone(&self.host.key), &self.software, now)
            .expect_domain(self.domain.clone());
        let (outbox, mut outgoing) = mpsc::channel(OUTBOX);
        // Watched before they are read: a change in between is announced again.
        let mut changes = self.host.routes.watch();
        self.announce(&mut link);
        let mut welcome: Option<Arc<Welcome>> = None;
        // Why the link is over, once its last words are out.
        let mut lost: Option<String> = None;
        let mut allowance = Bucket::per_second(VISITS_BURST, VISITS_PER_SECOND, now);
        loop {
            while let Some(event) = link.poll_event() {
                match event {
                    AgentEvent::Registered(registered) => {
                        backoff.registered(Instant::now().into_std());
                        self.registered(&registered);
                        // SIG-005: coord says that it does not know this, or it has a defect.
                        let _ = link.grease(clock::variety_u64());
                        welcome = Some(Arc::new(registered));
                    }
                    AgentEvent::RouteAck { accepted, refused } => {
                        self.status.send_modify(|status| {
                            status.accepted = accepted.iter().map(ToString::to_string).collect();
                            status.refused = refused
                                .into_iter()
                                .map(|route| (route.app, route.reason))
                                .collect();
                        })
                    }
                    AgentEvent::VisitOffer(offer) => {
                        if let Some(welcome) = &welcome {
                            let outbox = outbox.clone();
                            visits.start(&self.host, &self.shutdown, offer, welcome, outbox);
                        }
                    }
                    AgentEvent::Candidate {
                        session_id,
                        candidate,
                    } => {
                        visits.candidate(session_id, &candidate);
                    }
                    AgentEvent::VisitEnd { session_id, .. } => visits.introduced(session_id),
                    AgentEvent::IceServers(servers) => self.host.transport.use_servers(&servers),
                    AgentEvent::Refused { re, code, detail } => {
                        tracing::debug!(re, ?code, detail, "coord refused a message");
                    }
                    AgentEvent::Replaced => return Ended::Replaced,
                    // The last words go out first.
                    AgentEvent::Closed { code, reason } => {
                        lost = Some(format!("the link has ended: {code:?} {reason}"));
                    }
                    other => tracing::debug!(?other, "news of the link left aside"),
                }
            }
            let sent = tokio::select! {
                // What can leave does, so that the shutdown below gets to say goodbye.
                biased;
                sent = timeout(SEND_DEADLINE, transmit(&mut link, &mut socket)) => sent,
                () = self.shutdown.cancelled() => break Ended::Shutdown,
            };
            let failed = match sent {
                Ok(Ok(())) => lost.take(),
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("coord does not read what this agent sends".to_owned()),
            };
            if let Some(reason) = failed {
                break Ended::Lost(reason);
            }
            let deadline = link.poll_timeout().map(Instant::from_std);
            let pause = allowance
                .empty_until(Instant::now().into_std())
                .map(Instant::from_std);
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => {
                    link.goodbye();
                    let goodbye = async {
                        transmit(&mut link, &mut socket).await?;
                        socket.close(None).await
                    };
                    let _ = timeout(GOODBYE_DEADLINE, goodbye).await;
                    break Ended::Shutdown;
                }
                () = sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() => {}
                Some(message) = outgoing.recv(), if pause.is_none() => {
                    allowance.take(Instant::now().into_std());
                    match message {
                    Outgoing::Answer(answer) => log_unsent(link.answer(answer)),
                    Outgoing::Candidate(session, candidate) => {
                        log_unsent(link.candidate(session, candidate));
                    }
                    Outgoing::Refuse(session, refusal) => {
                        log_unsent(link.end_visit(session, refusal.code, &refusal.reason));
                    }
                    }
                }
                Ok(()) = changes.changed() => self.announce(&mut link),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    link.handle_timeout(Instant::now().into_std());
                }
                () = visits.reap() => {}
                // Nobody says that a connection from an address that is gone leads nowhere; silence
                // would, in 45 s, and visitors who look for a new path give up before.
                _ = look.tick() => if self.has_lost_one_of(&own) {
                    break Ended::Lost("an address of this machine is gone".to_owned());
                },
                message = socket.next() => match message {
                    Some(Ok(Message::Binary(bytes))) => {
                        let now = Instant::now().into_std();
                        if let Err(error) = link.handle(now, self.host.network.unix_millis(), &bytes) {
                            lost = Some(format!("failed to {error}"));
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let reason = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                        break Ended::Lost(format!("coord closed the link: {reason}"));
                    }
                    // Pings are answered by the WebSocket layer; text has no meaning here.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break Ended::Lost(error.to_string()),
                    None => break Ended::Lost("coord closed the link".to_owned()),
                },
            }
        }
    }

    /// Whether the machine no longer has one of these addresses.
    fn has_lost_one_of(&self, addresses: &[IpAddr]) -> bool {
        let now = self.host.network.addresses();
        now.is_ok_and(|now| addresses.iter().any(|address| !now.contains(address)))
    }

    async fn connect(&self) -> Result<Socket, tungstenite::Error> {
        let mut request = self.url.as_str().into_client_request()?;
        request.headers_mut().insert(
            "sec-websocket-protocol",
            http::HeaderValue::from_static("p2claw.v1"),
        );
        let config = WebSocketConfig::default()
            .max_message_size(Some(limits::MAX_ENVELOPE))
            .max_frame_size(Some(limits::MAX_ENVELOPE))
            .read_buffer_size(LINK_BUFFER_BYTES)
            .write_buffer_size(0);
        let stream = self.dial(request.uri()).await?;
        let (socket, _) =
            tokio_tungstenite::client_async_tls_with_config(request, stream, Some(config), None)
                .await?;
        Ok(socket)
    }

    /// A connection to the first of coord's addresses that takes one.
    async fn dial(&self, uri: &http::Uri) -> io::Result<Box<dyn ByteStream>> {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let usual = if uri.scheme_str() == Some("wss") {
            443
        } else {
            80
        };
        let network = &self.host.network;
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for address in network
            .resolve(host, uri.port_u16().unwrap_or(usual))
            .await?
        {
            match network.connect_tcp(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn announce(&self, link: &mut AgentLink) {
        let apps = self.host.routes.apps();
        self.status.send_modify(|status| {
            status
                .accepted
                .retain(|name| apps.iter().any(|app| app.as_str() == name));
            status.refused.clear();
        });
        log_unsent(link.announce_routes(apps));
    }

    fn registered(&self, welcome: &Welcome) {
        let public = &welcome.public;
        let port = public
            .port
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        tracing::info!(alias = %welcome.alias, parent = %public.parent, "registered");
        self.host.routes.limit(welcome.max_routes);
        self.host.transport.use_servers(&welcome.ice_servers);
        self.status.send_modify(|status| {
            status.registered = true;
            status.problem = None;
            status.alias = Some(welcome.alias.to_string());
            status.scheme = Some(public.scheme.clone());
            status.parent = Some(format!("{}{port}", public.parent));
        });
    }
}

/// Sends what the link has to say.
async fn transmit(link: &mut AgentLink, socket: &mut Socket) -> Result<(), tungstenite::Error> {
    while let Some(message) = link.poll_transmit() {
        socket.send(Message::Binary(message)).await?;
    }
    Ok(())
}

/// A message that the link does not take is one for a visit or a table that coord asks for again.
fn log_unsent(result: Result<(), SendError>) {
    if let Err(error) = result {
        tracing::debug!(%error, "message for coord not sent");
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "one of tungstenite's errors says too little by itself"
)]
fn describe(coord: &str, error: &tungstenite::Error) -> String {
    let cause = match error {
        tungstenite::Error::Http(response) => {
            format!("{} instead of a WebSocket", response.status())
        }
        // The kind says it in words, without the number of the system.
        tungstenite::Error::Io(error) if error.raw_os_error().is_some() => error.kind().to_string(),
        other => other.to_string(),
    };
    format!("no answer from coord at {coord}: {cause}")
}

/// `http(s)://host[:port]` as the WebSocket address of coord's agent link, and its host and port.
pub(crate) fn link_url(coord: &str) -> Result<(String, String), LinkError> {
    let bad = |reason: &str| LinkError::BadUrl {
        url: coord.to_owned(),
        reason: reason.to_owned(),
    };
    let uri: http::Uri = coord.parse().map_err(|_| bad("this is no URL"))?;
    let scheme = match uri.scheme_str() {
        Some("http" | "ws") => "ws",
        Some("https" | "wss") => "wss",
        _ => return Err(bad("the scheme is neither http nor https")),
    };
    let authority = uri.authority().ok_or_else(|| bad("there is no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("a user name stands before the host"));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(bad("there is a path"));
    }
    Ok((
        format!("{scheme}://{authority}/.well-known/p2claw/v1/agent"),
        domain(scheme, authority),
    ))
}

/// Host and port as a request's `Host` has them: the usual port is left out.
fn domain(scheme: &str, authority: &http::uri::Authority) -> String {
    let host = authority.host().to_ascii_lowercase();
    match authority.port_u16() {
        None => host,
        Some(80) if scheme == "ws" => host,
        Some(443) if scheme == "wss" => host,
        Some(port) => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests;
