//! Webhook endpoints and their log.

use serde_json::{Value, json};

use super::call::{Call, redacted};
use super::stage::{HOUR, MINUTE, Setup, Stage};
use countersign::service::Profile;

const ALL: &str = "/v1/webhooks/endpoints";
const ONE: &str = "/v1/webhooks/endpoints/{id}";
const ROTATE: &str = "/v1/webhooks/endpoints/{id}/rotate";
const TEST: &str = "/v1/webhooks/endpoints/{id}/test";
const LOG: &str = "/v1/webhooks/endpoints/{id}/deliveries";
const AGAIN: &str = "/v1/webhooks/endpoints/{id}/deliveries/{delivery}/redeliver";

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

#[tokio::test]
async fn an_endpoint_lives_and_goes() {
    let stage = Stage::new().await;
    let made = stage.endpoint().await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    insta::assert_json_snapshot!("endpoint_created", redacted(made.clone()));
    let one = |call: Call| stage.send(call.part("id", id(&made)));

    let read = one(Call::get(ONE)).await.expect(200);
    assert_eq!(read.get("secret"), None);
    assert_eq!(stage.send(Call::get(ALL)).await.expect(200), json!({"data": [read]}));

    let off = one(Call::new("PATCH", ONE).json(&json!({"status": "disabled"}))).await.expect(200);
    assert_eq!((&off["status"], &off["url"]), (&json!("disabled"), &made["url"]));
    let moved = one(Call::new("PATCH", ONE).json(&json!({"url": "https://hooks.example.com/two"}))).await.expect(200);
    assert_eq!((&moved["status"], &moved["url"]), (&json!("disabled"), &json!("https://hooks.example.com/two")));
    let same = one(Call::new("PATCH", ONE).json(&json!({}))).await.expect(200);
    assert_eq!(same, moved);

    let gone = one(Call::new("DELETE", ONE)).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    one(Call::new("DELETE", ONE)).await.expect_problem(404, "not-found");
    one(Call::get(ONE)).await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn an_endpoint_is_made_once_under_one_key() {
    let stage = Stage::new().await;
    let call = Call::post(ALL).json(&json!({"url": "https://hooks.example.com/in"}));
    stage.send(call.clone()).await.expect_problem(400, "idempotency-key-missing");
    let first = stage.send(call.clone().once("w-1")).await;
    let secret = first.expect(201)["secret"].as_str().unwrap().to_owned();
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = stage.send(call.clone().once("w-1")).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(stage.cx.store.endpoints(stage.backend).await.unwrap().len(), 1);
    let other = Call::post(ALL).json(&json!({"url": "https://hooks.example.com/out"})).once("w-1");
    stage.send(other).await.expect_problem(422, "idempotency-mismatch");
    // Nor does a key that another kind of create used, or the other way round.
    let channels = json!([{"kind": "email", "address": "marta@example.org"}]);
    let holder = Call::post("/v1/holders").json(&json!({"subject": "u-1", "channels": channels}));
    stage.send(holder.clone().once("w-1")).await.expect_problem(422, "idempotency-mismatch");
    stage.send(holder.once("w-2")).await.expect(201);
    stage.send(call.once("w-2")).await.expect_problem(422, "idempotency-mismatch");
    // The answer carries a secret: it isn't stored as it is.
    assert!(!stage.memory.look(|record| format!("{:?}", record.remembered)).contains(&secret));
}

#[tokio::test]
async fn a_rotated_secret_overlaps_for_a_day() {
    let stage = Stage::new().await;
    let made = stage.endpoint().await;
    let rotated = stage.send(Call::post(ROTATE).part("id", id(&made))).await.expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(rotated["previous_secret_until"], "2026-11-22T14:32:00Z");
    stage.clock.advance(24 * HOUR);
    let later = stage.send(Call::get(ONE).part("id", id(&made))).await.expect(200);
    assert_eq!(later.get("previous_secret_until"), None);
}

#[tokio::test]
async fn a_test_event_is_logged_and_sent_again() {
    let stage = Stage::new().await;
    let made = stage.endpoint().await;
    let first = stage.send(Call::post(TEST).part("id", id(&made))).await.expect(202);
    insta::assert_json_snapshot!("test_event", redacted(first.clone()));
    stage.clock.advance(MINUTE);
    let again = Call::post(AGAIN).part("id", id(&made)).part("delivery", id(&first));
    let second = stage.send(again.clone()).await.expect(202);
    assert_eq!(second["message_id"], first["message_id"]);
    assert_ne!(second["id"], first["id"]);

    let page = stage.send(Call::get(LOG).part("id", id(&made)).query("limit=1")).await.expect(200);
    assert_eq!(id(&page["data"][0]), id(&second));
    let query = format!("limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = stage.send(Call::get(LOG).part("id", id(&made)).query(&query)).await.expect(200);
    assert_eq!((id(&page["data"][0]), &page["next_cursor"]), (id(&first), &Value::Null));

    // A delivery of another endpoint isn't found under this one.
    let other = stage.endpoint().await;
    let crossed = Call::post(AGAIN).part("id", id(&other)).part("delivery", id(&first));
    stage.send(crossed).await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn there_are_at_most_eight() {
    let stage = Stage::new().await;
    for _ in 0..8 {
        stage.endpoint().await;
    }
    let ninth = stage.send_once(Call::post(ALL).json(&json!({"url": "https://hooks.example.com/in"}))).await;
    ninth.expect_problem(409, "too-many-endpoints");
}

#[tokio::test]
async fn plain_http_is_for_demos() {
    let plain = json!({"url": "http://127.0.0.1:9000/hooks"});
    let stage = Stage::new().await;
    let refused = stage.send_once(Call::post(ALL).json(&plain)).await;
    assert_eq!(refused.line(), "400 invalid-request [url must begin with https://]");
    let made = stage.endpoint().await;
    let patch = stage.send(Call::new("PATCH", ONE).part("id", id(&made)).json(&plain)).await;
    assert_eq!(patch.line(), "400 invalid-request [url must begin with https://]");
    let demo = Stage::with(Setup { profile: Profile::Demo, ..Setup::default() }).await;
    demo.send_once(Call::post(ALL).json(&plain)).await.expect(201);
}
