//! The pages by keyboard alone: the brake is one jump away, and one sees where one is.

use serde_json::{Value, json};
use thirtyfour::Key;

use super::{Browser, MINUTES, World};
use crate::support::app::Options;
use countersign::domain::policy::Unproved;

/// What has the focus, whether a person sees that, and what hides it.
const FOCUS: &str = r#"
const one = document.activeElement;
const { left, right, top, bottom } = one.getBoundingClientRect();
const style = getComputedStyle(one);
const over = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
return {
    what: one.innerText?.trim() ?? one.tagName,
    shown: one.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    inside: top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth,
    free: over !== null && (one.contains(over) || over.contains(one)),
};
"#;

async fn focus(browser: &Browser) -> Value {
    browser.script(FOCUS, Vec::new()).await.expect("a page")
}

/// Goes on by the Tab key and gives what is there; it must be in sight.
async fn next(browser: &Browser) -> String {
    browser.press(Key::Tab).await;
    let mut focus = focus(browser).await;
    let what = focus["what"].take();
    assert_eq!(focus, json!({"what": null, "shown": true, "inside": true, "free": true}), "{what} on {}", browser.name);
    what.as_str().unwrap_or_default().to_owned()
}

/// The first Tab comes to the way to the brake; Enter and one more Tab are on it.
async fn reaches_the_brake(browser: &Browser, brake: &str) {
    let skip = next(browser).await;
    assert!(skip.starts_with("Skip to:"), "{skip}");
    browser.press(Key::Enter).await;
    assert_eq!(next(browser).await, brake);
}

/// Every stop of the Tab key on a page that was just opened, to its end.
async fn stops(browser: &Browser) -> Vec<String> {
    let all = "return document.querySelectorAll('a[href], button:enabled, input, summary').length";
    let count = browser.script(all, Vec::new()).await.expect("a page").as_u64().expect("a number");
    let mut stops = Vec::new();
    for _ in 0..count {
        stops.push(next(browser).await);
    }
    stops
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brake_is_one_jump_away_on_every_page_that_has_one() {
    let (hold, unproved) = (MINUTES, Unproved::HoldFor(MINUTES));
    let world = World::start(Options { hold, hold_cap: hold, unproved, ..Options::default() }).await;
    let (phone, desk) = world.phone_and_desk().await;
    let mut titles = Vec::new();
    let title = async |browser: &Browser| browser.driver.title().await.expect("a title");

    let invitation = world.invite().await;
    phone.open(&invitation.path).await;
    phone.is_ready("#add").await;
    titles.push(title(&phone).await);
    reaches_the_brake(&phone, "Don’t add it").await;
    world.enrol(&phone).await;
    titles.push(title(&phone).await);

    let transfer = world.transfer("wd-1").await;
    phone.open(&transfer.page).await;
    phone.is_ready("#approve").await;
    titles.push(title(&phone).await);
    let order = stops(&phone).await;
    let place = |what: &str| order.iter().position(|stop| stop == what).unwrap_or_else(|| panic!("{what}: {order:?}"));
    assert!(place("Approve 12,500.00 EUR") < place("Don’t send it"), "reading comes first: {order:?}");
    assert_eq!(place("Don’t send it"), order.len() - 1, "the brake is last: {order:?}");

    // Over the brake and back, and the question is asked and answered by keyboard alone.
    phone.open(&transfer.page).await;
    phone.is_ready("#approve").await;
    reaches_the_brake(&phone, "Don’t send it").await;
    for _ in place("Approve 12,500.00 EUR")..place("Don’t send it") {
        phone.back_by_keyboard().await;
    }
    assert_eq!(focus(&phone).await["what"], "Approve 12,500.00 EUR");
    phone.press(Key::Enter).await;
    phone.headed("You approved this. You can still stop it").await;
    titles.push(title(&phone).await);
    reaches_the_brake(&phone, "Stop this transfer").await;

    let link = world.cancel_link(&transfer).await;
    desk.open(&link).await;
    titles.push(title(&desk).await);
    reaches_the_brake(&desk, "Stop this transfer").await;
    desk.press(Key::Enter).await;
    desk.headed("Stopped. Nothing was sent").await;
    titles.push(title(&desk).await);

    let transfer = world.transfer("wd-2").await;
    world.start_at(&desk, &transfer).await;
    titles.push(title(&desk).await);
    stops(&desk).await;
    desk.open(&transfer.waiting).await;
    reaches_the_brake(&desk, "Stop this transfer").await;

    let count = titles.len();
    titles.sort_unstable();
    titles.dedup();
    assert_eq!(titles.len(), count, "every page has a title of its own: {titles:?}");
    phone.was_quiet().await;
    desk.was_quiet().await;
}
