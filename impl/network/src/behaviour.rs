//! How the NATs between this machine and the internet behave, in the terms of RFC 4787, found
//! out by the methods of RFC 5780.
//!
//! A server with two addresses and two ports (RFC 5780 section 6) tells everything. Of others,
//! two with different addresses tell whether a mapping depends on the destination, and one tells
//! the public address.

mod asker;
mod hairpin;
mod lifetime;

use std::{fmt, io, net::SocketAddr, time::Duration};

use futures_util::future::join;
pub use lifetime::{Lifetime, mapping_lifetime};

use self::asker::{Answer, Asker, Change, Outcome, Question};
use crate::network::Network;

/// Servers that are asked; more tell nothing new.
const MAX_SERVERS: usize = 16;

/// What was found with servers of one address family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// Each server that was asked, and what it said.
    pub servers: Vec<(SocketAddr, Option<Reflection>)>,
    /// What lies between; `None` where no server answered.
    pub nat: Option<Nat>,
}

/// What one STUN server sees of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reflection {
    /// This end's address, as this machine knows it.
    pub local: SocketAddr,
    /// This end's address, as the server sees it.
    pub mapped: SocketAddr,
    /// To the server and back.
    pub round_trip: Duration,
    /// The server has a second address, and so tells more (RFC 5780).
    pub has_other_address: bool,
}

/// The NATs and firewalls on the way, as if they were one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nat {
    /// The address of this machine that packets leave from.
    pub local: SocketAddr,
    /// The public address of one socket.
    pub mapped: SocketAddr,
    /// RFC 4787 section 4.1.
    pub mapping: Mapping,
    /// RFC 4787 section 5.
    pub filtering: Filtering,
    /// The public port is the one that the socket has (RFC 4787 section 4.2.1).
    pub preserves_ports: bool,
    /// Packets from behind the NAT to its own public address come back (RFC 4787 section 6);
    /// `None`: there is no NAT to do it.
    pub hairpinning: Option<bool>,
}

impl Nat {
    /// Whether addresses are translated at all; where they are not, there may still be a firewall.
    #[must_use]
    pub fn is_translated(&self) -> bool {
        self.mapping != Mapping::None
    }
}

/// On what the public address of a socket depends (RFC 4787 section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mapping {
    /// Nothing is translated.
    None,
    /// On the socket only: the same for everybody.
    EndpointIndependent,
    /// On the destination's address, too.
    AddressDependent,
    /// On the destination's address and port.
    AddressAndPortDependent,
    /// On the destination; which of the two kinds cannot be told with these servers.
    Dependent,
    /// It takes a second server address to tell.
    Unknown,
}

/// From whom packets to a public address are let through (RFC 4787 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filtering {
    /// From anybody, once there is a mapping.
    EndpointIndependent,
    /// From addresses that were sent to.
    AddressDependent,
    /// From addresses and ports that were sent to.
    AddressAndPortDependent,
    /// It takes a server with two addresses (RFC 5780) to tell.
    Unknown,
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
            Self::Dependent => "dependent on the destination",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
            Self::Unknown => "unknown",
        })
    }
}

/// Finds out how the NATs on the way to these servers behave: all of one address family, at most
/// 16 are asked. It takes up to 5 s, and no longer. Packets go to the servers, to the second
/// address that a server names, and to this machine's own public address.
///
/// # Errors
/// When no UDP socket can be had.
pub async fn discover(network: &dyn Network, servers: &[SocketAddr]) -> io::Result<Behaviour> {
    let Some(first) = servers.first() else {
        return Ok(Behaviour {
            servers: Vec::new(),
            nat: None,
        });
    };
    let questions: Vec<Question> = servers
        .iter()
        .filter(|server| server.is_ipv4() == first.is_ipv4())
        .take(MAX_SERVERS)
        .map(|server| Question::to(*server))
        .collect();
    let mut first_socket = Asker::bind(network, *first)?;
    let outcomes = first_socket.ask(&questions).await;
    let asked: Vec<(SocketAddr, Option<Answer>)> = questions
        .iter()
        .zip(outcomes)
        .map(|(question, outcome)| (question.to, outcome.answer()))
        .collect();
    let answers: Vec<Answer> = asked.iter().filter_map(|(_, answer)| *answer).collect();
    let nat = match answers.iter().find_map(|one| Some((*one, second(one)?))) {
        Some((server, other)) => {
            let second_socket = Asker::bind(network, *first)?;
            Some(by_two_addresses(first_socket, second_socket, server, other, &answers).await)
        }
        None => match answers.first() {
            Some(answer) => {
                let second_socket = Asker::bind(network, *first)?;
                Some(by_several_servers(first_socket, second_socket, *answer, &answers).await)
            }
            None => None,
        },
    };
    let servers = asked
        .into_iter()
        .map(|(server, answer)| (server, answer.map(|answer| reflection(&answer))))
        .collect();
    Ok(Behaviour { servers, nat })
}

fn reflection(answer: &Answer) -> Reflection {
    Reflection {
        local: answer.local,
        mapped: answer.mapped,
        round_trip: answer.round_trip,
        has_other_address: second(answer).is_some(),
    }
}

/// The second address of a server, where it can be used: both parts differ (RFC 5780 section 7.4),
/// and it leads no packets to where a stranger's server should not.
fn second(answer: &Answer) -> Option<SocketAddr> {
    let (first, other) = (answer.source, answer.other?);
    let usable = first.ip() != other.ip()
        && first.port() != other.port()
        && other.port() != 0
        && first.is_ipv4() == other.is_ipv4()
        && !other.ip().is_unspecified()
        && !other.ip().is_multicast()
        && other.ip().is_loopback() == first.ip().is_loopback();
    usable.then_some(other)
}

/// RFC 5780 sections 4.3 and 4.4, with one server that has two addresses and two ports.
async fn by_two_addresses(
    mut first: Asker,
    mut second: Asker,
    server: Answer,
    other: SocketAddr,
    answers: &[Answer],
) -> Nat {
    let primary = server.source;
    let (other_address, other_port) = (
        SocketAddr::new(other.ip(), primary.port()),
        SocketAddr::new(primary.ip(), other.port()),
    );
    let elsewhere = [other_address, other_port, other].map(Question::to);
    // Filtering is asked from a port that has sent to the server's first address only.
    let (seen, filtered) = join(first.ask(&elsewhere), filtering(&mut second, primary)).await;
    let seen: Vec<Option<Answer>> = seen.into_iter().map(Outcome::answer).collect();
    let mapping = match seen.as_slice() {
        _ if !translates(&server) => Mapping::None,
        [Some(address), port, _] if address.mapped == server.mapped => {
            // RFC 5780 ends here; a NAT that looks at the port alone is no less dependent.
            match port {
                Some(port) if port.mapped != server.mapped => Mapping::AddressAndPortDependent,
                _ => Mapping::EndpointIndependent,
            }
        }
        [Some(address), _, Some(both)] if address.mapped == both.mapped => {
            Mapping::AddressDependent
        }
        [Some(_), _, Some(_)] => Mapping::AddressAndPortDependent,
        [_, Some(port), _] if port.mapped != server.mapped => Mapping::AddressAndPortDependent,
        _ => mapping_of(&server, answers),
    };
    // The server's second address is a fact only where it answers somebody.
    let alive = seen.last().is_some_and(Option::is_some);
    let (filtering, again) = match filtered {
        Some((filtering, again)) if alive || filtering == Filtering::EndpointIndependent => {
            (filtering, Some(again))
        }
        Some((_, again)) => (Filtering::Unknown, Some(again)),
        None => (Filtering::Unknown, None),
    };
    finish(first, second, server, again, mapping, filtering).await
}

/// RFC 5780 section 4.4: the server's answers from elsewhere, and this end's address for them.
/// `None`: it does not answer from elsewhere, or not any more at all.
async fn filtering(asker: &mut Asker, server: SocketAddr) -> Option<(Filtering, Answer)> {
    let question = Question::to(server);
    let answer = asker.ask_one(question).await.answer()?;
    let outcomes = asker
        .ask(&[
            question.from(Change::AddressAndPort),
            question.from(Change::Port),
        ])
        .await;
    let filtering = match outcomes.as_slice() {
        // A server that answers from where it was asked has not understood the question.
        [Outcome::Answer(changed), _] if changed.source.ip() != server.ip() => {
            Filtering::EndpointIndependent
        }
        [Outcome::Silence, Outcome::Answer(changed)] if changed.source.port() != server.port() => {
            Filtering::AddressDependent
        }
        [Outcome::Silence, Outcome::Silence] => Filtering::AddressAndPortDependent,
        _ => Filtering::Unknown,
    };
    Some((filtering, answer))
}

/// With servers that have one address each.
async fn by_several_servers(
    first: Asker,
    mut second: Asker,
    answer: Answer,
    answers: &[Answer],
) -> Nat {
    let again = second.ask_one(Question::to(answer.source)).await.answer();
    let mapping = mapping_of(&answer, answers);
    finish(first, second, answer, again, mapping, Filtering::Unknown).await
}

/// What the answers of different servers to one socket tell.
fn mapping_of(answer: &Answer, answers: &[Answer]) -> Mapping {
    if !translates(answer) {
        return Mapping::None;
    }
    let others = || answers.iter().filter(|one| one.source != answer.source);
    let here = |one: &&Answer| one.source.ip() == answer.source.ip();
    if others().filter(here).any(|one| one.mapped != answer.mapped) {
        return Mapping::AddressAndPortDependent;
    }
    let mut elsewhere = others().filter(|one| !here(one)).map(|one| one.mapped);
    match elsewhere.next() {
        None => Mapping::Unknown,
        Some(mapped) if mapped == answer.mapped && elsewhere.all(|other| other == mapped) => {
            Mapping::EndpointIndependent
        }
        Some(_) => Mapping::Dependent,
    }
}

async fn finish(
    mut first: Asker,
    mut second: Asker,
    server: Answer,
    again: Option<Answer>,
    mapping: Mapping,
    filtering: Filtering,
) -> Nat {
    let preserved = |answer: &Answer| answer.mapped.port() == answer.local.port();
    let hairpinning = match again {
        Some(again) if mapping != Mapping::None => {
            let ends = (server.mapped, again.mapped);
            Some(hairpin::comes_back(&mut first, &mut second, ends).await)
        }
        _ => None,
    };
    Nat {
        local: server.local,
        mapped: server.mapped,
        mapping,
        filtering,
        preserves_ports: preserved(&server) && again.as_ref().is_none_or(preserved),
        hairpinning,
    }
}

fn translates(answer: &Answer) -> bool {
    answer.mapped != answer.local
}
