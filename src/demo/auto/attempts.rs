//! What must fail on the way to a release. Each attempt has everything but the one thing it lacks.

use anyhow::Context as _;

use super::HOLD;
use super::phone::below;
use super::story::{Story, verdict};
use crate::authenticator::DeviceKeyPair;
use crate::demo::exchange::order::{Order, Taking};
use crate::domain::device::Blob;
use crate::domain::linking::DEVICE_KEY_APPROVE;
use serde::Deserialize;
use serde_json::{Value, json};

pub async fn scene(story: &mut Story<'_>) -> anyhow::Result<()> {
    changed_amount(story).await?;
    replay(story).await?;
    no_device_key(story).await?;
    initiating_browser(story).await?;
    nobody_watched(story).await?;
    cancelled_then_redeemed(story).await
}

/// The holder signs a small transfer; the signature is used for a large one.
async fn changed_amount(story: &mut Story<'_>) -> anyhow::Result<()> {
    let small = story.place(story.order("50.00")?).await?;
    let large = story.place(story.order("5000.00")?).await?;
    let for_small = story.phone.sign(&small.approval).await?;
    let mut mixed = story.phone.sign(&large.approval).await?;
    mixed["assertion"] = for_small["assertion"].clone();
    let answer = story.phone.send(&large.approval, &mixed).await?;
    story.report.check("the passkey's signature for 50 used for 5000", "403 ceremony-failed", answer.verdict());
    let answer = story.phone.send(&large.approval, &for_small).await?;
    story.report.check("the whole approval of 50 sent to 5000", "409 prompt-stale", answer.verdict());
    story.report.check("the transfer of 5000, after that", "pending", story.state(&large).await?);
    story.clear(&small).await?;
    story.clear(&large).await
}

/// An approval that was used is sent again, and tried on another transfer.
async fn replay(story: &mut Story<'_>) -> anyhow::Result<()> {
    let used = story.place(story.order("60.00")?).await?;
    let signed = story.phone.sign(&used.approval).await?;
    story.report.check("an approval of 60", "200", story.phone.send(&used.approval, &signed).await?.verdict());
    story.report.check("the same again", "409 conflict", story.phone.send(&used.approval, &signed).await?.verdict());
    let same = story.place(story.order("60.00")?).await?;
    let answer = story.phone.send(&same.approval, &signed).await?;
    story.report.check("the same for another transfer of 60", "409 prompt-stale", answer.verdict());
    story.report.check("that other transfer, after that", "pending", story.state(&same).await?);
    story.clear(&used).await?;
    story.clear(&same).await
}

/// The passkey is there, as over a QR code from a stranger's computer, but not the phone's device key.
async fn no_device_key(story: &mut Story<'_>) -> anyhow::Result<()> {
    let placed = story.place(story.order("61.00")?).await?;
    let prompt = story.phone.prompt(&placed.approval).await?.json()?;
    let mut signed = story.phone.browser.approve_body(&prompt)?;
    let stranger = DeviceKeyPair::generate()?;
    let challenge = Blob::deserialize(&prompt["challenge"]).context("a prompt without a challenge")?;
    signed["signature"] = json!(stranger.sign(DEVICE_KEY_APPROVE, &challenge.0)?);
    let answer = story.phone.send(&placed.approval, &signed).await?;
    story.report.check("a right passkey and a stranger's device key", "403 ceremony-failed", answer.verdict());
    signed["thumbprint"] = json!(stranger.thumbprint());
    let answer = story.phone.send(&placed.approval, &signed).await?;
    story.report.check("the same, naming the stranger's key", "403 ceremony-failed", answer.verdict());
    let mut unsigned: Value = story.phone.sign(&placed.approval).await?;
    unsigned["signature"] = json!("");
    let answer = story.phone.send(&placed.approval, &unsigned).await?;
    story.report.check("no device key at all", "403 ceremony-failed", answer.verdict());
    story.report.check("the transfer, after that", "pending", story.state(&placed).await?);
    story.clear(&placed).await
}

/// The browser that started the transfer tries to decide it.
async fn initiating_browser(story: &mut Story<'_>) -> anyhow::Result<()> {
    let placed = story.place(story.order("62.00")?).await?;
    let page = story.phone.at(&format!("/a/{}", placed.approval))?;
    let answer = story.initiator.open(&page).await?;
    story.report.check("the browser that started it opens the phone's page", 403, answer.status);
    story.report.check("it is shown the transfer there", false, answer.text.contains(&placed.order.payee));
    let token = story.initiator.open(&placed.waiting_url).await?.data("page-token")?.to_owned();
    let body = DeviceKeyPair::generate().map_err(anyhow::Error::from).and_then(|key| {
        let signature = key.sign(crate::domain::linking::DEVICE_KEY_PROMPT, token.as_bytes())?;
        Ok(json!({"page_token": token, "thumbprint": key.thumbprint(), "signature": signature}))
    })?;
    let answer = story.initiator.json(&below(&page, "prompt")?, &body).await?;
    story.report.check("it asks for a prompt with a key of its own", "403 unknown-device", answer.verdict());
    story.clear(&placed).await?;

    // Now the phone itself starts one: the right device, with every key, in the wrong place.
    let placed = story.desk().place(story.order("63.00")?).await?;
    let waiting = story.phone.tab.open(&placed.waiting_url).await?;
    let token = waiting.data("page-token")?.to_owned();
    let body = story.phone.browser.wait_body(&token)?;
    let opened = story.phone.tab.json(&below(&placed.waiting_url, "open")?, &body).await?;
    story.report.check("a phone opens the waiting page and shows its key", "200", opened.verdict());
    let answer = story.phone.prompt_with(&placed.approval, &token).await?;
    story.report.check("the same phone asks for a prompt", "403 not-distinct", answer.verdict());
    let answer = story.initiator.open(&placed.waiting_url).await?;
    story.report.check("another browser opens that waiting page", 410, answer.status);
    story.report.check("the transfer, after that", "pending", story.state(&placed).await?);
    story.clear(&placed).await
}

/// Nobody opens the waiting page, so no browser could be compared.
async fn nobody_watched(story: &mut Story<'_>) -> anyhow::Result<()> {
    let placed = story.desk().place(story.order("64.00")?).await?;
    let page = story.initiator.open(&placed.waiting_url).await?;
    let token = page.data("page-token")?.to_owned();
    let answer = story.phone.prompt_with(&placed.approval, &token).await?;
    story.report.check("approve what nobody was seen to start", "403 not-distinct", answer.verdict());
    story.clear(&placed).await
}

/// Stopped at the last moment: released, but not yet taken.
async fn cancelled_then_redeemed(story: &mut Story<'_>) -> anyhow::Result<()> {
    let by_hand = Order { taking: Taking::ByHand, hold: None, ..story.order("65.00")? };
    let placed = story.place(by_hand).await?;
    story.phone.approve(&placed.approval).await?;
    story.report.check(
        "another hold runs out; nobody has taken it yet",
        "released",
        story.cool(&placed, HOLD).await?.stage.word(),
    );
    let cancelled = story.desk().client().cancel(&placed.approval).await;
    story.report.check("cancel it", "200", verdict(&cancelled));
    let taken = story.desk().client().redeem(&placed.approval, &placed.digest, &story.desk().fresh("late")).await;
    story.report.check("then redeem", "409 conflict", verdict(&taken));
    let told = story.told(&placed, 3).await?;
    story.report.check("signed webhooks told", "cooling, released, cancelled", told);
    Ok(())
}
