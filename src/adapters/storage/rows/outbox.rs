//! Rows of what goes out: notices to holders, webhook endpoints, and deliveries to them.

use sqlx::FromRow;
use url::Url;
use uuid::Uuid;

use super::{BadRow, corrupt, named, narrow, parsed};
use crate::adapters::storage::at::At;
use crate::domain::channel::{About, SealedAddress};
use crate::domain::ids::{
    ApprovalId, BackendId, ChannelId, DeliveryId, DeviceId, EndpointId, FreezeId, HolderId, LinkId, NoticeId,
    OverrideId,
};
use crate::domain::webhook::{Cause, Endpoint};
use crate::ports::store::{DeliveryJob, DeliveryView, NoticeJob, NoticeView, SentNotice, StoreError};

/// Name and id of what a notice is about, as stored.
pub const fn about(about: &About) -> (&'static str, Uuid) {
    match about {
        About::Approval(id) => ("approval", id.uuid()),
        About::Link(id) => ("link", id.uuid()),
        About::Device(id) => ("device", id.uuid()),
        About::Freeze(id) => ("freeze", id.uuid()),
        About::Override(id) => ("override", id.uuid()),
    }
}

/// What a notice is about, read back.
fn about_of(kind: &str, id: Uuid) -> Result<About, BadRow> {
    match kind {
        "approval" => Ok(About::Approval(ApprovalId::from_uuid(id))),
        "link" => Ok(About::Link(LinkId::from_uuid(id))),
        "device" => Ok(About::Device(DeviceId::from_uuid(id))),
        "freeze" => Ok(About::Freeze(FreezeId::from_uuid(id))),
        "override" => Ok(About::Override(OverrideId::from_uuid(id))),
        _ => Err(BadRow::Range { column: "about_kind" }),
    }
}

/// Approval and version that a delivery tells of, as stored.
pub fn cause(cause: &Cause) -> (Option<Uuid>, Option<i64>) {
    match cause {
        Cause::Approval { id, version } => (Some(id.uuid()), Some(i64::from(*version))),
        Cause::Test => (None, None),
    }
}

/// A leased notice, still without its address.
#[derive(Debug, Clone, FromRow)]
pub struct LeasedNotice {
    pub id: Uuid,
    pub holder_id: Uuid,
    pub channel_id: Uuid,
    pub purpose: String,
    pub about_kind: String,
    pub about_id: Uuid,
    pub attempts: i64,
    pub fence: i64,
    pub created_at: At,
    pub useless_after: At,
}

impl LeasedNotice {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self) -> Result<NoticeJob, StoreError> {
        let id = NoticeId::from_uuid(self.id);
        let wrong = |source: BadRow| corrupt("notices", id, source);
        Ok(NoticeJob {
            id,
            holder: HolderId::from_uuid(self.holder_id),
            channel: ChannelId::from_uuid(self.channel_id),
            purpose: named("purpose", &self.purpose).map_err(wrong)?,
            about: about_of(&self.about_kind, self.about_id).map_err(wrong)?,
            address: SealedAddress::default(),
            attempts: narrow("attempts", self.attempts).map_err(wrong)?,
            created_at: self.created_at.into(),
            useless_after: self.useless_after.into(),
            fence: self.fence,
        })
    }
}

/// A notice beside its holder's backend.
#[derive(Debug, Clone, FromRow)]
pub struct SentNoticeRow {
    pub backend_id: Uuid,
    pub holder_id: Uuid,
    pub about_kind: String,
    pub about_id: Uuid,
    pub purpose: String,
    pub status: String,
}

impl SentNoticeRow {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self, id: NoticeId) -> Result<SentNotice, StoreError> {
        let wrong = |source: BadRow| corrupt("notices", id, source);
        Ok(SentNotice {
            backend: BackendId::from_uuid(self.backend_id),
            holder: HolderId::from_uuid(self.holder_id),
            about: about_of(&self.about_kind, self.about_id).map_err(wrong)?,
            purpose: named("purpose", &self.purpose).map_err(wrong)?,
            status: named("status", &self.status).map_err(wrong)?,
        })
    }
}

/// A notice beside its channel's name.
#[derive(Debug, Clone, FromRow)]
pub struct NoticeViewRow {
    pub id: Uuid,
    pub channel_id: Uuid,
    pub kind: String,
    pub masked: String,
    pub purpose: String,
    pub status: String,
    pub attempts: i64,
    pub delivered_at: Option<At>,
}

impl NoticeViewRow {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self) -> Result<NoticeView, StoreError> {
        let id = NoticeId::from_uuid(self.id);
        let wrong = |source: BadRow| corrupt("notices", id, source);
        Ok(NoticeView {
            id,
            channel: ChannelId::from_uuid(self.channel_id),
            kind: named("kind", &self.kind).map_err(wrong)?,
            masked: self.masked,
            purpose: named("purpose", &self.purpose).map_err(wrong)?,
            status: named("status", &self.status).map_err(wrong)?,
            attempts: narrow("attempts", self.attempts).map_err(wrong)?,
            delivered_at: self.delivered_at.map(Into::into),
        })
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct EndpointRow {
    pub id: Uuid,
    pub backend_id: Uuid,
    pub url: String,
    pub status: String,
    pub created_at: At,
    pub secret: Vec<u8>,
    pub previous_secret: Option<Vec<u8>>,
    pub previous_until: Option<At>,
}

impl EndpointRow {
    pub fn of(endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id.uuid(),
            backend_id: endpoint.backend.uuid(),
            url: endpoint.url.as_str().to_owned(),
            status: endpoint.status.as_str().to_owned(),
            created_at: At(endpoint.created_at),
            secret: endpoint.secret.clone(),
            previous_secret: endpoint.previous.as_ref().map(|(secret, _)| secret.clone()),
            previous_until: endpoint.previous.as_ref().map(|(_, until)| At(*until)),
        }
    }

    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self) -> Result<Endpoint, StoreError> {
        let id = EndpointId::from_uuid(self.id);
        let wrong = |source: BadRow| corrupt("endpoints", id, source);
        Ok(Endpoint {
            id,
            backend: BackendId::from_uuid(self.backend_id),
            url: parsed("url", Url::parse(&self.url)).map_err(wrong)?,
            status: named("status", &self.status).map_err(wrong)?,
            created_at: self.created_at.into(),
            secret: self.secret,
            previous: self.previous_secret.zip(self.previous_until.map(Into::into)),
        })
    }
}

/// A leased delivery, still without its endpoint.
#[derive(Debug, Clone, FromRow)]
pub struct LeasedDelivery {
    pub id: Uuid,
    pub endpoint_id: Uuid,
    pub message_id: String,
    pub body: String,
    pub attempts: i64,
    pub fence: i64,
    pub created_at: At,
}

impl LeasedDelivery {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self, endpoint: Endpoint) -> Result<DeliveryJob, StoreError> {
        let id = DeliveryId::from_uuid(self.id);
        Ok(DeliveryJob {
            id,
            endpoint,
            message_id: self.message_id,
            body: self.body,
            attempts: narrow("attempts", self.attempts).map_err(|source| corrupt("deliveries", id, source))?,
            created_at: self.created_at.into(),
            fence: self.fence,
        })
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct DeliveryViewRow {
    pub id: Uuid,
    pub endpoint_id: Uuid,
    pub message_id: String,
    pub status: String,
    pub attempts: i64,
    pub last_status: Option<i64>,
    pub last_error: Option<String>,
    pub created_at: At,
    pub next_at: Option<At>,
    pub done_at: Option<At>,
}

impl DeliveryViewRow {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self) -> Result<DeliveryView, StoreError> {
        let id = DeliveryId::from_uuid(self.id);
        let wrong = |source: BadRow| corrupt("deliveries", id, source);
        Ok(DeliveryView {
            id,
            endpoint: EndpointId::from_uuid(self.endpoint_id),
            message_id: self.message_id,
            status: named("status", &self.status).map_err(wrong)?,
            attempts: narrow("attempts", self.attempts).map_err(wrong)?,
            last_status: self.last_status.map(|s| narrow("last_status", s)).transpose().map_err(wrong)?,
            last_error: self.last_error,
            created_at: self.created_at.into(),
            next_at: self.next_at.map(Into::into),
            done_at: self.done_at.map(Into::into),
        })
    }
}
