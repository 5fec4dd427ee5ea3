//! A device's row: what was fixed at enrolment, and whether it was locked or removed, under seal; beside it the counters.

use sqlx::FromRow;
use uuid::Uuid;

use super::{BadRow, corrupt, json, narrow};
use crate::adapters::storage::at::At;
use crate::adapters::storage::seal::{Sealed, Seals, forged, moment, parts};
use crate::domain::device::{Device, DeviceBody};
use crate::domain::ids::DeviceId;
use crate::ports::store::StoreError;

#[derive(Debug, Clone, FromRow)]
pub struct DeviceRow {
    pub id: Uuid,
    pub holder_id: Uuid,
    pub credential_id: Vec<u8>,
    pub cookie_hash: Vec<u8>,
    pub thumbprint: Vec<u8>,
    pub body: String,
    pub counter: i64,
    pub failures: i64,
    pub locked_at: Option<At>,
    pub removed_at: Option<At>,
    pub seal: Vec<u8>,
}

/// A device's row beside an approval of its holder's, whose columns have the plain names.
#[derive(Debug, FromRow)]
pub struct BesideApproval {
    device_id: Uuid,
    credential_id: Vec<u8>,
    cookie_hash: Vec<u8>,
    thumbprint: Vec<u8>,
    device_body: String,
    counter: i64,
    failures: i64,
    locked_at: Option<At>,
    removed_at: Option<At>,
    device_seal: Vec<u8>,
}

impl BesideApproval {
    pub fn of(self, holder_id: Uuid) -> DeviceRow {
        DeviceRow {
            id: self.device_id,
            holder_id,
            credential_id: self.credential_id,
            cookie_hash: self.cookie_hash,
            thumbprint: self.thumbprint,
            body: self.device_body,
            counter: self.counter,
            failures: self.failures,
            locked_at: self.locked_at,
            removed_at: self.removed_at,
            seal: self.device_seal,
        }
    }
}

impl DeviceRow {
    /// # Errors
    /// [`StoreError::Corrupt`] when the device can't be written down, which no value of its type should cause.
    pub fn of(device: &Device, seals: &Seals) -> Result<Self, StoreError> {
        let body = &device.body;
        let row = Self {
            id: body.id.uuid(),
            holder_id: body.holder.uuid(),
            credential_id: body.credential_id.0.clone(),
            cookie_hash: body.cookie_hash.bytes().to_vec(),
            thumbprint: body.key.thumbprint().0.to_vec(),
            body: json(Self::TABLE, body.id, body)?,
            counter: i64::from(device.counter),
            failures: i64::from(device.failures),
            locked_at: device.locked_at.map(At),
            removed_at: device.removed_at.map(At),
            seal: Vec::new(),
        };
        Ok(seals.close(row))
    }

    /// # Errors
    /// [`StoreError::Forged`] when the seal is wrong, or right but of a row with another id;
    /// [`StoreError::Corrupt`] when the parts contradict each other.
    pub fn read(self, seals: &Seals) -> Result<Device, StoreError> {
        seals.check(&self)?;
        let body: DeviceBody =
            serde_json::from_str(&self.body).map_err(|source| corrupt(Self::TABLE, self.id_text(), source))?;
        if body.id.uuid() != self.id {
            return Err(forged(&self));
        }
        let agrees = body.holder.uuid() == self.holder_id
            && body.credential_id.0 == self.credential_id
            && body.cookie_hash.bytes()[..] == self.cookie_hash
            && body.key.thumbprint().0[..] == self.thumbprint;
        if !agrees {
            return Err(corrupt(Self::TABLE, body.id, BadRow::Columns));
        }
        let id = body.id;
        let wrong = |source: BadRow| corrupt(Self::TABLE, id, source);
        Ok(Device {
            body,
            counter: narrow("counter", self.counter).map_err(wrong)?,
            failures: narrow("failures", self.failures).map_err(wrong)?,
            locked_at: self.locked_at.map(Into::into),
            removed_at: self.removed_at.map(Into::into),
        })
    }
}

impl DeviceRow {
    /// A row whose seal covers the body alone, as it did before, under one that covers whether it is locked or removed.
    /// Nothing for any other.
    pub fn resealed(self, seals: &Seals) -> Option<Self> {
        let before = parts("device", &[self.body.as_bytes()]);
        seals.fits(&before, &self.seal).then(|| seals.close(self))
    }
}

impl Sealed for DeviceRow {
    const TABLE: &'static str = "devices";

    fn id_text(&self) -> String {
        DeviceId::from_uuid(self.id).to_string()
    }

    fn covered(&self) -> Vec<u8> {
        let (locked, removed) = (self.locked_at.map(Into::into), self.removed_at.map(Into::into));
        parts("device", &[self.body.as_bytes(), &moment(locked), &moment(removed)])
    }

    fn seal(&self) -> &[u8] {
        &self.seal
    }

    fn set_seal(&mut self, seal: Vec<u8>) {
        self.seal = seal;
    }
}
