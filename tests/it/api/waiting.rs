//! The long poll.

use countersign::domain::approval::{Actor, CancelReason, State};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout};

use super::call::Call;
use super::stage::Stage;

const ONE: &str = "/v1/approvals/{id}";

fn wait(approval: &Value, query: &str) -> Call {
    Call::get(ONE).part("id", approval["id"].as_str().unwrap()).query(query)
}

#[tokio::test]
async fn a_long_poll_answers_when_something_changes() {
    let stage = Stage::new().await;
    let approval = stage.pending().await;
    let began = Instant::now();
    let at = stage.cx.now();
    let stop = State::Cancelled { reason: CancelReason::HolderStopped, by: Actor::Unknown, at };
    let poll = wait(&approval, "wait=60&version=1");
    let (answer, _) = tokio::join!(stage.send(poll), stage.put(&approval, stop));
    let seen = answer.expect(200);
    assert_eq!((&seen["state"], &seen["version"]), (&"cancelled".into(), &2.into()));
    assert!(began.elapsed() < Duration::from_secs(20), "it waited on although something had changed");
}

#[tokio::test]
async fn a_long_poll_does_not_wait_for_what_can_not_come() {
    let stage = Stage::new().await;
    let approval = stage.pending().await;
    let at = stage.cx.now();
    let stopped =
        stage.put(&approval, State::Cancelled { reason: CancelReason::LinkStopped, by: Actor::Link, at }).await;
    for query in ["wait=60", "wait=60&version=2", "wait=60&version=1", "wait=60&version=0"] {
        let answer = timeout(Duration::from_secs(20), stage.send(wait(&stopped, query))).await;
        assert_eq!(answer.expect("an answer at once").expect(200)["state"], "cancelled", "{query}");
    }
}

#[tokio::test]
async fn a_long_poll_ends_without_news() {
    let stage = Stage::new().await;
    let approval = stage.pending().await;
    for query in ["wait=0", "wait=1", "version=1", "wait=0&version=0"] {
        let answer = timeout(Duration::from_secs(20), stage.send(wait(&approval, query))).await;
        assert_eq!(answer.expect("an answer in time").expect(200)["version"], 1, "{query}");
    }
}

#[tokio::test]
async fn a_wait_is_bounded_and_a_number() {
    let stage = Stage::new().await;
    let approval = stage.pending().await;
    let rule = "must be a whole number from 0 to 60";
    for bad in ["61", "-1", "1e1", "1.5", "", "x", "%00", "99999999999999999999"] {
        let answer = stage.send(wait(&approval, &format!("wait={bad}"))).await;
        assert_eq!(answer.line(), format!("400 invalid-request [wait {rule}]"), "{bad}");
    }
}
