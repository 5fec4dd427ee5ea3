//! The conditions of a change, each as `ports::change::Effect` words it. Reads only: whoever passes is written whole.

use countersign::domain::approval::transitions::Transition;
use countersign::domain::approval::{Decision, StateName};
use countersign::domain::backend::Remembered;
use countersign::domain::channel::NoticeStatus;
use countersign::domain::device::Device;
use countersign::domain::holder::PENDING_AT_ONCE;
use countersign::domain::link::{EnrolLink, LINKS_A_DAY, LINKS_DAY};
use countersign::domain::webhook::MAX_ENDPOINTS;
use countersign::domain::{HolderId, LinkId, Timestamp};
use countersign::ports::change::DeviceProof;
use countersign::ports::store::Unique;
use countersign::ports::{Change, CommitError, Effect};

use super::Record;

type Checked = Result<(), CommitError>;

/// Whether the change may be stored now.
pub fn change(record: &Record, change: &Change, now: Timestamp) -> Checked {
    effect(record, &change.effect, now)?;
    let entry_is_new = record.entries.iter().all(|entry| entry.id != change.entry.id);
    let notices_are_new = change.notices.iter().all(|notice| !record.notices.contains_key(&notice.id));
    let deliveries_are_new = change.deliveries.iter().all(|delivery| !record.deliveries.contains_key(&delivery.id));
    unique(entry_is_new && notices_are_new && deliveries_are_new, Unique::Other)
}

fn unique(is_new: bool, what: Unique) -> Checked {
    if is_new { Ok(()) } else { Err(CommitError::Duplicate(what)) }
}

pub fn holds(condition: bool) -> Checked {
    if condition { Ok(()) } else { Err(CommitError::Conflict) }
}

pub fn not_frozen(record: &Record, holder: HolderId) -> Checked {
    if record.holding(holder).is_none() { Ok(()) } else { Err(CommitError::Frozen) }
}

fn effect(record: &Record, effect: &Effect, now: Timestamp) -> Checked {
    match effect {
        Effect::Noted | Effect::RemoveEndpoint(_) => Ok(()),
        Effect::Open { approval, remember } => {
            key_is_new(record, remember)?;
            unique(!record.approvals.contains_key(&approval.id), Unique::Other)?;
            let transfer_id = &approval.details.transfer().transfer_id;
            let taken = record.approvals.values().map(|row| &row.approval).any(|other| {
                let name = other.state.name();
                let holds_it = !name.is_final() || name == StateName::Redeemed;
                other.backend == approval.backend && holds_it && other.details.transfer().transfer_id == *transfer_id
            });
            unique(!taken, Unique::TransferId)?;
            not_frozen(record, approval.holder)?;
            if record.pending(approval.holder) < PENDING_AT_ONCE { Ok(()) } else { Err(CommitError::Cap) }
        }
        Effect::Transition { transition, proof, .. } => {
            moves(record, transition, now)?;
            proof.map_or(Ok(()), |proof| proof_holds(record, proof))
        }
        Effect::AddHolder { holder, channels, remember } => {
            key_is_new(record, remember)?;
            unique(record.holder(holder.backend, &holder.subject).is_none(), Unique::Subject)?;
            unique(!record.was_erased(holder.backend, &holder.subject), Unique::Subject)?;
            let channels_are_new = channels.iter().all(|new| !record.channels.contains_key(&new.id));
            unique(!record.holders.contains_key(&holder.id) && channels_are_new, Unique::Other)
        }
        Effect::AddChannel(new) => {
            let lives = |device| {
                let device = record.devices.get(&device);
                device.is_some_and(|device| device.removed_at.is_none() && device.locked_at.is_none())
            };
            holds(new.device.is_none_or(lives))?;
            unique(!record.channels.contains_key(&new.id), Unique::Other)
        }
        Effect::RemoveChannel { channel, .. } => {
            holds(record.channels.get(channel).is_some_and(|row| row.device.is_some()))
        }
        Effect::AddLink { link, remember } => {
            key_is_new(record, remember)?;
            not_frozen(record, link.holder)?;
            let today = |other: &&EnrolLink| other.holder == link.holder && other.created_at + LINKS_DAY > now;
            if record.links.values().filter(today).count() >= LINKS_A_DAY as usize {
                return Err(CommitError::Cap);
            }
            let is_new = record.links.values().all(|other| other.id != link.id && other.token_hash != link.token_hash);
            unique(is_new, Unique::Other)
        }
        Effect::CountTry { link, tries } => {
            let link = record.links.get(link).ok_or(CommitError::Conflict)?;
            holds(link.tries == *tries && link.ended_at.is_none())
        }
        Effect::EndLink { link, .. } => holds(record.links.get(link).is_some_and(|link| link.ended_at.is_none())),
        Effect::EnrolFirst { link, device, .. } => enrols(record, *link, device, now),
        Effect::CountFailure { device, failures, .. } => {
            holds(record.devices.get(device).is_some_and(|device| device.failures == *failures))
        }
        Effect::AddEndpoint { endpoint, remember } => {
            key_is_new(record, remember)?;
            unique(!record.endpoints.contains_key(&endpoint.id), Unique::Other)?;
            let count = record.endpoints.values().filter(|other| other.backend == endpoint.backend).count();
            if count < MAX_ENDPOINTS { Ok(()) } else { Err(CommitError::Cap) }
        }
        Effect::Bounce(notice) => {
            let row = record.notices.get(notice);
            holds(row.is_some_and(|row| row.status == NoticeStatus::Delivered))
        }
        Effect::SetEndpoint(endpoint) => holds(record.endpoints.contains_key(&endpoint.id)),
        Effect::AddBackend { backend, key } => {
            unique(!record.backends.contains_key(&backend.id) && key_is_free(record, key), Unique::Other)
        }
        Effect::AddKey(key) => unique(key_is_free(record, key), Unique::Other),
        Effect::Freeze { step, proof } => {
            record.freeze_fits(step, now)?;
            proof.map_or(Ok(()), |proof| proof_holds(record, proof))
        }
        Effect::Override(write) => record.override_fits(write, now),
        Effect::MoveSigned { transition, case, .. } => {
            record.signatures_stand(case, now)?;
            not_frozen(record, transition.approval.holder)?;
            moves(record, transition, now)
        }
        Effect::Erase(write) => record.erasure_fits(write),
        Effect::RevokeKey { key, .. } => holds(record.keys.get(key).is_some_and(|key| key.revoked_at.is_none())),
        Effect::Staff(effect) => super::staff::check(&record.staff, effect, now),
    }
}

fn moves(record: &Record, transition: &Transition, now: Timestamp) -> Checked {
    let row = record.approvals.get(&transition.approval.id).ok_or(CommitError::Conflict)?;
    holds(row.approval.version == transition.from)?;
    holds(transition.guard.not_before.is_none_or(|bound| bound <= now))?;
    holds(transition.guard.before.is_none_or(|bound| now < bound))?;
    let tightens =
        !matches!(transition.approval.state.name(), StateName::Cooling | StateName::Released | StateName::Redeemed);
    holds(tightens || record.holding(transition.approval.holder).is_none())?;
    let takes = matches!(transition.approval.state.name(), StateName::Released | StateName::Redeemed);
    let decider = transition.approval.state.decision().and_then(Decision::device);
    let stands = |id| record.devices.get(&id).is_some_and(|device| device.removed_at.is_none());
    holds(!takes || decider.is_none_or(stands))
}

fn key_is_new(record: &Record, remember: &Remembered) -> Checked {
    unique(record.remembered(remember.backend, &remember.key).is_none(), Unique::IdempotencyKey)
}

fn key_is_free(record: &Record, key: &countersign::domain::backend::ApiKey) -> bool {
    record.keys.values().all(|other| other.id != key.id && other.hash != key.hash)
}

pub fn proof_holds(record: &Record, proof: DeviceProof) -> Checked {
    let device = record.devices.get(&proof.device).ok_or(CommitError::Conflict)?;
    let risen = proof.counter > device.counter || (proof.counter == 0 && device.counter == 0);
    holds(device.is_live() && risen)
}

fn enrols(record: &Record, link: LinkId, device: &Device, now: Timestamp) -> Checked {
    let link = record.links.get(&link).ok_or(CommitError::Conflict)?;
    holds(link.ended_at.is_none() && now < link.expires_at && link.holder == device.body.holder)?;
    holds(record.holders.get(&link.holder).is_some_and(|holder| holder.enrolled_at.is_none()))?;
    not_frozen(record, link.holder)?;
    let credential_is_new = |other: &Device| other.body.credential_id != device.body.credential_id;
    unique(record.devices.values().all(credential_is_new), Unique::Credential)?;
    unique(!record.devices.contains_key(&device.body.id), Unique::Other)
}
