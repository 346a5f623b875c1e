//! A session with an app, for its users.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use p2claw_agent::{
    connection::{Connection, Exchange, RecvBody, SendBody, StreamError},
    transport::Path,
};
use p2claw_identity::PeerId;
use p2claw_session::{
    ErrorCode, Fields, OpenError, Request, Response, SessionError, Target,
    head::{FieldError, WEBSOCKET},
};
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::{Address, connector::ConnectTimes};

/// How long the other end may take to acknowledge a close.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// How long the parts of a visit took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Making the offer.
    pub offer: Duration,
    /// Connecting to the service; `None` where a connection was there already.
    pub service: Option<ConnectTimes>,
    /// From the offer to the agent's answer, connecting included.
    pub answer: Duration,
    /// From the answer to the first lane that carries messages.
    pub connected: Duration,
}

/// A session with an app. Dropping it ends the session without a word; [`Visit::close`] says one.
#[derive(Debug)]
pub struct Visit {
    pub(crate) address: Address,
    pub(crate) peer_id: PeerId,
    pub(crate) connection: Connection,
    pub(crate) timings: Arc<Mutex<Timings>>,
    pub(crate) ended: watch::Receiver<Option<SessionError>>,
    /// Ends with its handle.
    pub(crate) _task: AbortOnDropHandle<()>,
}

/// What became of the wish for a WebSocket.
#[derive(Debug)]
pub enum Opened {
    /// It is open: the halves carry messages, by [`SendBody::into_messages`] and
    /// [`RecvBody::into_messages`].
    Accepted {
        /// Status 200 and the fields, with the subprotocol that was chosen.
        response: Response,
        /// The way to the app.
        send: SendBody,
        /// The way from it.
        receive: RecvBody,
    },
    /// The app refused: an ordinary response (`WSK-004`).
    Refused {
        /// Its head.
        response: Response,
        /// Its body.
        body: RecvBody,
    },
}

/// Why an exchange did not begin or got no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// It was not opened: nothing of it has left.
    #[error("ask the app: {0}")]
    Open(#[from] OpenError),
    /// It broke off before a final response.
    #[error("get the app's answer: failed to {0}")]
    Stream(#[from] StreamError),
}

impl Visit {
    /// What was visited.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Who the agent has proved to be.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// How long it took to get here.
    #[must_use]
    pub fn timings(&self) -> Timings {
        *self.timings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses in use.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.connection.path()
    }

    /// The session itself.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Sends the head of a request, and waits before for as long as the agent takes no more
    /// streams. A request that says nothing of content codings asks for none: what comes back is
    /// handed on as it is (`HTP-023`).
    ///
    /// # Errors
    /// When the session is over or going away, or the head breaks a rule.
    pub async fn open(&self, mut request: Request) -> Result<Exchange, OpenError> {
        if request.fields.get("accept-encoding").is_none() {
            // The limit of fields is the caller's affair: the agent's own default does as well.
            let _: Result<(), FieldError> = request
                .fields
                .push("accept-encoding", Bytes::from_static(b"identity"));
        }
        self.connection.open_when_free(request).await
    }

    /// Opens a WebSocket of the app's (`WSK-001`), and waits for its answer.
    ///
    /// # Errors
    /// When the stream or the session ends before.
    pub async fn open_websocket(
        &self,
        target: Target,
        fields: Fields,
    ) -> Result<Opened, ExchangeError> {
        let request = Request {
            method: "CONNECT".to_owned(),
            target,
            fields,
            end: false,
            protocol: Some(WEBSOCKET.to_owned()),
        };
        let mut exchange = self.connection.open_when_free(request).await?;
        let response = final_head(&mut exchange).await?;
        Ok(match response.status {
            200 => Opened::Accepted {
                response,
                send: exchange.body,
                receive: exchange.response,
            },
            _ => Opened::Refused {
                response,
                body: exchange.response,
            },
        })
    }

    /// Why the session is over; `None` while it is not.
    #[must_use]
    pub fn over(&self) -> Option<SessionError> {
        self.ended.borrow().clone()
    }

    /// Waits for the end of the session, whoever brings it about.
    pub async fn wait(&self) -> SessionError {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or_else(dropped),
            Err(_) => dropped(),
        }
    }

    /// Ends the session once its streams are done, and takes no further ones.
    pub fn finish(&self) {
        self.connection.finish("the visitor is done");
    }

    /// Ends the session, and waits a moment for the other end to hear of it.
    pub async fn close(&self) {
        self.leave(CLOSE_DEADLINE).await;
    }

    /// The same, but once the word has left it waits for `patience` at most. To an end that has
    /// said nothing by then, the transport says it again: a word that was lost is not missed.
    pub async fn leave(&self, patience: Duration) {
        self.connection
            .close(ErrorCode::NO_ERROR, "the visitor is done");
        let _ = timeout(CLOSE_DEADLINE, self.connection.parted()).await;
        if timeout(patience, self.wait()).await.is_err() {
            self.connection.hang_up();
            let _ = timeout(CLOSE_DEADLINE, self.wait()).await;
        }
    }
}

/// Waits for the final response head; hints before it are dropped.
pub(crate) async fn final_head(exchange: &mut Exchange) -> Result<Response, StreamError> {
    loop {
        let response = exchange.head().await?;
        if !response.is_informational() {
            return Ok(response);
        }
    }
}

fn dropped() -> SessionError {
    SessionError {
        code: ErrorCode::NO_ERROR,
        reason: "the visit was dropped".to_owned(),
        fault: p2claw_session::Fault::Own,
    }
}
