//! One person's browser at the console: a passkey, a cookie, and requests as a browser sends them.

use std::net::SocketAddr;
use std::time::Duration;

use countersign::authenticator::{SoftAuthenticator, Tamper};
use countersign::domain::ids::StaffId;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::stage::Stage;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub text: String,
    pub location: Option<String>,
    pub cookie: Option<String>,
    pub headers: reqwest::header::HeaderMap,
}

impl Reply {
    /// The JSON of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The last part of a problem's type.
    pub fn slug(&self) -> String {
        let body: Value = serde_json::from_str(&self.text).unwrap_or(Value::Null);
        body["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn between(&self, before: &str, after: &str) -> String {
        let found = self.text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
        found.unwrap_or_else(|| panic!("{before} isn't in {}", self.text)).0.to_owned()
    }
}

pub fn client(console: &Url, at: SocketAddr) -> reqwest::Client {
    #[expect(clippy::disallowed_methods, reason = "a browser is another program, with a client of its own")]
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .resolve(console.host_str().unwrap(), at)
        .build();
    client.unwrap()
}

pub struct Desk {
    client: reqwest::Client,
    pub origin: Url,
    pub authenticator: SoftAuthenticator,
    /// The session's cookie, with its name.
    pub cookie: Option<String>,
    pub staff: Option<StaffId>,
}

impl Desk {
    pub fn new(stage: &Stage) -> Self {
        Self {
            client: client(&stage.console_url, stage.console),
            origin: stage.console_url.clone(),
            authenticator: SoftAuthenticator::device_bound(),
            cookie: None,
            staff: None,
        }
    }

    pub fn id(&self) -> StaffId {
        self.staff.expect("somebody who joined")
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = self.origin.join(path).unwrap();
        let mut request = self.client.request(method.parse().unwrap(), url);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (location, set) = (header("location"), header("set-cookie"));
        let cookie = set.map(|set| set.split(';').next().unwrap_or_default().to_owned());
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Reply { status, location, cookie, headers, text: answer.text().await.unwrap() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request("GET", path).header("accept", "text/html")).await
    }

    /// A script's request from our own page.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = self.request("POST", path).header("sec-fetch-site", "same-origin");
        self.send(request.header("origin", self.origin.origin().ascii_serialization()).json(body)).await
    }

    /// A form's request from our own page.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.request("POST", path).header("sec-fetch-site", "same-origin");
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    /// The same, by somebody who waits for a page.
    pub async fn form_for_a_page(&self, path: &str) -> Reply {
        let request = self.request("POST", path).header("sec-fetch-site", "same-origin").header("accept", "text/html");
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body("")).await
    }

    /// A request of another site's page, with this browser's cookie.
    pub async fn act_elsewhere(&self, path: &str, headers: &[(&'static str, &'static str)]) -> Reply {
        let request =
            headers.iter().fold(self.request("POST", path), |request, (name, value)| request.header(*name, *value));
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body("")).await
    }

    /// A request with a bearer token and JSON.
    pub async fn scim(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Reply {
        let mut request = self.request(method, path).bearer_auth(token).header("content-type", "application/scim+json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        self.send(request).await
    }

    /// Makes a passkey on an invite.
    pub async fn join(&mut self, link: &str, code: Option<&str>) {
        let joined = self.try_to_join(link, code).await;
        let body = joined.expect(200);
        self.staff = Some(body["staff_id"].as_str().unwrap().parse().unwrap());
    }

    /// As far as it goes.
    pub async fn try_to_join(&mut self, link: &str, code: Option<&str>) -> Reply {
        let path = link.parse::<Url>().unwrap().path().to_owned();
        let making = self.post(&format!("{path}/start"), &json!({"code": code})).await;
        if making.status != 200 {
            return making;
        }
        let making = making.expect(200);
        let registration = self.authenticator.create(&making["options"], &self.origin).unwrap();
        let proving = self
            .post(&format!("{path}/prove"), &json!({"sealed": making["sealed"], "registration": registration}))
            .await;
        if proving.status != 200 {
            return proving;
        }
        let proving = proving.expect(200);
        let assertion = self.authenticator.get(&proving["options"], &self.origin).unwrap();
        self.post(&format!("{path}/finish"), &json!({"sealed": proving["sealed"], "assertion": assertion})).await
    }

    /// Signs in, and keeps the cookie when it works.
    pub async fn sign_in(&mut self) -> Reply {
        self.sign_in_with(&Tamper::default()).await
    }

    pub async fn sign_in_with(&mut self, tamper: &Tamper) -> Reply {
        let body = self.sign_in_body(tamper).await;
        self.finish_sign_in(&body).await
    }

    /// The body that would sign in.
    pub async fn sign_in_body(&mut self, tamper: &Tamper) -> Value {
        let asked = self.post("/sign-in/start", &json!({})).await.expect(200);
        let assertion = self.authenticator.get_tampered(&asked["options"], &self.origin, tamper).unwrap();
        json!({"sealed": asked["sealed"], "assertion": assertion})
    }

    pub async fn finish_sign_in(&mut self, body: &Value) -> Reply {
        let entered = self.post("/sign-in/finish", body).await;
        if entered.status == 200 {
            self.cookie.clone_from(&entered.cookie);
        }
        entered
    }

    /// Asks for a prompt, signs it, and stores the signature.
    pub async fn signed(&mut self, prompt: &str, body: &Value, store: &str) -> Reply {
        let asked = self.post(prompt, body).await;
        if asked.status != 200 {
            return asked;
        }
        let signed = self.answer(&asked.expect(200));
        self.post(store, &signed).await
    }

    /// The signed answer to a prompt.
    pub fn answer(&mut self, asked: &Value) -> Value {
        let assertion = self.authenticator.get(&asked["options"], &self.origin).unwrap();
        json!({"sealed": asked["sealed"], "assertion": assertion})
    }
}
