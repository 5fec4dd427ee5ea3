//! Backends and their keys.

use std::sync::Arc;

use countersign::domain::KeyId;
use countersign::domain::backend::ApiKey;
use countersign::domain::details::Digest;
use countersign::ports::store::Unique;
use countersign::ports::{Effect, Store};

use super::world::{MINUTE, Why, World};

pub async fn a_backend_reads_back_with_its_key(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    assert_eq!(world.store.backends().await.unwrap(), [world.backend.clone()]);
    assert_eq!(world.store.keys(world.backend.id).await.unwrap(), [world.key.clone()]);
    assert_eq!(world.store.key(world.key.id).await.unwrap(), Some(world.key.clone()));
    assert_eq!(world.store.key_by_hash(&world.key.hash).await.unwrap(), Some(world.key.clone()));
    assert_eq!(world.store.key_by_hash(&Digest::of(b"another secret")).await.unwrap(), None);
    assert_eq!(world.store.key(world.id(KeyId::new)).await.unwrap(), None);
    let quay = world.another_backend().await;
    let mut backends = world.store.backends().await.unwrap();
    backends.sort_by_key(|backend| backend.id);
    assert_eq!(backends, [world.backend.clone(), quay.clone()]);
    let theirs = world.store.keys(quay.id).await.unwrap();
    assert_eq!(theirs.len(), 1);
    assert_eq!(theirs[0].backend, quay.id);
}

pub async fn a_backend_has_several_keys(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let second = world.another_key(world.backend.id);
    world.apply(Effect::AddKey(second.clone())).await;
    let mut keys = world.store.keys(world.backend.id).await.unwrap();
    keys.sort_by_key(|key| key.id);
    assert_eq!(keys, [world.key.clone(), second.clone()]);
    assert_eq!(world.store.key_by_hash(&second.hash).await.unwrap(), Some(second));
}

pub async fn a_key_is_revoked_once(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let second = world.another_key(world.backend.id);
    world.apply(Effect::AddKey(second.clone())).await;
    world.apply(Effect::RevokeKey { key: world.key.id, at: world.now }).await;
    let revoked = ApiKey { revoked_at: Some(world.now), ..world.key.clone() };
    assert_eq!(world.store.key(world.key.id).await.unwrap(), Some(revoked));
    // Whether a revoked key is found by its hash is the store's business, as long as it doesn't come back unrevoked.
    let by_hash = world.store.key_by_hash(&world.key.hash).await.unwrap();
    assert!(by_hash.is_none_or(|key| key.revoked_at.is_some()));
    let again = Effect::RevokeKey { key: world.key.id, at: world.now + MINUTE };
    world.refuses(again, approval.id, Why::Conflict).await;
    let unknown = Effect::RevokeKey { key: world.id(KeyId::new), at: world.now };
    world.refuses(unknown, approval.id, Why::Conflict).await;
    assert_eq!(world.store.key(second.id).await.unwrap(), Some(second));
}

pub async fn a_secret_belongs_to_one_key(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let copy = ApiKey { hash: world.key.hash, ..world.another_key(world.backend.id) };
    world.refuses(Effect::AddKey(copy), approval.id, Why::Duplicate(Unique::Other)).await;
}
