//! What a person does in a browser, and what a test reads there.

use serde_json::{Value, json};
use thirtyfour::error::WebDriverErrorInner::{ElementNotInteractable, StaleElementReference};
use thirtyfour::error::{WebDriverError, WebDriverResult};
use thirtyfour::{By, Key};

use super::Browser;
use crate::support::chromium;

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    On,
    Off,
}

/// Whether the passkey's owner passes the check of finger, face or PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Verified,
    /// They close the question, as a browser tells it: `NotAllowedError`.
    Refuses,
}

/// What was tapped or pressed led to another page so soon that ChromeDriver couldn't look at the old one once more.
fn led_away(error: &WebDriverError) -> bool {
    error.to_string().contains("aborted by navigation")
}

impl Browser {
    /// Opens a path of the service, or a whole address.
    pub async fn open(&self, place: &str) {
        let address = self.origin.join(place).expect("an address");
        let opened = self.driver.goto(address.as_str()).await;
        opened.unwrap_or_else(|error| panic!("{}: {place}: {error}", self.name));
    }

    /// The text of the first element that fits, as it is read; `None` without such an element.
    async fn find_text(&self, css: &str) -> WebDriverResult<Option<String>> {
        let source = "return document.querySelector(arguments[0])?.innerText.trim() ?? null";
        let text = self.script(source, vec![json!(css)]).await?;
        Ok(text.as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")))
    }

    /// The text of the first element that fits.
    pub async fn text(&self, css: &str) -> String {
        self.until(css, async || self.find_text(css).await).await
    }

    /// Everything that the page says.
    pub async fn words(&self) -> String {
        self.text("body").await
    }

    /// Whether the page has such an element.
    pub async fn has(&self, css: &str) -> bool {
        self.until(css, async || Ok(Some(self.find_text(css).await?.is_some()))).await
    }

    /// Waits until the first element that fits has these words in it.
    pub async fn says(&self, css: &str, words: &str) {
        let what = format!("«{words}» at {css}");
        self.until(&what, async || Ok(self.find_text(css).await?.filter(|text| text.contains(words)))).await;
    }

    /// Waits until the page has this heading.
    pub async fn headed(&self, heading: &str) {
        let what = format!("the heading «{heading}»");
        self.until(&what, async || Ok(self.find_text("h1").await?.filter(|text| text == heading))).await;
    }

    /// Waits until the first element that fits is in sight.
    pub async fn shows(&self, css: &str) {
        let source = "const one = document.querySelector(arguments[0]);
            const { top, bottom } = one.getBoundingClientRect();
            return one.checkVisibility() && top >= 0 && bottom <= innerHeight";
        let seen = async || Ok((self.script(source, vec![json!(css)]).await? == true).then_some(()));
        self.until(&format!("{css} in sight"), seen).await;
    }

    /// Waits until the browser is at a path.
    pub async fn is_at(&self, path: &str) {
        let what = format!("the path {path}");
        self.until(&what, async || Ok((self.driver.current_url().await?.path() == path).then_some(()))).await;
    }

    /// Waits until such a control can be used.
    pub async fn is_ready(&self, css: &str) {
        let source = "return document.querySelector(arguments[0])?.disabled === false";
        let ready = async || Ok((self.script(source, vec![json!(css)]).await? == true).then_some(()));
        self.until(&format!("{css} in use"), ready).await;
    }

    /// Taps what a person sees there, as soon as it is there. It is brought to the middle first, as a thumb would
    /// scroll it.
    pub async fn tap(&self, css: &str) {
        let tapped = async || {
            self.script("document.querySelector(arguments[0])?.scrollIntoView({block: 'center'})", vec![json!(css)])
                .await?;
            match self.driver.find(By::Css(css)).await?.click().await {
                Ok(()) => Ok(Some(())),
                Err(error) if led_away(&error) => Ok(Some(())),
                // The page was just being replaced, or it doesn't show that yet: nothing was tapped.
                Err(error) if matches!(*error, StaleElementReference(_) | ElementNotInteractable(_)) => Ok(None),
                Err(error) => panic!("{}: {css} can't be tapped: {error}", self.name),
            }
        };
        self.until(&format!("{css} to tap"), tapped).await;
    }

    /// Writes into a field, in place of what is there.
    pub async fn write(&self, css: &str, text: &str) {
        // It begins with an empty field, so that doing it again on a page that has just come adds nothing.
        let written = async || {
            let field = self.driver.find(By::Css(css)).await?;
            field.clear().await?;
            field.send_keys(text).await?;
            Ok(Some(()))
        };
        self.until(&format!("{css} to write into"), written).await;
    }

    /// Waits until this element has the focus.
    pub async fn focuses(&self, css: &str) {
        let source = "return document.activeElement?.matches(arguments[0]) ?? false";
        let focused = async || Ok((self.script(source, vec![json!(css)]).await? == true).then_some(()));
        self.until(&format!("the focus on {css}"), focused).await;
    }

    /// Presses a key, wherever the focus is.
    pub async fn press(&self, key: Key) {
        match self.driver.action_chain().send_keys(key).perform().await {
            Err(error) if !led_away(&error) => panic!("{}: {error}", self.name),
            Ok(()) | Err(_) => {}
        }
    }

    /// Types, wherever the focus is.
    pub async fn types(&self, text: &str) {
        let typed = self.driver.action_chain().send_keys(text).perform().await;
        typed.unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Goes back to what had the focus before.
    pub async fn back_by_keyboard(&self) {
        let keys = self.driver.action_chain().key_down(Key::Shift).send_keys(Key::Tab).key_up(Key::Shift);
        keys.perform().await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// From now on every request is half a second on its way.
    pub async fn on_a_slow_line(&self) {
        let line = json!({"offline": false, "latency": 500, "downloadThroughput": -1, "uploadThroughput": -1});
        self.devtools("Network.emulateNetworkConditions", line).await;
    }

    /// Lets pages run scripts, from the next page on.
    pub async fn scripts(&self, scripts: Scripts) {
        let off = scripts == Scripts::Off;
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": off})).await;
    }

    /// Says how the next questions for finger, face or PIN end.
    pub async fn owner(&self, owner: Owner) {
        let verified = owner == Owner::Verified;
        let parameters = json!({"authenticatorId": self.authenticator, "isUserVerified": verified});
        self.devtools("WebAuthn.setUserVerified", parameters).await;
    }

    /// The passkeys of this browser, private keys too.
    pub async fn passkeys(&self) -> Vec<Value> {
        let found = self.devtools("WebAuthn.getCredentials", json!({"authenticatorId": self.authenticator})).await;
        chromium::list(&found, "credentials").to_vec()
    }

    /// Gives this browser a copy of a passkey.
    pub async fn add_passkey(&self, passkey: &Value) {
        let parameters = json!({"authenticatorId": self.authenticator, "credential": passkey});
        self.devtools("WebAuthn.addCredential", parameters).await;
    }

    /// The cookies that the service left here.
    pub async fn cookies(&self) -> Vec<Value> {
        let found = self.devtools("Network.getCookies", json!({"urls": [self.origin.as_str()]})).await;
        chromium::list(&found, "cookies").to_vec()
    }

    /// Gives this browser a copy of a cookie.
    pub async fn add_cookie(&self, cookie: &Value) {
        let copy = json!({
            "url": self.origin.as_str(), "name": cookie["name"], "value": cookie["value"], "path": "/", "httpOnly": true,
        });
        self.devtools("Network.setCookie", copy).await;
    }

    /// Throws every cookie away.
    pub async fn forget_cookies(&self) {
        self.devtools("Network.clearBrowserCookies", json!({})).await;
    }

    /// Throws the key store away, and nothing else.
    pub async fn forget_keys(&self) {
        let origin = self.origin.origin().ascii_serialization();
        self.devtools("Storage.clearDataForOrigin", json!({"origin": origin, "storageTypes": "indexeddb"})).await;
    }

    /// Opens a place in a second tab, runs `work` with it in front, and goes back to the first. Both stay open.
    pub async fn in_second_tab(&self, place: &str, work: impl AsyncFnOnce()) {
        let first = self.driver.window().await.expect("a window");
        let second = self.driver.new_tab().await.expect("a second tab");
        self.driver.switch_to_window(second).await.expect("the second tab");
        self.open(place).await;
        work().await;
        self.driver.switch_to_window(first).await.expect("the first tab");
    }
}
