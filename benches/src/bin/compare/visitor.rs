//! The visitor's end: it orders, transfers and measures.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use p2claw_agent::{
    connection::{self, Connection},
    transport::{Offered, PeerTransport},
};
use p2claw_benches::{
    child::Child,
    raw,
    stack::Stack,
    stage::{Failure, session_config},
    transfer::{fetch, request, upload},
};
use p2claw_session::Role;

use crate::{
    Sizes,
    order::{Answer, Order, Work},
    process,
};

/// Requests at a time, where they are in parallel.
const PARALLEL: usize = 32;

/// Streams for the figure of memory.
const STREAMS: usize = 100;

/// What one transfer took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Transfer {
    /// MB/s.
    pub(crate) rate: f64,
    /// Processor milliseconds for each MB, at this end and at the agent's.
    pub(crate) visitor_cost: f64,
    pub(crate) agent_cost: f64,
}

/// A pair of stacks.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) visitor: Stack,
    pub(crate) agent: Stack,
    pub(crate) raw_download: Transfer,
    pub(crate) http_download: Transfer,
    pub(crate) raw_upload: Transfer,
    pub(crate) http_upload: Transfer,
    /// Requests a second, one after another and in parallel.
    pub(crate) sequential: f64,
    pub(crate) parallel: f64,
    /// From the offer to the first byte of a response.
    pub(crate) setup: Duration,
    /// KiB of the agent's memory.
    pub(crate) idle_session: f64,
    pub(crate) streams: f64,
}

pub(crate) async fn measure(visitor: Stack, agent: Stack, sizes: &Sizes) -> Result<Row, Failure> {
    let bytes = sizes.megabytes * 1_000_000;
    let mut bench = Bench {
        endpoint: visitor.endpoint()?,
        agent: Child::start(agent)?,
    };
    let session = bench.session().await?;
    fetch(&session, 1_000_000).await?;
    let (mut raw_down, mut http_down, mut raw_up, mut http_up) = (vec![], vec![], vec![], vec![]);
    for _ in 0..sizes.rounds {
        raw_down.push(bench.raw_download(bytes).await?);
        http_down.push(bench.timed(bytes, fetch(&session, bytes)).await?);
        raw_up.push(bench.raw_upload(bytes).await?);
        http_up.push(bench.timed(bytes, upload(&session, bytes)).await?);
    }
    let start = Instant::now();
    for _ in 0..sizes.requests {
        fetch(&session, 100).await?;
    }
    let sequential = per_second(sizes.requests, start.elapsed());
    let start = Instant::now();
    let each = sizes.requests.div_ceil(PARALLEL);
    try_join_all((0..PARALLEL).map(|_| async {
        for _ in 0..each {
            fetch(&session, 100).await?;
        }
        Ok::<_, Failure>(())
    }))
    .await?;
    let parallel = per_second(each * PARALLEL, start.elapsed());
    let (setup, idle_session, streams) = bench.sessions(sizes.sessions).await?;
    Ok(Row {
        visitor,
        agent,
        raw_download: median(raw_down),
        http_download: median(http_down),
        raw_upload: median(raw_up),
        http_upload: median(http_up),
        sequential,
        parallel,
        setup,
        idle_session,
        streams,
    })
}

struct Bench {
    endpoint: Arc<dyn PeerTransport>,
    agent: Child,
}

impl Bench {
    async fn peer(&mut self, work: Work) -> Result<Offered, Failure> {
        let mut offered = self.endpoint.offer().await?;
        let offer = offered.offer.clone();
        let Answer { answer } = self.agent.ask(&Order { offer, work }).await?;
        offered.peer.accept_answer(&answer)?;
        Ok(offered)
    }

    async fn session(&mut self) -> Result<Connection, Failure> {
        let offered = self.peer(Work::Session).await?;
        let (session, driver) = connection::connect(Role::Visitor, session_config(), offered.peer);
        tokio::spawn(driver);
        Ok(session)
    }

    /// What the work of both processes cost.
    async fn timed(
        &self,
        bytes: usize,
        work: impl Future<Output = Result<Duration, Failure>>,
    ) -> Result<Transfer, Failure> {
        let (own, other) = (std::process::id(), self.agent.pid());
        let before = (process::processor_time(own), process::processor_time(other));
        let took = work.await?;
        let megabytes = megabytes(bytes);
        let cost = |pid, before| {
            let used = process::processor_time(pid).saturating_sub(before);
            used.as_secs_f64() * 1e3 / megabytes
        };
        Ok(Transfer {
            rate: megabytes / took.as_secs_f64(),
            visitor_cost: cost(own, before.0),
            agent_cost: cost(other, before.1),
        })
    }

    async fn raw_download(&mut self, bytes: usize) -> Result<Transfer, Failure> {
        let mut peer = self.peer(Work::RawDownload(bytes)).await?.peer;
        raw::opened(&mut *peer).await?;
        self.timed(bytes, raw::receive(&mut *peer, bytes)).await
    }

    async fn raw_upload(&mut self, bytes: usize) -> Result<Transfer, Failure> {
        let mut peer = self.peer(Work::RawUpload(bytes)).await?.peer;
        raw::opened(&mut *peer).await?;
        let work = async {
            let start = Instant::now();
            raw::send(&mut *peer, bytes).await?;
            Ok(start.elapsed())
        };
        self.timed(bytes, work).await
    }

    /// Time to set up, KiB of an idle session and of 100 open streams, at the agent's end.
    async fn sessions(&mut self, number: usize) -> Result<(Duration, f64, f64), Failure> {
        let mut times = Vec::new();
        let mut sessions = Vec::new();
        let before = process::resident(self.agent.pid());
        for _ in 0..number.max(1) {
            let start = Instant::now();
            let session = self.session().await?;
            fetch(&session, 1).await?;
            times.push(start.elapsed());
            sessions.push(session);
        }
        let after = process::resident(self.agent.pid());
        times.sort_unstable();
        let mut open = Vec::new();
        for session in &sessions {
            let mut exchanges = Vec::new();
            for _ in 0..STREAMS {
                exchanges.push(session.open(request("POST", "/1", false)?)?);
            }
            open.push(exchanges);
        }
        // No more of them arrive once the memory stays where it is.
        let mut waited = Instant::now();
        let mut with_streams = process::resident(self.agent.pid());
        while waited.elapsed() < Duration::from_millis(500) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = process::resident(self.agent.pid());
            if now > with_streams {
                with_streams = now;
                waited = Instant::now();
            }
        }
        drop(open);
        let each = |more: u64, less: u64| kib(more.saturating_sub(less), number.max(1));
        Ok((
            times[times.len() / 2],
            each(after, before),
            each(with_streams, after),
        ))
    }
}

fn median(mut transfers: Vec<Transfer>) -> Transfer {
    transfers.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    transfers
        .get(transfers.len() / 2)
        .copied()
        .unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per_second(number: usize, time: Duration) -> f64 {
    number as f64 / time.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn kib(bytes: u64, number: usize) -> f64 {
    bytes as f64 / 1024.0 / number as f64
}
