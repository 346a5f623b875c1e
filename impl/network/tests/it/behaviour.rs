//! What is found out about NATs of every kind, with a real server and real packets.

use std::net::SocketAddr;

use futures_util::future::join_all;
use p2claw_network::{
    Machine, Network,
    behaviour::{Behaviour, Filtering, Mapping, Nat, discover},
};

use crate::{
    nat::{NatNetwork, Rules},
    stun_server::{Knows, StunServer},
};

const MAPPINGS: [Mapping; 3] = [
    Mapping::EndpointIndependent,
    Mapping::AddressDependent,
    Mapping::AddressAndPortDependent,
];

const FILTERINGS: [Filtering; 3] = [
    Filtering::EndpointIndependent,
    Filtering::AddressDependent,
    Filtering::AddressAndPortDependent,
];

async fn found(network: &dyn Network, servers: &[SocketAddr]) -> Nat {
    let behaviour = discover(network, servers).await.unwrap();
    behaviour
        .nat
        .unwrap_or_else(|| panic!("no server answered"))
}

/// RFC 5780 sections 4.3 and 4.4: all nine, told apart by one server.
#[tokio::test]
async fn every_mapping_and_filtering_is_told_apart_by_one_server() {
    let server = StunServer::start(11, Knows::Behaviour).await;
    let kinds = MAPPINGS
        .into_iter()
        .flat_map(|mapping| FILTERINGS.map(|filtering| (mapping, filtering)));
    let all = kinds.map(async |(mapping, filtering)| {
        let network = NatNetwork::new(13, Rules::new(mapping, filtering));
        let nat = found(&network, &[server.address]).await;
        assert_eq!((nat.mapping, nat.filtering), (mapping, filtering));
        assert_eq!(nat.mapped.ip(), SocketAddr::from(([127, 0, 0, 13], 0)).ip());
        assert_eq!(nat.local.ip(), SocketAddr::from(([10, 0, 0, 2], 0)).ip());
        assert!(nat.is_translated());
        assert!(!nat.preserves_ports);
        assert_eq!(nat.hairpinning, Some(false));
    });
    assert_eq!(join_all(all).await.len(), 9);
}

/// RFC 4787 sections 4.2.1 and 6.
#[tokio::test]
async fn hairpinning_and_preserved_ports_are_seen() {
    let server = StunServer::start(14, Knows::Behaviour).await;
    let all = FILTERINGS.map(async |filtering| {
        let mut rules = Rules::new(Mapping::EndpointIndependent, filtering);
        rules.hairpinning = true;
        rules.preserves_ports = true;
        let network = NatNetwork::new(16, rules);
        let nat = found(&network, &[server.address]).await;
        assert!(nat.preserves_ports, "{nat:?}");
        assert_eq!(nat.hairpinning, Some(true), "{nat:?}");
    });
    assert_eq!(join_all(all).await.len(), 3);
}

/// No NAT at all: the address is this machine's own.
#[tokio::test]
async fn an_open_path_is_one() {
    let server = StunServer::start(17, Knows::Behaviour).await;
    let nat = found(&Machine, &[server.address]).await;
    assert_eq!(nat.mapping, Mapping::None);
    assert_eq!(nat.filtering, Filtering::EndpointIndependent);
    assert_eq!(nat.mapped, nat.local);
    assert_eq!(nat.hairpinning, None);
    assert!(nat.preserves_ports);
}

/// Servers without RFC 5780: two tell the mapping, and nobody tells the filtering.
#[tokio::test]
async fn two_common_servers_tell_whether_the_mapping_depends_on_them() {
    let one = StunServer::start(18, Knows::Binding).await;
    let two = StunServer::start(20, Knows::Binding).await;
    for (mapping, expected) in [
        (Mapping::EndpointIndependent, Mapping::EndpointIndependent),
        (Mapping::AddressDependent, Mapping::Dependent),
        (Mapping::AddressAndPortDependent, Mapping::Dependent),
    ] {
        let network = NatNetwork::new(22, Rules::new(mapping, Filtering::EndpointIndependent));
        let nat = found(&network, &[one.address, two.address]).await;
        assert_eq!((nat.mapping, nat.filtering), (expected, Filtering::Unknown));
        let nat = found(&network, &[one.address]).await;
        assert_eq!(nat.mapping, Mapping::Unknown);
    }
    // Two ports of one address tell this kind from the other.
    let network = NatNetwork::new(
        22,
        Rules::new(
            Mapping::AddressAndPortDependent,
            Filtering::EndpointIndependent,
        ),
    );
    let nat = found(&network, &one.addresses[..2]).await;
    assert_eq!(nat.mapping, Mapping::AddressAndPortDependent);
}

/// What a server claims is believed only where it shows.
#[tokio::test]
async fn servers_that_do_half_of_it_tell_nothing_wrong() {
    for (host, knows) in [(23, Knows::OtherAddressOnly), (25, Knows::DeadOtherAddress)] {
        let server = StunServer::start(host, knows).await;
        let all = FILTERINGS.map(async |filtering| {
            let rules = Rules::new(Mapping::EndpointIndependent, filtering);
            let nat = found(&NatNetwork::new(27, rules), &[server.address]).await;
            let mapping = match knows {
                Knows::DeadOtherAddress => Mapping::Unknown,
                Knows::Binding | Knows::Behaviour | Knows::OtherAddressOnly => {
                    Mapping::EndpointIndependent
                }
            };
            // A dead second address still answers from where nothing filters.
            let seen = nat.filtering;
            assert!(
                seen == Filtering::Unknown || seen == filtering,
                "{knows:?} {filtering}: {nat:?}"
            );
            assert_eq!(nat.mapping, mapping, "{knows:?} {filtering}");
        });
        assert_eq!(join_all(all).await.len(), 3);
    }
}

#[tokio::test]
async fn blocked_udp_is_silence_of_all_servers() {
    let one = StunServer::start(28, Knows::Behaviour).await;
    let mut rules = Rules::new(Mapping::EndpointIndependent, Filtering::EndpointIndependent);
    rules.blocks = true;
    let found = discover(&NatNetwork::new(30, rules), &[one.address]).await;
    let expected = Behaviour {
        servers: vec![(one.address, None)],
        nat: None,
    };
    assert_eq!(found.unwrap(), expected);
    let nobody = discover(&Machine, &[]).await.unwrap();
    assert_eq!(nobody.nat, None);
}
