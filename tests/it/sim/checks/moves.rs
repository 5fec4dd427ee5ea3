//! Judges a stored transition: whether it might happen then, by whom, and whether all of it is there.

use std::time::Duration;

use countersign::domain::approval::transitions::Transition;
use countersign::domain::approval::{Approval, CancelReason, Decision, Distinct, ExpireReason, State, Told, Watcher};
use countersign::domain::channel::{About, Notice, Purpose};
use countersign::domain::event::EventKind;
use countersign::domain::evidence::Evidence;
use countersign::domain::linking::{DEVICE_KEY_APPROVE, device_key_message};
use countersign::domain::policy::Unproved;
use countersign::domain::receipt::Receipt;
use countersign::domain::webhook::{Cause, message_id};
use countersign::ports::Clock;

use super::super::acts::{Act, Hand};
use super::super::passkeys::evidence_fits;
use super::super::run::Run;
use super::super::store::Stored;
use super::{Broken, Checks, EARLY, ENTITLED, EVIDENCE, FINAL, LOG, Life, ONCE, ORDER, STOPPED, TOLD, WHOLE, must};

/// How far a node's clock may be off (design section 2).
const MAX_SKEW: Duration = Duration::from_secs(2);

impl Checks {
    pub(super) fn moved(
        &mut self,
        run: &Run,
        act: &Act,
        stored: &Stored,
        transition: &Transition,
        receipt: Option<&String>,
    ) -> Result<(), Broken> {
        let after = &transition.approval;
        let id = after.id;
        let Some(life) = self.lives.get(&id).cloned() else {
            return Err(Broken { rule: WHOLE, what: format!("{id} moved and was never opened") });
        };
        let before = &life.approval;
        must(!before.state.name().is_final(), FINAL, || format!("{:?} became {:?}", before.state, after.state))?;
        must(after.version == before.version + 1, ORDER, || {
            format!("{id} went from version {} to {}", before.version, after.version)
        })?;
        let kept = Approval {
            version: after.version,
            state: after.state.clone(),
            watcher: after.watcher.clone(),
            ..before.clone()
        };
        must(*after == kept, ORDER, || format!("{id} changed what stays"))?;
        let about = act.approval();
        must(about.is_none_or(|about| about == id), ENTITLED, || format!("{act:?} moved {id}"))?;

        let loosens = matches!(after.state, State::Cooling { .. } | State::Released { .. } | State::Redeemed { .. });
        let frozen = loosens && self.is_frozen(after.holder);
        must(!frozen, STOPPED, || format!("{id} became {:?} while its holder was frozen", after.state))?;

        let mut life = life.clone();
        self.may(run, act, stored, &mut life, after)?;
        consequences(run, stored, transition, &mut life)?;
        let cooling = |notice: &&Notice| notice.about == About::Approval(id) && notice.purpose == Purpose::Cooling;
        let notices: Vec<&Notice> = stored.change.notices.iter().filter(cooling).collect();
        if decides(transition) {
            self.tells(run, stored, after.holder, &notices)?;
        } else {
            must(notices.is_empty(), WHOLE, || format!("{:?}, and the holder is told that it cools off", after.state))?;
        }
        life.receipt = receipt.cloned().or(life.receipt);
        life.approval = after.clone();
        self.lives.insert(id, life);
        Ok(())
    }

    fn may(&self, run: &Run, act: &Act, stored: &Stored, life: &mut Life, after: &Approval) -> Result<(), Broken> {
        let before = life.approval.clone();
        let now = stored.by_database;
        match (&before.state, &after.state) {
            (State::Pending, State::Pending) => {
                let Act::Watch { seat, .. } = act else { return nobody(act, after) };
                must(before.watcher == Watcher::Nobody, ORDER, || "it was watched twice".to_owned())?;
                (life.watched_from, life.watched_after) = (Some(*seat), self.seen);
                Ok(())
            }
            (State::Pending, State::Cooling { decision, cooling_until }) => {
                must(now < before.expires_at, EARLY, || "it was approved after its time".to_owned())?;
                must(*cooling_until == decision.approved_at + decision.hold, EARLY, || "another hold".to_owned())?;
                life.approved_at = Some(now);
                self.decided(run, act, stored, life, &before, decision)
            }
            (State::Cooling { decision, cooling_until }, State::Released { decision: same, told, released_at, .. }) => {
                let (Act::Timers | Act::Sweep) = act else { return nobody(act, after) };
                let trusts_its_clock = run.trusted.contains(&stored.task);
                must(trusts_its_clock, EARLY, || "a node released that doubts its clock".to_owned())?;
                must(decision == same, EVIDENCE, || "another decision was released".to_owned())?;
                must(now >= *cooling_until, EARLY, || format!("database {now}, hold until {cooling_until}"))?;
                // The node's clock as it was when the node decided: it may have been turned before the commit.
                let by_node = stored.by_node;
                must(*released_at >= *cooling_until, EARLY, || {
                    format!("node {released_at}, at the commit {by_node}, hold until {cooling_until}")
                })?;
                let node = run.tasks.iter().find(|task| task.id == stored.task).map(|task| &run.nodes[task.node]);
                let said = node.is_some_and(|node| node.clock.gave(*released_at));
                must(said, EARLY, || format!("{released_at} isn't what the node's clock said"))?;
                let waited = life.approved_at.map(|approved| now.since(approved)).unwrap_or_default();
                must(waited + MAX_SKEW >= decision.hold, EARLY, || {
                    format!("{waited:?} passed between approve and release, and {:?} were signed", decision.hold)
                })?;
                let time = decision.hold.min(before.terms.told_before);
                must(now + MAX_SKEW >= told.delivered_at + time, EARLY, || {
                    format!("told at {}, and {now} is less than {time:?} later", told.delivered_at)
                })?;
                was_told(run, life, decision, told)
            }
            (State::Cooling { decision, cooling_until }, State::Cooling { decision: same, cooling_until: later }) => {
                let (Act::Timers | Act::Sweep) = act else { return nobody(act, after) };
                must(decision == same, EVIDENCE, || "another decision cools off".to_owned())?;
                must(later > cooling_until, EARLY, || "the hold became shorter".to_owned())?;
                let cap = decision.approved_at + before.terms.hold_cap;
                must(*later <= cap, EARLY, || format!("extended to {later}, past its cap {cap}"))
            }
            (State::Released { decision, redeem_until, .. }, State::Redeemed { decision: same, by, .. }) => {
                let Act::Redeem { caller, digest, .. } = act else { return nobody(act, after) };
                must(decision == same, EVIDENCE, || "another decision was redeemed".to_owned())?;
                must(now < *redeem_until, ONCE, || "it was redeemed after its time".to_owned())?;
                must(*digest == before.digest(), ONCE, || "another digest was redeemed".to_owned())?;
                let caller = &run.cast.callers[*caller];
                must(caller.backend == before.backend && caller.key == *by, ENTITLED, || format!("{act:?}"))?;
                must(!self.stopped.contains(&after.id), STOPPED, || format!("{} was redeemed", after.id))
            }
            (State::Pending, State::Rejected { .. }) => {
                let Act::Reject { seat, .. } = act else { return nobody(act, after) };
                must(is_holders(run, *seat, &before), ENTITLED, || format!("{act:?}"))
            }
            (state, State::Cancelled { reason: CancelReason::Unreachable, .. }) => {
                let given_up = before.given_up_at().is_some_and(|at| now >= at);
                must(given_up && matches!(act, Act::Timers | Act::Sweep), EARLY, || format!("{state:?} was given up"))
            }
            (_, State::Cancelled { .. }) => {
                let entitled = match act {
                    Act::StopOnDevice { seat, .. } => is_holders(run, *seat, &before),
                    Act::StopByBackend { caller, .. } => run.cast.callers[*caller].backend == before.backend,
                    // Whoever came with the link before anybody had opened the page may finish what they began.
                    Act::StopByInitiator { seat, .. } => {
                        life.watched_from.is_none_or(|watched| watched == *seat)
                            || run.began[&stored.task] < life.watched_after
                    }
                    Act::StopByLink { .. } => true,
                    Act::FreezeByLink { holder, .. } => *holder == after.holder,
                    Act::FreezeOnDevice { seat } => is_holders(run, *seat, &before),
                    // A slow turn may come to it after the freeze has ended; that only tightens.
                    Act::Freezes => self.freezes.values().any(|freeze| freeze.holder == after.holder),
                    _ => false,
                };
                let frozen = act.freezes() || matches!(act, Act::Freezes);
                let why = after.state.reason() == Some(CancelReason::HolderFrozen.as_str());
                must(frozen == why, ENTITLED, || format!("{act:?} says why: {:?}", after.state.reason()))?;
                must(entitled, ENTITLED, || format!("{act:?} stopped it"))
            }
            (State::Pending, State::Expired { reason: ExpireReason::Unanswered, .. }) => {
                must(now >= before.expires_at, EARLY, || "it expired early".to_owned())
            }
            (State::Released { redeem_until, .. }, State::Expired { reason: ExpireReason::NotRedeemed, .. }) => {
                must(now >= *redeem_until, EARLY, || "it expired early".to_owned())
            }
            (from, to) => Err(Broken { rule: ORDER, what: format!("{from:?} became {to:?}") }),
        }
    }

    /// Whether a device decided that may, with its passkey and its own key, over exactly this.
    fn decided(
        &self,
        run: &Run,
        act: &Act,
        stored: &Stored,
        life: &Life,
        before: &Approval,
        decision: &Decision,
    ) -> Result<(), Broken> {
        let Act::Decide { seat, hand, .. } = act else { return nobody(act, before) };
        let evidence = |ok: bool, what: &str| must(ok, EVIDENCE, || format!("{what}: {act:?}"));
        evidence(*hand == Hand::Own, "somebody without both keys decided")?;
        let Some(gear) = run.cast.gear.iter().find(|gear| Some(gear.id) == decision.device()) else {
            return Err(Broken { rule: EVIDENCE, what: "an unknown device decided".to_owned() });
        };
        evidence(run.cast.seats[*seat].gear.is_some_and(|own| run.cast.gear[own].id == gear.id), "another browser")?;
        evidence(is_holders(run, *seat, before), "a stranger decided")?;
        evidence(!self.locked.contains(&gear.id), "a locked device decided")?;
        evidence(life.watched_from != Some(*seat), "the browser that started it decided")?;
        let body = run.store.look(|record| record.devices[&gear.id].body.clone());
        evidence(body.enrolled_at < before.created_at, "a device enrolled later decided")?;
        evidence(body.usable_from <= before.created_at, "a device on hold decided")?;
        evidence(gear.assurance >= before.terms.assurance, "too weak a passkey decided")?;
        let watched = before.watcher != Watcher::Nobody;
        evidence(watched || before.terms.unproved != Unproved::Refuse, "nobody was compared")?;
        evidence((decision.distinct() == Some(Distinct::Observed)) == watched, "the comparison isn't as it was")?;
        evidence(decision.hold >= before.terms.hold, "the hold is too short")?;

        let Some(Evidence::Approve { preimage, assertion, device_key, device_signature, .. }) = &stored.change.evidence
        else {
            return Err(Broken { rule: EVIDENCE, what: "there is none".to_owned() });
        };
        let challenge = preimage.challenge();
        evidence(challenge == decision.challenge, "another challenge was signed")?;
        evidence(preimage.approval == before.id && preimage.version == before.version, "about another approval")?;
        evidence(preimage.digest == before.digest() && preimage.hold == decision.hold, "about other details")?;
        evidence(*device_key == gear.signer.public(), "another device key")?;
        let message = device_key_message(DEVICE_KEY_APPROVE, challenge.bytes());
        evidence(device_key.verifies(&message, &device_signature.0), "the device key didn't sign")?;
        evidence(evidence_fits(assertion, &gear.passkey, &challenge), "the passkey didn't sign")
    }
}

fn nobody(act: &Act, after: &Approval) -> Result<(), Broken> {
    Err(Broken { rule: ENTITLED, what: format!("{act:?} led to {:?}", after.state) })
}

fn is_holders(run: &Run, seat: usize, approval: &Approval) -> bool {
    let gear = run.cast.seats[seat].gear.map(|gear| &run.cast.gear[gear]);
    gear.is_some_and(|gear| run.cast.holders[gear.holder].id == approval.holder)
}

/// Whether a message about it really reached the holder after the approve, elsewhere than on the device that decided.
fn was_told(run: &Run, life: &Life, decision: &Decision, told: &Told) -> Result<(), Broken> {
    let found = run.cast.channels.iter().position(|channel| channel.id == told.channel);
    let Some(index) = found else {
        return Err(Broken { rule: TOLD, what: "on an unknown channel".to_owned() });
    };
    let channel = &run.cast.channels[index];
    let say = |ok: bool, what: &str| must(ok, TOLD, || format!("{what}: {told:?}"));
    say(channel.holder == life.approval.holder, "somebody else")?;
    say(channel.device.is_none() || channel.device != decision.device(), "on the device that decided")?;
    say(told.delivered_at >= decision.approved_at, "before the approve")?;
    say(channel.counts_from <= told.delivered_at, "on a channel that didn't count yet")?;
    let since = life.approved_at.unwrap_or(run.clock.now()) - MAX_SKEW;
    let arrived = run.post.look(|post| {
        post.iter().any(|accepted| {
            accepted.message.approval == Some(life.approval.id)
                && accepted.to == run.cast.addresses[index]
                && accepted.at >= since
        })
    });
    say(arrived, "nothing arrived there since the approve")
}

/// Whether somebody decided. A hold that gets longer goes on with the decision there is.
fn decides(transition: &Transition) -> bool {
    matches!(transition.approval.state, State::Cooling { .. }) && transition.event != EventKind::Extended
}

/// That the audit entry, the webhooks and the evidence of this very transition are in the same change.
fn consequences(run: &Run, stored: &Stored, transition: &Transition, life: &mut Life) -> Result<(), Broken> {
    let (change, after) = (&stored.change, &transition.approval);
    let whole = |ok: bool, what: &str| must(ok, WHOLE, || format!("{what}, {:?}", after.state));
    whole(change.entry.kind == transition.event.as_str(), "the audit entry is of another kind")?;
    let canonical: serde_json::Value = serde_json::from_str(&change.entry.canonical).unwrap_or_default();
    let version = canonical["facts"]["version"].as_str() == Some(after.version.to_string().as_str());
    let names_it = canonical["object"].as_array().is_some_and(|ids| ids.contains(&after.id.to_string().into()));
    whole(version && names_it, "the audit entry is about something else")?;

    let public = transition.event.is_public();
    let cause = Cause::Approval { id: after.id, version: after.version };
    let announced = change.deliveries.iter().filter(|delivery| {
        delivery.cause == cause
            && delivery.endpoint == run.cast.endpoint
            && delivery.message_id == message_id(after.id, after.version)
    });
    whole(announced.count() == usize::from(public), "its backend isn't told")?;
    if public {
        life.public.push(after.version);
    }
    whole(change.evidence.is_some() == decides(transition), "evidence and decision don't go together")?;

    let redeems = matches!(after.state, State::Redeemed { .. });
    let countersign::ports::Effect::Transition { receipt, .. } = &change.effect else {
        return Err(Broken { rule: WHOLE, what: "not a transition".to_owned() });
    };
    must(receipt.is_some() == redeems, ONCE, || format!("{:?} has the receipt {receipt:?}", after.state))?;
    let Some(receipt) = receipt else { return Ok(()) };
    let cx = &run.nodes[0].cx;
    let read: Receipt = serde_json::from_str(receipt).expect("the claims of a receipt");
    let expected = Receipt::of(after, &cx.settings.issuer, read.proof.clone());
    must(expected.as_ref() == Some(&read), ONCE, || format!("the receipt says {receipt}"))?;
    let proved = read.verify_proof(cx.log.signer.keys());
    must(proved.is_ok(), LOG, || format!("the receipt proves nothing: {proved:?}"))
}
