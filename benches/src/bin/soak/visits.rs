//! Visitors that come and go.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use p2claw_agent::connection::Message;
use p2claw_benches::{
    stack::Stack,
    stage::Failure,
    transfer::{PIECE, request},
};
use p2claw_session::{Close, Fields, MessageKind, Target};
use p2claw_visitor::{Address, Opened, Visit, Visitor, VisitorConfig};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

/// Bytes of one download, and of one upload.
const BODY: usize = 1_000_000;

/// Longer than any visit takes beside a hundred others on two processors.
const PATIENCE: Duration = Duration::from_secs(90);

/// How visits went.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) begun: usize,
    pub(crate) failed: usize,
    downloads: usize,
    uploads: usize,
    websockets: usize,
    cancelled: usize,
    vanished: usize,
}

impl Tally {
    pub(crate) fn done(&self) -> usize {
        self.begun - self.failed
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} begun, {} failed; {} downloads, {} uploads, {} WebSockets, {} cancelled, {} vanished",
            self.begun,
            self.failed,
            self.downloads,
            self.uploads,
            self.websockets,
            self.cancelled,
            self.vanished
        )
    }
}

/// Keeps so many visitors busy for so long.
pub(crate) async fn run(
    url: &str,
    stack: Stack,
    visitors: usize,
    time: Duration,
    manners: &[Manner],
) -> Result<Tally, Failure> {
    let address: Address = url.parse()?;
    let visitor = Visitor::new(VisitorConfig::new(stack.endpoint()?));
    let end = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for number in 0..visitors {
        let (address, visitor) = (address.clone(), Arc::clone(&visitor));
        let first = number % manners.len();
        let manners = [&manners[first..], &manners[..first]].concat();
        tasks.spawn(async move {
            let mut tally = Tally::default();
            let mut manners = manners.into_iter().cycle();
            while Instant::now() < end
                && let Some(manner) = manners.next()
            {
                tally.begun += 1;
                let visit = one(&visitor, &address, manner, &mut tally);
                match timeout(PATIENCE, visit).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        eprintln!("a visit failed: {error}");
                        tally.failed += 1;
                    }
                    Err(_) => {
                        eprintln!("a visit took more than 90 s");
                        tally.failed += 1;
                    }
                }
            }
            tally
        });
    }
    let mut sum = Tally::default();
    while let Some(tally) = tasks.join_next().await {
        let tally = tally?;
        sum.begun += tally.begun;
        sum.failed += tally.failed;
        sum.downloads += tally.downloads;
        sum.uploads += tally.uploads;
        sum.websockets += tally.websockets;
        sum.cancelled += tally.cancelled;
        sum.vanished += tally.vanished;
    }
    Ok(sum)
}

/// What a visitor does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    Downloads,
    Uploads,
    TalksOverAWebSocket,
    Cancels,
    Vanishes,
}

impl Manner {
    pub(crate) const ALL: [Self; 5] = [
        Self::Downloads,
        Self::Uploads,
        Self::TalksOverAWebSocket,
        Self::Cancels,
        Self::Vanishes,
    ];

    /// Those that the agent is rid of at once.
    pub(crate) const POLITE: &[Self] = Self::ALL.split_at(4).0;
}

/// One visit.
async fn one(
    visitor: &Arc<Visitor>,
    address: &Address,
    manner: Manner,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let visit = visitor.visit(address).await?;
    match manner {
        Manner::Downloads => {
            download(&visit, BODY).await?;
            tally.downloads += 1;
        }
        Manner::Uploads => {
            upload(&visit).await?;
            tally.uploads += 1;
        }
        Manner::TalksOverAWebSocket => {
            websocket(&visit).await?;
            tally.websockets += 1;
        }
        Manner::Cancels => {
            // Given up in the middle, and the session goes on.
            download(&visit, BODY / 10).await?;
            let mut exchange = visit
                .open(request("GET", "/download/50000000", true)?)
                .await?;
            exchange.head().await?;
            exchange.response.data().await?;
            drop(exchange);
            download(&visit, 1_000).await?;
            tally.cancelled += 1;
        }
        Manner::Vanishes => {
            let mut exchange = visit
                .open(request("GET", "/download/50000000", true)?)
                .await?;
            exchange.head().await?;
            exchange.response.data().await?;
            tally.vanished += 1;
            // Gone without a word.
            drop(visit);
            return Ok(());
        }
    }
    visit.close().await;
    Ok(())
}

async fn download(visit: &Visit, bytes: usize) -> Result<(), Failure> {
    let target = format!("/download/{bytes}");
    let mut exchange = visit.open(request("GET", &target, true)?).await?;
    exchange.head().await?;
    let mut received = 0;
    while let Some(data) = exchange.response.data().await? {
        received += data.len();
    }
    expect(received, bytes)
}

async fn upload(visit: &Visit) -> Result<(), Failure> {
    let mut exchange = visit.open(request("POST", "/upload", false)?).await?;
    let piece = Bytes::from_static(&[7; PIECE]);
    let mut left = BODY;
    while left > 0 {
        let length = left.min(PIECE);
        exchange.body.write(piece.slice(..length)).await?;
        left -= length;
    }
    exchange.body.finish(None)?;
    exchange.head().await?;
    let mut counted = Vec::new();
    while let Some(data) = exchange.response.data().await? {
        counted.extend_from_slice(&data);
    }
    expect(String::from_utf8(counted)?.parse()?, BODY)
}

/// Ten messages there and back, and a close.
async fn websocket(visit: &Visit) -> Result<(), Failure> {
    let opened = visit
        .open_websocket(Target::parse("/echo")?, Fields::new())
        .await?;
    let Opened::Accepted { send, receive, .. } = opened else {
        return Err("the app refused the WebSocket".into());
    };
    let (mut sender, mut receiver) = (send.into_messages(), receive.into_messages());
    for number in 0..10_u8 {
        let message = Bytes::from(vec![number; 2_000]);
        sender
            .send(MessageKind::Binary, message.clone(), true)
            .await?;
        let mut echoed = Vec::new();
        loop {
            match receiver.next().await? {
                Message::Part { last, data, .. } => {
                    echoed.extend_from_slice(&data);
                    if last {
                        break;
                    }
                }
                Message::Close(_) => return Err("the app closed the WebSocket".into()),
            }
        }
        if echoed != message {
            return Err("another message came back".into());
        }
    }
    sender.close(Close::new(1000, "")?)?;
    while !matches!(receiver.next().await, Ok(Message::Close(_)) | Err(_)) {}
    Ok(())
}

fn expect(received: usize, expected: usize) -> Result<(), Failure> {
    if received == expected {
        Ok(())
    } else {
        Err(format!("{received} of {expected} bytes came").into())
    }
}
