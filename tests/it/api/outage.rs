//! The API without its database.

use countersign::web::api::{Access, ROUTES};

use super::access::clear_endpoints;
use super::good::{good, name};
use super::stage::{Record, Setup, Stage};

#[tokio::test]
async fn without_the_record_every_route_says_that_it_is_not_available() {
    let stage = Stage::with(Setup { record: Record::Sqlite, ..Setup::default() }).await;
    let mut calls = Vec::new();
    for route in ROUTES {
        calls.push((route, good(&stage, route).await.key(&stage.key)));
        if calls.len() % 4 == 0 {
            clear_endpoints(&stage).await;
        }
    }
    stage.lose_record().await;
    for (route, call) in calls {
        let answer = call.send(stage.at).await;
        if route.access == Access::Public {
            assert_eq!(answer.status, 200, "{}", name(route));
            continue;
        }
        let problem = answer.expect_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), Some("2"), "{}", name(route));
        assert_eq!(problem["detail"], "Nothing was changed. Try again.");
    }
}
