//! Webhooks as Standard Webhooks 1.0 describes them: what is sent, when it is tried again, and when an endpoint is
//! switched off. Signing and sending happen in an adapter.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::ids::{ApprovalId, BackendId, DeliveryId, EndpointId};
use super::time::Timestamp;

/// Delay of each try after the one before (Standard Webhooks, "Deliverability and reliability").
pub const SCHEDULE: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];

/// How long the old secret still signs after a rotation.
pub const ROTATION_OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// Most endpoints of one backend.
pub const MAX_ENDPOINTS: usize = 8;

/// When the try after `attempts` failed ones comes, with up to a tenth of jitter; `None` when there is none left.
pub fn next_try(attempts: u32, now: Timestamp, jitter: u8) -> Option<Timestamp> {
    let delay = SCHEDULE.get(usize::try_from(attempts).ok()?)?;
    Some(now + *delay + (*delay / 10) * u32::from(jitter) / 255)
}

/// Whether an endpoint gets messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    Active,
    /// It answered 410 Gone, or its owner switched it off.
    Disabled,
}

impl EndpointStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// A place of a backend that takes webhooks. Secrets are sealed at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub id: EndpointId,
    pub backend: BackendId,
    pub url: url::Url,
    pub status: EndpointStatus,
    pub created_at: Timestamp,
    /// Sealed secret that signs first.
    pub secret: Vec<u8>,
    /// Sealed secret before the last rotation, and until when it signs too.
    pub previous: Option<(Vec<u8>, Timestamp)>,
}

/// What a delivery is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Approval {
        id: ApprovalId,
        version: u32,
    },
    /// The owner asked for a test event.
    Test,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    Queued,
    Delivered,
    Failed,
}

impl DeliveryStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One message for one endpoint, written with the change that causes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub endpoint: EndpointId,
    pub cause: Cause,
    /// `webhook-id`: the same for every try and every redelivery, so that the receiver can recognise duplicates.
    pub message_id: String,
    /// The JSON body, under 20 kB.
    pub body: String,
    pub created_at: Timestamp,
}

/// `webhook-id` of an approval's version: the same wherever and however often it is sent.
pub fn message_id(approval: ApprovalId, version: u32) -> String {
    format!("msg_{}_{version}", approval.uuid().simple())
}

/// What a message of this `webhook-id` tells of, so that one that is sent again belongs to the same approval.
pub fn cause_of(message_id: &str) -> Cause {
    let read = || {
        let (approval, version) = message_id.strip_prefix("msg_")?.split_once('_')?;
        Some(Cause::Approval { id: format!("apr_{approval}").parse().ok()?, version: version.parse().ok()? })
    };
    read().unwrap_or(Cause::Test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_belongs_to_what_its_id_names() {
        let id = ApprovalId::new(Timestamp::EPOCH, [3; 10]);
        assert_eq!(cause_of(&message_id(id, 4)), Cause::Approval { id, version: 4 });
        for other in ["msg_test_0192aaaaaaaa7aaaaaaaaaaaaaaaaaaa", "msg_", "apr_1_2", ""] {
            assert_eq!(cause_of(other), Cause::Test, "{other}");
        }
    }

    #[test]
    fn the_schedule_is_the_standards_and_then_ends() {
        let now = Timestamp::EPOCH;
        assert_eq!(next_try(0, now, 255), Some(now));
        assert_eq!(next_try(1, now, 0), Some(now + Duration::from_secs(5)));
        assert_eq!(next_try(2, now, 255), Some(now + Duration::from_secs(330)));
        assert_eq!(next_try(9, now, 0), Some(now + Duration::from_secs(24 * 3600)));
        assert_eq!(next_try(10, now, 0), None);
    }
}
