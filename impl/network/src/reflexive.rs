//! What STUN servers see of this machine (RFC 8489, RFC 8445 section 5.1.1.2).

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use stun_types::{
    attribute::XorMappedAddress,
    message::{BINDING, Message, MessageClass, MessageWriteVec, TransactionId},
    prelude::MessageWrite as _,
};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    hub::{Awaited, Inner},
    network::{Datagram, Transmit},
    server::Server,
};

/// Waits before the request is sent again, and after the last time. RFC 8489 section 6.2.1 starts
/// with 500 ms; a visitor waits meanwhile, so this begins sooner and doubles as usual.
const REPEATS: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
    Duration::from_millis(1600),
];

/// Between two questions to a server: below the 30 s after which common NATs forget a mapping
/// (RFC 4787 REQ-5 asks for 2 minutes and not all follow).
const AGAIN: Duration = Duration::from_secs(25);

/// Interfaces that a server is asked from.
const MAX_BASES: usize = 8;

/// Requests that wait for their answers.
#[derive(Debug, Default)]
pub(crate) struct Transactions(Mutex<HashMap<TransactionId, oneshot::Sender<SocketAddr>>>);

impl Transactions {
    /// Takes the answer to one of our requests. `false`: it is none.
    pub(crate) fn take(&self, datagram: &Datagram) -> bool {
        // The type of a success response to Binding (RFC 8489 section 5).
        if !datagram.contents.starts_with(&[1, 1]) {
            return false;
        }
        let mut table = self.table();
        if table.is_empty() {
            return false;
        }
        let Ok(message) = Message::from_bytes(&datagram.contents) else {
            return false;
        };
        if !message.has_class(MessageClass::Success) || !message.has_method(BINDING) {
            return false;
        }
        let id = message.transaction_id();
        let Some(waiting) = table.remove(&id) else {
            return false;
        };
        if let Ok(mapped) = message.attribute::<XorMappedAddress>() {
            // Who asked may have given up.
            let _ = waiting.send(mapped.addr(id));
        }
        true
    }

    fn table(&self) -> MutexGuard<'_, HashMap<TransactionId, oneshot::Sender<SocketAddr>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a server for as long as it is in use.
pub(crate) async fn ask(awaited: Awaited, number: usize, server: Server) {
    let inner = Arc::clone(&awaited.0);
    let mut awaited = Some(awaited);
    let mut interfaces = inner.watch();
    loop {
        let (host, port) = server.authority();
        let targets = inner.network.resolve(host, port).await;
        if let Err(error) = &targets {
            tracing::debug!(%server, %error, "STUN server not found");
        }
        let targets = targets.unwrap_or_default();
        let ipv4 = targets.iter().find(|target| target.is_ipv4());
        let ipv6 = targets.iter().find(|target| target.is_ipv6());
        let mut questions = FuturesUnordered::new();
        for target in ipv4.into_iter().chain(ipv6) {
            for base in inner.bases_for(*target).into_iter().take(MAX_BASES) {
                questions.push(question(&inner, base, *target));
            }
        }
        let mut answered = false;
        while let Some(answer) = questions.next().await {
            if let Some((base, mapped)) = answer {
                answered = true;
                inner.reflexive_found(number, base, mapped);
            }
        }
        if awaited.take().is_some() && !answered {
            tracing::debug!(%server, "STUN server does not answer");
        }
        // A new address has not been asked from.
        let _ = timeout(AGAIN, interfaces.changed()).await;
    }
}

/// One question from one of our addresses.
async fn question(
    inner: &Inner,
    base: SocketAddr,
    server: SocketAddr,
) -> Option<(SocketAddr, SocketAddr)> {
    let socket = inner.socket_for(base)?;
    let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
    let id = Message::from_bytes(&request).ok()?.transaction_id();
    let (sender, mut answer) = oneshot::channel();
    inner.transactions.table().insert(id, sender);
    let _forget = Forget { inner, id };
    for wait in REPEATS {
        let transmit = Transmit {
            source: Some(base.ip()),
            destination: server,
            contents: &request,
            segment: request.len(),
        };
        // What cannot leave now is sent again.
        let _ = socket.try_send(&transmit);
        if let Ok(mapped) = timeout(wait, &mut answer).await {
            return Some((base, mapped.ok()?));
        }
    }
    None
}

/// Takes a request off the table, however its wait ends.
struct Forget<'a> {
    inner: &'a Inner,
    id: TransactionId,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.inner.transactions.table().remove(&self.id);
    }
}
