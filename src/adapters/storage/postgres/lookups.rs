//! What every request looks up first, for one and for several at once. The answers are read in `shared`.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use uuid::Uuid;

use super::gathered::{Gathered, Lookup};
use super::shared::statements as sql;
use super::{Db, PostgresStore, own};
use crate::domain::backend::IdempotencyKey;
use crate::domain::details::{Digest, Subject};
use crate::domain::ids::{ApprovalId, BackendId};

/// The look-ups of a store, each kind for itself.
#[derive(Default)]
pub struct Lookups {
    keys: Gathered<KeyByHash>,
    openings: Gathered<OpeningFor>,
    cases: Gathered<CaseOf>,
    device_cases: Gathered<DeviceCaseOf>,
}

fn each<'a, L, T>(all: &'a [L], part: impl Fn(&'a L) -> T) -> Vec<T> {
    all.iter().map(part).collect()
}

struct KeyByHash(Digest);

impl Lookup for KeyByHash {
    fn one(&self) -> Query<'_, Db, PgArguments> {
        sqlx::query(sql::KEY_BY_HASH).bind(self.0.bytes().as_slice())
    }

    fn several(all: &[Self]) -> Query<'_, Db, PgArguments> {
        sqlx::query(own::KEYS_BY_HASH).bind(each(all, |asked| asked.0.bytes().as_slice()))
    }
}

struct OpeningFor {
    backend: Uuid,
    subject: String,
    key: String,
}

impl Lookup for OpeningFor {
    fn one(&self) -> Query<'_, Db, PgArguments> {
        sqlx::query(sql::OPENING).bind(self.backend).bind(self.subject.as_str()).bind(self.key.as_str())
    }

    fn several(all: &[Self]) -> Query<'_, Db, PgArguments> {
        sqlx::query(own::OPENINGS)
            .bind(each(all, |asked| asked.backend))
            .bind(each(all, |asked| asked.subject.as_str()))
            .bind(each(all, |asked| asked.key.as_str()))
    }
}

struct CaseOf(Uuid);

impl Lookup for CaseOf {
    fn one(&self) -> Query<'_, Db, PgArguments> {
        sqlx::query(sql::CASE).bind(self.0)
    }

    fn several(all: &[Self]) -> Query<'_, Db, PgArguments> {
        sqlx::query(own::CASES).bind(each(all, |asked| asked.0))
    }
}

struct DeviceCaseOf {
    cookie: Digest,
    approval: Uuid,
}

impl Lookup for DeviceCaseOf {
    fn one(&self) -> Query<'_, Db, PgArguments> {
        sqlx::query(sql::DEVICE_CASE).bind(self.cookie.bytes().as_slice()).bind(self.approval)
    }

    fn several(all: &[Self]) -> Query<'_, Db, PgArguments> {
        sqlx::query(own::DEVICE_CASES)
            .bind(each(all, |asked| asked.cookie.bytes().as_slice()))
            .bind(each(all, |asked| asked.approval))
    }
}

impl PostgresStore {
    pub(super) async fn key_rows(&self, hash: &Digest) -> Result<Vec<PgRow>, sqlx::Error> {
        self.lookups.keys.rows(&self.target, self.reads(), KeyByHash(*hash)).await
    }

    pub(super) async fn opening_rows(
        &self,
        backend: BackendId,
        subject: &Subject,
        key: &IdempotencyKey,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let (subject, key) = (subject.as_str().to_owned(), key.as_str().to_owned());
        let asked = OpeningFor { backend: backend.uuid(), subject, key };
        self.lookups.openings.rows(&self.target, self.reads(), asked).await
    }

    pub(super) async fn case_rows(&self, id: ApprovalId) -> Result<Vec<PgRow>, sqlx::Error> {
        self.lookups.cases.rows(&self.target, self.reads(), CaseOf(id.uuid())).await
    }

    pub(super) async fn device_case_rows(&self, cookie: &Digest, id: ApprovalId) -> Result<Vec<PgRow>, sqlx::Error> {
        let asked = DeviceCaseOf { cookie: *cookie, approval: id.uuid() };
        self.lookups.device_cases.rows(&self.target, self.reads(), asked).await
    }
}
