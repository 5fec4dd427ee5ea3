//! Failed ceremonies that carried the device's own signature: counted, written down, and at the fifth in a row the
//! device is locked and the holder told (design section 8). Others only cost the sender its rate.

use super::{Context, Error, commit, notify};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::channel::Purpose;
use crate::domain::device::{Device, MAX_FAILURES};
use crate::domain::time::Timestamp;
use crate::ports::outward::CeremonyError;
use crate::ports::{Change, CommitError, Effect};

/// What was tried.
pub struct Tried<'a> {
    /// The kind of the audit entry while the device isn't locked.
    pub kind: &'static str,
    /// What it was about.
    pub about: &'a (dyn std::fmt::Display + Sync),
}

/// Counts a failure, and locks the device at the fifth in a row.
///
/// # Errors
/// Those of the store; [`Error::Conflict`] when others were faster again and again.
pub async fn count(
    cx: &Context,
    device: &Device,
    tried: Tried<'_>,
    error: &CeremonyError,
    now: Timestamp,
) -> Result<(), Error> {
    // Our own fault is nobody's failed attempt.
    let Some(name) = error.name() else { return Ok(()) };
    // Failures at the same time are counted one after the other, so that nobody gains tries by sending many at once.
    let mut failures = device.failures;
    for _ in 0..commit::ATTEMPTS {
        let lock_at = (failures + 1 >= MAX_FAILURES).then_some(now);
        let kind = if lock_at.is_some() { "device.locked" } else { tried.kind };
        let facts = Facts::from([("why", name.to_owned()), ("failures", (failures + 1).to_string())]);
        let entry = cx.entry(kind, Actor::Device(device.body.id), &[tried.about, &device.body.id], facts, now)?;
        let mut change = Change::new(entry, Effect::CountFailure { device: device.body.id, failures, lock_at });
        if lock_at.is_some() {
            let channels = cx.store.channels_one_by_one(device.body.holder).await?;
            let channels = commit::believed(cx, channels).await;
            change.notices = notify::device(cx, &device.body, Purpose::DeviceLocked, &channels, now);
        }
        match cx.store.commit(change).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        match cx.store.device_by_cookie(&device.body.cookie_hash).await? {
            Some(known) if known.is_live() => failures = known.failures,
            Some(_) | None => return Ok(()),
        }
    }
    Err(Error::Conflict)
}
