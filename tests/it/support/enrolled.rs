//! A holder's device by the shortest way, past its hold: how one is enrolled is tested elsewhere.

use std::time::Duration;

use countersign::domain::approval::Actor;
use countersign::domain::audit::{AuditEntry, AuditEvent, Facts};
use countersign::domain::backend::{IdempotencyKey, Remembered};
use countersign::domain::details::{Digest, Subject};
use countersign::domain::device::{Blob, Device, DeviceBody, DeviceKey, DeviceName};
use countersign::domain::link::{ENROL_LINK_LIFE, EnrolLink};
use countersign::domain::policy::Assurance;
use countersign::domain::{BackendId, ChangeId, DeviceId, HolderId, LinkId};
use countersign::ports::{Change, Effect};
use countersign::service::Context;
use serde_json::json;

const HOUR: Duration = Duration::from_secs(3600);

/// A change with an entry that says nothing.
pub fn entered(cx: &Context, effect: Effect) -> Change {
    let now = cx.now();
    let event = AuditEvent { kind: "test", actor: Actor::Service, object: Vec::new(), facts: Facts::new() };
    let entry = AuditEntry::new(cx.id(ChangeId::new, now), now, cx.random(), &event).unwrap();
    Change::new(entry, effect)
}

/// Stores an effect past the services.
pub async fn apply(cx: &Context, effect: Effect) {
    cx.store.commit(entered(cx, effect)).await.unwrap();
}

/// Enrols a device of a holder who is there, with this cookie; `once` names the idempotency key of its link.
pub async fn enrol(cx: &Context, backend: BackendId, subject: &str, cookie: &str, once: &str) -> HolderId {
    let parsed = Subject::parse(subject).unwrap();
    let holder = cx.store.holder(backend, &parsed).await.unwrap().unwrap().id;
    let now = cx.now();
    let link = EnrolLink {
        id: cx.id(LinkId::new, now),
        holder,
        token_hash: Digest::of(subject.as_bytes()),
        created_at: now,
        expires_at: now + ENROL_LINK_LIFE,
        tries: 0,
        ended_at: None,
    };
    let mut key = [9; 65];
    key[0] = 4;
    let body = DeviceBody {
        id: cx.id(DeviceId::new, now),
        holder,
        name: DeviceName::parse("Marta’s telephone").unwrap(),
        credential: json!({}),
        credential_id: Blob(subject.as_bytes().to_vec()),
        key: DeviceKey::from_bytes(&key).unwrap(),
        cookie_hash: Digest::of(cookie.as_bytes()),
        assurance: Assurance::DeviceBound,
        enrolled_at: now - 48 * HOUR,
        usable_from: now - 36 * HOUR,
    };
    let device = Device { body, counter: 0, failures: 0, locked_at: None, removed_at: None };
    let remember = Remembered {
        backend,
        key: IdempotencyKey::parse(once).unwrap(),
        request: Digest::of(b""),
        answer: String::new(),
        created_at: now,
    };
    let id = link.id;
    apply(cx, Effect::AddLink { link, remember }).await;
    apply(cx, Effect::EnrolFirst { link: id, device: Box::new(device), at: now - 48 * HOUR }).await;
    holder
}
