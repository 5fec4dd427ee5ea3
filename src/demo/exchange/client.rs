//! The exchange's side of Countersign's API: the requests that a backend makes, over HTTP, with its key.
//!
//! Written as a customer would write it: plain JSON and the documented names, none of Countersign's own types. May
//! import: reqwest, serde_json.

use jsonwebtoken::jwk::JwkSet;
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt;
use url::Url;

/// A backend with its API key.
pub struct Client {
    base: Url,
    key: String,
    http: reqwest::Client,
}

/// An approval as the exchange reads it; what else is in the answer is passed over.
#[derive(Debug, Clone, Deserialize)]
pub struct Approval {
    pub id: String,
    pub version: u32,
    pub state: String,
    pub reason: Option<String>,
    pub digest: String,
    pub details: Value,
    pub waiting_url: Option<Url>,
    pub cooling_until: Option<String>,
}

/// A link for a holder's first device.
#[derive(Debug, Clone, Deserialize)]
pub struct Enrolment {
    pub url: Url,
    pub qr_svg: String,
}

/// A holder's device, as far as the exchange sees it.
#[derive(Debug, Clone, Deserialize)]
pub struct Holder {
    pub enrolled_at: Option<String>,
}

#[derive(Deserialize)]
struct Endpoint {
    secret: String,
}

/// A problem document (RFC 9457), reduced to what the exchange acts on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    pub status: u16,
    #[serde(rename = "type")]
    kind: String,
    pub title: String,
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    pub errors: Vec<FieldError>,
}

/// One field that the API refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl Problem {
    /// The last part of `type`: the stable name of the problem.
    pub fn slug(&self) -> &str {
        self.kind.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.slug())
    }
}

/// Why a request gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Whether it was done isn't known. Repeating it with the same key is safe.
    #[error("no answer came")]
    NoAnswer(#[source] reqwest::Error),
    #[error("{0}")]
    Refused(Problem),
    #[error("the answer ({status}) can't be read")]
    Unreadable {
        status: u16,
        #[source]
        source: serde_json::Error,
    },
    #[error("the address can't be built")]
    Address(#[source] url::ParseError),
}

impl ClientError {
    /// The problem, if the API answered with one.
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::NoAnswer(_) | Self::Unreadable { .. } | Self::Address(_) => None,
        }
    }
}

impl Client {
    pub const fn new(base: Url, key: String, http: reqwest::Client) -> Self {
        Self { base, key, http }
    }

    /// Names a holder and the one channel on which they are known: the demo's inbox.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_holder(&self, subject: &str, inbox: &str) -> Result<Holder, ClientError> {
        let body = json!({"subject": subject, "channels": [{"kind": "inbox", "name": inbox}]});
        self.send(Method::POST, "/v1/holders", Some(&format!("holder-{subject}")), Some(body)).await
    }

    /// Reads a holder.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn holder(&self, subject: &str) -> Result<Holder, ClientError> {
        self.send(Method::GET, &format!("/v1/holders/{subject}"), None, None).await
    }

    /// Asks for an enrolment link. A new `key` gives a new link.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn enrolment(&self, subject: &str, key: &str) -> Result<Enrolment, ClientError> {
        self.send(Method::POST, &format!("/v1/holders/{subject}/enrolments"), Some(key), None).await
    }

    /// Puts a transfer up for approval.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn open(&self, key: &str, request: Value) -> Result<Approval, ClientError> {
        self.send(Method::POST, "/v1/approvals", Some(key), Some(request)).await
    }

    /// Reads an approval.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approval(&self, id: &str) -> Result<Approval, ClientError> {
        self.send(Method::GET, &format!("/v1/approvals/{id}"), None, None).await
    }

    /// Cancels.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel(&self, id: &str) -> Result<Approval, ClientError> {
        self.send(Method::POST, &format!("/v1/approvals/{id}/cancel"), None, None).await
    }

    /// Takes a released transfer, naming the digest that is about to be executed, and gets the receipt.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn redeem(&self, id: &str, digest: &str, key: &str) -> Result<String, ClientError> {
        #[derive(Deserialize)]
        struct Redeemed {
            receipt: String,
        }
        let body = json!({"digest": digest});
        let path = format!("/v1/approvals/{id}/redeem");
        let redeemed: Redeemed = self.send(Method::POST, &path, Some(key), Some(body)).await?;
        Ok(redeemed.receipt)
    }

    /// Registers the place that takes webhooks, and gives the secret that signs them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_endpoint(&self, url: &Url) -> Result<String, ClientError> {
        let body = json!({"url": url});
        let endpoint: Endpoint =
            self.send(Method::POST, "/v1/webhooks/endpoints", Some("the-only-endpoint"), Some(body)).await?;
        Ok(endpoint.secret)
    }

    /// The keys that sign receipts.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn key_set(&self) -> Result<JwkSet, ClientError> {
        self.send(Method::GET, "/.well-known/jwks.json", None, None).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Result<T, ClientError> {
        let url = self.base.join(path).map_err(ClientError::Address)?;
        let mut request = self.http.request(method, url).bearer_auth(&self.key);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(ClientError::NoAnswer)?;
        let (status, good) = (answer.status().as_u16(), answer.status().is_success());
        let bytes = answer.bytes().await.map_err(ClientError::NoAnswer)?;
        let unreadable = |source| ClientError::Unreadable { status, source };
        if good {
            serde_json::from_slice(&bytes).map_err(unreadable)
        } else {
            Err(ClientError::Refused(serde_json::from_slice(&bytes).map_err(unreadable)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_known_by_the_end_of_its_type() {
        let text = r#"{"type":"https://countersign.dev/problems/digest-mismatch","title":"Something else was approved",
            "status":422,"detail":"x","request_id":"y"}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!(problem.to_string(), "422 digest-mismatch");
    }
}
