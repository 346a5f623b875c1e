//! The NAT boxes behave as RFC 4787 words it, seen from hosts by the tests of RFC 5780.

use std::{
    cell::RefCell,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use p2claw_simulation::{
    internet::{Interface, RealmId},
    nat::{Behaviour, NatConfig},
    network::{HostNetwork, Socket},
    simulation::{Simulation, public},
    stun::{self, ALTERNATE_PORT, CHANGE_IP, CHANGE_PORT, CHANGE_REQUEST, PORT},
};
use tokio::time::{sleep, timeout};
use turn_server_proto::types::stun::{
    attribute::{RawAttribute, XorMappedAddress},
    message::{BINDING, Message, MessageWrite as _, MessageWriteExt as _, MessageWriteVec},
};

const STUN: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 2)),
];
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const INSIDE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 168, 7, 10)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 7, 11)),
];
/// Longer than a round trip in these simulations.
const PATIENCE: Duration = Duration::from_millis(500);

fn any(port: u16) -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, port).into()
}

/// Runs a program on a host behind a box, with a STUN server outside, and returns its result.
fn behind<T: 'static, F>(config: NatConfig, program: impl Fn(HostNetwork) -> F + 'static) -> T
where
    F: Future<Output = T> + 'static,
{
    let mut simulation = Simulation::new(1);
    let realm = simulation
        .internet()
        .lock()
        .add_nat(RealmId::PUBLIC, OUTSIDE, config);
    let interfaces = STUN.into_iter().flat_map(public).collect();
    simulation.host("stun", interfaces, |network| async {
        Ok(stun::serve(network, STUN).await?)
    });
    let result = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&result);
    let address = INSIDE[0];
    simulation.host(
        "inside",
        vec![Interface { realm, address }],
        move |network| {
            let (run, slot) = (program(network), Rc::clone(&slot));
            async move {
                *slot.borrow_mut() = Some(run.await);
                Ok(())
            }
        },
    );
    let done = || result.borrow().is_some();
    assert!(simulation.run_until(Duration::from_secs(60), done).unwrap());
    result.take().unwrap()
}

/// A binding request; the mapped address, if an answer comes, from wherever.
async fn binding(socket: &Socket, to: (IpAddr, u16), change: u32) -> Option<SocketAddr> {
    let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
    let change = change.to_be_bytes();
    request
        .add_attribute(&RawAttribute::new(CHANGE_REQUEST, &change))
        .unwrap();
    let request = request.finish();
    let id = Message::from_bytes(&request).unwrap().transaction_id();
    socket.send(to.into(), request).unwrap();
    let answer = async {
        loop {
            let arrival = socket.receive().await;
            let message = Message::from_bytes(&arrival.contents).unwrap();
            if message.transaction_id() == id {
                let mapped = message.attribute::<XorMappedAddress>().unwrap();
                return mapped.addr(id);
            }
        }
    };
    timeout(PATIENCE, answer).await.ok()
}

/// RFC 5780 section 4.3.
async fn mapping_of(network: &HostNetwork) -> Behaviour {
    let socket = network.bind(any(0)).unwrap();
    let first = binding(&socket, (STUN[0], PORT), 0).await.unwrap();
    let second = binding(&socket, (STUN[1], PORT), 0).await.unwrap();
    let third = binding(&socket, (STUN[1], ALTERNATE_PORT), 0)
        .await
        .unwrap();
    if first == second {
        assert_eq!(first, third);
        Behaviour::EndpointIndependent
    } else if second == third {
        Behaviour::AddressDependent
    } else {
        Behaviour::AddressAndPortDependent
    }
}

/// RFC 5780 section 4.4.
async fn filtering_of(network: &HostNetwork) -> Behaviour {
    let socket = network.bind(any(0)).unwrap();
    let server = (STUN[0], PORT);
    binding(&socket, server, 0).await.unwrap();
    if binding(&socket, server, CHANGE_IP | CHANGE_PORT)
        .await
        .is_some()
    {
        Behaviour::EndpointIndependent
    } else if binding(&socket, server, CHANGE_PORT).await.is_some() {
        Behaviour::AddressDependent
    } else {
        Behaviour::AddressAndPortDependent
    }
}

#[test]
fn boxes_map_and_filter_as_they_are_told() {
    for mapping in Behaviour::ALL {
        for filtering in Behaviour::ALL {
            for keeps_port in [true, false] {
                let config = NatConfig {
                    keeps_port,
                    ..NatConfig::new(mapping, filtering)
                };
                let found = behind(config, |network| async move {
                    (mapping_of(&network).await, filtering_of(&network).await)
                });
                assert_eq!(found, (mapping, filtering), "keeps_port: {keeps_port}");
            }
        }
    }
}

/// RFC 4787 section 4.2.1: the outside port is the inside one where it is free.
#[test]
fn boxes_keep_a_port_that_is_free() {
    for mapping in Behaviour::ALL {
        let config = NatConfig::new(mapping, Behaviour::EndpointIndependent);
        let [first, second] = behind(config, |network| async move {
            let socket = network.bind(any(5004)).unwrap();
            let first = binding(&socket, (STUN[0], PORT), 0).await.unwrap();
            let second = binding(&socket, (STUN[1], PORT), 0).await.unwrap();
            [first, second]
        });
        assert_eq!(first, SocketAddr::new(OUTSIDE, 5004));
        assert_eq!(second == first, mapping == Behaviour::EndpointIndependent);
    }
    let config = NatConfig {
        keeps_port: false,
        ..NatConfig::new(
            Behaviour::EndpointIndependent,
            Behaviour::EndpointIndependent,
        )
    };
    let mapped = behind(config, |network| async move {
        let socket = network.bind(any(5004)).unwrap();
        binding(&socket, (STUN[0], PORT), 0).await.unwrap()
    });
    assert_eq!(mapped.ip(), OUTSIDE);
    assert_ne!(mapped.port(), 5004);
}

/// RFC 4787 section 4.3: a mapping ends without packets from inside, those from outside do not
/// count, and the next one has another port.
#[test]
fn boxes_forget_what_the_inside_does_not_use() {
    let config = NatConfig {
        timeout: Duration::from_secs(10),
        keeps_port: false,
        ..NatConfig::new(
            Behaviour::EndpointIndependent,
            Behaviour::EndpointIndependent,
        )
    };
    let (kept, lost) = behind(config, |network| async move {
        let socket = network.bind(any(0)).unwrap();
        let probe = || binding(&socket, (STUN[0], PORT), 0);
        let first = probe().await.unwrap();
        sleep(Duration::from_secs(9)).await;
        let kept = probe().await.unwrap() == first;
        sleep(Duration::from_secs(11)).await;
        (kept, probe().await.unwrap() != first)
    });
    assert!(kept && lost);
}

#[test]
fn boxes_that_pass_no_udp_pass_none() {
    let answered = behind(NatConfig::without_udp(), |network| async move {
        let socket = network.bind(any(0)).unwrap();
        binding(&socket, (STUN[0], PORT), 0).await
    });
    assert_eq!(answered, None);
}

/// RFC 4787 section 6: what is sent to the outside address from inside comes back, and comes from
/// the outside address of its sender (REQ-9).
#[test]
fn boxes_hairpin_if_they_are_told_to() {
    for (hairpins, expected) in [(true, Some(SocketAddr::new(OUTSIDE, 6000))), (false, None)] {
        let config = NatConfig {
            hairpins,
            ..NatConfig::new(
                Behaviour::EndpointIndependent,
                Behaviour::EndpointIndependent,
            )
        };
        let seen = behind(config, move |network| async move {
            let [one, two] = [6000, 6001].map(|port| network.bind(any(port)).unwrap());
            let mapped = binding(&two, (STUN[0], PORT), 0).await.unwrap();
            assert_eq!(mapped, SocketAddr::new(OUTSIDE, 6001));
            one.send(mapped, Bytes::from_static(b"hello")).unwrap();
            let arrival = timeout(PATIENCE, two.receive()).await.ok()?;
            Some(arrival.source)
        });
        assert_eq!(seen, expected);
    }
}
