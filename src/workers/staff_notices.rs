//! Tells drawn signers by mail that a case waits for them. The rows were written with the draw; what they say is looked
//! at again before it goes out: somebody who ended, who has signed, or whose case is over gets nothing.

use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::notices::Senders;
use crate::domain::channel::{Address, NOTICE_RETRIES};
use crate::domain::staff::Role;
use crate::domain::staff::notice::still_waits;
use crate::ports::outward::SendError;
use crate::ports::secrets::BoxKey;
use crate::ports::staff::StaffNoticeJob;
use crate::ports::store::NoticeOutcome;
use crate::service::{Context, Error, notify};

const BATCH: u32 = 16;
const LEASE: Duration = Duration::from_secs(60);
/// Longest a mail server may take; a batch may outlast its lease, and is then sent once more at the worst.
const SEND: Duration = Duration::from_secs(15);
const PERIOD: Duration = Duration::from_secs(5);

/// Runs until stopped; a letter that is being handed over is finished first.
pub async fn run(cx: Context, senders: Senders, stop: CancellationToken) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = period.tick() => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = turn(&cx, &senders).await {
            tracing::warn!(error = %error, "notices to staff can't be sent at present");
        }
    }
}

/// Leases once and sends what was leased. Gives how many there were.
///
/// # Errors
/// [`Error::Store`].
pub async fn turn(cx: &Context, senders: &Senders) -> Result<usize, Error> {
    let jobs = cx.staff.claim_staff_notices(BATCH, LEASE).await?;
    for job in &jobs {
        let outcome = attempt(cx, senders, job).await?;
        let word = match outcome {
            NoticeOutcome::Delivered { .. } => "delivered",
            NoticeOutcome::RetryAt(_) => "retry",
            NoticeOutcome::Failed { .. } => "failed",
            NoticeOutcome::Dropped => "dropped",
        };
        metrics::counter!("countersign_notices_total", "purpose" => "drawn", "outcome" => word).increment(1);
        cx.staff.settle_staff_notice(job, &outcome).await?;
    }
    Ok(jobs.len())
}

async fn attempt(cx: &Context, senders: &Senders, job: &StaffNoticeJob) -> Result<NoticeOutcome, Error> {
    let (now, notice) = (cx.now(), &job.notice);
    let person = cx.staff.person(notice.staff).await?.filter(|person| person.may(Role::Signer, now));
    let case = cx.store.override_request(notice.case).await?.filter(|case| still_waits(case, notice.staff, now));
    let (Some(mail), Some(_)) = (person.and_then(|person| person.profile.mail), case) else {
        return Ok(NoticeOutcome::Dropped);
    };
    let plain = match cx.secrets.open(BoxKey::Address, notice.staff.bytes(), &mail.sealed.0) {
        Ok(plain) => plain,
        Err(error) => {
            tracing::error!(error = %error, staff.id = %notice.staff, "an address can't be opened");
            return Ok(NoticeOutcome::Failed { at: now });
        }
    };
    let address: Address = serde_json::from_slice(&plain).map_err(Error::internal)?;
    let Some(sender) = senders.get(&address.kind()) else { return Ok(NoticeOutcome::Failed { at: now }) };
    let message = notify::message_to_staff(cx, notice)?;
    let sent = tokio::time::timeout(SEND, sender.send(&address, &message)).await;
    let now = cx.now();
    let what = match sent {
        Ok(Ok(())) => return Ok(NoticeOutcome::Delivered { at: now }),
        Ok(Err(SendError::Gone { what })) => {
            tracing::info!(what, notice.id = %notice.id, "a mail server refused an address of staff");
            return Ok(NoticeOutcome::Failed { at: now });
        }
        Ok(Err(SendError::Again { what, .. })) => what,
        Err(_) => "timeout",
    };
    tracing::info!(what, notice.id = %notice.id, attempts = job.attempts, "a mail server didn't take a notice to staff");
    Ok(match NOTICE_RETRIES.get(job.attempts as usize) {
        Some(delay) => NoticeOutcome::RetryAt(now + *delay),
        None => NoticeOutcome::Failed { at: now },
    })
}
