//! Leases: who works on a notice or a delivery, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::domain::channel::About;
use countersign::domain::channel::NoticeStatus;
use countersign::domain::webhook::{DeliveryStatus, EndpointStatus};
use countersign::domain::{DeliveryId, EndpointId, NoticeId, Timestamp};
use countersign::ports::store::{
    DeliveryJob, DeliveryNext, DeliveryOutcome, NoticeJob, NoticeOutcome, Outgoing, Pruned,
};
use uuid::Uuid;

use super::record::{Lease, Record};

fn is_free(lease: Option<&Lease>, now: Timestamp) -> bool {
    lease.is_none_or(|lease| lease.is_over(now))
}

impl Record {
    pub fn prune(&mut self, what: Outgoing, before: Timestamp, after: Option<Uuid>, limit: u32) -> Pruned {
        let bound = NoticeId::new(before, [0; 10]).uuid();
        let old = |id: &Uuid| after.is_none_or(|after| *id > after) && *id < bound;
        let all: Vec<Uuid> = match what {
            Outgoing::Notices => self.notices.keys().map(|id| id.uuid()).collect(),
            Outgoing::Deliveries => self.deliveries.keys().map(|id| id.uuid()).collect(),
            Outgoing::StaffNotices => self.staff.notices.iter().map(|(job, _)| job.notice.id.uuid()).collect(),
        };
        let looked: Vec<Uuid> = all.into_iter().filter(old).take(limit as usize).collect();
        let mut deleted = 0;
        for id in &looked {
            let goes = match what {
                Outgoing::Notices => self.notices.get(&NoticeId::from_uuid(*id)).is_some_and(|row| {
                    let lives = match row.notice.about {
                        About::Approval(id) => {
                            self.approvals.get(&id).is_some_and(|row| row.approval.due_at().is_some())
                        }
                        About::Override(id) => {
                            self.overrides.requests.get(&id).is_some_and(|case| case.due_at().is_some())
                        }
                        About::Link(_) | About::Device(_) | About::Freeze(_) => false,
                    };
                    row.status != NoticeStatus::Queued && row.notice.useless_after < before && !lives
                }),
                Outgoing::Deliveries => self
                    .deliveries
                    .get(&DeliveryId::from_uuid(*id))
                    .is_some_and(|row| row.status != DeliveryStatus::Queued && row.delivery.created_at < before),
                Outgoing::StaffNotices => self.staff.notices.iter().any(|(job, next)| {
                    job.notice.id.uuid() == *id && next.is_none() && job.notice.useless_after < before
                }),
            };
            if goes {
                deleted += 1;
                self.notices.remove(&NoticeId::from_uuid(*id));
                self.deliveries.remove(&DeliveryId::from_uuid(*id));
                self.staff.notices.retain(|(job, _)| job.notice.id.uuid() != *id);
            }
        }
        let last = looked.last().copied().filter(|_| looked.len() == limit as usize);
        Pruned { deleted, last }
    }

    fn lease(&mut self, length: Duration, now: Timestamp) -> Lease {
        self.fence += 1;
        Lease { fence: self.fence, until: now + length }
    }

    pub fn claim_notices(&mut self, max: u32, lease: Duration, now: Timestamp) -> Vec<NoticeJob> {
        let due = self.notices.iter().filter(|(_, row)| {
            row.status == NoticeStatus::Queued && row.next_at <= now && is_free(row.lease.as_ref(), now)
        });
        let mut due: Vec<(Timestamp, NoticeId)> = due.map(|(id, row)| (row.next_at, *id)).collect();
        due.sort_unstable();
        due.truncate(max as usize);
        let mut jobs = Vec::with_capacity(due.len());
        for (_, id) in due {
            let lease = self.lease(lease, now);
            let Some(row) = self.notices.get_mut(&id) else { continue };
            row.lease = Some(lease);
            let Some(channel) = self.channels.get(&row.notice.channel) else {
                // Its channel was removed: it can't go out, ever, and the next of its row has its turn.
                self.settle_notice(id, lease.fence, &NoticeOutcome::Failed { at: now }, now);
                continue;
            };
            jobs.push(NoticeJob {
                id,
                holder: row.notice.holder,
                channel: row.notice.channel,
                purpose: row.notice.purpose,
                about: row.notice.about,
                address: channel.address.clone(),
                attempts: row.attempts,
                created_at: row.notice.created_at,
                useless_after: row.notice.useless_after,
                fence: lease.fence,
            });
        }
        jobs
    }

    /// `false` when the lease isn't the caller's any more.
    pub fn settle_notice(&mut self, id: NoticeId, fence: i64, outcome: &NoticeOutcome, now: Timestamp) -> bool {
        let Some(row) = self.notices.get_mut(&id) else { return false };
        if row.status != NoticeStatus::Queued || row.lease.is_none_or(|lease| lease.fence != fence) {
            return false;
        }
        row.lease = None;
        match outcome {
            NoticeOutcome::Delivered { at } => {
                row.attempts += 1;
                row.status = NoticeStatus::Delivered;
                row.delivered_at = Some((*at).max(now));
            }
            NoticeOutcome::RetryAt(at) => {
                row.attempts += 1;
                row.next_at = *at;
            }
            NoticeOutcome::DeferredTo(at) => row.next_at = *at,
            NoticeOutcome::Failed { .. } => {
                row.attempts += 1;
                row.status = NoticeStatus::Failed;
                self.next_in_row(id, now);
            }
            NoticeOutcome::Dropped => row.status = NoticeStatus::Dropped,
        }
        true
    }

    pub fn notice_bounced(&mut self, id: NoticeId, now: Timestamp) -> bool {
        let Some(row) = self.notices.get_mut(&id).filter(|row| row.status == NoticeStatus::Delivered) else {
            return false;
        };
        row.status = NoticeStatus::Failed;
        row.delivered_at = None;
        self.next_in_row(id, now);
        true
    }

    /// Gives the next notice of the row its turn, once every one before it has failed.
    fn next_in_row(&mut self, failed: NoticeId, now: Timestamp) {
        let Some(failed) = self.notices.get(&failed).map(|row| row.notice.clone()) else { return };
        let mut row: Vec<_> = self
            .notices
            .values_mut()
            .filter(|other| other.notice.about == failed.about && other.notice.purpose == failed.purpose)
            .collect();
        row.sort_by_key(|other| other.notice.rank);
        if let Some(next) = row.into_iter().find(|other| other.status != NoticeStatus::Failed)
            && next.status == NoticeStatus::Waiting
        {
            next.status = NoticeStatus::Queued;
            next.next_at = now;
        }
    }

    pub fn claim_deliveries(
        &mut self,
        max: u32,
        per_endpoint: u32,
        busy: &[EndpointId],
        lease: Duration,
        now: Timestamp,
    ) -> Vec<DeliveryJob> {
        let mut due: Vec<(Timestamp, DeliveryId, EndpointId)> = Vec::new();
        for (id, row) in &self.deliveries {
            let endpoint = row.delivery.endpoint;
            let active = self.endpoints.get(&endpoint).is_some_and(|e| e.status == EndpointStatus::Active);
            let queued = row.status == DeliveryStatus::Queued && is_free(row.lease.as_ref(), now);
            if let Some(at) = row.next_at.filter(|at| *at <= now && active && queued && !busy.contains(&endpoint)) {
                due.push((at, *id, endpoint));
            }
        }
        due.sort_unstable();
        let mut taken: BTreeMap<EndpointId, u32> = BTreeMap::new();
        due.retain(|(_, _, endpoint)| {
            let count = taken.entry(*endpoint).or_insert(0);
            *count += 1;
            *count <= per_endpoint
        });
        due.truncate(max as usize);
        let mut jobs = Vec::with_capacity(due.len());
        for (_, id, endpoint) in due {
            let lease = self.lease(lease, now);
            let Some(row) = self.deliveries.get_mut(&id) else { continue };
            let Some(endpoint) = self.endpoints.get(&endpoint) else { continue };
            row.lease = Some(lease);
            jobs.push(DeliveryJob {
                id,
                endpoint: endpoint.clone(),
                message_id: row.delivery.message_id.clone(),
                body: row.delivery.body.clone(),
                attempts: row.attempts,
                created_at: row.delivery.created_at,
                fence: lease.fence,
            });
        }
        jobs
    }

    /// Does nothing when the lease isn't the caller's any more.
    pub fn settle_delivery(&mut self, id: DeliveryId, fence: i64, outcome: &DeliveryOutcome) {
        let Some(row) = self.deliveries.get_mut(&id) else { return };
        if row.status != DeliveryStatus::Queued || row.lease.is_none_or(|lease| lease.fence != fence) {
            return;
        }
        row.lease = None;
        row.attempts += 1;
        row.last_status = outcome.status;
        row.last_error = outcome.error.map(str::to_owned);
        (row.status, row.next_at, row.done_at) = match &outcome.next {
            DeliveryNext::Done => (DeliveryStatus::Delivered, None, Some(outcome.at)),
            DeliveryNext::RetryAt(at) => (DeliveryStatus::Queued, Some(*at), None),
            DeliveryNext::GiveUp | DeliveryNext::Disable => (DeliveryStatus::Failed, None, Some(outcome.at)),
        };
        if outcome.next == DeliveryNext::Disable
            && let Some(endpoint) = self.endpoints.get_mut(&row.delivery.endpoint)
        {
            endpoint.status = EndpointStatus::Disabled;
        }
    }
}
