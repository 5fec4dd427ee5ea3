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
        let there: BTreeSet<String> = path.split('/').filter(|part| part.starts_with('{')).map(str::to_owned).collect();
        assert_eq!(named, there, "{method} {path}");
    }
}

#[test]
fn examples_of_requests_fit_their_schemas() {
    let schemas = &contract::document()["components"]["schemas"];
    for (method, path, name) in [("POST", "/v1/approvals", "ApprovalRequest"), ("POST", "/v1/holders", "HolderRequest")]
    {
        contract::check_request(method, path, &schemas[name]["example"].to_string());
    }
}

#[test]
fn operations_change_only_when_somebody_means_it() {
    let document = document();
    let mut report = String::new();
    for (method, path, operation) in operations(&document) {
        report += &format!("{method} {path} ({})\n", operation["operationId"].as_str().unwrap());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let needed = if parameter["required"] == true { "" } else { "?" };
            report +=
                &format!("  {} {}{needed}\n", parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap());
        }
        if let Some(body) = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str() {
            report += &format!("  body {body}\n");
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let schema = response["content"].as_object().and_then(|content| content.values().next());
            let named = schema.map(|media| &media["schema"]["$ref"]).unwrap_or(&response["$ref"]);
            report += &format!("  {status} {}\n", named.as_str().and_then(|r| r.rsplit('/').next()).unwrap_or("-"));
        }
    }
    insta::assert_snapshot!("operations", report);
}

#[test]
fn schemas_change_only_when_somebody_means_it() {
    let document = document();
    let mut report = String::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let closed = if schema["additionalProperties"] == false { " (closed)" } else { "" };
        report +=
            &format!("{name}{closed}{}\n", schema["enum"].as_array().map_or(String::new(), |all| format!(" {all:?}")));
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (property, of) in schema["properties"].as_object().into_iter().flatten() {
            let needed = if required.contains(&json!(property)) { "" } else { "?" };
            let kind = of.get("type").or_else(|| of.get("$ref")).or_else(|| of.pointer("/oneOf/0/$ref"));
            let kind = kind.map(ToString::to_string).unwrap_or_default();
            let format = of["format"].as_str().unwrap_or_default();
            report += &format!("  {property}{needed}: {} {format}\n", kind.replace("#/components/schemas/", ""));
        }
    }
    insta::assert_snapshot!("schemas", report.replace(" \n", "\n"));
}
