//! From entries of the log to the plain values of their pages. Staff are named to each other; holders never are: an
//! entry has their id and nothing else of them.

use super::audit::Asked;
use super::present;
use super::signed_in::SignedIn;
use crate::domain::audit::filter::What;
use crate::domain::audit::reading::Reading;
use crate::domain::log::tree::Head;
use crate::domain::staff::Staff;
use crate::domain::time::Timestamp;
use crate::ports::log::Signed;
use crate::service::Context;
use crate::service::audit::browse::{InTree, Page, Row, Shown, Text};
use crate::web::pages::clocktext::{Moment, moment_to_the_second};
use crate::web::pages::console::audit::{
    AskedValues, AuditPage, CheckpointCard, EntryPage, EntryRow, InLog, List, Object, Proven, Said,
};
use crate::web::pages::console::frame::Tab;

fn at(now: Timestamp, at: Timestamp) -> Moment {
    moment_to_the_second(now.micros(), at.micros())
}

/// A number with a comma at every third digit.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The number of an entry as people count: from 1.
fn number(index: u64) -> String {
    grouped(index.saturating_add(1))
}

/// A kind in words: `approval.released` is «Approval released».
fn words(kind: &str) -> String {
    let plain = kind.replace(['.', '_'], " ");
    let mut letters = plain.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What an id is of, by its first letters.
fn thing(id: &str) -> &'static str {
    match id.split('_').next() {
        Some("apr") => "approval",
        Some("hld") => "holder",
        Some("dev") => "device",
        Some("chn") => "channel",
        Some("ovr") => "override",
        Some("frz") => "freeze",
        Some("stf") => "staff",
        Some("stc") => "change of staff",
        Some("ses") => "session",
        Some("inv") => "invite",
        Some("vew") => "look",
        Some("bkd") => "backend",
        Some("key") => "API key",
        Some("chg") => "entry",
        Some("whe") => "webhook endpoint",
        Some("lnk") => "link",
        _ => "object",
    }
}

fn object(id: &str) -> Object {
    let end = id.char_indices().nth_back(5).map_or(id, |(at, _)| &id[at..]);
    Object { id: id.to_owned(), short: format!("{} …{end}", thing(id)) }
}

/// Who did it: staff by name, with group and employer as they were then.
fn who(reading: Option<&Reading>, people: &[Staff]) -> String {
    let Some(reading) = reading else { return "erased".to_owned() };
    let named = match reading.actor.kind.as_str() {
        "staff" => {
            let id = reading.actor.id.as_deref().unwrap_or_default();
            let person = people.iter().find(|person| person.id.to_string() == id);
            let name = person.map_or_else(|| id.to_owned(), |person| person.profile.name.to_string());
            return match (reading.fact("group"), reading.fact("employer")) {
                (Some(group), Some(employer)) => format!("{name} ({group}, {employer})"),
                _ => name,
            };
        }
        "backend" => "a backend",
        "device" => "the holder’s device",
        "link" => "a link in a notice",
        "initiator" => "the browser that started it",
        "unknown" => "somebody unknown",
        "service" => "the service",
        "operator" => "the server’s command line",
        "directory" => "the identity provider",
        other => other,
    };
    named.to_owned()
}

fn row(row: &Row, people: &[Staff], now: Timestamp) -> EntryRow {
    let leaf = row.entry.leaf_hash.to_string();
    EntryRow {
        id: row.entry.id.to_string(),
        number: row.index.map(number),
        at: at(now, row.entry.at),
        what: words(&row.entry.kind),
        about: row.reading.iter().flat_map(|reading| &reading.object).map(|id| object(id).short).collect(),
        who: who(row.reading.as_ref(), people),
        leaf: leaf.chars().take(8).collect(),
    }
}

fn checkpoint(signed: &Signed, now: Timestamp) -> CheckpointCard {
    CheckpointCard {
        entries: grouped(signed.head.size),
        signed: at(now, signed.signed_at),
        root: signed.head.root.to_string(),
        note: signed.note.clone(),
    }
}

/// What the form shows.
pub fn asked(asked: &Asked) -> AskedValues {
    let chosen = asked.what.as_str();
    let label = |what: What| match what {
        What::Everything => "Everything",
        What::Transfers => "Transfers",
        What::Overrides => "Overrides",
        What::Looks => "Looks of staff",
        What::Staff => "Staff",
        What::Holders => "Holders and devices",
        What::Refused => "Refused attempts",
        What::Settings => "Backends and settings",
    };
    AskedValues {
        about: asked.about.clone(),
        by: asked.by.clone(),
        what: What::ALL.into_iter().map(|what| (what.as_str(), label(what), what.as_str() == chosen)).collect(),
        from: asked.from.clone(),
        to: asked.to.clone(),
    }
}

/// A page of entries.
pub fn list(cx: &Context, by: &SignedIn, question: &Asked, page: &Page) -> AuditPage {
    let now = cx.now();
    AuditPage {
        frame: present::frame(cx, by, Some(Tab::Audit)),
        asked: asked(question),
        list: Some(List {
            checkpoint: page.newest.as_ref().map(|signed| checkpoint(signed, now)),
            rows: page.rows.iter().map(|entry| row(entry, &page.people, now)).collect(),
            older: page.older.map(|place| question.address(Some(place))),
            newest: (!question.before.is_empty()).then(|| question.address(None)),
            back_to: page.back_to.map(|back_to| at(now, back_to)),
        }),
        refused: None,
    }
}

/// One entry.
pub fn entry(cx: &Context, by: &SignedIn, shown: &Shown) -> EntryPage {
    let now = cx.now();
    let (entry, reading) = (&shown.entry, shown.reading.as_ref());
    let said = match shown.text {
        Text::Fits => Said::Fits,
        Text::Erased => Said::Erased,
        Text::Changed => Said::Changed,
    };
    let log = match &shown.tree {
        InTree::Waits => InLog::Waits,
        InTree::Proven { index, head: Head { size, root }, signed_at, proof } => InLog::Proven(Box::new(Proven {
            number: number(*index),
            entries: grouped(*size),
            root: root.to_string(),
            signed: at(now, *signed_at),
            proof: proof.clone(),
        })),
        InTree::Not { index, why } => InLog::Not { number: number(*index), why: why.to_string() },
    };
    EntryPage {
        frame: present::frame(cx, by, Some(Tab::Audit)),
        id: entry.id.to_string(),
        kind: entry.kind.clone(),
        what: words(&entry.kind),
        at: at(now, entry.at),
        who: who(reading, &shown.people),
        by: reading.and_then(|reading| reading.actor.id.clone()),
        about: reading.iter().flat_map(|reading| &reading.object).map(|id| object(id)).collect(),
        facts: reading.map(|reading| reading.facts.clone().into_iter().collect()).unwrap_or_default(),
        leaf: entry.leaf_hash.to_string(),
        salt: entry.salt.as_ref().map(|salt| data_encoding::BASE64URL_NOPAD.encode(&salt.0)),
        text: entry.canonical.clone(),
        said,
        log,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_kinds_and_ids_read_well() {
        assert_eq!([grouped(0), grouped(999), grouped(1_000), grouped(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(words("holder.view_refused"), "Holder view refused");
        assert_eq!(object("apr_0192aaaabbbbccccddddeeeeffff0001").short, "approval …ff0001");
        assert_eq!(object("x").short, "object …x");
    }
}
