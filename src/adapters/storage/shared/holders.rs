//! Reads of holders, their channels, devices and links.

use sqlx::FromRow;
use uuid::Uuid;

use super::{Db, TheStore, sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::reading;
use crate::adapters::storage::rows::backend::RememberedRow;
use crate::adapters::storage::rows::channel::ChannelRow;
use crate::adapters::storage::rows::device::DeviceRow;
use crate::adapters::storage::rows::holder::{HolderRow, LinkRow};
use crate::domain::backend::IdempotencyKey;
use crate::domain::channel::Channel;
use crate::domain::details::{Digest, Subject};
use crate::domain::device::{Device, Thumbprint};
use crate::domain::holder::Holder;
use crate::domain::ids::{BackendId, ChannelId, HolderId};
use crate::domain::link::EnrolLink;
use crate::ports::store::{Opening, Read, StoreError};

const HOLDERS: &str = "holders";
const CHANNELS: &str = "channels";
const DEVICES: &str = "devices";
/// So many keys are asked for in one statement.
const KEYS_AT_ONCE: usize = 16;

#[derive(FromRow)]
struct OpeningRow {
    id: Option<Uuid>,
    backend_id: Option<Uuid>,
    subject: Option<String>,
    created_at: Option<At>,
    enrolled_at: Option<At>,
    seal: Option<Vec<u8>>,
    request: Option<Vec<u8>>,
    answer: Option<String>,
    remembered_at: Option<At>,
    pending: i64,
    devices: i64,
    freezes: i64,
}

impl OpeningRow {
    fn holder(&mut self) -> Option<HolderRow> {
        Some(HolderRow {
            id: self.id?,
            backend_id: self.backend_id?,
            subject: self.subject.take()?,
            created_at: self.created_at?,
            enrolled_at: self.enrolled_at,
            seal: self.seal.take()?,
        })
    }

    fn remembered(&mut self, backend: BackendId, key: &IdempotencyKey) -> Option<RememberedRow> {
        Some(RememberedRow {
            backend_id: backend.uuid(),
            key: key.as_str().to_owned(),
            request: self.request.take()?,
            answer: self.answer.take()?,
            created_at: self.remembered_at?,
        })
    }
}

pub async fn opening(
    store: &TheStore,
    backend: BackendId,
    subject: &Subject,
    key: &IdempotencyKey,
) -> Result<Opening, StoreError> {
    let query =
        sqlx::query_as::<Db, OpeningRow>(sql::OPENING).bind(backend.uuid()).bind(subject.as_str()).bind(key.as_str());
    let mut row = query.fetch_one(store.reads()).await.map_err(reading(HOLDERS))?;
    let remembered = row.remembered(backend, key).map(RememberedRow::read).transpose()?;
    let holder = row.holder().map(|holder| holder.read(store.seals())).transpose()?;
    let channels = match &holder {
        Some(holder) => channels(store, holder.id).await?,
        None => Vec::new(),
    };
    Ok(Opening {
        holder,
        channels,
        remembered,
        pending: u32::try_from(row.pending).unwrap_or(u32::MAX),
        devices: u32::try_from(row.devices).unwrap_or(u32::MAX),
        freezes: u32::try_from(row.freezes).unwrap_or(u32::MAX),
    })
}

pub async fn holder(store: &TheStore, backend: BackendId, subject: &Subject) -> Result<Option<Holder>, StoreError> {
    let query = sqlx::query_as::<Db, HolderRow>(sql::HOLDER_BY_SUBJECT).bind(backend.uuid()).bind(subject.as_str());
    let row = query.fetch_optional(store.reads()).await.map_err(reading(HOLDERS))?;
    row.map(|row| row.read(store.seals())).transpose()
}

pub async fn holder_by_id(store: &TheStore, id: HolderId) -> Result<Option<Holder>, StoreError> {
    let query = sqlx::query_as::<Db, HolderRow>(sql::HOLDER).bind(id.uuid());
    let row = query.fetch_optional(store.reads()).await.map_err(reading(HOLDERS))?;
    row.map(|row| row.read(store.seals())).transpose()
}

pub async fn channels(store: &TheStore, holder: HolderId) -> Result<Vec<Channel>, StoreError> {
    channels_one_by_one(store, holder).await?.into_iter().collect()
}

pub async fn channels_one_by_one(store: &TheStore, holder: HolderId) -> Result<Vec<Read<Channel>>, StoreError> {
    let query = sqlx::query_as::<Db, ChannelRow>(sql::CHANNELS).bind(holder.uuid());
    let rows = query.fetch_all(store.reads()).await.map_err(reading(CHANNELS))?;
    Ok(rows.into_iter().map(|row| row.read(store.seals())).collect())
}

pub async fn addresses(store: &TheStore, holder: HolderId) -> Result<Vec<(ChannelId, Vec<u8>)>, StoreError> {
    let query = sqlx::query_as::<Db, ChannelRow>(sql::CHANNELS).bind(holder.uuid());
    let rows = query.fetch_all(store.reads()).await.map_err(reading(CHANNELS))?;
    let sealed = |row: ChannelRow| Ok((row.clone().read(store.seals())?.id, row.address));
    rows.into_iter().map(sealed).collect()
}

pub async fn devices(store: &TheStore, holder: HolderId) -> Result<Vec<Device>, StoreError> {
    let query = sqlx::query_as::<Db, DeviceRow>(sql::DEVICES).bind(holder.uuid());
    let rows = query.fetch_all(store.reads()).await.map_err(reading(DEVICES))?;
    rows.into_iter().map(|row| row.read(store.seals())).collect()
}

pub async fn device_by_cookie(store: &TheStore, hash: &Digest) -> Result<Option<Device>, StoreError> {
    let query = sqlx::query_as::<Db, DeviceRow>(sql::DEVICE_BY_COOKIE).bind(hash.bytes().as_slice());
    let row = query.fetch_optional(store.reads()).await.map_err(reading(DEVICES))?;
    row.map(|row| row.read(store.seals())).transpose()
}

pub async fn devices_by_key(store: &TheStore, thumbprints: &[Thumbprint]) -> Result<Vec<Device>, StoreError> {
    let mut found = Vec::new();
    for some in thumbprints.chunks(KEYS_AT_ONCE) {
        let mut query = sqlx::query_as::<Db, DeviceRow>(sql::DEVICES_BY_KEY);
        // The statement has a fixed number of places; those left over are empty and match nothing.
        for place in 0..KEYS_AT_ONCE {
            query = query.bind(some.get(place).map_or(&[][..], |thumbprint| thumbprint.0.as_slice()));
        }
        let rows = query.fetch_all(store.reads()).await.map_err(reading(DEVICES))?;
        for row in rows {
            found.push(row.read(store.seals())?);
        }
    }
    Ok(found)
}

pub async fn enrol_link(store: &TheStore, token_hash: &Digest) -> Result<Option<EnrolLink>, StoreError> {
    let query = sqlx::query_as::<Db, LinkRow>(sql::LINK_BY_TOKEN).bind(token_hash.bytes().as_slice());
    let row = query.fetch_optional(store.reads()).await.map_err(reading("enrol_links"))?;
    row.map(|row| row.read(store.seals())).transpose()
}
