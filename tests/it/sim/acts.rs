//! What people and programs do, each as one use case of the real services.

use std::future::Future;
use std::pin::Pin;

use countersign::domain::approval::Approval;
use countersign::domain::backend::IdempotencyKey;
use countersign::domain::details::{
    Account, Digest, Initiator, Payee, PayeeName, SourceAccount, StartedOn, TransferId, TransferParts,
};
use countersign::domain::freeze::Freeze;
use countersign::domain::linking::{DEVICE_KEY_APPROVE, DEVICE_KEY_PROMPT, DEVICE_KEY_WAIT};
use countersign::domain::money::Currency;
use countersign::domain::policy::Asked;
use countersign::domain::text::{Line, Token};
use countersign::domain::{ApprovalId, HolderId};
use countersign::service::decide::Signed;
use countersign::service::prompt::Prompt;
use countersign::service::redeem::Redeemed;
use countersign::service::release::Clocks;
use countersign::service::request::{Answered, Request};
use countersign::service::watch::{Mark, PresentedKey};
use countersign::service::{
    Context, Error, cancel, decide, freeze, log, prompt, redeem, reject, release, request, watch,
};
use countersign::workers::{ClockGate, deliveries, notices, sweep, timers};

use super::cast::Cast;
use super::faults::Plant;
use super::run::{Known, Node};

/// How a prompt is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// With the passkey and the device key of the device that asked for it.
    Own,
    /// With another device's key: a stolen prompt.
    OtherDeviceKey,
    /// With the right device key and another passkey.
    OtherPasskey,
}

/// One thing that somebody does.
#[derive(Debug, Clone)]
pub enum Act {
    Request {
        caller: usize,
        key: IdempotencyKey,
        number: usize,
        amount: &'static str,
        holder: usize,
    },
    Watch {
        seat: usize,
        approval: ApprovalId,
        token: String,
        keys: Vec<usize>,
    },
    Prompt {
        seat: usize,
        approval: ApprovalId,
        signer: usize,
    },
    Decide {
        seat: usize,
        approval: ApprovalId,
        prompt: usize,
        hand: Hand,
    },
    Reject {
        seat: usize,
        approval: ApprovalId,
    },
    StopOnDevice {
        seat: usize,
        approval: ApprovalId,
    },
    StopByLink {
        approval: ApprovalId,
        token: String,
    },
    StopByInitiator {
        seat: usize,
        approval: ApprovalId,
        token: String,
    },
    StopByBackend {
        caller: usize,
        approval: ApprovalId,
    },
    Redeem {
        caller: usize,
        approval: ApprovalId,
        digest: Digest,
        key: IdempotencyKey,
    },
    /// "This wasn't me", from the link in a notice: of whoever's approval it is about.
    FreezeByLink {
        holder: HolderId,
        token: String,
    },
    /// The same on a device.
    FreezeOnDevice {
        seat: usize,
    },
    /// A worker's turn.
    Timers,
    Notices,
    Webhooks,
    Sweep,
    Sequence,
    /// Ends freezes whose time is over, and cancels what a freeze left over.
    Freezes,
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    Created(Answered),
    Marked(Mark),
    Prompted(Prompt),
    Is(Box<Approval>),
    Redeemed(Box<Redeemed>),
    Frozen(Box<Freeze>),
    Worked,
    Refused(Error),
}

impl Act {
    /// Which approval it is about, if about one.
    pub fn approval(&self) -> Option<ApprovalId> {
        match self {
            Self::Watch { approval, .. }
            | Self::Prompt { approval, .. }
            | Self::Decide { approval, .. }
            | Self::Reject { approval, .. }
            | Self::StopOnDevice { approval, .. }
            | Self::StopByLink { approval, .. }
            | Self::StopByInitiator { approval, .. }
            | Self::StopByBackend { approval, .. }
            | Self::Redeem { approval, .. } => Some(*approval),
            Self::Request { .. }
            | Self::FreezeByLink { .. }
            | Self::FreezeOnDevice { .. }
            | Self::Timers
            | Self::Notices
            | Self::Webhooks
            | Self::Sweep
            | Self::Sequence
            | Self::Freezes => None,
        }
    }

    /// Whether it freezes a holder, which takes more than one commit.
    pub const fn freezes(&self) -> bool {
        matches!(self, Self::FreezeByLink { .. } | Self::FreezeOnDevice { .. })
    }

    /// Whether it is meant to end the approval.
    pub const fn stops(&self) -> bool {
        matches!(
            self,
            Self::StopOnDevice { .. }
                | Self::StopByLink { .. }
                | Self::StopByInitiator { .. }
                | Self::StopByBackend { .. }
        )
    }
}

type Doing = Pin<Box<dyn Future<Output = Answer>>>;

fn answer<T>(result: Result<T, Error>, answer: impl FnOnce(T) -> Answer) -> Answer {
    result.map_or_else(Answer::Refused, answer)
}

fn is(approval: Approval) -> Answer {
    Answer::Is(Box::new(approval))
}

/// Begins an act on a node. What people sign, they sign at once; the rest happens as the task is polled.
pub fn begin(node: &Node, cast: &mut Cast, known: &Known, act: &Act) -> Doing {
    let cx = node.cx.clone();
    match act.clone() {
        Act::Request { caller, key, number, amount, holder } => {
            let caller = cast.callers[caller];
            let ask = asked(cast, key, number, amount, holder);
            Box::pin(async move { answer(request::request(&cx, &caller, ask).await, Answer::Created) })
        }
        Act::Watch { seat, approval, token, keys } => {
            let (browser, mark) = (cast.browser(seat), cast.seats[seat].mark);
            let page = prompt::page_token(&cx, approval);
            let present = |gear: &usize| {
                let signer = cast.gear[*gear].signer;
                PresentedKey { key: signer.public(), signature: signer.sign(DEVICE_KEY_WAIT, page.as_bytes()) }
            };
            let keys: Vec<PresentedKey> = keys.iter().map(present).collect();
            Box::pin(
                async move { answer(watch::watch(&cx, &token, &browser, &page, &keys, mark).await, Answer::Marked) },
            )
        }
        Act::Prompt { seat, approval, signer } => {
            let (browser, signer) = (cast.browser(seat), cast.gear[signer].signer);
            Box::pin(async move {
                let page = match prompt::page(&cx, &browser, approval).await {
                    Ok(page) => page.page_token,
                    Err(error) => return Answer::Refused(error),
                };
                let signature = signer.sign(DEVICE_KEY_PROMPT, page.as_bytes());
                let thumbprint = signer.public().thumbprint();
                let prompt = prompt::prompt(&cx, &browser, approval, &page, &thumbprint, &signature).await;
                answer(prompt, Answer::Prompted)
            })
        }
        Act::Decide { seat, approval, prompt, hand } => {
            let (browser, signed) = (cast.browser(seat), signed(cast, known, prompt, hand));
            Box::pin(async move { answer(decide::decide(&cx, &browser, approval, signed).await, is) })
        }
        Act::Reject { seat, approval } => {
            let browser = cast.browser(seat);
            Box::pin(async move { answer(reject::reject(&cx, &browser, approval).await, is) })
        }
        Act::StopOnDevice { seat, approval } => {
            let browser = cast.browser(seat);
            Box::pin(async move { answer(cancel::by_device(&cx, &browser, approval).await, is) })
        }
        Act::StopByLink { token, .. } => Box::pin(async move { answer(cancel::by_link(&cx, &token).await, is) }),
        Act::StopByInitiator { seat, token, .. } => {
            let browser = cast.browser(seat);
            Box::pin(async move { answer(cancel::by_initiator(&cx, &token, &browser).await, is) })
        }
        Act::StopByBackend { caller, approval } => {
            let caller = cast.callers[caller];
            Box::pin(async move { answer(cancel::by_backend(&cx, &caller, approval).await, is) })
        }
        Act::Redeem { caller, approval, digest, key } => {
            let caller = cast.callers[caller];
            Box::pin(async move {
                let redeemed = redeem::redeem(&cx, &caller, approval, digest, key).await;
                answer(redeemed, |redeemed| Answer::Redeemed(Box::new(redeemed)))
            })
        }
        Act::FreezeByLink { token, .. } => Box::pin(async move {
            let frozen = freeze::by_cancel_link(&cx, &token).await;
            answer(frozen, |frozen| Answer::Frozen(Box::new(frozen)))
        }),
        Act::FreezeOnDevice { seat } => {
            let browser = cast.browser(seat);
            Box::pin(async move {
                let frozen = freeze::by_device(&cx, &browser).await;
                answer(frozen, |frozen| Answer::Frozen(Box::new(frozen)))
            })
        }
        Act::Timers | Act::Notices | Act::Webhooks | Act::Sweep | Act::Sequence | Act::Freezes => work(cx, node, act),
    }
}

/// A worker's turn. What a turn couldn't do comes back by itself, so that its errors say nothing here.
fn work(cx: Context, node: &Node, act: &Act) -> Doing {
    let (gate, senders, hook) = (node.gate.clone(), node.senders.clone(), node.hook.clone());
    match act {
        Act::Timers if node.plant == Plant::TimersAskNoGate => Box::pin(async move {
            let open = ClockGate::default();
            open.set(Clocks::Agree);
            let _ = timers::turn(&cx, &open).await;
            Answer::Worked
        }),
        Act::Sweep if node.plant == Plant::SweepAsksNoGate => Box::pin(async move {
            let _ = sweep_past(&cx, &gate).await;
            Answer::Worked
        }),
        Act::Timers => Box::pin(async move {
            let _ = timers::turn(&cx, &gate).await;
            Answer::Worked
        }),
        Act::Notices => Box::pin(async move {
            let _ = notices::turn(&cx, &senders).await;
            Answer::Worked
        }),
        Act::Webhooks => Box::pin(async move {
            let _ = deliveries::turn(&cx, &hook).await;
            Answer::Worked
        }),
        Act::Sequence => Box::pin(async move {
            let _ = log::turn(&cx).await;
            Answer::Worked
        }),
        Act::Freezes => Box::pin(async move {
            let _ = freeze::turn(&cx).await;
            Answer::Worked
        }),
        _ => Box::pin(async move {
            let _ = sweep::sweep(&cx, &gate).await;
            Answer::Worked
        }),
    }
}

/// A sweep that compares the clocks, and looks at what is due whatever they say.
async fn sweep_past(cx: &Context, gate: &ClockGate) -> Result<(), Error> {
    gate.set(release::clocks(cx).await?);
    let due = cx.store.due_before(cx.store.now().await?, None, 1000).await?;
    let ids: Vec<ApprovalId> = due.into_iter().map(|(id, _)| id).collect();
    release::fall_due(cx, &ids).await.map(|_| ())
}

fn asked(cast: &Cast, key: IdempotencyKey, number: usize, amount: &'static str, holder: usize) -> Request {
    let holder = &cast.holders[holder];
    let parts = TransferParts {
        transfer_id: TransferId::parse(&format!("t-{number}")).expect("an id"),
        subject: holder.subject.clone(),
        amount: amount.to_owned(),
        currency: Some(Currency::parse("EUR").expect("a currency")),
        asset: None,
        payee: Payee {
            name: PayeeName::parse("Marta Nowak").expect("a name"),
            account: Account::parse("PL61109010140000071219812874").expect("an account"),
        },
        payee_history: None,
        source_account: SourceAccount {
            id: Token::parse("acc-4471").expect("an id"),
            label: Line::parse("Everyday account").expect("a label"),
        },
        reference: None,
        initiator: Initiator { started_on: StartedOn::Website, started_at: None, from: None },
    };
    let fingerprint = Digest::of(format!("{number} {amount} {}", holder.subject.as_str()).as_bytes());
    Request { key, fingerprint, parts, asked: Asked::default() }
}

fn signed(cast: &mut Cast, known: &Known, prompt: usize, hand: Hand) -> Signed {
    let asked = &known.prompts[prompt];
    let (own, other) = (asked.gear, (asked.gear + 1) % cast.gear.len());
    let bytes = data_encoding::BASE64URL_NOPAD.decode(asked.prompt.challenge.as_bytes()).expect("base64url");
    let challenge = Digest::from_bytes(bytes.try_into().expect("32 bytes"));
    let passkey = if hand == Hand::OtherPasskey { other } else { own };
    let signer = cast.gear[if hand == Hand::OtherDeviceKey { other } else { own }].signer;
    let gear = &mut cast.gear[passkey];
    gear.counter += u32::from(gear.counts);
    Signed {
        sealed: asked.prompt.sealed.clone(),
        assertion: gear.passkey.sign(&challenge, gear.counter),
        thumbprint: signer.public().thumbprint(),
        signature: signer.sign(DEVICE_KEY_APPROVE, challenge.bytes()),
    }
}
