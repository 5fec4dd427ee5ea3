//! Reads of approvals and of what belongs to them. Every approval that leaves this module had its seal checked.

use std::collections::HashMap;

use sqlx::FromRow;
use uuid::Uuid;

use super::holders::channels_beside;
use super::{Db, TheStore, ids, log, sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::reading;
use crate::adapters::storage::rows::approval::ApprovalRow;
use crate::adapters::storage::rows::channel::ChannelRow;
use crate::adapters::storage::rows::corrupt;
use crate::adapters::storage::rows::device::BesideApproval;
use crate::adapters::storage::rows::log::read_evidence;
use crate::adapters::storage::rows::outbox::NoticeViewRow;
use crate::adapters::storage::seal::Seals;
use crate::domain::approval::{Approval, Told};
use crate::domain::details::Digest;
use crate::domain::evidence::Evidence;
use crate::domain::ids::{ApprovalId, BackendId, EndpointId, HolderId};
use crate::domain::time::Timestamp;
use crate::ports::store::{Case, DeviceCase, DueCase, Filter, NoticeView, Read, StoreError};

const APPROVALS: &str = "approvals";
/// Earlier than any due time: 0001-01-01T00:00:00Z, which both databases can hold.
const LONG_AGO: Timestamp = Timestamp::from_micros(-62_135_596_800_000_000);

#[derive(FromRow)]
struct CaseRow {
    #[sqlx(flatten)]
    approval: ApprovalRow,
    receipt: Option<String>,
    endpoints: Option<String>,
}

impl CaseRow {
    /// Ids, oldest first, out of the one text that both databases can make of them.
    fn endpoints(&self) -> Result<Vec<EndpointId>, StoreError> {
        let texts = self.endpoints.iter().flat_map(|texts| texts.split(','));
        let ids: Result<Vec<Uuid>, _> = texts.map(Uuid::try_parse).collect();
        let mut ids = ids.map_err(|source| corrupt("endpoints", self.approval.id, source))?;
        ids.sort_unstable();
        Ok(ids.into_iter().map(EndpointId::from_uuid).collect())
    }

    fn read(self, seals: &Seals) -> Result<Case, StoreError> {
        let endpoints = self.endpoints()?;
        Ok(Case { approval: self.approval.read(seals)?, endpoints, receipt: self.receipt })
    }
}

#[derive(FromRow)]
struct DeviceCaseRow {
    #[sqlx(flatten)]
    case: CaseRow,
    #[sqlx(flatten)]
    device: BesideApproval,
    log_size: Option<i64>,
    log_root: Option<Vec<u8>>,
}

#[derive(FromRow)]
struct ToldRow {
    approval_id: Uuid,
    told_at: At,
    logged: Option<i64>,
    #[sqlx(flatten)]
    channel: ChannelRow,
}

pub async fn approval(store: &TheStore, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
    let query = sqlx::query_as::<Db, ApprovalRow>(sql::APPROVAL).bind(id.uuid());
    let row = query.fetch_optional(store.reads()).await.map_err(reading(APPROVALS))?;
    row.map(|row| row.read(store.seals())).transpose()
}

pub async fn case(store: &TheStore, id: ApprovalId) -> Result<Option<Case>, StoreError> {
    let query = sqlx::query_as::<Db, CaseRow>(sql::CASE).bind(id.uuid());
    let row = query.fetch_optional(store.reads()).await.map_err(reading(APPROVALS))?;
    row.map(|row| row.read(store.seals())).transpose()
}

pub async fn device_case(store: &TheStore, cookie: &Digest, id: ApprovalId) -> Result<Option<DeviceCase>, StoreError> {
    let query = sqlx::query::<Db>(sql::DEVICE_CASE).bind(cookie.bytes().as_slice()).bind(id.uuid());
    let rows = query.fetch_all(store.reads()).await.map_err(reading(APPROVALS))?;
    let Some(first) = rows.first() else { return Ok(None) };
    let row = DeviceCaseRow::from_row(first).map_err(reading(APPROVALS))?;
    let log = row.log_size.zip(row.log_root).map(|(size, root)| log::head(size, &root)).transpose()?;
    let device = row.device.of(row.case.approval.columns.holder_id).read(store.seals())?;
    let channels = channels_beside(store, device.body.holder, &rows)?;
    Ok(Some(DeviceCase { device, case: row.case.read(store.seals())?, channels, log }))
}

pub async fn approvals(
    store: &TheStore,
    backend: BackendId,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Approval>, StoreError> {
    let live = filter.state.is_some_and(|state| !state.is_final());
    let subject = filter.subject.as_ref().map(|subject| subject.as_str());
    let transfer = filter.transfer_id.as_ref().map(|transfer| transfer.as_str());
    // The narrowest index wins; what it doesn't cover is filtered among the few rows that it gives.
    let statement = match (transfer, subject) {
        (Some(_), _) => sql::LIST_OF_TRANSFER,
        (None, Some(_)) => sql::LIST_OF_SUBJECT,
        (None, None) if live => sql::LIST_LIVE,
        (None, None) => sql::LIST,
    };
    let mut query = sqlx::query_as::<Db, ApprovalRow>(statement)
        .bind(backend.uuid())
        .bind(filter.before.map_or(Uuid::max(), ApprovalId::uuid))
        .bind(i64::from(limit))
        .bind(filter.state.map(|state| state.as_str()));
    if transfer.is_some() || subject.is_some() {
        query = query.bind(subject);
    }
    if transfer.is_some() {
        query = query.bind(transfer);
    }
    let rows = query.fetch_all(store.reads()).await.map_err(reading(APPROVALS))?;
    rows.into_iter().map(|row| row.read(store.seals())).collect()
}

pub async fn approvals_of_holder(
    store: &TheStore,
    holder: HolderId,
    limit: u32,
) -> Result<Vec<Read<Approval>>, StoreError> {
    let query = sqlx::query_as::<Db, ApprovalRow>(sql::LIST_OF_HOLDER).bind(holder.uuid()).bind(i64::from(limit));
    let rows = query.fetch_all(store.reads()).await.map_err(reading(APPROVALS))?;
    Ok(rows.into_iter().map(|row| row.read(store.seals())).collect())
}

pub async fn notices(store: &TheStore, approval: ApprovalId) -> Result<Vec<NoticeView>, StoreError> {
    let query = sqlx::query_as::<Db, NoticeViewRow>(sql::NOTICES).bind(approval.uuid());
    let rows = query.fetch_all(store.reads()).await.map_err(reading("notices"))?;
    rows.into_iter().map(NoticeViewRow::read).collect()
}

pub async fn evidence(store: &TheStore, approval: ApprovalId) -> Result<Vec<Evidence>, StoreError> {
    let query = sqlx::query_as::<Db, (Uuid, String)>(sql::EVIDENCE).bind(approval.uuid());
    let rows = query.fetch_all(store.reads()).await.map_err(reading("evidence"))?;
    rows.into_iter().map(|(change, body)| read_evidence(change, &body)).collect()
}

pub async fn due_cases(store: &TheStore, asked: &[ApprovalId]) -> Result<Vec<Result<DueCase, StoreError>>, StoreError> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<Uuid> = asked.iter().map(|id| id.uuid()).collect();
    let query = sqlx::query_as::<Db, CaseRow>(sql::APPROVALS_BY_ID).bind(ids(&wanted));
    let rows = query.fetch_all(store.reads()).await.map_err(reading(APPROVALS))?;
    let mut told = told(store, &wanted).await?;
    let cases = rows.into_iter().map(|row| {
        let endpoints = row.endpoints()?;
        let approval = row.approval.read(store.seals())?;
        let (told, logged) = told.remove(&approval.id.uuid()).unzip();
        Ok(DueCase { approval, told, logged: logged.flatten(), endpoints })
    });
    Ok(cases.collect())
}

/// The first notice of each approval that counts as having told the holder. One on a channel with a wrong seal doesn't
/// count: then nobody was told, which at worst ends an approval that should have been released.
async fn told(store: &TheStore, wanted: &[Uuid]) -> Result<HashMap<Uuid, (Told, Option<u64>)>, StoreError> {
    let query = sqlx::query_as::<Db, ToldRow>(sql::TOLD).bind(ids(wanted));
    let rows = query.fetch_all(store.reads()).await.map_err(reading("notices"))?;
    let mut first = HashMap::new();
    for row in rows {
        match row.channel.read(store.seals()) {
            Ok(channel) => {
                let told = Told { channel: channel.id, delivered_at: row.told_at.into() };
                let logged = row.logged.and_then(|size| u64::try_from(size).ok());
                first.entry(row.approval_id).or_insert((told, logged));
            }
            Err(error) => tracing::error!(%error, "a channel that seems to have told a holder isn't believed"),
        }
    }
    Ok(first)
}

pub async fn due_before(
    store: &TheStore,
    before: Timestamp,
    after: Option<(Timestamp, ApprovalId)>,
    limit: u32,
) -> Result<Vec<(ApprovalId, Timestamp)>, StoreError> {
    let (after_at, after_id) = after.map_or((LONG_AGO, Uuid::nil()), |(at, id)| (at, id.uuid()));
    let query = sqlx::query_as::<Db, (Uuid, At)>(sql::DUE_BEFORE)
        .bind(At(before))
        .bind(At(after_at))
        .bind(after_id)
        .bind(i64::from(limit));
    let rows = query.fetch_all(store.reads()).await.map_err(reading(APPROVALS))?;
    Ok(rows.into_iter().map(|(id, at)| (ApprovalId::from_uuid(id), at.into())).collect())
}
