//! Who may do what, on every route of the table.

use countersign::domain::backend::Scope;
use countersign::service::backends;
use countersign::web::api::{Access, ROUTES, Route};
use std::collections::BTreeSet;

use super::call::Call;
use super::good::{good, name};
use super::stage::Stage;

fn keyed() -> impl Iterator<Item = (&'static Route, Scope)> {
    ROUTES.iter().filter_map(|route| match route.access {
        Access::Key(scope) => Some((route, scope)),
        Access::Public => None,
    })
}

#[tokio::test]
async fn every_route_answers_whoever_has_its_scope_and_no_other() {
    let stage = Stage::new().await;
    for (route, scope) in keyed() {
        let (_, right) = stage.further_key(&[scope]).await;
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let (_, wrong) = stage.further_key(&others).await;
        let call = good(&stage, route).await;

        let refused = call.clone().key(&wrong).send(stage.at).await;
        let problem = refused.expect_problem(403, "scope-missing");
        assert_eq!(problem["scope"], scope.as_str(), "{}", name(route));
        let answer = call.key(&right).send(stage.at).await;
        assert!(answer.status < 300, "{}: {}", name(route), answer.text);
        // Eight endpoints are the most that a backend has.
        clear_endpoints(&stage).await;
    }
}

/// Removes the endpoints that calls have made.
pub async fn clear_endpoints(stage: &Stage) {
    for endpoint in stage.cx.store.endpoints(stage.backend).await.unwrap() {
        let call = Call::new("DELETE", "/v1/webhooks/endpoints/{id}").part("id", &endpoint.id.to_string());
        assert_eq!(stage.send(call).await.status, 204);
    }
}

#[tokio::test]
async fn public_routes_need_no_key_and_no_others_are() {
    let stage = Stage::new().await;
    let mut open = Vec::new();
    for route in ROUTES.iter().filter(|route| route.access == Access::Public) {
        let answer = good(&stage, route).await.send(stage.at).await;
        assert_eq!(answer.status, 200, "{}", name(route));
        open.push(name(route));
    }
    assert_eq!(open, ["GET /.well-known/jwks.json", "GET /openapi.json"]);
}

#[tokio::test]
async fn no_key_and_no_key_that_stands_are_the_same() {
    let stage = Stage::new().await;
    let (revoked_id, revoked) = stage.further_key(&Scope::ALL).await;
    backends::revoke_key(&stage.cx, revoked_id).await.unwrap();
    let unknown = format!("cs_{}", "A".repeat(43));
    for (route, _) in keyed() {
        let call = good(&stage, route).await;
        let tries = [
            call.clone(),
            call.clone().key(&revoked),
            call.clone().key(&unknown),
            call.clone().key("cs_short"),
            call.clone().key(""),
            call.clone().header("Authorization", format!("Basic {}", stage.key)),
            call.clone().header("Authorization", stage.key.clone()),
            call.clone().header("Authorization", b"Bearer cs_\xff\xfe".as_slice()),
            call.clone().key(&stage.key).header("Authorization", format!("Bearer {unknown}")),
        ];
        for wrong in &tries {
            let answer = wrong.send(stage.at).await;
            answer.expect_problem(401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{}", name(route));
        }
        // Nobody is told what is wrong with a request before it is known who asks.
        let garbage = call.clone().query("zzz=1").body("{").send(stage.at).await;
        garbage.expect_problem(401, "unauthenticated");
        assert!(call.key(&stage.key).send(stage.at).await.status < 300, "{}", name(route));
        clear_endpoints(&stage).await;
    }
}

#[tokio::test]
async fn a_key_is_dead_the_moment_it_is_revoked() {
    let stage = Stage::new().await;
    let (id, secret) = stage.further_key(&[Scope::Read]).await;
    let call = Call::get("/v1/approvals").key(&secret);
    call.send(stage.at).await.expect(200);
    backends::revoke_key(&stage.cx, id).await.unwrap();
    call.send(stage.at).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_belongs_to_another_backend_is_not_there() {
    let stage = Stage::new().await;
    let stranger = stage.stranger().await;
    for (route, _) in keyed().filter(|(route, _)| route.path.contains('{')) {
        let call = good(&stage, route).await;
        let refused = call.clone().key(&stranger).send(stage.at).await;
        let slug = if route.path.contains("{subject}") { "unknown-holder" } else { "not-found" };
        let theirs = refused.expect_problem(404, slug);
        // Not theirs and not there look alike.
        let absent = absent(route, call.clone()).key(&stage.key).send(stage.at).await.expect_problem(404, slug);
        assert_eq!(theirs["detail"], absent["detail"], "{}", name(route));
        assert!(call.key(&stage.key).send(stage.at).await.status < 300, "{}", name(route));
        clear_endpoints(&stage).await;
    }
}

/// The same call about something that never was.
fn absent(route: &Route, call: Call) -> Call {
    let nowhere = "0192aaaaaaaa7aaaaaaaaaaaaaaaaaaa";
    let prefix = match route.path {
        path if path.starts_with("/v1/approvals") => "apr",
        path if path.starts_with("/v1/notices") => "ntc",
        _ => "whe",
    };
    let fresh = call.part("subject", "nobody-at-all");
    fresh.part("id", &format!("{prefix}_{nowhere}")).part("delivery", &format!("whd_{nowhere}"))
}

#[tokio::test]
async fn every_other_method_is_refused_with_those_allowed() {
    let stage = Stage::new().await;
    let paths: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
    for path in paths {
        let routes: Vec<&Route> = ROUTES.iter().filter(|route| route.path == path).collect();
        let allowed: BTreeSet<&str> = routes.iter().map(|route| route.method.as_str()).collect();
        let call = good(&stage, routes[0]).await.key(&stage.key);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY", "BREW"] {
            if allowed.contains(method) {
                continue;
            }
            let answer = call.clone().with_method(method).send(stage.at).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
            if method != "HEAD" {
                answer.expect_problem(405, "method-not-allowed");
            }
            let named = answer.header("allow").unwrap_or_default();
            assert_eq!(named.split(", ").collect::<BTreeSet<_>>(), allowed, "{method} {path}");
        }
        clear_endpoints(&stage).await;
    }
}
