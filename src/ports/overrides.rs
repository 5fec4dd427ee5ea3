//! What the record says of freezes and override requests. Reads beside [`super::store::Store`]; what changes them is an
//! [`super::Effect`] like every other write.

use async_trait::async_trait;

use super::staff::PasskeyProof;
use super::store::{Read, StoreError};
use crate::domain::approval::Told;
use crate::domain::approval::transitions::Transition;
use crate::domain::freeze::{Freeze, FreezeStep};
use crate::domain::ids::{DeviceId, FreezeId, HolderId, OverrideId};
use crate::domain::override_request::transitions::{Carry, Step};
use crate::domain::override_request::{Caps, OverrideRequest};
use crate::domain::staff::notice::StaffNotice;
use crate::domain::time::Timestamp;

/// A step of an override request with what it does elsewhere, in one commit.
#[derive(Debug, Clone)]
pub struct OverrideWrite {
    pub step: Step,
    /// Enforced where a request is added or signed.
    pub caps: Caps,
    /// Who signs now. Condition: they stand as signers by the database's clock, and their passkey's counter rises. Of
    /// everybody who signed before it is asked too whether their signature still counts, wherever it is used.
    pub proof: Option<PasskeyProof>,
    pub also: Also,
    /// Drawn signers who are told that it waits for them.
    pub tell: Vec<StaffNotice>,
}

/// What a step does elsewhere.
#[derive(Debug, Clone)]
pub enum Also {
    Nothing,
    /// The transfer is prolonged, or its cooling-off begins. Conditions as for any transition.
    Approval(Box<Transition>),
    /// A freeze ends. Conditions as for any step of a freeze.
    Freeze(Box<FreezeStep>),
    /// Every device of the holder is removed, and a first one may be enrolled.
    ResetDevices(Box<Carry>),
}

/// Reads of freezes and override requests.
#[async_trait]
pub trait OverrideStore: Send + Sync {
    /// The freeze that holds, if one does.
    async fn freeze(&self, holder: HolderId) -> Result<Option<Freeze>, StoreError>;
    /// Freezes whose time has come, oldest first. A forged or corrupt row doesn't hide its neighbours.
    async fn freezes_due(&self, before: Timestamp, limit: u32) -> Result<Vec<Read<Freeze>>, StoreError>;
    /// Freezes that hold and of whose holders something may still live, oldest first; as [`OverrideStore::freezes_due`].
    async fn freezes_unsettled(&self, limit: u32) -> Result<Vec<Read<Freeze>>, StoreError>;
    /// Nothing of this holder lives any more, and nothing can come: it need not be looked at again.
    async fn settle_freeze(&self, id: FreezeId, at: Timestamp) -> Result<(), StoreError>;

    /// The first notice about a lift of this freeze that counts: delivered at or after `since`, not on the device that
    /// asked for it.
    async fn lift_told(&self, id: FreezeId, by: DeviceId, since: Timestamp) -> Result<Option<Told>, StoreError>;

    async fn override_request(&self, id: OverrideId) -> Result<Option<OverrideRequest>, StoreError>;
    /// Those that live, newest first, and then the newest that ended; `limit` of each.
    async fn overrides(&self, limit: u32) -> Result<Vec<OverrideRequest>, StoreError>;
    /// Those of one holder: those that live, newest first, and then the newest that ended; `limit` in all. A forged or corrupt row doesn't hide its neighbours.
    async fn overrides_of_holder(&self, holder: HolderId, limit: u32)
    -> Result<Vec<Read<OverrideRequest>>, StoreError>;
    /// Those whose time has come, oldest first. A forged or corrupt row doesn't hide its neighbours.
    async fn overrides_due(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<Result<OverrideRequest, StoreError>>, StoreError>;
    /// Ids of those whose time comes before this, with it: the next ones behind `after`, oldest first. Nothing is read of
    /// them, so that a row that isn't believed hides no other.
    async fn override_ids_due(
        &self,
        before: Timestamp,
        after: Option<(Timestamp, OverrideId)>,
        limit: u32,
    ) -> Result<Vec<(OverrideId, Timestamp)>, StoreError>;
    /// The first delivered notice of its hold that counts.
    async fn override_told(&self, id: OverrideId) -> Result<Option<Told>, StoreError>;
}
