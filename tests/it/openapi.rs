//! The OpenAPI document: it names exactly the routes that there are, and says of requests what their readers do.

use countersign::web::api::{Access, ROUTES};
use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::support::contract;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn document() -> Value {
    serde_json::from_str(countersign::web::openapi::text()).expect("JSON")
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &Value)| {
        let path = path.clone();
        let item = item.clone();
        METHODS.into_iter().filter_map(move |method| {
            item.get(method).map(|operation| (method.to_uppercase(), path.clone(), operation.clone()))
        })
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn the_document_names_the_routes_that_there_are() {
    let documented: BTreeSet<(String, String)> =
        operations(&document()).into_iter().map(|(method, path, _)| (method, path)).collect();
    let registered: BTreeSet<(String, String)> =
        ROUTES.iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    assert_eq!(documented, registered);
}

#[test]
fn every_operation_says_which_scope_it_needs() {
    for (method, path, operation) in operations(&document()) {
        let route = ROUTES.iter().find(|route| route.method.as_str() == method && route.path == path).unwrap();
        let expected = match route.access {
            Access::Public => Value::Null,
            Access::Key(scope) => json!([{"key": [scope.as_str()]}]),
        };
        assert_eq!(operation["security"], expected, "{method} {path}");
    }
}

#[test]
fn it_is_openapi_3_1_with_unique_operations_and_no_loose_end() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let operations = operations(&document);
    let ids: BTreeSet<&str> = operations.iter().map(|(_, _, o)| o["operationId"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), operations.len());
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
    for (method, path, operation) in &operations {
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let named: BTreeSet<String> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
            .collect();
        let there: BTreeSet<String> =
            path.split('/').filter(|part| part.starts_with('{')).map(str::to_owned).collect();
        assert_eq!(named, there, "{method} {path}");
    }
}

#[test]
fn examples_of_requests_fit_their_schemas() {
    let schemas = &contract::document()["components"]["schemas"];
    for (method, path, name) in [("POST", "/v1/approvals", "ApprovalRequest"), ("POST", "/v1/holders", "HolderRequest")] {
        contract::check_request(method, path, &schemas[name]["example"].to_string());
    }
}

#[test]
fn it_changes_only_when_somebody_means_it() {
    insta::assert_json_snapshot!("openapi", document());
}
