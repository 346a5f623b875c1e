//! What has come for a socket, or is about to.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

use p2claw_network::Datagram;
use tokio::time::sleep;

use crate::clock;

/// Datagrams that wait for their reader; more are lost, as in a system's socket buffer.
const ROOM: usize = 4096;

#[derive(Debug, Default)]
struct Queue {
    /// By the time of arrival, then in the order of sending.
    arrivals: BTreeMap<(Duration, u64), Datagram>,
    reader: Option<Waker>,
}

/// The receiving side of a socket.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<Queue>);

impl Inbox {
    /// Adds what arrives at `at`. `false`: there is no room.
    pub(crate) fn push(&self, at: Duration, order: u64, arrival: Datagram) -> bool {
        let mut queue = self.queue();
        if queue.arrivals.len() >= ROOM {
            return false;
        }
        queue.arrivals.insert((at, order), arrival);
        if let Some(reader) = queue.reader.take() {
            reader.wake();
        }
        true
    }

    /// Waits for the next datagram. One reader at a time.
    pub(crate) async fn receive(self: &Arc<Self>) -> Datagram {
        loop {
            let next = poll_fn(|cx| {
                let mut queue = self.queue();
                match queue.arrivals.first_key_value() {
                    Some(((at, _), _)) => Poll::Ready(*at),
                    None => {
                        queue.reader = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            })
            .await;
            let now = clock::elapsed();
            if next <= now {
                if let Some(arrival) = self.take(now) {
                    return arrival;
                }
            } else {
                self.sleep_until(next, now).await;
            }
        }
    }

    /// The next datagram that is there already.
    pub(crate) fn take(&self, now: Duration) -> Option<Datagram> {
        let mut queue = self.queue();
        let entry = queue.arrivals.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// Sleeps until `next`, or until something comes that may be earlier.
    async fn sleep_until(&self, next: Duration, now: Duration) {
        let mut sleep = pin!(sleep(next - now));
        let mut registered = false;
        poll_fn(|cx| {
            if sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut queue = self.queue();
            if registered && queue.reader.is_none() {
                return Poll::Ready(());
            }
            registered = true;
            queue.reader = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
