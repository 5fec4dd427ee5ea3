//! What a request leaves in the log: its id and the route's pattern, and nothing that could be a secret.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use countersign::service::links;
use countersign::web::extract::TrustedProxies;
use countersign::web::{request_id, routes};
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::stage::{Record, Setup, Stage};

/// Log lines, kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Kept {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8(bytes.clone()).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}

/// Answers one request on this thread, whose log is kept.
async fn answered(stage: &Stage, request: TestRequest) -> (ServiceResponse, Vec<Value>) {
    let app = App::new()
        .app_data(web::Data::new(stage.cx.clone()))
        .app_data(web::Data::new(TrustedProxies(Vec::new())))
        .configure(routes::configure)
        .wrap(from_fn(request_id::trace));
    let app = init_service(app).await;
    let kept = Kept::default();
    let log = tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(kept.clone()).finish();
    let guard = tracing::subscriber::set_default(log);
    let answer = call_service(&app, request.to_request()).await;
    drop(guard);
    (answer.map_into_boxed_body(), kept.lines().into_iter().filter(|line| line["span"]["name"] == "request").collect())
}

fn get(stage: &Stage, path: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header(("authorization", format!("Bearer {}", stage.key)))
}

#[tokio::test]
async fn a_line_has_the_id_and_the_pattern_and_no_secret() {
    let stage = Stage::new().await;
    let approval = stage.pending().await;
    let id = approval["id"].as_str().unwrap();
    let path = format!("/v1/approvals/{id}?wait=0&version=4242");
    let (answer, lines) = answered(&stage, get(&stage, &path)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let request_id = answer.headers().get("x-request-id").unwrap().to_str().unwrap();
    let line = lines.iter().find(|line| line["fields"]["message"] == "answered").expect("a line");
    assert_eq!(line["span"]["request.id"], request_id);
    assert_eq!(line["span"]["http.method"], "GET");
    assert_eq!(line["span"]["approval.id"], id);
    assert_eq!(line["fields"]["http.route"], "/v1/approvals/{id}");
    assert_eq!(line["fields"]["http.status"], 200);
    assert!(line["fields"]["latency_us"].is_u64());
    let text = format!("{lines:?}");
    assert!(!text.contains(&stage.key) && !text.contains("4242"), "{text}");
}

#[tokio::test]
async fn a_refusal_names_no_path() {
    let stage = Stage::new().await;
    for path in ["/v1/holders/somebody-special?token=abc", "/v1/nothing/token-abc", "/v1/approvals/token-abc"] {
        let (_, lines) = answered(&stage, get(&stage, path)).await;
        assert!(lines.iter().any(|line| line["fields"]["message"] == "refused"), "{lines:?}");
        let text = format!("{lines:?}");
        assert!(!text.contains("abc") && !text.contains("special"), "{text}");
    }
}

#[tokio::test]
async fn the_inside_of_a_fault_is_logged_once_and_told_to_nobody() {
    let stage = Stage::with(Setup { record: Record::Sqlite, ..Setup::default() }).await;
    stage.lose_record().await;
    let (answer, lines) = answered(&stage, get(&stage, "/v1/approvals")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let faults: Vec<&Value> = lines.iter().filter(|line| line["fields"]["error"].is_string()).collect();
    assert_eq!(faults.len(), 1, "{lines:?}");
    let inside = faults[0]["fields"]["error"].as_str().unwrap();
    assert!(inside.contains("unavailable: "), "the chain of causes: {inside}");
    let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
    assert!(!body.to_lowercase().contains("pool") && !body.contains("store"), "{body}");
}

/// The one line about a transition, wherever it stands.
fn stored(lines: &[Value]) -> &Value {
    let mut stored = lines.iter().filter(|line| line["fields"]["message"] == "stored");
    let line = stored.next().unwrap_or_else(|| panic!("no transition in {lines:?}"));
    assert!(stored.next().is_none(), "{lines:?}");
    line
}

#[tokio::test]
async fn every_stored_transition_is_a_line_with_its_approval() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let body = stage.transfer(&subject);
    let create = TestRequest::post()
        .uri("/v1/approvals")
        .insert_header(("authorization", format!("Bearer {}", stage.key)))
        .insert_header(("idempotency-key", "a-create-of-its-own"))
        .set_json(&body);
    let (answer, lines) = answered(&stage, create).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let view: Value = serde_json::from_slice(&read_body(answer).await).unwrap();
    let id = view["id"].as_str().unwrap();
    let line = stored(&lines);
    assert_eq!(line["level"], "INFO");
    assert_eq!((&line["fields"]["approval.id"], &line["fields"]["state"]), (&view["id"], &Value::from("pending")));
    assert_eq!((&line["fields"]["reason"], &line["fields"]["version"]), (&Value::from(""), &Value::from(1)));
    let last = lines.iter().find(|line| line["fields"]["message"] == "answered").expect("a line");
    assert_eq!(last["span"]["approval.id"], view["id"], "the create says what it made");

    let waiting = view["waiting_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let cancel = links::cancel_page(&stage.cx, id.parse().unwrap()).unwrap();
    let stop = cancel.path_segments().unwrap().next_back().unwrap().to_owned();
    let cookie = format!("cs-device={subject}");
    let device = |path: &str| TestRequest::get().uri(path).insert_header(("cookie", cookie.clone()));
    let pages = [
        device(&format!("/a/{id}")),
        device(&format!("/a/{id}/status")),
        device(&format!("/w/{waiting}")),
        device(&format!("/c/{stop}")),
    ];
    let mut all = lines;
    for request in pages {
        let (answer, lines) = answered(&stage, request).await;
        assert_eq!(answer.status(), StatusCode::OK, "{lines:?}");
        let line = lines.iter().find(|line| line["fields"]["http.route"].is_string()).expect("a line");
        assert_eq!(line["span"]["approval.id"], id);
        all.extend(lines);
    }
    let rejected = TestRequest::post()
        .uri(&format!("/a/{id}/reject"))
        .insert_header(("cookie", cookie.clone()))
        .insert_header(("sec-fetch-site", "same-origin"))
        .insert_header(("origin", "http://localhost"));
    let (answer, lines) = answered(&stage, rejected).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let line = stored(&lines);
    assert_eq!((&line["fields"]["approval.id"], &line["span"]["approval.id"]), (&view["id"], &view["id"]));
    assert_eq!(line["fields"]["state"], "rejected");
    assert_eq!(line["fields"]["reason"], "holder_rejected");
    assert_eq!(line["fields"]["version"], 2);
    all.extend(lines);

    let text = format!("{all:?}");
    for secret in [stage.key.as_str(), &waiting, &stop, &cookie, "12500", "Marta", "PL61109010140000071219812874"] {
        assert!(!text.contains(secret), "{secret} is in the log: {text}");
    }
}
