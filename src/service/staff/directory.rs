//! The identity provider's key. It is made on the host, and finds and ends people; nothing else is asked of it.

use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::ids::DirectoryKeyId;
use crate::domain::staff::directory::{DirectoryKey, DirectorySecret};
use crate::domain::staff::invite::HOST_WAIT;
use crate::domain::time::Timestamp;
use crate::ports::staff::StaffEffect;
use crate::ports::{Change, Effect};
use crate::service::{Context, Error};

/// Adds a key. Its secret is shown once. Once two admins have been it waits, see [`DirectoryKey::opens_at`].
///
/// # Errors
/// Those of the store.
pub async fn add(cx: &Context) -> Result<(DirectoryKeyId, DirectorySecret), Error> {
    let now = cx.now();
    let secret = DirectorySecret::from_random(cx.random());
    let key =
        DirectoryKey { id: cx.id(DirectoryKeyId::new, now), hash: secret.hash(), created_at: now, revoked_at: None };
    let id = key.id;
    let opens_at = opens_at(cx, &key).await?;
    let facts = Facts::from([("opens_at", opens_at.to_string())]);
    let entry = cx.entry("directory_key.added", Actor::Operator, &[&id], facts, now)?;
    cx.store.commit(Change::new(entry, Effect::Staff(Box::new(StaffEffect::AddDirectoryKey(key))))).await?;
    if opens_at > now {
        // Whoever watches the log of the service hears of it, too.
        tracing::warn!(key.id = %id, opens_at = %opens_at, "a key of the identity provider was made on the host");
    }
    Ok((id, secret))
}

/// Revokes a key, at once.
///
/// # Errors
/// [`Error::Conflict`] when it was revoked, or isn't there.
pub async fn revoke(cx: &Context, id: DirectoryKeyId) -> Result<(), Error> {
    let now = cx.now();
    let entry = cx.entry("directory_key.revoked", Actor::Operator, &[&id], Facts::new(), now)?;
    let effect = StaffEffect::RevokeDirectoryKey { key: id, at: now };
    Ok(cx.store.commit(Change::new(entry, Effect::Staff(Box::new(effect)))).await?)
}

/// From when on a key is taken.
///
/// # Errors
/// [`Error::Store`].
pub async fn opens_at(cx: &Context, key: &DirectoryKey) -> Result<Timestamp, Error> {
    Ok(key.opens_at(&cx.staff.everybody().await?))
}

/// The key that somebody sent.
///
/// # Errors
/// [`Error::Unauthenticated`], also as long as it waits.
pub async fn authenticate(cx: &Context, secret: &str) -> Result<DirectoryKeyId, Error> {
    let hash = DirectorySecret::hash_of(secret).ok_or(Error::Unauthenticated)?;
    let key = cx.staff.directory_key(&hash).await?.ok_or(Error::Unauthenticated)?;
    // An old one waits for nothing any more, whoever has been since.
    let waits = cx.now() < key.created_at + HOST_WAIT && cx.now() < opens_at(cx, &key).await?;
    if waits || key.revoked_at.is_some() { Err(Error::Unauthenticated) } else { Ok(key.id) }
}
