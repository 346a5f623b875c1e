//! How two ends reach each other, seen on the network and not asked of either end.

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use p2claw_agent::transport::Path;
use tokio::time::{Instant, sleep};

use crate::{
    clock,
    internet::{HostId, Interface},
    side::Side,
    simulation::Failure,
    theory::Outcome,
    trace::{Fate, Kind},
    visitor::{Guest, fetch},
    world::{AgentHost, World},
};

/// How long ICE may go on to look for better pairs before a path is judged.
const SETTLE: Duration = Duration::from_secs(3);

/// How long a visit may take until then.
const LIMIT: Duration = Duration::from_secs(30);

/// What a path is judged by.
const BODY: usize = 40_000;

/// One visit, as it was seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// How the body travelled, both ways.
    pub outcome: Outcome,
    /// What the visitor says of its path.
    pub claimed: Path,
    /// From the beginning of the visit to its first response, whole.
    pub took: Duration,
}

/// Why a visit cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unclear {
    /// It came to nothing within 30 s.
    Never,
    /// It failed.
    Failed(String),
    /// One end sends directly, the other by a relay.
    Lopsided,
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("no response"),
            Self::Failed(error) => f.write_str(error),
            Self::Lopsided => f.write_str("the ends differ"),
        }
    }
}

/// What a visitor's program leaves behind.
#[derive(Debug, Clone)]
struct Visited {
    took: Duration,
    claimed: Option<Path>,
    /// When the body that the path is judged by was under way.
    judged: (Duration, Duration),
}

/// A visitor whose path will be judged.
#[derive(Debug)]
pub struct Candidate {
    host: HostId,
    visited: Rc<RefCell<Option<Result<Visited, String>>>>,
}

impl Candidate {
    /// The visitor's host.
    #[must_use]
    pub fn host(&self) -> HostId {
        self.host
    }
}

/// Adds a visitor of an agent at a place.
pub fn visitor(world: &mut World<'_>, name: &str, at: Interface, agent: &AgentHost) -> Candidate {
    let visited = Rc::new(RefCell::new(None));
    let (slot, agent) = (Rc::clone(&visited), agent.clone());
    let host = world.simulation.host(name, vec![at], move |network| {
        let (slot, agent) = (Rc::clone(&slot), agent.clone());
        async move {
            let guest = Guest::new(&network, &agent)?;
            let result = visit(&guest, &slot).await;
            if let Err(error) = result {
                slot.replace(Some(Err(error.to_string())));
            }
            Ok(())
        }
    });
    Candidate { host, visited }
}

async fn visit(
    guest: &Guest,
    slot: &RefCell<Option<Result<Visited, String>>>,
) -> Result<(), Failure> {
    let began = Instant::now();
    let visit = guest.visit().await?;
    fetch(&visit, "/bytes/1", |_| ()).await?;
    let took = began.elapsed();
    sleep(SETTLE).await;
    let from = clock::elapsed();
    fetch(&visit, &format!("/bytes/{BODY}"), |_| ()).await?;
    slot.replace(Some(Ok(Visited {
        took,
        claimed: visit.path(),
        judged: (from, clock::elapsed()),
    })));
    // Others are still being judged.
    visit.wait().await;
    Ok(())
}

/// Lets every visitor visit, and judges the paths.
///
/// # Errors
/// When a program of the world ends with an error.
pub fn judge(
    world: &mut World<'_>,
    agent: &AgentHost,
    candidates: &[Candidate],
) -> Result<Vec<Result<Seen, Unclear>>, Failure> {
    let done = |candidate: &Candidate| candidate.visited.borrow().is_some();
    world
        .simulation
        .run_until(LIMIT, || candidates.iter().all(done))?;
    let judged = candidates.iter().map(|candidate| {
        let visited = candidate.visited.borrow();
        let visited = visited.as_ref().ok_or(Unclear::Never)?;
        let visited = visited
            .as_ref()
            .map_err(|error| Unclear::Failed(error.clone()))?;
        let direct = |from, to| is_direct(world, from, to, visited.judged);
        let outcome = match (
            direct(agent.host, candidate.host),
            direct(candidate.host, agent.host),
        ) {
            (true, true) => Outcome::Direct,
            (false, false) => Outcome::Relayed,
            _ => return Err(Unclear::Lopsided),
        };
        Ok(Seen {
            outcome,
            claimed: visited.claimed.ok_or(Unclear::Never)?,
            took: visited.took,
        })
    });
    Ok(judged.collect())
}

/// Whether DTLS came from one host to the other without a third one in between.
fn is_direct(
    world: &World<'_>,
    from: HostId,
    to: HostId,
    (begin, end): (Duration, Duration),
) -> bool {
    let internet = world.simulation.internet().lock();
    internet.records().iter().any(|record| {
        record.kind == Kind::Dtls
            && record.from == from
            && record.fate == Fate::Arrived(to)
            && (begin..=end).contains(&record.sent)
    })
}

/// Puts an agent behind one side and a visitor behind each of the others.
///
/// # Errors
/// When the agent cannot register, or a program ends with an error.
pub fn row(
    seed: u64,
    agent: &Side,
    visitors: &[Side],
) -> Result<Vec<Result<Seen, Unclear>>, Failure> {
    let mut world = World::new(seed);
    let agent = world.agent("agent", agent);
    world.registered(&[&agent])?;
    let candidates: Vec<Candidate> = visitors
        .iter()
        .map(|side| {
            let place = world.place(side);
            visitor(&mut world, &format!("visitor at {side}"), place, &agent)
        })
        .collect();
    judge(&mut world, &agent, &candidates)
}
