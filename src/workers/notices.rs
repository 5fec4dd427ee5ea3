//! Sends notices: leases what waits, puts it into words, hands it to its channel, and records what became of it. A
//! channel that fails for good gives the next one its turn. Each kind of channel has places of its own, so that a mute
//! mail server never holds up web push.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{GATHER, at};
use crate::domain::approval::StateName;
use crate::domain::channel::{About, Address, ChannelKind, Purpose};
use crate::domain::ids::ApprovalId;
use crate::domain::time::Timestamp;
use crate::ports::ChannelSender;
use crate::ports::outward::SendError;
use crate::ports::secrets::BoxKey;
use crate::ports::store::{NoticeJob, NoticeOutcome, StoreError};
use crate::ports::timing::{Quota, Verdict};
use crate::service::{Context, Error, notify, subscribe};

/// Sent side by side on one kind of channel.
const PER_KIND: usize = 32;
/// Places beside those of all kinds together: for what is leased and finds the places of its kind taken.
const SPARE: usize = 32;
/// When it is looked at again. Soon enough for a person who waits for a code.
pub(super) const NO_PLACE: Duration = Duration::from_secs(5);
/// Longer than a channel may take.
const LEASE: Duration = Duration::from_secs(60);
/// Longest a channel may take. With the time that a notice may wait to be taken it stays within its first lease.
const SEND: Duration = Duration::from_secs(15);
const PERIOD: Duration = Duration::from_secs(1);
/// A notice that is older than this had to wait.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The channels of this deployment.
pub type Senders = Arc<HashMap<ChannelKind, Arc<dyn ChannelSender>>>;

type Sent = (NoticeJob, Attempt);

/// What a try came to.
enum Attempt {
    Made(NoticeOutcome),
    /// None was made: so many of its kind were being sent.
    NoPlace,
}

/// The places of each kind. They come back by themselves, however sending ended.
#[derive(Clone)]
struct Places(Arc<HashMap<ChannelKind, Semaphore>>);

impl Places {
    fn of(senders: &Senders) -> Self {
        Self(Arc::new(senders.keys().map(|kind| (*kind, Semaphore::new(PER_KIND))).collect()))
    }

    /// Of all kinds, and some for what finds none free.
    fn all(&self) -> usize {
        self.0.len() * PER_KIND + SPARE
    }
}

/// Where to look for the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Nowhere,
    /// What commits on this node left.
    Fresh,
    /// In the whole record too: retries, and what another node left behind.
    Everywhere,
}

/// Runs until stopped; what is being sent is finished first.
pub async fn run(cx: Context, senders: Senders, wake: Arc<Notify>, stop: CancellationToken) {
    // Tasks, not futures of this loop: one that waits for the store mustn't stand still while the loop asks the store
    // for more. The store's one writer is handed out in turn, so that would be the end of every write.
    let mut under_way: JoinSet<Sent> = JoinSet::new();
    let places = Places::of(&senders);
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = Look::Everywhere;
    let (mut done, mut settle_at) = (Vec::new(), None);
    loop {
        let room = places.all().saturating_sub(under_way.len());
        if look > Look::Nowhere && room > 0 && !stop.is_cancelled() {
            match find(&cx, look, room).await {
                Ok(jobs) => {
                    if jobs.len() < room {
                        look = Look::Nowhere;
                    }
                    for job in jobs {
                        under_way.spawn(send(cx.clone(), Arc::clone(&senders), places.clone(), job));
                    }
                }
                Err(error) => {
                    look = Look::Nowhere;
                    tracing::warn!(error = %error, "notices can't be read at present");
                }
            }
        }
        tokio::select! {
            Some(first) = under_way.join_next(), if !under_way.is_empty() => {
                let more = std::iter::from_fn(|| under_way.try_join_next());
                look = look.max(Look::Fresh);
                for ended in std::iter::once(first).chain(more) {
                    match ended {
                        Ok(sent) => {
                            // More of the same kind would only be put off, too, as often as the record is asked.
                            if matches!(sent.1, Attempt::NoPlace) {
                                look = Look::Fresh;
                            }
                            done.push(sent);
                        }
                        Err(error) => {
                            tracing::error!(error = %error, "sending a notice ended badly; its lease will end");
                        }
                    }
                }
                let _ = *settle_at.get_or_insert_with(|| Instant::now() + GATHER);
            }
            () = at(settle_at), if settle_at.is_some() => {
                settle_at = None;
                settle(&cx, std::mem::take(&mut done)).await;
            }
            () = wake.notified() => look = look.max(Look::Fresh),
            _ = period.tick() => look = Look::Everywhere,
            () = stop.cancelled(), if !stop.is_cancelled() => {}
        }
        if stop.is_cancelled() && under_way.is_empty() {
            settle(&cx, done).await;
            return;
        }
    }
}

async fn find(cx: &Context, look: Look, room: usize) -> Result<Vec<NoticeJob>, StoreError> {
    let left = |found: usize| u32::try_from(room - found.min(room)).unwrap_or(u32::MAX);
    let mut jobs = cx.store.fresh_notices(left(0), LEASE).await?;
    if look == Look::Everywhere && jobs.len() < room {
        jobs.extend(cx.store.claim_notices(left(jobs.len()), LEASE).await?);
    }
    Ok(jobs)
}

/// Leases once and sends what was leased, one after another. Gives how many there were. For tests, which drain.
///
/// # Errors
/// [`Error::Store`].
pub async fn turn(cx: &Context, senders: &Senders) -> Result<usize, Error> {
    let jobs = cx.store.claim_notices(32, LEASE).await?;
    let (count, places) = (jobs.len(), Places::of(senders));
    for job in jobs {
        let sent = send(cx.clone(), Arc::clone(senders), places.clone(), job).await;
        settle(cx, vec![sent]).await;
    }
    Ok(count)
}

async fn send(cx: Context, senders: Senders, places: Places, job: NoticeJob) -> Sent {
    let attempt = attempt(&cx, &senders, &places, &job).await;
    let word = match &attempt {
        Attempt::Made(outcome) => outcome.as_str(),
        Attempt::NoPlace => "no_place",
    };
    metrics::counter!("countersign_notices_total", "purpose" => job.purpose.as_str(), "outcome" => word).increment(1);
    (job, attempt)
}

async fn settle(cx: &Context, done: Vec<Sent>) {
    // Where staff decided, the hold begins with the first delivered notice.
    let (mut told, mut begun) = (Vec::new(), Vec::new());
    let mut outcomes = Vec::with_capacity(done.len());
    for (job, attempt) in done {
        let outcome = match attempt {
            Attempt::Made(outcome) => outcome,
            Attempt::NoPlace => NoticeOutcome::DeferredTo(cx.now() + NO_PLACE),
        };
        if let About::Approval(id) = job.about
            && matches!(outcome, NoticeOutcome::Delivered { .. })
        {
            match job.purpose {
                Purpose::Cooling => told.push((id, job.created_at)),
                Purpose::OverrideCooling => begun.push(id),
                _ => {}
            }
        }
        outcomes.push((job.id, job.fence, outcome));
    }
    if outcomes.is_empty() {
        return;
    }
    if let Err(error) = cx.store.settle_notices(&outcomes).await {
        tracing::warn!(error = %error, "notices could not be settled; their leases will end");
        return;
    }
    // Where this comes at once after the decision, no hold can be over, and nobody can have missed the notice.
    let at_once = AT_ONCE.min(cx.settings.policy.least_hold() / 2);
    let now = cx.now();
    let late = |(id, planned): (ApprovalId, Timestamp)| (now >= planned + at_once).then_some(id);
    let told: Vec<ApprovalId> = told.into_iter().filter_map(late).collect();
    if !told.is_empty() {
        release_what_waited(cx, &told).await;
    }
    if !begun.is_empty() {
        look_now(cx, &begun).await;
    }
}

/// Approvals whose hold is over, and that waited only for a delivered notice, are looked at again now. Asked after the
/// notices were settled: whoever looked at such an approval before missed them, and has to be made up for.
async fn release_what_waited(cx: &Context, told: &[ApprovalId]) {
    let past = match cx.store.past_hold(told).await {
        Ok(past) if past.is_empty() => return,
        Ok(past) => past,
        Err(error) => {
            tracing::warn!(error = %error, "holds can't be looked at; the sweep will");
            return;
        }
    };
    look_now(cx, &past).await;
}

async fn look_now(cx: &Context, ids: &[ApprovalId]) {
    let now = cx.now();
    let due: Vec<_> = ids.iter().map(|id| (*id, now)).collect();
    if let Err(error) = cx.timers.arm(&due).await {
        tracing::warn!(error = %error, "timers could not be set; the sweep will");
    }
}

async fn attempt(cx: &Context, senders: &Senders, places: &Places, job: &NoticeJob) -> Attempt {
    let now = cx.now();
    if now >= job.useless_after || (now >= job.created_at + AT_ONCE && is_moot(cx, job).await) {
        return Attempt::Made(NoticeOutcome::Dropped);
    }
    let plain = match cx.secrets.open(BoxKey::Address, job.channel.bytes(), job.address.bytes()) {
        Ok(plain) => plain,
        Err(error) => {
            tracing::error!(error = %error, channel.id = %job.channel, "an address can't be opened");
            return Attempt::Made(NoticeOutcome::Failed { at: now });
        }
    };
    let Ok(address) = serde_json::from_slice::<Address>(&plain) else {
        tracing::error!(channel.id = %job.channel, "an address doesn't read");
        return Attempt::Made(NoticeOutcome::Failed { at: now });
    };
    let (Some(sender), Some(places)) = (senders.get(&address.kind()), places.0.get(&address.kind())) else {
        tracing::warn!(kind = address.kind().as_str(), "this deployment has no such channel");
        return Attempt::Made(NoticeOutcome::Failed { at: now });
    };
    let Ok(_place) = places.try_acquire() else { return Attempt::NoPlace };
    Attempt::Made(made(cx, sender.as_ref(), &address, job).await)
}

async fn made(cx: &Context, sender: &dyn ChannelSender, address: &Address, job: &NoticeJob) -> NoticeOutcome {
    if let Verdict::Wait(wait) = within_rate(cx, job).await {
        let now = cx.now();
        // A late one was looked up before.
        let moot = now < job.created_at + AT_ONCE && is_moot(cx, job).await;
        return if moot { NoticeOutcome::Dropped } else { NoticeOutcome::DeferredTo(now + wait) };
    }
    let Ok(message) = notify::message(cx, job) else {
        tracing::error!(channel.id = %job.channel, "a notice can't be put into words");
        return NoticeOutcome::Failed { at: cx.now() };
    };
    let sent = tokio::time::timeout(SEND, sender.send(address, &message)).await;
    let now = cx.now();
    match sent {
        Ok(Ok(())) => NoticeOutcome::Delivered { at: now },
        Ok(Err(SendError::Gone { what })) => {
            tracing::info!(what, notice.id = %job.id, "a channel refused its address");
            if address.kind() == ChannelKind::WebPush
                && let Err(error) = subscribe::gone(cx, job.holder, job.channel).await
            {
                tracing::warn!(error = %error, channel.id = %job.channel, "a subscription that is gone stays");
            }
            NoticeOutcome::Failed { at: now }
        }
        Ok(Err(SendError::Refused { what })) => {
            tracing::warn!(what, notice.id = %job.id, channel.id = %job.channel, "a notice is not sent there");
            NoticeOutcome::Failed { at: now }
        }
        Ok(Err(SendError::Busy)) => NoticeOutcome::DeferredTo(now + NO_PLACE),
        Ok(Err(SendError::Again { what, .. })) => retry(job, what, now),
        Err(_) => retry(job, "timeout", now),
    }
}

fn retry(job: &NoticeJob, what: &'static str, now: Timestamp) -> NoticeOutcome {
    tracing::info!(what, notice.id = %job.id, attempts = job.attempts, "a channel didn't take a notice");
    NoticeOutcome::after(job.attempts, now)
}

/// What somebody else can cause at will is rated, each for itself. What tells the holder that they can still stop
/// something never waits for it.
async fn within_rate(cx: &Context, job: &NoticeJob) -> Verdict {
    let name = match job.purpose {
        Purpose::Asked => "notice",
        Purpose::EnrolCode => "notice-code",
        // A browser can give up its subscription and ask for another as often as it likes.
        Purpose::ChannelAdded => "notice-channel",
        Purpose::Cooling
        | Purpose::DeviceAdded
        | Purpose::DeviceLocked
        | Purpose::Frozen
        | Purpose::LiftAsked
        | Purpose::OverrideCooling
        | Purpose::OverrideOnNew
        | Purpose::OverrideOnDisputed => return Verdict::Allowed,
    };
    let quota = Quota { name, burst: cx.settings.notices_per_minute, per: Duration::from_secs(60) };
    cx.limits.take(quota, &job.holder.to_string()).await
}

/// Whether nobody is to be asked any more. Looked up only for what couldn't go out at once.
async fn is_moot(cx: &Context, job: &NoticeJob) -> bool {
    let (Purpose::Asked, About::Approval(id)) = (job.purpose, job.about) else { return false };
    match cx.store.approval(id).await {
        Ok(approval) => approval.is_none_or(|approval| approval.state.name() != StateName::Pending),
        Err(_) => false,
    }
}
