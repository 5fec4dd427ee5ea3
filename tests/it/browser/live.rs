//! A page that stays open: where something between holds its events back it asks by itself, and the clock of a hold says
//! aloud how long there is to stop it.

use std::time::Duration;

use serde_json::json;

use super::world::approve;
use super::{Browser, World};
use crate::support::app::Options;

/// How a browser complains of events that don't come through.
const HELD_BACK: &str = "ERR_BLOCKED_BY_CLIENT";

impl Browser {
    /// Opens a page whose stream of events never gets through, as behind a proxy that knows none.
    async fn opens_without_events(&self, place: &str) {
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.setBlockedURLs", json!({"urls": ["*/events"]})).await;
        self.open(place).await;
        let source = "return fetch(`${document.body.dataset.base}/events`).then(() => 'through', () => 'held back')";
        assert_eq!(self.run(source, Vec::new()).await, "held back", "{}", self.name);
    }

    /// Waits until the page has asked where its transfer stands, and heard.
    async fn asks_by_itself(&self) {
        let source = "return performance.getEntriesByType('resource').some((one) => one.name.endsWith('/status')
            && one.responseStatus === 200 && one.responseEnd > 0)";
        let asked = async || Ok((self.script(source, Vec::new()).await? == true).then_some(()));
        self.until("a page that asks by itself", asked).await;
    }

    /// Lets the page believe that the hold of its clock ends in so many seconds.
    async fn has_left(&self, seconds: u32) {
        let source = "window.shift = Date.parse(document.getElementById('hold').dataset.until) - window.real()
            - arguments[0] * 1000";
        self.script(source, vec![json!(seconds)]).await.expect("a clock that can be turned");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_events_are_held_back_both_pages_ask_by_themselves() {
    let world = World::start(Options { hold: Duration::from_secs(60), ..Options::default() }).await;
    let (phone, desk) = world.phone_and_desk().await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    world.start_at(&desk, &transfer).await;
    tokio::join!(phone.opens_without_events(&transfer.page), desk.opens_without_events(&transfer.waiting));
    phone.is_ready("#approve").await;
    tokio::join!(phone.asks_by_itself(), desk.asks_by_itself());
    assert_eq!(phone.text("h1").await, "Do you want to send this money?", "nothing happened yet");
    assert_eq!(desk.text("h1").await, "Now answer on your phone", "nothing happened yet");

    approve(&phone).await;
    desk.headed("Approved on your phone. You can still stop it").await;
    tokio::join!(phone.asks_by_itself(), desk.asks_by_itself());
    desk.tap("#stop button").await;
    desk.headed("Stopped. Nothing was sent").await;
    phone.headed("Stopped. Nothing was sent").await;
    for browser in [&phone, &desk] {
        let complaints = browser.complaints().await;
        assert!(complaints.iter().all(|line| line.contains(HELD_BACK)), "{}: {complaints:#?}", browser.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_a_hold_says_aloud_how_long_there_is_to_stop_it() {
    let (hold, hold_cap) = (Duration::from_secs(900), Duration::from_secs(1_800));
    let world = World::start(Options { hold, hold_cap, ..Options::default() }).await;
    let (phone, desk) = world.phone_and_desk().await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    world.start_at(&desk, &transfer).await;
    phone.open(&transfer.page).await;
    approve(&phone).await;
    desk.headed("Approved on your phone. You can still stop it").await;
    let turnable = "window.shift = 0; window.real = Date.now.bind(Date); Date.now = () => window.real() + window.shift";
    for (browser, page) in [(&phone, &transfer.page), (&desk, &transfer.waiting)] {
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": turnable})).await;
        browser.open(page).await;
        browser.says("#clock", ":").await;
        let aloud = async || {
            let source = "const spoken = document.querySelector('#spoken[role=status]'); return spoken.textContent";
            browser.script(source, Vec::new()).await.expect("a page").as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(aloud().await, "", "a clock that only runs is quiet");
        for (left, words) in [
            (600, "10 minutes left to stop it."),
            (300, "5 minutes left to stop it."),
            (60, "1 minute left to stop it."),
            (0, "The time is over. It is being released."),
        ] {
            browser.has_left(left).await;
            browser.until(words, async || Ok((aloud().await == words).then_some(()))).await;
        }
        browser.was_quiet().await;
    }
    assert_eq!(world.state(&transfer).await, "cooling", "a clock that was turned releases nothing");
}
