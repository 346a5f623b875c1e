//! What a request sends, read as it leaves.

use std::{path::PathBuf, sync::Arc};

use bytes::{Bytes, BytesMut};
use p2claw_agent::connection::{SendBody, StreamError};
use p2claw_session::ErrorCode;
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt as _},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;

/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// A part of the body. `whole`: with its line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Text(Bytes),
    File { path: PathBuf, whole: bool },
    Stdin { whole: bool },
}

impl Source {
    /// A file; `-` is standard input.
    pub(super) fn file(path: PathBuf, whole: bool) -> Self {
        match path.as_os_str() == "-" {
            true => Self::Stdin { whole },
            false => Self::File { path, whole },
        }
    }
}

/// The request's body on its way, beside the response.
pub(super) struct Upload {
    _task: AbortOnDropHandle<()>,
    /// What could not be read.
    unread: watch::Receiver<Option<String>>,
}

impl Upload {
    pub(super) fn start(sources: &Arc<Vec<Source>>, body: SendBody) -> Self {
        let sources = Arc::clone(sources);
        let (tell, unread) = watch::channel(None);
        let task = tokio::spawn(async move { send(&sources, body, &tell).await });
        Self {
            _task: AbortOnDropHandle::new(task),
            unread,
        }
    }

    /// Waits until something cannot be read; for ever where everything can.
    pub(super) async fn failed(&mut self) -> String {
        let failed = self.unread.wait_for(Option::is_some).await;
        match failed.ok().and_then(|failed| failed.clone()) {
            Some(what) => what,
            None => std::future::pending().await,
        }
    }

    /// What could not be read, if so.
    pub(super) fn failure(&self) -> Option<String> {
        self.unread.borrow().clone()
    }
}

/// Why a body was not sent to its end.
enum SendError {
    Read(String),
    Stream(StreamError),
}

impl From<StreamError> for SendError {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

/// How many bytes there will be; `None` where only the end tells.
pub(super) fn length(sources: &[Source]) -> Option<u64> {
    sources.iter().try_fold(0, |total, source| {
        let length = match source {
            Source::Text(text) => text.len() as u64,
            Source::File { path, whole: true } => {
                let metadata = std::fs::metadata(path).ok()?;
                metadata.is_file().then_some(metadata.len())?
            }
            Source::File { whole: false, .. } | Source::Stdin { .. } => return None,
        };
        Some(total + length)
    })
}

/// Sends everything, in its order. What cannot be read gives the request up: half a body must not
/// look like a whole one.
async fn send(sources: &[Source], mut body: SendBody, unread: &watch::Sender<Option<String>>) {
    for source in sources {
        let sent = match source {
            Source::Text(text) => body.write(text.clone()).await.map_err(SendError::Stream),
            Source::File { path, whole } => {
                let name = path.display().to_string();
                match File::open(path).await {
                    Ok(file) => copy(file, &name, *whole, &mut body).await,
                    Err(error) => Err(SendError::Read(format!("read {name}: {error}"))),
                }
            }
            Source::Stdin { whole } => {
                copy(tokio::io::stdin(), "standard input", *whole, &mut body).await
            }
        };
        match sent {
            Ok(()) => {}
            Err(SendError::Read(what)) => {
                unread.send_replace(Some(what));
                body.reset(ErrorCode::CANCELLED, "the data to send could not be read");
                return;
            }
            // The app has answered without reading all of it (SES-026), or the response tells.
            Err(SendError::Stream(error)) => {
                tracing::debug!(%error, "the rest of the request is not sent");
                return;
            }
        }
    }
    if !sources.is_empty()
        && let Err(error) = body.finish(None)
    {
        tracing::debug!(%error, "request not finished");
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    name: &str,
    whole: bool,
    body: &mut SendBody,
) -> Result<(), SendError> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        let count = from.read_buf(&mut buffer).await;
        if count.map_err(|error| SendError::Read(format!("read {name}: {error}")))? == 0 {
            return Ok(());
        }
        let mut data = buffer.split().freeze();
        if !whole {
            data = without_line_ends(&data);
        }
        body.write(data).await?;
    }
}

fn without_line_ends(data: &[u8]) -> Bytes {
    let kept = data.iter().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    kept.copied().collect()
}
