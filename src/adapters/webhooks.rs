//! Signs webhooks as Standard Webhooks 1.0 says and posts them through the outbound guard.
//!
//! May import: `ports`, and the guard. When a message is tried again is the outbox worker's business.

use async_trait::async_trait;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use data_encoding::BASE64;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

use super::outbound::{Audience, Outbound};
use crate::ports::outward::{WebhookAnswer, WebhookMessage, WebhookSender};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Sends webhooks.
pub struct Webhooks {
    outbound: Arc<Outbound>,
}

impl Webhooks {
    pub const fn new(outbound: Arc<Outbound>) -> Self {
        Self { outbound }
    }
}

#[async_trait]
impl WebhookSender for Webhooks {
    async fn post(&self, message: WebhookMessage<'_>) -> WebhookAnswer {
        let Some(headers) = headers(&message) else { return WebhookAnswer::Failed("other") };
        let body = message.body.as_bytes().to_vec();
        match self.outbound.post(Audience::Backend, message.url, headers, body).await {
            Ok(status) => WebhookAnswer::Status(status.as_u16()),
            Err(error) => WebhookAnswer::Failed(error.as_str()),
        }
    }
}

/// `None` for a message that can't be signed: one without a secret, or with an id that the signed text couldn't tell
/// from the timestamp after it. Neither may go out.
fn headers(message: &WebhookMessage<'_>) -> Option<HeaderMap> {
    if message.secrets.is_empty() || message.id.is_empty() || message.id.contains('.') {
        return None;
    }
    let seconds = message.at.seconds();
    let signed = format!("{}.{seconds}.{}", message.id, message.body);
    let signatures: Vec<String> = message.secrets.iter().map(|secret| signature(secret, &signed)).collect();
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ID, HeaderValue::from_str(message.id).ok()?);
    headers.insert(TIMESTAMP, HeaderValue::from(seconds));
    headers.insert(SIGNATURE, HeaderValue::from_str(&signatures.join(" ")).ok()?);
    Some(headers)
}

/// `v1,` and base64 of HMAC-SHA256 (Standard Webhooks 1.0, "Signature scheme", symmetric).
fn signature(secret: &[u8], signed: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, secret), signed.as_bytes());
    format!("v1,{}", BASE64.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::domain::webhook_secret::WebhookSecret;

    /// The example that the Standard Webhooks libraries share in their tests.
    #[test]
    fn signs_the_standards_own_example() {
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let message = WebhookMessage {
            url: &"https://backend.example/hooks".parse().unwrap(),
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at: Timestamp::from_micros(1_614_265_330_000_000),
            body: r#"{"test": 2432232314}"#,
            secrets: &[secret.bytes().to_vec()],
        };
        let headers = headers(&message).unwrap();
        assert_eq!(headers[&ID], "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(headers[&TIMESTAMP], "1614265330");
        assert_eq!(headers[&SIGNATURE], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn nothing_goes_out_unsigned() {
        let url = "https://backend.example/hooks".parse().unwrap();
        let message = |id, secrets| WebhookMessage { url: &url, id, at: Timestamp::EPOCH, body: "{}", secrets };
        let secrets = [vec![7; 24]];
        assert!(headers(&message("msg_1", &secrets)).is_some());
        assert!(headers(&message("msg_1", &[])).is_none());
        assert!(headers(&message("msg.1", &secrets)).is_none());
        assert!(headers(&message("", &secrets)).is_none());
        assert!(headers(&message("msg_1\r\nx: y", &secrets)).is_none());
    }
}
