//! A browser without a window: it keeps its own cookies, host by host, as browsers do, sends what they send, and reads
//! from pages what their scripts read.

use anyhow::Context as _;
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;
use url::form_urlencoded::Serializer;

/// One browser.
pub struct Tab {
    http: reqwest::Client,
    /// Host → name → value. Ports don't separate cookies (RFC 6265 section 8.5), so the demo's servers have two hosts.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Shown {
    pub status: u16,
    pub location: Option<Url>,
    pub text: String,
}

impl Shown {
    /// The status, and the name of the problem if there is one: «403 not-distinct».
    pub fn verdict(&self) -> String {
        let problem: Option<Value> = serde_json::from_str(&self.text).ok();
        let kind = problem.as_ref().and_then(|problem| problem.get("type")?.as_str());
        match kind.and_then(|kind| kind.rsplit('/').next()) {
            Some(slug) => format!("{} {slug}", self.status),
            None => self.status.to_string(),
        }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it isn't any.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("{} instead of an answer", self.verdict()))
    }

    /// A `data-` attribute of the page, by which its scripts get their values.
    ///
    /// # Errors
    /// When the page has none of that name.
    pub fn data(&self, name: &str) -> anyhow::Result<&str> {
        let (_, rest) = self
            .text
            .split_once(&format!("data-{name}=\""))
            .with_context(|| format!("the page ({}) has no data-{name}", self.status))?;
        rest.split_once('"').map(|(value, _)| value).context("an attribute without an end")
    }
}

impl Tab {
    pub const fn new(http: reqwest::Client) -> Self {
        Self { http, cookies: BTreeMap::new() }
    }

    /// Opens a page.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn open(&mut self, url: &Url) -> anyhow::Result<Shown> {
        let request = self.http.request(Method::GET, url.clone()).header("sec-fetch-site", "none");
        self.send(url, request).await
    }

    /// Sends a form of a page of the same site.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn form(&mut self, url: &Url, fields: &[(&str, &str)]) -> anyhow::Result<Shown> {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        self.send(url, request).await
    }

    /// What a page's script sends.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn json(&mut self, url: &Url, body: &Value) -> anyhow::Result<Shown> {
        let request = self.post(url).json(body);
        self.send(url, request).await
    }

    fn post(&self, url: &Url) -> RequestBuilder {
        let origin = url.origin().ascii_serialization();
        self.http.request(Method::POST, url.clone()).header(ORIGIN, origin).header("sec-fetch-site", "same-origin")
    }

    async fn send(&mut self, url: &Url, mut request: RequestBuilder) -> anyhow::Result<Shown> {
        let host = url.host_str().unwrap_or_default().to_owned();
        if let Some(cookies) = self.cookies.get(&host) {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        let answer = request.send().await.with_context(|| format!("no answer from {}", url.path()))?;
        for line in answer.headers().get_all(SET_COOKIE) {
            let pair = line.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.entry(host.clone()).or_default().insert(name.to_owned(), value.to_owned());
            }
        }
        let location = answer.headers().get(LOCATION).map(|to| url.join(to.to_str()?).map_err(anyhow::Error::from));
        Ok(Shown { status: answer.status().as_u16(), location: location.transpose()?, text: answer.text().await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: u16, text: &str) -> Shown {
        Shown { status, location: None, text: text.into() }
    }

    #[test]
    fn a_problem_is_named_and_a_page_is_not() {
        let problem = shown(403, r#"{"type":"https://countersign.dev/problems/not-distinct","title":"x"}"#);
        assert_eq!(problem.verdict(), "403 not-distinct");
        assert_eq!(shown(200, "<!doctype html>").verdict(), "200");
        assert_eq!(shown(200, r#"{"ok":true}"#).verdict(), "200");
    }

    #[test]
    fn pages_give_their_scripts_values() {
        let page = shown(200, r#"<body data-base="/a/x" data-page-token="abc_-">"#);
        assert_eq!(page.data("page-token").unwrap(), "abc_-");
        assert!(page.data("thumbprint").is_err());
    }
}
