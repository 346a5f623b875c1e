//! Visits that do not come about, and what is said then.

use p2claw_identity::{IdentityKey, PeerId};
use p2claw_signaling::SignalCode;
use p2claw_visitor::{Address, FailureKind, Pins, Visitor, VisitorConfig, VisitorError};

use crate::{
    within,
    world::{Stack, World},
};

fn other_key() -> PeerId {
    IdentityKey::from_seed([8; 32]).peer_id()
}

async fn refusal(world: &World, address: &Address, pins: Pins) -> VisitorError {
    let visitor = world.visitor_with(pins);
    within(visitor.visit(address)).await.unwrap_err()
}

/// SIG-019, SIG-027: each code is told in words that say what to do.
#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let mut world = World::on(Stack::Memory).await;
    let alias = world.alias.clone();
    let no_app = world.address_of("other", &alias, "/");
    let no_alias = world.address_of("recipes", "quiet-otter-0417", "/");
    let there = world.address("/");
    for (address, code, kind, word) in [
        (
            &no_app,
            SignalCode::NoSuchApp,
            FailureKind::NotThere,
            "no app of this name",
        ),
        (
            &no_alias,
            SignalCode::NoSuchAlias,
            FailureKind::NotThere,
            "registered under this name",
        ),
    ] {
        let error = refusal(&world, address, Pins::in_memory()).await;
        assert!(
            matches!(&error, VisitorError::Refused { code: found, .. } if *found == code),
            "{error}"
        );
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(word), "{error}");
    }
    world.stop_agent().await;
    let error = refusal(&world, &there, Pins::in_memory()).await;
    assert!(
        matches!(&error, VisitorError::Refused { code, .. } if *code == SignalCode::AgentOffline),
        "{error}"
    );
    assert_eq!(error.kind(), FailureKind::Unreachable);
    assert!(error.to_string().contains("offline"), "{error}");
}

/// IDN-017, IDN-018, IDN-019: a key of the link that differs is refused, and nothing is kept.
#[tokio::test]
async fn idn_019_another_key_than_the_links_is_refused() {
    let world = World::on(Stack::Memory).await;
    let address: Address = format!("{}#p={}", world.address("/"), other_key())
        .parse()
        .unwrap();
    let visitor = world.visitor();
    let error = within(visitor.visit(&address)).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Untrusted);
    let VisitorError::ChangedKey(keys) = &error else {
        panic!("{error}");
    };
    assert_eq!(keys.presented, world.peer_id);
    assert_eq!((keys.link, keys.stored), (Some(other_key()), None));
    assert!(
        error.to_string().contains("gave you the address"),
        "{error}"
    );
    assert_eq!(visitor.pins().known(&address.origin()).unwrap(), None);
}

/// IDN-018, IDN-020: a key that differs from that of earlier visits is refused; the message says
/// where the old one is and how to give it up.
#[tokio::test]
async fn idn_020_another_key_than_before_is_refused() {
    let world = World::on(Stack::Memory).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins.json");
    let address = world.address("/");
    let pins = || Pins::in_file(path.clone());
    pins().keep(&address.origin(), other_key()).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = refusal(&world, &address, pins()).await;
    let VisitorError::ChangedKey(keys) = &error else {
        panic!("{error}");
    };
    assert_eq!(keys.stored, Some(other_key()));
    let said = error.to_string();
    for word in [
        "pins.json",
        "p2claw pins --forget",
        &other_key().to_string(),
        &world.peer_id.to_string(),
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // A link does not overrule it: both keys have to hold (IDN-017, check 2).
    let linked = format!("{address}#p={}", world.peer_id).parse().unwrap();
    let error = refusal(&world, &linked, pins()).await;
    assert!(matches!(error, VisitorError::ChangedKey(_)), "{error}");
    assert!(pins().forget(&address.origin()).unwrap());
    assert!(
        within(world.visitor_with(pins()).visit(&address))
            .await
            .is_ok()
    );
}

/// A file of keys that cannot be read stops the visit before anybody is asked.
#[tokio::test]
async fn a_damaged_file_of_keys_stops_the_visit() {
    let world = World::on(Stack::Memory).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins.json");
    std::fs::write(&path, "{").unwrap();
    let error = refusal(&world, &world.address("/"), Pins::in_file(path.clone())).await;
    assert_eq!(error.kind(), FailureKind::Own);
    assert!(error.to_string().contains("pins.json"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{");
}

/// IDN-024: without TLS nobody is believed for being the first, but on this machine.
#[tokio::test]
async fn idn_024_no_key_is_learned_without_tls() {
    let world = World::on(Stack::Memory).await;
    let (port, alias) = (world.edge.port(), &world.alias);
    let text = format!("http://recipes-{alias}.example:{port}/");
    let address: Address = text.parse().unwrap();
    let error = refusal(&world, &address, Pins::in_memory()).await;
    assert_eq!(error.kind(), FailureKind::Own);
    assert!(error.to_string().contains("#p=<peer id>"), "{error}");
    // With a key it is asked for; there is no such name.
    let pinned: Address = format!("{text}#p={}", world.peer_id).parse().unwrap();
    let visitor = Visitor::new(VisitorConfig {
        network: crate::services::nowhere(),
        ..VisitorConfig::new(world.transport())
    });
    let error = within(visitor.visit(&pinned)).await.unwrap_err();
    assert!(matches!(error, VisitorError::Service { .. }), "{error}");
}
