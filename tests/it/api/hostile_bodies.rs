//! Hostile fields: each case changes one thing of a request that is right, and is sent at the same time as one that
//! stays right. The record is a database, so that both may meet in one commit: SQLite, and PostgreSQL for what its own
//! types could take otherwise.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::call::Call;
use super::stage::{Record, Setup, Stage};

const CREATE: &str = "/v1/approvals";

async fn stage_on(record: Record) -> Stage {
    Stage::with(Setup { record, ..Setup::default() }).await
}

/// A change of one field: where, and what it becomes (`None`: it goes).
type Change = (&'static str, Option<Value>);

fn changed(mut body: Value, (place, value): &Change) -> Value {
    let (parent, name) = place.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    match value {
        Some(value) => parent.insert(name.to_owned(), value.clone()),
        None => parent.remove(name),
    };
    body
}

/// Sends each change with a right request beside it, all at once, and reports a line for each.
async fn report(stage: &Stage, changes: &[Change]) -> String {
    let mut pairs = Vec::new();
    for change in changes {
        let subject = stage.enrolled().await;
        let right = stage.transfer(&subject);
        let wrong = changed(stage.transfer(&subject), change);
        let call = |body: &Value| Call::post(CREATE).json(body).once(&stage.name("hostile")).key(&stage.key);
        pairs.push((call(&wrong), call(&right)));
    }
    let sent = pairs.iter().map(|(wrong, right)| async { tokio::join!(wrong.send(stage.at), right.send(stage.at)) });
    let answers = join_all(sent).await;
    let lines = changes.iter().zip(&answers).map(|((place, value), (wrong, right))| {
        let place = place.escape_default();
        let shown = value.as_ref().map_or_else(|| "nothing".to_owned(), shown);
        assert_eq!(right.status, 201, "the neighbour of {place} {shown}: {}", right.text);
        format!("{place} {shown}: {}\n", wrong.line())
    });
    lines.collect()
}

/// A value in plain ASCII, not too long.
fn shown(value: &Value) -> String {
    let text: String = value.to_string().chars().flat_map(|c| c.escape_default()).collect();
    let text = text.replace("\\\"", "\"").replace("\\\\", "\\");
    if text.len() > 60 { format!("{}… ({} characters)", &text[..40], text.len()) } else { text }
}

fn some(place: &'static str, values: impl IntoIterator<Item = Value>) -> Vec<Change> {
    values.into_iter().map(|value| (place, Some(value))).collect()
}

fn amounts_and_units() -> Vec<Change> {
    let amounts = [
        json!("-1"),
        json!("0"),
        json!("0.00"),
        json!("1e3"),
        json!("NaN"),
        json!("1e309"),
        json!("Infinity"),
        json!("1.234"),
        json!("01"),
        json!(".5"),
        json!("5."),
        json!("1,000"),
        json!(" 1"),
        json!("+1"),
        json!("0x10"),
        json!("\u{0663}"),
        json!("1\u{200b}0"),
        json!("1\u{0}"),
        json!(""),
        json!("1000000000000000000"),
        json!("9".repeat(400)),
        json!(12500),
        json!(12500.5),
        json!(-1),
        json!(1e300),
        json!(true),
        json!(["1"]),
        json!({"value": "1"}),
    ];
    let mut changes = some("/amount", amounts);
    changes.extend([("/amount", Some(Value::Null)), ("/amount", None)]);
    let currencies = [
        json!("XYZ"),
        json!("eur"),
        json!("XAU"),
        json!("EURO"),
        json!(""),
        json!("E\u{200b}UR"),
        json!(978),
        json!([]),
    ];
    changes.extend(some("/currency", currencies));
    changes.push(("/currency", None));
    let assets = [
        json!({"network": "ethereum", "symbol": "USDC"}),
        json!({"network": "ethereum"}),
        json!({"symbol": "USDC"}),
        json!({}),
        json!("USDC"),
        json!({"network": "eth\u{202e}", "symbol": "USDC"}),
        json!({"network": "ethereum", "symbol": "USDC", "decimals": 6}),
    ];
    changes.extend(some("/asset", assets));
    changes
}

fn texts() -> Vec<Change> {
    let lines = ["/payee/name", "/source_account/label", "/reference", "/initiator/from"];
    let tokens = ["/subject", "/transfer_id", "/payee/account", "/source_account/id"];
    let hostile = [
        json!(""),
        json!(" "),
        json!("a\u{0}b"),
        json!("a\u{7}b"),
        json!("a\nb"),
        json!("a\u{85}b"),
        json!("a\u{2028}b"),
        json!("a\u{202e}b"),
        json!("a\u{2066}b\u{2069}"),
        json!("a\u{200b}b"),
        json!("a\u{200d}b"),
        json!("a\u{feff}b"),
        json!("a\u{3164}b"),
        json!("a\u{e0041}b"),
        json!("a\u{fe0f}b"),
        json!("a\u{e000}b"),
        json!("e\u{301}"),
        json!(" a"),
        json!("a "),
        json!("x".repeat(141)),
        json!(7),
        json!(false),
        json!([]),
        json!({}),
    ];
    let mut changes = Vec::new();
    for place in lines.into_iter().chain(tokens) {
        changes.extend(some(place, hostile.clone()));
    }
    for place in tokens {
        changes.extend(some(place, [json!("a b"), json!("\u{fc}"), json!("a\"b"), json!("a;b"), json!("a<b>")]));
    }
    changes
}

fn shapes() -> Vec<Change> {
    let mut changes = Vec::new();
    for place in ["/payee", "/source_account", "/initiator"] {
        changes.push((place, None));
        changes.extend(some(place, [Value::Null, json!("x"), json!([]), json!({}), json!({"zzz": 1})]));
    }
    for place in [
        "/subject",
        "/transfer_id",
        "/payee/name",
        "/payee/account",
        "/source_account/id",
        "/source_account/label",
        "/initiator/started_on",
    ] {
        changes.extend([(place, None), (place, Some(Value::Null))]);
    }
    changes.extend(some("/initiator/started_on", [json!("moon"), json!("Website"), json!(1)]));
    changes.extend(some(
        "/initiator/started_at",
        [
            json!("yesterday"),
            json!("2026-13-01T00:00:00Z"),
            json!("2026-11-21"),
            json!("2026-11-21T14:32:00"),
            json!(1),
            json!("99999-01-01T00:00:00Z"),
        ],
    ));
    changes.extend(some("/payee_history", [json!("old"), json!(true)]));
    for place in ["/hold_seconds", "/life_seconds"] {
        let numbers =
            [json!(-1), json!(1.5), json!("60"), json!(4_294_967_296_u64), json!(1e300), json!(true), json!([60])];
        changes.extend(some(place, numbers));
    }
    changes.extend(some("/life_seconds", [json!(0), json!(86_401)]));
    changes.extend(some("/zzz", [json!(1), Value::Null, json!({})]));
    changes.extend(some("/payee/zzz", [json!(1)]));
    changes.extend(some("/initiator/ip", [json!("203.0.113.1")]));
    changes.extend(some("/type", [json!("override")]));
    changes.extend(some("/salt", [json!("AAAAAAAAAAAAAAAAAAAAAA")]));
    changes.extend(some("/a\u{202e}b\u{0}", [json!(1)]));
    changes
}

async fn all_on(record: Record) {
    let stage = stage_on(record).await;
    insta::assert_snapshot!("hostile_amounts_and_units", report(&stage, &amounts_and_units()).await);
    insta::assert_snapshot!("hostile_texts", report(&stage, &texts()).await);
    insta::assert_snapshot!("hostile_shapes", report(&stage, &shapes()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_on_sqlite() {
    all_on(Record::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_on_postgres() {
    all_on(Record::Postgres).await;
}

#[tokio::test]
async fn names_that_are_there_twice() {
    let stage = stage_on(Record::Sqlite).await;
    let subject = stage.enrolled().await;
    let right = stage.transfer(&subject).to_string();
    let mut lines = Vec::new();
    for (place, twice) in [
        ("{", r#"{"amount":"1.00","#),
        (r#""payee":{"#, r#""payee":{"account":"DE02120300000000202051","#),
        (r#""initiator":{"#, r#""initiator":{"st\u0061rted_on":"app","#),
        ("{", r#"{"payee":{},"#),
    ] {
        let body = right.replacen(place, twice, 1);
        let answer = stage.send_once(Call::post(CREATE).raw_json(body)).await;
        lines.push(answer.line());
    }
    assert_eq!(
        lines,
        [
            "400 invalid-request [amount is there more than once]",
            "400 invalid-request [account is there more than once]",
            "400 invalid-request [started_on is there more than once]",
            "400 invalid-request [payee is there more than once]",
        ]
    );
    stage.send_once(Call::post(CREATE).raw_json(right)).await.expect(201);
}

#[tokio::test]
async fn everything_wrong_is_said_at_once() {
    let stage = stage_on(Record::Sqlite).await;
    let body = json!({"subject": "a b", "amount": 1, "payee": {"name": "\u{202e}"}, "zzz": 1});
    let answer = stage.send_once(Call::post(CREATE).json(&body)).await;
    insta::assert_snapshot!("everything_wrong", answer.line().replace("; ", "\n"));
}

#[tokio::test]
async fn channels_and_addresses() {
    let stage = stage_on(Record::Sqlite).await;
    let email = |address: Value| json!([{"kind": "email", "address": address}]);
    let channels = [
        Value::Null,
        json!("x"),
        json!({}),
        json!([1]),
        json!([{}]),
        json!([{"kind": "sms", "number": "+4412"}]),
        json!([{"kind": "web_push", "endpoint": "https://x"}]),
        json!([{"kind": "email"}]),
        json!([{"kind": "email", "address": "a@b.example", "name": "x"}]),
        email(json!("")),
        email(json!("a")),
        email(json!("a@b")),
        email(json!("a b@c.example")),
        email(json!("a@b.example\r\nBcc: x@y.example")),
        email(json!("a@b.example,x@y.example")),
        email(json!("\u{202e}a@b.example")),
        email(json!("a\u{0}@b.example")),
        email(json!(format!("{}@b.example", "a".repeat(65)))),
        email(json!(7)),
    ];
    let mut report = String::new();
    for channels in channels {
        let body = json!({"subject": stage.name("u"), "channels": channels});
        let answer = stage.send_once(Call::post("/v1/holders").json(&body)).await;
        report += &format!("{}: {}\n", shown(&channels), answer.line());
    }
    insta::assert_snapshot!("hostile_channels", report);
}

#[tokio::test]
async fn addresses_of_endpoints() {
    let stage = stage_on(Record::Sqlite).await;
    let urls = [
        json!(""),
        json!("x"),
        json!("//hooks.example.com"),
        json!("http://hooks.example.com/"),
        json!("ftp://x.example/"),
        json!("javascript:alert(1)"),
        json!("data:text/plain,x"),
        json!("file:///etc/passwd"),
        json!("https://"),
        json!("https://u:p@hooks.example.com/"),
        json!("https://hooks.example.com/#x"),
        json!("https://hooks.example.com:99999/"),
        json!("https://hooks.example.com/\r\nX: y"),
        json!("https://hooks.example.com/\u{0}"),
        json!("https://h\u{202e}.example/"),
        json!(" https://hooks.example.com/"),
        json!(format!("https://hooks.example.com/{}", "a".repeat(1_024))),
        json!(1),
        Value::Null,
        json!(["https://hooks.example.com/"]),
    ];
    let mut report = String::new();
    for url in urls {
        let answer = stage.send_once(Call::post("/v1/webhooks/endpoints").json(&json!({"url": url}))).await;
        report += &format!("{}: {}\n", shown(&url), answer.line());
    }
    insta::assert_snapshot!("hostile_endpoint_urls", report);
}

#[tokio::test]
async fn digests() {
    let stage = stage_on(Record::Sqlite).await;
    let approval = stage.released().await;
    let redeem = |digest: &Value| {
        let call = Call::post("/v1/approvals/{id}/redeem").part("id", approval["id"].as_str().unwrap());
        stage.send_once(call.json(&json!({"digest": digest})))
    };
    let digest = approval["digest"].as_str().unwrap();
    let bad = [
        json!(""),
        json!(digest.to_uppercase()),
        json!(format!("{digest}0")),
        json!(digest[1..]),
        json!(format!("{digest} ")),
        json!(format!("\u{200b}{digest}")),
        json!("z".repeat(64)),
        json!(0),
        Value::Null,
        json!([digest]),
    ];
    for value in &bad {
        let line = redeem(value).await.line();
        assert!(line.starts_with("400 invalid-request [digest "), "{value}: {line}");
    }
    redeem(&json!(digest)).await.expect(200);
}
