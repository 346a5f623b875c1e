//! Opening streams as a visitor: when it can begin, and when there is room for one more.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use p2claw_session::{OpenError, Request, StreamId};

use super::{Connection, Exchange, Slot, State, wake};

/// Who waits to open a stream.
#[derive(Default)]
pub(super) struct Opening {
    /// Lane 0 carries messages.
    carries: bool,
    until_it_does: Option<Waker>,
    /// Those for whom there was no room; as many as the visitor's side has callers.
    waiting: VecDeque<Waker>,
}

impl Opening {
    pub(super) fn carries(&mut self) {
        self.carries = true;
        wake(self.until_it_does.take());
    }

    /// A stream may have gone: one of those that wait looks again.
    pub(super) fn room(&mut self) {
        wake(self.waiting.pop_front());
    }

    /// Nobody needs to wait any more.
    pub(super) fn end(&mut self) {
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push_back(cx.waker().clone());
        }
    }
}

impl Connection {
    /// Waits until the first lane carries messages: what was opened before leaves now. Never
    /// resolves otherwise; wait for the driver beside it. One task may wait at a time.
    pub async fn opened(&self) {
        std::future::poll_fn(|cx| {
            self.shared.look(|state| {
                if state.opening.carries {
                    return Poll::Ready(());
                }
                state.opening.until_it_does = Some(cx.waker().clone());
                Poll::Pending
            })
        })
        .await;
    }

    /// Opens a stream as [`Connection::open`] does, and waits for room where the agent takes no
    /// more at once.
    ///
    /// # Errors
    /// When the session is over or going away, or the head breaks a rule.
    pub async fn open_when_free(&self, request: Request) -> Result<Exchange, OpenError> {
        let ended = request.end;
        let id = std::future::poll_fn(|cx| {
            self.shared.with(|state| match state.open(request.clone()) {
                Err(OpenError::TooManyStreams) => {
                    state.opening.wait(cx);
                    Poll::Pending
                }
                done => Poll::Ready(done),
            })
        })
        .await?;
        Ok(Exchange::new(&self.shared, id, ended))
    }
}

impl State {
    pub(super) fn open(&mut self, request: Request) -> Result<StreamId, OpenError> {
        let id = self.session.open(request)?;
        self.slots.insert(id, Slot::default());
        Ok(id)
    }
}
