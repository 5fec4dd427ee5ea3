//! The scene of a test: a whole service, its backend, and browsers.

use serde_json::Value;
use tokio::task::spawn_blocking;
use url::Url;

use super::{Browser, Screen, browser_at};
use crate::support::app::{Options, TestApp};
use crate::support::backend::{self, Backend};
use crate::support::chromium::{Backup, Chromium, Transport};
use crate::support::eventually::eventually;

/// The holder, and the name of their inbox.
pub const HOLDER: &str = "marta";
const DEVICE: &str = "Priya’s Pixel";

/// A service with one holder, who has an inbox and no device.
pub struct World {
    pub app: TestApp,
    pub bank: Backend,
    pub chromium: Chromium,
}

/// An enrolment link with its code.
pub struct Invitation {
    pub path: String,
    pub code: String,
}

/// A flagged transfer.
#[derive(Debug)]
pub struct Transfer {
    pub id: String,
    pub digest: String,
    /// Path of the waiting page.
    pub waiting: String,
    /// Path of the page on the device.
    pub page: String,
}

impl World {
    pub async fn start(options: Options) -> Self {
        let chromium = spawn_blocking(Chromium::start);
        let app = TestApp::start(options).await;
        let bank = Backend::of(&app);
        bank.holder(HOLDER, HOLDER).await;
        Self { app, bank, chromium: chromium.await.expect("ChromeDriver starts") }
    }

    /// A browser whose authenticator makes passkeys that never leave it.
    pub async fn browser(&self, name: &'static str, screen: Screen) -> Browser {
        self.browser_with(name, screen, Transport::Internal, Backup::DeviceBound).await
    }

    pub async fn browser_with(
        &self,
        name: &'static str,
        screen: Screen,
        transport: Transport,
        backup: Backup,
    ) -> Browser {
        browser_at(&self.chromium, self.app.url.clone(), name, screen, transport, backup).await
    }

    /// The holder's phone, not enrolled yet, and the desk where transfers are started.
    pub async fn phone_and_desk(&self) -> (Browser, Browser) {
        tokio::join!(self.browser("the phone", Screen::Phone), self.browser("the desk", Screen::Desk))
    }

    /// Asks for an enrolment link and reads its code in the inbox.
    pub async fn invite(&self) -> Invitation {
        let seen = self.codes().len();
        let answer = self.bank.invite(HOLDER).await.expect(201);
        let code = eventually("the code in the inbox", async || self.codes().into_iter().nth(seen)).await;
        Invitation { path: path(&answer["url"]), code }
    }

    /// The codes that came to the inbox, the oldest first.
    fn codes(&self) -> Vec<String> {
        self.app.inbox(HOLDER).into_iter().rev().filter_map(|message| message.code).collect()
    }

    /// Makes a browser the holder's device, as a person would.
    pub async fn enrol(&self, phone: &Browser) {
        let invitation = self.invite().await;
        phone.open(&invitation.path).await;
        fill(phone, &invitation.code).await;
        phone.tap("#add").await;
        phone.is_at("/e/done").await;
    }

    /// Flags a transfer of 12,500.00 EUR.
    pub async fn transfer(&self, transfer_id: &str) -> Transfer {
        self.request(&backend::transfer(HOLDER, transfer_id)).await
    }

    /// Flags a transfer.
    pub async fn request(&self, body: &Value) -> Transfer {
        let view = self.bank.request(body).await.expect(201);
        let text = |name: &str| view[name].as_str().unwrap_or_else(|| panic!("no {name}: {view}")).to_owned();
        let id = text("id");
        Transfer { page: format!("/a/{id}"), digest: text("digest"), waiting: path(&view["waiting_url"]), id }
    }

    /// The path of the cancel link in the newest message about a transfer.
    pub async fn cancel_link(&self, transfer: &Transfer) -> String {
        let link = eventually("a message with a cancel link", async || {
            let about = |message: &countersign::ports::outward::Message| {
                message.approval.is_some_and(|id| id.to_string() == transfer.id)
            };
            self.app.inbox(HOLDER).into_iter().find(about).and_then(|message| message.stop)
        });
        link.await.path().to_owned()
    }

    /// Where a transfer stands.
    pub async fn state(&self, transfer: &Transfer) -> String {
        self.bank.read(&transfer.id).await["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Opens the waiting page where the transfer was started, and waits until the browser has been noted and the page
    /// has come to rest.
    pub async fn start_at(&self, desk: &Browser, transfer: &Transfer) {
        desk.open(&transfer.waiting).await;
        self.rests(desk, transfer).await;
    }

    /// Waits until the browser that has the waiting page open was noted, and the page has come to rest.
    pub async fn rests(&self, desk: &Browser, transfer: &Transfer) {
        self.noted(transfer).await;
        let source =
            "const asked = performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/open'));
            return document.body.dataset.version === '2' && asked.some((one) => one.responseEnd > 0)";
        let at_rest = async || Ok((desk.script(source, Vec::new()).await? == true).then_some(()));
        desk.until("the page of a browser that was noted", at_rest).await;
        desk.headed("Now answer on your phone").await;
    }

    /// Waits until a browser has opened the waiting page.
    async fn noted(&self, transfer: &Transfer) {
        eventually("the waiting page to be opened", async || {
            (self.bank.wait(&transfer.id, 1).await["version"].as_u64() > Some(1)).then_some(())
        })
        .await;
    }

    /// Tries to take a transfer that isn't released.
    pub async fn assert_not_redeemable(&self, transfer: &Transfer) {
        let reply = self.bank.redeem(&transfer.id, &transfer.digest, &Backend::fresh_key()).await;
        assert_eq!((reply.status, reply.slug()), (409, "conflict"), "{}", reply.body);
    }

    /// Takes a released transfer.
    pub async fn redeem(&self, transfer: &Transfer) -> Value {
        self.bank.redeem(&transfer.id, &transfer.digest, &Backend::fresh_key()).await.expect(200)
    }
}

/// Fills the form of an enrolment.
pub async fn fill(phone: &Browser, code: &str) {
    phone.is_ready("#add").await;
    phone.write("#code", code).await;
    phone.write("#name", DEVICE).await;
}

/// Approves on the device page, once its prompt is there.
pub async fn approve(phone: &Browser) {
    phone.is_ready("#approve").await;
    phone.tap("#approve").await;
    phone.headed("You approved this. You can still stop it").await;
}

fn path(address: &Value) -> String {
    let text = address.as_str().unwrap_or_else(|| panic!("no address: {address}"));
    Url::parse(text).expect("an address").path().to_owned()
}
