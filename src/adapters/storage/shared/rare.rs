//! The seldom writes, each alone in its transaction.

use sqlx::{Connection as _, Transaction};

use super::{BEGIN, Connection, DatabaseClock, Db, add, erasures, outbox, override_writes, sql, staff_writes};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::{Failure, Refused, touched};
use crate::adapters::storage::rows::backend::KeyRow;
use crate::adapters::storage::rows::channel::ChannelRow;
use crate::adapters::storage::rows::device::DeviceRow;
use crate::adapters::storage::rows::holder::{HolderRow, LinkRow};
use crate::adapters::storage::rows::outbox::EndpointRow;
use crate::adapters::storage::seal::Seals;
use crate::adapters::storage::write::Write;
use crate::domain::backend::{ApiKey, Remembered};
use crate::domain::channel::Channel;
use crate::domain::device::Device;
use crate::domain::ids::{DeviceId, KeyId, LinkId};
use crate::domain::link::{EnrolLink, LINKS_A_DAY, LINKS_DAY};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Endpoint, MAX_ENDPOINTS};
use crate::ports::change::Effect;
use crate::ports::store::Unique;

/// Writes one change in a transaction of its own.
///
/// # Errors
/// [`Failure::Refused`] when the record stood in the way; [`Failure::Sql`] also when the fate of the COMMIT is unknown.
pub async fn write(
    connection: &mut Connection,
    write: &Write,
    effect: &Effect,
    seals: &Seals,
    clock: &DatabaseClock,
) -> Result<(), Failure> {
    let mut transaction: Transaction<'_, Db> = connection.begin_with(BEGIN).await?;
    let now = clock.now(&mut transaction).await?;
    let written = match apply(&mut transaction, write, effect, seals, now).await {
        Ok(()) => add::consequences(&mut transaction, write, now).await.map_err(Into::into),
        Err(failure) => Err(failure),
    };
    if let Err(failure) = written {
        // Said now: a transaction that is only dropped is rolled back when its connection is used again, and until then
        // keeps its rows from everybody else. Why it failed is the answer; a connection that is lost rolls back by itself.
        if let Err(error) = transaction.rollback().await {
            tracing::debug!(error = %error, "a refused change could not be rolled back by hand");
        }
        return Err(failure);
    }
    transaction.commit().await?;
    Ok(())
}

async fn apply(
    connection: &mut Connection,
    write: &Write,
    effect: &Effect,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    match effect {
        // These have a path of their own, and come here only by mistake.
        Effect::Noted | Effect::Open { .. } | Effect::Transition { .. } => Err(Refused::Conflict.into()),
        Effect::AddHolder { holder, channels, remember } => {
            remember_once(connection, remember).await?;
            add_holder(connection, &HolderRow::of(holder, seals)).await?;
            inserted(u64::from(erasures::never_erased(connection, holder, seals).await?), Unique::Subject)?;
            for channel in channels {
                add_channel(connection, channel, seals).await?;
            }
            Ok(())
        }
        Effect::AddChannel(channel) => {
            // Whoever removes or locks the device at the same time waits, and then finds this channel; or was first.
            if let Some(device) = channel.device {
                let row = sqlx::query_as::<Db, DeviceRow>(sql::DEVICE_TO_CHANGE).bind(device.uuid());
                let row = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?;
                let device = row.read(seals)?;
                if device.removed_at.is_some() || device.locked_at.is_some() {
                    return Err(Refused::Conflict.into());
                }
            }
            add_channel(connection, channel, seals).await
        }
        Effect::RemoveChannel { channel, at } => {
            let row = sqlx::query_as::<Db, ChannelRow>(sql::CHANNEL_TO_REMOVE).bind(channel.uuid());
            let row = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?;
            row.clone().read(seals)?;
            remove_channel(connection, row, *at, seals).await
        }
        Effect::AddLink { link, remember } => {
            remember_once(connection, remember).await?;
            add_link(connection, link, seals, now).await
        }
        Effect::CountTry { link, tries } => count_try(connection, *link, *tries).await,
        Effect::EndLink { link, at } => end_link(connection, *link, *at).await,
        Effect::EnrolFirst { link, device, at } => enrol_first(connection, *link, device, *at, seals, now).await,
        Effect::CountFailure { device, failures, lock_at } => {
            count_failure(connection, *device, *failures, *lock_at, seals).await
        }
        Effect::AddEndpoint { endpoint, remember } => {
            remember_once(connection, remember).await?;
            add_endpoint(connection, endpoint).await
        }
        Effect::SetEndpoint(endpoint) => set_endpoint(connection, endpoint).await,
        Effect::RemoveEndpoint(id) => {
            let gone = sqlx::query::<Db>(sql::REMOVE_ENDPOINT).bind(id.uuid()).execute(&mut *connection).await?;
            touched(gone.rows_affected())?;
            sqlx::query::<Db>(sql::REMOVE_QUEUED).bind(id.uuid()).execute(connection).await?;
            Ok(())
        }
        Effect::Bounce(notice) => touched(outbox::bounce(connection, *notice, now).await?).map_err(Into::into),
        Effect::AddBackend { backend, key } => {
            let added = sqlx::query::<Db>(sql::INSERT_BACKEND)
                .bind(backend.id.uuid())
                .bind(backend.name.as_str())
                .bind(At(backend.created_at))
                .execute(&mut *connection)
                .await?;
            inserted(added.rows_affected(), Unique::Other)?;
            add_key(connection, key, seals).await
        }
        Effect::AddKey(key) => add_key(connection, key, seals).await,
        Effect::RevokeKey { key, at } => revoke_key(connection, *key, *at, seals).await,
        Effect::Staff(effect) => staff_writes::apply(connection, effect, seals, now).await,
        Effect::Freeze { step, proof } => override_writes::freeze(connection, step, *proof, seals, now).await,
        Effect::Override(write) => override_writes::step(connection, write, seals, now).await,
        Effect::MoveSigned { transition, case, receipt } => {
            override_writes::move_signed(connection, transition, case, receipt.as_deref(), seals, now).await
        }
        Effect::Erase(step) => erasures::step(connection, step, write.entry.id, seals, now).await,
    }
}

fn inserted(rows: u64, unique: Unique) -> Result<(), Refused> {
    if rows == 0 { Err(Refused::Duplicate(unique)) } else { Ok(()) }
}

async fn remember_once(connection: &mut Connection, answer: &Remembered) -> Result<(), Failure> {
    let new = add::remembered(connection, answer).await?;
    Ok(inserted(u64::from(new), Unique::IdempotencyKey)?)
}

async fn add_holder(connection: &mut Connection, row: &HolderRow) -> Result<(), Failure> {
    let added = sqlx::query::<Db>(sql::INSERT_HOLDER)
        .bind(row.id)
        .bind(row.backend_id)
        .bind(row.subject.as_str())
        .bind(row.created_at)
        .bind(row.enrolled_at)
        .bind(row.seal.as_slice())
        .execute(connection)
        .await?;
    Ok(inserted(added.rows_affected(), Unique::Subject)?)
}

async fn add_channel(connection: &mut Connection, channel: &Channel, seals: &Seals) -> Result<(), Failure> {
    let row = ChannelRow::of(channel, seals);
    let added = sqlx::query::<Db>(sql::INSERT_CHANNEL)
        .bind(row.id)
        .bind(row.holder_id)
        .bind(row.kind)
        .bind(row.device_id)
        .bind(row.masked)
        .bind(row.address)
        .bind(row.created_at)
        .bind(row.counts_from)
        .bind(row.removed_at)
        .bind(row.seal)
        .execute(connection)
        .await?;
    Ok(inserted(added.rows_affected(), Unique::Other)?)
}

/// Takes away a row that was believed, under a new seal.
///
/// # Errors
/// [`Refused::Conflict`] when it is gone already.
pub async fn remove_channel(
    connection: &mut Connection,
    row: ChannelRow,
    at: Timestamp,
    seals: &Seals,
) -> Result<(), Failure> {
    let row = seals.close(ChannelRow { removed_at: Some(At(at)), ..row });
    let removed = sqlx::query::<Db>(sql::REMOVE_CHANNEL).bind(row.id).bind(At(at)).bind(row.seal);
    Ok(touched(removed.execute(connection).await?.rows_affected())?)
}

async fn add_link(connection: &mut Connection, link: &EnrolLink, seals: &Seals, now: Timestamp) -> Result<(), Failure> {
    // Two links made at once must not both stay open, nor both be the day's last: the holder's row is kept until this
    // one is stored.
    let lock = sqlx::query::<Db>(sql::HOLDER_TO_CHANGE).bind(link.holder.uuid());
    lock.fetch_optional(&mut *connection).await?;
    override_writes::not_frozen(connection, link.holder).await?;
    let since = At(now - LINKS_DAY);
    let made = sqlx::query_scalar::<Db, i64>(sql::LINKS_OF_THE_DAY).bind(link.holder.uuid()).bind(since);
    if made.fetch_one(&mut *connection).await? >= i64::from(LINKS_A_DAY) {
        return Err(Refused::Cap.into());
    }
    sqlx::query::<Db>(sql::END_LINKS)
        .bind(link.holder.uuid())
        .bind(At(link.created_at))
        .execute(&mut *connection)
        .await?;
    let row = LinkRow::of(link, seals);
    let added = sqlx::query::<Db>(sql::INSERT_LINK)
        .bind(row.id)
        .bind(row.holder_id)
        .bind(row.token_hash)
        .bind(row.created_at)
        .bind(row.expires_at)
        .bind(row.tries)
        .bind(row.ended_at)
        .bind(row.seal)
        .execute(connection)
        .await?;
    Ok(inserted(added.rows_affected(), Unique::Other)?)
}

async fn count_try(connection: &mut Connection, link: LinkId, tries: u32) -> Result<(), Failure> {
    let query = sqlx::query::<Db>(sql::COUNT_TRY).bind(link.uuid()).bind(i64::from(tries));
    Ok(touched(query.execute(connection).await?.rows_affected())?)
}

async fn end_link(connection: &mut Connection, link: LinkId, at: Timestamp) -> Result<(), Failure> {
    let query = sqlx::query::<Db>(sql::END_LINK).bind(link.uuid()).bind(At(at));
    Ok(touched(query.execute(connection).await?.rows_affected())?)
}

async fn enrol_first(
    connection: &mut Connection,
    link: LinkId,
    device: &Device,
    at: Timestamp,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    let holder = device.body.holder;
    let spent = sqlx::query::<Db>(sql::SPEND_LINK)
        .bind(link.uuid())
        .bind(At(at))
        .bind(holder.uuid())
        .bind(At(now))
        .execute(&mut *connection)
        .await?;
    touched(spent.rows_affected())?;
    let row = sqlx::query_as::<Db, HolderRow>(sql::HOLDER_TO_CHANGE).bind(holder.uuid());
    let row = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?;
    let mut record = row.read(seals)?;
    if record.enrolled_at.is_some() {
        return Err(Refused::Conflict.into());
    }
    // Read with the holder's row in hand, which whoever freezes them takes too.
    override_writes::not_frozen(connection, holder).await?;
    record.enrolled_at = Some(at);
    let row = HolderRow::of(&record, seals);
    let enrolled = sqlx::query::<Db>(sql::HOLDER_ENROLLED).bind(row.id).bind(row.enrolled_at).bind(row.seal);
    touched(enrolled.execute(&mut *connection).await?.rows_affected())?;
    add_device(connection, &DeviceRow::of(device, seals)?).await
}

async fn add_device(connection: &mut Connection, row: &DeviceRow) -> Result<(), Failure> {
    let added = sqlx::query::<Db>(sql::INSERT_DEVICE)
        .bind(row.id)
        .bind(row.holder_id)
        .bind(row.credential_id.as_slice())
        .bind(row.cookie_hash.as_slice())
        .bind(row.thumbprint.as_slice())
        .bind(row.body.as_str())
        .bind(row.counter)
        .bind(row.failures)
        .bind(row.locked_at)
        .bind(row.removed_at)
        .bind(row.seal.as_slice())
        .execute(&mut *connection)
        .await?;
    if added.rows_affected() == 1 {
        return Ok(());
    }
    let taken = sqlx::query_scalar::<Db, i64>(sql::CREDENTIAL_TAKEN).bind(row.credential_id.as_slice());
    let unique = if taken.fetch_one(connection).await? > 0 { Unique::Credential } else { Unique::Other };
    Err(Refused::Duplicate(unique).into())
}

async fn count_failure(
    connection: &mut Connection,
    device: DeviceId,
    failures: u32,
    lock_at: Option<Timestamp>,
    seals: &Seals,
) -> Result<(), Failure> {
    let row = sqlx::query_as::<Db, DeviceRow>(sql::DEVICE_TO_CHANGE).bind(device.uuid());
    let row = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?;
    let mut record = row.read(seals)?;
    record.locked_at = record.locked_at.or(lock_at);
    let row = DeviceRow::of(&record, seals)?;
    let query =
        sqlx::query::<Db>(sql::COUNT_FAILURE).bind(row.id).bind(i64::from(failures)).bind(row.locked_at).bind(row.seal);
    Ok(touched(query.execute(connection).await?.rows_affected())?)
}

async fn add_endpoint(connection: &mut Connection, endpoint: &Endpoint) -> Result<(), Failure> {
    // Whoever else adds one waits here, and then counts this one too.
    let lock = sqlx::query::<Db>(sql::LOCK_BACKEND).bind(endpoint.backend.uuid());
    lock.fetch_optional(&mut *connection).await?;
    let count = sqlx::query_scalar::<Db, i64>(sql::COUNT_ENDPOINTS).bind(endpoint.backend.uuid());
    let count = count.fetch_one(&mut *connection).await?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= MAX_ENDPOINTS {
        return Err(Refused::Cap.into());
    }
    let row = EndpointRow::of(endpoint);
    let added = sqlx::query::<Db>(sql::INSERT_ENDPOINT)
        .bind(row.id)
        .bind(row.backend_id)
        .bind(row.url)
        .bind(row.status)
        .bind(row.created_at)
        .bind(row.secret)
        .bind(row.previous_secret)
        .bind(row.previous_until)
        .execute(connection)
        .await?;
    Ok(inserted(added.rows_affected(), Unique::Other)?)
}

async fn set_endpoint(connection: &mut Connection, endpoint: &Endpoint) -> Result<(), Failure> {
    let row = EndpointRow::of(endpoint);
    let set = sqlx::query::<Db>(sql::SET_ENDPOINT)
        .bind(row.id)
        .bind(row.backend_id)
        .bind(row.url)
        .bind(row.status)
        .bind(row.secret)
        .bind(row.previous_secret)
        .bind(row.previous_until)
        .execute(connection)
        .await?;
    Ok(touched(set.rows_affected())?)
}

async fn add_key(connection: &mut Connection, key: &ApiKey, seals: &Seals) -> Result<(), Failure> {
    let row = KeyRow::of(key, seals);
    let added = sqlx::query::<Db>(sql::INSERT_KEY)
        .bind(row.id)
        .bind(row.backend_id)
        .bind(row.hash)
        .bind(row.scopes)
        .bind(row.created_at)
        .bind(row.revoked_at)
        .bind(row.seal)
        .execute(connection)
        .await?;
    Ok(inserted(added.rows_affected(), Unique::Other)?)
}

async fn revoke_key(connection: &mut Connection, id: KeyId, at: Timestamp, seals: &Seals) -> Result<(), Failure> {
    let row = sqlx::query_as::<Db, KeyRow>(sql::KEY_TO_CHANGE).bind(id.uuid());
    let mut key = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?.read(seals)?;
    if key.revoked_at.is_some() {
        return Err(Refused::Conflict.into());
    }
    key.revoked_at = Some(at);
    let row = KeyRow::of(&key, seals);
    let revoked = sqlx::query::<Db>(sql::REVOKE_KEY).bind(row.id).bind(row.revoked_at).bind(row.seal);
    Ok(touched(revoked.execute(connection).await?.rows_affected())?)
}
