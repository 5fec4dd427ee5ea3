//! The demo as two people at two screens see it: the exchange and the waiting page in one browser, the phone in the
//! other, from the first link to «Sent».

use std::time::Duration;
use thirtyfour::By;
use tokio::task::spawn_blocking;

use super::world::{approve, fill};
use super::{Browser, Screen, browser_at};
use crate::demo::Tour;
use crate::support::chromium::{Backup, Chromium, Transport};

/// Waits longer than for a page: the demo's hold is twenty seconds.
const HOLD: Duration = Duration::from_secs(60);

async fn sent(desk: &Browser) {
    let shown = async {
        loop {
            // The order's page follows by itself what Countersign tells the exchange.
            // While one page goes and the next one comes there is none to ask.
            let state = desk.script("return document.querySelector('.state')?.innerText.trim()", Vec::new()).await;
            if state.is_ok_and(|state| state == "Sent") {
                return;
            }
            tokio::time::sleep(super::PROBE_EVERY).await;
        }
    };
    let ended = tokio::time::timeout(HOLD, shown).await;
    assert!(ended.is_ok(), "{}", desk.shown().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exchange_from_the_first_link_to_sent() {
    let (tour, chromium) = tokio::join!(Tour::start(), spawn_blocking(Chromium::start));
    let chromium = chromium.expect("ChromeDriver starts");
    let made = |name, screen, origin: &url::Url| {
        browser_at(&chromium, origin.clone(), name, screen, Transport::Internal, Backup::DeviceBound)
    };
    let (desk, phone) = (
        made("the desk", Screen::Desk, &tour.exchange).await,
        made("the phone", Screen::Phone, &tour.countersign).await,
    );

    desk.open("/").await;
    desk.headed("Withdraw").await;
    desk.says(".warn", "First, add a phone").await;
    desk.look("exchange-no-phone").await;
    desk.tap(".warn .btn").await;
    desk.headed("Add your phone").await;
    desk.tap("main form button").await;
    desk.says(".lead", "Open this link in another browser").await;
    desk.look("exchange-phone").await;
    let link = desk.text("a.address").await;
    desk.open("/inbox").await;
    desk.says("main", "your code for adding a device").await;
    let code = desk.text(".code").await;
    desk.look("exchange-inbox").await;

    // The desk's page learns by itself that the phone is there.
    desk.open("/phone").await;
    phone.open(&link).await;
    fill(&phone, &code).await;
    phone.tap("#add").await;
    phone.is_at("/e/done").await;
    desk.headed("Your phone is added").await;
    // A new phone waits; for what was started before it may, it never decides.
    let may = async || {
        phone.driver.refresh().await?;
        let said =
            phone.script("return document.body.innerText.includes('It can stop and approve')", Vec::new()).await?;
        Ok((said == true).then_some(()))
    };
    phone.until("that the phone may approve", may).await;

    desk.open("/").await;
    desk.write("#amount", "0.5").await;
    desk.write("#payee", "Marta Nowak").await;
    desk.write("#account", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq").await;
    desk.says("#total", "0.5").await;
    desk.look("exchange-withdraw").await;
    desk.tap("main form .btn--go").await;
    desk.headed("Now answer on your phone").await;
    phone.open("/").await;
    phone.tap("a.row").await;
    phone.headed("Do you want to send this money?").await;
    assert_eq!(phone.text(".acct").await, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq");
    approve(&phone).await;
    desk.headed("Approved on your phone. You can still stop it").await;

    desk.open("/").await;
    desk.tap("a.row").await;
    desk.says(".money", "This money has not been sent.").await;
    desk.says(".state", "Cooling-off").await;
    desk.look("exchange-order-cooling").await;
    sent(&desk).await;
    desk.says(".money", "The receipt was right").await;
    desk.look("exchange-order-sent").await;
    phone.headed("Released. The money is being sent").await;

    desk.open("/orders/none").await;
    desk.headed("There is nothing here").await;
    desk.look("exchange-trouble").await;
    assert_eq!(desk.driver.find_all(By::Css("form")).await.expect("elements").len(), 0);
    phone.was_quiet().await;
    desk.complained_only_of(&["status of 404"]).await;
    tour.interrupt().await;
}
