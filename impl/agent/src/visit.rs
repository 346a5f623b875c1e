//! One visit: an offer answered and signed, then a session whose requests go to an upstream.

use std::{sync::Arc, time::Duration};

use p2claw_identity::{AppName, IdentityKey, SessionId};
use p2claw_network::Network;
use p2claw_proto::v1::VisitAnswer;
use p2claw_session::{Config, ErrorCode, Role};
use p2claw_signaling::{
    SignalCode,
    address::PublicAddress,
    agent_link::{VisitOffer, Welcome},
    candidate::IceCandidate,
    registry::limit,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    clock,
    connection::{self, Connection, Driver},
    fields::VisitFacts,
    proxy,
    routes::Routes,
    sessions::Sessions,
    transport::PeerTransport,
};

/// From the answer to the visitor's HELLO. A path through slow NATs takes a few seconds; what
/// takes longer than this does not come any more (`SIG-041`).
const SETUP_DEADLINE: Duration = limit::HELLO_AFTER_ANSWER;

/// How long a visit may still take to say HELLO once coord has ended its introduction: packets of
/// a handshake may be under way (`SIG-041`).
const GIVEN_UP_GRACE: Duration = limit::HELLO_AFTER_END;

/// How long running exchanges may go on after the agent was told to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// How long calls of an ended session may still take to end at the upstream.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What visitors are told when it stops.
const STOPPING: &str = "the agent stops";

/// Candidates and restarts of one visitor that wait for the visit's task.
pub(crate) const NEWS_QUEUE: usize = 64;

/// What coord passes on for a visit that runs.
pub(crate) enum News {
    /// A candidate of the visitor, for the offer that came under this id.
    Candidate(SessionId, String),
    /// Coord passes on nothing more for this id.
    Introduced(SessionId),
    /// The visitor looks for a new path.
    Restart(Box<Restart>),
}

/// An offer that restarts a session; it has been found to be that session's own (`SIG-045`).
pub(crate) struct Restart {
    pub(crate) offer: VisitOffer,
    pub(crate) introduction: Introduction,
}

/// The way back to a visitor, for as long as coord knows the visit.
pub(crate) struct Introduction {
    /// Coord's name for it: of the visit that set the session up, or of a restart.
    pub(crate) session_id: SessionId,
    /// The media section of the offer, which candidates name.
    media: String,
    /// The outbox of the link on which the offer came; no other link would do.
    pub(crate) outbox: mpsc::Sender<Outgoing>,
}

/// What a visit sends back.
pub(crate) enum Outgoing {
    Answer(VisitAnswer),
    Candidate(SessionId, IceCandidate),
    Refuse(SessionId, Refusal),
}

/// Why a visit was refused, as coord and the visitor are told.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: SignalCode,
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn new(code: SignalCode, reason: impl ToString) -> Self {
        Self {
            code,
            reason: reason.to_string(),
        }
    }
}

/// What all visits share.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) key: Arc<IdentityKey>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) transport: Arc<dyn PeerTransport>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) session: Config,
    pub(crate) sessions: Arc<Sessions>,
}

/// A visit that was answered; run it to serve the visitor.
pub(crate) struct Visit {
    session_id: SessionId,
    app: AppName,
    facts: VisitFacts,
    connection: Connection,
    driver: Driver,
}

/// Answers an offer: from here on the visitor's packets are welcome.
pub(crate) async fn answer(
    host: &Host,
    offer: &VisitOffer,
    welcome: &Welcome,
) -> Result<(VisitAnswer, Visit), Refusal> {
    if host.routes.get(&offer.app).is_none() {
        return Err(Refusal::new(
            SignalCode::NoSuchApp,
            "this agent has no such app",
        ));
    }
    let accepted = host
        .transport
        .accept(&offer.sdp)
        .await
        .map_err(|error| Refusal::new(SignalCode::BadOffer, error))?;
    let answer = offer
        .answer(&host.key, accepted.answer, host.network.unix_millis())
        .map_err(|error| Refusal::new(SignalCode::Internal, error))?;
    let mut config = host.session.clone();
    // SES-091: with the seed from the log, what was sent can be made again.
    let seed = clock::variety_u64();
    tracing::debug!(session = %offer.session_id, seed, "grease of the session");
    config.grease_seed = Some(seed);
    let (connection, driver) = connection::connect(Role::Agent, config, accepted.peer);
    connection.limit_messages(offer.max_message);
    let facts = VisitFacts {
        public_authority: authority(&welcome.public, offer),
        public_scheme: welcome.public.scheme.clone(),
        session: offer.session_id.to_string(),
        encodings: 0,
        path: None,
    };
    let (session_id, app) = (offer.session_id, offer.app.clone());
    Ok((
        answer,
        Visit {
            session_id,
            app,
            facts,
            connection,
            driver,
        },
    ))
}

/// Host and port as they stand in the visitor's address bar.
fn authority(public: &PublicAddress, offer: &VisitOffer) -> String {
    let url = public.url(&offer.app, &offer.alias);
    let authority = url.split('/').nth(2).unwrap_or_default();
    authority.to_owned()
}

impl Visit {
    /// Serves the visitor until either side ends it.
    pub(crate) async fn run(
        self,
        host: Arc<Host>,
        introduction: Introduction,
        mut news: mpsc::Receiver<News>,
        shutdown: CancellationToken,
    ) {
        let Self {
            session_id,
            app,
            facts,
            connection,
            mut driver,
        } = self;
        let span = tracing::info_span!("visit", session = %session_id, %app);
        async move {
            let shown = host.sessions.enter(session_id, app.clone(), connection.clone());
            let mut requests = JoinSet::new();
            // Each is for one deed: a connection that was told to close takes its time.
            let began = Instant::now();
            let mut setup = Some(began + SETUP_DEADLINE);
            let mut drain: Option<Instant> = None;
            let mut stopping = false;
            let mut greeted = false;
            // Coord still passes candidates on.
            let mut introduction = Some(introduction);
            let ended = loop {
                if !greeted && connection.peer_settings().is_some() {
                    greeted = true;
                    setup = None;
                    tracing::info!("visitor connected");
                    // SEC-006: addresses only for who asks for details.
                    let remote = connection.path().map(|path| path.remote.to_string());
                    tracing::debug!(remote, "path of the visit");
                }
                tokio::select! {
                    // The driver never has all there is to do: it gives way by itself.
                    biased;
                    ended = &mut driver => break ended,
                    // The sender goes when this task has ended.
                    Some(news) = news.recv() => match news {
                        News::Candidate(id, candidate) => {
                            // One of before a restart is of no use behind it.
                            if introduction.as_ref().is_some_and(|now| now.session_id == id) {
                                driver.add_candidate(&candidate);
                            }
                        }
                        News::Introduced(id) => {
                            if introduction.take_if(|now| now.session_id == id).is_some() {
                                let soon = Instant::now() + GIVEN_UP_GRACE;
                                setup = setup.map(|setup| setup.min(soon));
                            }
                        }
                        News::Restart(restart) => {
                            if restart.answer(&host, &mut driver) {
                                introduction = Some(restart.introduction);
                            }
                        }
                    },
                    candidate = connection.next_candidate() => {
                        if let Some(introduction) = &introduction {
                            introduction.pass_on(candidate);
                        }
                    }
                    Some(incoming) = connection.accept() => {
                        shown.count_request();
                        let route = host.routes.get(&app);
                        let facts = Arc::new(with_path(&facts, &connection));
                        let app = app.clone();
                        let shutdown = shutdown.clone();
                        let span = tracing::debug_span!("request", stream = %incoming.stream());
                        requests.spawn(
                            async move { proxy::serve(incoming, route, facts, app.as_str(), shutdown).await }
                                .instrument(span),
                        );
                    }
                    Some(_) = requests.join_next(), if !requests.is_empty() => {}
                    () = at(setup) => {
                        setup = None;
                        connection.close(ErrorCode::IDLE_TIMEOUT, "no HELLO");
                    }
                    () = shutdown.cancelled(), if !stopping => {
                        stopping = true;
                        drain = Some(Instant::now() + DRAIN_DEADLINE);
                        connection.finish(STOPPING);
                    }
                    () = at(drain) => {
                        drain = None;
                        requests.abort_all();
                        connection.close(ErrorCode::NO_ERROR, STOPPING);
                    }
                }
            };
            // What the visitor had sent goes to the upstream, and a close to each WebSocket.
            let _ = timeout(LAST_WORDS, async {
                while requests.join_next().await.is_some() {}
            })
            .await;
            let seconds = began.elapsed().as_secs();
            tracing::info!(reason = %ended, seconds, requests = shown.requests(), "visit ended");
            // Dropping the set aborts what still talks to the upstream.
        }
        .instrument(span)
        .await;
    }
}

impl Restart {
    /// Answers it, or says why not; the session goes on either way. `true`: it was answered.
    fn answer(&self, host: &Host, driver: &mut Driver) -> bool {
        let Self {
            offer,
            introduction: Introduction {
                session_id, outbox, ..
            },
        } = self;
        let answer = driver
            .accept_restart(&offer.sdp)
            .map_err(|error| Refusal::new(SignalCode::BadOffer, error))
            .and_then(|answer| {
                // Signed anew: the visitor's nonce shows that it is no earlier answer (SIG-046).
                offer
                    .answer(&host.key, answer, host.network.unix_millis())
                    .map_err(|error| Refusal::new(SignalCode::Internal, error))
            });
        let (answered, message) = match answer {
            Ok(answer) => {
                tracing::info!(restart = %session_id, "session restarted");
                (true, Outgoing::Answer(answer))
            }
            Err(refusal) => {
                tracing::info!(restart = %session_id, code = ?refusal.code, reason = %refusal.reason, "restart refused");
                (false, Outgoing::Refuse(*session_id, refusal))
            }
        };
        // Without room for it the visitor's own deadline tells him.
        let _ = outbox.try_send(message);
        answered
    }
}

impl Introduction {
    pub(crate) fn new(offer: &VisitOffer, outbox: mpsc::Sender<Outgoing>) -> Self {
        let media = offer
            .sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=mid:"));
        Self {
            session_id: offer.session_id,
            media: media.unwrap_or_default().to_owned(),
            outbox,
        }
    }

    /// Sends a candidate of this end, or the news that there will be no more. One that finds no
    /// link or no room is dropped: this end's checks reach the visitor all the same.
    fn pass_on(&self, candidate: Option<String>) {
        let candidate = match candidate {
            Some(candidate) => IceCandidate::parse(candidate, self.media.as_str()),
            None => Ok(IceCandidate::end()),
        };
        match candidate {
            Ok(candidate) => {
                let message = Outgoing::Candidate(self.session_id, candidate);
                let _ = self.outbox.try_send(message);
            }
            Err(error) => tracing::debug!(%error, "candidate of the stack left aside"),
        }
    }
}

/// Waits until then; for ever where there is no such moment.
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn with_path(facts: &VisitFacts, connection: &Connection) -> VisitFacts {
    VisitFacts {
        encodings: connection
            .peer_settings()
            .map_or(0, |settings| settings.encodings),
        path: connection.path(),
        ..facts.clone()
    }
}

#[cfg(test)]
mod tests;
