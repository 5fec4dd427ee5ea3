//! A record in which staff decided: everybody joined and signed as people do, and a month went by. It verifies, what
//! staff approved is redeemed with a receipt that proves it, and a signature that is missing or another's is named.

use countersign::adapters::receipts::{Freshness, verify_offline};
use countersign::domain::StaffId;
use countersign::domain::backend::IdempotencyKey;
use countersign::domain::evidence::Evidence;
use countersign::domain::export::Line;
use countersign::domain::override_request::StateName;
use countersign::domain::report::Range;
use countersign::domain::verification::run::Summary;
use countersign::domain::verification::wrong::{Flaw, Place, Wrong};
use countersign::ports::log::CheckpointSigner;
use countersign::service::audit::export::{Asked, export};
use countersign::service::audit::third_party::third_party;
use countersign::service::audit::verify::RowFlaw;
use countersign::service::{backends, freeze, links, log, redeem, release};
use countersign::workers::{ClockGate, overrides};

use super::{Scene, offline, row};
use crate::bribed::cast::{Cast, opened};
use crate::console::stage::{self, DAY, MINUTE, Stage, record};
use crate::support::log::signer;

/// Two admins hire an agent and three signers; a month later they work.
async fn staffed(stage: Stage) -> Cast {
    let mut admins = stage.founders().await;
    let mut agent = stage.hire(&mut admins, "Dana Okafor", "support", "Teleplus", &["agent"]).await;
    let mut signers = Vec::new();
    for (name, group, employer) in
        [("Jonas Weber", "risk", "in-house"), ("Amir Haddad", "fraud", "in-house"), ("Ines Sol", "desk", "Teleplus")]
    {
        signers.push(stage.hire(&mut admins, name, group, employer, &["signer"]).await);
    }
    let (holder, _) = stage.holder("u-1").await;
    stage.clock.advance(31 * DAY);
    agent.sign_in().await.expect(200);
    for desk in &mut signers {
        desk.sign_in().await.expect(200);
    }
    let settled = stage.cx.store.channels(holder).await.unwrap()[0].id;
    Cast { stage, agent, signers, holder, settled }
}

async fn lines(stage: &Stage) -> Vec<Line> {
    while log::turn(&stage.cx).await.unwrap() > 0 {}
    let mut lines = Vec::new();
    let record = record(&stage.cx, &stage.audit);
    let done = export(&record, &Asked::EVERYTHING, stage.cx.now(), |out| -> Result<(), std::convert::Infallible> {
        lines.push(out.line);
        Ok(())
    });
    done.await.unwrap();
    lines
}

async fn signed_by_two(cast: &mut Cast, id: countersign::domain::OverrideId) {
    let (one, other, _) = cast.drawn(id).await;
    cast.sign(one, id).await.expect(200);
    cast.sign(other, id).await.expect(200);
    cast.stage.clock.advance(MINUTE);
    cast.deliver().await;
}

async fn due(cast: &Cast, id: countersign::domain::ApprovalId) {
    while log::turn(&cast.stage.cx).await.unwrap() > 0 {}
    release::fall_due(&cast.stage.cx, &[id]).await.unwrap();
}

/// The index of the entry of this kind.
fn place_of(lines: &[Line], kind: &str) -> u64 {
    let found = lines.iter().find_map(|line| match line {
        Line::Entry(entry) if entry.kind == kind => Some(entry.index),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no {kind}"))
}

fn wrong_at(found: Result<Summary, Wrong>) -> (u64, Flaw) {
    match found.unwrap_err() {
        Wrong { place: Place::Entry { index, .. }, flaw } => (index, flaw),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_staff_decided_verifies_and_is_redeemed_with_a_receipt_that_proves_it() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = staffed(stage).await;
    let (approval, id) = cast.asked().await;
    signed_by_two(&mut cast, id).await;
    due(&cast, approval).await;
    cast.stage.clock.advance(DAY);
    // Nothing is released before the checkpoint that holds the second signature: this one reads no log.
    due(&cast, approval).await;
    assert_eq!(cast.state(approval).await.0, "released");
    let cx = cast.stage.cx.clone();
    let caller = backends::authenticate(&cx, &cast.stage.key).await.unwrap();
    let digest = cx.store.approval(approval).await.unwrap().unwrap().digest();
    let key = IdempotencyKey::parse("redeem-0123456789abcdef").unwrap();
    let redeemed = redeem::redeem(&cx, &caller, approval, digest, key).await.unwrap();
    let receipt = verify_offline(&cx.signer.key_set(), &redeemed.receipt, None, None, Freshness::WhenIssued).unwrap();
    receipt.verify_proof(signer().keys()).unwrap();
    assert!(receipt.staff.is_some() && receipt.device.is_none());

    // A day later nobody is signed in any more. Another one is stopped by the holder's freeze, which two others end.
    cast.agent.sign_in().await.expect(200);
    for signer in &mut cast.signers {
        signer.sign_in().await.expect(200);
    }
    let (stopped, _) = cast.asked().await;
    let lock = links::lock_page(&cx, cast.holder).unwrap();
    freeze::by_lock_link(&cx, lock.path_segments().unwrap().next_back().unwrap()).await.unwrap();
    assert_eq!(cast.state(stopped).await, ("cancelled", Some("holder_frozen")));
    let look = cast.look().await;
    assert_eq!(cast.agent.form(&format!("{look}/lock"), &[("reason", "says it wasn't them")]).await.status, 303);
    let unfreeze = opened(&cast.ask_for("unfreeze", "", "").await);
    signed_by_two(&mut cast, unfreeze).await;
    overrides::turn(&cx, &ClockGate::open()).await.unwrap();
    cast.stage.clock.advance(DAY + MINUTE);
    overrides::turn(&cx, &ClockGate::open()).await.unwrap();
    assert_eq!(cast.case(unfreeze).await.state.name(), StateName::CarriedOut);

    let summary = offline(lines(&cast.stage).await).unwrap();
    assert!(summary.evidence >= 4 + 12, "{summary:?}");
    let range = Range { from: cx.now() - 3 * DAY, to: cx.now() + MINUTE };
    let report = third_party(&record(&cast.stage.cx, &cast.stage.audit), range).await.unwrap();
    let vendor = report.lines.iter().find(|line| line.employer == "Teleplus").unwrap();
    assert!(vendor.counts.overrides >= 3, "the agent asked three times: {vendor:?}");
    assert_eq!(report.total.overrides, 3 + 4, "three were asked for, and two signed two of them: {report:?}");
    // Besides: they looked at the holder four times, and the agent locked.
    assert_eq!(report.total.privileged_actions, 7 + looks(&cast.stage).await + 1, "{report:?}");
}

async fn looks(stage: &Stage) -> u64 {
    stage.entries("holder.viewed").await.len() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_of_staff_that_is_missing_or_anothers_is_named() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = staffed(stage).await;
    let (_, id) = cast.asked().await;
    signed_by_two(&mut cast, id).await;
    let honest = lines(&cast.stage).await;
    offline(honest.clone()).unwrap();
    let (first, second) = (place_of(&honest, "override.signed"), place_of(&honest, "override.signed_twice"));
    let evidence_of = |index: u64| {
        let at = honest.iter().position(|line| matches!(line, Line::Entry(entry) if entry.index == index)).unwrap();
        assert!(matches!(honest[at + 1], Line::Evidence(_)));
        at + 1
    };
    for index in [first, second] {
        let mut lines = honest.clone();
        lines.remove(evidence_of(index));
        let (found, flaw) = wrong_at(offline(lines));
        assert_eq!(found, index);
        assert!(matches!(flaw, Flaw::NoEvidence), "{flaw}");
    }
    // The first one's signature under the second entry, as it is and as if it were the other's.
    let Line::Evidence(first_evidence) = &honest[evidence_of(first)] else { panic!() };
    let Line::Evidence(second_evidence) = &honest[evidence_of(second)] else { panic!() };
    let mut swapped = (**second_evidence).clone();
    swapped.evidence = first_evidence.evidence.clone();
    let mut lines = honest.clone();
    lines[evidence_of(second)] = Line::Evidence(Box::new(swapped.clone()));
    let (found, flaw) = wrong_at(offline(lines));
    assert_eq!(found, second);
    assert!(matches!(flaw, Flaw::OtherMatter("somebody else signed")), "{flaw}");
    let Evidence::Staff { staff: other, .. } = &second_evidence.evidence else { panic!() };
    let other: StaffId = *other;
    let Evidence::Staff { staff, .. } = &mut swapped.evidence else { panic!() };
    *staff = other;
    let mut lines = honest.clone();
    lines[evidence_of(second)] = Line::Evidence(Box::new(swapped));
    assert_eq!(wrong_at(offline(lines)).0, second);
    // Another text under the signature.
    let mut told = (**second_evidence).clone();
    let Evidence::Staff { signed, .. } = &mut told.evidence else { panic!() };
    *signed = signed.replace("lost her phone", "found her phone");
    let mut lines = honest.clone();
    lines[evidence_of(second)] = Line::Evidence(Box::new(told));
    let (found, flaw) = wrong_at(offline(lines));
    assert_eq!(found, second);
    assert!(matches!(flaw, Flaw::Evidence(_)), "{flaw}");
}

async fn a_freeze_is_what_the_log_says(scene: Scene) {
    let cx = &scene.world.cx;
    let holder = cx.store.approval(scene.cancelled).await.unwrap().unwrap().holder;
    let lock = links::lock_page(cx, holder).unwrap();
    freeze::by_lock_link(cx, lock.path_segments().unwrap().next_back().unwrap()).await.unwrap();
    let waiting = scene.verify(&[]).await.unwrap();
    assert!(waiting.waiting > 0);
    scene.drain().await;
    let checked = scene.verify(&[]).await.unwrap();
    assert_eq!(checked.sealed_rows, waiting.sealed_rows);
    scene.owner.runs("UPDATE freezes SET body = replace(body, '\"why\":\"link\"', '\"why\":\"staff\"')").await;
    assert_eq!(row(&scene.verify(&[]).await.unwrap_err(), "freezes"), RowFlaw::Forged);
    scene.owner.runs("DELETE FROM freezes").await;
    assert_eq!(row(&scene.verify(&[]).await.unwrap_err(), "freezes"), RowFlaw::Missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_is_what_the_log_says_on_sqlite() {
    a_freeze_is_what_the_log_says(Scene::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_is_what_the_log_says_on_postgres() {
    a_freeze_is_what_the_log_says(Scene::on_postgres().await).await;
}
