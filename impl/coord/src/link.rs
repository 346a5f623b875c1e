//! The driver of one agent's link.

use crate::agents::{COMMANDS, Command, Entered};
use crate::ice;
use crate::registry::Standing;
use crate::serve::Coord;
use crate::visits::{News, Undelivered};
use axum::extract::ws::{Message, WebSocket};
use p2claw_identity::{Nonce, PeerId, SessionId};
use p2claw_signaling::SignalCode;
use p2claw_signaling::coord_link::{CoordEvent, CoordLink, CoordLinkConfig, WelcomeFacts};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// How long one message may take to leave. An agent that does not read for so long is gone.
const SEND: Duration = Duration::from_secs(10);
/// How long the registry may take.
const REGISTRY: Duration = Duration::from_secs(5);
/// How long an agent may take to close its half.
const CLOSE: Duration = Duration::from_secs(1);

/// Why a link was given up without last words.
enum Lost {
    Closed,
    TimedOut,
    Socket(axum::Error),
    Random(io::Error),
}

struct Driver {
    coord: Arc<Coord>,
    socket: WebSocket,
    link: CoordLink,
    commands: mpsc::Sender<Command>,
    entered: Option<Entered>,
    /// When the agent gets newer credentials of the relay (SIG-048); `None` where there is none.
    renewal: Option<Instant>,
}

/// Runs a link to its end. `host` is where the agent believes to be.
pub(crate) async fn run(coord: Arc<Coord>, socket: WebSocket, host: Option<String>) {
    let nonce = match coord.config.random.bytes() {
        Ok(nonce) => Nonce(nonce),
        Err(error) => {
            tracing::error!(%error, "no random numbers; agent refused");
            return;
        }
    };
    let config = CoordLinkConfig {
        domain: domain(&coord.config.domains, host.as_deref()),
        heartbeat: coord.config.limits.heartbeat,
        handshake: coord.config.limits.handshake,
    };
    let now = Instant::now().into_std();
    let link = CoordLink::new(config, nonce, now, coord.config.clock.unix_ms());
    let (commands, waiting) = mpsc::channel(COMMANDS);
    let mut driver = Driver {
        coord,
        socket,
        link,
        commands,
        entered: None,
        renewal: None,
    };
    match driver.drive(waiting).await {
        Ok(()) | Err(Lost::Closed) => tracing::debug!(alias = driver.alias(), "link closed"),
        Err(Lost::TimedOut) => tracing::info!(alias = driver.alias(), "link stuck"),
        Err(Lost::Socket(error)) => {
            tracing::info!(alias = driver.alias(), %error, "link lost");
        }
        Err(Lost::Random(error)) => tracing::error!(%error, "no random numbers"),
    }
    // Out of the table first, so that nobody is sent to a link that only closes its socket.
    driver.entered = None;
    let closing = async {
        let _ = driver.socket.send(Message::Close(None)).await;
        while let Some(Ok(_)) = driver.socket.recv().await {}
    };
    let _ = timeout(CLOSE, closing).await;
}

/// The domain of ours that the agent means, so that it recognizes it.
fn domain(ours: &[String], host: Option<&str>) -> String {
    let meant = ours
        .iter()
        .find(|domain| host.is_some_and(|host| host.eq_ignore_ascii_case(domain)));
    meant.or(ours.first()).cloned().unwrap_or_default()
}

impl Driver {
    fn alias(&self) -> Option<&str> {
        self.entered
            .as_ref()
            .map(|entered| entered.alias().as_str())
    }

    async fn drive(&mut self, mut waiting: mpsc::Receiver<Command>) -> Result<(), Lost> {
        let shutdown = self.coord.shutdown.clone();
        loop {
            while let Some(event) = self.link.poll_event() {
                self.act(event).await?;
            }
            while let Some(bytes) = self.link.poll_transmit() {
                timeout(SEND, self.socket.send(Message::Binary(bytes)))
                    .await
                    .map_err(|_| Lost::TimedOut)?
                    .map_err(Lost::Socket)?;
            }
            if self.link.is_closed() {
                return Ok(());
            }
            let deadline = self.link.poll_timeout().map(Instant::from_std);
            let replaced = self.entered.as_ref().map(|e| e.replaced().clone());
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {
                    let reason = "the service is about to stop";
                    self.link.goodbye(SignalCode::ShuttingDown, reason);
                }
                () = cancelled(replaced) => {
                    tracing::info!(alias = self.alias(), "link replaced by a newer one");
                    self.link.replaced();
                }
                () = at(deadline) => self.link.handle_timeout(Instant::now().into_std()),
                () = at(self.renewal) => self.renew()?,
                Some(command) = waiting.recv() => self.obey(command),
                message = self.socket.recv() => self.on_message(message)?,
            }
        }
    }

    fn on_message(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Lost> {
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                let now = Instant::now().into_std();
                let unix_ms = self.coord.config.clock.unix_ms();
                if let Err(error) = self.link.handle(now, unix_ms, &bytes) {
                    tracing::info!(alias = self.alias(), %error, "link refused");
                }
            }
            Some(Ok(Message::Text(_))) => {
                let reason = "messages are binary";
                self.link.goodbye(SignalCode::Malformed, reason);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) | None => return Err(Lost::Closed),
            Some(Err(error)) => {
                // Too long a message, for one: say so where the socket still allows it (SIG-002).
                let reason = "the message cannot be read";
                self.link.goodbye(SignalCode::Malformed, reason);
                tracing::info!(alias = self.alias(), %error, "message not read");
            }
        }
        Ok(())
    }

    fn obey(&mut self, command: Command) {
        let sent = match command {
            Command::Offer(offer) => self
                .link
                .offer(offer.session_id, &offer.label, offer.request),
            Command::Candidates(session_id, candidates) => candidates
                .into_iter()
                .try_for_each(|candidate| self.link.candidate(session_id, candidate)),
            Command::EndVisit(session_id, code, reason) => {
                self.link.end_visit(session_id, code, reason)
            }
        };
        if let Err(error) = sent {
            tracing::debug!(alias = self.alias(), %error, "command not passed on");
        }
    }

    async fn act(&mut self, event: CoordEvent) -> Result<(), Lost> {
        match event {
            CoordEvent::Registered { peer_id, software } => {
                self.register(peer_id, &software).await?;
            }
            CoordEvent::Routes { apps } => {
                tracing::info!(
                    alias = self.alias(),
                    routes = apps.len(),
                    "routes announced"
                );
                if let Some(entered) = &self.entered {
                    entered.set_apps(apps);
                }
            }
            CoordEvent::Answer { session_id, answer } => {
                self.tell(session_id, News::Answer(answer));
            }
            CoordEvent::Candidate {
                session_id,
                candidate,
            } => self.tell(session_id, News::Candidate(candidate)),
            CoordEvent::VisitEnd {
                session_id,
                code,
                reason,
            } => self.tell(session_id, News::End(code, reason)),
            CoordEvent::Revoked { peer_id } => self.revoke(peer_id).await,
            CoordEvent::Goodbye { code, reason } => {
                let code = code.as_str_name();
                match self.alias() {
                    Some(alias) => tracing::info!(alias, code, reason, "agent left"),
                    None => tracing::warn!(code, reason, "agent did not register"),
                }
            }
            CoordEvent::Refused { re, code, detail } => {
                let code = code.as_str_name();
                tracing::debug!(alias = self.alias(), re, code, detail, "agent refused");
            }
            CoordEvent::Silent { reason } => {
                tracing::info!(alias = self.alias(), reason, "agent silent");
            }
            other => tracing::debug!(?other, "event of a later version"),
        }
        Ok(())
    }

    async fn register(&mut self, peer_id: PeerId, software: &str) -> Result<(), Lost> {
        let standing = timeout(REGISTRY, self.coord.registry.register(peer_id)).await;
        let alias = match standing {
            Ok(Ok(Standing::Alias(alias))) => alias,
            Ok(Ok(Standing::Revoked)) => {
                let detail = "this key has given up its alias for ever";
                self.link.refuse(SignalCode::Revoked, detail);
                return Ok(());
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "registry failed");
                self.link
                    .refuse(SignalCode::Internal, "the registry failed");
                return Ok(());
            }
            Err(_) => {
                tracing::error!("registry did not answer in time");
                self.link
                    .refuse(SignalCode::Internal, "the registry is slow");
                return Ok(());
            }
        };
        let limits = &self.coord.config.limits;
        let facts = WelcomeFacts {
            alias: alias.clone(),
            public: self.coord.config.public.clone(),
            ice_servers: ice::servers(&self.coord.config).map_err(Lost::Random)?,
            max_routes: limits.routes,
            max_visits: limits.visits_per_agent,
        };
        tracing::info!(%alias, peer = %peer_id, software, "agent registered");
        if let Err(error) = self.link.welcome(facts, Instant::now().into_std()) {
            tracing::error!(%error, "agent not welcomed");
            self.link
                .refuse(SignalCode::Internal, "Welcome could not be sent");
            return Ok(());
        }
        // SIG-005: the agent says that it does not know this, or it has a defect. May be guessed.
        let _ = self.link.grease(fastrand::u64(..));
        // Its own field, for a link must not be in the table under an alias it has not heard.
        let entered = self
            .coord
            .agents
            .enter(alias, self.commands.clone(), limits);
        self.entered = Some(entered);
        self.set_renewal();
        Ok(())
    }

    /// Tells the agent of credentials that hold for longer than those which it has.
    fn renew(&mut self) -> Result<(), Lost> {
        let servers = ice::servers(&self.coord.config).map_err(Lost::Random)?;
        if let Err(error) = self.link.ice_servers(servers) {
            tracing::debug!(alias = self.alias(), %error, "servers not sent");
        }
        self.set_renewal();
        Ok(())
    }

    fn set_renewal(&mut self) {
        let config = &self.coord.config;
        let after = config.limits.renewal;
        self.renewal = config.relay.as_ref().map(|_| Instant::now() + after);
    }

    async fn revoke(&mut self, peer_id: PeerId) {
        match timeout(REGISTRY, self.coord.registry.revoke(peer_id)).await {
            Ok(Ok(())) => {
                tracing::info!(alias = self.alias(), "alias revoked");
                let reason = "the alias is given up for ever";
                self.link.goodbye(SignalCode::Revoked, reason);
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "registry failed");
                self.link
                    .goodbye(SignalCode::Internal, "the registry failed");
            }
            Err(_) => {
                tracing::error!("registry did not answer in time");
                self.link
                    .goodbye(SignalCode::Internal, "the registry is slow");
            }
        }
    }

    /// Brings news to a visit of this very link, and no other's.
    fn tell(&mut self, session_id: SessionId, news: News) {
        let Some(entered) = &self.entered else {
            return;
        };
        let answers = matches!(news, News::Answer(_));
        match self.coord.visits.tell(session_id, entered.link(), news) {
            Ok(()) => {}
            Err(Undelivered::NoSuchVisit) if answers => {
                let reason = "the visit has ended";
                // A full queue only means that the agent works on a visit for nothing.
                let _ = self
                    .link
                    .end_visit(session_id, SignalCode::NoSuchVisit, reason);
            }
            Err(why) => tracing::debug!(session = %session_id, ?why, "news not delivered"),
        }
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn cancelled(token: Option<tokio_util::sync::CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}
