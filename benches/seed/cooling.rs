//! Approvals that cool off until a given moment, made in this process through the record itself: what a figure about
//! timers stands on. Each is opened and approved by the domain's own transitions, and its holder counts as told.

use anyhow::Context as _;
use countersign::app::{self, Parts};
use countersign::domain::Timestamp;
use countersign::domain::approval::transitions::Deciding;
use countersign::domain::approval::{Actor, Approval};
use countersign::domain::audit::Facts;
use countersign::domain::backend::{IdempotencyKey, Remembered};
use countersign::domain::channel::Channel;
use countersign::domain::details::{Details, Digest, Salt, Transfer, TransferParts};
use countersign::domain::device::Blob;
use countersign::domain::evidence::{Evidence, SignedAssertion};
use countersign::domain::ids::ApprovalId;
use countersign::domain::linking::{ApprovePreimage, Shown};
use countersign::domain::policy::{Assurance, Terms, Unproved};
use countersign::ports::{Change, Effect};
use countersign::service::{Context, notify};
use futures_util::future::try_join_all;
use serde_json::json;
use std::time::Duration;

use super::{Cast, Phone};
use crate::stack::Stack;
use crate::stack::node::Setup;

const HOUR: Duration = Duration::from_secs(3600);

/// When the first falls due, and over how long the rest follow.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub count: u32,
    pub first_due: Timestamp,
    pub span: Duration,
}

/// Stores them and sets their timers. Fails when that took until they were nearly due.
pub async fn approvals(stack: &Stack, setup: &Setup, cast: &Cast, run: &str, plan: Plan) -> anyhow::Result<()> {
    let (postgres, _) = stack.servers()?;
    postgres.hurry().await?;
    let parts = app::open(&setup.config()?).await?;
    let made = all(&parts, cast, run, plan).await;
    let told = postgres
        .run(
            &setup.name,
            "UPDATE notices SET status = 'delivered', attempts = 1, fence = 2, next_at = NULL, \
             delivered_at = clock_timestamp() WHERE status = 'queued'",
        )
        .await;
    let cx = &parts.cx;
    let armed = async {
        for timers in made?.chunks(500) {
            cx.timers.arm(timers).await?;
        }
        told?;
        anyhow::Ok(())
    }
    .await;
    let left = plan.first_due.since(cx.now());
    parts.record.close().await;
    armed?;
    postgres.run(&setup.name, "VACUUM ANALYZE").await?;
    postgres.settle().await?;
    anyhow::ensure!(left > Duration::from_secs(3), "preparing took too long: only {left:?} are left");
    Ok(())
}

async fn all(parts: &Parts, cast: &Cast, run: &str, plan: Plan) -> anyhow::Result<Vec<(ApprovalId, Timestamp)>> {
    let shares = cast.phones.iter().enumerate().map(async |(place, phone)| {
        let channels = parts.cx.store.channels(phone.device.body.holder).await?;
        let mut timers = Vec::new();
        for number in (u32::try_from(place)?..plan.count).step_by(cast.phones.len()) {
            let due = plan.first_due + plan.span * number / plan.count;
            timers.push((one(&parts.cx, cast, phone, &channels, &format!("{run}-{number}"), due).await?, due));
        }
        anyhow::Ok(timers)
    });
    Ok(try_join_all(shares).await?.concat())
}

async fn one(
    cx: &Context,
    cast: &Cast,
    phone: &Phone,
    channels: &[Channel],
    name: &str,
    due: Timestamp,
) -> anyhow::Result<ApprovalId> {
    let now = cx.now();
    let details = Details::of(Transfer::new(parts_of(name, &phone.subject)?, Salt(cx.random()))?)?;
    let hold = due.since(now);
    let terms = Terms {
        hold,
        hold_cap: HOUR,
        life: HOUR,
        redeem_within: 24 * HOUR,
        assurance: Assurance::Synced,
        unproved: Unproved::HoldFor(hold),
        told_before: Duration::ZERO,
    };
    let id = cx.id(ApprovalId::new, now);
    let approval = Approval::open(id, cast.caller.backend, phone.device.body.holder, details, terms, now);
    let remember = Remembered {
        backend: cast.caller.backend,
        key: IdempotencyKey::parse(name)?,
        request: Digest::of(name.as_bytes()),
        answer: approval.details.canonical().to_owned(),
        created_at: now,
    };
    let by = Actor::Backend(cast.caller.key);
    let entry = cx.entry("approval.opened", by, &[&id, &approval.holder], Facts::new(), now)?;
    cx.store.commit(Change::new(entry, Effect::Open { approval: Box::new(approval.clone()), remember })).await?;

    let who = Deciding { device: &phone.device, mark: None };
    let transition = approval.approve(&who, Digest::of(name.as_bytes()), now).context("it can't be approved")?;
    let by = Actor::Device(phone.device.body.id);
    let entry = cx.entry(transition.event.as_str(), by, &[&id], Facts::new(), now)?;
    let notices = notify::cooling(cx, &transition.approval, channels, now);
    let effect = Effect::Transition { transition: Box::new(transition), proof: None, receipt: None };
    let mut change = Change::new(entry, effect);
    change.notices = notices;
    change.evidence = Some(evidence(id, phone, hold, now));
    cx.store.commit(change).await?;
    Ok(id)
}

/// Evidence that nobody checks: a release looks for the entry that came with it.
fn evidence(approval: ApprovalId, phone: &Phone, hold: Duration, now: Timestamp) -> Evidence {
    let body = &phone.device.body;
    let preimage = ApprovePreimage {
        rp_id: "localhost".to_owned(),
        approval,
        version: 1,
        digest: Digest::of(b"details"),
        hold,
        shown: Shown::plain().digest(),
        credential_id: body.credential_id.clone(),
        thumbprint: body.key.thumbprint(),
        expires_at: now,
        nonce: Blob(vec![0; 16]),
    };
    let assertion = SignedAssertion {
        credential_id: body.credential_id.clone(),
        authenticator_data: Blob(vec![0; 37]),
        client_data_json: Blob(vec![b' '; 120]),
        signature: Blob(vec![0; 70]),
        public_key: json!({}),
    };
    Evidence::Approve {
        device: body.id,
        preimage,
        shown: Shown::plain(),
        assertion,
        device_key: body.key.clone(),
        device_signature: Blob(vec![0; 64]),
    }
}

fn parts_of(transfer_id: &str, subject: &str) -> anyhow::Result<TransferParts> {
    let source = json!({"id": "acc-4471", "label": "Everyday account, ending 4471"});
    let payee = json!({"name": "Marta Nowak", "account": "PL61109010140000071219812874"});
    Ok(TransferParts {
        transfer_id: serde_json::from_value(json!(transfer_id))?,
        subject: serde_json::from_value(json!(subject))?,
        amount: "12500.00".to_owned(),
        currency: serde_json::from_value(json!("EUR"))?,
        asset: None,
        payee: serde_json::from_value(payee)?,
        payee_history: None,
        source_account: serde_json::from_value(source)?,
        reference: serde_json::from_value(json!("Invoice 2231"))?,
        initiator: serde_json::from_value(json!({"started_on": "website", "from": "a computer near Leeds"}))?,
    })
}
