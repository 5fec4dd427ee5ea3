//! Adding, changing or extending somebody: one admin proposes and signs, another one signs, and it is done in the same
//! commit. Nobody decides about themselves, and a signature counts only while its admin is one.

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::signing::{self, Object, Prompt, Signed};
use super::{SignedIn, invite};
use crate::domain::channel::Address;
use crate::domain::device::Blob;
use crate::domain::ids::{InviteId, StaffChangeId, StaffId};
use crate::domain::staff::change::{CHANGE_LIFE, ChangeRefusal, ChangeState, Proposal, StaffChange};
use crate::domain::staff::invite::Origin;
use crate::domain::staff::notice::Mailbox;
use crate::domain::staff::signing::Signs;
use crate::domain::staff::{Profile, Reason, Role, Staff, Status};
use crate::domain::time::Timestamp;
use crate::ports::staff::{Outcome, StaffEffect};
use crate::ports::store::CommitError;
use crate::ports::{Change, Effect};
use crate::service::{Context, Error, commit, log};

/// What an admin wants.
#[derive(Debug, Clone)]
pub enum Draft {
    Add(Profile),
    Change(StaffId, Profile),
}

/// What becomes of the mail address to which somebody of staff is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mail {
    Keep,
    Set(Address),
    Remove,
}

/// What became of a signature.
#[derive(Debug)]
pub struct Stored {
    pub change: StaffChange,
    /// The link of the person who was added, to be given to them. Shown once, and only to who signed last; the code
    /// that belongs to it is shown only to who proposed.
    pub link: Option<Url>,
}

/// Makes the proposal and the prompt to sign it. Nothing is stored yet.
///
/// # Errors
/// [`Error::NotInRole`]; [`Error::NotFound`], [`Error::StaffChange`] and [`Error::Invalid`] by the rules.
pub async fn draft(cx: &Context, by: &SignedIn, draft: Draft, mail: &Mail, reason: Reason) -> Result<Prompt, Error> {
    by.needs(Role::Admin)?;
    let now = cx.now();
    let proposal = match draft {
        Draft::Add(profile) => {
            let staff = cx.id(StaffId::new, now);
            Proposal::Add { staff, profile: Profile { mail: mailbox(cx, staff, mail, None)?, ..profile } }
        }
        Draft::Change(id, after) => {
            let person = cx.staff.person(id).await?.ok_or(Error::NotFound)?;
            if matches!(person.status, Status::Ended { .. }) {
                return Err(ChangeRefusal::Moved.into());
            }
            let mail = mailbox(cx, id, mail, person.profile.mail.clone())?;
            let after = Profile { mail, ..after };
            Proposal::Change { staff: id, version: person.version, before: person.profile, after }
        }
    };
    for holder in &proposal.after().own_holders {
        // An id can't be guessed, so that nobody learns here who is a holder.
        if cx.store.holder_by_id(*holder).await?.is_none() {
            return Err(Error::invalid("own_holders", "names no holder"));
        }
    }
    if proposal.after().ends_at <= now {
        return Err(Error::invalid("ends", "must be later than now"));
    }
    let change = StaffChange {
        id: cx.id(StaffChangeId::new, now),
        version: 1,
        proposal,
        reason,
        proposed_by: by.person.id,
        created_at: now,
        expires_at: now + CHANGE_LIFE,
        nonce: Blob(cx.random::<16>().to_vec()),
        signatures: Vec::new(),
        state: ChangeState::Waiting,
    };
    prompt_for(cx, by, &change, &Some(&change)).await
}

/// The address as the proposal has it, where this one stood before.
fn mailbox(
    cx: &Context,
    staff: StaffId,
    mail: &Mail,
    before: Option<Box<Mailbox>>,
) -> Result<Option<Box<Mailbox>>, Error> {
    match mail {
        Mail::Keep => Ok(before),
        Mail::Set(address) => invite::mailbox(cx, staff, address).map(Some),
        Mail::Remove => Ok(None),
    }
}

/// Stores the proposal with its first signature.
///
/// # Errors
/// [`Error::Ceremony`], [`Error::PromptStale`], [`Error::StaffChange`], [`Error::RolledBack`]; [`Error::Conflict`] when it
/// was stored before.
pub async fn propose(cx: &Context, by: &SignedIn, sealed: &str, assertion: &Value) -> Result<StaffChange, Error> {
    by.needs(Role::Admin)?;
    match try_propose(cx, by, sealed, assertion).await {
        // The change has no name in the record yet; only whose attempt it was is known.
        Err(error) => Err(signing::refused(cx, by, Signs::Change, &by.person.id, error).await),
        stored => stored,
    }
}

async fn try_propose(cx: &Context, by: &SignedIn, sealed: &str, assertion: &Value) -> Result<StaffChange, Error> {
    log::ensure_whole(cx).await?;
    let signed: Signed<Option<StaffChange>> = signing::check(cx, by, Signs::Change, sealed, assertion).await?;
    let change = signed.with.clone().ok_or(Error::PromptStale)?;
    let canonical = covered(&signed, &change)?;
    let now = cx.now();
    let next = change.signed(&by.person, signed.preimage.challenge(), &[], now)?;
    let effect = StaffEffect::Propose { change: Box::new(next.clone()), proof: signed.proof(Role::Admin) };
    store(cx, by, "staff_change.proposed", &next, effect, signed, canonical, now).await?;
    Ok(next)
}

/// Makes the prompt of a further signature.
///
/// # Errors
/// [`Error::NotInRole`], [`Error::NotFound`], [`Error::StaffChange`].
pub async fn prompt(cx: &Context, by: &SignedIn, id: StaffChangeId) -> Result<Prompt, Error> {
    by.needs(Role::Admin)?;
    let change = cx.staff.change(id).await?.ok_or(Error::NotFound)?;
    prompt_for(cx, by, &change, &None::<StaffChange>).await
}

async fn prompt_for<T: Serialize>(
    cx: &Context,
    by: &SignedIn,
    change: &StaffChange,
    with: &T,
) -> Result<Prompt, Error> {
    if let Err(refusal) = change.may_sign(&by.person, cx.now()) {
        return Err(signing::refused(cx, by, Signs::Change, &change.id, refusal.into()).await);
    }
    let canonical = change.canonical().map_err(Error::internal)?;
    let object = Object { signs: Signs::Change, id: change.id.bytes(), canonical: &canonical };
    signing::prompt(cx, by, &object, with).await
}

/// Stores a further signature, and carries the change out when it was the last.
///
/// # Errors
/// As [`propose`].
pub async fn sign(
    cx: &Context,
    by: &SignedIn,
    id: StaffChangeId,
    sealed: &str,
    assertion: &Value,
) -> Result<Stored, Error> {
    by.needs(Role::Admin)?;
    match try_sign(cx, by, id, sealed, assertion).await {
        Err(error) => Err(signing::refused(cx, by, Signs::Change, &id, error).await),
        stored => stored,
    }
}

async fn try_sign(
    cx: &Context,
    by: &SignedIn,
    id: StaffChangeId,
    sealed: &str,
    assertion: &Value,
) -> Result<Stored, Error> {
    log::ensure_whole(cx).await?;
    let signed: Signed<Option<StaffChange>> = signing::check(cx, by, Signs::Change, sealed, assertion).await?;
    let change = cx.staff.change(id).await?.ok_or(Error::NotFound)?;
    let canonical = covered(&signed, &change)?;
    let now = cx.now();
    let mut earlier = Vec::with_capacity(change.signatures.len());
    for signature in &change.signatures {
        earlier.extend(cx.staff.person(signature.by).await?);
    }
    let next = change.signed(&by.person, signed.preimage.challenge(), &earlier, now)?;
    let (outcome, link) = match next.state {
        ChangeState::Done { .. } => {
            let (outcome, link) = outcome(cx, &next, now).await?;
            (Some(Box::new(outcome)), link)
        }
        ChangeState::Waiting | ChangeState::Refused { .. } => (None, None),
    };
    let kind = if outcome.is_some() { "staff_change.carried_out" } else { "staff_change.signed" };
    let proof = signed.proof(Role::Admin);
    let effect = StaffEffect::Sign { change: Box::new(next.clone()), from: change.version, proof, outcome };
    store(cx, by, kind, &next, effect, signed, canonical, now).await?;
    Ok(Stored { change: next, link })
}

/// An admin refuses, and that ends it.
///
/// # Errors
/// [`Error::NotInRole`], [`Error::NotFound`], [`Error::StaffChange`].
pub async fn refuse(cx: &Context, by: &SignedIn, id: StaffChangeId) -> Result<StaffChange, Error> {
    let acting = by.acting(Role::Admin)?;
    for _ in 0..commit::ATTEMPTS {
        let change = cx.staff.change(id).await?.ok_or(Error::NotFound)?;
        let now = cx.now();
        let next = change.refused(&by.person, now)?;
        let objects: [&(dyn std::fmt::Display + Sync); 2] = [&id, &change.proposal.staff()];
        let entry = cx.entry("staff_change.refused", by.actor(), &objects, by.facts([]), now)?;
        let effect = StaffEffect::Refuse { change: Box::new(next.clone()), from: change.version, by: acting };
        match cx.store.commit(Change::new(entry, Effect::Staff(Box::new(effect)))).await {
            Ok(()) => return Ok(next),
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

/// The code of the person whom a change added, for who proposed it and while it can be used.
///
/// # Errors
/// Those of the store.
pub async fn code(cx: &Context, by: &SignedIn, change: &StaffChange) -> Result<Option<String>, Error> {
    if change.proposed_by != by.person.id {
        return Ok(None);
    }
    let own = |origin: Origin| origin == Origin::Admins(change.id);
    let invite = cx.staff.open_invites().await?.into_iter().find(|invite| own(invite.origin));
    let open = invite.filter(|invite| invite.check_open(cx.now()).is_ok());
    Ok(open.map(|invite| invite::code(cx, invite.id)))
}

/// The signature is about this change; gives the text.
fn covered<T>(signed: &Signed<T>, change: &StaffChange) -> Result<String, Error> {
    let canonical = change.canonical().map_err(Error::internal)?;
    signed.covers(&Object { signs: Signs::Change, id: change.id.bytes(), canonical: &canonical })?;
    Ok(canonical)
}

async fn outcome(cx: &Context, change: &StaffChange, now: Timestamp) -> Result<(Outcome, Option<Url>), Error> {
    let current = cx.staff.person(change.proposal.staff()).await?;
    let staff = change.outcome(current.as_ref(), now)?;
    let from = current.map(|person| person.version);
    match change.proposal {
        Proposal::Add { .. } => {
            let (invite, link) = invite::make(cx, staff.id, Origin::Admins(change.id), now, now)?;
            Ok((Outcome { staff, from, invite: Some(invite) }, Some(link)))
        }
        Proposal::Change { .. } => Ok((Outcome { staff, from, invite: None }, None)),
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one commit, from two callers with the same ending")]
async fn store<T>(
    cx: &Context,
    by: &SignedIn,
    kind: &'static str,
    change: &StaffChange,
    effect: StaffEffect,
    signed: Signed<T>,
    canonical: String,
    now: Timestamp,
) -> Result<(), Error> {
    let after = change.proposal.after();
    let mut facts = by.facts([
        ("digest", signed.preimage.digest.to_string()),
        ("new_employer", after.employer.to_string()),
        ("new_group", after.group.to_string()),
        ("new_roles", after.roles.to_string()),
        ("new_ends_at", after.ends_at.to_string()),
    ]);
    if let StaffEffect::Sign { outcome: Some(outcome), .. } = &effect {
        facts.insert("staff_version", outcome.staff.version.to_string());
    }
    let objects: [&(dyn std::fmt::Display + Sync); 2] = [&change.id, &change.proposal.staff()];
    let entry = cx.entry(kind, by.actor(), &objects, facts, now)?;
    let mut stored = Change::new(entry, Effect::Staff(Box::new(effect)));
    stored.evidence = Some(signed.evidence(canonical, None));
    Ok(cx.store.commit(stored).await?)
}

/// Everybody, and what waits: what the staff page shows.
#[derive(Debug)]
pub struct Roster {
    pub people: Vec<Staff>,
    pub changes: Vec<StaffChange>,
    /// Invites from the host that wait or can be used: every admin sees them, and stops one by ending its person.
    pub from_host: Vec<(InviteId, StaffId, Timestamp)>,
}

/// So many changes are shown.
const CHANGES: u32 = 50;

/// Reads the roster.
///
/// # Errors
/// [`Error::NotInRole`].
pub async fn roster(cx: &Context, by: &SignedIn) -> Result<Roster, Error> {
    by.needs(Role::Admin)?;
    let people = cx.staff.everybody().await?;
    let changes = cx.staff.changes(CHANGES).await?;
    let now = cx.now();
    let open = cx.staff.open_invites().await?;
    let from_host = open
        .iter()
        .filter(|invite| invite.origin == Origin::Host && now < invite.expires_at)
        .map(|invite| (invite.id, invite.staff, invite.opens_at))
        .collect();
    Ok(Roster { people, changes, from_host })
}
