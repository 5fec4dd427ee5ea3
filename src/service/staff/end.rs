//! Ending somebody: one admin's click, or the identity provider's word. It works at once, because it only takes power
//! away: sessions and invites end in the same commit, and a signature counts only while its person stands.

use super::SignedIn;
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::ids::{DirectoryKeyId, StaffId};
use crate::domain::staff::{EndReason, Role, Staff};
use crate::ports::staff::{Acting, StaffEffect};
use crate::ports::store::CommitError;
use crate::ports::{Change, Effect};
use crate::service::{Context, Error, commit};

/// An admin ends somebody.
///
/// # Errors
/// [`Error::NotInRole`], [`Error::NotFound`]. Ending somebody who was ended is done already.
pub async fn by_admin(cx: &Context, by: &SignedIn, id: StaffId) -> Result<Staff, Error> {
    let acting = by.acting(Role::Admin)?;
    end(cx, id, EndReason::Admin, by.actor(), &by.facts([]), Some(acting)).await
}

/// The identity provider ends somebody.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn by_directory(cx: &Context, key: DirectoryKeyId, id: StaffId, why: EndReason) -> Result<Staff, Error> {
    let facts = Facts::from([("key", key.to_string())]);
    end(cx, id, why, Actor::Directory, &facts, None).await
}

async fn end(
    cx: &Context,
    id: StaffId,
    why: EndReason,
    by: Actor,
    facts: &Facts,
    acting: Option<Acting>,
) -> Result<Staff, Error> {
    for _ in 0..commit::ATTEMPTS {
        let person = cx.staff.person(id).await?.ok_or(Error::NotFound)?;
        let now = cx.now();
        let Some(next) = person.ended(by, why, now) else { return Ok(person) };
        let mut facts = facts.clone();
        facts.insert("why", why.as_str().to_owned());
        facts.insert("ended_employer", person.profile.employer.to_string());
        facts.insert("ended_group", person.profile.group.to_string());
        facts.insert("staff_version", next.version.to_string());
        let entry = cx.entry("staff.ended", by, &[&id], facts, now)?;
        let effect = StaffEffect::End { staff: Box::new(next.clone()), from: person.version, by: acting };
        match cx.store.commit(Change::new(entry, Effect::Staff(Box::new(effect)))).await {
            Ok(()) => return Ok(next),
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}
