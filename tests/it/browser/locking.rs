//! "This wasn't me": on the device, and from the link in a message; and how each of them ends.

use thirtyfour::Key;

use super::World;
use super::page::Owner;
use crate::support::app::Options;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_locks_and_only_staff_could_unlock() {
    let world = World::start(Options::default()).await;
    let (phone, desk) = world.phone_and_desk().await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    phone.open("/").await;
    phone.tap("a[href='/lock']").await;
    phone.headed("You didn’t start something?").await;
    phone.look("lock-ask").await;
    // The brake is the second thing that the keyboard reaches.
    phone.press(Key::Tab).await;
    phone.press(Key::Tab).await;
    phone.press(Key::Enter).await;
    phone.tap("#stop button").await;
    phone.headed("Transfers are locked").await;
    phone.says("section", "Two people there must agree").await;
    phone.look("locked-by-device").await;
    assert_eq!(world.state(&transfer).await, "cancelled");
    phone.open("/").await;
    phone.says("h2", "Transfers are locked").await;
    phone.look("home-locked").await;
    phone.open(&transfer.page).await;
    phone.look("device-locked-stopped").await;
    desk.open(&transfer.waiting).await;
    desk.look("waiting-locked-stopped").await;
    phone.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_locks_for_a_day_and_a_device_unlocks_in_an_hour() {
    let world = World::start(Options::default()).await;
    let (phone, desk) = world.phone_and_desk().await;
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    let link = format!("{}/lock", world.cancel_link(&transfer).await);
    desk.open(&link).await;
    desk.headed("You didn’t start something?").await;
    desk.look("lock-ask-by-link").await;
    desk.tap("#stop button").await;
    desk.headed("Transfers are locked").await;
    desk.look("locked-by-link").await;
    assert!(!desk.has("#lift").await, "a link can't unlock");

    phone.open("/lock").await;
    phone.headed("Transfers are locked").await;
    phone.is_ready("#lift").await;
    phone.look("lift-offered").await;
    phone.owner(Owner::Refuses).await;
    phone.tap("#lift").await;
    phone.says("#answer", "It stays locked.").await;
    phone.look("lift-dismissed").await;
    phone.owner(Owner::Verified).await;
    phone.tap("#lift").await;
    phone.says("section", "You asked to unlock").await;
    phone.look("lift-asked").await;
    phone.tap("#stop button").await;
    phone.says("section", "Two people there must agree").await;
    phone.look("locked-again").await;
    phone.was_quiet().await;
    desk.was_quiet().await;
}
