use super::*;
use crate::IdentityKey;
use proptest::prelude::*;

/// NAM-001: length and characters.
#[test]
fn nam_001_app_name_grammar() {
    let longest = "a".repeat(32);
    for good in ["a", "0", "ab", "a-b", "a--b", "abc--d", "recipes", &longest] {
        assert_eq!(AppName::parse(good).unwrap().as_str(), good);
    }
    assert_eq!(AppName::parse(""), Err(NameError::Empty));
    assert_eq!(
        AppName::parse(&"a".repeat(33)),
        Err(NameError::TooLong {
            length: 33,
            max: 32
        })
    );
    assert_eq!(AppName::parse("-a"), Err(NameError::OuterHyphen));
    assert_eq!(AppName::parse("a-"), Err(NameError::OuterHyphen));
    assert_eq!(AppName::parse("-"), Err(NameError::OuterHyphen));
    for (bad, found, position) in [
        ("Recipes", 'R', 1),
        ("a_b", '_', 2),
        ("a.b", '.', 2),
        ("a b", ' ', 2),
        ("caf\u{e9}", '\u{e9}', 4),
        ("a\0", '\0', 2),
    ] {
        assert_eq!(
            AppName::parse(bad),
            Err(NameError::Character { found, position })
        );
    }
}

/// NAM-002: nothing that looks like an internationalized label.
#[test]
fn nam_002_no_double_hyphen_at_three_and_four() {
    for bad in ["xn--abc", "ab--c", "ab---c"] {
        assert_eq!(AppName::parse(bad), Err(NameError::DoubleHyphen), "{bad}");
    }
}

/// NAM-003, NAM-014: reserved names are refused as app names, and only as whole names.
#[test]
fn nam_003_reserved_names() {
    assert_eq!(
        AppName::parse("www"),
        Err(NameError::Reserved("www".into()))
    );
    assert!(HostLabel::parse("www-quiet-otter-0417").is_err());
    assert!(AppName::parse("www2").is_ok());
    assert!(
        Alias::parse("www").is_ok(),
        "coord decides on vanity aliases"
    );
}

/// NAM-005, NAM-006, NAM-007: the two forms of an alias, judged by form alone.
#[test]
fn nam_005_nam_006_alias_forms() {
    let longest_haiku = format!("{}-{}-0000", "a".repeat(10), "b".repeat(10));
    let longest_vanity = "v".repeat(30);
    for good in [
        "quiet-otter-0417",
        "abc-def-9999",
        &longest_haiku,
        "bob",
        "b0b",
        "12a",
        &longest_vanity,
    ] {
        assert_eq!(Alias::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "1234",
        "quiet-otter",
        "quiet-otter-041",
        "quiet-otter-04170",
        "qu1et-otter-0417",
        "quiet-ot-0417",
        "quietquietq-otter-0417",
        "a-quiet-otter-0417",
        "-quiet-otter-0417",
        "quiet--otter-0417",
        "bob-",
        "-bob",
    ] {
        assert_eq!(Alias::parse(bad), Err(NameError::AliasForm), "{bad}");
    }
    assert_eq!(
        Alias::parse("ab"),
        Err(NameError::TooShort { length: 2, min: 3 })
    );
    assert!(matches!(
        Alias::parse(&"v".repeat(31)),
        Err(NameError::TooLong {
            length: 31,
            max: 30
        })
    ));
    assert!(matches!(
        Alias::parse("Quiet-otter-0417"),
        Err(NameError::Character { .. })
    ));
}

/// NAM-013: labels are read from the right.
#[test]
fn nam_013_labels_are_read_from_the_right() {
    for (label, app, alias) in [
        (
            "recipes-honeyed-marble-4155",
            "recipes",
            "honeyed-marble-4155",
        ),
        ("my-app-quiet-otter-0417", "my-app", "quiet-otter-0417"),
        ("a-1234-quiet-otter-0417", "a-1234", "quiet-otter-0417"),
        ("a-bob", "a", "bob"),
        ("quiet-otter-bob", "quiet-otter", "bob"),
        ("a-b-c-b0b", "a-b-c", "b0b"),
        // Three groups are too few for a haiku alias and an app, and four digits are no vanity.
        ("a-b-12345x", "a-b", "12345x"),
        ("xn-quiet-otter-0417", "xn", "quiet-otter-0417"),
    ] {
        let parsed = HostLabel::parse(label).unwrap();
        assert_eq!(
            (parsed.app().as_str(), parsed.alias().as_str()),
            (app, alias)
        );
        assert_eq!(parsed.to_string(), label);
    }
    for bad in [
        "",
        "recipes",
        "quiet-otter-0417",
        "-quiet-otter-0417",
        "--quiet-otter-0417",
        "recipes--quiet-otter-0417",
        "a-b-c-1234",
        "a-1234",
        "a-bo",
        "-bob",
        "recipes-",
        "www-bob",
        "xn--a-bob",
        "Recipes-bob",
    ] {
        assert!(HostLabel::parse(bad).is_err(), "{bad}");
    }
    let longest = format!("{}-{}", "a".repeat(32), "b".repeat(30));
    assert_eq!(longest.len(), 63);
    assert!(HostLabel::parse(&longest).is_ok());
    assert!(matches!(
        HostLabel::parse(&format!("a{longest}")),
        Err(NameError::TooLong {
            length: 64,
            max: 63
        })
    ));
}

/// NAM-009: candidates are a function of key and counter alone. Recomputed independently with
/// Python's hashlib.
#[test]
fn nam_009_alias_candidates_are_recomputable() {
    let peer = IdentityKey::from_seed([7; 32]).peer_id();
    let found: Vec<String> = (0..3)
        .map(|i| Alias::candidate(&peer, i).to_string())
        .collect();
    assert_eq!(
        found,
        [
            "blithe-glider-2034",
            "winged-zither-1833",
            "winged-candle-1179"
        ]
    );
}

fn app_name() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
}

fn alias() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{3,10}-[a-z]{3,10}-[0-9]{4}", "[a-z0-9]{3,30}"]
}

proptest! {
    /// NAM-013: whatever app and alias are joined, the label comes apart into the same two.
    #[test]
    fn nam_013_join_and_split_agree(app in app_name(), alias in alias()) {
        let (Ok(app), Ok(alias)) = (AppName::parse(&app), Alias::parse(&alias)) else {
            return Ok(());
        };
        let label = HostLabel::new(app, alias);
        let text = label.to_string();
        prop_assert!(text.len() <= 63);
        prop_assert_eq!(HostLabel::parse(&text), Ok(label));
    }

    /// Any text is either refused or comes back unchanged.
    #[test]
    fn nam_013_parsing_never_changes_text(text in "[a-z0-9-]{0,70}|\\PC{0,20}") {
        if let Ok(label) = HostLabel::parse(&text) {
            prop_assert_eq!(label.to_string(), text.clone());
        }
        if let Ok(alias) = Alias::parse(&text) {
            prop_assert_eq!(alias.as_str(), text.as_str());
        }
        if let Ok(app) = AppName::parse(&text) {
            prop_assert_eq!(app.as_str(), text.as_str());
        }
    }

    /// NAM-009: every candidate is an alias.
    #[test]
    fn nam_009_every_candidate_is_an_alias(seed: [u8; 32], counter: u32) {
        let candidate = Alias::candidate(&IdentityKey::from_seed(seed).peer_id(), counter);
        prop_assert_eq!(Alias::parse(candidate.as_str()), Ok(candidate));
    }
}
