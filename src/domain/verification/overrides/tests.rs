//! Overrides by their entries alone: what the rules allow replays, and each thing that two signatures are for is missed.

use serde_json::json;

use super::*;
use crate::domain::approval::StateName as Approval;
use crate::domain::audit::reading::ReadActor;
use crate::domain::ids::ChangeId;
use crate::domain::verification::standing::{Break, ByStaff, Standings};

const DAY: i64 = 24 * 3600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn person(number: u8) -> StaffId {
    StaffId::new(Timestamp::EPOCH, [number; 10])
}

fn case() -> OverrideId {
    OverrideId::new(Timestamp::EPOCH, [7; 10])
}

fn holder() -> HolderId {
    HolderId::new(Timestamp::EPOCH, [8; 10])
}

fn transfer() -> ApprovalId {
    ApprovalId::new(Timestamp::EPOCH, [9; 10])
}

fn request(kind: &str, disputed: &[&str]) -> Value {
    let mut request = json!({
        "id": case(), "holder": holder(), "requester": person(1), "kind": kind, "reason": "lost it on the train",
        "disputed": disputed, "created_at": at(0), "nonce": "AAAA",
    });
    if kind == APPROVE {
        request["approval"] = json!(transfer());
        request["digest"] = json!(Digest::of(b"details"));
    }
    request
}

fn text(request: &Value, version: Version) -> String {
    let statement = json!({"request": request, "version": version, "checked": "called back on the number"});
    serde_json_canonicalizer::to_string(&statement).unwrap()
}

fn entry(step: &str, seconds: i64, version: Version, request: &Value, by: Option<(u8, &str, &str)>) -> Reading {
    let kind = request["kind"].as_str().unwrap();
    let digest = Digest::of(serde_json_canonicalizer::to_string(request).unwrap().as_bytes());
    let mut facts = vec![("version", version.to_string()), ("digest", digest.to_string()), ("kind", kind.to_owned())];
    let actor = match by {
        Some((number, group, employer)) => {
            facts.extend([("group", group.to_owned()), ("employer", employer.to_owned())]);
            ReadActor { kind: "staff".into(), id: Some(person(number).to_string()) }
        }
        None => ReadActor { kind: "service".into(), id: None },
    };
    let mut object = vec![case().to_string(), holder().to_string()];
    if kind == APPROVE {
        object.push(transfer().to_string());
        if step == "signed_twice" {
            facts.push(("approval_version", "2".to_owned()));
            facts.push(("approval_digest", Digest::of(b"details").to_string()));
        }
    }
    Reading {
        v: 1,
        id: ChangeId::new(at(seconds), [0; 10]),
        at: at(seconds),
        kind: format!("override.{step}"),
        actor,
        object,
        facts: facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect(),
    }
}

const ASKER: Option<(u8, &str, &str)> = Some((1, "support", "Teleplus"));
const ONE: Option<(u8, &str, &str)> = Some((2, "legal", "in-house"));
const OTHER: Option<(u8, &str, &str)> = Some((3, "risk", "Teleplus"));

fn asked(request: &Value) -> Cases {
    let mut cases = Cases::default();
    cases.take(&entry("asked", 0, 1, request, ASKER), Before::Known).unwrap();
    cases
}

/// Takes an entry and the text that was signed with it.
fn sign(
    cases: &mut Cases,
    step: &str,
    version: Version,
    request: &Value,
    by: Option<(u8, &str, &str)>,
) -> Result<Option<Happened>, CaseBreak> {
    let entry = entry(step, i64::from(version), version, request, by);
    let happened = cases.take(&entry, Before::Known)?;
    let signer = person(by.unwrap().0);
    cases.signed(&entry, signer, *case().bytes(), &text(request, version - 1))?;
    Ok(happened)
}

fn signed_by(first: Option<(u8, &str, &str)>, second: Option<(u8, &str, &str)>) -> Result<Option<Happened>, CaseBreak> {
    let request = request(APPROVE, &[]);
    let mut cases = asked(&request);
    sign(&mut cases, "signed", 2, &request, first)?;
    sign(&mut cases, "signed_twice", 3, &request, second)
}

#[test]
fn two_people_of_two_groups_approve_a_transfer() {
    let happened = signed_by(ONE, OTHER).unwrap();
    assert!(matches!(happened, Some(Happened::Approved { version: 2, .. })), "{happened:?}");
}

#[test]
fn one_signature_is_none() {
    let request = request(APPROVE, &[]);
    let mut cases = asked(&request);
    assert_eq!(sign(&mut cases, "signed_twice", 2, &request, ONE), Err(CaseBreak::Signatures(0)));
    let mut cases = asked(&request);
    sign(&mut cases, "signed", 2, &request, ONE).unwrap();
    assert_eq!(sign(&mut cases, "signed", 3, &request, OTHER), Err(CaseBreak::Signatures(1)));
    assert_eq!(
        Cases::default().take(&entry("signed_twice", 1, 3, &request, ONE), Before::Known),
        Err(CaseBreak::NeverAsked)
    );
}

#[test]
fn the_rules_about_the_two_are_looked_at_again() {
    assert_eq!(signed_by(ONE, ONE), Err(CaseBreak::SamePerson));
    assert_eq!(signed_by(ONE, Some((3, "legal", "Teleplus"))), Err(CaseBreak::SameGroup));
    assert_eq!(signed_by(OTHER, Some((4, "legal", "Callcentre"))), Err(CaseBreak::NobodyInHouse));
    assert_eq!(signed_by(ASKER, ONE), Err(CaseBreak::Requester));
}

#[test]
fn a_signature_about_something_else_is_named() {
    let request = request(APPROVE, &[]);
    let entry = entry("signed", 2, 2, &request, ONE);
    let signed = |text: &str, about: [u8; 16]| {
        let mut cases = asked(&request);
        cases.take(&entry, Before::Known).unwrap();
        cases.signed(&entry, person(2), about, text).unwrap_err()
    };
    let mut more = request.clone();
    more["reason"] = json!("another reason");
    assert_eq!(signed(&text(&more, 1), *case().bytes()), CaseBreak::Signed("another request"));
    assert_eq!(signed(&text(&request, 2), *case().bytes()), CaseBreak::Signed("another version"));
    assert_eq!(signed(&text(&request, 1), [0; 16]), CaseBreak::Signed("another override"));
    assert_eq!(signed("{}", *case().bytes()), CaseBreak::Signed("it doesn't read"));
}

#[test]
fn a_transfer_is_not_released_before_the_hold_that_staff_signed() {
    for (disputed, days) in [(&[][..], 1), (&["chn_1"][..], 3)] {
        let request = request(APPROVE, disputed);
        let mut cases = asked(&request);
        sign(&mut cases, "signed", 2, &request, ONE).unwrap();
        let second = entry("signed_twice", 3, 3, &request, OTHER);
        let Some(Happened::Approved { approval, version, digest, case: id, request: signed }) =
            cases.take(&second, Before::Known).unwrap()
        else {
            panic!("it approves")
        };
        let hold = cases.signed(&second, person(3), *case().bytes(), &text(&request, 2)).unwrap();
        let mut standings = Standings::default();
        let step = |kind: &str, version: Version, seconds: i64, reason: Option<&str>| {
            let mut step = entry("", seconds, version, &request, None);
            step.kind = format!("approval.{kind}");
            step.facts.insert("digest".into(), digest.to_string());
            step.facts.extend(reason.map(|reason| ("reason".to_owned(), reason.to_owned())));
            (step, seconds)
        };
        standings.take(&step("opened", 1, 1, None).0, Before::Known).unwrap();
        let void = step("cancelled", 2, 2, Some("signature_void")).0;
        let early = Standings::default().take(&void, Before::Known);
        assert_eq!(early, Err(Break::NeverOpened));
        let by = ByStaff { case: id, request: signed, version, digest, at: at(3) };
        standings.approved_by_staff(approval, &by, Before::Known).unwrap();
        let (held, hold) = hold.expect("a hold");
        standings.decided(held, at(3), hold);
        let released = standings.take(&step("released", 3, 2 + days * DAY, None).0, Before::Known);
        assert!(matches!(released, Err(Break::TooEarly { .. })), "{released:?}");
        standings.take(&step("released", 3, 3 + days * DAY, None).0, Before::Known).unwrap();
        let standing = standings.get(approval).unwrap();
        assert_eq!((standing.state, standing.challenge), (Approval::Released, Some(signed)));
    }
}

#[test]
fn a_longer_hold_of_the_transfer_itself_is_asked_for_and_a_shorter_one_is_not_believed() {
    for (said, hold) in [(1, DAY), (DAY, DAY), (2 * DAY, 2 * DAY)] {
        let request = request(APPROVE, &[]);
        let mut cases = asked(&request);
        sign(&mut cases, "signed", 2, &request, ONE).unwrap();
        let mut second = entry("signed_twice", 3, 3, &request, OTHER);
        second.facts.insert("hold_micros".into(), (said * 1_000_000).to_string());
        cases.take(&second, Before::Known).unwrap();
        let signed = cases.signed(&second, person(3), *case().bytes(), &text(&request, 2)).unwrap();
        assert_eq!(signed, Some((transfer(), Duration::from_secs(hold.unsigned_abs()))));
    }
    let request = request(APPROVE, &[]);
    let mut cases = asked(&request);
    sign(&mut cases, "signed", 2, &request, ONE).unwrap();
    let mut second = entry("signed_twice", 3, 3, &request, OTHER);
    second.facts.insert("hold_micros".into(), "soon".to_owned());
    cases.take(&second, Before::Known).unwrap();
    let signed = cases.signed(&second, person(3), *case().bytes(), &text(&request, 2));
    assert_eq!(signed, Err(CaseBreak::Facts));
}

#[test]
fn a_reset_cools_off_before_it_is_carried_out() {
    let request = request("reset_devices", &[]);
    let signed = || {
        let mut cases = asked(&request);
        sign(&mut cases, "signed", 2, &request, ONE).unwrap();
        sign(&mut cases, "signed_twice", 3, &request, OTHER).unwrap();
        cases.take(&entry("told", 10, 4, &request, None), Before::Known).unwrap();
        cases
    };
    let early = signed().take(&entry("carried_out", 2 + DAY, 5, &request, None), Before::Known);
    assert!(matches!(early, Err(CaseBreak::TooEarly { .. })), "{early:?}");
    let mut cases = signed();
    cases.take(&entry("carried_out", 3 + DAY, 5, &request, None), Before::Known).unwrap();
    assert_eq!(cases.get(case()).unwrap().state, StateName::CarriedOut);
    let late = cases.take(&entry("stopped", 4 + DAY, 6, &request, None), Before::Known);
    assert_eq!(late, Err(CaseBreak::State(StateName::CarriedOut)));
    let unsigned = asked(&request).take(&entry("carried_out", 3 + DAY, 2, &request, None), Before::Known);
    assert_eq!(unsigned, Err(CaseBreak::State(StateName::Requested)));
    let skipped = asked(&request).take(&entry("redrawn", 1, 3, &request, ASKER), Before::Known);
    assert_eq!(skipped, Err(CaseBreak::Version { expected: 2, found: 3 }));
    let mut other = request.clone();
    other["nonce"] = json!("BBBB");
    let swapped = asked(&request).take(&entry("signed", 1, 2, &other, ONE), Before::Known);
    assert_eq!(swapped, Err(CaseBreak::Request));
}
