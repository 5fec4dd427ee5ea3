//! The OpenAPI document as a contract: every answer that the integration tests see is held against it by an
//! independent JSON Schema validator (draft 2020-12, which OpenAPI 3.1 section 4.8.24 is built on).
//!
//! For the tests the schemas are closed: a member that isn't described fails too.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(countersign::web::openapi::text()).expect("the document is JSON");
    let schemas = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut).expect("schemas");
    schemas.values_mut().for_each(close);
    document
});

/// Forbids what isn't described, in an object and in those inside it.
fn close(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    if schema.contains_key("properties") && !schema.contains_key("additionalProperties") {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    for inside in ["properties", "items"] {
        match schema.get_mut(inside) {
            Some(Value::Object(map)) if inside == "properties" => map.values_mut().for_each(close),
            Some(value) => close(value),
            None => {}
        }
    }
}

/// The document, with its schemas closed.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// Holds an answer against the document. `template` is the route's pattern.
pub fn check(method: &str, template: &str, status: u16, content_type: Option<&str>, body: &str) {
    let what = format!("{method} {template} {status}");
    let Some(operation) = operation(method, template) else {
        // No such operation: only a problem can be the answer.
        check_problem(&what, content_type, body);
        return;
    };
    let response = resolved(&operation["responses"][status.to_string()]);
    assert!(response.is_object(), "{what} isn't in the document: {body}");
    let Some(content) = response["content"].as_object() else {
        assert!(body.is_empty(), "{what} has no body in the document, and here is one: {body}");
        return;
    };
    let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let schema = content.get(kind).map(|media| &media["schema"]);
    let schema = schema.unwrap_or_else(|| panic!("{what} never answers {kind:?}: {body}"));
    fits(&what, schema, body);
}

/// Holds a body that is about to be accepted against the schema of the request.
pub fn check_request(method: &str, template: &str, body: &str) {
    let Some(operation) = operation(method, template) else { return };
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if schema.is_object() && !body.is_empty() {
        fits(&format!("request of {method} {template}"), schema, body);
    }
}

/// A request and its answer as a client on the network sees them: the path is the one that was asked for, not the
/// pattern of its route. What stands in the path may be anything but a `/`.
pub fn check_exchange(method: &str, path: &str, sent: Option<&Value>, status: u16, kind: Option<&str>, body: &str) {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let template = template(path).unwrap_or(path);
    check(method, template, status, kind, body);
    if let Some(sent) = sent
        && status < 300
    {
        check_request(method, template, &sent.to_string());
    }
}

/// The pattern in the document that a path fits.
fn template(path: &str) -> Option<&'static str> {
    let fits = |pattern: &str| {
        let same = |(asked, known): (&str, &str)| asked == known || known.starts_with('{');
        path.matches('/').count() == pattern.matches('/').count() && path.split('/').zip(pattern.split('/')).all(same)
    };
    DOCUMENT["paths"].as_object()?.keys().map(String::as_str).find(|pattern| fits(pattern))
}

/// Whether the document describes what stands below this path.
pub fn is_described(path: &str) -> bool {
    path == "/openapi.json" || path.starts_with("/v1/") || path.starts_with("/.well-known/")
}

/// Any problem.
fn check_problem(what: &str, content_type: Option<&str>, body: &str) {
    assert_eq!(content_type, Some("application/problem+json"), "{what}: {body}");
    fits(what, &json!({"$ref": "#/components/schemas/Problem"}), body);
}

/// The thing itself, where a reference to it stands.
fn resolved(thing: &'static Value) -> &'static Value {
    match thing["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => DOCUMENT.pointer(pointer).expect("what is referred to"),
        None => thing,
    }
}

fn operation(method: &str, template: &str) -> Option<&'static Value> {
    DOCUMENT["paths"].get(template)?.get(method.to_lowercase())
}

fn fits(what: &str, schema: &Value, body: &str) {
    let value: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{what}: {error}: {body}"));
    let validator = validator(schema);
    let faults: Vec<String> =
        validator.iter_errors(&value).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    assert!(faults.is_empty(), "{what} breaks the document:\n  {}\n{body}", faults.join("\n  "));
}

/// The validator of a schema; made once for each.
fn validator(schema: &Value) -> Arc<Validator> {
    static MADE: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let key = schema.to_string();
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = made.entry(key).or_insert_with(|| {
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": DOCUMENT["components"],
            "allOf": [schema],
        });
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&whole);
        Arc::new(validator.unwrap_or_else(|error| panic!("{schema} isn't a schema: {error}")))
    });
    Arc::clone(entry)
}

#[test]
fn a_path_is_found_by_its_pattern() {
    for (path, pattern) in [
        ("/v1/approvals", Some("/v1/approvals")),
        ("/v1/approvals/apr_1", Some("/v1/approvals/{id}")),
        ("/v1/approvals/apr_1/cancel", Some("/v1/approvals/{id}/cancel")),
        (
            "/v1/webhooks/endpoints/a/deliveries/b/redeliver",
            Some("/v1/webhooks/endpoints/{id}/deliveries/{delivery}/redeliver"),
        ),
        ("/v1/approvals/apr_1/approve", None),
        ("/v1", None),
    ] {
        assert_eq!(template(path), pattern, "{path}");
    }
}

#[test]
fn an_answer_that_the_document_does_not_have_fails() {
    let fails = |status: u16, body: &str| {
        let (body, kind) = (body.to_owned(), Some("application/json"));
        std::panic::catch_unwind(|| check_exchange("GET", "/v1/holders/u-1?x=1", None, status, kind, &body)).is_err()
    };
    let id = format!("hld_{}", "0".repeat(32));
    let good = json!({"subject": "u-1", "id": id, "enrolled_at": null, "channels": [], "devices": []});
    assert!(!fails(200, &good.to_string()), "{good}");
    let mut more = good.clone();
    more["surprise"] = json!(1);
    assert!(fails(200, &more.to_string()), "a member that isn't described");
    let mut fewer = good.clone();
    fewer.as_object_mut().expect("an object").remove("devices");
    assert!(fails(200, &fewer.to_string()), "one is missing");
    assert!(fails(299, &good.to_string()), "a status that isn't described");
}

/// A client of the API that doesn't hold what it sees against the document would make "every answer" untrue.
#[test]
fn every_client_with_a_key_checks_what_it_sees() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it"))];
    let mut clients = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("source");
                // The identity provider's key is for SCIM, which has a document of its own (RFC 7643).
                let has_key = text.contains(concat!(".bearer_", "auth(")) && !text.contains("application/scim+json");
                if has_key {
                    assert!(text.contains("contract::check"), "{} checks nothing", path.display());
                    clients.push(path);
                }
            }
        }
    }
    assert!(clients.len() >= 4, "{clients:?}");
}
