//! Requests that arrive together share a commit in the database; none may suffer for another's fault, and each rule
//! must hold for all of them together.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::stage::{Record, Setup, Stage};

const CREATE: &str = "/v1/approvals";

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Checks that `good` were answered with success and all others are this problem.
#[track_caller]
fn split(answers: &[Answer], good: usize, status: u16, slug: &str) {
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status >= 300).collect();
    assert_eq!(answers.len() - refused.len(), good, "{:?}", refused.first().map(|answer| answer.line()));
    for answer in refused {
        answer.expect_problem(status, slug);
    }
}

fn redeem(approval: &Value) -> Call {
    let call = Call::post("/v1/approvals/{id}/redeem").part("id", approval["id"].as_str().unwrap());
    call.json(&json!({"digest": approval["digest"]}))
}

#[tokio::test]
async fn none_suffers_for_its_neighbours() {
    let stage = &Stage::with(Setup { record: Record::Sqlite, ..Setup::default() }).await;
    let create = |body: Value, key: String| Call::post(CREATE).json(&body).once(&key).key(&stage.key);
    let fresh = || stage.name("key");

    let mut good = Vec::new();
    for _ in 0..20 {
        let subject = stage.enrolled().await;
        good.push(create(stage.transfer(&subject), fresh()));
    }
    // Ten of one holder, who may have five.
    let crowded = stage.enrolled().await;
    let too_many: Vec<Call> = (0..10).map(|_| create(stage.transfer(&crowded), fresh())).collect();
    // Ten of one transfer.
    let (one, other) = (stage.enrolled().await, stage.enrolled().await);
    let body = stage.transfer(&one);
    let same_transfer: Vec<Call> = (0..10).map(|_| create(body.clone(), fresh())).collect();
    // Ten of one key: five of one request, five of others.
    let (body, key) = (stage.transfer(&other), fresh());
    let same_key: Vec<Call> = (0..5).map(|_| create(body.clone(), key.clone())).collect();
    let stolen_key: Vec<Call> = (0..5).map(|_| create(stage.transfer(&other), key.clone())).collect();
    // Ten holders of one subject.
    let holder = json!({"subject": "the-same", "channels": [{"kind": "email", "address": "marta@example.org"}]});
    let same_subject: Vec<Call> =
        (0..10).map(|_| Call::post("/v1/holders").json(&holder).once(&fresh()).key(&stage.key)).collect();
    // Twelve endpoints, of which eight may be.
    let endpoint = Call::post("/v1/webhooks/endpoints").json(&json!({"url": "https://hooks.example.com/in"}));
    let endpoints: Vec<Call> = (0..12).map(|_| endpoint.clone().once(&fresh()).key(&stage.key)).collect();
    // Ten redeems of one approval, and redeem against cancel of five.
    let released = stage.released().await;
    let redeems: Vec<Call> = (0..10).map(|_| redeem(&released).once(&fresh()).key(&stage.key)).collect();
    let mut races = Vec::new();
    for _ in 0..5 {
        let approval = stage.released().await;
        let cancel = Call::post("/v1/approvals/{id}/cancel").part("id", approval["id"].as_str().unwrap());
        races.push((redeem(&approval).once(&fresh()).key(&stage.key), cancel.key(&stage.key)));
    }
    let garbage: Vec<Call> =
        (0..10).map(|_| Call::post(CREATE).raw_json("{\"amount\":1e309}").once(&fresh()).key(&stage.key)).collect();

    let all = |calls: Vec<Call>| async move { join_all(calls.iter().map(|call| call.send(stage.at))).await };
    let race =
        |(redeem, cancel): (Call, Call)| async move { tokio::join!(redeem.send(stage.at), cancel.send(stage.at)) };
    let (good, too_many, same_transfer, same_key, stolen_key, same_subject, endpoints, redeems, garbage, races) = tokio::join!(
        all(good),
        all(too_many),
        all(same_transfer),
        all(same_key),
        all(stolen_key),
        all(same_subject),
        all(endpoints),
        all(redeems),
        all(garbage),
        join_all(races.into_iter().map(race)),
    );

    split(&good, 20, 0, "");
    split(&too_many, 5, 409, "too-many-pending");
    split(&same_transfer, 1, 409, "duplicate-transfer");
    split(&same_subject, 1, 409, "duplicate-subject");
    split(&endpoints, 8, 409, "too-many-endpoints");
    split(&redeems, 1, 409, "already-redeemed");
    split(&garbage, 0, 400, "malformed-json");
    // Whichever request was first under the key owns it.
    if same_key[0].status == 201 {
        split(&same_key, 5, 0, "");
        split(&stolen_key, 0, 422, "idempotency-mismatch");
        assert!(same_key.iter().all(|answer| answer.text == same_key[0].text));
    } else {
        split(&same_key, 0, 422, "idempotency-mismatch");
        split(&stolen_key, 1, 422, "idempotency-mismatch");
    }
    for (redeemed, cancelled) in races {
        match (redeemed.status, cancelled.status) {
            (200, 409) => drop(cancelled.expect_problem(409, "already-redeemed")),
            (409, 200) => assert_eq!(redeemed.expect_problem(409, "conflict")["state"], "cancelled"),
            both => panic!("redeem and cancel answered {both:?}: {} {}", redeemed.text, cancelled.text),
        }
    }
    assert_eq!(count(&good, 201), 20);
}
