//! A holder with a phone, and the backend that moves their money. Each step is repeated until somebody answers, as
//! people and backends do; what is answered goes into the ledger. A refusal is taken only where the rules allow it:
//! because an earlier try of the same step was carried out, or because its time was over.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use url::Url;

use super::chance::Chance;
use super::deployment::Deployment;
use super::gateway::{Answer, Gateway};
use super::ledger::Ledger;
use super::phone::{Cookies, Phone};
use crate::support::backend::transfer;
use crate::support::eventually::eventually;

/// Longest wait for a release. A notice that a killed node had leased goes out again after a minute, and a transfer is
/// released only when its holder was told.
const RELEASE: Duration = Duration::from_secs(100);
/// So often a step may find that the record moved under it.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// What becomes of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Redeemed,
    /// The holder stops it in the hold.
    Stopped,
    /// The browser that started it stops it.
    TakenBack,
    CancelledByBackend,
    Rejected,
    /// Nobody answers.
    Forgotten,
    /// Released, and never taken.
    Left,
}

/// Half of all transfers go the whole way.
const WAYS: [Way; 12] = [
    Way::Redeemed,
    Way::Redeemed,
    Way::Redeemed,
    Way::Redeemed,
    Way::Redeemed,
    Way::Redeemed,
    Way::Stopped,
    Way::TakenBack,
    Way::CancelledByBackend,
    Way::Rejected,
    Way::Forgotten,
    Way::Left,
];

pub struct Holder {
    subject: String,
    pub phone: Phone,
    gateway: Gateway,
    ledger: Arc<Ledger>,
    chance: Chance,
    transfers: u32,
    forgotten: u32,
}

/// A transfer that was put up.
pub struct Placed {
    pub id: String,
    pub digest: String,
    /// Path of its waiting page.
    pub waiting: String,
}

impl Holder {
    /// A holder whose phone is enrolled. Nothing may be broken yet.
    pub async fn enrolled(deployment: &Deployment, gateway: &Gateway, subject: &str, chance: Chance) -> Self {
        let mailbox = format!("{subject}@mail.example");
        deployment.ledger.keep_secret(&mailbox);
        let body = json!({"subject": subject, "channels": [{"kind": "email", "address": mailbox}]});
        gateway.api("POST", "/v1/holders", Some(&format!("holder-{subject}")), Some(&body)).await.expect(201);
        let path = format!("/v1/holders/{subject}/enrolments");
        let invited = gateway.api("POST", &path, Some(&format!("invite-{subject}")), None).await.expect(201);
        let link: Url = text(&invited["url"]).parse().expect("a URL");
        let code = eventually("a code", async || {
            let mails = deployment.smtp.messages();
            let mail = mails.iter().find(|mail| mail.to == [mailbox.as_str()])?;
            let (_, rest) = mail.source.split_once("Your code: ")?;
            Some(rest.chars().take(7).filter(char::is_ascii_digit).collect::<String>())
        })
        .await;
        let phone = Phone::enrolled(gateway, &link, &code).await;
        for secret in [last_part(link.path()), last_part(&phone.cookies().replace('=', "/"))] {
            deployment.ledger.keep_secret(secret);
        }
        Self {
            subject: subject.to_owned(),
            phone,
            gateway: gateway.clone(),
            ledger: Arc::clone(&deployment.ledger),
            chance,
            transfers: 0,
            forgotten: 0,
        }
    }

    /// One transfer from its beginning to one of its ends.
    pub async fn live(&mut self) {
        let mut way = self.chance.pick(&WAYS);
        // A holder has five places for what waits for an answer.
        if way == Way::Forgotten && self.forgotten == 2 {
            way = Way::Redeemed;
        }
        let placed = self.place().await;
        let mut browser = Cookies::default();
        self.watch(&placed, &mut browser).await;
        match way {
            Way::Forgotten => self.forgotten += 1,
            Way::Rejected => self.stop(&placed, self.phone.press(&placed.id, "reject").await).await,
            Way::TakenBack => {
                // Only the browser that has the waiting page's mark; it has none if the answer that brought it was lost.
                if !browser.header().is_empty() {
                    self.take_back(&placed, &browser).await;
                }
            }
            Way::Stopped | Way::CancelledByBackend | Way::Redeemed | Way::Left => {
                if self.approve(&placed).await {
                    self.after_approval(&placed, way).await;
                }
            }
        }
    }

    async fn after_approval(&mut self, placed: &Placed, way: Way) {
        match way {
            Way::Stopped => self.stop(placed, self.phone.press(&placed.id, "cancel").await).await,
            Way::CancelledByBackend => {
                let path = format!("/v1/approvals/{}/cancel", placed.id);
                self.stop(placed, self.gateway.api("POST", &path, None, None).await).await;
            }
            _ => {
                let released = self.released(placed).await;
                if released && way == Way::Redeemed {
                    self.redeem(placed).await;
                }
            }
        }
    }

    /// The backend puts a transfer up.
    pub async fn place(&mut self) -> Placed {
        self.transfers += 1;
        let transfer_id = format!("{}-{}", self.subject, self.transfers);
        let body = transfer(&self.subject, &transfer_id);
        let answer = self.gateway.api("POST", "/v1/approvals", Some(&transfer_id), Some(&body)).await;
        let view = answer.expect(201);
        self.ledger.saw(&view);
        let waiting: Url = text(&view["waiting_url"]).parse().expect("a URL");
        self.ledger.keep_secret(last_part(waiting.path()));
        let (id, digest) = (text(&view["id"]).to_owned(), text(&view["digest"]).to_owned());
        Placed { id, digest, waiting: waiting.path().to_owned() }
    }

    /// The browser that started it opens the waiting page, which left a mark in it.
    pub async fn watch(&self, placed: &Placed, browser: &mut Cookies) {
        for _ in 0..TRIES {
            let page = self.gateway.open(&placed.waiting, &browser.header()).await;
            browser.keep(&page);
            if let Some(token) = page.data("page-token") {
                let body = json!({"page_token": token, "keys": []});
                let path = format!("{}/open", placed.waiting);
                if self.gateway.post(&path, &browser.header(), Some(&body)).await.status == 200 {
                    return self.ledger.reached(&placed.id, 2);
                }
            }
            if self.read(&placed.id).await["state"] != "pending" {
                return;
            }
            assert_eq!(page.status, 200, "the waiting page was refused");
            sleep(PAUSE).await;
        }
        panic!("the waiting page of {} could not be opened", placed.id);
    }

    /// The holder approves on the phone. `false` when the time was over.
    pub async fn approve(&mut self, placed: &Placed) -> bool {
        let mut may_be_done = false;
        for _ in 0..TRIES {
            let page = self.phone.look(&placed.id).await;
            let mut refused = String::new();
            if let Some(token) = page.data("page-token") {
                let answer = self.phone.approve(&placed.id, token).await;
                if answer.status == 200 {
                    self.ledger.reached(&placed.id, 3);
                    return self.read(&placed.id).await["state"] != "expired";
                }
                may_be_done |= answer.is_repeat;
                refused = answer.slug();
            }
            let view = self.read(&placed.id).await;
            match text(&view["state"]) {
                "pending" => {
                    // A prompt is stale when the waiting page was opened after it by a try whose answer was lost.
                    let may_pass = ["", "prompt-stale", "conflict", "expired"].contains(&refused.as_str());
                    assert!(may_pass, "{} was refused: {refused}; it is {view}", placed.id);
                }
                "expired" => return false,
                _ => {
                    assert!(may_be_done, "nobody approved {}, and it is {view}", placed.id);
                    return true;
                }
            }
            sleep(PAUSE).await;
        }
        panic!("{} could not be approved", placed.id);
    }

    /// What a stop was answered with. It may have come too late, but never after an end that nobody asked for.
    async fn stop(&self, placed: &Placed, answer: Answer) {
        if answer.status < 400 {
            self.ledger.cancelled(&placed.id);
        }
        let view = self.read(&placed.id).await;
        let state = text(&view["state"]);
        assert!(
            ["rejected", "cancelled"].contains(&state) || (answer.status >= 400 && state == "expired"),
            "a stop was answered {} {}, and it is {view}",
            answer.status,
            answer.text
        );
    }

    /// The waiting page is where a form there leads, whatever became of it; the page says that.
    async fn take_back(&self, placed: &Placed, browser: &Cookies) {
        let answer = self.gateway.post(&format!("{}/cancel", placed.waiting), &browser.header(), None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let view = self.read(&placed.id).await;
        assert!(["cancelled", "expired"].contains(&text(&view["state"])), "it was stopped, and it is {view}");
    }

    /// Waits for the release, and tries to redeem before it now and then. `false` when it ended otherwise.
    pub async fn released(&mut self, placed: &Placed) -> bool {
        let began = Instant::now();
        let mut view = self.read(&placed.id).await;
        while began.elapsed() < RELEASE {
            match text(&view["state"]) {
                "cooling" => {}
                "released" | "redeemed" => return true,
                "expired" => return false,
                _ => panic!("nobody stopped {}, and it is {view}", placed.id),
            }
            if self.chance.once_in(4) {
                self.try_redeem(placed).await;
            }
            let path = format!("/v1/approvals/{}?wait=2&version={}", placed.id, view["version"]);
            view = self.gateway.api("GET", &path, None, None).await.expect(200);
            self.ledger.saw(&view);
        }
        panic!("{} was not released in {RELEASE:?}: {view}", placed.id);
    }

    /// Redeems with the transfer's own key: whoever asks twice gets the same receipt. `false` when it was refused.
    async fn try_redeem(&self, placed: &Placed) -> bool {
        let path = format!("/v1/approvals/{}/redeem", placed.id);
        let key = format!("redeem-{}", placed.id);
        let answer = self.gateway.api("POST", &path, Some(&key), Some(&json!({"digest": placed.digest}))).await;
        if answer.status == 200 {
            let redemption = answer.json();
            self.ledger.redeemed(&placed.id, text(&redemption["receipt"]));
            self.ledger.saw(&redemption["approval"]);
            return true;
        }
        assert_eq!(answer.status, 409, "{}", answer.text);
        false
    }

    /// Takes a released transfer, asks again, asks for another, and tries to stop it afterwards.
    pub async fn redeem(&self, placed: &Placed) {
        if !self.try_redeem(placed).await {
            let view = self.read(&placed.id).await;
            assert_eq!(view["state"], "expired", "a redeem was refused: {view}");
            return;
        }
        assert!(self.try_redeem(placed).await, "the same key got no answer the second time");
        let path = format!("/v1/approvals/{}", placed.id);
        let body = json!({"digest": placed.digest});
        let other = self.gateway.api("POST", &format!("{path}/redeem"), Some("another"), Some(&body)).await;
        assert_eq!((other.status, other.slug().as_str()), (409, "already-redeemed"));
        let late = self.gateway.api("POST", &format!("{path}/cancel"), None, None).await;
        assert_eq!((late.status, late.slug().as_str()), (409, "already-redeemed"));
    }

    pub async fn read(&self, id: &str) -> Value {
        let view = self.gateway.api("GET", &format!("/v1/approvals/{id}"), None, None).await.expect(200);
        self.ledger.saw(&view);
        view
    }
}

/// The last part of a path, which in a link is its token.
fn last_part(path: &str) -> &str {
    path.rsplit('/').next().expect("a part")
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
