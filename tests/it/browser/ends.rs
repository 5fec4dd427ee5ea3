//! Ends that nobody brings about, and addresses that lead nowhere.

use std::time::Duration;

use super::{Screen, World};
use crate::support::app::Options;
use crate::support::servers::is_running;
use countersign::domain::policy::Unproved;

#[tokio::test(flavor = "multi_thread")]
async fn time_runs_out_on_open_pages() {
    let unproved = Unproved::HoldFor(Duration::from_secs(5));
    let world = World::start(Options { life: Duration::from_secs(30), unproved, ..Options::default() }).await;
    let (phone, desk) = world.phone_and_desk().await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    world.start_at(&desk, &transfer).await;
    phone.open(&transfer.page).await;
    phone.headed("Do you want to send this money?").await;
    phone.is_ready("#approve").await;
    let view = world.bank.until(&transfer.id, "expired").await;
    assert_eq!(view["reason"], "unanswered");
    phone.headed("Time ran out. Nothing was sent").await;
    desk.headed("Time ran out. Nothing was sent").await;
    phone.look("device-expired").await;
    desk.look("waiting-expired").await;
    let link = world.cancel_link(&transfer).await;
    phone.open(&link).await;
    phone.headed("Time ran out. Nothing was sent").await;
    phone.look("cancel-expired").await;
    phone.was_quiet().await;
    desk.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leads_nowhere_is_a_page_too() {
    let world = World::start(Options::default()).await;
    let browser = world.browser("any browser", Screen::Phone).await;
    for place in ["/no/such/page", "/c/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "/w/x", "/e/x"] {
        browser.open(place).await;
        browser.headed("We can’t find this page").await;
    }
    browser.look("not-found").await;
    browser.complained_only_of(&["status of 404"]).await;
}

/// Every other test here stands on these two: they would be worth nothing if they couldn't fail.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_forbids_is_noticed_and_no_browser_outlives_its_handle() {
    let world = World::start(Options::default()).await;
    let browser = world.browser("any browser", Screen::Phone).await;
    browser.open("/").await;
    let inline =
        "document.body.append(Object.assign(document.createElement('script'), { text: 'document.title = 1' }))";
    browser.script(inline, Vec::new()).await.expect("a page");
    browser.complained_only_of(&["Content Security Policy", "status of 403"]).await;
    assert_ne!(browser.driver.title().await.expect("a title"), "1");

    let started = world.chromium.processes();
    assert!(started.len() > 3, "a browser is several processes: {started:?}");
    drop(world.chromium);
    let left: Vec<_> = started.into_iter().filter(|process| is_running(*process)).collect();
    assert!(left.is_empty(), "{left:?} run on");
}
