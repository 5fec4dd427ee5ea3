//! The cancel link of a message, in a browser that runs no scripts and that nobody knows.

use serde_json::json;
use std::time::Duration;

use super::page::Scripts;
use super::world::{HOLDER, approve};
use super::{MINUTES, Screen, World};
use crate::support::app::Options;
use crate::support::backend;
use countersign::domain::policy::Unproved;

/// Nobody needs to have opened the waiting page, and holds are short.
fn options() -> Options {
    let hold = Duration::from_millis(300);
    Options { hold, hold_cap: MINUTES, unproved: Unproved::HoldFor(hold), ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_without_scripts_and_only_by_a_tap() {
    let world = World::start(options()).await;
    let (phone, other) = tokio::join!(
        world.browser("the phone", Screen::Phone),
        world.browser("a browser that nobody knows", Screen::Phone)
    );
    world.enrol(&phone).await;
    other.scripts(Scripts::Off).await;
    let transfer = world.transfer("wd-1").await;
    let link = world.cancel_link(&transfer).await;

    // Looking, as a mail filter would, changes nothing.
    for _ in 0..2 {
        other.open(&link).await;
        other.headed("Stop this transfer?").await;
    }
    let view = world.bank.read(&transfer.id).await;
    assert_eq!((&view["state"], &view["version"]), (&"pending".into(), &1.into()));
    let words = other.words().await;
    assert!(words.contains("12,500.00 EUR") && words.contains("2874"), "enough to know it: {words}");
    for secret in ["Marta", "Nowak", "PL61", "Invoice 2231", "Everyday account"] {
        assert!(!words.contains(secret), "{secret} is nobody's business here: {words}");
    }
    other.look("cancel-pending").await;

    other.tap("#stop button").await;
    other.headed("Stopped. Nothing was sent").await;
    assert_eq!(world.bank.read(&transfer.id).await["reason"], "link_stopped");
    other.look("cancel-stopped").await;
    let stopped = other.words().await;
    other.open(&link).await;
    assert_eq!(other.words().await, stopped, "the same page again");
    assert!(!other.has("form").await, "nothing is left to stop");

    // In the hold, with the phone's page open.
    let mut body = backend::transfer(HOLDER, "wd-2");
    body["hold_seconds"] = json!(MINUTES.as_secs());
    let transfer = world.request(&body).await;
    phone.open(&transfer.page).await;
    approve(&phone).await;
    other.open(&world.cancel_link(&transfer).await).await;
    other.says(".state", "Cooling-off").await;
    other.look("cancel-cooling").await;
    other.tap("#stop button").await;
    other.headed("Stopped. Nothing was sent").await;
    phone.headed("Stopped. Nothing was sent").await;
    world.assert_not_redeemable(&transfer).await;
    other.was_quiet().await;
    phone.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_when_it_is_too_late() {
    let world = World::start(options()).await;
    let (phone, other) = tokio::join!(
        world.browser("the phone", Screen::Phone),
        world.browser("a browser that nobody knows", Screen::Phone)
    );
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    phone.open(&transfer.page).await;
    phone.is_ready("#approve").await;
    phone.tap("#approve").await;
    world.bank.until(&transfer.id, "released").await;

    other.scripts(Scripts::Off).await;
    other.open(&world.cancel_link(&transfer).await).await;
    other.says(".money", "It may be too late to stop it.").await;
    other.look("cancel-released").await;
    world.redeem(&transfer).await;
    other.tap("#stop button").await;
    other.headed("It is too late to stop it here").await;
    other.says(".money", "It was released").await;
    assert!(!other.has("form").await, "nothing is left to stop");
    assert_eq!(world.state(&transfer).await, "redeemed");
    other.look("cancel-late").await;
    other.was_quiet().await;
}
