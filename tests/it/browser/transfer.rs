//! One transfer in two browsers: approved, rejected, stopped in the hold, stopped where it was started.

use std::time::Duration;

use super::world::approve;
use super::{Browser, MINUTES, World};
use crate::support::app::Options;
use countersign::domain::Timestamp;
use countersign::domain::policy::Assurance;
use serde_json::{Value, json};

/// Seconds that the clock of a hold shows, while it runs.
async fn seconds(browser: &Browser) -> u32 {
    let face = browser.text("#clock").await;
    let (minutes, seconds) = face.split_once(':').unwrap_or_else(|| panic!("no clock: {face}"));
    minutes.parse::<u32>().expect("minutes") * 60 + seconds.parse::<u32>().expect("seconds")
}

/// Watches the clock of a hold until it has gone down.
async fn counts_down(browser: &Browser) {
    let first = seconds(browser).await;
    browser.until("a clock that runs", async || Ok((seconds(browser).await < first).then_some(()))).await;
}

fn moment(view: &Value, name: &str) -> Timestamp {
    serde_json::from_value(view[name].clone()).unwrap_or_else(|_| panic!("no {name}: {view}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_on_the_phone_cooled_off_released_and_redeemed() {
    let (hold, assurance) = (Duration::from_secs(30), Assurance::DeviceBound);
    let world = World::start(Options { hold, assurance, ..Options::default() }).await;
    let (phone, desk) = world.phone_and_desk().await;
    world.enrol(&phone).await;
    phone.open("/").await;
    phone.says(".empty", "Nothing is waiting for you.").await;
    phone.look("home-empty").await;

    let transfer = world.transfer("wd-1").await;
    phone.open("/").await;
    phone.says(".row", "To Marta Nowak").await;
    phone.look("home-waiting").await;
    phone.tap("a.row").await;
    phone.headed("You can’t approve it yet").await;
    assert!(!phone.has("#approve").await, "nobody has seen where it was started");
    phone.look("device-unproved").await;

    // The phone's page notices by itself that the transfer's first screen was seen.
    world.start_at(&desk, &transfer).await;
    phone.headed("Do you want to send this money?").await;
    phone.is_ready("#approve").await;
    assert_eq!(phone.text(".amount").await, "12,500.00 EUR");
    assert_eq!(phone.text(".acct").await, "PL61109010140000071219812874");
    for css in [".amount", ".payee", ".acct", ".deal__more"] {
        assert_eq!(phone.text(css).await, desk.text(css).await, "both sides show the same {css}");
    }
    phone.look("device-approve").await;
    // The holder was told, and this side learns that, not where.
    let told = async || {
        desk.driver.refresh().await?;
        let said = desk.script("return document.querySelector('.steps').innerText", Vec::new()).await?;
        Ok(said.as_str().is_some_and(|said| said.contains("Open the message we sent you.")).then_some(()))
    };
    desk.until("that a message was sent", told).await;
    desk.look("waiting-pending").await;

    approve(&phone).await;
    desk.headed("Approved on your phone. You can still stop it").await;
    tokio::join!(counts_down(&phone), counts_down(&desk));
    let cooling = world.bank.read(&transfer.id).await;
    assert_eq!(cooling["state"], "cooling");
    assert_eq!(cooling["decision"]["distinct"], "observed");
    assert_eq!(cooling["decision"]["assurance"], "device_bound");
    world.assert_not_redeemable(&transfer).await;

    let released = world.bank.until(&transfer.id, "released").await;
    assert!(moment(&released, "released_at") >= moment(&cooling, "cooling_until"), "released before its time");
    for browser in [&phone, &desk] {
        browser.headed("Released. The money is being sent").await;
        browser.says(".money", "It may be too late to stop it. You can still try.").await;
        browser.is_ready("#stop button").await;
    }
    phone.look("device-released").await;
    desk.look("waiting-released").await;

    let redeemed = world.redeem(&transfer).await;
    assert_eq!(redeemed["approval"]["state"], "redeemed");
    for browser in [&phone, &desk] {
        browser.says(".money", "It can’t be stopped here any more.").await;
        assert!(!browser.has("#stop").await, "nothing is left to stop");
    }
    phone.look("device-redeemed").await;
    desk.look("waiting-redeemed").await;
    phone.open("/").await;
    phone.says("h2 + .rows", "Released").await;
    phone.look("home-lately").await;
    phone.was_quiet().await;
    desk.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_on_the_phone_and_told_where_it_was_started() {
    let world = World::start(Options::default()).await;
    let (phone, desk) = world.phone_and_desk().await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    world.start_at(&desk, &transfer).await;
    phone.open(&transfer.page).await;
    phone.is_ready("#approve").await;

    // However far down one was, the new page begins at its heading.
    desk.script("scrollTo(0, document.documentElement.scrollHeight)", Vec::new()).await.expect("a page");
    phone.tap("#stop button").await;
    phone.headed("Not sent. You rejected it").await;
    phone.shows("h1").await;
    desk.headed("Not sent. It was rejected on your phone").await;
    desk.shows("h1").await;
    let view = world.bank.read(&transfer.id).await;
    assert_eq!((&view["state"], &view["reason"]), (&"rejected".into(), &"holder_rejected".into()));
    world.assert_not_redeemable(&transfer).await;
    phone.look("device-rejected").await;
    desk.look("waiting-rejected").await;

    // News that comes while a tap on the brake is on its way doesn't take its place.
    let catch =
        "window.EventSource = class extends EventSource { constructor(...a) { super(...a); window.news = this; } }";
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": catch})).await;
    let transfer = world.transfer("wd-2").await;
    world.start_at(&desk, &transfer).await;
    phone.open(&transfer.page).await;
    phone.is_ready("#approve").await;
    phone.on_a_slow_line().await;
    let at_once = "const news = new MessageEvent('status', { data: JSON.stringify({ version: 99 }) });
        document.querySelector('#stop button').click();
        setTimeout(() => window.news.dispatchEvent(news))";
    phone.script(at_once, Vec::new()).await.expect("a page");
    phone.headed("Not sent. You rejected it").await;
    assert_eq!(world.state(&transfer).await, "rejected");
    phone.was_quiet().await;
    desk.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_in_the_hold_on_the_phone_and_where_it_was_started() {
    let world = World::start(Options { hold: MINUTES, hold_cap: MINUTES, ..Options::default() }).await;
    let (phone, desk) = world.phone_and_desk().await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    world.start_at(&desk, &transfer).await;
    phone.open(&transfer.page).await;
    approve(&phone).await;
    desk.headed("Approved on your phone. You can still stop it").await;
    phone.look("device-cooling").await;
    desk.look("waiting-cooling").await;
    phone.open("/").await;
    phone.look("home-cooling").await;

    phone.tap("a.row").await;
    phone.tap("#stop button").await;
    phone.headed("Stopped. Nothing was sent").await;
    desk.headed("Stopped. Nothing was sent").await;
    let view = world.bank.read(&transfer.id).await;
    assert_eq!((&view["state"], &view["reason"]), (&"cancelled".into(), &"holder_stopped".into()));
    world.assert_not_redeemable(&transfer).await;
    phone.look("device-stopped").await;
    desk.look("waiting-stopped").await;

    // And on the other side. The waiting page's link works for the browser that opened it first.
    let transfer = world.transfer("wd-2").await;
    world.start_at(&desk, &transfer).await;
    phone.open(&transfer.waiting).await;
    phone.headed("This link has ended").await;
    assert!(!phone.words().await.contains("12,500.00"), "the link alone shows nothing");
    phone.open(&transfer.page).await;
    approve(&phone).await;
    desk.headed("Approved on your phone. You can still stop it").await;
    desk.tap("#stop button").await;
    desk.headed("Stopped. Nothing was sent").await;
    phone.headed("Stopped. Nothing was sent").await;
    assert_eq!(world.bank.read(&transfer.id).await["reason"], "initiator_stopped");
    world.assert_not_redeemable(&transfer).await;
    phone.complained_only_of(&["status of 410"]).await;
    desk.was_quiet().await;
}
