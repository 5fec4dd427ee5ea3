//! A channel's row. A notice on it can stand for having told the holder, so all of it is sealed: where it leads, whose
//! it is, which device it lives on, and from when it counts.

use sqlx::FromRow;
use uuid::Uuid;

use super::{corrupt, named};
use crate::adapters::storage::at::At;
use crate::adapters::storage::seal::{Sealed, Seals, moment, parts};
use crate::domain::channel::Channel;
use crate::domain::ids::{ChannelId, DeviceId, HolderId};
use crate::ports::store::StoreError;

#[derive(Debug, Clone, FromRow)]
pub struct ChannelRow {
    pub id: Uuid,
    pub holder_id: Uuid,
    pub kind: String,
    pub device_id: Option<Uuid>,
    pub masked: String,
    pub address: Vec<u8>,
    pub created_at: At,
    pub counts_from: At,
    pub removed_at: Option<At>,
    pub seal: Vec<u8>,
}

/// A channel beside something else of its holder's; nothing where the holder has none.
#[derive(Debug, FromRow)]
pub struct ChannelBeside {
    channel_id: Option<Uuid>,
    channel_kind: Option<String>,
    channel_device: Option<Uuid>,
    channel_masked: Option<String>,
    channel_address: Option<Vec<u8>>,
    channel_created_at: Option<At>,
    channel_counts_from: Option<At>,
    channel_seal: Option<Vec<u8>>,
}

impl ChannelBeside {
    pub fn of(self, holder_id: Uuid) -> Option<ChannelRow> {
        Some(ChannelRow {
            id: self.channel_id?,
            holder_id,
            kind: self.channel_kind?,
            device_id: self.channel_device,
            masked: self.channel_masked?,
            address: self.channel_address?,
            created_at: self.channel_created_at?,
            counts_from: self.channel_counts_from?,
            removed_at: None,
            seal: self.channel_seal?,
        })
    }
}

impl ChannelRow {
    pub fn of(channel: &Channel, seals: &Seals) -> Self {
        seals.close(Self {
            id: channel.id.uuid(),
            holder_id: channel.holder.uuid(),
            kind: channel.kind.as_str().to_owned(),
            device_id: channel.device.map(DeviceId::uuid),
            masked: channel.masked.clone(),
            address: channel.address.bytes().to_vec(),
            created_at: At(channel.created_at),
            counts_from: At(channel.counts_from),
            removed_at: None,
            seal: Vec::new(),
        })
    }

    /// # Errors
    /// [`StoreError::Forged`], [`StoreError::Corrupt`].
    pub fn read(self, seals: &Seals) -> Result<Channel, StoreError> {
        seals.check(&self)?;
        let id = ChannelId::from_uuid(self.id);
        Ok(Channel {
            id,
            holder: HolderId::from_uuid(self.holder_id),
            kind: named("kind", &self.kind).map_err(|source| corrupt(Self::TABLE, id, source))?,
            device: self.device_id.map(DeviceId::from_uuid),
            masked: self.masked,
            address: self.address.into(),
            created_at: self.created_at.into(),
            counts_from: self.counts_from.into(),
        })
    }
}

impl Sealed for ChannelRow {
    const TABLE: &'static str = "channels";

    fn id_text(&self) -> String {
        ChannelId::from_uuid(self.id).to_string()
    }

    fn covered(&self) -> Vec<u8> {
        let device = self.device_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        parts(
            "channel",
            &[
                self.id.as_bytes(),
                self.holder_id.as_bytes(),
                self.kind.as_bytes(),
                &device,
                self.masked.as_bytes(),
                &self.address,
                &moment(Some(self.created_at.into())),
                &moment(Some(self.counts_from.into())),
                &moment(self.removed_at.map(Into::into)),
            ],
        )
    }

    fn seal(&self) -> &[u8] {
        &self.seal
    }

    fn set_seal(&mut self, seal: Vec<u8>) {
        self.seal = seal;
    }
}
