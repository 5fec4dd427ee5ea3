//! Audit entries as events of the Open Cybersecurity Schema Framework, for a SIEM.
//!
//! [`rules`] says which class, activity and outcome each kind of entry has; here an entry becomes an event. Nothing is
//! dropped: an entry of a kind that no rule knows is a Base Event, and one whose personal data was erased still says
//! what kind it was. Sources: OCSF 1.5.0, classes 3004 Entity Management, 3002 Authentication, 2004 Detection Finding
//! and 0 Base Event, and the profile Security Control.

pub mod rules;
#[cfg(test)]
mod tests;

use serde::Serialize;
use std::collections::BTreeMap;

use self::rules::{Class, Disposition, Outcome, Rule, Severity};
use super::audit::reading::Reading;
use super::details::Digest;
use super::ids::ChangeId;
use super::time::Timestamp;

/// Version of the schema that the events are written in.
pub const SCHEMA: &str = "1.5.0";

/// An entry as the log has it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its leaf in the log.
    pub index: u64,
    pub id: ChangeId,
    pub at: Timestamp,
    pub kind: &'a str,
    pub leaf_hash: Digest,
    /// What it says; `None` once that was erased, or when it doesn't read.
    pub reading: Option<&'a Reading>,
}

/// An event, in the order in which people read it.
#[derive(Debug, Clone, Serialize)]
pub struct Event<'a> {
    pub activity_id: u32,
    pub activity_name: &'static str,
    pub category_uid: u32,
    pub category_name: &'static str,
    pub class_uid: u32,
    pub class_name: &'static str,
    pub type_uid: u32,
    /// Milliseconds since 1970.
    pub time: i64,
    pub severity_id: u32,
    pub severity: &'static str,
    pub message: &'a str,
    pub metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<Entity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding_info: Option<FindingInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_alert: Option<bool>,
    /// What the schema has no place for: the objects, the facts, and the leaf.
    pub unmapped: Unmapped<'a>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Metadata<'a> {
    pub version: &'static str,
    pub product: Product,
    /// The entry's id: by it a repeated event is known.
    pub uid: String,
    pub event_code: &'a str,
    /// Origin of the log.
    pub log_name: &'a str,
    /// Index of the leaf: without gaps, so that a missing event shows.
    pub sequence: u64,
    /// Set when the text had to be left out to fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_truncated: Option<bool>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub profiles: &'static [&'static str],
}

#[derive(Debug, Clone, Serialize)]
pub struct Product {
    pub name: &'static str,
    pub vendor_name: &'static str,
    pub version: &'static str,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<&'a str>,
}

#[derive(Debug, Clone, Serialize)]
pub struct User<'a> {
    pub uid: &'a str,
    pub type_id: u32,
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<Named<'a>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Entity<'a> {
    pub uid: &'a str,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub struct Named<'a> {
    pub name: &'a str,
}

#[derive(Debug, Clone, Serialize)]
pub struct FindingInfo<'a> {
    pub uid: String,
    pub title: &'a str,
    pub created_time: i64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Unmapped<'a> {
    pub leaf_hash: Digest,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub object: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<&'a BTreeMap<String, String>>,
    /// Whether the entry's text was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased: Option<bool>,
}

/// The event of an entry. `origin` is the log's.
pub fn event<'a>(seen: &Seen<'a>, origin: &'a str) -> Event<'a> {
    let rule = rules::of(seen.kind);
    let (class_uid, class_name) = rule.class.uid();
    let (category_uid, category_name) = rule.class.category();
    let (activity_id, activity_name) = rule.class.activity();
    let (severity_id, severity) = rule.severity.id();
    let why = seen.reading.and_then(|r| r.fact("why").or_else(|| r.fact("reason")));
    let status = rule.outcome.status();
    let disposition = rule.disposition.map(Disposition::id);
    let action = rule.disposition.map(Disposition::action);
    Event {
        activity_id,
        activity_name,
        category_uid,
        category_name,
        class_uid,
        class_name,
        type_uid: class_uid * 100 + activity_id,
        time: seen.at.millis(),
        severity_id,
        severity,
        message: seen.kind,
        metadata: Metadata {
            version: SCHEMA,
            product: Product { name: "Countersign", vendor_name: "Countersign", version: env!("CARGO_PKG_VERSION") },
            uid: seen.id.to_string(),
            event_code: seen.kind,
            log_name: origin,
            sequence: seen.index,
            is_truncated: None,
            profiles: if disposition.is_some() { &["security_control"] } else { &[] },
        },
        actor: seen.reading.and_then(actor),
        entity: matches!(rule.class, Class::Entity(_)).then(|| entity(seen)),
        user: matches!(rule.class, Class::Authentication(_)).then(|| subject(seen)),
        service: matches!(rule.class, Class::Authentication(_)).then_some(Named { name: "countersign" }),
        finding_info: matches!(rule.class, Class::Finding).then(|| FindingInfo {
            uid: seen.id.to_string(),
            title: seen.kind,
            created_time: seen.at.millis(),
        }),
        status_id: status.map(|(id, _)| id),
        status: status.map(|(_, name)| name),
        status_detail: why,
        action_id: action.map(|(id, _)| id),
        action: action.map(|(_, name)| name),
        disposition_id: disposition.map(|(id, _)| id),
        disposition: disposition.map(|(_, name)| name),
        is_alert: is_alert(rule),
        unmapped: Unmapped {
            leaf_hash: seen.leaf_hash,
            object: seen.reading.map_or(&[], |reading| &reading.object),
            facts: seen.reading.map(|reading| &reading.facts),
            erased: seen.reading.is_none().then_some(true),
        },
    }
}

/// Whether somebody should look at once.
fn is_alert(rule: Rule) -> Option<bool> {
    let loud = matches!(rule.severity, Severity::High | Severity::Critical);
    (matches!(rule.class, Class::Finding) || rule.outcome == Outcome::Failure).then_some(loud)
}

fn actor(reading: &Reading) -> Option<Actor<'_>> {
    let id = reading.actor.id.as_deref();
    Some(match (reading.actor.kind.as_str(), id) {
        ("backend", Some(key)) => Actor { app_name: Some("backend"), app_uid: Some(key), ..Actor::default() },
        ("device", Some(device)) => Actor { user: Some(other(device, "Device of a holder")), ..Actor::default() },
        ("staff", Some(staff)) => {
            let org = reading.fact("employer").map(|name| Named { name });
            let user = User { uid: staff, type_id: 1, kind: "User", org };
            Actor { user: Some(user), ..Actor::default() }
        }
        ("operator", _) => {
            let user = User { uid: "operator", type_id: 2, kind: "Admin", org: None };
            Actor { user: Some(user), ..Actor::default() }
        }
        ("service", _) => {
            let user = User { uid: "countersign", type_id: 3, kind: "System", org: None };
            Actor { user: Some(user), ..Actor::default() }
        }
        (kind, id) => Actor { app_name: Some(kind), app_uid: id, ..Actor::default() },
    })
}

const fn other<'a>(uid: &'a str, kind: &'static str) -> User<'a> {
    User { uid, type_id: 99, kind, org: None }
}

/// What was changed: the first object, or the entry itself where there is none to name.
fn entity<'a>(seen: &Seen<'a>) -> Entity<'a> {
    let first = seen.reading.and_then(|reading| reading.object.first()).map_or("unknown", String::as_str);
    let prefix = first.split_once('_').map_or("", |(prefix, _)| prefix);
    let kind = match prefix {
        "apr" => "approval",
        "bkd" => "backend",
        "key" => "api_key",
        "hld" => "holder",
        "dev" => "device",
        "chn" => "channel",
        "lnk" => "enrolment_link",
        "whe" => "webhook_endpoint",
        "whd" => "webhook_delivery",
        "stf" => "staff",
        "grp" => "staff_group",
        "cas" => "case",
        "ovr" => "override",
        "ses" => "session",
        _ => "other",
    };
    Entity { uid: first, kind }
}

/// Who was being authenticated: the device or staff member that acted, else the one it was about.
fn subject<'a>(seen: &Seen<'a>) -> User<'a> {
    let Some(reading) = seen.reading else { return other("unknown", "Unknown") };
    let acted = reading.actor.id.as_deref().filter(|_| matches!(reading.actor.kind.as_str(), "device" | "staff"));
    let about = |prefix| reading.object_of(prefix);
    match acted.or_else(|| about("dev")).or_else(|| about("stf")).or_else(|| about("hld")) {
        Some(uid) if uid.starts_with("stf_") => {
            let org = reading.fact("employer").map(|name| Named { name });
            User { uid, type_id: 1, kind: "User", org }
        }
        Some(uid) if uid.starts_with("dev_") => other(uid, "Device of a holder"),
        Some(uid) => other(uid, "Holder"),
        None => other("unknown", "Unknown"),
    }
}
