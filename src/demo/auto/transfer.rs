//! One transfer from the form to the receipt, and what can't be done with it afterwards.

use anyhow::Context as _;

use super::HOLD;
use super::phone::Button;
use super::story::{Story, verdict};
use crate::demo::exchange::desk::redeem_key;
use crate::demo::exchange::order::Draft;
use crate::demo::exchange::site::HOOK;
use crate::demo::exchange::thief::{MADE_UP, Trick, forged};
use crate::demo::exchange::webhook::Secret;
use crate::domain::Timestamp;

pub async fn scene(story: &mut Story<'_>) -> anyhow::Result<()> {
    // The browser that starts it fills the exchange's form and is sent to the waiting page.
    let form = Draft::default();
    let fields = [
        ("amount", form.amount.as_str()),
        ("unit", &form.unit),
        ("payee", &form.payee),
        ("account", &form.account),
        ("reference", "Invoice 2231"),
    ];
    let sent = story.initiator.form(&story.world.exchange.url.join("withdraw")?, &fields).await?;
    story.report.check("the exchange's form", "303", sent.verdict());
    let placed = story.desk().orders().pop().context("the exchange has no order")?;
    let waiting = sent.location.context("the form leads nowhere")?;
    story.report.check("it leads to the waiting page at Countersign", true, waiting == placed.waiting_url);
    let opened = story.watch(&placed).await?;
    story.report.check("the waiting page marks its browser", "200", opened.verdict());
    story.waiting_shows(&placed, "pending").await?;

    // The phone gets a notice, shows the transfer, and signs it with passkey and device key.
    let letter = story.letter(&placed).await?;
    let link = letter.open.context("a notice without a link")?;
    let page = story.phone.tab.open(&link).await?;
    story.report.check("the notice's link on the phone", "200", page.verdict());
    story.report.check("the page names the payee", true, page.text.contains(&placed.order.payee));
    let approved = story.phone.approve(&placed.approval).await?;
    story.report.check("approve on the phone", "200", approved.verdict());
    story.waiting_shows(&placed, "cooling").await?;

    let cooling = story.desk().client().approval(&placed.approval).await?;
    story.report.check("the record, once approved", "cooling", &cooling.state);
    let until = Timestamp::parse_rfc3339(&cooling.cooling_until.context("no end of the hold")?)?;
    let early = story.desk().client().redeem(&placed.approval, &placed.digest, &story.desk().fresh("early")).await;
    story.report.check("redeem before the hold is over", "409 conflict", verdict(&early));

    // The hold ends, a signed webhook says so, and the exchange takes it with the digest of its own order.
    let settled = story.cool(&placed, HOLD).await?;
    story.report.check("the exchange, after a signed webhook and a right receipt", "sent", settled.stage.word());
    story.report.check("signed webhooks told", "cooling, released, redeemed", story.told(&placed, 3).await?);
    story.waiting_shows(&placed, "redeemed").await?;
    let receipt = settled.receipt.context("there is no receipt")?;
    let keys = story.desk().client().key_set().await?;
    let claims = story.desk().trust().verify(&keys, &receipt, story.desk().now())?;
    let fits = claims.is_for(&placed.order, &placed.approval, &placed.digest);
    story.report.check("the receipt names the exchange's own order", true, fits.is_ok());
    story.report.check("the device was compared with the browser that started it", "observed", &claims.distinct);
    let released_at = Timestamp::parse_rfc3339(&claims.released_at)?;
    story.report.check("it wasn't released before its hold was over", true, released_at >= until);

    // Once taken, nothing more can be had from it.
    let client = story.desk().client();
    let again = client.redeem(&placed.approval, &placed.digest, &redeem_key(&placed.order)).await;
    story.report.check(
        "redeem again with the same key gives the same receipt",
        true,
        again.is_ok_and(|same| same == receipt),
    );
    let twice = client.redeem(&placed.approval, &placed.digest, &story.desk().fresh("twice")).await;
    story.report.check("redeem twice, with another key", "409 already-redeemed", verdict(&twice));
    let other = story.desk().digest_of_larger(&placed).await.map_err(anyhow::Error::msg)?;
    let larger = client.redeem(&placed.approval, &other, &story.desk().fresh("larger")).await;
    story.report.check("redeem the digest of another amount", "422 digest-mismatch", verdict(&larger));
    let cancelled = client.cancel(&placed.approval).await;
    story.report.check("cancel after the redeem", "409 already-redeemed", verdict(&cancelled));
    let stopped = story.phone.tap(&placed.approval, Button::Stop).await?;
    story.report.check("Stop on the phone after the redeem", "409", stopped.status);
    Ok(())
}

/// What the exchange itself must not believe.
pub async fn forgeries(story: &mut Story<'_>) -> anyhow::Result<()> {
    let sent = story.desk().orders().into_iter().find(|placed| placed.stage.word() == "sent");
    let sent = sent.context("no order was sent")?;
    let receipt = sent.receipt.clone().context("it has no receipt")?;
    let (head, rest) = receipt.split_once('.').context("not a token")?;
    let (body, tail) = rest.split_once('.').context("not a token")?;
    let claims = String::from_utf8(data_encoding::BASE64URL_NOPAD.decode(body.as_bytes())?)?;
    let changed = claims.replace(&sent.order.amount, "18.5000000");
    story.report.check("the claims can be changed", true, claims != changed);
    let changed = format!("{head}.{}.{tail}", data_encoding::BASE64URL_NOPAD.encode(changed.as_bytes()));
    let refused = "the receipt was refused: signature, issuer, audience or claims are wrong";
    let checked = story.desk().check(&sent, &changed).await;
    story.report.check("a receipt with another amount", refused, said(checked));
    let reused = story.desk().try_trick(&sent, Trick::ReuseReceipt).await;
    let refused = "the receipt was refused: its amount isn't that of the order";
    story.report.check("a right receipt for a larger order", refused, reused.answer);

    let placed = story.place(story.order("70.00")?).await?;
    let (id, body) = forged(&placed);
    let hook = story.world.exchange.url.join(HOOK)?;
    let secret = Secret::parse(MADE_UP)?;
    let now = story.desk().now();
    story.report.check("webhooks that the exchange had to refuse so far", 0, story.desk().refused());
    let signature = secret.sign(&id, now, body.as_bytes());
    for signature in [Some(signature), None] {
        let mut request = story.world.http.request(reqwest::Method::POST, hook.clone()).body(body.clone());
        request = request.header("webhook-id", &id).header("webhook-timestamp", now.to_string());
        let what = if let Some(signature) = signature {
            request = request.header("webhook-signature", signature);
            "a forged webhook «released», signed with a made-up secret"
        } else {
            "the same without a signature"
        };
        story.report.check(what, 400, request.send().await?.status().as_u16());
    }
    let order = story.desk().order(&placed.order.id).context("the order is gone")?;
    story.report.check("the order they were about", "asked", order.stage.word());
    story.clear(&placed).await?;

    let orders = story.desk().orders();
    let agree = story.agreeing(&orders).await?;
    story.report.check("orders whose last signed webhook tells what the record says", orders.len(), agree);
    Ok(())
}

fn said(result: Result<(), String>) -> String {
    match result {
        Ok(()) => "taken".to_owned(),
        Err(why) => why,
    }
}
