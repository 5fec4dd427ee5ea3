//! Sends notices: leases what waits, puts it into words, hands it to its channel, and records what became of it. A
//! channel that fails for good gives the next one its turn.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::approval::State;
use crate::domain::channel::{About, Address, ChannelKind, NOTICE_RETRIES, Purpose};
use crate::domain::ids::HolderId;
use crate::ports::ChannelSender;
use crate::ports::outward::SendError;
use crate::ports::secrets::BoxKey;
use crate::ports::store::{NoticeJob, NoticeOutcome};
use crate::ports::timing::{Quota, Verdict};
use crate::service::{Context, Error, notify};

/// Leased at once, and sent side by side.
const BATCH: u32 = 32;
/// Longer than a channel may take.
const LEASE: Duration = Duration::from_secs(60);
/// Longest a channel may take.
const SEND: Duration = Duration::from_secs(20);
const PERIOD: Duration = Duration::from_secs(1);

/// The channels of this deployment.
pub type Senders = Arc<HashMap<ChannelKind, Arc<dyn ChannelSender>>>;

/// Runs until stopped; what is being sent is finished first.
pub async fn run(cx: Context, senders: Senders, wake: Arc<Notify>, stop: CancellationToken) {
    // Tasks, not futures of this loop: one that waits for the store mustn't stand still while the loop asks the store
    // for more. The store's one writer is handed out in turn, so that would be the end of every write.
    let mut under_way = JoinSet::new();
    let mut look = true;
    loop {
        if look && under_way.len() < BATCH as usize && !stop.is_cancelled() {
            look = false;
            let room = BATCH - u32::try_from(under_way.len()).unwrap_or(BATCH);
            match cx.store.claim_notices(room, LEASE).await {
                Ok(jobs) => {
                    look = jobs.len() == room as usize;
                    for job in jobs {
                        under_way.spawn(send_and_settle(cx.clone(), Arc::clone(&senders), job));
                    }
                }
                Err(error) => tracing::warn!(error = %error, "notices can't be read at present"),
            }
        }
        tokio::select! {
            Some(ended) = under_way.join_next(), if !under_way.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(error = %error, "sending a notice ended badly; its lease will end");
                }
                look = true;
            }
            () = wake.notified() => look = true,
            () = tokio::time::sleep(PERIOD) => look = true,
            () = stop.cancelled(), if !stop.is_cancelled() => {}
        }
        if stop.is_cancelled() && under_way.is_empty() {
            return;
        }
    }
}

/// Leases once and sends what was leased, one after another. Gives how many there were. For tests, which drain.
///
/// # Errors
/// [`Error::Store`].
pub async fn turn(cx: &Context, senders: &Senders) -> Result<usize, Error> {
    let jobs = cx.store.claim_notices(BATCH, LEASE).await?;
    let count = jobs.len();
    for job in jobs {
        send_and_settle(cx.clone(), Arc::clone(senders), job).await;
    }
    Ok(count)
}

async fn send_and_settle(cx: Context, senders: Senders, job: NoticeJob) {
    let outcome = attempt(&cx, &senders, &job).await;
    let word = match &outcome {
        NoticeOutcome::Delivered { .. } => "delivered",
        NoticeOutcome::RetryAt(_) => "retry",
        NoticeOutcome::Failed { .. } => "failed",
        NoticeOutcome::Dropped => "dropped",
    };
    metrics::counter!("countersign_notices_total", "purpose" => job.purpose.as_str(), "outcome" => word).increment(1);
    let delivered = matches!(outcome, NoticeOutcome::Delivered { .. });
    if let Err(error) = cx.store.settle_notice(job.id, job.fence, outcome).await {
        tracing::warn!(error = %error, notice.id = %job.id, "a notice could not be settled; its lease will end");
        return;
    }
    if delivered && matches!(job.purpose, Purpose::Cooling | Purpose::OverrideCooling) {
        release_what_waited(&cx, &job).await;
    }
}

/// An approval whose hold is over, and that waited only for a delivered notice, is looked at again now.
async fn release_what_waited(cx: &Context, job: &NoticeJob) {
    let About::Approval(id) = job.about else { return };
    let now = cx.now();
    let Ok(Some(approval)) = cx.store.approval(id).await else { return };
    // Where staff decided, the hold begins with the first delivered notice.
    let waits = job.purpose == Purpose::OverrideCooling;
    if let State::Cooling { cooling_until, .. } = approval.state
        && (waits || cooling_until <= now)
        && let Err(error) = cx.timers.arm(&[(id, now)]).await
    {
        tracing::warn!(error = %error, "a timer could not be set; the sweep will");
    }
}

async fn attempt(cx: &Context, senders: &Senders, job: &NoticeJob) -> NoticeOutcome {
    let now = cx.now();
    if now >= job.useless_after {
        return NoticeOutcome::Dropped;
    }
    if let Verdict::Wait(wait) = within_rate(cx, job.holder).await {
        return NoticeOutcome::RetryAt(now + wait);
    }
    let plain = match cx.secrets.open(BoxKey::Address, job.channel.bytes(), &job.sealed_address) {
        Ok(plain) => plain,
        Err(error) => {
            tracing::error!(error = %error, channel.id = %job.channel, "an address can't be opened");
            return NoticeOutcome::Failed { at: now };
        }
    };
    let (Ok(address), Ok(message)) = (serde_json::from_slice::<Address>(&plain), notify::message(cx, job)) else {
        tracing::error!(channel.id = %job.channel, "a notice can't be put into words");
        return NoticeOutcome::Failed { at: now };
    };
    let Some(sender) = senders.get(&address.kind()) else {
        tracing::warn!(kind = address.kind().as_str(), "this deployment has no such channel");
        return NoticeOutcome::Failed { at: now };
    };
    let sent = tokio::time::timeout(SEND, sender.send(&address, &message)).await;
    let now = cx.now();
    match sent {
        Ok(Ok(())) => NoticeOutcome::Delivered { at: now },
        Ok(Err(SendError::Gone { what })) => {
            tracing::info!(what, notice.id = %job.id, "a channel refused its address");
            NoticeOutcome::Failed { at: now }
        }
        Ok(Err(SendError::Again { what, .. })) => retry(job, what, now),
        Err(_) => retry(job, "timeout", now),
    }
}

fn retry(job: &NoticeJob, what: &'static str, now: crate::domain::Timestamp) -> NoticeOutcome {
    tracing::info!(what, notice.id = %job.id, attempts = job.attempts, "a channel didn't take a notice");
    match NOTICE_RETRIES.get(job.attempts as usize) {
        Some(delay) => NoticeOutcome::RetryAt(now + *delay),
        None => NoticeOutcome::Failed { at: now },
    }
}

async fn within_rate(cx: &Context, holder: HolderId) -> Verdict {
    let per_minute = cx.settings.notices_per_minute;
    let quota = Quota { name: "notice", burst: per_minute, per: Duration::from_secs(60) };
    cx.limits.take(quota, &holder.to_string()).await
}
