//! Web push: a notice on the device itself, through the push service of its browser (RFC 8030), encrypted so that the
//! service can't read it (RFC 8291).
//!
//! [`payload`] says what the service worker gets, [`vapid`] who is sending. May import: `domain`, `ports`, and the
//! outbound guard, which knows the push services' hosts.

mod payload;
pub mod vapid;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;
use url::Url;
use web_push_native::p256::PublicKey;
use web_push_native::{Auth, encrypt};

use crate::adapters::outbound::{Audience, Outbound, OutboundError};
use crate::domain::channel::{Address, ChannelKind};
use crate::ports::outward::{ChannelSender, Message, SendError};
use crate::ports::timing::Clock;
use vapid::Vapid;

/// RFC 8030 sections 5.2 to 5.4.
const TTL: HeaderName = HeaderName::from_static("ttl");
const URGENCY: HeaderName = HeaderName::from_static("urgency");
const TOPIC: HeaderName = HeaderName::from_static("topic");
/// Bytes of the hash in a topic: 16 characters, of the 32 that RFC 8030 section 5.4 allows.
const TOPIC_BYTES: usize = 12;

/// Sends web push messages.
pub struct WebPush {
    outbound: Arc<Outbound>,
    vapid: Arc<Vapid>,
    clock: Arc<dyn Clock>,
}

impl WebPush {
    pub const fn new(outbound: Arc<Outbound>, vapid: Arc<Vapid>, clock: Arc<dyn Clock>) -> Self {
        Self { outbound, vapid, clock }
    }
}

#[async_trait]
impl ChannelSender for WebPush {
    fn kind(&self) -> ChannelKind {
        ChannelKind::WebPush
    }

    async fn send(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        let subscription = Subscription::read(to)?;
        // A code proves that somebody reads a channel apart from the devices; on a device it would prove nothing.
        if message.code.is_some() {
            return Err(SendError::Refused { what: "codes don't go to devices" });
        }
        let topic = topic(message);
        let now = self.clock.now();
        let plain = payload::of(message, &topic).ok_or(again("the message is too long"))?;
        let body = encrypt(plain, &subscription.key, &subscription.secret).map_err(|_| again("encryption failed"))?;
        let signed = self.vapid.authorization(&subscription.endpoint, now).map_err(|_| again("signing failed"))?;
        let mut authorization = HeaderValue::from_str(&signed).map_err(|_| again("signing failed"))?;
        authorization.set_sensitive(true);

        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
        headers.insert(TTL, HeaderValue::from(message.useless_after.since(now).as_secs()));
        headers.insert(URGENCY, HeaderValue::from_static("high"));
        headers.insert(TOPIC, HeaderValue::from_str(&topic).map_err(|_| again("bad topic"))?);
        judge(self.outbound.post(Audience::PushService, &subscription.endpoint, headers, body).await)
    }
}

/// A push subscription, ready to be written to.
struct Subscription {
    endpoint: Url,
    key: PublicKey,
    secret: Auth,
}

impl Subscription {
    fn read(address: &Address) -> Result<Self, SendError> {
        let bad = || SendError::Gone { what: "not a push subscription" };
        let Address::WebPush { endpoint, p256dh, auth } = address else { return Err(bad()) };
        let bytes = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        let secret: [u8; 16] = bytes(auth).and_then(|auth| auth.try_into().ok()).ok_or_else(bad)?;
        let key = bytes(p256dh).and_then(|key| PublicKey::from_sec1_bytes(&key).ok()).ok_or_else(bad)?;
        Ok(Self { endpoint: Url::parse(endpoint).map_err(|_| bad())?, key, secret: secret.into() })
    }
}

/// A later message about the same approval replaces an earlier one that the device hasn't fetched yet.
fn topic(message: &Message) -> String {
    let about = message.approval.map_or_else(|| message.notice.to_string(), |approval| approval.to_string());
    let hash = digest(&SHA256, about.as_bytes());
    BASE64URL_NOPAD.encode(hash.as_ref().get(..TOPIC_BYTES).unwrap_or_default())
}

/// RFC 8030 sections 5 and 7.3: 404 and 410 say that the subscription is no more. Other 4xx may be our own fault, for
/// example a clock that is wrong, and then dropping every device for it would be worse than trying again.
fn judge(result: Result<StatusCode, OutboundError>) -> Result<(), SendError> {
    match result {
        Ok(status) if status.is_success() => Ok(()),
        Ok(StatusCode::NOT_FOUND | StatusCode::GONE) => Err(SendError::Gone { what: "the subscription has ended" }),
        Ok(StatusCode::TOO_MANY_REQUESTS) => Err(again("the push service wants fewer messages")),
        Ok(status) if status.is_server_error() => Err(again("the push service failed")),
        Ok(_) => Err(again("the push service refused the message")),
        // Our own guard: its list may have changed, or a resolver may have told a lie for a minute.
        Err(OutboundError::RefusedAddress) => Err(SendError::Refused { what: "not a push service" }),
        Err(error) => Err(SendError::Again { what: "the push service wasn't reached", source: Some(error.into()) }),
    }
}

const fn again(what: &'static str) -> SendError {
    SendError::Again { what, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ended_subscription_or_a_stranger_is_gone() {
        let status = |code: u16| judge(Ok(StatusCode::from_u16(code).unwrap()));
        assert!(status(201).is_ok() && status(202).is_ok());
        for code in [404, 410] {
            assert!(matches!(status(code), Err(SendError::Gone { .. })), "{code}");
        }
        for code in [301, 400, 401, 403, 413, 429, 500, 503] {
            assert!(matches!(status(code), Err(SendError::Again { .. })), "{code}");
        }
        assert!(matches!(judge(Err(OutboundError::RefusedAddress)), Err(SendError::Refused { .. })));
        assert!(matches!(judge(Err(OutboundError::Timeout)), Err(SendError::Again { source: Some(_), .. })));
    }
}
