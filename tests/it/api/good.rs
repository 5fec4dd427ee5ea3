//! A call to each route that works, as the neighbour of every one that doesn't.

use countersign::web::api::Route;
use serde_json::{Value, json};

use super::call::Call;
use super::stage::Stage;

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

/// A call that the route answers with success, without a key. What it is about was made for it.
pub async fn good(stage: &Stage, route: &Route) -> Call {
    let call = Call::new(route.method.as_str(), route.path);
    match route.handler.join("::").as_str() {
        "keys" | "document" | "approvals::list" | "webhooks::list" => call,
        "approvals::create" => {
            let subject = stage.enrolled().await;
            call.json(&stage.transfer(&subject)).once(&stage.name("good"))
        }
        "approvals::show" | "approvals::cancel" => call.part("id", id(&stage.pending().await)),
        "notices::bounced" => call.part("id", &stage.delivered_notice().await),
        "approvals::redeem" => {
            let released = stage.released().await;
            call.part("id", id(&released)).json(&json!({"digest": released["digest"]})).once(&stage.name("good"))
        }
        "holders::create" => {
            let channels = json!([{"kind": "email", "address": "marta@example.org"}]);
            call.json(&json!({"subject": stage.name("new"), "channels": channels})).once(&stage.name("good"))
        }
        "holders::show" => call.part("subject", &stage.holder().await),
        "holders::invite" => call.part("subject", &stage.holder().await).once(&stage.name("good")),
        // Whoever has a living approval can't be erased.
        "holders::erase" => call.part("subject", &stage.holder().await),
        "webhooks::create" => call.json(&json!({"url": "https://hooks.example.com/in"})).once(&stage.name("good")),
        "webhooks::change" => call.part("id", id(&stage.endpoint().await)).json(&json!({"status": "disabled"})),
        "webhooks::show" | "webhooks::remove" | "webhooks::rotate" | "webhooks::test" | "webhooks::deliveries" => {
            call.part("id", id(&stage.endpoint().await))
        }
        "webhooks::redeliver" => {
            let endpoint = stage.endpoint().await;
            let test = Call::post("/v1/webhooks/endpoints/{id}/test").part("id", id(&endpoint));
            let delivery = stage.send(test).await.expect(202);
            call.part("id", id(&endpoint)).part("delivery", id(&delivery))
        }
        unknown => panic!("{unknown} is a new route: say here how it is called rightly"),
    }
}

/// Whether the route takes a body.
pub fn takes_body(route: &Route) -> bool {
    matches!(
        route.handler.join("::").as_str(),
        "approvals::create" | "approvals::redeem" | "holders::create" | "webhooks::create" | "webhooks::change"
    )
}

/// Whether the route needs an `Idempotency-Key`.
pub fn is_create(route: &Route) -> bool {
    matches!(
        route.handler.join("::").as_str(),
        "approvals::create" | "approvals::redeem" | "holders::create" | "holders::invite" | "webhooks::create"
    )
}

/// The route in a line of a report.
pub fn name(route: &Route) -> String {
    format!("{} {}", route.method, route.path)
}
