//! Names, aliases, hosts and peer ids.

use p2claw_conformance::vectors::{ALIASES, Hex, NAMES, PEER_IDS};
use p2claw_identity::{Alias, AppName, HostLabel, PeerId};
use p2claw_signaling::address::{HostName, read_host};
use serde::Deserialize;

use crate::check;

#[test]
fn app_names() {
    check(NAMES, "app-name", |case| {
        AppName::parse(&case.input::<String>().unwrap()).is_ok()
    });
}

#[test]
fn aliases() {
    check(NAMES, "alias", |case| {
        Alias::parse(&case.input::<String>().unwrap()).is_ok()
    });
}

#[test]
fn host_labels() {
    check(NAMES, "host-label", |case| {
        let input: String = case.input().unwrap();
        let Ok(label) = HostLabel::parse(&input) else {
            return false;
        };
        if case.has("app") {
            assert_eq!(label.app().as_str(), case.get::<String>("app").unwrap());
            assert_eq!(label.alias().as_str(), case.get::<String>("alias").unwrap());
        }
        true
    });
}

#[test]
fn hosts() {
    check(NAMES, "host", |case| {
        let host: String = case.input().unwrap();
        let parent: String = case.get("parent").unwrap();
        match read_host(&host, &parent) {
            HostName::App(label) => {
                if case.has("label") {
                    assert_eq!(label.to_string(), case.get::<String>("label").unwrap());
                }
                true
            }
            HostName::Parent | HostName::BadLabel(_) | HostName::Elsewhere => false,
        }
    });
}

#[test]
fn aliases_of_keys() {
    #[derive(Deserialize)]
    struct Input {
        public_key: Hex,
        counter: u32,
    }
    check(ALIASES, "alias-of-key", |case| {
        let Input {
            public_key,
            counter,
        } = case.input().unwrap();
        let peer = PeerId::from_bytes(&public_key.0).unwrap();
        let alias = Alias::candidate(&peer, counter);
        assert_eq!(alias.as_str(), case.get::<String>("alias").unwrap());
        true
    });
}

#[test]
fn peer_ids() {
    check(PEER_IDS, "peer-id", |case| {
        let input: String = case.input().unwrap();
        let Ok(peer) = input.parse::<PeerId>() else {
            return false;
        };
        assert_eq!(peer.to_string(), input);
        if case.has("public_key") {
            let key: Hex = case.get("public_key").unwrap();
            assert_eq!(peer.as_bytes()[..], key.0, "{}", case.id);
        }
        true
    });
}
