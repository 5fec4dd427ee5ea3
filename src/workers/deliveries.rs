//! Sends webhooks. How many places an endpoint gets is decided in [`super::places`], so that slow or dead ones never
//! delay another's; what came back is settled in one go.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::places::{Offer, Places, Went};
use super::{GATHER, at};
use crate::domain::ids::DeliveryId;
use crate::domain::webhook::next_try;
use crate::ports::WebhookSender;
use crate::ports::outward::{WebhookAnswer, WebhookMessage};
use crate::ports::store::{DeliveryJob, DeliveryNext, DeliveryOutcome, StoreError};
use crate::service::{Context, Error, endpoints};

/// Longer than the longest try (15 s).
const LEASE: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_secs(1);

/// Where to look for the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Nowhere,
    /// What commits on this node left.
    Fresh,
    /// In the whole record too: retries, and what another node left behind.
    Everywhere,
}

type Settled = (DeliveryId, i64, DeliveryOutcome);

/// Runs until stopped; what is being sent is finished first.
pub async fn run(cx: Context, sender: Arc<dyn WebhookSender>, wake: Arc<Notify>, stop: CancellationToken) {
    // Tasks, so that what is being sent goes on while this loop waits for the store.
    let mut under_way: JoinSet<Settled> = JoinSet::new();
    let mut places = Places::default();
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = Look::Everywhere;
    let (mut done, mut settle_at) = (Vec::new(), None);
    loop {
        if look > Look::Nowhere && !stop.is_cancelled() {
            match admit(&cx, look, &sender, &mut under_way, &mut places).await {
                Ok(0) => look = Look::Nowhere,
                Ok(_) => {}
                Err(error) => {
                    look = Look::Nowhere;
                    tracing::warn!(error = %error, "webhooks can't be read at present");
                }
            }
        }
        tokio::select! {
            Some(first) = under_way.join_next_with_id(), if !under_way.is_empty() => {
                let more = std::iter::from_fn(|| under_way.try_join_next_with_id());
                for ended in std::iter::once(first).chain(more) {
                    match ended {
                        Ok((task, settled)) => {
                            let well = settled.2.next == DeliveryNext::Done;
                            places.give_back(task, if well { Went::Well } else { Went::Badly });
                            done.push(settled);
                        }
                        Err(error) => {
                            places.give_back(error.id(), Went::Badly);
                            tracing::error!(error = %error, "sending a webhook ended badly; its lease will end");
                        }
                    }
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

/// Leases what there are places for, and begins to send it. Gives how many there were.
async fn admit(
    cx: &Context,
    look: Look,
    sender: &Arc<dyn WebhookSender>,
    under_way: &mut JoinSet<Settled>,
    places: &mut Places,
) -> Result<usize, StoreError> {
    let mut begun = 0;
    for offer in [Places::several, Places::single, Places::failing] {
        let Some(offer) = offer(places) else { continue };
        for job in find(cx, look, &offer).await? {
            let endpoint = job.endpoint.id;
            let task = under_way.spawn(send(cx.clone(), Arc::clone(sender), job));
            places.take(task.id(), endpoint);
            begun += 1;
        }
    }
    Ok(begun)
}

async fn find(cx: &Context, look: Look, offer: &Offer) -> Result<Vec<DeliveryJob>, StoreError> {
    let Offer { most, per_endpoint, busy } = offer;
    let left = |found: usize| u32::try_from(most - found.min(*most)).unwrap_or(u32::MAX);
    let mut jobs = cx.store.fresh_deliveries(left(0), *per_endpoint, busy, LEASE).await?;
    if look == Look::Everywhere && jobs.len() < *most {
        jobs.extend(cx.store.claim_deliveries(left(jobs.len()), *per_endpoint, busy, LEASE).await?);
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
    if done.is_empty() {
        return;
    }
    if let Err(error) = cx.store.settle_deliveries(&done).await {
        tracing::warn!(error = %error, "webhooks could not be settled; they will be sent again");
    }
}

async fn send(cx: Context, sender: Arc<dyn WebhookSender>, job: DeliveryJob) -> Settled {
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
    (job.id, job.fence, outcome)
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
