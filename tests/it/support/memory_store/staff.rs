//! Staff in memory: the rows, the conditions of each effect as `ports::staff` words them, the effects, and the reads.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use countersign::domain::details::Digest;
use countersign::domain::device::Blob;
use countersign::domain::ids::{DirectoryKeyId, HolderId, InviteId, SessionId, StaffChangeId, StaffId, ViewId};
use countersign::domain::staff::change::StaffChange;
use countersign::domain::staff::directory::DirectoryKey;
use countersign::domain::staff::invite::Invite;
use countersign::domain::staff::passkey::Passkey;
use countersign::domain::staff::session::Session;
use countersign::domain::staff::view::{DAY, REVEALS_A_DAY, Seen, VIEWS_A_DAY, View};
use countersign::domain::staff::{ExternalId, Role, Staff, UserName, admins_ever};
use countersign::domain::time::Timestamp;
use countersign::ports::staff::{Acting, Outcome, PasskeyProof, StaffEffect, StaffNoticeJob, StaffStore};
use countersign::ports::store::{NoticeOutcome, Store, Unique};
use countersign::ports::{CommitError, StoreError};

use super::MemoryStore;

/// The rows.
#[derive(Debug, Default)]
pub struct StaffRecord {
    pub people: BTreeMap<StaffId, Staff>,
    pub passkeys: BTreeMap<Vec<u8>, Passkey>,
    pub sessions: BTreeMap<SessionId, Session>,
    pub invites: BTreeMap<InviteId, Invite>,
    pub changes: BTreeMap<StaffChangeId, StaffChange>,
    pub views: Vec<View>,
    pub keys: BTreeMap<DirectoryKeyId, DirectoryKey>,
    /// With the time of the next try, or of the end of the lease; nothing once it ended.
    pub notices: Vec<(StaffNoticeJob, Option<Timestamp>)>,
}

type Checked = Result<(), CommitError>;

fn holds(condition: bool) -> Checked {
    if condition { Ok(()) } else { Err(CommitError::Conflict) }
}

fn unique(is_new: bool, what: Unique) -> Checked {
    if is_new { Ok(()) } else { Err(CommitError::Duplicate(what)) }
}

impl StaffRecord {
    fn admins_ever(&self) -> u64 {
        admins_ever(&self.people.values().cloned().collect::<Vec<_>>())
    }

    fn acts(&self, acting: Acting, now: Timestamp) -> Checked {
        holds(self.people.get(&acting.staff).is_some_and(|person| person.may(acting.role, now)))
    }

    /// What staff saw of this holder is forgotten.
    pub fn forget_views(&mut self, holder: HolderId) {
        self.views.retain(|view| view.holder != holder);
    }

    pub fn proves(&self, proof: &PasskeyProof, now: Timestamp) -> Checked {
        let person = self.people.get(&proof.staff).ok_or(CommitError::Conflict)?;
        holds(proof.role.map_or_else(|| person.check(now).is_ok(), |role| person.may(role, now)))?;
        let passkey = self.passkeys.get(&proof.credential_id.0).ok_or(CommitError::Conflict)?;
        let risen = proof.counter > passkey.counter || (proof.counter == 0 && passkey.counter == 0);
        holds(passkey.body.staff == proof.staff && risen)
    }

    fn has_version(&self, id: StaffId, version: u32) -> Checked {
        holds(self.people.get(&id).is_some_and(|person| person.version == version))
    }

    fn is_new(&self, staff: &Staff) -> Checked {
        let profile = &staff.profile;
        let clashes = self.people.values().any(|other| {
            let same_name = profile.user_name.is_some() && other.profile.user_name == profile.user_name;
            let same_id = profile.external_id.is_some() && other.profile.external_id == profile.external_id;
            other.id == staff.id || same_name || same_id
        });
        unique(!clashes, Unique::Other)
    }

    fn change_has(&self, id: StaffChangeId, version: u32) -> Checked {
        holds(self.changes.get(&id).is_some_and(|change| change.version == version))
    }

    pub fn count_passkey(&mut self, proof: &PasskeyProof) {
        if let Some(passkey) = self.passkeys.get_mut(&proof.credential_id.0) {
            passkey.counter = proof.counter;
        }
    }

    fn leave(&mut self, id: StaffId, at: Timestamp) {
        for session in self.sessions.values_mut().filter(|session| session.staff == id) {
            session.ended_at.get_or_insert(at);
        }
        for invite in self.invites.values_mut().filter(|invite| invite.staff == id) {
            invite.ended_at.get_or_insert(at);
        }
    }
}

fn outcome_holds(record: &StaffRecord, outcome: &Outcome) -> Checked {
    match outcome.from {
        Some(from) => record.has_version(outcome.staff.id, from),
        None => record.is_new(&outcome.staff),
    }
}

/// Whether the effect may be stored now.
pub fn check(record: &StaffRecord, effect: &StaffEffect, now: Timestamp) -> Checked {
    match effect {
        StaffEffect::Add { staff, invite } => {
            holds(!invite.is_founding_after(record.admins_ever()))?;
            record.is_new(staff)
        }
        StaffEffect::CountInviteTry { invite, tries } => {
            let invite = record.invites.get(invite).ok_or(CommitError::Conflict)?;
            holds(invite.tries == *tries && invite.ended_at.is_none())
        }
        StaffEffect::Enrol { invite, staff, from, passkey } => {
            let invite = record.invites.get(invite).ok_or(CommitError::Conflict)?;
            let usable = invite.check_open(now).is_ok() && !invite.is_founding_after(record.admins_ever());
            holds(invite.staff == staff.id && usable)?;
            record.has_version(staff.id, *from)?;
            unique(!record.passkeys.contains_key(&passkey.body.credential_id.0), Unique::Credential)
        }
        StaffEffect::SignIn { session, proof } => {
            record.proves(proof, now)?;
            let taken = |other: &Session| {
                other.challenge == session.challenge || other.token_hash == session.token_hash || other.id == session.id
            };
            unique(!record.sessions.values().any(taken), Unique::Other)
        }
        StaffEffect::SignOut { session, .. } => {
            holds(record.sessions.get(session).is_some_and(|session| session.ended_at.is_none()))
        }
        StaffEffect::End { staff, from, by } => {
            by.map_or(Ok(()), |by| record.acts(by, now))?;
            record.has_version(staff.id, *from)
        }
        StaffEffect::Propose { change, proof } => {
            record.proves(proof, now)?;
            unique(!record.changes.contains_key(&change.id), Unique::Other)
        }
        StaffEffect::Sign { change, from, proof, outcome } => {
            record.proves(proof, now)?;
            for other in change.signatures.iter().filter(|signature| signature.by != proof.staff) {
                record.acts(Acting { staff: other.by, role: Role::Admin }, now)?;
            }
            record.change_has(change.id, *from)?;
            outcome.as_ref().map_or(Ok(()), |outcome| outcome_holds(record, outcome))
        }
        StaffEffect::Refuse { change, from, by } => {
            record.acts(*by, now)?;
            record.change_has(change.id, *from)
        }
        StaffEffect::Look { view, by } => {
            record.acts(*by, now)?;
            holds(record.people.get(&view.staff).is_some_and(|person| !person.profile.is(view.holder)))?;
            let of_day = || record.views.iter().filter(|other| other.staff == view.staff && other.at > now - DAY);
            let reveals = of_day().filter(|other| matches!(other.seen, Seen::Account { .. })).count();
            let one_too_many = matches!(view.seen, Seen::Account { .. }) && reveals >= REVEALS_A_DAY as usize;
            if of_day().count() >= VIEWS_A_DAY as usize || one_too_many { Err(CommitError::Cap) } else { Ok(()) }
        }
        StaffEffect::AddDirectoryKey(key) => {
            unique(!record.keys.values().any(|other| other.id == key.id || other.hash == key.hash), Unique::Other)
        }
        StaffEffect::RevokeDirectoryKey { key, .. } => {
            holds(record.keys.get(key).is_some_and(|key| key.revoked_at.is_none()))
        }
    }
}

/// Writes an effect that passed.
pub fn write(record: &mut StaffRecord, effect: StaffEffect, now: Timestamp) {
    match effect {
        StaffEffect::Add { staff, invite } => {
            record.people.insert(staff.id, *staff);
            record.invites.insert(invite.id, invite);
        }
        StaffEffect::CountInviteTry { invite, .. } => {
            if let Some(invite) = record.invites.get_mut(&invite) {
                invite.tries += 1;
            }
        }
        StaffEffect::Enrol { invite, staff, passkey, .. } => {
            if let Some(invite) = record.invites.get_mut(&invite) {
                invite.ended_at = Some(now);
            }
            record.people.insert(staff.id, *staff);
            record.passkeys.insert(passkey.body.credential_id.0.clone(), passkey);
        }
        StaffEffect::SignIn { session, proof } => {
            record.count_passkey(&proof);
            record.sessions.insert(session.id, session);
        }
        StaffEffect::SignOut { session, at } => {
            if let Some(session) = record.sessions.get_mut(&session) {
                session.ended_at = Some(at);
            }
        }
        StaffEffect::End { staff, .. } => {
            record.leave(staff.id, now);
            record.people.insert(staff.id, *staff);
        }
        StaffEffect::Propose { change, proof } => {
            record.count_passkey(&proof);
            record.changes.insert(change.id, *change);
        }
        StaffEffect::Sign { change, proof, outcome, .. } => {
            record.count_passkey(&proof);
            record.changes.insert(change.id, *change);
            if let Some(outcome) = outcome {
                record.people.insert(outcome.staff.id, outcome.staff);
                record.invites.extend(outcome.invite.map(|invite| (invite.id, invite)));
            }
        }
        StaffEffect::Refuse { change, .. } => {
            record.changes.insert(change.id, *change);
        }
        StaffEffect::Look { view, .. } => record.views.push(view),
        StaffEffect::AddDirectoryKey(key) => {
            record.keys.insert(key.id, key);
        }
        StaffEffect::RevokeDirectoryKey { key, at } => {
            if let Some(key) = record.keys.get_mut(&key) {
                key.revoked_at = Some(at);
            }
        }
    }
}

#[async_trait]
impl StaffStore for MemoryStore {
    async fn everybody(&self) -> Result<Vec<Staff>, StoreError> {
        Ok(self.look(|record| record.staff.people.values().cloned().collect()))
    }

    async fn person(&self, id: StaffId) -> Result<Option<Staff>, StoreError> {
        Ok(self.look(|record| record.staff.people.get(&id).cloned()))
    }

    async fn person_by_user_name(&self, name: &UserName) -> Result<Option<Staff>, StoreError> {
        let named = |person: &&Staff| person.profile.user_name.as_ref() == Some(name);
        Ok(self.look(|record| record.staff.people.values().find(named).cloned()))
    }

    async fn person_by_external_id(&self, id: &ExternalId) -> Result<Option<Staff>, StoreError> {
        let named = |person: &&Staff| person.profile.external_id.as_ref() == Some(id);
        Ok(self.look(|record| record.staff.people.values().find(named).cloned()))
    }

    async fn passkey(&self, credential_id: &Blob) -> Result<Option<Passkey>, StoreError> {
        Ok(self.look(|record| record.staff.passkeys.get(&credential_id.0).cloned()))
    }

    async fn passkeys(&self, staff: StaffId) -> Result<Vec<Passkey>, StoreError> {
        let theirs = |passkey: &&Passkey| passkey.body.staff == staff;
        Ok(self.look(|record| record.staff.passkeys.values().filter(theirs).cloned().collect()))
    }

    async fn session(&self, token_hash: &Digest) -> Result<Option<(Session, Staff)>, StoreError> {
        Ok(self.look(|record| {
            let session = record.staff.sessions.values().find(|session| session.token_hash == *token_hash)?;
            Some((session.clone(), record.staff.people.get(&session.staff)?.clone()))
        }))
    }

    async fn touch_session(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        self.set_up(|record| {
            if let Some(session) = record.staff.sessions.get_mut(&id) {
                session.seen_at = session.seen_at.max(at);
            }
        });
        Ok(())
    }

    async fn invite(&self, token_hash: &Digest) -> Result<Option<Invite>, StoreError> {
        let named = |invite: &&Invite| invite.token_hash == *token_hash;
        Ok(self.look(|record| record.staff.invites.values().find(named).cloned()))
    }

    async fn open_invites(&self) -> Result<Vec<Invite>, StoreError> {
        let open = |invite: &&Invite| invite.ended_at.is_none();
        Ok(self.look(|record| record.staff.invites.values().filter(open).cloned().collect()))
    }

    async fn change(&self, id: StaffChangeId) -> Result<Option<StaffChange>, StoreError> {
        Ok(self.look(|record| record.staff.changes.get(&id).cloned()))
    }

    async fn changes(&self, limit: u32) -> Result<Vec<StaffChange>, StoreError> {
        Ok(self.look(|record| record.staff.changes.values().rev().take(limit as usize).cloned().collect()))
    }

    async fn view(&self, id: ViewId) -> Result<Option<View>, StoreError> {
        Ok(self.look(|record| record.staff.views.iter().find(|view| view.id == id).cloned()))
    }

    async fn views_of_holder(&self, holder: HolderId, limit: u32) -> Result<Vec<View>, StoreError> {
        let theirs = |view: &&View| view.holder == holder;
        Ok(self.look(|record| record.staff.views.iter().rev().filter(theirs).take(limit as usize).cloned().collect()))
    }

    async fn last_viewed_by_staff(&self, holder: HolderId) -> Result<Option<Timestamp>, StoreError> {
        let theirs = |view: &&View| view.holder == holder;
        Ok(self.look(|record| record.staff.views.iter().filter(theirs).map(|view| view.at).max()))
    }

    async fn directory_key(&self, hash: &Digest) -> Result<Option<DirectoryKey>, StoreError> {
        Ok(self.look(|record| record.staff.keys.values().find(|key| key.hash == *hash).cloned()))
    }

    async fn directory_keys(&self) -> Result<Vec<DirectoryKey>, StoreError> {
        Ok(self.look(|record| record.staff.keys.values().cloned().collect()))
    }

    async fn claim_staff_notices(&self, limit: u32, lease: Duration) -> Result<Vec<StaffNoticeJob>, StoreError> {
        let now = Store::now(self).await?;
        let mut claimed = Vec::new();
        self.set_up(|record| {
            let due = |(_, next): &&mut (StaffNoticeJob, Option<Timestamp>)| next.is_some_and(|next| next <= now);
            for (job, next) in record.staff.notices.iter_mut().filter(due).take(limit as usize) {
                job.fence += 1;
                claimed.push(job.clone());
                job.attempts += 1;
                *next = Some(now + lease);
            }
        });
        Ok(claimed)
    }

    async fn settle_staff_notice(&self, job: &StaffNoticeJob, outcome: &NoticeOutcome) -> Result<bool, StoreError> {
        let mut settled = false;
        self.set_up(|record| {
            let leased = |(known, next): &&mut (StaffNoticeJob, Option<Timestamp>)| {
                known.notice.id == job.notice.id && known.fence == job.fence && next.is_some()
            };
            if let Some((_, next)) = record.staff.notices.iter_mut().find(leased) {
                settled = true;
                *next = match outcome {
                    NoticeOutcome::RetryAt(at) | NoticeOutcome::DeferredTo(at) => Some(*at),
                    NoticeOutcome::Delivered { .. } | NoticeOutcome::Failed { .. } | NoticeOutcome::Dropped => None,
                };
            }
        });
        Ok(settled)
    }
}
