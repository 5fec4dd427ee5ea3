//! The state machine from outside: every command in every state, who may decide, what staff start, and random
//! histories.
//!
//! This file owns the samples that they share: one transfer, its devices, and an approval in each state.

mod by_staff;
mod deciding;
mod random;
mod table;

use super::transitions::Deciding;
use super::*;
use crate::domain::details::tests::parts;
use crate::domain::details::{Salt, Transfer};
use crate::domain::device::{Blob, Device, DeviceBody, DeviceKey, DeviceName};
use crate::domain::policy::Assurance;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// The resolution of a timestamp: the smallest step before or after a deadline.
const TICK: Duration = Duration::from_micros(1);

/// When the sample approval is created.
const CREATED: Timestamp = Timestamp::from_micros(1_795_271_520_000_000);

fn terms() -> Terms {
    Terms {
        hold: 15 * MINUTE,
        hold_cap: 72 * HOUR,
        life: HOUR,
        redeem_within: 24 * HOUR,
        assurance: Assurance::Synced,
        unproved: Unproved::HoldFor(4 * HOUR),
        told_before: 10 * MINUTE,
    }
}

fn holder() -> HolderId {
    HolderId::new(CREATED, [1; 10])
}

fn opened() -> Approval {
    let details = Details::of(Transfer::new(parts(), Salt([9; 16])).unwrap()).unwrap();
    let id = ApprovalId::new(CREATED, [2; 10]);
    Approval::open(id, BackendId::new(CREATED, [3; 10]), holder(), details, terms(), CREATED)
}

/// A device of the holder that may decide the sample approval. Each number is another device.
fn device(number: u8) -> Device {
    let mut key = [number; 65];
    key[0] = 4;
    let body = DeviceBody {
        id: DeviceId::new(CREATED, [number; 10]),
        holder: holder(),
        name: DeviceName::parse("Telephone").unwrap(),
        credential: serde_json::Value::Null,
        credential_id: Blob(vec![number; 16]),
        key: DeviceKey::from_bytes(&key).unwrap(),
        cookie_hash: Digest::of(&[number]),
        assurance: Assurance::DeviceBound,
        enrolled_at: CREATED - 48 * HOUR,
        usable_from: CREATED - 36 * HOUR,
    };
    Device { body, counter: 0, failures: 0, locked_at: None, removed_at: None }
}

/// The device's own browser, without any mark.
fn by(device: &Device) -> Deciding<'_> {
    Deciding { device, mark: None }
}

fn mark() -> Digest {
    Digest::of(b"the mark of the waiting browser")
}

fn challenge() -> Digest {
    Digest::of(b"what both signatures cover")
}

fn redeem_key() -> KeyId {
    KeyId::new(CREATED, [5; 10])
}

fn idempotency_key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

fn told_at(delivered_at: Timestamp) -> Told {
    Told { channel: ChannelId::new(CREATED, [6; 10]), delivered_at }
}

const APPROVED: Timestamp = Timestamp::from_micros(CREATED.micros() + 60_000_000);

fn decision() -> Decision {
    let device = device(1).body;
    Decision {
        by: Decider::Device {
            device: device.id,
            device_enrolled_at: device.enrolled_at,
            assurance: device.assurance,
            distinct: Distinct::Unproved,
        },
        approved_at: APPROVED,
        hold: 4 * HOUR,
        challenge: challenge(),
    }
}

/// The sample approval in this state, as a real history would have left it: created at [`CREATED`], approved a minute
/// later by `device(1)` with nobody watching, released 4 h after that, redeemed an hour later.
fn in_state(name: StateName) -> Approval {
    let cooling_until = APPROVED + 4 * HOUR;
    let (state, version) = match name {
        StateName::Pending => (State::Pending, 1),
        StateName::Cooling => (State::Cooling { decision: decision(), cooling_until }, 2),
        StateName::Released => (
            State::Released {
                decision: decision(),
                told: told_at(APPROVED + MINUTE),
                released_at: cooling_until,
                redeem_until: cooling_until + 24 * HOUR,
            },
            3,
        ),
        StateName::Redeemed => (
            State::Redeemed {
                decision: decision(),
                told: told_at(APPROVED + MINUTE),
                released_at: cooling_until,
                redeemed_at: cooling_until + HOUR,
                by: redeem_key(),
                idempotency_key: idempotency_key("first"),
            },
            4,
        ),
        StateName::Rejected => {
            let by = Actor::Device(device(1).body.id);
            (State::Rejected { reason: RejectReason::HolderRejected, by, at: APPROVED }, 2)
        }
        StateName::Cancelled => {
            (State::Cancelled { reason: CancelReason::LinkStopped, by: Actor::Link, at: APPROVED }, 2)
        }
        StateName::Expired => (State::Expired { reason: ExpireReason::Unanswered, at: CREATED + HOUR }, 2),
    };
    Approval { version, state, ..opened() }
}

#[test]
fn a_new_approval_waits_for_its_life_and_nobody_has_seen_it() {
    let approval = opened();
    assert_eq!(approval, in_state(StateName::Pending));
    assert_eq!((approval.version, approval.expires_at), (1, CREATED + HOUR));
    assert_eq!((&approval.watcher, approval.due_at()), (&Watcher::Nobody, Some(CREATED + HOUR)));
}

#[test]
fn every_state_reads_back_from_the_record_with_its_digest() {
    for name in StateName::ALL {
        let approval = in_state(name);
        let body = approval.to_body().unwrap();
        assert_eq!(Approval::from_stored(&body, approval.details.canonical()).unwrap(), approval);
        assert_eq!(StateName::parse(name.as_str()), Some(name));
        assert_eq!(approval.state.reason().is_some(), name.is_final() && name != StateName::Redeemed);
    }
    let body = opened().to_body().unwrap();
    let mut other = parts();
    other.amount = "12500.01".into();
    let other = Details::of(Transfer::new(other, Salt([9; 16])).unwrap()).unwrap();
    assert!(matches!(Approval::from_stored(&body, other.canonical()), Err(BadRecord::Digest)));
    assert!(matches!(Approval::from_stored("{}", other.canonical()), Err(BadRecord::Body(_))));
    assert!(matches!(Approval::from_stored(&body, "{}"), Err(BadRecord::Details(_))));
}
