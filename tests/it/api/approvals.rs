//! Approvals as their backend sees them: created once, read, listed, cancelled, redeemed once.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use countersign::domain::approval::{Actor, CancelReason, State};
use countersign::domain::backend::Scope;
use countersign::domain::log::{Note, Origin, SignatureType, VerifierKey};
use countersign::domain::witness::quorum::Quorum;
use countersign::domain::witness::{cosignature, cosigned_text};
use countersign::ports::CosignatureStore as _;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::call::{Call, redacted};
use super::stage::{HOUR, MINUTE, Setup, Stage};

const ALL: &str = "/v1/approvals";
const ONE: &str = "/v1/approvals/{id}";
const CANCEL: &str = "/v1/approvals/{id}/cancel";
const REDEEM: &str = "/v1/approvals/{id}/redeem";

fn id(approval: &Value) -> &str {
    approval["id"].as_str().expect("an id")
}

#[tokio::test]
async fn a_create_answers_with_what_will_be_signed() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let answer = stage.send_once(Call::post(ALL).json(&stage.transfer(&subject))).await;
    let created = answer.expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("idempotent-replayed"), None);
    assert!(created["waiting_url"].as_str().unwrap().starts_with("http://localhost/w/"));
    insta::assert_json_snapshot!("created", redacted(created.clone()));

    let read = stage.send(Call::get(ONE).part("id", id(&created))).await.expect(200);
    assert_eq!(read["digest"], created["digest"]);
    assert_eq!(read["details"], created["details"]);
    insta::assert_json_snapshot!("read", redacted(read));
}

#[tokio::test]
async fn a_repeat_gets_the_same_bytes_and_another_request_none() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let call = Call::post(ALL).json(&stage.transfer(&subject)).once("order-1");
    let first = stage.send(call.clone()).await;
    let again = stage.send(call.clone()).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));

    let other = stage.send(Call::post(ALL).json(&stage.transfer(&subject)).once("order-1")).await;
    other.expect_problem(422, "idempotency-mismatch");
    // The same bytes under another path are another request.
    let elsewhere = Call::post("/v1/holders").json(&json!({"subject": "u-x", "channels": []})).once("order-1");
    stage.send(elsewhere).await.expect_problem(422, "idempotency-mismatch");
    // Another backend has its own keys.
    let stranger = stage.stranger().await;
    call.key(&stranger).send(stage.at).await.expect_problem(404, "unknown-holder");
}

#[tokio::test]
async fn fifty_creates_at_once_under_one_key_make_one_approval() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let call = Call::post(ALL).json(&stage.transfer(&subject)).once("order-1");
    let answers = join_all((0..50).map(|_| stage.send(call.clone()))).await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.text == answers[0].text));
    let fresh = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none());
    assert_eq!(fresh.count(), 1);
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_create_has_a_name() {
    let stage = Stage::new().await;
    let create = |body: Value| stage.send_once(Call::post(ALL).json(&body));

    create(stage.transfer("nobody")).await.expect_problem(404, "unknown-holder");
    let bare = stage.holder().await;
    create(stage.transfer(&bare)).await.expect_problem(409, "no-device");

    let subject = stage.enrolled().await;
    let mut body = stage.transfer(&subject);
    create(body.clone()).await.expect(201);
    create(body.clone()).await.expect_problem(409, "duplicate-transfer");
    body["hold_seconds"] = json!(72 * 3600 + 1);
    body["transfer_id"] = json!("another");
    let too_long = create(body).await;
    assert_eq!(too_long.line(), "400 invalid-request [hold_seconds must be at most 259200 seconds]");

    for _ in 0..4 {
        stage.pending_of(&subject).await;
    }
    create(stage.transfer(&subject)).await.expect_problem(409, "too-many-pending");
}

#[tokio::test]
async fn a_request_can_tighten_its_terms() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let mut body = stage.transfer(&subject);
    body["hold_seconds"] = json!(3600);
    body["life_seconds"] = json!(300);
    let created = stage.send_once(Call::post(ALL).json(&body)).await.expect(201);
    assert_eq!(created["hold_seconds"], 3600.0);
    assert_eq!(created["expires_at"], "2026-11-21T14:37:00Z");
}

#[tokio::test]
async fn an_asset_names_its_network() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let mut body = stage.transfer(&subject);
    body["currency"] = Value::Null;
    body["asset"] = json!({"network": "ethereum", "symbol": "USDC"});
    body["amount"] = json!("0.000000000000000001");
    let created = stage.send_once(Call::post(ALL).json(&body)).await.expect(201);
    assert_eq!(created["details"]["asset"], json!({"network": "ethereum", "symbol": "USDC"}));
    assert_eq!(created["details"].get("currency"), None);
}

#[tokio::test]
async fn a_list_is_walked_from_the_newest_to_the_oldest() {
    let stage = Stage::new().await;
    let (one, two) = (stage.enrolled().await, stage.enrolled().await);
    let mut made = Vec::new();
    for n in 0..7 {
        stage.clock.advance(MINUTE);
        made.push(stage.pending_of(if n % 2 == 0 { &one } else { &two }).await);
    }
    let cancelled = stage.send(Call::post(CANCEL).part("id", id(&made[0]))).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");

    let mut seen = Vec::new();
    let mut query = "limit=3".to_owned();
    loop {
        let page = stage.send(Call::get(ALL).query(&query)).await.expect(200);
        seen.extend(page["data"].as_array().unwrap().iter().map(|row| id(row).to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=3&cursor={cursor}");
    }
    let newest_first: Vec<String> = made.iter().rev().map(|row| id(row).to_owned()).collect();
    assert_eq!(seen, newest_first);

    let count = |query: String| async {
        let query = query;
        let page = stage.send(Call::get(ALL).query(&query)).await.expect(200);
        page["data"].as_array().unwrap().len()
    };
    assert_eq!(count("state=pending".to_owned()).await, 6);
    assert_eq!(count("state=cancelled".to_owned()).await, 1);
    assert_eq!(count(format!("subject={one}")).await, 4);
    assert_eq!(count(format!("subject={one}&state=pending")).await, 3);
    assert_eq!(count(format!("transfer_id={}", made[3]["transfer_id"].as_str().unwrap())).await, 1);
    assert_eq!(count("subject=nobody".to_owned()).await, 0);
    assert_eq!(count("limit=100".to_owned()).await, 7);

    let strangers = Call::get(ALL).key(&stage.stranger().await).send(stage.at).await.expect(200);
    assert_eq!(strangers, json!({"data": [], "next_cursor": null}));
}

#[tokio::test]
async fn cancel_wins_until_it_is_too_late() {
    let stage = Stage::new().await;
    let cancel = |approval: &Value| stage.send(Call::post(CANCEL).part("id", id(approval)));
    for approval in [stage.pending().await, stage.cooling().await, stage.released().await] {
        let stopped = cancel(&approval).await.expect(200);
        assert_eq!((&stopped["state"], &stopped["reason"]), (&json!("cancelled"), &json!("backend_cancelled")));
        let again = cancel(&approval).await.expect(200);
        assert_eq!(again, stopped);
        let redeem = Call::post(REDEEM).part("id", id(&approval)).json(&json!({"digest": approval["digest"]}));
        assert_eq!(stage.send_once(redeem).await.expect_problem(409, "conflict")["state"], "cancelled");
    }

    let gone = stage.released().await;
    let redeem = Call::post(REDEEM).part("id", id(&gone)).json(&json!({"digest": gone["digest"]}));
    stage.send_once(redeem).await.expect(200);
    stage.clock.advance(MINUTE);
    let late = cancel(&gone).await.expect_problem(409, "already-redeemed");
    assert_eq!(late["redeemed_at"], "2026-11-21T14:32:00Z");
    insta::assert_json_snapshot!("cancel_too_late", redacted(late));

    let rejected = stage.pending().await;
    let at = stage.cx.now();
    let expired = State::Expired { reason: countersign::domain::approval::ExpireReason::Unanswered, at };
    stage.put(&rejected, expired).await;
    assert_eq!(cancel(&rejected).await.expect_problem(409, "conflict")["state"], "expired");
}

#[tokio::test]
async fn a_redeem_that_waits_for_witnesses_says_when_to_come_back_and_succeeds_under_its_key() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let name = Origin::parse("witness.example").unwrap();
    let key = VerifierKey { name, signs: SignatureType::Cosignature, public };
    let quorum = Quorum::new(vec![key.clone()], 1).unwrap();
    let stage = Stage::with(Setup { quorum, ..Setup::default() }).await;
    let approval = stage.released().await;
    let redeem = || {
        let body = json!({"digest": approval["digest"]});
        stage.send(Call::post(REDEEM).part("id", id(&approval)).json(&body).once("k-1"))
    };
    for _ in 0..2 {
        let waits = redeem().await;
        waits.expect_problem(503, "awaiting-witnesses");
        assert_eq!(waits.header("retry-after"), Some("2"));
        let read = stage.send(Call::get(ONE).part("id", id(&approval))).await.expect(200);
        assert_eq!((&read["state"], &read["version"]), (&json!("released"), &approval["version"]));
    }
    // The witness signs the tree that has the decision.
    let newest = stage.cx.log.store.newest().await.unwrap().unwrap();
    let note: Note = newest.note.parse().unwrap();
    let now = stage.cx.now();
    let signature = pair.sign(cosigned_text(now, note.text()).as_bytes());
    let line = cosignature(&key, now, signature.as_ref());
    stage.memory.add_cosignature(newest.head.size, &line).await.unwrap();
    let done = redeem().await;
    assert_eq!(done.expect(200)["approval"]["state"], "redeemed");
    assert_eq!(redeem().await.text, done.text);
}

#[tokio::test]
async fn redeem_works_once_and_repeats_its_answer() {
    let stage = Stage::new().await;
    let approval = stage.released().await;
    let redeem = |digest: &Value, key: &str| {
        stage.send(Call::post(REDEEM).part("id", id(&approval)).json(&json!({"digest": digest})).once(key))
    };
    let other = json!("0".repeat(64));
    redeem(&other, "k-1").await.expect_problem(422, "digest-mismatch");

    let first = redeem(&approval["digest"], "k-1").await;
    let body = first.expect(200);
    assert_eq!(body["approval"]["state"], "redeemed");
    assert_eq!(body["receipt"].as_str().unwrap().split('.').count(), 3);
    insta::assert_json_snapshot!("redeemed", redacted(body));

    assert_eq!(first.header("idempotent-replayed"), None);
    let again = redeem(&approval["digest"], "k-1").await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    redeem(&approval["digest"], "k-2").await.expect_problem(409, "already-redeemed");
    redeem(&other, "k-1").await.expect_problem(422, "digest-mismatch");
}

#[tokio::test]
async fn only_a_released_approval_in_its_time_is_redeemed() {
    let stage = Stage::new().await;
    let redeem = |approval: &Value| {
        let call = Call::post(REDEEM).part("id", id(approval)).json(&json!({"digest": approval["digest"]}));
        stage.send_once(call)
    };
    for (approval, state) in [(stage.pending().await, "pending"), (stage.cooling().await, "cooling")] {
        assert_eq!(redeem(&approval).await.expect_problem(409, "conflict")["state"], state);
    }
    let stopped = stage.pending().await;
    let at = stage.cx.now();
    let state = State::Cancelled { reason: CancelReason::LinkStopped, by: Actor::Link, at };
    stage.put(&stopped, state).await;
    assert_eq!(redeem(&stopped).await.expect_problem(409, "conflict")["state"], "cancelled");

    let released = stage.released().await;
    stage.clock.advance(24 * HOUR);
    redeem(&released).await.expect_problem(409, "expired");
}

#[tokio::test]
async fn fifty_redeems_at_once_give_one_receipt() {
    let stage = Stage::new().await;
    let approval = stage.released().await;
    let call = Call::post(REDEEM).part("id", id(&approval)).json(&json!({"digest": approval["digest"]}));
    let answers = join_all((0..50).map(|_| stage.send_once(call.clone()))).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(good.len(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        refused.expect_problem(409, "already-redeemed");
    }
}

#[tokio::test]
async fn the_record_says_who_opened_and_who_redeemed() {
    let stage = Stage::new().await;
    let (redeemer, secret) = stage.further_key(&[Scope::Redeem]).await;
    let approval = stage.released().await;
    let call = Call::post(REDEEM).part("id", id(&approval)).json(&json!({"digest": approval["digest"]})).once("k");
    call.key(&secret).send(stage.at).await.expect(200);
    let entries = stage.memory.look(|record| record.entries.clone());
    let by = |kind: &str, key: &str| entries.iter().any(|e| e.kind == kind && e.canonical.contains(key));
    assert!(by("approval.opened", &stage.key_id.to_string()));
    assert!(by("approval.redeemed", &redeemer.to_string()));
}
