//! What every request looks up first. The answers are read in `shared`.

use sqlx::sqlite::SqliteRow;

use super::shared::statements as sql;
use super::{Db, SqliteStore};
use crate::domain::backend::IdempotencyKey;
use crate::domain::details::{Digest, Subject};
use crate::domain::ids::{ApprovalId, BackendId};

impl SqliteStore {
    pub(super) async fn key_rows(&self, hash: &Digest) -> Result<Vec<SqliteRow>, sqlx::Error> {
        sqlx::query::<Db>(sql::KEY_BY_HASH).bind(hash.bytes().as_slice()).fetch_all(&self.reads).await
    }

    pub(super) async fn opening_rows(
        &self,
        backend: BackendId,
        subject: &Subject,
        key: &IdempotencyKey,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let query = sqlx::query::<Db>(sql::OPENING).bind(backend.uuid()).bind(subject.as_str()).bind(key.as_str());
        query.fetch_all(&self.reads).await
    }

    pub(super) async fn case_rows(&self, id: ApprovalId) -> Result<Vec<SqliteRow>, sqlx::Error> {
        sqlx::query::<Db>(sql::CASE).bind(id.uuid()).fetch_all(&self.reads).await
    }

    pub(super) async fn device_case_rows(
        &self,
        cookie: &Digest,
        id: ApprovalId,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let query = sqlx::query::<Db>(sql::DEVICE_CASE).bind(cookie.bytes().as_slice()).bind(id.uuid());
        query.fetch_all(&self.reads).await
    }
}
