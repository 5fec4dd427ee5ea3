//! A change as the committers take it: its rows made and sealed by the caller's task, so that a committer only moves
//! bytes. Also which changes may stand in one batch, and in what order. May import: `domain`, `ports`, the rows.

use std::collections::HashSet;
use uuid::Uuid;

use super::handover::Born;
use super::rows::approval::ApprovalRow;
use super::rows::audit::seal_of;
use super::rows::json;
use super::rows::log::approval_of;
use super::seal::Seals;
use crate::domain::approval::StateName;
use crate::domain::approval::transitions::Guard;
use crate::domain::audit::AuditEntry;
use crate::domain::backend::Remembered;
use crate::domain::channel::Notice;
use crate::domain::event::EventKind;
use crate::domain::ids::ApprovalId;
use crate::domain::webhook::Delivery;
use crate::ports::change::{Change, DeviceProof, Effect};
use crate::ports::store::StoreError;

/// One change, ready to be written.
#[derive(Debug)]
pub struct Write {
    pub entry: AuditEntry,
    /// The entry's.
    pub seal: [u8; 32],
    pub effect: Prepared,
    pub notices: Vec<Notice>,
    pub deliveries: Vec<Delivery>,
    pub evidence: Option<EvidenceRow>,
    /// How what is to be sent is written.
    pub born: Born,
}

/// Evidence as it is stored.
#[derive(Debug)]
pub struct EvidenceRow {
    pub approval: Option<ApprovalId>,
    pub body: String,
}

/// What a change does.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each queued change; a box would cost an allocation on the hot path"
)]
pub enum Prepared {
    Noted,
    Open {
        row: ApprovalRow,
        remember: Remembered,
    },
    Transition(Box<Moved>),
    /// Seldom enough to have a transaction of its own.
    Rare(Box<Effect>),
}

/// A transition, ready to be written.
#[derive(Debug)]
pub struct Moved {
    pub row: ApprovalRow,
    /// The version that the record must still have.
    pub from: i64,
    pub guard: Guard,
    pub proof: Option<DeviceProof>,
    pub receipt: Option<String>,
    tightens: bool,
}

/// Something of which a batch may hold only one change: a statement that writes one row twice keeps the first write
/// and still adds the outbox rows of both.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Claimed<'a> {
    Approval(Uuid),
    /// Places for pending approvals are counted as they were before the batch.
    Holder(Uuid),
    Transfer(Uuid, &'a str),
    Key(Uuid, &'a str),
    Device(Uuid),
}

impl Write {
    /// Makes the rows of a change.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when something can't be written down, which no value of the domain should cause.
    pub fn prepare(change: Change, seals: &Seals, born: Born) -> Result<Self, StoreError> {
        let Change { entry, effect, notices, deliveries, evidence } = change;
        let evidence = evidence
            .map(|evidence| {
                let body = json("evidence", entry.id, &evidence)?;
                let approval = match &effect {
                    // The signatures of staff belong to the transfer that they approve.
                    Effect::Override(write) => write.step.case.request.kind.approval(),
                    _ => approval_of(&evidence),
                };
                Ok::<_, StoreError>(EvidenceRow { approval, body })
            })
            .transpose()?;
        let effect = match effect {
            Effect::Noted => Prepared::Noted,
            Effect::Open { approval, remember } => Prepared::Open { row: ApprovalRow::of(&approval, seals)?, remember },
            Effect::Transition { transition, proof, receipt } => {
                let tightens = matches!(
                    (transition.event, transition.approval.state.name()),
                    (EventKind::Extended, _) | (_, StateName::Cancelled | StateName::Rejected)
                );
                Prepared::Transition(Box::new(Moved {
                    row: ApprovalRow::of(&transition.approval, seals)?,
                    from: i64::from(transition.from),
                    guard: transition.guard,
                    proof,
                    receipt,
                    tightens,
                }))
            }
            rare => Prepared::Rare(Box::new(rare)),
        };
        let seal = seal_of(&entry, seals);
        Ok(Self { entry, seal, effect, notices, deliveries, evidence, born })
    }

    /// Whether it gets a transaction of its own.
    pub const fn is_rare(&self) -> bool {
        matches!(self.effect, Prepared::Rare(_))
    }

    /// Whether it makes a release less likely or later. Such a change goes before all others in the queue.
    pub fn tightens(&self) -> bool {
        match &self.effect {
            Prepared::Transition(moved) => moved.tightens,
            Prepared::Rare(effect) => {
                matches!(
                    **effect,
                    Effect::RevokeKey { .. }
                        | Effect::CountFailure { .. }
                        | Effect::CountTry { .. }
                        | Effect::EndLink { .. }
                        | Effect::Bounce(_)
                ) || match &**effect {
                    Effect::Freeze { step, .. } => step.tightens(),
                    Effect::Override(write) => write.step.event.tightens(),
                    Effect::Staff(effect) => effect.tightens(),
                    _ => false,
                }
            }
            Prepared::Noted | Prepared::Open { .. } => false,
        }
    }

    fn claims(&self) -> Vec<Claimed<'_>> {
        match &self.effect {
            Prepared::Noted | Prepared::Rare(_) => Vec::new(),
            Prepared::Open { row, remember } => vec![
                Claimed::Approval(row.id),
                Claimed::Holder(row.columns.holder_id),
                Claimed::Transfer(row.columns.backend_id, &row.columns.transfer_id),
                Claimed::Key(remember.backend.uuid(), remember.key.as_str()),
            ],
            Prepared::Transition(moved) => {
                let columns = &moved.row.columns;
                let mut claims =
                    vec![Claimed::Approval(moved.row.id), Claimed::Transfer(columns.backend_id, &columns.transfer_id)];
                claims.extend(moved.proof.map(|proof| Claimed::Device(proof.device.uuid())));
                claims
            }
        }
    }
}

/// Which of the queued changes, in their order, form the next batch. The others wait for the one after it. The first
/// one is always in it, so that everybody's turn comes.
pub fn choose<'a>(queued: impl IntoIterator<Item = &'a Write>) -> Vec<bool> {
    let mut taken: HashSet<Claimed<'a>> = HashSet::new();
    let fits = |write: &'a Write| {
        let claims = write.claims();
        let free = claims.iter().all(|claim| !taken.contains(claim));
        if free {
            taken.extend(claims);
        }
        free
    };
    queued.into_iter().map(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::approval::Actor;
    use crate::domain::audit::{AuditEvent, Facts};
    use crate::domain::details::Salt;
    use crate::domain::freeze::{Freeze, FreezeReason};
    use crate::domain::ids::{ChangeId, FreezeId, HolderId, OverrideId, StaffId};
    use crate::domain::override_request::transitions::{Event, Step};
    use crate::domain::override_request::{Caps, Kind, OverrideRequest, Request, State, Words};
    use crate::domain::time::Timestamp;
    use crate::ports::overrides::{Also, OverrideWrite};

    const NOW: Timestamp = Timestamp::EPOCH;

    fn write(effect: Effect) -> Write {
        let event = AuditEvent { kind: "test", actor: Actor::Service, object: Vec::new(), facts: Facts::new() };
        let entry = AuditEntry::new(ChangeId::new(NOW, [1; 10]), NOW, [0; 16], &event).unwrap();
        let effect = Prepared::Rare(Box::new(effect));
        Write {
            entry,
            effect,
            notices: Vec::new(),
            deliveries: Vec::new(),
            evidence: None,
            seal: [0; 32],
            born: Born::Free,
        }
    }

    #[test]
    fn a_freeze_goes_before_others_and_its_end_does_not() {
        let holder = HolderId::new(NOW, [2; 10]);
        let begun = Freeze::begin(FreezeId::new(NOW, [3; 10]), holder, FreezeReason::Link, Actor::Link, NOW);
        let over = NOW + crate::domain::freeze::LINK_FREEZE;
        let ended = begun.freeze.clone().fall_due(None, over).unwrap();
        assert!(write(Effect::Freeze { step: Box::new(begun), proof: None }).tightens());
        assert!(!write(Effect::Freeze { step: Box::new(ended), proof: None }).tightens());
    }

    #[test]
    fn what_ends_an_override_goes_before_others_and_nothing_else_of_it_does() {
        let staff = |number| StaffId::new(NOW, [number; 10]);
        let request = Request {
            id: OverrideId::new(NOW, [4; 10]),
            holder: HolderId::new(NOW, [2; 10]),
            requester: staff(5),
            kind: Kind::ResetDevices,
            reason: Words::parse("lost the telephone on the train").unwrap(),
            disputed: Vec::new(),
            created_at: NOW,
            nonce: Salt([0; 16]),
        };
        let state = State::Stopped { by: Actor::Link, at: NOW };
        let drawn = [staff(6), staff(7)];
        let case = OverrideRequest { version: 2, request, drawn, earlier: None, expires_at: NOW, state };
        let first: Vec<Event> = Event::ALL
            .into_iter()
            .filter(|event| {
                let step = Step { case: case.clone(), from: Some(1), guard: Guard::default(), event: *event };
                let (caps, also) = (Caps::DEFAULT, Also::Nothing);
                let stored = OverrideWrite { step, caps, proof: None, also, tell: Vec::new() };
                write(Effect::Override(Box::new(stored))).tightens()
            })
            .collect();
        assert_eq!(first, [Event::Refused, Event::Expired, Event::Stopped, Event::Unreachable, Event::Void]);
    }
}
