//! NAT boxes that forget soon, or all at once.

use std::time::Duration;

use p2claw_simulation::{
    nat::{Behaviour, NatConfig},
    side::Side,
    simulation::Failure,
    visitor::{Guest, fetch},
};
use std::{cell::RefCell, rc::Rc};
use tokio::time::sleep;

use crate::scene::{downloader, wait, world_with_agent};

/// A box that follows RFC 4787 in all but its timeout, and gives each mapping another port.
fn forgetful(seconds: u64) -> Side {
    Side::Nat(NatConfig {
        timeout: Duration::from_secs(seconds),
        keeps_port: false,
        ..NatConfig::new(
            Behaviour::EndpointIndependent,
            Behaviour::AddressAndPortDependent,
        )
    })
}

/// RFC 7675: checks for consent keep the mappings of a session that has nothing to say; its path
/// stays the same for two minutes between boxes that forget within 15 s.
#[test]
fn an_idle_session_keeps_its_mappings() {
    let side = forgetful(15);
    let (mut world, agent) = world_with_agent(1, &side);
    let paths = Rc::new(RefCell::new(Vec::new()));
    let (noted, known) = (Rc::clone(&paths), agent.clone());
    world.visitor("visitor", &side, move |network| {
        let (noted, agent) = (Rc::clone(&noted), known.clone());
        async move {
            let visit = Guest::new(&network, &agent)?.visit().await?;
            fetch(&visit, "/bytes/1000", |_| ()).await?;
            noted.borrow_mut().push(visit.path());
            sleep(Duration::from_secs(120)).await;
            fetch(&visit, "/bytes/1000", |_| ()).await?;
            noted.borrow_mut().push(visit.path());
            Ok::<_, Failure>(())
        }
    });
    wait(&mut world, 150, "second fetch", || {
        paths.borrow().len() == 2
    });
    let paths = paths.borrow();
    assert_eq!(paths[0], paths[1]);
    assert!(!paths[0].unwrap().is_relayed());
}

/// A box that restarts in the middle of a download: its host has another port from then on.
#[test]
fn a_session_outlives_the_restart_of_a_box() {
    for whose in ["agent", "visitor"] {
        let side = forgetful(300);
        let (mut world, agent) = world_with_agent(1, &side);
        let visitor = downloader(&mut world, &side, &agent, "/slow/400000");
        let diary = &visitor.diary;
        wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
        let mut internet = world.simulation.internet().lock();
        let host = if whose == "agent" {
            agent.host
        } else {
            visitor.host
        };
        let realm = internet.interfaces(host)[0].realm;
        internet.restart_nat(realm);
        drop(internet);
        wait(&mut world, 60, whose, || diary.is_whole());
        diary.only();
    }
}
