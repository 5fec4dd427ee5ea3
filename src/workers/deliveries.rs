//! Sends webhooks. Each endpoint has a few places of its own, so that a slow or dead one never delays another's; what
//! came back is settled in one go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{GATHER, at};
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::domain::webhook::next_try;
use crate::ports::WebhookSender;
use crate::ports::outward::{WebhookAnswer, WebhookMessage};
use crate::ports::store::{DeliveryJob, DeliveryNext, DeliveryOutcome, StoreError};
use crate::service::{Context, Error, endpoints};

/// Under way at once, over all endpoints.
const MAX: usize = 256;
/// Under way at once for one endpoint.
const PER_ENDPOINT: usize = 16;
/// Longer than the longest try (15 s).
const LEASE: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_secs(1);

/// Leased at once for one endpoint.
const AT_ONCE: u32 = 16;

/// Where to look for the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Nowhere,
    /// What commits on this node left.
    Fresh,
    /// In the whole record too: retries, and what another node left behind.
    Everywhere,
}

type Settled = (EndpointId, (DeliveryId, i64, DeliveryOutcome));

/// Runs until stopped; what is being sent is finished first.
pub async fn run(cx: Context, sender: Arc<dyn WebhookSender>, wake: Arc<Notify>, stop: CancellationToken) {
    // Tasks, so that what is being sent goes on while this loop waits for the store.
    let mut under_way: JoinSet<Settled> = JoinSet::new();
    let mut places: HashMap<EndpointId, usize> = HashMap::new();
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = Look::Everywhere;
    let (mut done, mut settle_at) = (Vec::new(), None);
    loop {
        let room = MAX - under_way.len().min(MAX);
        if look > Look::Nowhere && room > 0 && !stop.is_cancelled() {
            let busy: Vec<EndpointId> =
                places.iter().filter(|(_, taken)| **taken >= PER_ENDPOINT).map(|(id, _)| *id).collect();
            match find(&cx, look, room, &busy).await {
                Ok(jobs) => {
                    if jobs.is_empty() {
                        look = Look::Nowhere;
                    }
                    for job in jobs {
                        *places.entry(job.endpoint.id).or_default() += 1;
                        under_way.spawn(send(cx.clone(), Arc::clone(&sender), job));
                    }
                }
                Err(error) => {
                    look = Look::Nowhere;
                    tracing::warn!(error = %error, "webhooks can't be read at present");
                }
            }
        }
        tokio::select! {
            Some(first) = under_way.join_next(), if !under_way.is_empty() => {
                let more = std::iter::from_fn(|| under_way.try_join_next());
                for settled in std::iter::once(first).chain(more).filter_map(Result::ok) {
                    if let Some(taken) = places.get_mut(&settled.0) {
                        *taken -= 1;
                        if *taken == 0 {
                            places.remove(&settled.0);
                        }
                    }
                    done.push(settled);
                }
                let _ = *settle_at.get_or_insert_with(|| Instant::now() + GATHER);
                look = look.max(Look::Fresh);
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

async fn find(cx: &Context, look: Look, room: usize, busy: &[EndpointId]) -> Result<Vec<DeliveryJob>, StoreError> {
    let left = |found: usize| u32::try_from(room - found.min(room)).unwrap_or(u32::MAX);
    let mut jobs = cx.store.fresh_deliveries(left(0), AT_ONCE, busy, LEASE).await?;
    if look == Look::Everywhere && jobs.len() < room {
        jobs.extend(cx.store.claim_deliveries(left(jobs.len()), AT_ONCE, busy, LEASE).await?);
    }
    Ok(jobs)
}

/// Leases once, sends what was leased, and settles it. Gives how many there were. For tests, which drain.
///
/// # Errors
/// [`Error::Store`].
pub async fn turn(cx: &Context, sender: &Arc<dyn WebhookSender>) -> Result<usize, Error> {
    let jobs = cx.store.claim_deliveries(64, 16, &[], LEASE).await?;
    let count = jobs.len();
    let mut done = Vec::with_capacity(count);
    for job in jobs {
        done.push(send(cx.clone(), Arc::clone(sender), job).await);
    }
    settle(cx, done).await;
    Ok(count)
}

async fn settle(cx: &Context, done: Vec<Settled>) {
    let outcomes: Vec<_> = done.into_iter().map(|(_, outcome)| outcome).collect();
    if outcomes.is_empty() {
        return;
    }
    if let Err(error) = cx.store.settle_deliveries(&outcomes).await {
        tracing::warn!(error = %error, "webhooks could not be settled; they will be sent again");
    }
}

async fn send(cx: Context, sender: Arc<dyn WebhookSender>, job: DeliveryJob) -> Settled {
    let endpoint = job.endpoint.id;
    let outcome = attempt(&cx, sender.as_ref(), &job).await;
    let word = match outcome.next {
        DeliveryNext::Done => "delivered",
        DeliveryNext::RetryAt(_) => "retry",
        DeliveryNext::GiveUp => "failed",
        DeliveryNext::Disable => "disabled",
    };
    metrics::counter!("countersign_webhooks_total", "outcome" => word).increment(1);
    if outcome.next == DeliveryNext::Done {
        let took = outcome.at.since(job.created_at).as_secs_f64();
        metrics::histogram!("countersign_webhook_seconds").record(took);
    }
    (endpoint, (job.id, job.fence, outcome))
}

async fn attempt(cx: &Context, sender: &dyn WebhookSender, job: &DeliveryJob) -> DeliveryOutcome {
    let now = cx.now();
    let secrets = match endpoints::secrets(cx, &job.endpoint, now) {
        Ok(secrets) => secrets,
        Err(error) => {
            tracing::error!(error = %error, endpoint.id = %job.endpoint.id, "a webhook secret can't be opened");
            return DeliveryOutcome { at: now, status: None, error: Some("secret"), next: DeliveryNext::GiveUp };
        }
    };
    let message =
        WebhookMessage { url: &job.endpoint.url, id: &job.message_id, at: now, body: &job.body, secrets: &secrets };
    let answer = sender.post(message).await;
    let now = cx.now();
    let [jitter] = cx.random::<1>();
    let again = || next_try(job.attempts + 1, now, jitter).map_or(DeliveryNext::GiveUp, DeliveryNext::RetryAt);
    match answer {
        WebhookAnswer::Status(status @ 200..=299) => {
            DeliveryOutcome { at: now, status: Some(status), error: None, next: DeliveryNext::Done }
        }
        WebhookAnswer::Status(410) => {
            DeliveryOutcome { at: now, status: Some(410), error: Some("gone"), next: DeliveryNext::Disable }
        }
        WebhookAnswer::Status(status) => {
            DeliveryOutcome { at: now, status: Some(status), error: Some("status"), next: again() }
        }
        WebhookAnswer::Failed(error) => DeliveryOutcome { at: now, status: None, error: Some(error), next: again() },
    }
}
