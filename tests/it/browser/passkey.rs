//! The question for finger, face or PIN on the device page, closed and answered.

use std::time::Duration;

use super::page::Owner;
use super::{Screen, World};
use crate::support::app::Options;
use countersign::domain::policy::Unproved;

#[tokio::test(flavor = "multi_thread")]
async fn dismissed_approves_nothing_and_can_be_asked_again() {
    let unproved = Unproved::HoldFor(Duration::from_secs(30));
    let world = World::start(Options { unproved, ..Options::default() }).await;
    let phone = world.browser("the phone", Screen::Phone).await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    phone.open(&transfer.page).await;
    phone.is_ready("#approve").await;

    phone.owner(Owner::Refuses).await;
    for _ in 0..2 {
        phone.tap("#approve").await;
        phone.says("#answer", "Nothing was approved. You closed the question").await;
        phone.is_ready("#approve:not([aria-disabled])").await;
    }
    phone.look("device-dismissed").await;
    let view = world.bank.read(&transfer.id).await;
    assert_eq!((&view["state"], &view["version"]), (&"pending".into(), &1.into()));

    phone.owner(Owner::Verified).await;
    phone.tap("#approve").await;
    phone.headed("You approved this. You can still stop it").await;
    let view = world.bank.read(&transfer.id).await;
    assert_eq!((&view["state"], &view["decision"]["distinct"]), (&"cooling".into(), &"unproved".into()));
    phone.was_quiet().await;
}
