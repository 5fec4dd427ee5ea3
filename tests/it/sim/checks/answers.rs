//! Judges an answer: it must be true when it is given, and stay true.

use std::time::Duration;

use countersign::domain::approval::{Approval, State, StateName, Watcher};
use countersign::domain::{ApprovalId, HolderId, Timestamp};
use countersign::ports::Effect;
use countersign::service::Error;
use countersign::service::redeem::Redeemed;
use countersign::service::request::{Answered, Repeat};

use super::super::acts::{Act, Answer};
use super::super::run::Run;
use super::super::tasks::{Task, TaskId};
use super::{Broken, Checks, LOST, Life, ONCE, STOPPED, must};

/// An answer is kept for 48 h, less what the clock of the node that forgets it may be off.
const REMEMBERED: Duration = Duration::from_secs(45 * 3600);

impl Checks {
    /// Judges the answer that a task ended with.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn answered(&mut self, run: &Run, task: &Task<Act, Answer>, answer: &Answer) -> Result<(), Broken> {
        let stored = moves_of(run, task.id);
        match (&task.act, answer) {
            // Only an unknown outcome may have been stored.
            (_, Answer::Refused(Error::Unknown(_))) => Ok(()),
            // Its freeze, or a cancel after it, may have been stored before the rest failed.
            (act, Answer::Refused(_)) if act.freezes() => Ok(()),
            (act, Answer::Refused(error)) => {
                must(stored == 0, LOST, || format!("{act:?} was refused, {error}, and stored all the same"))
            }
            (act @ Act::Request { .. }, Answer::Created(created)) => self.created(run, act, stored, created),
            (Act::Watch { approval, .. }, Answer::Marked(mark)) => {
                let life = self.life(*approval)?;
                let kept =
                    matches!(&life.approval.watcher, Watcher::Browser { mark: kept, .. } if *kept == mark.hash());
                must(kept, LOST, || format!("the browser that watches {approval} isn't remembered"))
            }
            (Act::Decide { .. }, Answer::Is(approval)) => {
                let life = self.life(approval.id)?;
                must(stored == 1, LOST, || format!("an approve of {} was answered, and not stored", approval.id))?;
                must(life.approval.version >= approval.version, LOST, || "an approve was lost".to_owned())
            }
            (Act::Reject { .. }, Answer::Is(approval)) => self.ended(approval, StateName::Rejected),
            (act, Answer::Is(approval)) if act.stops() => {
                self.stopped.insert(approval.id);
                self.ended(approval, StateName::Cancelled)
            }
            (act @ Act::Redeem { .. }, Answer::Redeemed(redeemed)) => self.redeemed(run, act, redeemed),
            (Act::Prompt { .. }, Answer::Prompted(_)) => {
                must(stored == 0, LOST, || "a prompt moved something".to_owned())
            }
            (act, Answer::Frozen(frozen)) if act.freezes() => self.frozen(run.began[&task.id], frozen.holder),
            (
                Act::Timers | Act::Notices | Act::Webhooks | Act::Sweep | Act::Sequence | Act::Freezes,
                Answer::Worked,
            ) => Ok(()),
            (act, answer) => Err(Broken { rule: LOST, what: format!("{act:?} answered {answer:?}") }),
        }
    }

    fn life(&self, id: ApprovalId) -> Result<&Life, Broken> {
        self.lives.get(&id).ok_or_else(|| Broken { rule: LOST, what: format!("{id} was answered, and isn't there") })
    }

    fn created(&mut self, run: &Run, act: &Act, stored: usize, created: &Answered) -> Result<(), Broken> {
        let Act::Request { caller, key, .. } = act else { unreachable!("checked by the caller") };
        let view: serde_json::Value = serde_json::from_str(&created.body).unwrap_or_default();
        let id = view["id"].as_str().and_then(|id| id.parse::<ApprovalId>().ok());
        let Some(id) = id else { return Err(Broken { rule: LOST, what: "an answer without an id".to_owned() }) };
        let (digest, created_at) = self.life(id).map(|life| (life.approval.digest(), life.approval.created_at))?;
        must(view["digest"] == digest.to_string(), LOST, || format!("{id} has another digest than was answered"))?;
        let backend = run.cast.callers[*caller].backend;
        let name = (backend, key.as_str().to_owned());
        let (at, first) = self.created.entry(name).or_insert_with(|| (created_at, created.body.clone()));
        if *first != created.body {
            // Answers come in any order: a slow one may tell of the earlier of the two.
            let apart = created_at.since(*at).max(at.since(created_at));
            must(apart >= REMEMBERED, LOST, || format!("{key:?} has two answers"))?;
            (*at, *first) = (created_at, created.body.clone());
        }
        must((stored == 1) == (created.repeat == Repeat::New), LOST, || format!("{stored} stored for {created:?}"))
    }

    /// A freeze was answered: nothing of the holder that was there when it was asked for lives, or will be redeemed.
    fn frozen(&mut self, began: usize, holder: HolderId) -> Result<(), Broken> {
        must(self.freezes.values().any(|freeze| freeze.holder == holder), LOST, || format!("{holder} was frozen"))?;
        for (id, life) in &self.lives {
            let state = life.approval.state.name();
            if life.approval.holder == holder && life.opened_after <= began {
                must(state.is_final(), STOPPED, || format!("{id} is {state:?} after its holder was frozen"))?;
                if state != StateName::Redeemed {
                    self.stopped.insert(*id);
                }
            }
        }
        Ok(())
    }

    fn ended(&self, answered: &Approval, name: StateName) -> Result<(), Broken> {
        let life = self.life(answered.id)?;
        let both = (answered.state.name(), life.approval.state.name());
        must(both == (name, name), STOPPED, || format!("{} is {both:?} after {name:?} was answered", answered.id))
    }

    fn redeemed(&self, run: &Run, act: &Act, redeemed: &Redeemed) -> Result<(), Broken> {
        let Act::Redeem { caller, approval, digest, key } = act else { unreachable!("checked by the caller") };
        let life = self.life(*approval)?;
        let State::Redeemed { idempotency_key, redeemed_at, .. } = &life.approval.state else {
            return Err(Broken {
                rule: LOST,
                what: format!("{approval} was redeemed, and is {:?}", life.approval.state),
            });
        };
        let once = |ok: bool, what: &str| must(ok, ONCE, || format!("{what}: {act:?}"));
        once(idempotency_key == key, "another key got the receipt")?;
        once(*digest == life.approval.digest(), "another digest got the receipt")?;
        once(run.cast.callers[*caller].backend == life.approval.backend, "another backend got the receipt")?;
        once(life.receipt.as_ref() == Some(&redeemed.receipt), "there are two receipts")?;
        once(redeemed.approval == life.approval && *redeemed_at > Timestamp::EPOCH, "another approval came with it")?;
        must(!self.stopped.contains(approval), STOPPED, || format!("{approval} was stopped before"))
    }
}

/// How many approvals and transitions this task has stored.
fn moves_of(run: &Run, task: TaskId) -> usize {
    let moves = |effect: &Effect| matches!(effect, Effect::Open { .. } | Effect::Transition { .. });
    run.log.stored().iter().filter(|stored| stored.task == task && moves(&stored.change.effect)).count()
}
