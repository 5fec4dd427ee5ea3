//! The holder's phone: a browser of its own with a passkey and a device key. It does what the scripts of the holder's
//! pages do, in the same order and with the same requests.

use anyhow::Context as _;
use serde_json::Value;
use url::Url;

use super::tab::{Shown, Tab};
use crate::authenticator::{SoftAuthenticator, SoftBrowser};

/// A phone.
pub struct Phone {
    pub tab: Tab,
    pub browser: SoftBrowser,
    countersign: Url,
}

impl Phone {
    /// A phone fresh from its box, with a passkey that can't leave it.
    ///
    /// # Errors
    /// When it has no key.
    pub fn new(countersign: &Url, http: reqwest::Client) -> anyhow::Result<Self> {
        let browser = SoftBrowser::new(countersign.clone(), SoftAuthenticator::device_bound())?;
        Ok(Self { tab: Tab::new(http), browser, countersign: countersign.clone() })
    }

    /// An address of Countersign's.
    ///
    /// # Errors
    /// When it can't be built.
    pub fn at(&self, path: &str) -> anyhow::Result<Url> {
        Ok(self.countersign.join(path)?)
    }

    /// Types the code on the page of an enrolment link.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn type_code(&mut self, link: &Url, code: &str) -> anyhow::Result<Shown> {
        let body = self.browser.start_body(code, "The demo’s phone");
        self.tab.json(&below(link, "start")?, &body).await
    }

    /// Goes the whole way of an enrolment, and gives the last answer.
    ///
    /// # Errors
    /// When a step is refused.
    pub async fn enrol(&mut self, link: &Url, code: &str) -> anyhow::Result<Shown> {
        let started = self.type_code(link, code).await?.json()?;
        let body = self.browser.prove_body(&started)?;
        let proving = self.tab.json(&below(link, "prove")?, &body).await?.json()?;
        let body = self.browser.finish_body(&proving)?;
        self.tab.json(&below(link, "finish")?, &body).await
    }

    /// Opens the page of an approval.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn look(&mut self, approval: &str) -> anyhow::Result<Shown> {
        let url = self.at(&format!("/a/{approval}"))?;
        self.tab.open(&url).await
    }

    /// Opens the page and asks for a prompt.
    ///
    /// # Errors
    /// When the page has no token, or no answer comes.
    pub async fn prompt(&mut self, approval: &str) -> anyhow::Result<Shown> {
        let page = self.look(approval).await?;
        let token = page.data("page-token")?.to_owned();
        self.prompt_with(approval, &token).await
    }

    /// Asks for a prompt with a page's token.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn prompt_with(&mut self, approval: &str, token: &str) -> anyhow::Result<Shown> {
        let body = self.browser.prompt_body(token)?;
        let url = self.at(&format!("/a/{approval}/prompt"))?;
        self.tab.json(&url, &body).await
    }

    /// Signs what a prompt asks.
    ///
    /// # Errors
    /// When the prompt was refused, or can't be signed.
    pub async fn sign(&mut self, approval: &str) -> anyhow::Result<Value> {
        let prompt = self.prompt(approval).await?.json()?;
        self.browser.approve_body(&prompt).context("the prompt can't be signed")
    }

    /// Sends a signed approval.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send(&mut self, approval: &str, signed: &Value) -> anyhow::Result<Shown> {
        let url = self.at(&format!("/a/{approval}/approve"))?;
        self.tab.json(&url, signed).await
    }

    /// Checks, signs and sends.
    ///
    /// # Errors
    /// When the prompt was refused.
    pub async fn approve(&mut self, approval: &str) -> anyhow::Result<Shown> {
        let signed = self.sign(approval).await?;
        self.send(approval, &signed).await
    }

    /// «Don't send it», or Stop in the hold: plain forms.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn tap(&mut self, approval: &str, button: Button) -> anyhow::Result<Shown> {
        let verb = match button {
            Button::Reject => "reject",
            Button::Stop => "cancel",
        };
        let url = self.at(&format!("/a/{approval}/{verb}"))?;
        self.tab.form(&url, &[]).await
    }
}

/// The brake of a device page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    Reject,
    Stop,
}

/// An address below a link's own.
///
/// # Errors
/// When it can't be built.
pub fn below(link: &Url, verb: &str) -> anyhow::Result<Url> {
    Ok(link.join(&format!("{}/{verb}", link.path()))?)
}
