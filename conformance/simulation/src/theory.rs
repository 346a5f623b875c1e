//! What the path between two sides has to be, from the RFCs alone.
//!
//! Each end has two kinds of addresses to tell the other: the one that a STUN server sees, and one
//! on a relay. A check that one end sends to the other's first kind leaves from `m`, the mapping
//! for that destination. Direct packets go both ways if there is a pair of mappings such that each
//! end's packets to the other's mapping leave from its own (RFC 8445 section 7.2.5.2.1 asks for
//! symmetric addresses), and if one end learns the other's mapping, by being told or by receiving a
//! check from there (peer-reflexive, section 7.3.1.3). RFC 5128 section 3.3 has the same for the
//! usual boxes under the names of STUN's first RFC.

use crate::{nat::Behaviour, side::Side};

/// How two ends reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// From host to host, through whatever boxes.
    Direct,
    /// By a relay.
    Relayed,
}

impl Outcome {
    /// As tables have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relayed => "relayed",
        }
    }

    /// Whether a third party stands between.
    #[must_use]
    pub const fn is_relayed(self) -> bool {
        matches!(self, Self::Relayed)
    }
}

/// The outcome for two ends behind boxes of their own.
#[must_use]
pub fn expected(one: &Side, other: &Side) -> Outcome {
    if is_reachable(one, other) {
        Outcome::Direct
    } else {
        Outcome::Relayed
    }
}

fn is_reachable(one: &Side, other: &Side) -> bool {
    let (Some(one), Some(other)) = (Faced::by(one), Faced::by(other)) else {
        return false;
    };
    match (one.is_told(), other.is_told()) {
        // Each sends to the mapping that the other uses, and so opens its own filter for it.
        (true, true) => true,
        // The first check of the other end comes from a mapping that nobody was told of. It opens
        // the way back, and has to get in: this end has sent to the other's address, not its port.
        (true, false) => one.filtering != Behaviour::AddressAndPortDependent,
        (false, true) => other.filtering != Behaviour::AddressAndPortDependent,
        (false, false) => {
            // Neither was told, so a first check arrives only where everybody may send. The answer
            // to it comes from a mapping that the other end was not told of either, but from an
            // address that it has sent to.
            let learned = |here: &Faced, there: &Faced| {
                here.filtering == Behaviour::EndpointIndependent
                    && there.filtering != Behaviour::AddressAndPortDependent
            };
            // Where both map by port, every new port that one learns makes the other use another.
            let settles = [one.mapping, other.mapping]
                .iter()
                .any(|mapping| *mapping != Behaviour::AddressAndPortDependent);
            settles && (learned(&one, &other) || learned(&other, &one))
        }
    }
}

/// What several boxes in a row are like from outside.
struct Faced {
    mapping: Behaviour,
    filtering: Behaviour,
}

impl Faced {
    /// A packet has to pass all boxes, and a mapping is new when it is new at any. `None`: one of
    /// them lets no UDP through.
    fn by(side: &Side) -> Option<Self> {
        let start = Self {
            mapping: Behaviour::EndpointIndependent,
            filtering: Behaviour::EndpointIndependent,
        };
        side.boxes().iter().try_fold(start, |faced, config| {
            config.passes_udp.then(|| Self {
                mapping: faced.mapping.max(config.mapping),
                filtering: faced.filtering.max(config.filtering),
            })
        })
    }

    /// Whether the mapping that the STUN server saw is the one that peers see.
    fn is_told(&self) -> bool {
        self.mapping == Behaviour::EndpointIndependent
    }
}
