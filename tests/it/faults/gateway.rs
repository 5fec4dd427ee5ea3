//! The way in: sends a request to one node after another until one answers, as a load balancer and a patient client
//! together do. It tells its caller whether an earlier try may have done something.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::support::contract;

/// Longest that no node answers before a test gives up: far longer than any fault here lasts.
const PATIENCE: Duration = Duration::from_secs(45);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    pub cookies: Vec<(String, String)>,
    /// Whether an earlier try of the same request may have taken effect: it was sent and no answer came, or the answer
    /// was that nobody knows. A 503 that says that nothing was changed isn't one.
    pub is_repeat: bool,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} and no JSON: {}", self.status, self.text))
    }

    /// The body of an answer with this status; panics with the whole answer when it has another.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The name of the problem, and the empty text for anything else.
    pub fn slug(&self) -> String {
        let problem: Option<Value> = serde_json::from_str(&self.text).ok();
        let kind = problem.as_ref().and_then(|problem| problem.get("type")?.as_str());
        kind.and_then(|kind| kind.rsplit('/').next()).unwrap_or_default().to_owned()
    }

    /// A `data-` attribute of a page.
    pub fn data(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("data-{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }
}

/// A way to all nodes, cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    client: Client,
    origin: Arc<str>,
    ports: Arc<[u16]>,
    secret: Arc<str>,
    turn: Arc<AtomicUsize>,
    answered: Arc<AtomicU64>,
}

impl Gateway {
    /// A way to the nodes at these ports, which are all one origin for a browser.
    pub fn new(origin: &str, ports: Vec<u16>, secret: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "these are programs outside of Countersign")]
        let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(ANSWER);
        Self {
            client: builder.build().expect("an HTTP client"),
            origin: origin.into(),
            ports: ports.into(),
            secret: secret.into(),
            turn: Arc::default(),
            answered: Arc::default(),
        }
    }

    /// The origin of the pages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many requests have been answered with success so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// A request of the backend.
    pub async fn api(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
        let method: Method = method.parse().expect("a method");
        let dress = |request: RequestBuilder| {
            let request = request.bearer_auth(&self.secret);
            let request = match key {
                Some(key) => request.header("idempotency-key", key),
                None => request,
            };
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        self.send(&method, path, dress).await
    }

    /// A browser opens a page.
    pub async fn open(&self, path: &str, cookies: &str) -> Answer {
        let dress = |request: RequestBuilder| request.header(COOKIE, cookies).header("sec-fetch-site", "none");
        self.send(&Method::GET, path, dress).await
    }

    /// A page's script sends JSON, or a page's form sends nothing.
    pub async fn post(&self, path: &str, cookies: &str, body: Option<&Value>) -> Answer {
        let dress = |request: RequestBuilder| {
            let request = request.header(COOKIE, cookies).header(ORIGIN, &*self.origin);
            let request = request.header("sec-fetch-site", "same-origin");
            match body {
                Some(body) => request.json(body),
                None => request.header("content-type", "application/x-www-form-urlencoded"),
            }
        };
        self.send(&Method::POST, path, dress).await
    }

    async fn send(&self, method: &Method, path: &str, dress: impl Fn(RequestBuilder) -> RequestBuilder) -> Answer {
        let began = Instant::now();
        let mut is_repeat = false;
        let mut last;
        loop {
            let port = self.ports[self.turn.fetch_add(1, Ordering::Relaxed) % self.ports.len()];
            let request = self.client.request(method.clone(), format!("http://127.0.0.1:{port}{path}"));
            match take(dress(request), method, path).await {
                Ok(answer) if answer.status == 503 => {
                    // Only a script and a backend are told whether something may have been done.
                    is_repeat |= answer.slug() != "unavailable" && method != Method::GET;
                    last = answer.text;
                }
                Ok(answer) => {
                    assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.text);
                    if answer.status < 400 {
                        self.answered.fetch_add(1, Ordering::Relaxed);
                    }
                    return Answer { is_repeat, ..answer };
                }
                Err(error) => {
                    is_repeat |= !error.is_connect();
                    last = format!("{error:?}");
                }
            }
            assert!(began.elapsed() < PATIENCE, "{method} {path}: no node answers; the last said: {last}");
            sleep(PAUSE).await;
        }
    }
}

async fn take(request: RequestBuilder, method: &Method, path: &str) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let pair = |line: &reqwest::header::HeaderValue| {
        let pair = line.to_str().ok()?.split(';').next()?;
        pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let cookies = response.headers().get_all(SET_COOKIE).iter().filter_map(pair).collect();
    let status = response.status().as_u16();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let text = response.text().await?;
    if contract::is_described(path) {
        contract::check_exchange(method.as_str(), path, None, status, kind.as_deref(), &text);
    }
    Ok(Answer { status, cookies, text, is_repeat: false })
}
