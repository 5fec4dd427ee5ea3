//! Registered ways to reach a holder, and the notices that go out on them. A channel carries notice and the power to
//! cancel, never the power to approve.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::ids::{ApprovalId, ChannelId, DeviceId, FreezeId, HolderId, LinkId, NoticeId, OverrideId};
use super::time::Timestamp;

/// A channel that was added or changed doesn't count as having told the holder for this long (design section 8).
pub const NEW_CHANNEL_HOLD: Duration = Duration::from_secs(24 * 3600);
/// Longest address we keep: RFC 5321 section 4.5.3.1 allows 254 octets in a mailbox path.
const MAX_EMAIL: usize = 254;

/// The kinds of channel, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    WebPush,
    Email,
    /// The demo's inbox page; refused outside demo and bench.
    Inbox,
}

impl ChannelKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebPush => "web_push",
            Self::Email => "email",
            Self::Inbox => "inbox",
        }
    }
}

/// Why an address was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("is not an e-mail address")]
    Email,
    #[error("is not a push subscription with an https endpoint and its two keys")]
    Push,
    #[error("is not an inbox name")]
    Inbox,
}

/// Where a channel leads. Sealed at rest, masked everywhere else, and never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Address {
    Email { mailbox: String },
    WebPush { endpoint: String, p256dh: String, auth: String },
    Inbox { name: String },
}

impl Address {
    /// Checks a mailbox: one `@`, a domain with a dot (or localhost), printable ASCII without spaces or quotes. Whether
    /// it exists is learnt by writing to it.
    ///
    /// # Errors
    /// [`BadAddress::Email`].
    pub fn email(text: &str) -> Result<Self, BadAddress> {
        let (local, domain) = text.rsplit_once('@').ok_or(BadAddress::Email)?;
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),:;<>@[\\]".contains(&b));
        let dots = |part: &str| !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
        let fits = !local.is_empty() && local.len() <= 64 && domain.len() >= 3 && text.len() <= MAX_EMAIL;
        let host = domain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        let named = domain.contains('.') || domain == "localhost";
        if fits && plain(local) && dots(local) && host && dots(domain) && named {
            Ok(Self::Email { mailbox: text.to_owned() })
        } else {
            Err(BadAddress::Email)
        }
    }

    /// Checks the shape of a push subscription (Push API section 8): an https endpoint, a 65-byte public key and a
    /// 16-byte secret in base64url. Which hosts are allowed is decided by whoever connects.
    ///
    /// # Errors
    /// [`BadAddress::Push`].
    pub fn web_push(endpoint: &str, p256dh: &str, auth: &str) -> Result<Self, BadAddress> {
        let bytes = |text: &str| data_encoding::BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok();
        let keys = bytes(p256dh).is_some_and(|key| key.len() == 65 && key.first() == Some(&4))
            && bytes(auth).is_some_and(|secret| secret.len() == 16);
        let secure = endpoint.starts_with("https://") || endpoint.starts_with("http://127.0.0.1:");
        if keys && secure && endpoint.len() <= 1024 && endpoint.bytes().all(|b| b.is_ascii_graphic()) {
            let trim = |text: &str| text.trim_end_matches('=').to_owned();
            Ok(Self::WebPush { endpoint: endpoint.to_owned(), p256dh: trim(p256dh), auth: trim(auth) })
        } else {
            Err(BadAddress::Push)
        }
    }

    /// A demo inbox.
    ///
    /// # Errors
    /// [`BadAddress::Inbox`].
    pub fn inbox(name: &str) -> Result<Self, BadAddress> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
            Ok(Self::Inbox { name: name.to_owned() })
        } else {
            Err(BadAddress::Inbox)
        }
    }

    pub const fn kind(&self) -> ChannelKind {
        match self {
            Self::Email { .. } => ChannelKind::Email,
            Self::WebPush { .. } => ChannelKind::WebPush,
            Self::Inbox { .. } => ChannelKind::Inbox,
        }
    }

    /// What may be shown of it: `m•••@e•••.org`, the push service's host, `demo inbox`.
    pub fn masked(&self) -> String {
        let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
        match self {
            Self::Email { mailbox } => {
                let (local, domain) = mailbox.rsplit_once('@').unwrap_or((mailbox, ""));
                let (name, tld) = domain.rsplit_once('.').unwrap_or((domain, ""));
                let dot = if tld.is_empty() { "" } else { "." };
                format!("{}•••@{}•••{dot}{tld}", first(local), first(name))
            }
            Self::WebPush { .. } => "notices on this device".to_owned(),
            Self::Inbox { .. } => "demo inbox".to_owned(),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// An address as it is stored: encrypted, and bound to its channel's id. Cheap to clone, and never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SealedAddress(Arc<[u8]>);

impl SealedAddress {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for SealedAddress {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for SealedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedAddress")
    }
}

/// A registered channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: ChannelId,
    pub holder: HolderId,
    pub kind: ChannelKind,
    /// The device that this channel lives on, if it does.
    pub device: Option<DeviceId>,
    pub masked: String,
    pub address: SealedAddress,
    pub created_at: Timestamp,
    /// From then on a notice delivered here counts as having told the holder.
    pub counts_from: Timestamp,
}

/// What a notice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A transfer waits for an answer.
    Asked,
    /// A transfer was approved and cools off; it can still be stopped.
    Cooling,
    /// The code that the first device's enrolment asks for.
    EnrolCode,
    /// A device was added.
    DeviceAdded,
    /// A device was locked after five failed attempts.
    DeviceLocked,
    /// Everything of the holder was frozen.
    Frozen,
    /// A device asked to lift a freeze.
    LiftAsked,
    /// Two staff members decided something instead of the holder, who can stop it. Counts as having told them.
    OverrideCooling,
    /// The same on a channel that is too new to count.
    OverrideOnNew,
    /// The same on a channel that the request disputes: no way to stop it, and nobody was told by it.
    OverrideOnDisputed,
    /// A device asked to be told too (design section 8: the old channels are told of a new one).
    ChannelAdded,
}

impl Purpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Cooling => "cooling",
            Self::EnrolCode => "enrol_code",
            Self::DeviceAdded => "device_added",
            Self::DeviceLocked => "device_locked",
            Self::Frozen => "frozen",
            Self::LiftAsked => "lift_asked",
            Self::OverrideCooling => "override_cooling",
            Self::OverrideOnNew => "override_on_new",
            Self::OverrideOnDisputed => "override_on_disputed",
            Self::ChannelAdded => "channel_added",
        }
    }
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    Approval(ApprovalId),
    Link(LinkId),
    Device(DeviceId),
    Freeze(FreezeId),
    Override(OverrideId),
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approval(id) => id.fmt(f),
            Self::Link(id) => id.fmt(f),
            Self::Device(id) => id.fmt(f),
            Self::Freeze(id) => id.fmt(f),
            Self::Override(id) => id.fmt(f),
        }
    }
}

/// When a notice goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// At once.
    Now,
    /// Only when every notice before it in the same row of channels has failed.
    AfterFailure,
}

/// One message about one thing on one channel, to be written with the change that causes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub id: NoticeId,
    pub holder: HolderId,
    pub channel: ChannelId,
    /// Where the channel led when the notice was planned.
    pub address: SealedAddress,
    pub purpose: Purpose,
    pub about: About,
    pub turn: Turn,
    /// Place in the row of channels, from 0.
    pub rank: u16,
    pub created_at: Timestamp,
    /// After this the message would mislead, and is dropped.
    pub useless_after: Timestamp,
}

/// Where a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeStatus {
    Waiting,
    Queued,
    Delivered,
    Failed,
    Dropped,
}

impl NoticeStatus {
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Queued, Self::Delivered, Self::Failed, Self::Dropped];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// Delays before the second and later tries of a notice; then it has failed.
pub const NOTICE_RETRIES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(45), Duration::from_secs(180)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_checked_and_masked() {
        for good in ["marta@example.org", "m.n+x@a-b.co.uk", "x@localhost"] {
            assert!(Address::email(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "@",
            "a@",
            "@b.c",
            "a b@c.de",
            "a@b",
            "a@b.c\r\nBcc: x@y.z",
            "\"a\"@b.cd",
            ".a@b.cd",
            "a@b..cd",
            "a@@b.cd",
        ] {
            assert_eq!(Address::email(bad), Err(BadAddress::Email), "{bad:?}");
        }
        assert_eq!(Address::email("marta@example.org").unwrap().masked(), "m•••@e•••.org");
        assert_eq!(format!("{:?}", Address::email("marta@example.org").unwrap()), "m•••@e•••.org");
    }

    #[test]
    fn push_subscriptions_need_both_keys_and_tls() {
        let key = data_encoding::BASE64URL_NOPAD.encode(&[4; 65]);
        let auth = data_encoding::BASE64URL_NOPAD.encode(&[1; 16]);
        assert!(Address::web_push("https://push.example/x", &key, &auth).is_ok());
        assert!(Address::web_push("http://push.example/x", &key, &auth).is_err());
        assert!(Address::web_push("https://push.example/x", &auth, &auth).is_err());
        assert!(Address::web_push("https://push.example/x y", &key, &auth).is_err());
    }
}
