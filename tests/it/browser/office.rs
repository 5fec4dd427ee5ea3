//! The scene of the console's tests: a service with a console whose clock the test turns, and staff at browsers of
//! their own.

use countersign::domain::staff::Role;
use serde_json::json;
use tokio::task::spawn_blocking;

use super::{Browser, Screen};
use crate::console::desk::Desk;
use crate::console::stage::Stage;
use crate::support::chromium::{Backup, Chromium, Transport};

/// A service with a console, and its two first admins.
pub struct Office {
    pub stage: Stage,
    pub admins: (Desk, Desk),
    chromium: Chromium,
}

impl Office {
    pub async fn open(stage: Stage) -> Self {
        let chromium = spawn_blocking(Chromium::start);
        let admins = stage.founders().await;
        Self { stage, admins, chromium: chromium.await.expect("ChromeDriver starts") }
    }

    /// A browser at the console.
    pub async fn desk(&self, name: &'static str) -> Browser {
        let origin = self.stage.console_url.clone();
        self.browser(name, Screen::Desk, origin).await
    }

    /// The holder's browser, with the cookie of their device.
    pub async fn phone(&self, cookie: &str) -> Browser {
        let origin = self.stage.cx.settings.public_url.clone();
        let phone = self.browser("the phone", Screen::Phone, origin).await;
        phone.add_cookie(&json!({"name": "cs-device", "value": cookie})).await;
        phone
    }

    async fn browser(&self, name: &'static str, screen: Screen, origin: url::Url) -> Browser {
        let session = self.chromium.browser(Transport::Internal, Backup::DeviceBound).await;
        let browser = Browser { driver: session.driver, authenticator: session.authenticator, name, origin, screen };
        browser.show_on(screen).await;
        browser
    }

    /// Two admins add somebody, who gets the link from one and the code from the other.
    pub async fn hire(&mut self, name: &str, group: &str, employer: &str, role: Role) -> (String, String) {
        let form = self.stage.form(name, group, employer, &[role.as_str()]);
        let (one, two) = &mut self.admins;
        let proposed = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
        let at = proposed["location"].as_str().expect("a place").to_owned();
        let signed = two.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await.expect(200);
        let code = one.get(&at).await.between(r#"<p class="acct">"#, "</p>");
        (signed["link"].as_str().expect("a link").to_owned(), code)
    }
}

/// Makes a passkey on an invite, as a person does.
pub async fn join(desk: &Browser, (link, code): &(String, String)) {
    desk.open(link).await;
    desk.is_ready("#go").await;
    desk.write("#code", code).await;
    desk.tap("#go").await;
    desk.headed("Your passkey is made").await;
}

/// Signs in with the passkey.
pub async fn sign_in(desk: &Browser) {
    desk.open("/sign-in").await;
    desk.is_ready("#go").await;
    desk.tap("#go").await;
    desk.headed("Cases").await;
}
