//! Reads of staff: the [`StaffStore`] port.

use std::time::Duration;

use async_trait::async_trait;

use super::{Db, TheStore, staff_statements as sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::{reading, unavailable};
use crate::adapters::storage::rows::staff::{
    ChangeRow, DirectoryKeyRow, InviteRow, PasskeyRow, SessionRow, StaffNoticeRow, StaffRow, ViewRow,
};
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::ids::{HolderId, SessionId, StaffChangeId, StaffId, ViewId};
use crate::domain::staff::change::StaffChange;
use crate::domain::staff::directory::DirectoryKey;
use crate::domain::staff::invite::Invite;
use crate::domain::staff::passkey::Passkey;
use crate::domain::staff::session::Session;
use crate::domain::staff::view::View;
use crate::domain::staff::{ExternalId, Staff, UserName};
use crate::domain::time::Timestamp;
use crate::ports::staff::{StaffNoticeJob, StaffStore};
use crate::ports::store::{NoticeOutcome, StoreError};

const STAFF: &str = "staff";
const PASSKEYS: &str = "staff_passkeys";
const INVITES: &str = "staff_invites";
const CHANGES: &str = "staff_changes";
const VIEWS: &str = "staff_views";
const NOTICES: &str = "staff_notices";

#[async_trait]
impl StaffStore for TheStore {
    async fn everybody(&self) -> Result<Vec<Staff>, StoreError> {
        let rows = sqlx::query_as::<Db, StaffRow>(sql::EVERYBODY).fetch_all(self.reads()).await;
        rows.map_err(reading(STAFF))?.into_iter().map(|row| row.read(self.seals())).collect()
    }

    async fn person(&self, id: StaffId) -> Result<Option<Staff>, StoreError> {
        let query = sqlx::query_as::<Db, StaffRow>(sql::PERSON).bind(id.uuid());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(STAFF))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn person_by_user_name(&self, name: &UserName) -> Result<Option<Staff>, StoreError> {
        let query = sqlx::query_as::<Db, StaffRow>(sql::PERSON_BY_USER_NAME).bind(name.as_str());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(STAFF))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn person_by_external_id(&self, id: &ExternalId) -> Result<Option<Staff>, StoreError> {
        let query = sqlx::query_as::<Db, StaffRow>(sql::PERSON_BY_EXTERNAL_ID).bind(id.as_str());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(STAFF))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn passkey(&self, credential_id: &Blob) -> Result<Option<Passkey>, StoreError> {
        let query = sqlx::query_as::<Db, PasskeyRow>(sql::PASSKEY).bind(credential_id.0.as_slice());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(PASSKEYS))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn passkeys(&self, staff: StaffId) -> Result<Vec<Passkey>, StoreError> {
        let query = sqlx::query_as::<Db, PasskeyRow>(sql::PASSKEYS).bind(staff.uuid());
        let rows = query.fetch_all(self.reads()).await.map_err(reading(PASSKEYS))?;
        rows.into_iter().map(|row| row.read(self.seals())).collect()
    }

    async fn session(&self, token_hash: &Digest) -> Result<Option<(Session, Staff)>, StoreError> {
        let query = sqlx::query_as::<Db, SessionRow>(sql::SESSION).bind(token_hash.bytes().as_slice());
        let row = query.fetch_optional(self.reads()).await.map_err(reading("staff_sessions"))?;
        let Some(session) = row.map(|row| row.read(self.seals())).transpose()? else { return Ok(None) };
        // The person is read after the session: one who is ended in between is seen as ended.
        Ok(self.person(session.staff).await?.map(|person| (session, person)))
    }

    async fn touch_session(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let query = sqlx::query::<Db>(sql::TOUCH_SESSION).bind(id.uuid()).bind(At(at));
        query.execute(&mut *writer).await.map_err(reading("staff_sessions"))?;
        Ok(())
    }

    async fn invite(&self, token_hash: &Digest) -> Result<Option<Invite>, StoreError> {
        let query = sqlx::query_as::<Db, InviteRow>(sql::INVITE).bind(token_hash.bytes().as_slice());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(INVITES))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn open_invites(&self) -> Result<Vec<Invite>, StoreError> {
        let rows = sqlx::query_as::<Db, InviteRow>(sql::OPEN_INVITES).fetch_all(self.reads()).await;
        rows.map_err(reading(INVITES))?.into_iter().map(|row| row.read(self.seals())).collect()
    }

    async fn change(&self, id: StaffChangeId) -> Result<Option<StaffChange>, StoreError> {
        let query = sqlx::query_as::<Db, ChangeRow>(sql::STAFF_CHANGE).bind(id.uuid());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(CHANGES))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn changes(&self, limit: u32) -> Result<Vec<StaffChange>, StoreError> {
        let query = sqlx::query_as::<Db, ChangeRow>(sql::STAFF_CHANGES).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(CHANGES))?;
        rows.into_iter().map(|row| row.read(self.seals())).collect()
    }

    async fn view(&self, id: ViewId) -> Result<Option<View>, StoreError> {
        let query = sqlx::query_as::<Db, ViewRow>(sql::VIEW).bind(id.uuid());
        let row = query.fetch_optional(self.reads()).await.map_err(reading(VIEWS))?;
        row.map(ViewRow::read).transpose()
    }

    async fn views_of_holder(&self, holder: HolderId, limit: u32) -> Result<Vec<View>, StoreError> {
        let query = sqlx::query_as::<Db, ViewRow>(sql::VIEWS_OF_HOLDER).bind(holder.uuid()).bind(i64::from(limit));
        let rows = query.fetch_all(self.reads()).await.map_err(reading(VIEWS))?;
        rows.into_iter().map(ViewRow::read).collect()
    }

    async fn last_viewed_by_staff(&self, holder: HolderId) -> Result<Option<Timestamp>, StoreError> {
        let query = sqlx::query_scalar::<Db, At>(sql::LAST_VIEWED).bind(holder.uuid());
        let at = query.fetch_optional(self.reads()).await.map_err(reading("holder_views"))?;
        Ok(at.map(Into::into))
    }

    async fn directory_key(&self, hash: &Digest) -> Result<Option<DirectoryKey>, StoreError> {
        let query = sqlx::query_as::<Db, DirectoryKeyRow>(sql::DIRECTORY_KEY).bind(hash.bytes().as_slice());
        let row = query.fetch_optional(self.reads()).await.map_err(reading("directory_keys"))?;
        row.map(|row| row.read(self.seals())).transpose()
    }

    async fn directory_keys(&self) -> Result<Vec<DirectoryKey>, StoreError> {
        let rows = sqlx::query_as::<Db, DirectoryKeyRow>(sql::DIRECTORY_KEYS).fetch_all(self.reads()).await;
        rows.map_err(reading("directory_keys"))?.into_iter().map(|row| row.read(self.seals())).collect()
    }

    async fn claim_staff_notices(&self, limit: u32, lease: Duration) -> Result<Vec<StaffNoticeJob>, StoreError> {
        let mut writer = self.writer().await?;
        let now = self.clock().now(&mut writer).await.map_err(unavailable)?;
        let due = sqlx::query_as::<Db, StaffNoticeRow>(sql::STAFF_NOTICES_DUE).bind(At(now)).bind(i64::from(limit));
        let mut leased = Vec::new();
        for row in due.fetch_all(&mut *writer).await.map_err(reading(NOTICES))? {
            // Whoever moved the fence has it; the other one passes.
            let lease = sqlx::query::<Db>(sql::LEASE_STAFF_NOTICE).bind(row.id).bind(row.fence).bind(At(now + lease));
            if lease.execute(&mut *writer).await.map_err(unavailable)?.rows_affected() == 1 {
                let fence = row.fence + 1;
                leased.push(StaffNoticeJob { fence, ..row.read()? });
            }
        }
        Ok(leased)
    }

    async fn settle_staff_notice(&self, job: &StaffNoticeJob, outcome: &NoticeOutcome) -> Result<bool, StoreError> {
        let (status, next) = match outcome {
            NoticeOutcome::Delivered { .. } => ("delivered", None),
            NoticeOutcome::RetryAt(at) | NoticeOutcome::DeferredTo(at) => ("waiting", Some(At(*at))),
            NoticeOutcome::Failed { .. } => ("failed", None),
            NoticeOutcome::Dropped => ("dropped", None),
        };
        let mut writer = self.writer().await?;
        let query = sqlx::query::<Db>(sql::SETTLE_STAFF_NOTICE)
            .bind(job.notice.id.uuid())
            .bind(job.fence)
            .bind(status)
            .bind(next);
        Ok(query.execute(&mut *writer).await.map_err(unavailable)?.rows_affected() == 1)
    }
}
