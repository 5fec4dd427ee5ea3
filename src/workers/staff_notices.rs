//! Tells drawn signers by mail that a case waits for them. The rows were written with the draw; what they say is looked
//! at again before it goes out: somebody who ended, who has signed, or whose case is over gets nothing.

use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::notices::{NO_PLACE, Senders};
use crate::domain::channel::Address;
use crate::domain::staff::Role;
use crate::domain::staff::notice::still_waits;
use crate::domain::time::Timestamp;
use crate::ports::outward::SendError;
use crate::ports::secrets::BoxKey;
use crate::ports::staff::StaffNoticeJob;
use crate::ports::store::{NoticeOutcome, StoreError};
use crate::service::{Context, Error, notify};

const BATCH: u32 = 16;
const LEASE: Duration = Duration::from_secs(60);
/// Longest a mail server may take. A batch is sent side by side, so it stays within its lease.
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

/// Leases once and sends what was leased, side by side. Gives how many there were.
///
/// # Errors
/// [`Error::Store`].
pub async fn turn(cx: &Context, senders: &Senders) -> Result<usize, Error> {
    let jobs = cx.staff.claim_staff_notices(BATCH, LEASE).await?;
    let count = jobs.len();
    // Tasks, not futures of this loop, for the reason that `notices` gives.
    let mut under_way: JoinSet<Result<(), StoreError>> = JoinSet::new();
    for job in jobs {
        under_way.spawn(send(cx.clone(), Arc::clone(senders), job));
    }
    while let Some(ended) = under_way.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = %error, "a notice to staff waits for the end of its lease"),
            Err(error) => tracing::error!(error = %error, "sending a notice to staff ended badly; its lease will end"),
        }
    }
    Ok(count)
}

async fn send(cx: Context, senders: Senders, job: StaffNoticeJob) -> Result<(), StoreError> {
    let outcome = attempt(&cx, &senders, &job).await?;
    let word = outcome.as_str();
    metrics::counter!("countersign_notices_total", "purpose" => "drawn", "outcome" => word).increment(1);
    if !cx.staff.settle_staff_notice(&job, &outcome).await? {
        tracing::info!(notice.id = %job.notice.id, "the lease of a notice to staff had passed on");
    }
    Ok(())
}

async fn attempt(cx: &Context, senders: &Senders, job: &StaffNoticeJob) -> Result<NoticeOutcome, StoreError> {
    let (now, notice) = (cx.now(), &job.notice);
    if now >= notice.useless_after {
        return Ok(NoticeOutcome::Dropped);
    }
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
    let (Ok(address), Ok(message)) = (serde_json::from_slice::<Address>(&plain), notify::message_to_staff(cx, notice))
    else {
        tracing::error!(staff.id = %notice.staff, "a notice to staff can't be put into words");
        return Ok(NoticeOutcome::Failed { at: now });
    };
    let Some(sender) = senders.get(&address.kind()) else {
        tracing::warn!(kind = address.kind().as_str(), "this deployment has no such channel");
        return Ok(NoticeOutcome::Failed { at: now });
    };
    let sent = tokio::time::timeout(SEND, sender.send(&address, &message)).await;
    let now = cx.now();
    Ok(match sent {
        Ok(Ok(())) => NoticeOutcome::Delivered { at: now },
        Ok(Err(SendError::Busy)) => NoticeOutcome::DeferredTo(now + NO_PLACE),
        Ok(Err(SendError::Gone { what } | SendError::Refused { what })) => {
            tracing::info!(what, notice.id = %notice.id, "a mail server refused an address of staff");
            NoticeOutcome::Failed { at: now }
        }
        Ok(Err(SendError::Again { what, .. })) => retry(job, what, now),
        Err(_) => retry(job, "timeout", now),
    })
}

fn retry(job: &StaffNoticeJob, what: &'static str, now: Timestamp) -> NoticeOutcome {
    let attempts = job.attempts;
    tracing::info!(what, notice.id = %job.notice.id, attempts, "a mail server didn't take a notice to staff");
    NoticeOutcome::after(attempts, now)
}
