//! Who is signed in. The cookie is looked up on every request, with the person as they are now: an ended person, a role
//! that was taken, and an end date need nothing else to take effect.

use std::time::Duration;

use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::details::Digest;
use crate::domain::staff::session::Session;
use crate::domain::staff::{Role, Staff};
use crate::ports::staff::{Acting, StaffEffect};
use crate::ports::store::CommitError;
use crate::ports::timing::{Quota, Verdict};
use crate::ports::{Change, Effect};
use crate::service::{Context, Error, commit};

/// So often the use of a session of somebody who is gone is written down; a page that polls would fill the log.
const REFUSALS: Quota = Quota { name: "session-refused", burst: 2, per: Duration::from_secs(600) };

/// So often it is written down that somebody asked for what their roles don't open.
const LACKED: Quota = Quota { name: "role-lacked", burst: 10, per: Duration::from_secs(600) };

/// What a request says of its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// They did something: the session's end moves.
    Acts,
    /// Their page looked by itself. An open page alone must not keep a session alive.
    Watches,
}

/// A person of staff with the session that their request came in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub person: Staff,
    pub session: Session,
}

impl SignedIn {
    pub const fn actor(&self) -> Actor {
        Actor::Staff(self.person.id)
    }

    /// # Errors
    /// [`Error::NotInRole`].
    pub fn needs(&self, role: Role) -> Result<(), Error> {
        if self.person.profile.roles.has(role) { Ok(()) } else { Err(Error::NotInRole(role)) }
    }

    /// The person in a role, to be looked at again in the commit.
    ///
    /// # Errors
    /// [`Error::NotInRole`].
    pub fn acting(&self, role: Role) -> Result<Acting, Error> {
        self.needs(role)?;
        Ok(Acting { staff: self.person.id, role })
    }

    /// What every audit entry of theirs says, and more.
    pub fn facts(&self, more: impl IntoIterator<Item = (&'static str, String)>) -> Facts {
        let mut facts = self.person.facts();
        facts.extend(more);
        facts
    }
}

/// The person behind a cookie.
///
/// # Errors
/// [`Error::SignedOut`] for an unknown, ended or old session, and for one of a person who is gone.
pub async fn of(cx: &Context, cookie: &str, visit: Visit) -> Result<SignedIn, Error> {
    let (session, person) = cx.staff.session(&Digest::of(cookie.as_bytes())).await?.ok_or(Error::SignedOut)?;
    let now = cx.now();
    if let Err(gone) = person.check(now) {
        if cx.limits.take(REFUSALS, &session.id.to_string()).await == Verdict::Allowed {
            let actor = Actor::Staff(person.id);
            commit::refused(cx, "session.refused", actor, &[&person.id, &session.id], &gone.to_string(), now).await;
        }
        return Err(Error::SignedOut);
    }
    if !session.stands(now) {
        return Err(Error::SignedOut);
    }
    if visit == Visit::Acts && session.is_stale(now) {
        cx.staff.touch_session(session.id, now).await?;
    }
    Ok(SignedIn { person, session })
}

/// Writes down that somebody asked for what needs a role that they aren't in.
pub async fn lacked(cx: &Context, by: &SignedIn, role: Role) {
    if cx.limits.take(LACKED, &by.person.id.to_string()).await == Verdict::Allowed {
        let why = format!("not_in_role_{}", role.as_str());
        commit::refused(cx, "staff.refused", by.actor(), &[&by.person.id], &why, cx.now()).await;
    }
}

/// Signs out.
///
/// # Errors
/// Those of the store; a session that had ended is signed out already.
pub async fn end(cx: &Context, by: &SignedIn) -> Result<(), Error> {
    let now = cx.now();
    let entry = cx.entry("staff.signed_out", by.actor(), &[&by.person.id, &by.session.id], by.facts([]), now)?;
    let effect = StaffEffect::SignOut { session: by.session.id, at: now };
    match cx.store.commit(Change::new(entry, Effect::Staff(Box::new(effect)))).await {
        Ok(()) | Err(CommitError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
