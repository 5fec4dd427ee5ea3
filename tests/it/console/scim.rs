//! The identity provider, in the words of Okta and of Entra ID: it finds one, it ends one, and it raises nobody.

use std::time::Duration;

use countersign::service::staff::directory;
use serde_json::{Value, json};

use super::desk::Desk;
use super::stage::{self, HOUR};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn okta_deactivates() -> Value {
    json!({"schemas": [PATCH_OP], "Operations": [{"op": "replace", "value": {"active": false}}]})
}

fn entra_deactivates() -> Value {
    json!({"schemas": [PATCH_OP], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_providers_end_a_session_at_once() {
    let (stage, _alive) = stage::on_sqlite().await;
    // Before the founding is over; later it would wait.
    let (_, secret) = directory::add(&stage.cx).await.unwrap();
    let mut admins = stage.founders().await;
    let provider = Desk::new(&stage);
    for (name, body) in [("okta", okta_deactivates()), ("entra", entra_deactivates())] {
        let mut form = stage.form("Cleo Park", "support", "Teleplus", &["agent"]);
        form["user_name"] = json!(format!("Cleo.{name}@Harbour.example"));
        form["external_id"] = json!(format!("00u-{name}"));
        let agent = stage.hire_by(&mut admins, form).await;
        assert_eq!(agent.get("/holders").await.status, 200);

        let by_name = format!("/scim/v2/Users?filter=userName%20eq%20%22cleo.{name}%40harbour.example%22");
        let found = provider.scim("GET", &by_name, secret.reveal(), None).await.expect(200);
        assert_eq!(found["totalResults"], 1);
        assert_eq!(found["Resources"][0]["active"], true);
        let by_id = format!("/scim/v2/Users?filter=externalId%20eq%20%2200u-{name}%22");
        let same = provider.scim("GET", &by_id, secret.reveal(), None).await.expect(200);
        assert_eq!(same["Resources"][0]["id"], found["Resources"][0]["id"]);

        let at = format!("/scim/v2/Users/{}", found["Resources"][0]["id"].as_str().unwrap());
        let ended = provider.scim("PATCH", &at, secret.reveal(), Some(&body)).await;
        assert_eq!(ended.headers["content-type"], "application/scim+json");
        assert_eq!(ended.expect(200)["active"], false);
        assert_eq!(agent.get("/holders").await.status, 303, "the very next request");
        // Again is the same; back isn't possible.
        assert_eq!(provider.scim("PATCH", &at, secret.reveal(), Some(&body)).await.status, 200);
        let back = json!({"schemas": [PATCH_OP], "Operations": [{"op": "replace", "value": {"active": true}}]});
        let refused = provider.scim("PATCH", &at, secret.reveal(), Some(&back)).await.expect(400);
        assert_eq!(refused["scimType"], "mutability");
        assert_eq!(refused["status"], "400");
    }
    let entries = stage.entries("staff.ended").await;
    assert_eq!((entries.len(), entries[0]["actor"]["kind"].as_str()), (2, Some("directory")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_person_is_ended_and_gone_for_the_provider() {
    let (stage, _alive) = stage::on_sqlite().await;
    // Before the founding is over; later it would wait.
    let (_, secret) = directory::add(&stage.cx).await.unwrap();
    let mut admins = stage.founders().await;
    let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    let at = format!("/scim/v2/Users/{}", agent.id());
    assert_eq!(agent.scim("GET", &at, secret.reveal(), None).await.expect(200)["userName"], agent.id().to_string());
    assert_eq!(agent.scim("DELETE", &at, secret.reveal(), None).await.status, 204);
    assert_eq!(agent.get("/holders").await.status, 303);
    let gone = agent.scim("GET", &at, secret.reveal(), None).await.expect(404);
    assert_eq!(gone["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_adds_raises_and_lists_nobody() {
    let (stage, _alive) = stage::on_sqlite().await;
    // Before the founding is over; later it would wait.
    let (key, secret) = directory::add(&stage.cx).await.unwrap();
    let mut admins = stage.founders().await;
    let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    let at = format!("/scim/v2/Users/{}", agent.id());
    let new = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "eve", "active": true});
    let refused = agent.scim("POST", "/scim/v2/Users", secret.reveal(), Some(&new)).await.expect(403);
    assert!(refused["detail"].as_str().unwrap().contains("Two admins"), "{refused}");
    let raises =
        json!({"schemas": [PATCH_OP], "Operations": [{"op": "add", "path": "roles", "value": [{"value": "admin"}]}]});
    assert_eq!(agent.scim("PATCH", &at, secret.reveal(), Some(&raises)).await.expect(400)["scimType"], "mutability");
    let whole = json!({"userName": "cleo", "active": true, "roles": [{"value": "admin"}]});
    assert_eq!(agent.scim("PUT", &at, secret.reveal(), Some(&whole)).await.status, 400);
    let all = agent.scim("GET", "/scim/v2/Users", secret.reveal(), None).await.expect(400);
    assert_eq!(all["scimType"], "invalidFilter");
    let roles = stage.cx.staff.person(agent.id()).await.unwrap().unwrap().profile.roles;
    assert_eq!(roles.to_string(), "agent");

    for token in ["", "csd_wrong", &stage.key, &format!("{}x", secret.reveal())] {
        assert_eq!(agent.scim("GET", &at, token, None).await.status, 401, "{token}");
    }
    directory::revoke(&stage.cx, key).await.unwrap();
    assert_eq!(agent.scim("DELETE", &at, secret.reveal(), None).await.status, 401, "revoked is revoked at once");
    assert_eq!(agent.get("/holders").await.status, 200);
}

/// Whoever has the host could end everybody with it who would stop what else is made there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_made_on_the_host_after_the_founding_waits_72_hours_in_front_of_every_admin() {
    let (stage, _alive) = stage::on_sqlite().await;
    let (_, early) = directory::add(&stage.cx).await.unwrap();
    let admins = stage.founders().await;
    stage.clock.advance(Duration::from_secs(1));
    let (id, late) = directory::add(&stage.cx).await.unwrap();
    let at = format!("/scim/v2/Users/{}", admins.0.id());
    let provider = Desk::new(&stage);
    assert_eq!(provider.scim("GET", &at, early.reveal(), None).await.status, 200);
    assert_eq!(provider.scim("GET", &at, late.reveal(), None).await.status, 401);
    assert_eq!(provider.scim("DELETE", &at, late.reveal(), None).await.status, 401);
    let added = stage.entries("directory_key.added").await;
    let opens = (stage.cx.now() + 72 * HOUR).to_string();
    assert_eq!(added[1]["facts"]["opens_at"], opens.as_str(), "the log says from when on it is taken");
    stage.clock.advance(72 * HOUR - Duration::from_secs(1));
    assert_eq!(provider.scim("DELETE", &at, late.reveal(), None).await.status, 401);
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(provider.scim("GET", &at, late.reveal(), None).await.status, 200);
    directory::revoke(&stage.cx, id).await.unwrap();
    assert_eq!(provider.scim("GET", &at, late.reveal(), None).await.status, 401);
}
