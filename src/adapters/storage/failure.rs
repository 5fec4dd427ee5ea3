//! How a write or a read fails inside the adapter, and what the ports call it. May import: `ports`, sqlx.

use crate::ports::store::{CommitError, StoreError, Unique};

/// The record stood in the way of a change. Nothing of it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Conflict,
    Duplicate(Unique),
    Cap,
    Frozen,
}

impl From<Refused> for CommitError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Conflict => Self::Conflict,
            Refused::Duplicate(unique) => Self::Duplicate(unique),
            Refused::Cap => Self::Cap,
            Refused::Frozen => Self::Frozen,
        }
    }
}

/// Why a change wasn't stored, while it is still in the adapter's hands.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the record stood in the way: {0:?}")]
    Refused(Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// The database failed or can't be reached.
pub fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(error.into())
}

/// An error of a query on a table: a row that can't be decoded is corrupt, everything else is the database's trouble.
pub fn reading(table: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Corrupt { table, id: "unknown".to_owned(), source: Box::new(error) }
        }
        other => unavailable(other),
    }
}

/// Gives `Conflict` when a statement that should have touched exactly one row touched none.
///
/// # Errors
/// [`Refused::Conflict`].
pub fn touched(rows: u64) -> Result<(), Refused> {
    if rows == 0 { Err(Refused::Conflict) } else { Ok(()) }
}

/// What a caller is told of a write whose fate is known.
///
/// # Errors
/// As [`crate::ports::store::Store::commit`], without `Unknown`.
pub fn outcome(result: Result<(), Failure>) -> Result<(), CommitError> {
    result.map_err(|failure| match failure {
        Failure::Refused(refused) => refused.into(),
        Failure::Store(error) => CommitError::Store(error),
        Failure::Sql(error) if is_missing_parent(&error) => CommitError::Conflict,
        Failure::Sql(error) => CommitError::Store(unavailable(error)),
    })
}

/// A row names another one that isn't there: the record isn't as the change expected.
fn is_missing_parent(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}
