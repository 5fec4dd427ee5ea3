//! Browsers lose what they keep. Then a device says that it can't approve, and still stops as far as it can.

use std::time::Duration;

use super::{Screen, World};
use crate::support::app::Options;
use countersign::domain::policy::Unproved;

#[tokio::test(flavor = "multi_thread")]
async fn the_brake_outlives_the_device_key_and_nothing_outlives_the_cookie() {
    let unproved = Unproved::HoldFor(Duration::from_secs(5));
    let world = World::start(Options { unproved, ..Options::default() }).await;
    let phone = world.browser("the phone", Screen::Phone).await;
    world.enrol(&phone).await;

    let transfer = world.transfer("wd-1").await;
    phone.forget_keys().await;
    phone.open(&transfer.page).await;
    phone.says("#answer", "This browser has lost the key of this phone.").await;
    assert!(phone.has("#approve[disabled]").await);
    // It stands on the first screen, too, and nothing there says that one can approve.
    phone.says("#how", "This browser has lost the key of this phone.").await;
    phone.shows("#how").await;
    assert!(!phone.words().await.contains("You can approve it at the end"), "a page that contradicts itself");
    phone.look("device-key-lost").await;
    phone.tap("#stop button").await;
    phone.headed("Not sent. You rejected it").await;
    phone.was_quiet().await;

    let transfer = world.transfer("wd-2").await;
    phone.forget_cookies().await;
    for place in ["/", transfer.page.as_str(), "/a/apr_00000000000000000000000000000000"] {
        phone.open(place).await;
        phone.headed("We don’t know this browser").await;
        let source = phone.script("return document.documentElement.outerHTML", Vec::new()).await.expect("a page");
        for secret in ["12,500", "12500", "Marta", "Nowak", "PL61", &transfer.id, &transfer.digest, "wd-2"] {
            assert!(!source.as_str().expect("text").contains(secret), "{place} tells {secret}: {source}");
        }
    }
    assert_eq!(world.state(&transfer).await, "pending");
    phone.complained_only_of(&["status of 403"]).await;
}
