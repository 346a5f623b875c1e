//! One local request, carried to the app and answered.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use p2claw_agent::connection::{Exchange, RecvBody, SendBody, StreamError};
use p2claw_session::{ErrorCode, Fields, OpenError, Request as Head, Response as AppHead, Target};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Proxy,
    answers::{self, Failure},
    websocket,
};
use crate::Visit;

/// How long a body that the caller holds back waits for the app's 100. Many apps never send one,
/// and callers do not wait for longer either (RFC 9110 section 10.1.1).
const CONTINUE: Duration = Duration::from_secs(1);

/// Sessions that one request is tried on: the first may be going away.
const ATTEMPTS: usize = 3;

/// What the local program gets.
pub(super) type LocalBody = Either<AppBody, Full<Bytes>>;

/// Why there is no answer of the app's.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) failure: Failure,
    pub(super) what: String,
}

impl Refusal {
    pub(super) fn new(failure: Failure, what: impl ToString) -> Self {
        Self {
            failure,
            what: what.to_string(),
        }
    }

    /// A stream that was not opened.
    pub(super) fn of_open(error: &OpenError) -> Self {
        let failure = match error {
            OpenError::HeadTooLarge => Failure::RequestHeadTooLarge,
            OpenError::Message(_) => Failure::BadRequest,
            OpenError::TooManyStreams
            | OpenError::GoingAway
            | OpenError::Closed
            | OpenError::WrongRole => Failure::NoSession,
        };
        Self::new(failure, format_args!("ask the app: {error}"))
    }

    /// A stream that ended before the head of its response.
    pub(super) fn of_stream(error: &StreamError) -> Self {
        Self::new(Failure::SessionLost, error)
    }
}

/// The session is over or takes no further streams: another one may.
pub(super) fn is_leaving(error: &OpenError) -> bool {
    matches!(error, OpenError::Closed | OpenError::GoingAway)
}

impl Proxy {
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<LocalBody> {
        let answered = match websocket::is_wanted(request.headers()) {
            true => websocket::answer(&self, request).await,
            false => self.carry(request).await,
        };
        answered.unwrap_or_else(|refusal| {
            tracing::debug!(what = refusal.what, "answered by the proxy");
            answers::answer(refusal.failure, refusal.what).map(|text| Either::Right(text.into()))
        })
    }

    async fn carry(&self, request: Request<Incoming>) -> Result<Response<LocalBody>, Refusal> {
        let (parts, body) = request.into_parts();
        let head = self.head(&parts, body.is_end_stream())?;
        let repeatable = head.end;
        let mut body = Some(body);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (visit, exchange) = self.open(&head).await?;
            let Exchange {
                body: send,
                mut response,
            } = exchange;
            let mut upload = Upload::start(body.take(), send, &parts.headers);
            match upload.head(&mut response).await {
                Ok(head) => return Ok(self.response(visit, &head, response, upload.task)),
                // Not acted upon, and nothing of it is lost (ERR-004).
                Err(StreamError::Reset { code, .. })
                    if code == ErrorCode::REFUSED && repeatable && attempt < ATTEMPTS => {}
                Err(error) => return Err(Refusal::of_stream(&error)),
            }
        }
    }

    /// The head as it travels.
    fn head(&self, parts: &Parts, end: bool) -> Result<Head, Refusal> {
        if parts.method == Method::CONNECT {
            return Err(Refusal::new(
                Failure::BadRequest,
                "open a tunnel: this is the server of one app, and no proxy for others",
            ));
        }
        let fields = self.fields(parts)?;
        Ok(Head {
            method: parts.method.as_str().to_owned(),
            target: target(parts)?,
            fields,
            end,
            protocol: None,
        })
    }

    pub(super) fn fields(&self, parts: &Parts) -> Result<Fields, Refusal> {
        let local = self.names.local_origin(&parts.uri, &parts.headers);
        let local = local.ok_or_else(|| {
            Refusal::new(
                Failure::WrongHost,
                "answer for another host: use localhost or an IP address",
            )
        })?;
        if self.names.is_foreign(&parts.headers, &local) {
            return Err(Refusal::new(
                Failure::WrongOrigin,
                "answer a website that is not the app's",
            ));
        }
        let fields = self.names.to_app(&parts.headers, &local);
        fields.map_err(|error| {
            Refusal::new(Failure::BadRequest, format_args!("use a field: {error}"))
        })
    }

    /// A stream of the session, or of a new one where that is leaving.
    async fn open(&self, head: &Head) -> Result<(Arc<Visit>, Exchange), Refusal> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let visit = self.session().await?;
            match visit.open(head.clone()).await {
                Ok(exchange) => return Ok((visit, exchange)),
                Err(error) if is_leaving(&error) && attempt < ATTEMPTS => {
                    self.shared.retire(&visit)
                }
                Err(error) => return Err(Refusal::of_open(&error)),
            }
        }
    }

    pub(super) async fn session(&self) -> Result<Arc<Visit>, Refusal> {
        let visit = self.shared.get().await;
        visit.map_err(|error| Refusal::new(Failure::NoSession, error))
    }

    /// The app's response for the local program.
    pub(super) fn response(
        &self,
        visit: Arc<Visit>,
        head: &AppHead,
        body: RecvBody,
        upload: Option<AbortOnDropHandle<()>>,
    ) -> Response<LocalBody> {
        let body = match head.end {
            true => Either::Right(Full::default()),
            false => Either::Left(AppBody {
                body,
                _upload: upload,
                _visit: visit,
            }),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
        *response.headers_mut() = self.names.to_caller(&head.fields);
        response
    }
}

pub(super) fn target(parts: &Parts) -> Result<Target, Refusal> {
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    Target::parse(target)
        .map_err(|error| Refusal::new(Failure::BadRequest, format_args!("ask for it: {error}")))
}

/// The request's body on its way, beside the response.
struct Upload {
    task: Option<AbortOnDropHandle<()>>,
    /// Lets a body begin that the caller holds back.
    go_on: Option<oneshot::Sender<()>>,
}

impl Upload {
    fn start(body: Option<Incoming>, send: SendBody, headers: &HeaderMap) -> Self {
        let Some(body) = body.filter(|body| !body.is_end_stream()) else {
            return Self {
                task: None,
                go_on: None,
            };
        };
        let held_back = headers
            .get(header::EXPECT)
            .is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let (go_on, wait) = oneshot::channel();
        let task = tokio::spawn(async move {
            if held_back {
                let _ = timeout(CONTINUE, wait).await;
            }
            upload(body, send).await;
        });
        Self {
            task: Some(AbortOnDropHandle::new(task)),
            go_on: Some(go_on),
        }
    }

    /// Waits for the final head. Hints before it have no way through this server.
    async fn head(&mut self, response: &mut RecvBody) -> Result<AppHead, StreamError> {
        loop {
            let head = response.head().await?;
            if !head.is_informational() {
                return Ok(head);
            }
            if head.status == 100
                && let Some(go_on) = self.go_on.take()
            {
                let _ = go_on.send(());
            }
        }
    }
}

/// Sends each piece as it comes. A caller that hangs up within its body gives the request up:
/// dropping the half says so.
async fn upload(mut body: Incoming, mut send: SendBody) {
    let mut trailers = None;
    loop {
        match body.frame().await {
            None => break,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    if send.write(data).await.is_err() {
                        return;
                    }
                }
                Err(frame) => trailers = frame.trailers_ref().map(trailers_for_app),
            },
            Some(Err(error)) => {
                tracing::debug!(%error, "the caller broke its body off");
                send.reset(ErrorCode::CANCELLED, "the caller broke its body off");
                return;
            }
        }
    }
    let trailers = trailers.filter(|fields: &Fields| !fields.is_empty());
    if let Err(error) = send.finish(trailers) {
        tracing::debug!(%error, "request not finished");
    }
}

/// What may come behind a body (SES-039).
fn trailers_for_app(trailers: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    let not_here = [header::CONTENT_LENGTH, header::HOST, header::TRAILER];
    for (name, value) in p2claw_agent::fields::end_to_end(trailers) {
        if !not_here.contains(name)
            && let Err(error) = fields.push(name.as_str(), value.as_bytes().to_vec())
        {
            tracing::debug!(%error, "trailer left out");
        }
    }
    fields
}

/// The app's body. One that breaks off ends the local connection, never cleanly.
#[derive(Debug)]
pub(super) struct AppBody {
    body: RecvBody,
    _upload: Option<AbortOnDropHandle<()>>,
    /// The session ends with its last user.
    _visit: Arc<Visit>,
}

impl Body for AppBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
