//! Writes of freezes and override requests, each in a transaction of its own with all that it does elsewhere.

use std::time::Duration;

use uuid::Uuid;

use super::override_sql as own;
use super::{Connection, Db, rare, sql, staff_statements, staff_writes};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::{Failure, Refused, touched};
use crate::adapters::storage::rows::approval::ApprovalRow;
use crate::adapters::storage::rows::channel::ChannelRow;
use crate::adapters::storage::rows::device::DeviceRow;
use crate::adapters::storage::rows::holder::HolderRow;
use crate::adapters::storage::rows::overrides::{FreezeRow, OverrideRow};
use crate::adapters::storage::seal::Seals;
use crate::domain::approval::StateName;
use crate::domain::approval::transitions::{Guard, Transition};
use crate::domain::device::Device;
use crate::domain::freeze::{FreezeStep, STAFF_FREEZES_A_DAY};
use crate::domain::ids::{HolderId, StaffId};
use crate::domain::override_request::transitions::{Carry, Event, Step};
use crate::domain::override_request::{OverrideRequest, Signature, draw};
use crate::domain::time::Timestamp;
use crate::ports::change::DeviceProof;
use crate::ports::overrides::{Also, OverrideWrite};
use crate::ports::store::Unique;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn in_time(guard: Guard, now: Timestamp) -> Result<(), Refused> {
    let after = guard.not_before.is_none_or(|bound| bound <= now);
    let before = guard.before.is_none_or(|bound| now < bound);
    if after && before { Ok(()) } else { Err(Refused::Conflict) }
}

async fn count(connection: &mut Connection, query: Counted<'_>) -> Result<u32, Failure> {
    let number = query.fetch_one(connection).await?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

type Counted<'q> = sqlx::query::QueryScalar<'q, Db, i64, <Db as sqlx::Database>::Arguments>;

fn below(number: u32, cap: u32) -> Result<(), Refused> {
    if number < cap { Ok(()) } else { Err(Refused::Cap) }
}

async fn gate(connection: &mut Connection, name: &'static str) -> Result<(), Failure> {
    sqlx::query::<Db>(own::LOCK_GATE).bind(name).fetch_optional(connection).await?;
    Ok(())
}

/// Refuses when a freeze of this holder holds.
///
/// # Errors
/// [`Refused::Frozen`].
pub async fn not_frozen(connection: &mut Connection, holder: HolderId) -> Result<(), Failure> {
    let holding = sqlx::query_scalar::<Db, i64>(own::HOLDING).bind(holder.uuid());
    if count(connection, holding).await? == 0 { Ok(()) } else { Err(Refused::Frozen.into()) }
}

/// A step of a freeze.
///
/// # Errors
/// As [`crate::ports::change::Effect::Freeze`].
pub async fn freeze(
    connection: &mut Connection,
    step: &FreezeStep,
    proof: Option<DeviceProof>,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    in_time(step.guard, now)?;
    let freeze = &step.freeze;
    // Whoever enrols or invites holds this row too, so neither slips by the other.
    let holder = sqlx::query::<Db>(sql::HOLDER_TO_CHANGE).bind(freeze.holder.uuid());
    holder.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?;
    let staff = FreezeRow::staff(freeze);
    if let Some(staff) = staff
        && freeze.holds()
    {
        gate(connection, "freeze").await?;
        let today = sqlx::query_scalar::<Db, i64>(own::FREEZES_OF_STAFF).bind(staff.uuid()).bind(At(now - DAY));
        below(count(connection, today).await?, STAFF_FREEZES_A_DAY)?;
    }
    store_freeze(connection, step, staff, seals, now).await?;
    if let Some(proof) = proof {
        let proved = sqlx::query::<Db>(own::PROVE_BESIDE).bind(proof.device.uuid()).bind(i64::from(proof.counter));
        touched(proved.execute(connection).await?.rows_affected())?;
    }
    Ok(())
}

/// Stores a step of a freeze, whose holder's row is in hand.
///
/// # Errors
/// [`Refused::Conflict`].
pub async fn store_freeze(
    connection: &mut Connection,
    step: &FreezeStep,
    staff: Option<StaffId>,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    let row = FreezeRow::of(&step.freeze, seals)?;
    let staff_at = staff.map(|_| At(now));
    let Some(from) = step.from else {
        let added = sqlx::query::<Db>(own::INSERT_FREEZE)
            .bind(row.id)
            .bind(row.holder_id)
            .bind(row.version)
            .bind(row.began_at)
            .bind(row.due_at)
            .bind(row.ended_at)
            .bind(row.body)
            .bind(row.seal)
            .bind(staff.map(StaffId::uuid))
            .bind(staff_at)
            .execute(connection)
            .await?;
        return Ok(touched(added.rows_affected())?);
    };
    let set = sqlx::query::<Db>(own::SET_FREEZE)
        .bind(row.id)
        .bind(i64::from(from))
        .bind(row.version)
        .bind(row.due_at)
        .bind(row.ended_at)
        .bind(row.body)
        .bind(row.seal)
        .bind(staff.map(StaffId::uuid))
        .bind(staff_at)
        .execute(connection)
        .await?;
    Ok(touched(set.rows_affected())?)
}

/// A step of an override request.
///
/// # Errors
/// As [`crate::ports::change::Effect::Override`].
pub async fn step(
    connection: &mut Connection,
    write: &OverrideWrite,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    let step = &write.step;
    in_time(step.guard, now)?;
    if let Some(proof) = &write.proof {
        staff_writes::prove(connection, proof, seals, now).await?;
    }
    match step.event {
        Event::Signed | Event::SignedTwice | Event::CarriedOut => {
            signers_stand(connection, &step.case, seals, now).await?
        }
        _ => {}
    }
    match step.event {
        Event::Asked | Event::Signed | Event::SignedTwice => within_caps(connection, write, now).await?,
        Event::Redrawn => gate(connection, "override").await?,
        Event::Told
        | Event::CarriedOut
        | Event::Refused
        | Event::Expired
        | Event::Stopped
        | Event::Unreachable
        | Event::Void => {}
    }
    if matches!(step.event, Event::Asked | Event::Redrawn) {
        draw_stands(connection, step, seals, now).await?;
    }
    let row = OverrideRow::of(&step.case, seals)?;
    match step.from {
        None => {
            let added = sqlx::query::<Db>(own::INSERT_OVERRIDE)
                .bind(row.id)
                .bind(row.holder_id)
                .bind(row.target_id)
                .bind(row.kind)
                .bind(row.state)
                .bind(row.version)
                .bind(row.requester_id)
                .bind(row.created_at)
                .bind(row.due_at)
                .bind(row.body)
                .bind(row.seal)
                .execute(&mut *connection)
                .await?;
            if added.rows_affected() == 0 {
                return Err(Refused::Duplicate(Unique::Other).into());
            }
        }
        Some(from) => {
            let set = sqlx::query::<Db>(own::SET_OVERRIDE)
                .bind(row.id)
                .bind(i64::from(from))
                .bind(row.state)
                .bind(row.version)
                .bind(row.due_at)
                .bind(row.body)
                .bind(row.seal)
                .execute(&mut *connection)
                .await?;
            touched(set.rows_affected())?;
        }
    }
    for notice in &write.tell {
        sqlx::query::<Db>(staff_statements::INSERT_STAFF_NOTICE)
            .bind(notice.id.uuid())
            .bind(notice.staff.uuid())
            .bind(notice.case.uuid())
            .bind(At(notice.created_at))
            .bind(At(notice.useless_after))
            .execute(&mut *connection)
            .await?;
    }
    match &write.also {
        Also::Nothing => Ok(()),
        Also::Approval(transition) => move_beside(connection, transition, None, seals, now).await,
        Also::Freeze(step) => {
            in_time(step.guard, now)?;
            store_freeze(connection, step, FreezeRow::staff(&step.freeze), seals, now).await
        }
        Also::ResetDevices(carry) => reset_devices(connection, carry, seals, now).await,
    }
}

/// The release or the redeem of a transfer that two staff members approved.
///
/// # Errors
/// As [`crate::ports::change::Effect::MoveSigned`].
pub async fn move_signed(
    connection: &mut Connection,
    transition: &Transition,
    case: &OverrideRequest,
    receipt: Option<&str>,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    // The signers' rows are taken first, as everywhere, so that nobody waits for each other.
    signers_stand(connection, case, seals, now).await?;
    move_beside(connection, transition, receipt, seals, now).await
}

/// Every signature counts as its person is now. Their rows are kept until the end, so that whoever ends or moves one of
/// them comes before this or after it.
async fn signers_stand(
    connection: &mut Connection,
    case: &OverrideRequest,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut ids: Vec<StaffId> = case.state.signatures().iter().map(|signature| signature.staff).collect();
    // Everybody locks in the same order.
    ids.sort_unstable();
    let mut people = Vec::with_capacity(ids.len());
    for id in ids {
        people.push(staff_writes::person(connection, id, seals).await?);
    }
    if case.signatures_stand(&people, now) { Ok(()) } else { Err(Refused::Conflict.into()) }
}

/// Whether the signers are those whom the day's draw gave, asked behind the gate, so that no two draw side by side.
async fn draw_stands(connection: &mut Connection, step: &Step, seals: &Seals, now: Timestamp) -> Result<(), Failure> {
    let request = &step.case.request;
    let rows = sqlx::query_as::<Db, OverrideRow>(own::OVERRIDES_SINCE)
        .bind(request.holder.uuid())
        .bind(request.kind.name().as_str())
        .bind(At(now - draw::LOOKS_BACK))
        .fetch_all(connection)
        .await?;
    let others: Vec<OverrideRequest> = rows.into_iter().map(|row| row.read(seals)).collect::<Result<_, _>>()?;
    if step.event == Event::Redrawn {
        let used_up = draw::redrawn_elsewhere(&others, request, now);
        return if used_up { Err(Refused::Conflict.into()) } else { Ok(()) };
    }
    match draw::standing(&others, request, now) {
        Ok(stands) if stands.is_none_or(|stands| stands == step.case.draw()) => Ok(()),
        Ok(_) => Err(Refused::Conflict.into()),
        Err(_) => Err(Refused::Cap.into()),
    }
}

/// The daily caps, and that nobody signs one request twice.
async fn within_caps(connection: &mut Connection, write: &OverrideWrite, now: Timestamp) -> Result<(), Failure> {
    gate(connection, "override").await?;
    let (case, caps, since) = (&write.step.case, &write.caps, At(now - DAY));
    let by = |staff: StaffId| -> Uuid { staff.uuid() };
    let signatures = case.state.signatures();
    let Some((last, earlier)) = signatures.split_last() else {
        let asked = sqlx::query_scalar::<Db, i64>(own::ASKED_BY_ONE).bind(by(case.request.requester)).bind(since);
        return Ok(below(count(connection, asked).await?, caps.asked_by_one)?);
    };
    let one = sqlx::query_scalar::<Db, i64>(own::SIGNED_BY_ONE).bind(by(last.staff)).bind(since);
    below(count(connection, one).await?, caps.signed_by_one)?;
    if let Some(first) = earlier.first() {
        let pair = sqlx::query_scalar::<Db, i64>(own::SIGNED_BY_PAIR).bind(by(first.staff)).bind(by(last.staff));
        below(count(connection, pair.bind(since)).await?, caps.signed_by_pair)?;
        let all = sqlx::query_scalar::<Db, i64>(own::SIGNED_IN_ALL).bind(since);
        below(count(connection, all).await?, caps.in_all)?;
    }
    signed(connection, case.id().uuid(), last, signatures.len()).await
}

async fn signed(connection: &mut Connection, case: Uuid, by: &Signature, number: usize) -> Result<(), Failure> {
    let added = sqlx::query::<Db>(own::INSERT_SIGNATURE)
        .bind(case)
        .bind(by.staff.uuid())
        .bind(i64::try_from(number).unwrap_or(i64::MAX))
        .bind(At(by.at))
        .execute(connection)
        .await?;
    Ok(touched(added.rows_affected())?)
}

async fn move_beside(
    connection: &mut Connection,
    transition: &Transition,
    receipt: Option<&str>,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    in_time(transition.guard, now)?;
    if transition.approval.state.name() != StateName::Pending {
        not_frozen(connection, transition.approval.holder).await?;
    }
    let row = ApprovalRow::of(&transition.approval, seals)?;
    let columns = row.columns;
    let moved = sqlx::query::<Db>(own::MOVE_BESIDE)
        .bind(row.id)
        .bind(i64::from(transition.from))
        .bind(columns.state)
        .bind(columns.reason)
        .bind(columns.version)
        .bind(columns.expires_at)
        .bind(columns.cooling_until)
        .bind(columns.approved_at)
        .bind(columns.redeem_until)
        .bind(columns.due_at)
        .bind(columns.decided_by)
        .bind(row.body)
        .bind(row.seal)
        .bind(receipt)
        .execute(connection)
        .await?;
    Ok(touched(moved.rows_affected())?)
}

async fn reset_devices(
    connection: &mut Connection,
    carry: &Carry,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    let holder = carry.devices_of().ok_or(Refused::Conflict)?;
    let row = sqlx::query_as::<Db, HolderRow>(sql::HOLDER_TO_CHANGE).bind(holder.uuid());
    let row = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?;
    let mut record = row.read(seals)?;
    record.enrolled_at = None;
    let row = HolderRow::of(&record, seals);
    let reset = sqlx::query::<Db>(own::HOLDER_RESET).bind(row.id).bind(row.seal);
    touched(reset.execute(&mut *connection).await?.rows_affected())?;
    let rows = sqlx::query_as::<Db, DeviceRow>(own::DEVICES_TO_REMOVE).bind(holder.uuid());
    for row in rows.fetch_all(&mut *connection).await? {
        let row = match row.clone().read(seals) {
            Ok(device) => DeviceRow::of(&Device { removed_at: Some(now), ..device }, seals)?,
            // It isn't believed as it is, and mustn't keep the others alive.
            Err(_) => DeviceRow { removed_at: Some(At(now)), ..row },
        };
        let remove = sqlx::query::<Db>(own::REMOVE_DEVICE).bind(row.id).bind(row.removed_at).bind(row.seal);
        remove.execute(&mut *connection).await?;
    }
    remove_their_channels(connection, holder, seals, now).await
}

/// A push channel goes with its device: what it takes has told nobody any more.
async fn remove_their_channels(
    connection: &mut Connection,
    holder: HolderId,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    let rows = sqlx::query_as::<Db, ChannelRow>(own::CHANNELS_ON_DEVICES).bind(holder.uuid());
    for row in rows.fetch_all(&mut *connection).await? {
        if let Err(error) = row.clone().read(seals) {
            // It isn't believed anywhere, so there is nothing to take away.
            tracing::error!(%error, "a channel on a removed device was refused");
            continue;
        }
        rare::remove_channel(connection, row, now, seals).await?;
    }
    Ok(())
}
