//! Everybody who may stop a transfer stops one, and one runs out of time.

use anyhow::Context as _;

use super::phone::{Button, below};
use super::story::Story;
use crate::demo::exchange::order::Order;

pub async fn scene(story: &mut Story<'_>) -> anyhow::Result<()> {
    // This one is left alone meanwhile.
    let short = Order { life: Some(2), ..story.order("15.00")? };
    let forgotten = story.desk().place(short).await?;

    let placed = story.place(story.order("100.00")?).await?;
    let tapped = story.phone.tap(&placed.approval, Button::Reject).await?;
    story.report.check("«Don't send it» on the phone", "303", tapped.verdict());
    story.report.check("the record, once rejected", "rejected holder_rejected", story.state(&placed).await?);
    story.report.check("a signed webhook told", "rejected", story.told(&placed, 1).await?);

    let placed = story.place(story.order("200.00")?).await?;
    story.phone.approve(&placed.approval).await?;
    story.report.check("approved on the phone", "cooling", story.state(&placed).await?);
    let tapped = story.phone.tap(&placed.approval, Button::Stop).await?;
    story.report.check("Stop on the phone, in the hold", "303", tapped.verdict());
    story.report.check("the record, once stopped there", "cancelled holder_stopped", story.state(&placed).await?);
    story.report.check("signed webhooks told", "cooling, cancelled", story.told(&placed, 2).await?);

    by_link(story).await?;

    let placed = story.place(story.order("400.00")?).await?;
    let stopped = story.initiator.form(&below(&placed.waiting_url, "cancel")?, &[]).await?;
    story.report.check("Stop on the waiting page", "303", stopped.verdict());
    story.report.check(
        "the record, once stopped where it was started",
        "cancelled initiator_stopped",
        story.state(&placed).await?,
    );

    let placed = story.place(story.order("500.00")?).await?;
    let button = story.world.exchange.url.join(&format!("orders/{}/cancel", placed.order.id))?;
    story.report.check("cancel at the exchange", "303", story.initiator.form(&button, &[]).await?.verdict());
    story.report.check(
        "the record, once cancelled by its backend",
        "cancelled backend_cancelled",
        story.state(&placed).await?,
    );
    story.report.check("a signed webhook told", "cancelled", story.told(&placed, 1).await?);

    story.report.check("nobody answered: a signed webhook told", "expired", story.told(&forgotten, 1).await?);
    story.report.check("the record, once its time was over", "expired unanswered", story.state(&forgotten).await?);
    Ok(())
}

/// The link in a notice works anywhere: here, in a browser that nobody has seen before.
async fn by_link(story: &mut Story<'_>) -> anyhow::Result<()> {
    let placed = story.place(story.order("300.00")?).await?;
    story.phone.approve(&placed.approval).await?;
    let stop = story.letter(&placed).await?.stop.context("a notice without a link to stop")?;
    let mut elsewhere = super::tab::Tab::new(story.world.http.clone());
    let page = elsewhere.open(&stop).await?;
    story.report.check("the stop link, opened", "200", page.verdict());
    story.report.check("the stop link's page names the payee", false, page.text.contains(&placed.order.payee));
    story.report.check("opening it does nothing", "cooling", story.state(&placed).await?);
    story.report.check("Stop behind the link", "303", elsewhere.form(&stop, &[]).await?.verdict());
    story.report.check("the record, once stopped by link", "cancelled link_stopped", story.state(&placed).await?);
    story.report.check("Stop once more", "303", elsewhere.form(&stop, &[]).await?.verdict());
    story.report.check("signed webhooks told", "cooling, cancelled", story.told(&placed, 2).await?);
    Ok(())
}
