//! Backends and their keys: added and revoked on the host, known by their hash on every request.

use super::{Context, Error};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::backend::{ApiKey, ApiSecret, Backend, Caller, Scopes};
use crate::domain::ids::{BackendId, KeyId};
use crate::domain::text::Line;
use crate::ports::{Change, CommitError, Effect};

/// A new key; its secret is shown once.
#[derive(Debug)]
pub struct NewKey {
    pub backend: BackendId,
    pub key: KeyId,
    pub secret: ApiSecret,
}

/// Who calls with this `Authorization: Bearer` secret.
///
/// # Errors
/// [`Error::Unauthenticated`] for anything but a key that stands.
pub async fn authenticate(cx: &Context, secret: &str) -> Result<Caller, Error> {
    let hash = ApiSecret::hash_of(secret).ok_or(Error::Unauthenticated)?;
    let key = cx.store.key_by_hash(&hash).await?.ok_or(Error::Unauthenticated)?;
    if key.revoked_at.is_some() {
        return Err(Error::Unauthenticated);
    }
    Ok(Caller { backend: key.backend, key: key.id, scopes: key.scopes })
}

/// Adds a backend with its first key.
///
/// # Errors
/// [`Error::Store`].
pub async fn add(cx: &Context, name: Line<60>, scopes: Scopes) -> Result<NewKey, Error> {
    let now = cx.now();
    let backend = Backend { id: cx.id(BackendId::new, now), name, created_at: now };
    let (key, new) = make(cx, backend.id, scopes);
    let facts = Facts::from([("scopes", format!("{scopes:?}"))]);
    let entry = cx.entry("backend.added", Actor::Operator, &[&backend.id, &key.id], facts, now)?;
    cx.store.commit(Change::new(entry, Effect::AddBackend { backend, key })).await?;
    Ok(new)
}

/// Adds a key to a backend.
///
/// # Errors
/// [`Error::NotFound`] without such a backend.
pub async fn add_key(cx: &Context, backend: BackendId, scopes: Scopes) -> Result<NewKey, Error> {
    if !cx.store.backends().await?.iter().any(|known| known.id == backend) {
        return Err(Error::NotFound);
    }
    let now = cx.now();
    let (key, new) = make(cx, backend, scopes);
    let facts = Facts::from([("scopes", format!("{scopes:?}"))]);
    let entry = cx.entry("key.added", Actor::Operator, &[&backend, &key.id], facts, now)?;
    cx.store.commit(Change::new(entry, Effect::AddKey(key))).await?;
    Ok(new)
}

/// Revokes a key, at once.
///
/// # Errors
/// [`Error::NotFound`] when there is none that stands.
pub async fn revoke_key(cx: &Context, key: KeyId) -> Result<(), Error> {
    let now = cx.now();
    let entry = cx.entry("key.revoked", Actor::Operator, &[&key], Facts::new(), now)?;
    match cx.store.commit(Change::new(entry, Effect::RevokeKey { key, at: now })).await {
        Ok(()) => Ok(()),
        Err(CommitError::Conflict) => Err(Error::NotFound),
        Err(error) => Err(error.into()),
    }
}

fn make(cx: &Context, backend: BackendId, scopes: Scopes) -> (ApiKey, NewKey) {
    let now = cx.now();
    let secret = ApiSecret::from_random(cx.random());
    let id = cx.id(KeyId::new, now);
    let key = ApiKey { id, backend, hash: secret.hash(), scopes, created_at: now, revoked_at: None };
    (key, NewKey { backend, key: id, secret })
}
