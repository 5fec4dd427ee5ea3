//! What a backend and a holder's phone do, request by request, each over a connection of its own that is kept.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::seed::{Cast, Phone};
use crate::wire::Wire;

/// An approval that was opened.
pub struct Opened {
    pub id: String,
    pub digest: String,
    pub waiting_path: String,
}

/// A prompt whose signatures are ready to be sent.
pub struct Signed {
    path: String,
    body: Vec<u8>,
}

/// Opens an approval. The body is that of the documentation's example. `hold_seconds` can only make the hold longer.
pub async fn create(
    wire: &mut Wire,
    cast: &Cast,
    subject: &str,
    transfer: &str,
    hold_seconds: Option<u32>,
) -> anyhow::Result<Opened> {
    let mut body = json!({
        "subject": subject, "transfer_id": transfer, "amount": "12500.00", "currency": "EUR",
        "payee": {"name": "Marta Nowak", "account": "PL61109010140000071219812874"},
        "payee_history": "new",
        "source_account": {"id": "acc-4471", "label": "Everyday account, ending 4471"},
        "reference": "Invoice 2231",
        "initiator": {"started_on": "website", "started_at": "2026-11-21T14:31:02Z", "from": "a computer near Leeds"},
    });
    if let Some(seconds) = hold_seconds {
        body["hold_seconds"] = seconds.into();
    }
    let headers = [("authorization", cast.bearer.as_str()), ("idempotency-key", transfer)];
    let answer = wire.send("POST", "/v1/approvals", &headers, body.to_string().as_bytes()).await?;
    let view = answer.json("create")?;
    let text = |name: &str| view[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
    let waiting = text("waiting_url")?;
    let (_, path) = waiting.split_once("/w/").context("no waiting link")?;
    Ok(Opened { id: text("id")?, digest: text("digest")?, waiting_path: format!("/w/{path}") })
}

/// Opens the waiting page in a browser that has no keys, as its script does.
pub async fn watch(wire: &mut Wire, opened: &Opened) -> anyhow::Result<()> {
    let page = wire.send("GET", &opened.waiting_path, &[], &[]).await?.granted("the waiting page")?;
    let body = json!({"page_token": page_token(&page)?, "keys": []});
    let path = format!("{}/open", opened.waiting_path);
    wire.send("POST", &path, &[], body.to_string().as_bytes()).await?.granted("watch").map(drop)
}

/// Opens the page on the phone, asks for a prompt, and signs it with the passkey and the device key.
pub async fn sign(wire: &mut Wire, phone: &mut Phone, opened: &Opened) -> anyhow::Result<Signed> {
    let cookie = [("cookie", phone.cookie.as_str())];
    let path = format!("/a/{}", opened.id);
    let page = wire.send("GET", &path, &cookie, &[]).await?.granted("the page on the phone")?;
    let ask = phone.browser.prompt_body(page_token(&page)?)?.to_string();
    let prompt: Value = wire.send("POST", &format!("{path}/prompt"), &cookie, ask.as_bytes()).await?.json("prompt")?;
    let body = phone.browser.approve_body(&prompt)?.to_string().into_bytes();
    Ok(Signed { path: format!("{path}/approve"), body })
}

/// Sends what was signed: the decision.
pub async fn approve(wire: &mut Wire, phone: &Phone, signed: &Signed) -> anyhow::Result<()> {
    let cookie = [("cookie", phone.cookie.as_str())];
    wire.send("POST", &signed.path, &cookie, &signed.body).await?.granted("approve").map(drop)
}

/// Takes a released transfer.
pub async fn redeem(wire: &mut Wire, cast: &Cast, id: &str, digest: &str) -> anyhow::Result<()> {
    let key = format!("redeem-{id}");
    let headers = [("authorization", cast.bearer.as_str()), ("idempotency-key", key.as_str())];
    let body = json!({"digest": digest}).to_string();
    let path = format!("/v1/approvals/{id}/redeem");
    wire.send("POST", &path, &headers, body.as_bytes()).await?.granted("redeem").map(drop)
}

/// What the page's script reads from it.
fn page_token(page: &[u8]) -> anyhow::Result<&str> {
    let page = std::str::from_utf8(page)?;
    let (_, rest) = page.split_once("data-page-token=\"").context("the page has no token")?;
    let (token, _) = rest.split_once('"').context("an attribute without an end")?;
    Ok(token)
}
