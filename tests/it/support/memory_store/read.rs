//! Reads that take more than one look-up.

use std::collections::BTreeMap;

use countersign::domain::approval::{Approval, State, StateName, Told};
use countersign::domain::audit::AuditEntry;
use countersign::domain::backend::{IdempotencyKey, Remembered};
use countersign::domain::channel::{About, Channel, NoticeStatus, Purpose};
use countersign::domain::details::Subject;
use countersign::domain::holder::Holder;
use countersign::domain::webhook::{DeliveryStatus, EndpointStatus};
use countersign::domain::{ApprovalId, BackendId, DeliveryId, EndpointId, HolderId, NoticeId, Timestamp};
use countersign::ports::store::{Backlog, Case, DeliveryView, DueCase, Filter, NoticeView, Opening, SentNotice};

use super::Record;

impl Record {
    pub fn remembered(&self, backend: BackendId, key: &IdempotencyKey) -> Option<&Remembered> {
        self.remembered.get(&(backend, key.as_str().to_owned()))
    }

    pub fn holder(&self, backend: BackendId, subject: &Subject) -> Option<&Holder> {
        self.holders.values().find(|holder| holder.backend == backend && holder.subject == *subject)
    }

    pub fn channels_of(&self, holder: HolderId) -> Vec<Channel> {
        let theirs = self.channels.values().filter(|new| new.holder == holder);
        theirs.cloned().collect()
    }

    /// Approvals of the holder that wait for an answer.
    pub fn pending(&self, holder: HolderId) -> u32 {
        let waits = |approval: &&Approval| approval.holder == holder && approval.state == State::Pending;
        self.approvals.values().map(|row| &row.approval).filter(waits).map(|_| 1).sum()
    }

    pub fn opening(&self, backend: BackendId, subject: &Subject, key: &IdempotencyKey) -> Opening {
        let holder = self.holder(backend, subject).cloned();
        let id = holder.as_ref().map(|holder| holder.id);
        let live = self.devices.values().filter(|device| Some(device.body.holder) == id && device.is_live());
        Opening {
            channels: id.map(|id| self.channels_of(id)).unwrap_or_default(),
            remembered: self.remembered(backend, key).cloned(),
            pending: id.map_or(0, |id| self.pending(id)),
            devices: live.map(|_| 1).sum(),
            freezes: id.map_or(0, |id| self.holding(id).iter().map(|_| 1).sum()),
            holder,
        }
    }

    fn active_endpoints(&self, backend: BackendId) -> Vec<EndpointId> {
        let active = |status| status == EndpointStatus::Active;
        let theirs = self.endpoints.values().filter(|endpoint| endpoint.backend == backend && active(endpoint.status));
        theirs.map(|endpoint| endpoint.id).collect()
    }

    pub fn case(&self, id: ApprovalId) -> Option<Case> {
        let row = self.approvals.get(&id)?;
        Some(Case {
            approval: row.approval.clone(),
            endpoints: self.active_endpoints(row.approval.backend),
            receipt: row.receipt.clone(),
        })
    }

    pub fn due_case(&self, id: ApprovalId) -> Option<DueCase> {
        let approval = self.approvals.get(&id)?.approval.clone();
        let told = self.told(&approval);
        let logged = self.logged(id);
        Some(DueCase { told, logged, endpoints: self.active_endpoints(approval.backend), approval })
    }

    /// Size of the newest checkpoint, if it has the entry of the decision.
    fn logged(&self, id: ApprovalId) -> Option<u64> {
        let newest = self.checkpoints.last()?.head.size;
        let index = self.approve_entry(id)?;
        ((index as u64) < newest).then_some(newest)
    }

    /// Which entry is that of the decision on an approval.
    pub fn approve_entry(&self, id: ApprovalId) -> Option<usize> {
        let about_it = self.evidence.iter().filter(|(about, ..)| *about == Some(id));
        let changes: Vec<_> = about_it.map(|(_, change, _)| *change).collect();
        let kinds = ["approval.approved", "override.signed_twice"];
        let decides = |entry: &AuditEntry| kinds.contains(&entry.kind) && changes.contains(&entry.id);
        self.entries.iter().position(decides)
    }

    /// The first notice that counts as having told the holder of a decision.
    fn told(&self, approval: &Approval) -> Option<Told> {
        let decision = approval.state.decision()?;
        let mut counting: Vec<Told> = Vec::new();
        for row in self.notices.values().filter(|row| row.notice.about == About::Approval(approval.id)) {
            let (Some(delivered_at), Some(new)) = (row.delivered_at, self.channels.get(&row.notice.channel)) else {
                continue;
            };
            let after_it = delivered_at >= decision.approved_at;
            let counts = new.counts_from <= delivered_at && (new.device.is_none() || new.device != decision.device());
            let about_cooling = matches!(row.notice.purpose, Purpose::Cooling | Purpose::OverrideCooling);
            if row.status == NoticeStatus::Delivered && about_cooling && after_it && counts {
                counting.push(Told { channel: new.id, delivered_at });
            }
        }
        counting.into_iter().min_by_key(|told| (told.delivered_at, told.channel))
    }

    pub fn due_before(
        &self,
        before: Timestamp,
        after: Option<(Timestamp, ApprovalId)>,
        limit: u32,
    ) -> Vec<(ApprovalId, Timestamp)> {
        let due = self.approvals.iter().filter_map(|(id, row)| Some((row.approval.due_at()?, *id)));
        let mut due: Vec<_> =
            due.filter(|(at, id)| *at < before && after.is_none_or(|after| (*at, *id) > after)).collect();
        due.sort_unstable();
        due.into_iter().map(|(at, id)| (id, at)).take(limit as usize).collect()
    }

    pub fn past_hold(&self, ids: &[ApprovalId], now: Timestamp) -> Vec<ApprovalId> {
        let is_past = |id: &&ApprovalId| {
            let row = self.approvals.get(id);
            row.is_some_and(
                |row| matches!(row.approval.state, State::Cooling { cooling_until, .. } if cooling_until <= now),
            )
        };
        ids.iter().filter(is_past).copied().collect()
    }

    pub fn list(&self, backend: BackendId, filter: &Filter, limit: u32) -> Vec<Approval> {
        let fits = |approval: &&Approval| {
            let transfer = approval.details.transfer();
            approval.backend == backend
                && filter.state.is_none_or(|state| approval.state.name() == state)
                && filter.subject.as_ref().is_none_or(|subject| transfer.subject == *subject)
                && filter.transfer_id.as_ref().is_none_or(|id| transfer.transfer_id == *id)
                && filter.before.is_none_or(|before| approval.id < before)
        };
        let newest_first = self.approvals.values().rev().map(|row| &row.approval);
        newest_first.filter(fits).take(limit as usize).cloned().collect()
    }

    pub fn list_of_holder(&self, holder: HolderId, limit: u32) -> Vec<Approval> {
        let newest_first = self.approvals.values().rev().map(|row| &row.approval);
        let (ended, live): (Vec<&Approval>, Vec<&Approval>) =
            newest_first.filter(|approval| approval.holder == holder).partition(|a| a.state.name().is_final());
        live.into_iter().chain(ended).take(limit as usize).cloned().collect()
    }

    pub fn sent_notice(&self, id: NoticeId) -> Option<SentNotice> {
        let row = self.notices.get(&id)?;
        let (holder, about, purpose) = (row.notice.holder, row.notice.about, row.notice.purpose);
        let backend = self.holders.get(&holder)?.backend;
        Some(SentNotice { backend, holder, about, purpose, status: row.status })
    }

    pub fn notice_views(&self, approval: ApprovalId) -> Vec<NoticeView> {
        let about_it = self.notices.values().filter(|row| row.notice.about == About::Approval(approval));
        let view = |row: &super::record::NoticeRow| {
            let channel = self.channels.get(&row.notice.channel)?;
            Some(NoticeView {
                id: row.notice.id,
                channel: channel.id,
                kind: channel.kind,
                masked: channel.masked.clone(),
                purpose: row.notice.purpose,
                status: row.status,
                attempts: row.attempts,
                delivered_at: row.delivered_at,
            })
        };
        about_it.filter_map(view).collect()
    }

    pub fn delivery_views(&self, endpoint: EndpointId, before: Option<DeliveryId>, limit: u32) -> Vec<DeliveryView> {
        let newest_first = self.deliveries.values().rev().filter(|row| row.delivery.endpoint == endpoint);
        let view = |row: &super::record::DeliveryRow| DeliveryView {
            id: row.delivery.id,
            endpoint,
            message_id: row.delivery.message_id.clone(),
            status: row.status,
            attempts: row.attempts,
            last_status: row.last_status,
            last_error: row.last_error.clone(),
            created_at: row.delivery.created_at,
            next_at: row.next_at,
            done_at: row.done_at,
        };
        let older = newest_first.filter(|row| before.is_none_or(|before| row.delivery.id < before));
        older.take(limit as usize).map(view).collect()
    }

    pub fn backlog(&self, now: Timestamp) -> Backlog {
        let notices = self.notices.values().filter(|row| row.status == NoticeStatus::Queued && row.next_at <= now);
        let notices: Vec<Timestamp> = notices.map(|row| row.next_at).collect();
        let queued = self.deliveries.values().filter(|row| row.status == DeliveryStatus::Queued);
        let deliveries: Vec<Timestamp> = queued.filter_map(|row| row.next_at).filter(|at| *at <= now).collect();
        Backlog {
            notices: notices.len() as u64,
            deliveries: deliveries.len() as u64,
            oldest: notices.into_iter().chain(deliveries).min(),
        }
    }

    pub fn live_counts(&self) -> Vec<(StateName, u64)> {
        let mut counts = BTreeMap::new();
        for name in self.approvals.values().map(|row| row.approval.state.name()).filter(|name| !name.is_final()) {
            *counts.entry(name).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }
}
