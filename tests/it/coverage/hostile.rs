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

/// What a person types on a page of ours and nothing signs: the nearest text that is fit is taken instead, which
/// [`what_a_person_typed_is_kept_tidy`] looks at. A form with a NUL in it is refused all the same.
const TIDIED: [(&str, &str); 6] = [
    ("/e/{token}/start", "/name"),
    ("/holders", "reason"),
    ("/looks/{view}/{approval}/extend", "reason"),
    ("/looks/{view}/{approval}/reveal", "reason"),
    ("/looks/{view}/{approval}/cancel", "reason"),
    ("/looks/{view}/lock", "reason"),
];
/// What a browser adds to a passkey's answer and nothing here reads: nothing signs it (WebAuthn L3 section 5.1).
const UNREAD: [&str; 4] = [
    "/assertion/authenticatorAttachment",
    "/registration/authenticatorAttachment",
    "/registration/response/authenticatorData",
    "/registration/response/transports/0",
];
/// Fields that a form may leave empty.
const OPTIONAL: [(&str, &[&str]); 2] =
    [("/audit", &["about", "by", "what", "from", "to", "before"]), ("/report", &["from", "to"])];
/// So many wrong tries in a row stop nobody yet, wherever tries are counted (design section 8).
const TRIES: usize = 4;

/// Every route but those of the API, which `api::hostile` has.
fn routes() -> impl Iterator<Item = &'static Expected> {
    EXPECTED.iter().filter(|(listener, _, path, _)| *listener == "console" || !path.starts_with("/v1/"))
}

/// Somebody who gets in at a route, as far as anybody does.
fn whoever(world: &World, (_, _, path, gate): &Expected) -> Caller {
    let name = match gate {
        Gate::Open | Gate::Link(_) | Gate::Passkey => "anonymous",
        Gate::Only(names) | Gate::Signature(names) => {
            let otherwise = if path.starts_with("/scim/") { "directory" } else { "device" };
            names.first().copied().unwrap_or(otherwise)
        }
    };
    world.caller(name)
}

fn address(world: &World, (_, _, path, gate): &Expected) -> String {
    match gate {
        Gate::Link(kind) => world.link(path, *kind),
        Gate::Open | Gate::Only(_) | Gate::Signature(_) | Gate::Passkey => world.address(path),
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

/// Sends them, a few at once, and reports. What is refused must be told as such things are told here.
async fn attack(world: &World, row: &Expected, cases: Vec<Case<'_>>, faults: &mut Vec<String>) -> String {
    let by = whoever(world, row);
    world.forget_tries().await;
    if row.2.starts_with("/cases/{case}") {
        // A refusal shows the case again, and a look at a case is written down once.
        world.ask(row.0, "GET", &world.address("/cases/{case}"), &Body::Nothing, &by).await;
    }
    let before = world.record().await;
    let mut report: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for cases in cases.chunks(TRIES) {
        let sent = cases.iter().map(|(_, address, (kind, bytes))| {
            let body = Some((*kind, bytes.clone())).filter(|(kind, _)| !kind.is_empty());
            world.send((row.0, row.1, address), body, &by)
        });
        for ((name, ..), told) in cases.iter().zip(join_all(sent).await) {
            let place = format!("{} {}, {name}: {} {}", row.1, row.2, told.status, world.hide(&told.text));
            if !(400..500).contains(&told.status) || !TOLD_AS.contains(&told.kind.as_str()) {
                faults.push(format!("{place} as {}", told.kind));
            }
            report.entry(line(&told)).or_default().push(name.clone());
        }
        // A wrong code and a wrong signature count, which is tested elsewhere; here the next must not find a lock.
        world.forget_tries().await;
    }
    let after = world.record().await;
    let changed: Vec<_> = before.keys().filter(|table| before[*table] != after[*table]).collect();
    if !changed.is_empty() {
        faults.push(format!("{} {}: {changed:?} changed", row.1, row.2));
    }
    lines(report)
}

/// The request that is right, after all the others: it does its work.
async fn works(world: &World, row: &Expected, body: &Body, faults: &mut Vec<String>) {
    let (by, address) = (whoever(world, row), address(world, row));
    let (status, text) = world.ask(row.0, row.1, &address, body, &by).await;
    let did = match row.3 {
        // Whether there is something yet is another matter.
        Gate::Open if row.1 == "GET" => super::keeps_out(row.3, status) && status < 500,
        Gate::Only([]) => status == 403,
        Gate::Open | Gate::Link(_) | Gate::Only(_) | Gate::Signature(_) | Gate::Passkey => (200..400).contains(&status),
    };
    if !did {
        faults.push(format!("{} {} right after: {status} {}", row.1, row.2, world.hide(&text)));
    }
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
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

/// Each text of a body, by the pointer to it.
fn texts(value: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((at.to_owned(), text.clone())),
        Value::Object(members) => members.iter().for_each(|(name, one)| texts(one, &format!("{at}/{name}"), found)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, one)| texts(one, &format!("{at}/{n}"), found)),
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
    let mut found = Vec::new();
    texts(body, "", &mut found);
    for (place, right) in found {
        if UNREAD.contains(&place.as_str()) || TIDIED.contains(&(path, place.as_str())) {
            continue;
        }
        for (case, text) in hostile::texts(&right) {
            let mut changed = body.clone();
            *changed.pointer_mut(&place).expect("a text") = json!(text);
            all.push((format!("{place} {case}"), changed.to_string().into_bytes()));
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

fn of_form(path: &str, fields: &[(&'static str, String)]) -> Vec<(String, &'static str, Vec<u8>)> {
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
    let optional = OPTIONAL.iter().filter(|(of, _)| *of == path).flat_map(|(_, names)| names.iter());
    let given = fields.iter().map(|(name, value)| (*name, value.as_str())).chain(optional.map(|name| (*name, "")));
    for (name, right) in given {
        let others: Vec<_> = fields.iter().filter(|(other, _)| *other != name).cloned().collect();
        for (case, value) in hostile::texts(right) {
            if case == "a NUL" || !TIDIED.contains(&(path, name)) {
                let changed = [others.clone(), vec![(name, value)]].concat();
                cases.push((format!("{name} {case}"), FORM, text(&changed).into_bytes()));
            }
        }
    }
    for name in fields.iter().map(|(name, _)| *name) {
        let less: Vec<_> = fields.iter().filter(|(other, _)| *other != name).cloned().collect();
        cases.push((format!("no {name}"), FORM, text(&less).into_bytes()));
        cases.push((format!("{name}, no UTF-8"), FORM, format!("{}&{name}=%FF", text(&less)).into_bytes()));
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies() {
    let (mut world, _alive) = World::new().await;
    let (mut report, mut faults) = (String::new(), Vec::new());
    for row in routes() {
        world.prepare(row).await;
        let body = world.body(row).await;
        let cases = match &body {
            Body::Nothing => continue,
            Body::Json(json) => of_json(row.2, json),
            Body::Form(fields) => of_form(row.2, fields),
        };
        let to = address(&world, row);
        let cases = cases.into_iter().map(|(case, kind, bytes)| (case, to.clone(), (kind, bytes))).collect();
        report += &format!("{} {}\n{}", row.1, row.2, attack(&world, row, cases, &mut faults).await);
        works(&world, row, &body, &mut faults).await;
    }
    none(&faults);
    insta::assert_snapshot!("hostile_bodies_of_pages", report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths() {
    let (mut world, _alive) = World::new().await;
    let (mut report, mut faults) = (String::new(), Vec::new());
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
        report += &format!("{} {}\n{}", row.1, row.2, attack(&world, row, cases, &mut faults).await);
        works(&world, row, &body, &mut faults).await;
    }
    none(&faults);
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

/// Nothing that could mislead a reader gets into the record, wherever somebody may type.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_typed_is_kept_tidy() {
    let (mut world, _alive) = World::new().await;
    for (path, field) in TIDIED {
        let row = routes().find(|row| row.1 == "POST" && row.2 == path).expect("a route");
        for (case, _) in hostile::texts("") {
            world.prepare(row).await;
            let mut body = world.body(row).await;
            match &mut body {
                Body::Json(json) => {
                    let text = json.pointer_mut(field).expect("a field");
                    *text = json!(hostile_as(case, text.as_str().expect("a text")));
                }
                Body::Form(fields) if case != "a NUL" => {
                    let (_, text) = fields.iter_mut().find(|(name, _)| *name == field).expect("a field");
                    *text = hostile_as(case, text);
                }
                Body::Form(_) => continue,
                Body::Nothing => unreachable!("{path} has a field"),
            }
            let (status, text) = world.ask(row.0, row.1, &address(&world, row), &body, &whoever(&world, row)).await;
            assert!((200..400).contains(&status), "{path}, {field} {case}: {status} {}", world.hide(&text));
        }
    }
    for case in ["a NUL", "a bell", "bidi", "zero width", "too long"] {
        world.enrols(&hostile_as(case, "Telephone")).await;
    }
    let everything = world.everything().await;
    for unfit in ["\0", "\\u0000", "\u{7}", "\\u0007", "\u{202e}", "\u{200b}", &"x".repeat(500)] {
        for (table, text) in &everything {
            assert!(!text.contains(unfit), "{table} has {}", unfit.escape_default());
        }
    }
    let kept = everything["devices"].matches("\"name\":\"Telephone\"").count();
    assert!(kept >= 4, "the names that were tidied are there, {kept} times");
}

fn hostile_as(case: &str, right: &str) -> String {
    hostile::texts(right).into_iter().find(|(name, _)| *name == case).expect("a case").1
}
