//! Holders and the links for their first devices.

use serde_json::json;

use super::call::{Call, redacted};
use super::stage::{Setup, Stage};
use countersign::service::Profile;

const ALL: &str = "/v1/holders";
const ONE: &str = "/v1/holders/{subject}";
const ENROLMENTS: &str = "/v1/holders/{subject}/enrolments";

#[tokio::test]
async fn a_holder_is_created_once_and_read_masked() {
    let stage = Stage::new().await;
    let body = json!({"subject": "u/77", "channels": [
        {"kind": "email", "address": "marta@example.org"},
        {"kind": "email", "address": "m.nowak@work.example"},
    ]});
    let call = Call::post(ALL).json(&body).once("h-1");
    let first = stage.send(call.clone()).await;
    insta::assert_json_snapshot!("holder_created", redacted(first.expect(201)));
    let again = stage.send(call).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    stage.send(Call::post(ALL).json(&body).once("h-2")).await.expect_problem(409, "duplicate-subject");

    // A slash in a subject travels encoded.
    let read = stage.send(Call::get(ONE).part("subject", "u/77")).await.expect(200);
    assert_eq!(read["subject"], "u/77");
    assert!(!read.to_string().contains("marta@example.org"));
    stage.send(Call::get(ONE).part("subject", "u-78")).await.expect_problem(404, "unknown-holder");

    let other = Call::get(ONE).part("subject", "u/77").key(&stage.stranger().await).send(stage.at).await;
    other.expect_problem(404, "unknown-holder");
}

#[tokio::test]
async fn a_holder_shows_its_devices() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let read = stage.send(Call::get(ONE).part("subject", &subject)).await.expect(200);
    insta::assert_json_snapshot!("holder_with_device", redacted(read));
}

#[tokio::test]
async fn channels_are_of_the_kinds_that_the_deployment_has() {
    let inbox = json!({"subject": "u-1", "channels": [{"kind": "inbox", "name": "marta"}]});
    let stage = Stage::new().await;
    let refused = stage.send_once(Call::post(ALL).json(&inbox)).await;
    assert_eq!(refused.line(), "400 invalid-request [channels this kind can't be registered here]");
    let nine = json!({"subject": "u-1", "channels": vec![json!({"kind": "email", "address": "a@b.example"}); 9]});
    assert_eq!(
        stage.send_once(Call::post(ALL).json(&nine)).await.line(),
        "400 invalid-request [channels must be 1 to 8]"
    );
    let none = json!({"subject": "u-1", "channels": []});
    assert_eq!(
        stage.send_once(Call::post(ALL).json(&none)).await.line(),
        "400 invalid-request [channels must be 1 to 8]"
    );

    let demo = Stage::with(Setup { profile: Profile::Demo, ..Setup::default() }).await;
    demo.send_once(Call::post(ALL).json(&inbox)).await.expect(201);
}

#[tokio::test]
async fn an_enrolment_is_a_link_and_its_picture() {
    let stage = Stage::new().await;
    let subject = stage.holder().await;
    let call = Call::post(ENROLMENTS).part("subject", &subject).once("e-1");
    let first = stage.send(call.clone()).await;
    let body = first.expect(201);
    assert!(body["url"].as_str().unwrap().starts_with("http://localhost/e/"));
    assert!(body["qr_svg"].as_str().unwrap().contains("<svg"));
    assert_eq!(body["expires_at"], "2026-11-21T14:42:00Z");
    let again = stage.send(call).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));

    // The answer carries a secret: it isn't stored as it is.
    let token = body["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let stored = stage.memory.look(|record| format!("{:?}", record.remembered));
    assert!(!stored.contains(&token));

    // An empty object is as good as no body, but it is another request.
    let with_body = Call::post(ENROLMENTS).part("subject", &subject).raw_json("{}");
    stage.send(with_body.clone().once("e-1")).await.expect_problem(422, "idempotency-mismatch");
    stage.send(with_body.once("e-2")).await.expect(201);
}

#[tokio::test]
async fn only_the_first_device_is_enrolled_by_the_backend() {
    let stage = Stage::new().await;
    let enrolled = stage.enrolled().await;
    let call = Call::post(ENROLMENTS).part("subject", &enrolled);
    stage.send_once(call).await.expect_problem(409, "already-enrolled");
    let nobody = Call::post(ENROLMENTS).part("subject", "nobody");
    stage.send_once(nobody).await.expect_problem(404, "unknown-holder");
}
