//! Rates: of a key, and of whoever tries keys.

use serde_json::Value;
use std::time::Duration;

use super::call::{Answer, Call};
use super::stage::{Setup, Stage};

const ALL: &str = "/v1/approvals";

fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds in Retry-After")
}

#[tokio::test]
async fn a_key_has_a_rate_of_its_own() {
    let stage = Stage::with(Setup { key_per_minute: 5, ..Setup::default() }).await;
    let stranger = stage.stranger().await;
    for _ in 0..5 {
        stage.send(Call::get(ALL)).await.expect(200);
    }
    let refused = stage.send(Call::get(ALL)).await;
    refused.expect_problem(429, "rate-limited");
    assert_eq!(retry_after(&refused), 12);
    Call::get(ALL).key(&stranger).send(stage.at).await.expect(200);
    stage.clock.advance(Duration::from_secs(12));
    stage.send(Call::get(ALL)).await.expect(200);
}

async fn guess(stage: &Stage, from: Option<&str>) -> Answer {
    let call = Call::get(ALL).key(&format!("cs_{}", "A".repeat(43)));
    let call = match from {
        Some(hops) => call.header("X-Forwarded-For", hops),
        None => call,
    };
    call.send(stage.at).await
}

#[tokio::test]
async fn guessing_keys_is_limited_by_address_and_stops_nobody_else() {
    let stage = Stage::with(Setup { tries_per_minute: 3, ..Setup::default() }).await;
    for hop in 0..3 {
        // Without a trusted proxy the header is only a claim.
        guess(&stage, Some(&format!("203.0.113.{hop}"))).await.expect_problem(401, "unauthenticated");
    }
    let refused = guess(&stage, Some("203.0.113.9")).await;
    refused.expect_problem(429, "rate-limited");
    assert_eq!(retry_after(&refused), 20);
    // A key that stands is heard all the same.
    stage.send(Call::get(ALL)).await.expect(200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_counts_for_itself() {
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let stage = Stage::with(Setup { tries_per_minute: 1, proxies, ..Setup::default() }).await;
    guess(&stage, Some("203.0.113.1")).await.expect_problem(401, "unauthenticated");
    guess(&stage, Some("203.0.113.2")).await.expect_problem(401, "unauthenticated");
    // Whatever a client writes itself stands on the left.
    guess(&stage, Some("198.51.100.1, 203.0.113.1")).await.expect_problem(429, "rate-limited");
    guess(&stage, Some("2001:db8::1")).await.expect_problem(401, "unauthenticated");
    guess(&stage, Some("2001:db8::2")).await.expect_problem(429, "rate-limited");
}

#[tokio::test]
async fn a_refused_key_learns_nothing() {
    let stage = Stage::new().await;
    let (key, secret) = stage.further_key(&[]).await;
    countersign::service::backends::revoke_key(&stage.cx, key).await.unwrap();
    let body = |answer: Answer| {
        let mut body: Value = answer.expect_problem(401, "unauthenticated");
        body["request_id"] = Value::Null;
        body
    };
    let revoked = body(Call::get(ALL).key(&secret).send(stage.at).await);
    assert_eq!(revoked, body(guess(&stage, None).await));
    assert_eq!(revoked, body(Call::get(ALL).send(stage.at).await));
}
