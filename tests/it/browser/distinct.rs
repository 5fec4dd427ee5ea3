//! The browser that started a transfer can't approve it, in whatever order its pages are opened; and a passkey that
//! can be copied isn't enough where the policy says so.

use std::time::Duration;

use super::{Screen, World};
use crate::support::app::Options;
use crate::support::chromium::{Backup, Transport};
use countersign::domain::policy::{Assurance, Unproved};

const HERE: &str = "You can’t approve it in this browser";

#[tokio::test(flavor = "multi_thread")]
async fn the_waiting_page_first_then_the_device_page() {
    let world = World::start(Options::default()).await;
    let phone = world.browser("the phone", Screen::Phone).await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    world.start_at(&phone, &transfer).await;
    phone.open(&transfer.page).await;
    phone.headed(HERE).await;
    assert!(!phone.has("#approve").await);
    phone.look("device-same-browser").await;
    phone.tap("#stop button").await;
    phone.headed("Not sent. You rejected it").await;
    assert_eq!(world.state(&transfer).await, "rejected");

    // Without its cookies the browser is known by its key, though the cookies come back later; by its key among those
    // of enrolments that came to nothing.
    let stray = "const keys = await import('/static/keys.js');
        for (let made = 0; made < 40; made += 1) await keys.keep(await keys.make());";
    phone.run(stray, Vec::new()).await;
    let transfer = world.transfer("wd-2").await;
    let cookies = phone.cookies().await;
    phone.forget_cookies().await;
    world.start_at(&phone, &transfer).await;
    phone.forget_cookies().await;
    for cookie in &cookies {
        phone.add_cookie(cookie).await;
    }
    phone.open(&transfer.page).await;
    phone.headed(HERE).await;

    // Without its key it is known by its cookies.
    let transfer = world.transfer("wd-3").await;
    phone.forget_keys().await;
    world.start_at(&phone, &transfer).await;
    phone.open(&transfer.page).await;
    phone.headed(HERE).await;
    phone.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_page_first_then_the_waiting_page() {
    let unproved = Unproved::HoldFor(Duration::from_secs(5));
    let world = World::start(Options { unproved, ..Options::default() }).await;
    let phone = world.browser("the phone", Screen::Phone).await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    phone.open(&transfer.page).await;
    phone.is_ready("#approve").await;

    phone.in_second_tab(&transfer.waiting, async || world.rests(&phone, &transfer).await).await;
    phone.headed(HERE).await;
    assert!(!phone.has("#approve").await);
    phone.tap("#stop button").await;
    phone.headed("Not sent. You rejected it").await;
    phone.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synced_passkey_where_a_device_bound_one_is_asked_for() {
    let (assurance, unproved) = (Assurance::DeviceBound, Unproved::HoldFor(Duration::from_secs(5)));
    let world = World::start(Options { assurance, unproved, ..Options::default() }).await;
    let phone = world.browser_with("the phone", Screen::Phone, Transport::Internal, Backup::Synced).await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    phone.open(&transfer.page).await;
    phone.headed("This phone can’t approve this much").await;
    assert!(!phone.has("#approve").await);
    phone.look("device-synced").await;
    phone.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_was_added_too_recently() {
    let world = World::start(Options { new_device_hold: Duration::from_secs(3600), ..Options::default() }).await;
    let phone = world.browser("the phone", Screen::Phone).await;
    world.enrol(&phone).await;
    phone.says(".lead", "It can approve from").await;
    phone.look("enrol-done-later").await;
    let transfer = world.transfer("wd-1").await;
    phone.open(&transfer.page).await;
    phone.headed("This phone is too new to approve it").await;
    assert!(!phone.has("#approve").await);
    phone.look("device-too-new").await;
    phone.tap("#stop button").await;
    phone.headed("Not sent. You rejected it").await;
    phone.was_quiet().await;
}
