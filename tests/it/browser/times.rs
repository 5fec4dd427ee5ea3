//! Moments by the reader's own clock, wherever they are, and in UTC where no script runs.

use std::time::Duration;

use countersign::domain::Timestamp;
use serde_json::json;

use super::page::Scripts;
use super::world::approve;
use super::{Browser, World};
use crate::support::app::Options;

const MINUTES_A_DAY: i64 = 24 * 60;

impl Browser {
    async fn lives_in(&self, zone: &str) {
        self.devtools("Emulation.setTimezoneOverride", json!({"timezoneId": zone})).await;
    }

    /// Checks every moment on the page against a clock that is ahead of UTC by so much. Gives how many there were.
    async fn tells_time(&self, ahead_minutes: i64) -> usize {
        let source = "return [...document.querySelectorAll('time')].filter((one) => one.checkVisibility())
            .map((one) => [one.dateTime, one.textContent, document.body.dataset.now ?? new Date().toISOString()])";
        let read =
            async || Ok(Some(self.script(source, Vec::new()).await?).filter(|all| !all.to_string().contains("UTC")));
        let all = self.until("times by the reader's own clock", read).await;
        let all = all.as_array().cloned().expect("a list");
        for one in &all {
            let text = |at: usize| one[at].as_str().expect("text");
            let minutes =
                |at: usize| Timestamp::parse_rfc3339(text(at)).expect("a moment").millis() / 60_000 + ahead_minutes;
            let (at, now) = (minutes(0), minutes(2));
            let clock = format!("{:02}:{:02}", at.rem_euclid(MINUTES_A_DAY) / 60, at.rem_euclid(60));
            assert!(text(1).contains(&clock), "{one}, not {clock}");
            let day = match at.div_euclid(MINUTES_A_DAY) - now.div_euclid(MINUTES_A_DAY) {
                0 => "today, ",
                1 => "tomorrow, ",
                -1 => "yesterday, ",
                other => panic!("{other} days: {one}"),
            };
            assert!(text(1).to_lowercase().starts_with(day), "{one}, not {day}");
        }
        assert!(!self.words().await.contains("UTC"), "{}", self.words().await);
        all.len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_reads_their_own_clock() {
    // A hold into tomorrow for one of them.
    let (hold, hold_cap) = (Duration::from_secs(12 * 3600), Duration::from_secs(24 * 3600));
    let world = World::start(Options { hold, hold_cap, ..Options::default() }).await;
    let (phone, desk) = world.phone_and_desk().await;
    world.enrol(&phone).await;
    // A quarter of an hour that no other zone has, and the first place where tomorrow begins.
    phone.lives_in("Asia/Kathmandu").await;
    desk.lives_in("Pacific/Kiritimati").await;
    let (nepal, line_islands) = (5 * 60 + 45, 14 * 60);

    let transfer = world.transfer("wd-1").await;
    world.start_at(&desk, &transfer).await;
    assert!(desk.tells_time(line_islands).await >= 3, "when it was asked, when it ends, and the way so far");
    phone.open(&transfer.page).await;
    phone.is_ready("#approve").await;
    assert!(phone.tells_time(nepal).await >= 1);
    approve(&phone).await;
    // That they were told is known a moment later, and the page doesn't reload for it.
    let told = async || {
        phone.driver.refresh().await?;
        let times = phone.script("return document.querySelectorAll('time').length", Vec::new()).await?;
        Ok((times.as_u64() >= Some(3)).then_some(()))
    };
    phone.until("the end of the hold, when it was approved, when we told them", told).await;
    assert!(phone.tells_time(nepal).await >= 3);
    phone.look("device-cooling-own-clock").await;
    phone.open("/").await;
    assert!(phone.tells_time(nepal).await >= 1, "when it goes");
    desk.headed("Approved on your phone. You can still stop it").await;
    assert!(desk.tells_time(line_islands).await >= 4);

    // A link in a notice needs no script and runs none.
    let link = world.cancel_link(&transfer).await;
    phone.open(&link).await;
    phone.says("time", " UTC").await;
    phone.scripts(Scripts::Off).await;
    phone.open(&transfer.page).await;
    phone.says(".clock__at time", " UTC").await;
    phone.was_quiet().await;
    desk.was_quiet().await;
}
