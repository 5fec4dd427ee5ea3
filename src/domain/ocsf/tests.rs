//! Events against what the schema demands of their class, and a picture of one of each.

use serde_json::Value;

use super::*;
use crate::domain::approval::Actor as Who;
use crate::domain::audit::{AuditEntry, AuditEvent, Facts};
use crate::domain::ids::{ApprovalId, DeviceId, HolderId, KeyId};

const AT: Timestamp = Timestamp::from_micros(1_795_271_520_000_000);

fn mapped(kind: &'static str, actor: Who, object: &[String], facts: Facts) -> Value {
    let event = AuditEvent { kind, actor, object: object.to_vec(), facts };
    let entry = AuditEntry::new(ChangeId::new(AT, [9; 10]), AT, [1; 16], &event).unwrap();
    let reading = Reading::of(&entry.canonical).unwrap();
    let seen = Seen {
        index: 41,
        id: entry.id,
        at: entry.at,
        kind: entry.kind,
        leaf_hash: entry.leaf_hash,
        reading: Some(&reading),
    };
    serde_json::to_value(self::event(&seen, "approve.example/log")).unwrap()
}

fn approval() -> String {
    ApprovalId::new(AT, [1; 10]).to_string()
}

fn device() -> DeviceId {
    DeviceId::new(AT, [2; 10])
}

/// Attributes that OCSF 1.5.0 requires, of every event and of each class, and the alternatives of which it wants one.
fn is_valid(event: &Value) {
    let has = |path: &str| event.pointer(path).is_some_and(|value| !value.is_null() && *value != "");
    for path in ["/activity_id", "/category_uid", "/class_uid", "/type_uid", "/time", "/severity_id", "/metadata"] {
        assert!(has(path), "{path} is missing in {event}");
    }
    for path in ["/metadata/version", "/metadata/product/name", "/metadata/uid"] {
        assert!(has(path), "{path} is missing in {event}");
    }
    let number = |name: &str| event[name].as_u64().unwrap();
    assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
    assert_eq!(number("category_uid"), number("class_uid") / 1000);
    let required: &[&str] = match number("class_uid") {
        3004 => &["/entity/uid"],
        3002 => &["/user/uid", "/service/name"],
        2004 => &["/finding_info/uid", "/finding_info/title"],
        0 => &[],
        other => panic!("class {other}"),
    };
    for path in required {
        assert!(has(path), "{path} is missing in {event}");
    }
    if let Some(actor) = event.get("actor") {
        assert!(actor.get("user").is_some() || actor.get("app_name").is_some(), "{actor}");
    }
    let profiles = event["metadata"].get("profiles").is_some();
    assert_eq!(event.get("disposition_id").is_some(), profiles, "{event}");
    assert_eq!(event.get("disposition_id").is_some(), event.get("action_id").is_some(), "{event}");
}

#[test]
fn every_kind_with_a_rule_gives_a_valid_event_of_its_class() {
    for (kind, rule) in rules::KNOWN {
        for actor in [Who::Device(device()), Who::Backend(KeyId::new(AT, [3; 10])), Who::Service, Who::Link] {
            for object in [vec![], vec![approval()], vec![HolderId::new(AT, [4; 10]).to_string()]] {
                let event = mapped(kind, actor, &object, Facts::new());
                is_valid(&event);
                assert_eq!(event["class_uid"], rule.class.uid().0);
            }
        }
    }
}

#[test]
fn words_of_staff_and_overrides_have_a_class() {
    for (kind, class, activity) in [
        ("staff.added", 3004, 1),
        ("staff.ended", 3004, 9),
        ("staff.signed_in", 3002, 1),
        ("staff.signed_out", 3002, 2),
        ("staff.sign_in_refused", 3002, 1),
        ("holder.viewed", 3004, 2),
        ("holder.revealed", 3004, 2),
        ("holder.unfrozen", 3004, 13),
        ("override.requested", 3004, 1),
        ("override.signed", 3004, 3),
        ("override.refused", 3004, 3),
    ] {
        let event = mapped(kind, Who::Operator, &[], Facts::new());
        is_valid(&event);
        assert_eq!(
            (event["class_uid"].as_u64(), event["activity_id"].as_u64()),
            (Some(class), Some(activity)),
            "{kind}"
        );
    }
}

#[test]
fn what_no_rule_knows_is_a_base_event_with_everything_in_it() {
    let facts = Facts::from([("colour", "green".to_owned())]);
    for kind in ["moon.landed", "staff.danced", "nodot", "added", ""] {
        let event = mapped(kind, Who::Unknown, &[approval()], facts.clone());
        is_valid(&event);
        assert_eq!((event["class_uid"].as_u64(), event["type_uid"].as_u64()), (Some(0), Some(99)), "{kind}");
        assert_eq!(event["message"], kind);
        assert_eq!(event["unmapped"]["facts"]["colour"], "green");
        assert_eq!(event["unmapped"]["object"][0], approval().as_str());
    }
}

#[test]
fn an_erased_entry_is_told_as_erased() {
    let leaf_hash = Digest::of(b"leaf");
    let id = ChangeId::new(AT, [9; 10]);
    for kind in ["approval.released", "staff.signed_in", "row.forged", "moon.landed"] {
        let seen = Seen { index: 7, id, at: AT, kind, leaf_hash, reading: None };
        let event = serde_json::to_value(event(&seen, "approve.example/log")).unwrap();
        is_valid(&event);
        assert_eq!(event["unmapped"]["erased"], true);
        assert_eq!(event["metadata"]["sequence"], 7);
    }
}

#[test]
fn outcomes_are_told_as_dispositions() {
    let of = |kind| {
        let event = mapped(kind, Who::Service, &[approval()], Facts::new());
        (event["disposition_id"].as_u64(), event["action_id"].as_u64())
    };
    assert_eq!(of("approval.approved"), (Some(8), Some(1)));
    assert_eq!(of("approval.released"), (Some(8), Some(1)));
    for kind in ["approval.rejected", "approval.cancelled", "approval.expired", "decide.refused", "row.forged"] {
        assert_eq!(of(kind), (Some(2), Some(2)), "{kind}");
    }
    assert_eq!(of("approval.opened"), (None, None));
}

/// A prompt that was refused is a failed logon of the device, or of somebody who had its cookie; each says why.
#[test]
fn a_refused_prompt_says_who_and_why() {
    let objects = [approval(), device().to_string()];
    for (by, why) in [
        (Who::Device(device()), "same_browser"),
        (Who::Device(device()), "device_too_new"),
        (Who::Device(device()), "device_locked"),
        (Who::Unknown, "device_key"),
    ] {
        let event = mapped("decide.refused", by, &objects, Facts::from([("why", why.to_owned())]));
        assert_eq!((event["class_uid"].as_u64(), event["activity_id"].as_u64()), (Some(3002), Some(1)), "{why}");
        assert_eq!((event["severity_id"].as_u64(), event["status_id"].as_u64()), (Some(3), Some(2)), "{why}");
        assert!(event.to_string().contains(why), "{event}");
    }
}

#[test]
fn one_of_each_class() {
    let objects = [approval(), HolderId::new(AT, [4; 10]).to_string()];
    let facts = Facts::from([("version", "3".to_owned()), ("reason", "holder_stopped".to_owned())]);
    insta::assert_json_snapshot!("entity", mapped("approval.cancelled", Who::Device(device()), &objects, facts));
    let facts = Facts::from([("why", "signature".to_owned()), ("failures", "2".to_owned())]);
    let objects = [approval(), device().to_string()];
    insta::assert_json_snapshot!("authentication", mapped("decide.failed", Who::Device(device()), &objects, facts));
    let facts = Facts::from([("why", "approvals".to_owned())]);
    insta::assert_json_snapshot!("finding", mapped("row.forged", Who::Service, &[approval()], facts));
    insta::assert_json_snapshot!("base", mapped("moon.landed", Who::Unknown, &[], Facts::new()));
}
