//! Adding the first device: what the page says, and how it is refused.

use thirtyfour::Key;

use super::page::{Owner, Scripts};
use super::world::{HOLDER, fill};
use super::{Screen, World};
use crate::support::app::Options;

/// A code of the same shape that isn't this one.
fn other_than(code: &str) -> &'static str {
    if code == "000000" { "111111" } else { "000000" }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_at_its_place_and_can_be_mended() {
    let world = World::start(Options::default()).await;
    let phone = world.browser("the phone", Screen::Phone).await;
    let invitation = world.invite().await;
    phone.open(&invitation.path).await;
    phone.is_ready("#add").await;
    // These pages wait for nothing, so the page doesn't speak of waiting.
    phone.says("main .steps", "It can stop and approve transfers at once.").await;
    phone.look("enrol").await;

    phone.tap("#add").await;
    phone.says("#errors", "Type the 6 numbers from our message.").await;
    phone.says("#errors", "Give this phone a name.").await;
    let focus = phone.script("return document.activeElement.id", Vec::new()).await.expect("an element");
    assert_eq!(focus, "errors", "the summary has the focus");
    let title = phone.driver.title().await.expect("a title");
    assert!(title.starts_with("Error: "), "{title}");
    phone.look("enrol-errors").await;

    fill(&phone, other_than(&invitation.code)).await;
    phone.tap("#add").await;
    phone.says("#code-bad", "These are not the numbers we sent.").await;
    assert!(phone.passkeys().await.is_empty(), "no passkey is made before the code is right");

    // With a space in the middle, as people read it out, and by the Enter key; but the question is closed.
    phone.owner(Owner::Refuses).await;
    let (first, second) = invitation.code.split_at(3);
    phone.write("#code", &format!("{first} {second}")).await;
    phone.press(Key::Enter).await;
    phone.says("#answer", "This phone was not added. You closed the question").await;
    phone.look("enrol-dismissed").await;
    assert!(world.bank.read_holder(HOLDER).await["enrolled_at"].is_null());

    phone.owner(Owner::Verified).await;
    phone.tap("#add").await;
    phone.is_at("/e/done").await;
    phone.headed("Priya’s Pixel is added").await;
    phone.look("enrol-done").await;
    assert_eq!(world.bank.read_holder(HOLDER).await["devices"].as_array().map(Vec::len), Some(1));
    phone.complained_only_of(&["status of 403"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_wrong_codes_end_the_link_and_so_does_saying_no() {
    let world = World::start(Options::default()).await;
    let phone = world.browser("the phone", Screen::Phone).await;
    let invitation = world.invite().await;
    phone.open(&invitation.path).await;
    fill(&phone, other_than(&invitation.code)).await;
    for _ in 0..5 {
        phone.tap("#add").await;
        phone.says("#code-bad", "These are not the numbers we sent.").await;
        phone.is_ready("#add:not([aria-disabled])").await;
    }
    phone.write("#code", &invitation.code).await;
    phone.tap("#add").await;
    phone.says("#answer", "There were too many wrong numbers. This link has ended.").await;
    phone.shows("#answer").await;
    phone.headed("This link has ended").await;
    let words = phone.words().await;
    for asked in ["Add this phone", "Type the 6 numbers", "left", "Don’t add it", "Use this phone"] {
        assert!(!words.contains(asked), "an ended link asks on: {asked}: {words}");
    }
    phone.look("enrol-used-up").await;
    assert!(world.bank.read_holder(HOLDER).await["enrolled_at"].is_null());

    // Saying no works without scripts.
    let invitation = world.invite().await;
    phone.scripts(Scripts::Off).await;
    phone.open(&invitation.path).await;
    phone.says("noscript", "To add a phone, turn on JavaScript.").await;
    phone.look("enrol-no-scripts").await;
    phone.tap("#stop button").await;
    phone.headed("Not added. The link has ended").await;
    phone.look("enrol-declined").await;

    phone.scripts(Scripts::On).await;
    phone.open(&invitation.path).await;
    phone.headed("This link has ended").await;
    phone.look("link-ended").await;
    phone.complained_only_of(&["status of 403", "status of 410"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_adds_one_phone_only() {
    let world = World::start(Options::default()).await;
    let (phone, other) = world.phone_and_desk().await;
    let invitation = world.invite().await;
    // Both have the page, and the code; one is faster.
    for browser in [&phone, &other] {
        browser.open(&invitation.path).await;
        fill(browser, &invitation.code).await;
    }
    phone.tap("#add").await;
    phone.is_at("/e/done").await;
    other.tap("#add").await;
    other.says("#answer", "This phone was not added.").await;
    other.says("#answer", "This link has ended.").await;
    assert!(!other.words().await.contains("Add this phone"), "an ended link asks on");
    other.open(&invitation.path).await;
    other.headed("This link has ended").await;
    // On the phone it leads on, because a Home Screen icon may have been made of it.
    phone.open(&invitation.path).await;
    phone.is_at("/").await;
    assert_eq!(world.bank.read_holder(HOLDER).await["devices"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.bank.invite(HOLDER).await.slug(), "already-enrolled");
    phone.was_quiet().await;
}
