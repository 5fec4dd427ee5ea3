//! The effects of a change that passed its conditions. Nothing here can fail, so a change is written whole.

use countersign::domain::backend::Remembered;
use countersign::domain::channel::{Channel, NoticeStatus, Turn};
use countersign::domain::webhook::DeliveryStatus;
use countersign::domain::{ApprovalId, Timestamp};
use countersign::ports::{Change, Effect};

use super::record::{ApprovalRow, DeliveryRow, NoticeRow, Record};

/// Writes a change.
pub fn change(record: &mut Record, change: Change, now: Timestamp) {
    let about = effect(record, change.effect, now);
    let id = change.entry.id;
    record.entries.push(change.entry);
    record.evidence.extend(change.evidence.map(|evidence| (about, id, evidence)));
    for notice in change.notices {
        let status = match notice.turn {
            Turn::Now => NoticeStatus::Queued,
            Turn::AfterFailure => NoticeStatus::Waiting,
        };
        let row = NoticeRow { notice, status, attempts: 0, next_at: now, lease: None, delivered_at: None };
        record.notices.insert(row.notice.id, row);
    }
    for delivery in change.deliveries {
        // An endpoint that was removed since the change was planned has nobody behind it; that must not undo a release.
        if record.endpoints.contains_key(&delivery.endpoint) {
            let row = DeliveryRow {
                delivery,
                status: DeliveryStatus::Queued,
                attempts: 0,
                next_at: Some(now),
                lease: None,
                last_status: None,
                last_error: None,
                done_at: None,
            };
            record.deliveries.insert(row.delivery.id, row);
        }
    }
}

/// Writes the effect; gives the approval that evidence of this change is about.
fn effect(record: &mut Record, effect: Effect, now: Timestamp) -> Option<ApprovalId> {
    match effect {
        Effect::Noted => {}
        Effect::Open { approval, remember } => {
            let id = approval.id;
            self::remember(record, remember);
            record.approvals.insert(id, ApprovalRow { approval: *approval, receipt: None });
            return Some(id);
        }
        Effect::Transition { transition, proof, receipt } => {
            let id = transition.approval.id;
            if let Some(proof) = proof
                && let Some(device) = record.devices.get_mut(&proof.device)
            {
                device.counter = proof.counter;
                // Failures are counted in a row; this success ends the row.
                device.failures = 0;
            }
            if let Some(row) = record.approvals.get_mut(&id) {
                row.approval = transition.approval;
                row.receipt = receipt.or(row.receipt.take());
            }
            return Some(id);
        }
        Effect::MoveSigned { transition, receipt, .. } => {
            let id = transition.approval.id;
            if let Some(row) = record.approvals.get_mut(&id) {
                row.approval = transition.approval;
                row.receipt = receipt.or(row.receipt.take());
            }
            return Some(id);
        }
        Effect::AddHolder { holder, channels, remember } => {
            self::remember(record, remember);
            record.holders.insert(holder.id, holder);
            channels.into_iter().for_each(|new| channel(record, new));
        }
        Effect::AddChannel(new) => channel(record, new),
        Effect::RemoveChannel { channel, .. } => {
            record.channels.remove(&channel);
        }
        Effect::AddLink { link, remember } => {
            self::remember(record, remember);
            for earlier in record.links.values_mut().filter(|earlier| earlier.holder == link.holder) {
                earlier.ended_at.get_or_insert(link.created_at);
            }
            record.links.insert(link.id, link);
        }
        Effect::CountTry { link, .. } => {
            if let Some(link) = record.links.get_mut(&link) {
                link.tries += 1;
            }
        }
        Effect::EndLink { link, at } => {
            if let Some(link) = record.links.get_mut(&link) {
                link.ended_at = Some(at);
            }
        }
        Effect::EnrolFirst { link, device, at } => {
            if let Some(link) = record.links.get_mut(&link) {
                link.ended_at = Some(at);
            }
            if let Some(holder) = record.holders.get_mut(&device.body.holder) {
                holder.enrolled_at = Some(at);
            }
            record.devices.insert(device.body.id, *device);
        }
        Effect::CountFailure { device, lock_at, .. } => {
            if let Some(device) = record.devices.get_mut(&device) {
                device.failures += 1;
                device.locked_at = device.locked_at.or(lock_at);
            }
        }
        Effect::AddEndpoint { endpoint, remember } => {
            self::remember(record, remember);
            record.endpoints.insert(endpoint.id, endpoint);
        }
        Effect::SetEndpoint(new) => {
            if let Some(endpoint) = record.endpoints.get_mut(&new.id) {
                endpoint.url = new.url;
                endpoint.status = new.status;
                endpoint.secret = new.secret;
                endpoint.previous = new.previous;
            }
        }
        Effect::RemoveEndpoint(id) => {
            record.endpoints.remove(&id);
            record.deliveries.retain(|_, row| row.delivery.endpoint != id);
        }
        Effect::Bounce(notice) => drop(record.notice_bounced(notice, now)),
        Effect::AddBackend { backend, key } => {
            record.backends.insert(backend.id, backend);
            record.keys.insert(key.id, key);
        }
        Effect::AddKey(key) => {
            record.keys.insert(key.id, key);
        }
        Effect::Freeze { step, proof } => {
            if let Some(proof) = proof
                && let Some(device) = record.devices.get_mut(&proof.device)
            {
                device.counter = proof.counter;
                device.failures = 0;
            }
            record.put_freeze(&step, now);
        }
        Effect::Override(write) => {
            let about = write.step.case.request.kind.approval();
            record.put_override(*write, now);
            return about;
        }
        Effect::Erase(write) => record.put_erasure(*write, now),
        Effect::RevokeKey { key, at } => {
            if let Some(key) = record.keys.get_mut(&key) {
                key.revoked_at = Some(at);
            }
        }
        Effect::Staff(effect) => super::staff::write(&mut record.staff, *effect, now),
    }
    None
}

fn remember(record: &mut Record, remembered: Remembered) {
    let key = (remembered.backend, remembered.key.as_str().to_owned());
    record.remembered.insert(key, remembered);
}

fn channel(record: &mut Record, new: Channel) {
    record.channels.insert(new.id, new);
}
