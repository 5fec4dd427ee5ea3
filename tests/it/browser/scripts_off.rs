//! The device page and the waiting page in a browser that runs no scripts: reading and stopping work, and each says
//! what it needs for the rest.

use std::time::Duration;

use super::page::Scripts;
use super::{Screen, World};
use crate::support::app::Options;
use countersign::domain::policy::Unproved;

#[tokio::test(flavor = "multi_thread")]
async fn stopping_needs_no_scripts_and_approving_says_that_it_does() {
    let unproved = Unproved::HoldFor(Duration::from_secs(30));
    let world = World::start(Options { unproved, ..Options::default() }).await;
    let phone = world.browser("the phone", Screen::Phone).await;
    world.enrol(&phone).await;
    phone.scripts(Scripts::Off).await;

    let transfer = world.transfer("wd-1").await;
    phone.open(&transfer.page).await;
    phone.says("noscript", "To approve, turn on JavaScript. You can reject it without.").await;
    assert!(phone.has("#approve[disabled]").await);
    phone.shows("noscript").await;
    assert!(!phone.words().await.contains("You can approve it at the end"), "a page that contradicts itself");
    assert_eq!(phone.text(".amount").await, "12,500.00 EUR");
    phone.look("device-approve-no-scripts").await;
    phone.tap("#stop button").await;
    phone.headed("Not sent. You rejected it").await;
    assert_eq!(world.state(&transfer).await, "rejected");

    let transfer = world.transfer("wd-2").await;
    phone.open(&transfer.waiting).await;
    phone.says("noscript", "Turn on JavaScript to go on").await;
    phone.look("waiting-no-scripts").await;
    assert_eq!(world.bank.read(&transfer.id).await["version"], 1, "loading the page notes nobody");
    phone.tap("#stop button").await;
    phone.headed("Stopped. Nothing was sent").await;
    assert_eq!(world.bank.read(&transfer.id).await["reason"], "initiator_stopped");
    phone.was_quiet().await;
}
