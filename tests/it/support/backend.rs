//! A backend's side of the JSON API: what a bank would send, over HTTP, with an API key. It knows the API as its
//! documents tell it and none of the service's types.

use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use url::Url;

use super::app::TestApp;
use super::contract;

/// Longer than the longest poll that is asked for here.
const PATIENCE: Duration = Duration::from_secs(45);
/// Seconds of one long poll.
const WAIT: u32 = 10;
/// Long polls until a test gives up on a state; each ends with the next version, at the latest after [`WAIT`].
const POLLS: u32 = 10;

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// `null` for an answer without a body.
    pub body: Value,
}

impl Reply {
    /// The last part of a problem's `type`, and the empty text for anything else.
    pub fn slug(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default()
    }

    /// The body of an answer with this status; panics with the whole answer when it has another.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

/// An API key and where to use it.
#[derive(Debug, Clone)]
pub struct Backend {
    client: reqwest::Client,
    origin: Url,
    secret: String,
}

impl Backend {
    /// The backend that a test's service begins with; its key has every scope.
    pub fn of(app: &TestApp) -> Self {
        Self::new(app.url.clone(), &app.secret)
    }

    /// A backend with this key. Several may share an origin, and one may speak to several nodes.
    pub fn new(origin: Url, secret: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a backend is another program, with a client of its own")]
        let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("an HTTP client");
        Self { client, origin, secret: secret.to_owned() }
    }

    /// An `Idempotency-Key` that nobody else in this process has.
    pub fn fresh_key() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends any request of the API, and holds the answer against the document.
    pub async fn send(&self, name: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Reply {
        let method = name.parse().expect("a method");
        let mut request =
            self.client.request(method, self.origin.join(path).expect("a path")).bearer_auth(&self.secret);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let text = response.text().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        // Health is asked with the same client, and isn't the API's.
        if contract::is_described(path) {
            contract::check_exchange(name, path, body, status, kind.as_deref(), &text);
        }
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| panic!("{path}: {status} and no JSON: {text}")),
        };
        Reply { status, body }
    }

    async fn create(&self, path: &str, body: Option<&Value>) -> Reply {
        self.send("POST", path, Some(&Self::fresh_key()), body).await
    }

    /// Creates a holder whose one channel is the demo inbox of this name.
    pub async fn holder(&self, subject: &str, inbox: &str) -> Value {
        let body = json!({"subject": subject, "channels": [{"kind": "inbox", "name": inbox}]});
        self.create("/v1/holders", Some(&body)).await.expect(201)
    }

    /// The holder with channels and devices.
    pub async fn read_holder(&self, subject: &str) -> Value {
        self.send("GET", &format!("/v1/holders/{subject}"), None, None).await.expect(200)
    }

    /// Asks for an enrolment link; the code goes out on a channel.
    pub async fn invite(&self, subject: &str) -> Reply {
        self.create(&format!("/v1/holders/{subject}/enrolments"), None).await
    }

    /// Flags a transfer.
    pub async fn request(&self, body: &Value) -> Reply {
        self.create("/v1/approvals", Some(body)).await
    }

    /// An approval as it stands.
    pub async fn read(&self, id: &str) -> Value {
        self.send("GET", &format!("/v1/approvals/{id}"), None, None).await.expect(200)
    }

    /// An approval once its version is above `seen`, or as it stands after ten seconds.
    pub async fn wait(&self, id: &str, seen: u64) -> Value {
        let path = format!("/v1/approvals/{id}?wait={WAIT}&version={seen}");
        self.send("GET", &path, None, None).await.expect(200)
    }

    /// Waits until an approval is in a state, by long polls.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        let mut view = self.read(id).await;
        for _ in 0..POLLS {
            if view["state"] == state {
                return view;
            }
            view = self.wait(id, view["version"].as_u64().unwrap_or_default()).await;
        }
        panic!("{id} never came to be {state}: {view}");
    }

    /// Stops an approval.
    pub async fn cancel(&self, id: &str) -> Reply {
        self.send("POST", &format!("/v1/approvals/{id}/cancel"), None, None).await
    }

    /// Takes a released approval, naming what is about to be executed.
    pub async fn redeem(&self, id: &str, digest: &str, key: &str) -> Reply {
        let body = json!({"digest": digest});
        self.send("POST", &format!("/v1/approvals/{id}/redeem"), Some(key), Some(&body)).await
    }
}

/// A flagged transfer of 12,500.00 EUR to Marta Nowak.
pub fn transfer(subject: &str, transfer_id: &str) -> Value {
    json!({
        "subject": subject,
        "transfer_id": transfer_id,
        "amount": "12500.00",
        "currency": "EUR",
        "payee": {"name": "Marta Nowak", "account": "PL61109010140000071219812874"},
        "payee_history": "new",
        "source_account": {"id": "acc-4471", "label": "Everyday account, ending 4471"},
        "reference": "Invoice 2231",
        "initiator": {"started_on": "website", "from": "a computer near Leeds"},
    })
}
