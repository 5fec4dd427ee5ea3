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
