//! The phone is added: a link from the exchange, a code from the inbox, a passkey and a device key.

use super::story::Story;
use anyhow::Context as _;
use url::Url;

pub async fn scene(story: &mut Story<'_>) -> anyhow::Result<()> {
    let phone_page = story.world.exchange.url.join("phone")?;

    // A thief who has the link but not the inbox can only guess, five times.
    let link = invite(story, &phone_page).await?;
    let right = story.code(1).await?;
    let wrong = if right == "000000" { "111111" } else { "000000" };
    let mut verdicts = Vec::new();
    for _ in 0..5 {
        verdicts.push(story.phone.type_code(&link, wrong).await?.verdict());
    }
    verdicts.dedup();
    story.report.check("five wrong codes", "403 code-wrong", verdicts.join(", "));
    let late = story.phone.type_code(&link, &right).await?;
    story.report.check("then the right one, on the same link", "410 code-used-up", late.verdict());

    let link = invite(story, &phone_page).await?;
    let code = story.code(2).await?;
    story.report.check("the link's page on the phone", "200", story.phone.tab.open(&link).await?.verdict());
    let enrolled = story.phone.enrol(&link, &code).await?;
    story.report.check("code, passkey and device key", "200", enrolled.verdict());
    let done = story.phone.at("/e/done")?;
    story.report.check("«is added»", "200", story.phone.tab.open(&done).await?.verdict());
    let again = story.phone.type_code(&link, &code).await?;
    story.report.check("the same link once more", "410 link-ended", again.verdict());
    let holder = story.desk().holder().await?;
    story.report.check("the exchange sees a device", true, holder.enrolled_at.is_some());
    Ok(())
}

/// The signed-in customer asks the exchange for a link.
async fn invite(story: &mut Story<'_>, page: &Url) -> anyhow::Result<Url> {
    let asked = story.initiator.form(page, &[]).await?;
    story.report.check("the exchange asks for a link", "303", asked.verdict());
    Ok(story.desk().invitation().context("there is no link")?.url)
}
