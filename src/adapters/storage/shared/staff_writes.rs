//! Writes of staff, each in the transaction of its change. Whoever acts is read again here, under a lock and by the
//! database's clock, so that nobody acts after their end however the requests race.

use super::{Connection, Db, staff_statements as sql};
use crate::adapters::storage::at::At;
use crate::adapters::storage::failure::{Failure, Refused, touched};
use crate::adapters::storage::rows::json;
use crate::adapters::storage::rows::staff::{ChangeRow, DirectoryKeyRow, InviteRow, PasskeyRow, SessionRow, StaffRow};
use crate::adapters::storage::seal::Seals;
use crate::domain::ids::{DirectoryKeyId, InviteId, StaffId};
use crate::domain::staff::change::StaffChange;
use crate::domain::staff::directory::DirectoryKey;
use crate::domain::staff::invite::Invite;
use crate::domain::staff::passkey::Passkey;
use crate::domain::staff::session::Session;
use crate::domain::staff::view::{DAY, REVEALS_A_DAY, Seen, VIEWS_A_DAY, View};
use crate::domain::staff::{Role, Staff, admins_ever};
use crate::domain::time::Timestamp;
use crate::ports::staff::{Acting, Outcome, PasskeyProof, StaffEffect};
use crate::ports::store::Unique;

/// Writes one effect.
///
/// # Errors
/// [`Failure::Refused`] when a condition of it doesn't hold.
pub async fn apply(
    connection: &mut Connection,
    effect: &StaffEffect,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    match effect {
        StaffEffect::Add { staff, invite } => {
            founding(connection, invite, seals).await?;
            add_person(connection, staff, seals).await?;
            add_invite(connection, invite, seals).await
        }
        StaffEffect::CountInviteTry { invite, tries } => {
            let query = sqlx::query::<Db>(sql::COUNT_INVITE_TRY).bind(invite.uuid()).bind(i64::from(*tries));
            Ok(touched(query.execute(connection).await?.rows_affected())?)
        }
        StaffEffect::Enrol { invite, staff, from, passkey } => {
            spend(connection, *invite, staff.id, seals, now).await?;
            set_person(connection, staff, *from, seals).await?;
            add_passkey(connection, passkey, seals).await
        }
        StaffEffect::SignIn { session, proof } => {
            prove(connection, proof, seals, now).await?;
            add_session(connection, session, seals).await
        }
        StaffEffect::SignOut { session, at } => {
            let query = sqlx::query::<Db>(sql::END_SESSION).bind(session.uuid()).bind(At(*at));
            Ok(touched(query.execute(connection).await?.rows_affected())?)
        }
        StaffEffect::End { staff, from, by } => {
            if let Some(by) = by {
                acts(connection, *by, seals, now).await?;
            }
            set_person(connection, staff, *from, seals).await?;
            leave(connection, staff.id, now).await
        }
        StaffEffect::Propose { change, proof } => {
            prove(connection, proof, seals, now).await?;
            let row = ChangeRow::of(change, seals)?;
            let query = sqlx::query::<Db>(sql::INSERT_STAFF_CHANGE)
                .bind(row.id)
                .bind(row.version)
                .bind(row.body)
                .bind(row.seal);
            inserted(query.execute(connection).await?.rows_affected(), Unique::Other)
        }
        StaffEffect::Sign { change, from, proof, outcome } => {
            prove(connection, proof, seals, now).await?;
            for other in change.signatures.iter().filter(|signature| signature.by != proof.staff) {
                acts(connection, Acting { staff: other.by, role: Role::Admin }, seals, now).await?;
            }
            set_change(connection, change, *from, seals).await?;
            match outcome {
                Some(outcome) => carry_out(connection, outcome, seals).await,
                None => Ok(()),
            }
        }
        StaffEffect::Refuse { change, from, by } => {
            acts(connection, *by, seals, now).await?;
            set_change(connection, change, *from, seals).await
        }
        StaffEffect::Look { view, by } => look(connection, view, *by, seals, now).await,
        StaffEffect::AddDirectoryKey(key) => add_directory_key(connection, key, seals).await,
        StaffEffect::RevokeDirectoryKey { key, at } => revoke_directory_key(connection, *key, *at, seals).await,
    }
}

fn inserted(rows: u64, unique: Unique) -> Result<(), Failure> {
    if rows == 0 { Err(Refused::Duplicate(unique).into()) } else { Ok(()) }
}

/// The person as the record has them, kept until the transaction ends.
///
/// # Errors
/// [`Refused::Conflict`] for nobody.
pub async fn person(connection: &mut Connection, id: StaffId, seals: &Seals) -> Result<Staff, Failure> {
    let row = sqlx::query_as::<Db, StaffRow>(sql::PERSON_TO_CHANGE).bind(id.uuid());
    let row = row.fetch_optional(connection).await?.ok_or(Refused::Conflict)?;
    Ok(row.read(seals)?)
}

/// Whoever acts stands and has the role.
///
/// # Errors
/// [`Refused::Conflict`] when they don't.
pub async fn acts(
    connection: &mut Connection,
    acting: Acting,
    seals: &Seals,
    now: Timestamp,
) -> Result<Staff, Failure> {
    let person = person(connection, acting.staff, seals).await?;
    if person.may(acting.role, now) { Ok(person) } else { Err(Refused::Conflict.into()) }
}

/// The person of a signature stands and has the role, and the passkey's counter rises.
///
/// # Errors
/// [`Refused::Conflict`] when not.
pub async fn prove(
    connection: &mut Connection,
    proof: &PasskeyProof,
    seals: &Seals,
    now: Timestamp,
) -> Result<Staff, Failure> {
    let person = person(connection, proof.staff, seals).await?;
    let stands = proof.role.map_or_else(|| person.check(now).is_ok(), |role| person.may(role, now));
    if !stands {
        return Err(Refused::Conflict.into());
    }
    let query = sqlx::query::<Db>(sql::COUNT_PASSKEY)
        .bind(proof.credential_id.0.as_slice())
        .bind(proof.staff.uuid())
        .bind(i64::from(proof.counter));
    touched(query.execute(connection).await?.rows_affected())?;
    Ok(person)
}

/// Nothing of theirs works any more.
async fn leave(connection: &mut Connection, id: StaffId, now: Timestamp) -> Result<(), Failure> {
    for statement in [sql::END_SESSIONS, sql::END_INVITES] {
        sqlx::query::<Db>(statement).bind(id.uuid()).bind(At(now)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// A founding invite is worth something only while fewer than two admins have ever been.
async fn founding(connection: &mut Connection, invite: &Invite, seals: &Seals) -> Result<(), Failure> {
    let rows = sqlx::query_as::<Db, StaffRow>(sql::EVERYBODY_TO_COUNT).fetch_all(connection).await?;
    let everybody: Result<Vec<Staff>, _> = rows.into_iter().map(|row| row.read(seals)).collect();
    let admins = admins_ever(&everybody?);
    // Only this rule is asked here: time and tries were, or will be, by whoever spends it.
    if invite.is_founding_after(admins) { Err(Refused::Conflict.into()) } else { Ok(()) }
}

async fn spend(
    connection: &mut Connection,
    id: InviteId,
    staff: StaffId,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    let row = sqlx::query_as::<Db, InviteRow>(sql::INVITE_TO_SPEND).bind(id.uuid());
    let invite = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?.read(seals)?;
    founding(connection, &invite, seals).await?;
    if invite.staff != staff || invite.check_open(now).is_err() {
        return Err(Refused::Conflict.into());
    }
    let ended = sqlx::query::<Db>(sql::END_INVITE).bind(id.uuid()).bind(At(now));
    Ok(touched(ended.execute(connection).await?.rows_affected())?)
}

async fn add_person(connection: &mut Connection, staff: &Staff, seals: &Seals) -> Result<(), Failure> {
    let row = StaffRow::of(staff, seals)?;
    let added = sqlx::query::<Db>(sql::INSERT_PERSON)
        .bind(row.id)
        .bind(row.version)
        .bind(row.user_name)
        .bind(row.external_id)
        .bind(row.body)
        .bind(row.seal)
        .execute(connection)
        .await?;
    inserted(added.rows_affected(), Unique::Other)
}

async fn set_person(connection: &mut Connection, staff: &Staff, from: u32, seals: &Seals) -> Result<(), Failure> {
    let row = StaffRow::of(staff, seals)?;
    let set = sqlx::query::<Db>(sql::SET_PERSON)
        .bind(row.id)
        .bind(i64::from(from))
        .bind(row.version)
        .bind(row.user_name)
        .bind(row.external_id)
        .bind(row.body)
        .bind(row.seal);
    Ok(touched(set.execute(connection).await?.rows_affected())?)
}

async fn add_invite(connection: &mut Connection, invite: &Invite, seals: &Seals) -> Result<(), Failure> {
    let row = InviteRow::of(invite, seals)?;
    let added = sqlx::query::<Db>(sql::INSERT_INVITE)
        .bind(row.id)
        .bind(row.staff_id)
        .bind(row.token_hash)
        .bind(row.body)
        .bind(row.tries)
        .bind(row.ended_at)
        .bind(row.seal)
        .execute(connection)
        .await?;
    inserted(added.rows_affected(), Unique::Other)
}

async fn add_passkey(connection: &mut Connection, passkey: &Passkey, seals: &Seals) -> Result<(), Failure> {
    let row = PasskeyRow::of(passkey, seals)?;
    let added = sqlx::query::<Db>(sql::INSERT_PASSKEY)
        .bind(row.credential_id)
        .bind(row.staff_id)
        .bind(row.body)
        .bind(row.counter)
        .bind(row.seal)
        .execute(connection)
        .await?;
    inserted(added.rows_affected(), Unique::Credential)
}

async fn add_session(connection: &mut Connection, session: &Session, seals: &Seals) -> Result<(), Failure> {
    let row = SessionRow::of(session, seals);
    let added = sqlx::query::<Db>(sql::INSERT_SESSION)
        .bind(row.id)
        .bind(row.staff_id)
        .bind(row.token_hash)
        .bind(row.challenge)
        .bind(row.created_at)
        .bind(row.seen_at)
        .bind(row.ended_at)
        .bind(row.seal)
        .execute(connection)
        .await?;
    inserted(added.rows_affected(), Unique::Other)
}

async fn set_change(
    connection: &mut Connection,
    change: &StaffChange,
    from: u32,
    seals: &Seals,
) -> Result<(), Failure> {
    let row = ChangeRow::of(change, seals)?;
    let set = sqlx::query::<Db>(sql::SET_STAFF_CHANGE)
        .bind(row.id)
        .bind(i64::from(from))
        .bind(row.version)
        .bind(row.body)
        .bind(row.seal);
    Ok(touched(set.execute(connection).await?.rows_affected())?)
}

async fn carry_out(connection: &mut Connection, outcome: &Outcome, seals: &Seals) -> Result<(), Failure> {
    match outcome.from {
        Some(from) => set_person(connection, &outcome.staff, from, seals).await?,
        None => add_person(connection, &outcome.staff, seals).await?,
    }
    match &outcome.invite {
        Some(invite) => add_invite(connection, invite, seals).await,
        None => Ok(()),
    }
}

async fn look(
    connection: &mut Connection,
    view: &View,
    by: Acting,
    seals: &Seals,
    now: Timestamp,
) -> Result<(), Failure> {
    // The person's row is kept, so that two looks at once are counted one after the other.
    if acts(connection, by, seals, now).await?.profile.is(view.holder) {
        return Err(Refused::Conflict.into());
    }
    let since = At(now - DAY);
    let views = sqlx::query_scalar::<Db, i64>(sql::COUNT_VIEWS).bind(view.staff.uuid()).bind(since);
    if views.fetch_one(&mut *connection).await? >= i64::from(VIEWS_A_DAY) {
        return Err(Refused::Cap.into());
    }
    if matches!(view.seen, Seen::Account { .. }) {
        let reveals = sqlx::query_scalar::<Db, i64>(sql::COUNT_REVEALS).bind(view.staff.uuid()).bind(since);
        if reveals.fetch_one(&mut *connection).await? >= i64::from(REVEALS_A_DAY) {
            return Err(Refused::Cap.into());
        }
    }
    let added = sqlx::query::<Db>(sql::INSERT_VIEW)
        .bind(view.id.uuid())
        .bind(view.staff.uuid())
        .bind(view.holder.uuid())
        .bind(At(view.at))
        .bind(view.seen.as_str())
        .bind(json("staff_views", view.id, view)?)
        .execute(&mut *connection)
        .await?;
    inserted(added.rows_affected(), Unique::Other)?;
    let last = sqlx::query::<Db>(sql::SET_LAST_VIEWED).bind(view.holder.uuid()).bind(At(view.at));
    last.execute(connection).await?;
    Ok(())
}

async fn add_directory_key(connection: &mut Connection, key: &DirectoryKey, seals: &Seals) -> Result<(), Failure> {
    let row = DirectoryKeyRow::of(key, seals);
    let added = sqlx::query::<Db>(sql::INSERT_DIRECTORY_KEY)
        .bind(row.id)
        .bind(row.hash)
        .bind(row.created_at)
        .bind(row.revoked_at)
        .bind(row.seal)
        .execute(connection)
        .await?;
    inserted(added.rows_affected(), Unique::Other)
}

async fn revoke_directory_key(
    connection: &mut Connection,
    id: DirectoryKeyId,
    at: Timestamp,
    seals: &Seals,
) -> Result<(), Failure> {
    let row = sqlx::query_as::<Db, DirectoryKeyRow>(sql::DIRECTORY_KEY_TO_CHANGE).bind(id.uuid());
    let mut key = row.fetch_optional(&mut *connection).await?.ok_or(Refused::Conflict)?.read(seals)?;
    if key.revoked_at.is_some() {
        return Err(Refused::Conflict.into());
    }
    key.revoked_at = Some(at);
    let row = DirectoryKeyRow::of(&key, seals);
    let revoked = sqlx::query::<Db>(sql::REVOKE_DIRECTORY_KEY).bind(row.id).bind(row.revoked_at).bind(row.seal);
    Ok(touched(revoked.execute(connection).await?.rows_affected())?)
}
