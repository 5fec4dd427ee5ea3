//! From creation to each of the ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use countersign::adapters::receipts::{Expected, verify_receipt};
use countersign::authenticator::SoftAuthenticator;
use countersign::domain::approval::StateName;
use countersign::domain::approval::transitions::Refusal;
use countersign::domain::details::Digest;
use countersign::domain::policy::TOLD_BEFORE;
use countersign::domain::{ApprovalId, Timestamp};
use countersign::ports::Timers;
use countersign::ports::timing::{Claim, PortError};
use countersign::service::release::Clocks;
use countersign::service::request::Repeat;
use countersign::service::{Browser, Error, cancel, links, redeem, reject, release};
use countersign::workers::{ClockGate, sweep};

use super::world::{HOLD, HOLD_CAP, LIFE, UNPROVED_HOLD, World, key};
use crate::support::clock::ManualClock;

/// Timers that nobody reaches.
struct NoTimers;

impl NoTimers {
    fn gone<T>() -> Result<T, PortError> {
        Err(PortError { what: "timers", source: "they are gone".into() })
    }
}

#[async_trait]
impl Timers for NoTimers {
    async fn arm(&self, _: &[(ApprovalId, Timestamp)]) -> Result<(), PortError> {
        Self::gone()
    }

    async fn arm_missing(&self, _: &[(ApprovalId, Timestamp)]) -> Result<(), PortError> {
        Self::gone()
    }

    async fn disarm(&self, _: &[ApprovalId]) -> Result<(), PortError> {
        Self::gone()
    }

    async fn claim(&self, _: usize, _: Duration) -> Result<Vec<Claim>, PortError> {
        Self::gone()
    }

    async fn ack(&self, _: &[Claim]) -> Result<(), PortError> {
        Self::gone()
    }

    async fn release(&self, _: &[Claim]) -> Result<(), PortError> {
        Self::gone()
    }

    async fn wait(&self, _: Duration) {}

    async fn count(&self) -> Result<u64, PortError> {
        Self::gone()
    }
}

/// An approval that was approved on a watched page.
async fn cooling(world: &World, subject: &str) -> countersign::domain::ApprovalId {
    let mut phone = world.enrolled(subject, SoftAuthenticator::device_bound()).await;
    let (id, waiting) = world.create(subject, subject).await.unwrap();
    world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
    world.approve(&mut phone, id).await.unwrap();
    world.settle().await;
    id
}

#[tokio::test]
async fn released_after_the_hold_and_redeemed_once() {
    let world = World::new().await;
    let id = cooling(&world, "u-1").await;
    world.later(HOLD - Duration::from_micros(1)).await;
    world.is(id, StateName::Cooling, None).await;
    world.later(Duration::from_micros(1)).await;
    world.is(id, StateName::Released, None).await;

    let digest = world.state(id).await.digest();
    let wrong = redeem::redeem(&world.cx, &world.caller, id, Digest::of(b"other"), key("r-1")).await;
    assert!(matches!(wrong, Err(Error::Refused(Refusal::OtherDigest))), "{wrong:?}");
    let taken = redeem::redeem(&world.cx, &world.caller, id, digest, key("r-1")).await.unwrap();
    let again = redeem::redeem(&world.cx, &world.caller, id, digest, key("r-1")).await.unwrap();
    assert_eq!(taken.receipt, again.receipt);
    let other = redeem::redeem(&world.cx, &world.caller, id, digest, key("r-2")).await;
    assert!(matches!(other, Err(Error::Refused(Refusal::OtherKey))), "{other:?}");
    let late = cancel::by_backend(&world.cx, &world.caller, id).await;
    assert!(matches!(late, Err(Error::Refused(Refusal::Redeemed { .. }))), "{late:?}");

    let keys = world.cx.signer.key_set();
    let now = countersign::ports::Clock::now(world.clock.as_ref());
    let expected = Expected { issuer: "https://approve.example", audience: world.caller.backend, now };
    let receipt = verify_receipt(&keys, &taken.receipt, expected).unwrap();
    assert_eq!((receipt.digest, receipt.jti, receipt.v.as_str()), (digest, id, "v1"));
    assert_eq!((receipt.amount.as_str(), receipt.unit.as_str()), ("12500.00", "EUR"));
}

#[tokio::test]
async fn a_skewed_node_releases_nothing() {
    let world = World::new().await;
    let id = cooling(&world, "u-1").await;
    world.clock.advance(HOLD);
    world.gate.set(Clocks::Apart(Duration::from_secs(3)));
    world.settle().await;
    world.is(id, StateName::Cooling, None).await;
    // The record's clock and the node's are one here, so that a sweep finds them agreeing again.
    sweep::sweep(&world.cx, &world.gate).await.unwrap();
    world.settle().await;
    world.is(id, StateName::Released, None).await;
    assert_eq!(release::clocks(&world.cx).await.unwrap(), Clocks::Agree);
}

#[tokio::test]
async fn a_node_that_has_compared_no_clocks_releases_nothing() {
    let mut world = World::new().await;
    world.gate = ClockGate::default();
    let id = cooling(&world, "u-1").await;
    world.clock.advance(HOLD);
    world.settle().await;
    // A comparison that took too long says nothing: what is shut stays so, and what is open too.
    world.gate.set(Clocks::Unsaid);
    world.settle().await;
    world.is(id, StateName::Cooling, None).await;
    sweep::sweep(&world.cx, &world.gate).await.unwrap();
    world.gate.set(Clocks::Unsaid);
    world.settle().await;
    world.is(id, StateName::Released, None).await;
}

#[tokio::test]
async fn lost_timers_come_back_with_a_sweep() {
    let world = World::new().await;
    let id = cooling(&world, "u-1").await;
    world.cx.timers.disarm(&[id]).await.unwrap();
    world.later(HOLD).await;
    world.is(id, StateName::Cooling, None).await;
    sweep::sweep(&world.cx, &world.gate).await.unwrap();
    world.settle().await;
    world.is(id, StateName::Released, None).await;
}

#[tokio::test]
async fn without_timers_a_sweep_releases_and_expires_what_is_due() {
    let mut world = World::new().await;
    world.enrolled("u-2", SoftAuthenticator::device_bound()).await;
    let id = cooling(&world, "u-1").await;
    let (unanswered, _) = world.create("u-2", "u-2").await.unwrap();
    world.cx.timers = Arc::new(NoTimers);
    world.clock.advance(HOLD - Duration::from_micros(1));
    sweep::sweep(&world.cx, &world.gate).await.unwrap();
    world.is(id, StateName::Cooling, None).await;
    world.clock.advance(Duration::from_micros(1));

    // A node whose clock is ahead doesn't move anything, timers or none.
    let agreed = world.cx.clock.clone();
    world.cx.clock = Arc::new(ManualClock::at(agreed.now() + release::MAX_SKEW + Duration::from_micros(1)));
    sweep::sweep(&world.cx, &world.gate).await.unwrap();
    world.is(id, StateName::Cooling, None).await;
    world.cx.clock = agreed;

    sweep::sweep(&world.cx, &world.gate).await.unwrap();
    world.is(id, StateName::Released, None).await;
    world.is(unanswered, StateName::Pending, None).await;
    world.clock.advance(LIFE - HOLD);
    sweep::sweep(&world.cx, &world.gate).await.unwrap();
    world.is(unanswered, StateName::Expired, Some("unanswered")).await;
}

#[tokio::test]
async fn everyone_entitled_can_stop_it_until_the_redeem() {
    let world = World::new().await;
    for (way, subject) in ["backend", "device", "link", "initiator"].into_iter().zip(["u-1", "u-2", "u-3", "u-4"]) {
        for stage in ["pending", "cooling", "released"] {
            let subject = format!("{subject}-{stage}");
            let mut phone = world.enrolled(&subject, SoftAuthenticator::device_bound()).await;
            let (id, waiting) = world.create(&subject, &subject).await.unwrap();
            let mark = world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
            if stage != "pending" {
                world.approve(&mut phone, id).await.unwrap();
                world.settle().await;
            }
            if stage == "released" {
                world.later(HOLD).await;
            }
            assert_eq!(world.state(id).await.state.name().as_str(), stage);
            let digest = world.state(id).await.digest();
            let (stopped, reason) = match way {
                "backend" => (cancel::by_backend(&world.cx, &world.caller, id).await, "backend_cancelled"),
                "device" => (cancel::by_device(&world.cx, &phone.browser, id).await, "holder_stopped"),
                "link" => {
                    let link = links::cancel_page(&world.cx, id).unwrap();
                    let token = link.path_segments().unwrap().next_back().unwrap().to_owned();
                    (cancel::by_link(&world.cx, &token).await, "link_stopped")
                }
                _ => {
                    let browser = Browser { cookie: None, mark: Some(mark.hash()) };
                    (cancel::by_initiator(&world.cx, &waiting, &browser).await, "initiator_stopped")
                }
            };
            stopped.unwrap();
            world.is(id, StateName::Cancelled, Some(reason)).await;
            // Cancelling a cancelled one is done already, and nothing redeems it.
            cancel::by_backend(&world.cx, &world.caller, id).await.unwrap();
            world.later(HOLD).await;
            let taken = redeem::redeem(&world.cx, &world.caller, id, digest, key("r")).await;
            assert!(matches!(taken, Err(Error::Refused(Refusal::State(StateName::Cancelled)))), "{taken:?}");
        }
    }
}

#[tokio::test]
async fn rejected_expired_and_not_redeemed_are_told_apart() {
    let world = World::new().await;
    let phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (rejected, _) = world.create("u-1", "wd-1").await.unwrap();
    reject::reject(&world.cx, &phone.browser, rejected).await.unwrap();
    reject::reject(&world.cx, &phone.browser, rejected).await.unwrap();
    world.is(rejected, StateName::Rejected, Some("holder_rejected")).await;
    // The transfer's name is free again.
    let (unanswered, _) = world
        .ask("u-1", "wd-1", "again", "1.00")
        .await
        .map(|answer| {
            let view: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            (view["id"].as_str().unwrap().parse::<countersign::domain::ApprovalId>().unwrap(), ())
        })
        .unwrap();
    world.later(LIFE).await;
    world.is(unanswered, StateName::Expired, Some("unanswered")).await;

    let id = cooling(&world, "u-2").await;
    world.later(HOLD).await;
    world.is(id, StateName::Released, None).await;
    world.later(Duration::from_secs(24 * 3600)).await;
    // A released transfer is not in the timers before its last seconds: the sweep finds it.
    sweep::sweep(&world.cx, &world.gate).await.unwrap();
    world.settle().await;
    world.is(id, StateName::Expired, Some("not_redeemed")).await;
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_and_another_is_refused() {
    let world = World::new().await;
    world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let first = world.ask("u-1", "wd-1", "k-1", "10.00").await.unwrap();
    let again = world.ask("u-1", "wd-1", "k-1", "10.00").await.unwrap();
    assert_eq!((first.body, Repeat::Earlier), (again.body, again.repeat));
    assert!(matches!(world.ask("u-1", "wd-1", "k-1", "11.00").await, Err(Error::IdempotencyMismatch)));
    assert!(matches!(world.ask("u-1", "wd-1", "k-2", "10.00").await, Err(Error::DuplicateTransfer)));
    for at in 2..=5 {
        world
            .ask("u-1", &format!("wd-{at}"), &format!("k-{at}"), "10.00")
            .await
            .unwrap_or_else(|e| panic!("{at}: {e}"));
    }
    assert!(matches!(world.ask("u-1", "wd-6", "k-6", "10.00").await, Err(Error::TooManyPending)));
    assert!(matches!(world.ask("nobody", "wd-7", "k-7", "10.00").await, Err(Error::UnknownHolder)));
    world.holder("bare", &["bare"]).await;
    assert!(matches!(world.ask("bare", "wd-8", "k-8", "10.00").await, Err(Error::NoDevice)));
}

#[tokio::test]
async fn an_untold_holder_is_unreachable_at_the_cap() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.settle().await;
    world.fails("u-1", Some(super::world::SendErrorKind::Gone));
    world.approve(&mut phone, id).await.unwrap();
    world.settle().await;
    world.later(UNPROVED_HOLD).await;
    world.is(id, StateName::Cooling, None).await;
    world.later(HOLD_CAP - UNPROVED_HOLD).await;
    world.is(id, StateName::Cancelled, Some("unreachable")).await;
}

#[tokio::test]
async fn a_notice_that_comes_through_late_leaves_ten_minutes_to_stop_it() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, waiting) = world.create("u-1", "wd-1").await.unwrap();
    world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
    world.settle().await;
    world.fails("u-1", Some(super::world::SendErrorKind::Again));
    world.approve(&mut phone, id).await.unwrap();
    world.settle().await;
    // Two tries fail; the third would come at 2 + 10 + 45 s.
    world.later(Duration::from_secs(2)).await;
    world.later(Duration::from_secs(10)).await;
    world.clock.advance(HOLD);
    world.settle().await;
    world.fails("u-1", None);
    world.later(Duration::from_secs(200)).await;
    world.is(id, StateName::Cooling, None).await;
    world.later(TOLD_BEFORE - Duration::from_micros(1)).await;
    world.is(id, StateName::Cooling, None).await;
    world.later(Duration::from_micros(1)).await;
    world.is(id, StateName::Released, None).await;
}
