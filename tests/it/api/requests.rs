//! What the document says of request bodies is what their readers do, field by field: each that is required is missed,
//! each that isn't may go, and nothing that isn't named is taken.

use countersign::web::api::ROUTES;
use serde_json::{Value, json};

use super::access::clear_endpoints;
use super::call::Call;
use super::good::{good, name, takes_body};
use super::stage::Stage;
use crate::support::contract;

/// Pointers to the properties that a schema has at this place, and whether each is required.
fn properties(schema: &Value, place: &str, out: &mut Vec<(String, bool)>) {
    let reference = schema["$ref"].as_str().or_else(|| schema.pointer("/oneOf/0/$ref").and_then(Value::as_str));
    if let Some(reference) = reference {
        let named = contract::document().pointer(&reference[1..]).expect("a schema");
        return properties(named, place, out);
    }
    let Some(named) = schema["properties"].as_object() else { return };
    assert_eq!(schema["additionalProperties"], false, "the schema at {place:?} is open");
    for (property, inside) in named {
        let place = format!("{place}/{property}");
        let required = schema["required"].as_array().is_some_and(|all| all.contains(&json!(property)));
        out.push((place.clone(), required));
        properties(inside, &place, out);
    }
}

fn without(mut body: Value, place: &str) -> Option<Value> {
    let (parent, name) = place.rsplit_once('/')?;
    body.pointer_mut(parent)?.as_object_mut()?.remove(name)?;
    Some(body)
}

fn with(mut body: Value, place: &str) -> Value {
    body.pointer_mut(place).and_then(Value::as_object_mut).expect("an object").insert("zzz".to_owned(), json!(1));
    body
}

/// A call that works, with every optional field there that may stand beside the others.
async fn full(stage: &Stage, route: &countersign::web::api::Route) -> (Call, Value) {
    let call = good(stage, route).await.key(&stage.key);
    let mut body = call.json_body();
    if route.handler == ["approvals", "create"] {
        body["hold_seconds"] = json!(3600);
        body["life_seconds"] = json!(600);
    }
    if route.handler == ["webhooks", "change"] {
        body["url"] = json!("https://hooks.example.com/two");
    }
    (call, body)
}

#[tokio::test]
async fn readers_and_schemas_agree() {
    let stage = Stage::new().await;
    for route in ROUTES.iter().filter(|route| takes_body(route)) {
        let (_, body) = full(&stage, route).await;
        clear_endpoints(&stage).await;
        let operation = &contract::document()["paths"][route.path][route.method.as_str().to_lowercase()];
        let mut named = Vec::new();
        properties(&operation["requestBody"]["content"]["application/json"]["schema"], "", &mut named);
        assert!(!named.is_empty(), "{}", name(route));

        for (place, required) in &named {
            let (call, body) = full(&stage, route).await;
            let Some(less) = without(body, place) else {
                // Currency and asset exclude each other.
                assert!(place.starts_with("/asset"), "{} never sends {place}", name(route));
                continue;
            };
            let answer = call.json(&less).send(stage.at).await;
            let missing = format!("{} is missing", place[1..].replace('/', "."));
            assert_eq!(
                answer.text_of_errors().contains(&missing),
                *required,
                "{} {place}: {}",
                name(route),
                answer.text
            );
            let excused = *required || place == "/currency";
            assert!(excused || answer.status < 300, "{} {place}: {}", name(route), answer.text);
            clear_endpoints(&stage).await;
        }
        let mut objects: Vec<&str> = vec![""];
        objects.extend(["/payee", "/source_account", "/initiator"].into_iter().filter(|at| body.pointer(at).is_some()));
        for place in objects {
            let (call, body) = full(&stage, route).await;
            let line = call.json(&with(body, place)).send(stage.at).await.line();
            assert!(line.contains("zzz isn't known here"), "{} {place}: {line}", name(route));
            clear_endpoints(&stage).await;
        }
    }
}
