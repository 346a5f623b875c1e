//! The same tests for every engine.

use super::*;
use p2claw_identity::IdentityKey;
use std::sync::Arc;

fn peer(seed: u8) -> PeerId {
    IdentityKey::from_seed([seed; 32]).peer_id()
}

fn alias(standing: Standing) -> Alias {
    match standing {
        Standing::Alias(alias) => alias,
        Standing::Revoked => panic!("revoked"),
    }
}

async fn both(test: impl AsyncFn(Arc<dyn Registry>)) {
    test(Arc::new(MemoryRegistry::new())).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coord.redb");
    test(Arc::new(EmbeddedRegistry::open(path).await.unwrap())).await;
}

/// NAM-008, NAM-009: the first candidate, and the same one for ever.
#[tokio::test]
async fn nam_009_a_key_keeps_its_first_candidate() {
    both(async |registry| {
        let candidate = Alias::candidate(&peer(1), 0);
        assert!(!registry.is_given(&candidate).await.unwrap());
        for _ in 0..3 {
            assert_eq!(
                registry.register(peer(1)).await.unwrap(),
                Standing::Alias(candidate.clone())
            );
        }
        assert!(registry.is_given(&candidate).await.unwrap());
        let other = alias(registry.register(peer(2)).await.unwrap());
        assert_ne!(other, candidate);
    })
    .await;
}

/// NAM-008: a revoked alias is gone for its key and for everyone else.
#[tokio::test]
async fn nam_008_revoked_for_ever() {
    both(async |registry| {
        let given = alias(registry.register(peer(1)).await.unwrap());
        registry.revoke(peer(1)).await.unwrap();
        assert!(!registry.is_given(&given).await.unwrap());
        assert_eq!(registry.register(peer(1)).await.unwrap(), Standing::Revoked);
        registry.revoke(peer(1)).await.unwrap();
        // A key that never registered can be revoked as well.
        registry.revoke(peer(2)).await.unwrap();
        assert_eq!(registry.register(peer(2)).await.unwrap(), Standing::Revoked);
    })
    .await;
}

/// NAM-009: many at once get one answer each.
#[tokio::test]
async fn nam_009_assignment_is_atomic() {
    both(async |registry| {
        let mut tasks = tokio::task::JoinSet::new();
        for round in 0..64_u8 {
            let registry = Arc::clone(&registry);
            tasks.spawn(async move { registry.register(peer(round % 4)).await.unwrap() });
        }
        let mut found: Vec<_> = tasks.join_all().await.into_iter().map(alias).collect();
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 4);
    })
    .await;
}

/// NAM-009: where the first candidate is taken, the next one is.
#[tokio::test]
async fn nam_009_taken_candidates_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coord.redb");
    drop(EmbeddedRegistry::open(path.clone()).await.unwrap());
    {
        let database = redb::Database::create(&path).unwrap();
        let writing = database.begin_write().unwrap();
        let keys: redb::TableDefinition<'_, &str, &[u8; 32]> =
            redb::TableDefinition::new("keys by alias");
        for counter in 0..2 {
            let taken = Alias::candidate(&peer(1), counter);
            let mut table = writing.open_table(keys).unwrap();
            table.insert(taken.as_str(), peer(9).as_bytes()).unwrap();
        }
        writing.commit().unwrap();
    }
    let registry = EmbeddedRegistry::open(path).await.unwrap();
    assert_eq!(
        registry.register(peer(1)).await.unwrap(),
        Standing::Alias(Alias::candidate(&peer(1), 2))
    );
}

/// NAM-008: a restart changes nothing.
#[tokio::test]
async fn nam_008_a_restart_keeps_aliases() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coord.redb");
    let registry = EmbeddedRegistry::open(path.clone()).await.unwrap();
    let before = registry.register(peer(1)).await.unwrap();
    assert!(
        matches!(
            EmbeddedRegistry::open(path.clone()).await,
            Err(RegistryError::InUse(_))
        ),
        "one process at a time"
    );
    drop(registry);
    let registry = EmbeddedRegistry::open(path).await.unwrap();
    assert_eq!(registry.register(peer(1)).await.unwrap(), before);
}

/// A file that is no registry is reported by name and left as it is.
#[tokio::test]
async fn a_damaged_file_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coord.redb");
    let content = b"somebody's letters".repeat(1000);
    std::fs::write(&path, &content).unwrap();
    let error = EmbeddedRegistry::open(path.clone()).await.unwrap_err();
    assert!(error.to_string().contains("coord.redb"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), content);
    let missing = folder.path().join("missing/coord.redb");
    assert!(EmbeddedRegistry::open(missing).await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coord.redb");
    let _registry = EmbeddedRegistry::open(path.clone()).await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
