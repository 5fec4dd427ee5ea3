//! The hybrid trap: the holder is talked into using their passkey from a thief's computer, by a QR code. The passkey
//! signs; what is missing there is the device key, which never leaves the phone's browser.

use serde_json::{Value, json};
use std::time::Duration;

use super::{Browser, Screen, World};
use crate::support::app::Options;
use crate::support::chromium::{Backup, Transport};
use countersign::domain::policy::Unproved;

/// Sends JSON to the service as its own pages do, and gives the status and the problem's kind.
const SEND: &str = r#"
const [path, body] = given;
const reply = await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
});
const answer = await reply.json();
return [reply.status, String(answer.type ?? "").split("/").pop(), answer];
"#;

/// What a page does to get a prompt, with the key of this browser or with a new one.
const ASK: &str = r#"
const [page, key] = given;
const keys = await import("/static/keys.js");
const { fromText } = await import("/static/bytes.js");
const record = key === "own" ? (await keys.all())[0] : await keys.make();
const { pageToken } = document.body.dataset;
const signature = await keys.sign(record, "countersign/devkey/prompt/v1", fromText(pageToken));
return { page_token: pageToken, thumbprint: record.thumbprint, signature };
"#;

/// Answers a prompt that was got elsewhere, with the passkey at hand and a new device key.
const ANSWER: &str = r#"
const [prompt, thumbprint] = given;
const ceremony = await import("/static/ceremony.js");
const keys = await import("/static/keys.js");
const { fromB64u } = await import("/static/bytes.js");
const assertion = await ceremony.get(prompt.options);
const record = await keys.make();
const signature = await keys.sign(record, "countersign/devkey/approve/v1", fromB64u(prompt.challenge));
return { sealed: prompt.sealed, assertion, thumbprint: thumbprint ?? record.thumbprint, signature };
"#;

async fn send(browser: &Browser, path: &str, body: &Value) -> (u64, String, Value) {
    let answer = browser.run(SEND, vec![json!(path), body.clone()]).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (answer[0].as_u64().expect("a status"), text(&answer[1]), answer[2].clone())
}

async fn refused(browser: &Browser, path: &str, body: &Value, slug: &str) {
    let (status, said, answer) = send(browser, path, body).await;
    assert_eq!((status, said.as_str()), (403, slug), "{path}: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_on_a_thiefs_computer_approves_nothing() {
    let unproved = Unproved::HoldFor(Duration::from_secs(30));
    let world = World::start(Options { unproved, ..Options::default() }).await;
    let (phone, thief) = tokio::join!(
        world.browser("the phone", Screen::Phone),
        world.browser_with("the thief's computer", Screen::Desk, Transport::Hybrid, Backup::DeviceBound)
    );
    world.enrol(&phone).await;
    let transfer = world.transfer("wd-1").await;
    let (prompt, approve) = (format!("{}/prompt", transfer.page), format!("{}/approve", transfer.page));
    let passkeys = phone.passkeys().await;
    assert_eq!(passkeys.len(), 1);
    thief.add_passkey(&passkeys[0]).await;

    // Without the phone's cookie the thief sees nothing and gets no prompt.
    thief.open(&transfer.page).await;
    thief.headed("We don’t know this browser").await;
    thief.look("device-unknown").await;
    let nothing = json!({"page_token": "AAAA", "thumbprint": "A".repeat(43), "signature": "A".repeat(86)});
    refused(&thief, &prompt, &nothing, "unknown-device").await;

    // With a copy of the cookie there is a page, but its script has no device key.
    for cookie in phone.cookies().await {
        thief.add_cookie(&cookie).await;
    }
    thief.open(&transfer.page).await;
    thief.says("#answer", "This browser has lost the key of this phone.").await;
    assert!(thief.has("#approve[disabled]").await);
    let ask = thief.run(ASK, vec![json!(transfer.page), json!("new")]).await;
    refused(&thief, &prompt, &ask, "ceremony-failed").await;

    // Even a prompt that was made for the phone, answered by the holder's own passkey, isn't enough.
    phone.open(&transfer.page).await;
    phone.is_ready("#approve").await;
    let ask = phone.run(ASK, vec![json!(transfer.page), json!("own")]).await;
    let (status, _, stolen) = send(&phone, &prompt, &ask).await;
    assert_eq!(status, 200, "{stolen}");
    let answer = thief.run(ANSWER, vec![stolen.clone()]).await;
    assert!(answer["assertion"]["response"]["signature"].is_string(), "the passkey does sign: {answer}");
    refused(&thief, &approve, &answer, "ceremony-failed").await;
    let answer = thief.run(ANSWER, vec![stolen, ask["thumbprint"].clone()]).await;
    refused(&thief, &approve, &answer, "ceremony-failed").await;
    assert_eq!(world.state(&transfer).await, "pending");

    // The thief's failures cost the phone nothing: there, the same passkey approves.
    phone.tap("#approve").await;
    phone.headed("You approved this. You can still stop it").await;
    phone.was_quiet().await;
    thief.complained_only_of(&["status of 403"]).await;
}
