//! A holder's phone: a browser with cookies, a passkey and a device key, which sends what the pages' scripts send.

use std::collections::BTreeMap;

use countersign::authenticator::{SoftAuthenticator, SoftBrowser};
use serde_json::Value;
use url::Url;

use super::gateway::{Answer, Gateway};

/// The cookies of one browser.
#[derive(Debug, Default)]
pub struct Cookies(BTreeMap<String, String>);

impl Cookies {
    pub fn header(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    pub fn keep(&mut self, answer: &Answer) {
        self.0.extend(answer.cookies.iter().cloned());
    }
}

pub struct Phone {
    gateway: Gateway,
    soft: SoftBrowser,
    cookies: Cookies,
}

impl Phone {
    /// A phone that goes the whole way of an enrolment.
    pub async fn enrolled(gateway: &Gateway, link: &Url, code: &str) -> Self {
        let origin: Url = gateway.origin().parse().expect("a URL");
        let soft = SoftBrowser::new(origin, SoftAuthenticator::device_bound()).expect("a browser with a key");
        let mut phone = Self { gateway: gateway.clone(), soft, cookies: Cookies::default() };
        let below = |verb: &str| format!("{}/{verb}", link.path());
        let body = phone.soft.start_body(code, "Priya’s Pixel");
        let started = phone.send(&below("start"), Some(&body)).await.expect(200);
        let body = phone.soft.prove_body(&started).expect("a passkey");
        let proving = phone.send(&below("prove"), Some(&body)).await.expect(200);
        let body = phone.soft.finish_body(&proving).expect("two signatures");
        let finished = phone.send(&below("finish"), Some(&body)).await;
        finished.expect(200);
        phone.cookies.keep(&finished);
        phone
    }

    pub fn cookies(&self) -> String {
        self.cookies.header()
    }

    /// Opens the page of an approval.
    pub async fn look(&self, id: &str) -> Answer {
        self.gateway.open(&format!("/a/{id}"), &self.cookies.header()).await
    }

    /// Asks for a prompt with the page's token; signs it and sends it if there is one. Gives the last answer.
    pub async fn approve(&mut self, id: &str, page_token: &str) -> Answer {
        let body = self.soft.prompt_body(page_token).expect("a signature");
        let prompt = self.send(&format!("/a/{id}/prompt"), Some(&body)).await;
        if prompt.status != 200 {
            return prompt;
        }
        let signed = self.sign(&prompt.json());
        self.send(&format!("/a/{id}/approve"), Some(&signed)).await
    }

    /// A button of the page: a plain form.
    pub async fn press(&self, id: &str, verb: &str) -> Answer {
        self.send(&format!("/a/{id}/{verb}"), None).await
    }

    fn sign(&mut self, prompt: &Value) -> Value {
        self.soft.approve_body(prompt).expect("two signatures")
    }

    async fn send(&self, path: &str, body: Option<&Value>) -> Answer {
        self.gateway.post(path, &self.cookies.header(), body).await
    }
}
