//! The bodies that somebody signs: a prompt is asked for as a page's script asks, and answered with the right keys.

use countersign::authenticator::{SoftAuthenticator, SoftBrowser, Tamper};
use countersign::domain::details::Digest;
use countersign::domain::device::Blob;
use countersign::domain::linking::DEVICE_KEY_LIFT;
use countersign::service::{Browser, lift, prompt};
use serde_json::{Value, json};

use super::expected::Kind;
use super::requests::Body;
use super::world::World;
use crate::bribed::cast::CHECKED;

impl World {
    /// What is right to send there, for the routes that ask for a signature, or for what came before one.
    pub async fn signed(&mut self, path: &str) -> Option<Value> {
        Some(match path {
            "/a/{approval}/prompt" => self.ask_to_decide(),
            "/a/{approval}/approve" => {
                let ask = self.ask_to_decide();
                let begun = self.told("public", &format!("/a/{}/prompt", self.approval), ask, "device").await;
                self.phone.approve_body(&begun).unwrap()
            }
            "/lock/prompt" => self.ask_to_lift().await,
            "/lock/lift" => {
                let ask = self.ask_to_lift().await;
                let begun = self.told("public", "/lock/prompt", ask, "device of another").await;
                let challenge: Blob = serde_json::from_value(begun["challenge"].clone()).unwrap();
                let mut body = self.other_phone.approve_body(&begun).unwrap();
                body["signature"] = json!(self.other_phone.key.sign(DEVICE_KEY_LIFT, &challenge.0).unwrap());
                body
            }
            "/w/{token}/open" => {
                let page = prompt::page_token(&self.cast.stage.cx, self.approval.parse().unwrap());
                self.browser().wait_body(&page).unwrap()
            }
            "/e/{token}/prove" => self.new_device(&mut self.browser()).await,
            "/e/{token}/finish" => {
                let mut browser = self.browser();
                let made = self.new_device(&mut browser).await;
                let begun = self.told("public", &self.link("/e/{token}/prove", Kind::Enrol), made, "anonymous").await;
                browser.finish_body(&begun).unwrap()
            }
            "/join/{token}/prove" => self.new_passkey(&mut SoftAuthenticator::device_bound()).await,
            "/join/{token}/finish" => {
                let mut authenticator = SoftAuthenticator::device_bound();
                let made = self.new_passkey(&mut authenticator).await;
                let to = self.link("/join/{token}/prove", Kind::Invite);
                let begun = self.told("console", &to, made, "anonymous").await;
                let assertion = authenticator.get(&begun["options"], &self.admin.origin).unwrap();
                json!({"sealed": begun["sealed"], "assertion": assertion})
            }
            "/sign-in/finish" => self.admin.sign_in_body(&Tamper::default()).await,
            _ => return self.signed_by_staff(path).await,
        })
    }

    /// What the one who may sign did sign: everybody tries with it.
    async fn signed_by_staff(&mut self, path: &str) -> Option<Value> {
        let (case, change) = (format!("/cases/{}", self.case), format!("/staff/changes/{}", self.change));
        let draft = self.cast.stage.form("Max Roe", "support", "Teleplus", &["agent"]);
        let (desk, prompt, said) = match path {
            "/cases/{case}/sign" => {
                (&mut self.cast.signers[self.drawn.0], format!("{case}/prompt"), json!({"checked": CHECKED}))
            }
            "/staff/propose" => (&mut self.admin, "/staff/draft".to_owned(), draft),
            "/staff/changes/{change}/sign" => (&mut self.admin, format!("{change}/prompt"), json!({})),
            _ => return None,
        };
        let asked = desk.post(&prompt, &said).await.expect(200);
        Some(desk.answer(&asked))
    }

    /// A browser that nobody knows yet.
    fn browser(&self) -> SoftBrowser {
        SoftBrowser::new(self.phone.origin.clone(), SoftAuthenticator::device_bound()).unwrap()
    }

    fn ask_to_decide(&self) -> Value {
        let page = prompt::page_token(&self.cast.stage.cx, self.approval.parse().unwrap());
        self.phone.prompt_body(&page).unwrap()
    }

    async fn ask_to_lift(&self) -> Value {
        let browser = Browser { cookie: Some(Digest::of(b"cookie-of-u-2")), mark: None };
        let page = lift::page(&self.cast.stage.cx, &browser).await.unwrap();
        self.other_phone.prompt_body(&page.page_token).unwrap()
    }

    /// A device that gave its code and made its passkey.
    async fn new_device(&self, browser: &mut SoftBrowser) -> Value {
        let start = browser.start_body(&self.enrol_code, "Telephone");
        let begun = self.told("public", &self.link("/e/{token}/start", Kind::Enrol), start, "anonymous").await;
        browser.prove_body(&begun).unwrap()
    }

    /// A further holder's device, by this name, to the end.
    pub async fn enrols(&mut self, name: &str) {
        self.new_enrolment().await;
        let mut browser = self.browser();
        let mut asked = browser.start_body(&self.enrol_code, name);
        for step in ["/e/{token}/start", "/e/{token}/prove", "/e/{token}/finish"] {
            let begun = self.told("public", &self.link(step, Kind::Enrol), asked, "anonymous").await;
            asked = match step {
                "/e/{token}/start" => browser.prove_body(&begun).unwrap(),
                "/e/{token}/prove" => browser.finish_body(&begun).unwrap(),
                _ => return,
            };
        }
    }

    async fn new_passkey(&self, authenticator: &mut SoftAuthenticator) -> Value {
        let (to, code) = (self.link("/join/{token}/start", Kind::Invite), json!({"code": self.invite_code}));
        let begun = self.told("console", &to, code, "anonymous").await;
        let registration = authenticator.create(&begun["options"], &self.admin.origin).unwrap();
        json!({"sealed": begun["sealed"], "registration": registration})
    }

    /// What a step before answers, which has to succeed.
    pub async fn told(&self, listener: &str, address: &str, body: Value, by: &str) -> Value {
        let (status, text) = self.ask(listener, "POST", address, &Body::Json(body), &self.caller(by)).await;
        assert_eq!(status, 200, "{address}: {}", self.hide(&text));
        serde_json::from_str(&text).unwrap()
    }
}
