//! Rows as they are stored, and how each becomes what the domain knows, or is refused. The same for both databases.
//! May import: `domain`, `ports`, sqlx, and the seals. The statements that fetch them are in `shared`.

pub mod approval;
pub mod audit;
pub mod backend;
pub mod channel;
pub mod device;
pub mod erasure;
pub mod holder;
pub mod log;
pub mod outbox;
pub mod overrides;
pub mod staff;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as NameError, StrDeserializer};

use crate::domain::details::Digest;
use crate::ports::store::StoreError;

/// Why a column doesn't read back.
#[derive(Debug, thiserror::Error)]
pub enum BadRow {
    #[error("column {column} holds a name that nobody gave it")]
    Name {
        column: &'static str,
        #[source]
        source: NameError,
    },
    #[error("column {column} is out of range")]
    Range { column: &'static str },
    #[error("the columns say something else than the body")]
    Columns,
    #[error("column {column} doesn't parse")]
    Parse {
        column: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The error of a row that doesn't read back.
pub fn corrupt(
    table: &'static str,
    id: impl ToString,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Corrupt { table, id: id.to_string(), source: source.into() }
}

/// A column that holds one of an enum's names, as serde spells them.
pub fn named<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, BadRow> {
    let names: StrDeserializer<'_, NameError> = text.into_deserializer();
    T::deserialize(names).map_err(|source| BadRow::Name { column, source })
}

/// A column that holds a number of a narrower type.
pub fn narrow<T: TryFrom<i64>>(column: &'static str, number: i64) -> Result<T, BadRow> {
    T::try_from(number).map_err(|_| BadRow::Range { column })
}

/// A column that holds a SHA-256.
pub fn digest(column: &'static str, bytes: &[u8]) -> Result<Digest, BadRow> {
    bytes.try_into().map(Digest::from_bytes).map_err(|_| BadRow::Range { column })
}

/// A column whose text has a parser of its own.
pub fn parsed<T, E>(column: &'static str, result: Result<T, E>) -> Result<T, BadRow>
where
    E: std::error::Error + Send + Sync + 'static,
{
    result.map_err(|source| BadRow::Parse { column, source: Box::new(source) })
}

/// A body as JSON text.
pub fn json(table: &'static str, id: impl ToString, value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| corrupt(table, id, source))
}
