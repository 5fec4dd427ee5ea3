//! Holders and the links for their first devices.

use serde_json::json;

use super::call::{Call, redacted};
use super::stage::{HOUR, Setup, Stage};
use countersign::domain::backend::Scope;
use countersign::domain::details::Subject;
use countersign::service::{Profile, freeze, links};

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

#[tokio::test]
async fn an_erased_holder_is_gone_and_their_subject_is_taken() {
    let stage = Stage::new().await;
    let busy = stage.pending().await;
    let subject = busy["subject"].as_str().unwrap().to_owned();
    let erase = |name: &str| Call::new("DELETE", ONE).part("subject", name);
    stage.send(erase(&subject)).await.expect_problem(409, "holder-busy");
    for approval in [stage.cooling().await, stage.released().await] {
        let holder = approval["subject"].as_str().unwrap().to_owned();
        stage.send(erase(&holder)).await.expect_problem(409, "holder-busy");
    }
    let id = busy["id"].as_str().unwrap();
    stage.send(Call::post("/v1/approvals/{id}/cancel").part("id", id)).await.expect(200);
    let holder = stage.send(Call::get(ONE).part("subject", &subject)).await.expect(200);

    let (_, others) =
        stage.further_key(&Scope::ALL.map(|scope| if scope == Scope::Erase { Scope::Read } else { scope })).await;
    let refused = erase(&subject).key(&others).send(stage.at).await.expect_problem(403, "scope-missing");
    assert_eq!(refused["scope"], "erase");
    let theirs = erase(&subject).key(&stage.stranger().await).send(stage.at).await;
    theirs.expect_problem(404, "unknown-holder");
    let theirs = erase(holder["id"].as_str().unwrap()).key(&stage.stranger().await).send(stage.at).await;
    theirs.expect_problem(404, "unknown-holder");

    let first = stage.send(erase(holder["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&first["id"], &first["erased_at"]), (&holder["id"], &json!("2026-11-21T14:32:00Z")));
    stage.clock.advance(HOUR);
    assert_eq!(stage.send(erase(&subject)).await.expect(200), first);
    stage.send(Call::get(ONE).part("subject", &subject)).await.expect_problem(404, "unknown-holder");
    let transfer = stage.transfer(&subject);
    stage.send_once(Call::post("/v1/approvals").json(&transfer)).await.expect_problem(404, "unknown-holder");
    let again = json!({"subject": subject, "channels": [{"kind": "email", "address": "marta@example.org"}]});
    stage.send_once(Call::post(ALL).json(&again)).await.expect_problem(409, "duplicate-subject");
}

#[tokio::test]
async fn a_frozen_holder_is_not_erased() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let named = Subject::parse(&subject).unwrap();
    let holder = stage.cx.store.holder(stage.backend, &named).await.unwrap().unwrap();
    let lock = links::lock_page(&stage.cx, holder.id).unwrap();
    freeze::by_lock_link(&stage.cx, lock.path_segments().unwrap().next_back().unwrap()).await.unwrap();
    let erase = Call::new("DELETE", ONE).part("subject", &subject);
    stage.send(erase.clone()).await.expect_problem(409, "holder-frozen");
    // It ends after a day, and then nothing stands in the way.
    stage.clock.advance(25 * HOUR);
    freeze::turn(&stage.cx).await.unwrap();
    stage.send(erase).await.expect(200);
}
