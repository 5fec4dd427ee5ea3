//! Hostile requests to every route: paths, queries, headers, and bodies as such. What is wrong with single fields is in
//! `hostile_bodies`. After each attack the same route still answers a request that is right.

use countersign::web::api::{Access, ROUTES, Route};
use futures_util::future::join_all;

use super::access::clear_endpoints;
use super::call::Call;
use super::good::{good, is_create, name, takes_body};
use super::stage::Stage;
use crate::support::hostile;

/// Sends the cases all at once between two good requests, and reports a line for each.
async fn attack(stage: &Stage, route: &Route, cases: Vec<(String, Call)>) -> String {
    let (before, after) = (good(stage, route).await, good(stage, route).await);
    let (names, calls): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let sent = join_all(calls.iter().map(|call| call.send(stage.at)));
    let (first, answers, last) = tokio::join!(sent_with_key(stage, before), sent, sent_with_key(stage, after));
    for neighbour in [first, last] {
        assert!(neighbour < 300, "{}: a neighbour got {neighbour}", name(route));
    }
    clear_endpoints(stage).await;
    let lines = names.iter().zip(&answers).map(|(case, answer)| format!("  {case}: {}\n", answer.line()));
    format!("{}\n{}", name(route), lines.collect::<String>())
}

async fn sent_with_key(stage: &Stage, call: Call) -> u16 {
    stage.send(call).await.status
}

fn keyed() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.access != Access::Public)
}

#[tokio::test]
async fn paths() {
    let stage = Stage::new().await;
    let mut garbage = hostile::path_parts();
    let dots = garbage.iter().position(|(case, _)| *case == "dots").unwrap();
    garbage.insert(dots + 1, ("encoded dots", "%2e%2e".to_owned()));
    let mut report = String::new();
    for route in keyed().filter(|route| route.path.contains('{')) {
        let call = good(&stage, route).await.key(&stage.key);
        let parts: Vec<&str> = route.path.split('/').filter(|part| part.starts_with('{')).collect();
        let mut cases = Vec::new();
        for part in parts {
            let part = part.trim_matches(['{', '}']);
            // The other parts are right.
            let with = |value: &str| call.clone().raw_part(part, value);
            cases.extend(garbage.iter().map(|(case, value)| (format!("{part}, {case}"), with(value))));
        }
        report += &attack(&stage, route, cases).await;
    }
    insta::assert_snapshot!("hostile_paths", report);
}

#[tokio::test]
async fn queries() {
    let stage = Stage::new().await;
    let long = format!("cursor={}", "a".repeat(5_000));
    let many = (0..70).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
    let garbage = [
        ("unknown", "zzz=1"),
        ("a name alone", "zzz"),
        ("twice", "limit=1&limit=1"),
        ("twice, encoded", "limit=1&%6cimit=1"),
        ("NUL", "%00=1"),
        ("no UTF-8", "state=%FF"),
        ("bidi", "subject=%E2%80%AEx"),
        ("zero width", "transfer_id=a%E2%80%8B"),
        ("a bad state", "state=done"),
        ("a bad cursor", "cursor=apr_1"),
        ("limit 0", "limit=0"),
        ("limit 101", "limit=101"),
        ("limit -1", "limit=-1"),
        ("limit 1e1", "limit=1e1"),
        ("limit huge", "limit=99999999999999999999"),
        ("limit empty", "limit="),
        ("version -1", "version=-1"),
        ("too long", &long),
        ("too many", &many),
    ];
    let mut report = String::new();
    for route in keyed() {
        let call = good(&stage, route).await.key(&stage.key);
        let cases = garbage.iter().map(|(case, query)| ((*case).to_owned(), call.clone().query(query)));
        report += &attack(&stage, route, cases.collect()).await;
    }
    insta::assert_snapshot!("hostile_queries", report);
}

#[tokio::test]
async fn idempotency_keys() {
    let stage = Stage::new().await;
    let mut report = String::new();
    for route in keyed().filter(|route| is_create(route)) {
        let call = good(&stage, route).await.key(&stage.key).without("idempotency-key");
        let with = |value: &[u8]| call.clone().header("Idempotency-Key", value);
        let cases = [
            ("missing", call.clone()),
            ("empty", with(b"")),
            ("a space inside", with(b"a b")),
            ("129 characters", with("k".repeat(129).as_bytes())),
            ("no ASCII", with("clé".as_bytes())),
            ("no UTF-8", with(b"\xff")),
            ("a tab", with(b"a\tb")),
            ("two", with(b"a").header("Idempotency-Key", "b")),
        ];
        report += &attack(&stage, route, cases.map(|(case, call)| (case.to_owned(), call)).into()).await;
    }
    insta::assert_snapshot!("hostile_idempotency_keys", report);
}

#[tokio::test]
async fn bodies_as_such() {
    let stage = Stage::new().await;
    let padded = format!("{{}}{}", " ".repeat(16_383));
    let bodies = hostile::bodies();
    let mut report = String::new();
    for route in keyed().filter(|route| route.method != "GET") {
        let call = good(&stage, route).await.key(&stage.key);
        let mut cases: Vec<(String, Call)> =
            bodies.iter().map(|(case, body)| ((*case).to_owned(), call.clone().raw_json(body.clone()))).collect();
        cases.push(("one byte too many".to_owned(), call.clone().raw_json(padded.as_bytes())));
        if takes_body(route) {
            cases.push(("empty".to_owned(), call.clone().raw_json("")));
            cases.push(("blank".to_owned(), call.clone().raw_json(" ")));
        }
        report += &attack(&stage, route, cases).await;
    }
    insta::assert_snapshot!("hostile_bodies_as_such", report);
}

#[tokio::test]
async fn content_types() {
    let stage = Stage::new().await;
    let kinds = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; x=y",
        "application/problem+json",
        "json",
        "",
    ];
    let mut report = String::new();
    for route in keyed().filter(|route| route.method != "GET") {
        let call = good(&stage, route).await.key(&stage.key).without("content-type");
        let call = if takes_body(route) { call } else { call.body("{}") };
        let mut cases = vec![("none".to_owned(), call.clone())];
        cases.extend(kinds.iter().map(|kind| ((*kind).to_owned(), call.clone().header("Content-Type", kind))));
        let packed = call.clone().header("Content-Type", "application/json").header("Content-Encoding", "gzip");
        cases.push(("gzip".to_owned(), packed));
        report += &attack(&stage, route, cases).await;
    }
    insta::assert_snapshot!("hostile_content_types", report);
}

#[tokio::test]
async fn json_says_its_charset_if_it_likes() {
    let stage = Stage::new().await;
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        let subject = stage.enrolled().await;
        let call = Call::post("/v1/approvals").json(&stage.transfer(&subject)).without("content-type");
        stage.send_once(call.header("Content-Type", kind)).await.expect(201);
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let mut body = stage.transfer(&subject).to_string();
    body.push_str(&" ".repeat(16_384 - body.len()));
    stage.send_once(Call::post("/v1/approvals").raw_json(body)).await.expect(201);
}
