//! What a session's owner has to know of the network below: candidates to pass on, and the path.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use p2claw_signaling::limits::MAX_CANDIDATES;
use tokio::{sync::watch, time::Instant};

use super::Connection;
use crate::transport::{Path, PathState};

/// How packets get through at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathView {
    /// The addresses in use, or used last; `None` before the first.
    pub path: Option<Path>,
    /// Since when no packets get through; `None` while they do, and before they did first.
    pub lost_since: Option<Instant>,
}

/// Candidates of this end that wait for their way to the other.
///
/// They belong to the description that was made last: its visit takes [`MAX_CANDIDATES`]
/// (`SIG-013`), so that many wait here at most.
#[derive(Default)]
pub(super) struct Gathered {
    waiting: VecDeque<Option<String>>,
    /// Since the last description; one place is kept for the end.
    told: usize,
    ended: bool,
    waker: Option<Waker>,
}

impl Gathered {
    /// A new description was made, with all that is known in it.
    pub(super) fn start_over(&mut self) {
        *self = Self {
            waker: self.waker.take(),
            ..Self::default()
        };
    }

    pub(super) fn push(&mut self, candidate: Option<String>) {
        match candidate {
            Some(_) if self.told + 1 >= MAX_CANDIDATES => return,
            Some(_) => self.told += 1,
            None if self.ended => return,
            None => self.ended = true,
        }
        self.waiting.push_back(candidate);
        super::wake(self.waker.take());
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        match self.waiting.pop_front() {
            Some(candidate) => Poll::Ready(candidate),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Connection {
    /// Waits for a candidate of this end that the other has to be told (`RTC-011`, `RTC-017`), for
    /// the description that [`super::Driver`] made last. `None`: there are no more for it, once for
    /// each description. Never resolves otherwise, also not when the session is over: wait for the
    /// driver beside it. One task may wait at a time.
    pub async fn next_candidate(&self) -> Option<String> {
        std::future::poll_fn(|cx| self.shared.look(|state| state.gathered.poll(cx))).await
    }

    /// The path, and each change of it.
    #[must_use]
    pub fn watch_path(&self) -> watch::Receiver<PathView> {
        self.shared.path.subscribe()
    }

    /// The addresses in use.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.shared.path.borrow().path
    }
}

/// Notes what the peer reports; `change` is news of whether packets get through.
pub(super) fn note(view: &watch::Sender<PathView>, path: Option<Path>, change: Option<PathState>) {
    view.send_if_modified(|view| {
        let lost_since = match change {
            Some(PathState::Connected) => None,
            Some(PathState::Disconnected) => Some(view.lost_since.unwrap_or_else(Instant::now)),
            None => view.lost_since,
        };
        let fresh = PathView {
            path: path.or(view.path),
            lost_since,
        };
        let changed = *view != fresh;
        *view = fresh;
        changed
    });
}
