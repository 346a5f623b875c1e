//! Any text as an app name, an alias, a host label or a peer id.

use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey, PeerId};

use crate::grammar;

/// Exactly what the grammar allows is read, and it is written as it was read.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    assert_eq!(
        AppName::parse(&text).is_ok(),
        grammar::is_app(&text),
        "app {text:?}"
    );
    assert_eq!(
        Alias::parse(&text).is_ok(),
        grammar::is_alias(&text),
        "alias {text:?}"
    );
    let label = HostLabel::parse(&text);
    let parts = grammar::label(&text);
    assert_eq!(label.is_ok(), parts.is_some(), "label {text:?}");

    for read in [
        AppName::parse(&text).map(|app| app.to_string()),
        Alias::parse(&text).map(|alias| alias.to_string()),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(read, text);
    }
    if let (Ok(label), Some((app, alias))) = (label, parts) {
        assert_eq!((label.app().as_str(), label.alias().as_str()), (app, alias));
        assert_eq!(label.to_string(), text);
        let joined = HostLabel::new(label.app().clone(), label.alias().clone());
        assert_eq!(joined, label);
    }
    peer_id(&text);
    if let Some((key, counter)) = data.split_first_chunk::<32>() {
        let mut number = [0; 4];
        number
            .iter_mut()
            .zip(counter)
            .for_each(|(to, from)| *to = *from);
        of_key(*key, u32::from_be_bytes(number));
    }
}

/// What is read as a peer id is what the key alone would be.
fn peer_id(text: &str) {
    let read = text.parse::<PeerId>();
    let Some(bytes) = grammar::peer_id(text) else {
        assert!(read.is_err(), "peer id {text:?}");
        return;
    };
    assert_eq!(read, PeerId::from_bytes(&bytes));
    if let Ok(peer) = read {
        assert_eq!(peer.to_string(), text);
    }
}

/// The same bytes as a public key, and as the seed of one.
fn of_key(bytes: [u8; 32], counter: u32) {
    let own = IdentityKey::from_seed(bytes).peer_id();
    assert_eq!(PeerId::from_bytes(own.as_bytes()), Ok(own));
    for peer in PeerId::from_bytes(&bytes).into_iter().chain([own]) {
        assert_eq!(grammar::peer_id(&peer.to_string()), Some(*peer.as_bytes()));
        assert_eq!(peer.to_string().parse(), Ok(peer));
        let alias = Alias::candidate(&peer, counter);
        assert!(grammar::is_haiku(alias.as_str()));
        assert_eq!(Alias::parse(alias.as_str()), Ok(alias));
    }
}
