//! Hostile requests to what `api::hostile` leaves out: the holder's pages, the console, the identity provider, and what
//! every program may read. Whoever may use a route sends the garbage there, so that it meets nothing that would refuse it
//! before; each is told in a stable way, leaves the record as it was, and the right request does its work right after.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::expected::{EXPECTED, Expected, Gate};
use super::people::Caller;
use super::requests::Body;
use super::world::{Told, World};
use crate::support::hostile;

/// As what a failure is told: to a script, to an identity provider, to a person.
const TOLD_AS: [&str; 3] = ["application/problem+json", "application/scim+json", "text/html; charset=utf-8"];
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Every route but those of the API, which `api::hostile` has.
fn routes() -> impl Iterator<Item = &'static Expected> {
    EXPECTED.iter().filter(|(listener, _, path, _)| *listener == "console" || !path.starts_with("/v1/"))
}

/// Somebody who gets in at a route, as far as anybody does.
fn whoever(world: &World, (_, _, path, gate): &Expected) -> Caller {
    let name = match gate {
        Gate::Open | Gate::Link(_) => "anonymous",
        Gate::Only(names) | Gate::Signature(names) => {
            let otherwise = if path.starts_with("/scim/") { "directory" } else { "device" };
            names.first().copied().unwrap_or(otherwise)
        }
    };
    world.everybody().into_iter().find(|caller| caller.name == name).expect("somebody who gets in")
}

fn address(world: &World, (_, _, path, gate): &Expected) -> String {
    match gate {
        Gate::Link(kind) => world.link(path, *kind),
        Gate::Open | Gate::Only(_) | Gate::Signature(_) => world.address(path),
    }
}

/// One line for each answer that came, with what was answered so.
fn lines(answers: BTreeMap<String, Vec<String>>) -> String {
    answers.into_iter().map(|(answer, cases)| format!("  {answer}: {}\n", cases.join(", "))).collect()
}

fn line(told: &Told) -> String {
    let problem: Value = serde_json::from_str(&told.text).unwrap_or(Value::Null);
    let kind = problem["type"].as_str().and_then(|kind| kind.rsplit('/').next()).map(str::to_owned);
    let scim = problem["scimType"].as_str().map(|kind| format!("scim {kind}"));
    let page = told.kind.starts_with("text/html").then(|| "a page".to_owned());
    let named = kind.or(scim).or(page).unwrap_or_else(|| told.kind.clone());
    format!("{} {named}", told.status)
}

/// What an attack is called, where it goes, and its body with the media type.
type Case<'a> = (String, String, (&'a str, Vec<u8>));

/// Sends all at once, and reports. What is refused must be told as such things are told here.
async fn attack(world: &World, row: &Expected, cases: Vec<Case<'_>>) -> BTreeMap<String, Vec<String>> {
    let by = whoever(world, row);
    let (names, sent): (Vec<_>, Vec<_>) =
        cases.into_iter().map(|(name, address, body)| (name, (address, body))).unzip();
    let before = world.record().await;
    let by = &by;
    let answers = sent.into_iter().map(|(address, body)| async move {
        world.send((row.0, row.1, &address), Some(body).filter(|(kind, _)| !kind.is_empty()), by).await
    });
    let answers = join_all(answers).await;
    let mut report: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, told) in names.into_iter().zip(&answers) {
        let place = format!("{} {}, {name}: {} {}", row.1, row.2, told.status, world.hide(&told.text));
        assert!((400..500).contains(&told.status), "{place}");
        assert!(TOLD_AS.contains(&told.kind.as_str()), "{place} as {}", told.kind);
        report.entry(line(told)).or_default().push(name);
    }
    let after = world.record().await;
    let changed: Vec<_> = before.keys().filter(|table| before[*table] != after[*table]).collect();
    assert!(changed.is_empty(), "{} {}: {changed:?} changed", row.1, row.2);
    report
}

/// The request that is right, after all the others: it is understood, and lets in whom it should.
async fn works(world: &World, row: &Expected, body: &Body) {
    let (by, address) = (whoever(world, row), address(world, row));
    let (status, text) = world.ask(row.0, row.1, &address, body, &by).await;
    let place = format!("{} {} right after: {status} {}", row.1, row.2, world.hide(&text));
    let lets_in = match row.3 {
        // Whether there is something yet is another matter.
        Gate::Open => super::keeps_out(row.3, status) && status < 500,
        Gate::Signature([]) | Gate::Only([]) => (400..500).contains(&status),
        Gate::Link(_) | Gate::Only(_) | Gate::Signature(_) => super::lets_in(status),
    };
    assert!(lets_in, "{place}");
    for misread in
        ["malformed-json", "unsupported-media-type", "too-large", "isn't as the page sends it", "bad-request"]
    {
        assert!(!text.contains(misread), "{place}");
    }
}

/// Each object of a body, by the pointer to it.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            for (name, member) in members {
                objects(member, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                objects(item, &format!("{at}/{place}"), found);
            }
        }
        _ => {}
    }
}

/// The text of a body in which one object has a name twice.
fn twice(body: &Value, object: &str, name: &str, value: &Value) -> Vec<u8> {
    let mut body = body.clone();
    let members = body.pointer_mut(object).and_then(Value::as_object_mut).expect("an object");
    members.insert("zz-here".to_owned(), json!(1));
    members.entry(name.to_owned()).or_insert_with(|| value.clone());
    body.to_string().replace("\"zz-here\":1", &format!("\"{name}\":{value}")).into_bytes()
}

/// One change of one thing each.
fn changes(path: &str, body: &Value) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut places = Vec::new();
    objects(body, "", &mut places);
    for place in &places {
        all.push((format!("{place}/zz twice"), twice(body, place, "zz", &json!(1))));
        let members = body.pointer(place).and_then(Value::as_object).expect("an object");
        for (name, value) in members {
            all.push((format!("{place}/{name} twice"), twice(body, place, name, value)));
        }
    }
    // What a provider may leave out or add is its own business.
    if path.starts_with("/scim/") {
        return all;
    }
    for (name, value) in body.as_object().expect("an object") {
        let mut wrong = vec![("a number", json!(7)), ("a truth", json!(true)), ("a list of lists", json!([[]]))];
        if !value.is_object() {
            wrong.push(("an object", json!({"x": 1})));
        }
        if !value.is_string() {
            wrong.push(("a text", json!("x")));
        }
        for (what, other) in wrong {
            let mut changed = body.clone();
            changed[name] = other;
            all.push((format!("/{name} {what}"), changed.to_string().into_bytes()));
        }
        // Who founds a deployment has no code, so leaving it out is a try.
        if name != "code" {
            let mut less = body.clone();
            less.as_object_mut().expect("an object").remove(name);
            all.push((format!("no /{name}"), less.to_string().into_bytes()));
        }
    }
    all
}

fn of_json(path: &str, body: &Value) -> Vec<(String, &'static str, Vec<u8>)> {
    let mut cases: Vec<_> = hostile::bodies().into_iter().map(|(case, body)| (case.to_owned(), JSON, body)).collect();
    cases.extend([("empty".to_owned(), JSON, Vec::new()), ("blank".to_owned(), JSON, b" ".to_vec())]);
    let good = body.to_string().into_bytes();
    for kind in ["text/plain", FORM, "multipart/form-data; boundary=x", "application/json; charset=utf-16"] {
        cases.push((kind.to_owned(), kind, good.clone()));
    }
    cases.extend(changes(path, body).into_iter().map(|(case, body)| (case, JSON, body)));
    cases
}

fn of_form(fields: &[(&'static str, String)]) -> Vec<(String, &'static str, Vec<u8>)> {
    let text = |fields: &[(&str, String)]| -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    };
    let good = text(fields);
    let with = |more: &str| if good.is_empty() { more.to_owned() } else { format!("{good}&{more}") };
    let many = (0..70).map(|n| format!("f{n}=1")).collect::<Vec<_>>().join("&");
    let (first, long) = (fields.first().map_or("about", |(name, _)| *name), "x".repeat(20_000));
    let mut cases: Vec<(String, &'static str, Vec<u8>)> = [
        ("a name twice", format!("{first}=a&{}", with(&format!("{first}=b")))),
        ("an unknown name", with("zzz=1")),
        ("JSON", "{\"reason\":\"x\"}".to_owned()),
        ("no UTF-8", with("zzz=%FF%FE")),
        ("a NUL", with("zzz=%00")),
        ("too many", with(&many)),
        ("too large", with(&format!("zzz={long}"))),
    ]
    .map(|(case, text)| (case.to_owned(), FORM, text.into_bytes()))
    .into();
    cases.push(("raw bytes".to_owned(), FORM, b"\xff\xfe=\xff".to_vec()));
    for kind in ["text/plain", JSON, "multipart/form-data; boundary=x"] {
        cases.push((kind.to_owned(), kind, good.clone().into_bytes()));
    }
    for name in fields.iter().map(|(name, _)| *name) {
        let less: Vec<_> = fields.iter().filter(|(other, _)| *other != name).cloned().collect();
        cases.push((format!("no {name}"), FORM, text(&less).into_bytes()));
        let broken: Vec<_> = fields.iter().filter(|(other, _)| *other != name).cloned().collect();
        cases.push((format!("{name}, no UTF-8"), FORM, format!("{}&{name}=%FF", text(&broken)).into_bytes()));
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies() {
    let (mut world, _alive) = World::new().await;
    let mut report = String::new();
    for row in routes() {
        world.prepare(row).await;
        let body = world.body(row).await;
        let cases = match &body {
            Body::Nothing => continue,
            Body::Json(json) => of_json(row.2, json),
            Body::Form(fields) => of_form(fields),
        };
        let to = address(&world, row);
        let cases = cases.into_iter().map(|(case, kind, bytes)| (case, to.clone(), (kind, bytes))).collect();
        let answers = attack(&world, row, cases).await;
        works(&world, row, &body).await;
        report += &format!("{} {}\n{}", row.1, row.2, lines(answers));
    }
    insta::assert_snapshot!("hostile_bodies_of_pages", report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths() {
    let (mut world, _alive) = World::new().await;
    let mut report = String::new();
    for row in routes().filter(|(_, _, path, _)| path.contains('{')) {
        world.prepare(row).await;
        let body = world.body(row).await;
        let (kind, bytes) = match &body {
            Body::Nothing => ("", Vec::new()),
            Body::Json(json) => (JSON, json.to_string().into_bytes()),
            Body::Form(fields) => {
                let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                (FORM, text.into_bytes())
            }
        };
        let right = address(&world, row);
        let mut cases = Vec::new();
        // The pattern's parts stand at the same places in the address.
        for (place, part) in row.2.split('/').enumerate().filter(|(_, part)| part.starts_with('{')) {
            for (case, garbage) in hostile::path_parts() {
                let mut parts: Vec<&str> = right.split('/').collect();
                parts.truncate(if part.contains(':') { place + 1 } else { parts.len() });
                parts[place] = &garbage;
                cases.push((format!("{part} {case}"), parts.join("/"), (kind, bytes.clone())));
            }
        }
        report += &format!("{} {}\n{}", row.1, row.2, lines(attack(&world, row, cases).await));
        works(&world, row, &body).await;
    }
    insta::assert_snapshot!("hostile_paths_of_pages", report);
}

/// A page takes no parameters, and garbage there changes nothing: either it is refused, or the answer is the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries() {
    let (mut world, _alive) = World::new().await;
    let long = format!("zzz={}", "a".repeat(5_000));
    let garbage =
        ["zzz=1", "zzz", "%00=1", "before=%FF", "about=%E2%80%AEx", "from=a&from=a", "filter=x&filter=y", &long];
    for row in routes().filter(|(_, method, ..)| *method == "GET") {
        world.prepare(row).await;
        let (by, right) = (whoever(&world, row), address(&world, row));
        let before = world.record().await;
        let usual = world.send((row.0, row.1, &right), None, &by).await.status;
        for query in garbage {
            let mark = if right.contains('?') { '&' } else { '?' };
            let told = world.send((row.0, row.1, &format!("{right}{mark}{query}")), None, &by).await;
            let refused = (400..500).contains(&told.status) && TOLD_AS.contains(&told.kind.as_str());
            assert!(told.status == usual || refused, "{} {query:.40}: {} {}", row.2, told.status, told.kind);
        }
        // A look at a case is written down once, whatever stands behind its address.
        let after = world.record().await;
        let changed: Vec<_> =
            before.keys().filter(|table| before[*table] != after[*table] && *table != "staff_views").collect();
        assert!(changed.is_empty(), "{}: {changed:?} changed", row.2);
    }
}
