//! Two ends behind one box.

use p2claw_simulation::{
    internet::{Interface, RealmId},
    nat::{Behaviour, NatConfig},
    pairs,
    theory::Outcome,
    world::World,
};

/// An agent and a visitor in one network behind one box.
fn outcome(config: NatConfig, isolated: bool) -> Outcome {
    let mut world = World::new(1);
    let place = |realm, last| Interface {
        realm,
        address: [192, 168, 7, last].into(),
    };
    let mut internet = world.simulation.internet().lock();
    let realm = internet.add_nat(RealmId::PUBLIC, [198, 51, 100, 77].into(), config);
    if isolated {
        internet.isolate(realm);
    }
    drop(internet);
    let agent = world.agent_at("agent", place(realm, 10));
    world.registered(&[&agent]).unwrap();
    let visitor = pairs::visitor(&mut world, "visitor", place(realm, 11), &agent);
    let seen = pairs::judge(&mut world, &agent, &[visitor]).unwrap();
    seen[0].as_ref().unwrap().outcome
}

/// An agent and a visitor at homes of their own, behind one box of their carrier's.
fn outcome_under_a_carrier(carrier: NatConfig) -> Outcome {
    let mut world = World::new(1);
    let mut internet = world.simulation.internet().lock();
    let street = internet.add_nat(RealmId::PUBLIC, [198, 51, 100, 77].into(), carrier);
    let home = NatConfig::new(
        Behaviour::EndpointIndependent,
        Behaviour::AddressAndPortDependent,
    );
    let [near, far] = [1, 2].map(|number| {
        let realm = internet.add_nat(street, [100, 64, 0, number].into(), home);
        Interface {
            realm,
            // The same at both: checks of host addresses lead back to their senders.
            address: [192, 168, number, 10].into(),
        }
    });
    drop(internet);
    let agent = world.agent_at("agent", near);
    world.registered(&[&agent]).unwrap();
    let visitor = pairs::visitor(&mut world, "visitor", far, &agent);
    let seen = pairs::judge(&mut world, &agent, &[visitor]).unwrap();
    seen[0].as_ref().unwrap().outcome
}

fn usual(hairpins: bool) -> NatConfig {
    NatConfig {
        hairpins,
        ..NatConfig::new(
            Behaviour::EndpointIndependent,
            Behaviour::AddressAndPortDependent,
        )
    }
}

#[test]
fn one_network_needs_no_box() {
    assert_eq!(outcome(usual(false), false), Outcome::Direct);
}

/// A guest network keeps its hosts apart: what is left is the box's outside address.
#[test]
fn hosts_kept_apart_need_a_box_that_hairpins() {
    assert_eq!(outcome(usual(true), true), Outcome::Direct);
    assert_eq!(outcome(usual(false), true), Outcome::Relayed);
}

#[test]
fn neighbours_need_a_carrier_that_hairpins() {
    assert_eq!(outcome_under_a_carrier(usual(true)), Outcome::Direct);
    assert_eq!(outcome_under_a_carrier(usual(false)), Outcome::Relayed);
}
