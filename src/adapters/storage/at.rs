//! How a [`Timestamp`] is stored: `timestamptz` in PostgreSQL, an INTEGER of microseconds in SQLite. Both keep every
//! microsecond and both compare as numbers do. May import: `domain`, sqlx.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Postgres, Sqlite, Type};

use crate::domain::time::Timestamp;

/// PostgreSQL counts microseconds from 2000-01-01T00:00:00Z (src/include/datatype/timestamp.h).
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
/// `timestamptz` and `timestamptz[]` in src/include/catalog/pg_type.dat; the numbers of built-in types never change.
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// A moment in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub Timestamp);

/// The value doesn't name a moment: PostgreSQL's infinities, or a value out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a moment that can be stored")]
pub struct NoMoment;

impl From<Timestamp> for At {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl From<At> for Timestamp {
    fn from(at: At) -> Self {
        at.0
    }
}

impl Type<Postgres> for At {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for At {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for At {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.micros().checked_sub(POSTGRES_EPOCH).ok_or(NoMoment)?;
        <i64 as Encode<'_, Postgres>>::encode_by_ref(&micros, buffer)
    }

    fn size_hint(&self) -> usize {
        size_of::<i64>()
    }
}

impl<'r> Decode<'r, Postgres> for At {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        // Every query goes through the extended protocol, which sends binary values.
        if value.format() != PgValueFormat::Binary {
            return Err(NoMoment.into());
        }
        let micros = <i64 as Decode<'r, Postgres>>::decode(value)?;
        if micros == i64::MAX || micros == i64::MIN {
            return Err(NoMoment.into());
        }
        Ok(Self(Timestamp::from_micros(micros.checked_add(POSTGRES_EPOCH).ok_or(NoMoment)?)))
    }
}

impl Type<Sqlite> for At {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }

    fn compatible(ty: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(ty)
    }
}

impl Encode<'_, Sqlite> for At {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<'_, Sqlite>>::encode_by_ref(&self.0.micros(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for At {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        <i64 as Decode<'r, Sqlite>>::decode(value).map(|micros| Self(Timestamp::from_micros(micros)))
    }
}
