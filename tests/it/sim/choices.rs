//! What happens next: who does what, which task goes on, when time passes, and what breaks.

use std::time::Duration;

use countersign::domain::approval::{Approval, State, StateName};
use countersign::domain::backend::IdempotencyKey;
use countersign::domain::channel::NoticeStatus;
use countersign::domain::details::Digest;
use countersign::domain::webhook::DeliveryStatus;
use countersign::domain::{ApprovalId, NoticeId, Timestamp};
use countersign::ports::Clock;

use super::acts::{Act, Hand};
use super::cast::{GEAR, NEW, STRANGER};
use super::checks::Broken;
use super::run::{Event, Run};

const SECOND: i64 = 1_000_000;
/// More than a run can have deadlines.
const MOST_DUE: usize = 300;

/// Kinds of steps.
#[derive(Clone, Copy)]
enum Step {
    GoOn,
    Begin,
    Repeat,
    Work,
    Wait,
    WaitLong,
    ToWhatIsDue,
    TurnClock,
    Crash,
    CrashNode,
    Flush,
    Bounce,
}

/// Kinds of acts.
#[derive(Clone, Copy)]
enum Kind {
    Request,
    Watch,
    Prompt,
    Decide,
    Reject,
    Stop,
    Redeem,
    Freeze,
}

impl Run {
    /// One step of whatever comes next.
    ///
    /// # Errors
    /// The invariant that it broke.
    pub fn step(&mut self) -> Result<(), Broken> {
        let weights = [
            (1500, Step::GoOn),
            (90, Step::Begin),
            (15, Step::Repeat),
            (80, Step::Work),
            (30, Step::Wait),
            (2, Step::WaitLong),
            (8, Step::ToWhatIsDue),
            (4, Step::TurnClock),
            (6, Step::Crash),
            (3, Step::CrashNode),
            (2, Step::Flush),
            (3, Step::Bounce),
        ];
        match self.chance.weighted(&weights) {
            Step::GoOn if !self.tasks.is_empty() => {
                let index = self.chance.below(self.tasks.len());
                return self.poll(index);
            }
            Step::GoOn | Step::Begin => self.begin_something(),
            Step::Repeat => self.repeat(),
            Step::Work => self.work(),
            Step::Wait => {
                let micros = *self.chance.pick(&[1, 1_000, SECOND, 2 * SECOND, 10 * SECOND, 30 * SECOND]);
                self.pass(Timestamp::from_micros(self.clock.now().micros() + micros));
            }
            Step::WaitLong => {
                let minutes = *self.chance.pick(&[5, 15, 60, 25 * 60, 73 * 60]);
                self.pass(Timestamp::from_micros(self.clock.now().micros() + minutes * 60 * SECOND));
            }
            Step::ToWhatIsDue => self.up_to_what_is_due(),
            Step::TurnClock => self.step_clock(),
            Step::Crash if !self.tasks.is_empty() => {
                let index = self.chance.below(self.tasks.len());
                let task = self.tasks.swap_remove(index);
                self.tell(Event::Crashed(task.id));
            }
            Step::CrashNode => {
                let node = self.chance.below(self.nodes.len());
                self.tasks.retain(|task| task.node != node);
                self.tell(Event::NodeCrashed(node));
            }
            Step::Flush => {
                self.timers.flush();
                self.tell(Event::TimersFlushed);
            }
            Step::Bounce => self.bounce(),
            Step::Crash => {}
        }
        Ok(())
    }

    fn pass(&mut self, until: Timestamp) {
        self.clock.set(until.max(self.clock.now()));
    }

    /// Goes to the moment before, of or after something's falling due.
    fn up_to_what_is_due(&mut self) {
        let unanswered = self.chance.once_in(5);
        let due = self.store.look(|record| {
            let approvals = record.approvals.values().map(|row| &row.approval);
            let cooling = |approval: &&Approval| matches!(approval.state, State::Cooling { .. });
            let wanted = approvals.filter(|approval| unanswered || cooling(approval));
            wanted.filter_map(Approval::due_at).collect::<Vec<_>>()
        });
        if !due.is_empty() {
            let (at, ticks) = (self.chance.pick(&due).micros(), self.chance.pick(&[-1, 0, 1]).to_owned());
            self.pass(Timestamp::from_micros(at + ticks));
        }
    }

    /// A node's clock, or the timers', goes off: by a little, by what is still allowed, or by far more.
    fn step_clock(&mut self) {
        let off = [0, 0, 0, -SECOND / 2, SECOND / 2, -2 * SECOND, 2 * SECOND, 3 * SECOND, -3 * SECOND];
        let far = [600 * SECOND, -600 * SECOND, 3600 * SECOND, -7200 * SECOND];
        let ahead = if self.chance.once_in(4) { *self.chance.pick(&far) } else { *self.chance.pick(&off) };
        let which = self.chance.below(self.nodes.len() + 1);
        match self.nodes.get(which) {
            Some(node) => node.clock.set(ahead),
            None => self.timer_clock.set(ahead),
        }
        self.tell(Event::ClockIsAhead(which, ahead));
    }

    fn bounce(&mut self) {
        let ids: Vec<NoticeId> = self.store.look(|record| record.notices.keys().copied().collect());
        if !ids.is_empty() {
            let id = *self.chance.pick(&ids);
            let now = self.clock.now();
            self.store.set_up(|record| {
                record.notice_bounced(id, now);
            });
            self.tell(Event::Bounced(id));
        }
    }

    fn work(&mut self) {
        let node = self.chance.below(self.nodes.len());
        let act = match self.chance.below(14) {
            13 => Act::Freezes,
            0..=3 => Act::Timers,
            4..=6 => Act::Notices,
            7 => Act::Webhooks,
            10..=12 => Act::Sequence,
            _ => Act::Sweep,
        };
        self.start(node, act);
    }

    /// The same request once more, perhaps while the first is still under way.
    fn repeat(&mut self) {
        if !self.known.done.is_empty() {
            let act = self.chance.pick(&self.known.done).clone();
            let node = self.chance.below(self.nodes.len());
            self.start(node, act);
        }
    }

    /// People mostly do what there is to do, and now and then what there isn't.
    fn begin_something(&mut self) {
        let index = self.which();
        let state = index.map(|index| {
            let id = self.known.approvals[index].id;
            self.store.look(|record| record.approvals[&id].approval.state.name())
        });
        let kind = match state {
            None => Kind::Request,
            Some(StateName::Pending) => self.chance.weighted(&[
                (5, Kind::Request),
                (10, Kind::Watch),
                (30, Kind::Prompt),
                (50, Kind::Decide),
                (1, Kind::Reject),
                (3, Kind::Stop),
                (1, Kind::Redeem),
                (1, Kind::Freeze),
            ]),
            Some(StateName::Released) => {
                self.chance.weighted(&[(20, Kind::Redeem), (4, Kind::Stop), (1, Kind::Decide), (2, Kind::Freeze)])
            }
            Some(StateName::Cooling) => self.chance.weighted(&[
                (10, Kind::Request),
                (3, Kind::Stop),
                (3, Kind::Redeem),
                (3, Kind::Decide),
                (1, Kind::Reject),
                (1, Kind::Watch),
                (1, Kind::Freeze),
            ]),
            Some(_) => self.chance.weighted(&[
                (20, Kind::Request),
                (2, Kind::Stop),
                (3, Kind::Redeem),
                (1, Kind::Prompt),
                (2, Kind::Decide),
                (1, Kind::Reject),
                (1, Kind::Watch),
            ]),
        };
        if let Some(act) = self.choose(kind, index.unwrap_or_default()) {
            let node = self.chance.below(self.nodes.len());
            self.known.done.push(act.clone());
            self.start(node, act);
        }
    }

    /// An approval to do something about: the newest are the likeliest.
    fn which(&mut self) -> Option<usize> {
        let count = self.known.approvals.len();
        (count > 0).then(|| count - 1 - self.chance.below(count).min(self.chance.below(count)))
    }

    fn choose(&mut self, kind: Kind, index: usize) -> Option<Act> {
        if matches!(kind, Kind::Request) {
            return Some(self.request());
        }
        let known = &self.known.approvals[index];
        let (approval, digest, token, holder) = (known.id, known.digest, known.waiting.clone(), known.holder);
        Some(match kind {
            Kind::Request => return None,
            Kind::Watch => {
                let seat = *self.chance.pick(&[2, 2, 2, GEAR, GEAR, 0, NEW]);
                let keys = if seat < GEAR && !self.chance.once_in(3) { vec![seat] } else { Vec::new() };
                Act::Watch { seat, approval, token, keys }
            }
            Kind::Prompt => {
                let seat = self.device_of(holder);
                let signer = if self.chance.once_in(15) { (seat + 1) % GEAR } else { seat };
                Act::Prompt { seat, approval, signer }
            }
            Kind::Decide => {
                // Mostly the newest prompt about it, in the browser it was made for; sometimes any old one.
                let newest = self.known.prompts.iter().rposition(|prompt| prompt.approval == approval);
                let prompts = self.known.prompts.len();
                let prompt = if newest.is_some() && !self.chance.once_in(8) {
                    newest?
                } else if prompts > 0 {
                    self.chance.below(prompts)
                } else {
                    return None;
                };
                let asked = &self.known.prompts[prompt];
                let (approval, gear) = (asked.approval, asked.gear);
                let seat = if self.chance.once_in(15) { self.chance.below(GEAR + 1) } else { gear };
                let hand = self.chance.weighted(&[(12, Hand::Own), (1, Hand::OtherDeviceKey), (2, Hand::OtherPasskey)]);
                Act::Decide { seat, approval, prompt, hand }
            }
            Kind::Reject => Act::Reject { seat: self.chance.below(GEAR + 1), approval },
            Kind::Stop => return self.stop(index),
            Kind::Freeze => return self.freeze(index),
            Kind::Redeem => {
                let caller = self.chance.weighted(&[(20, 0), (5, 1), (1, 2)]);
                let digest = if self.chance.once_in(10) { Digest::of(b"another transfer") } else { digest };
                let key = self.idempotency_key("redeem", 3);
                Act::Redeem { caller, approval, digest, key }
            }
        })
    }

    fn stop(&mut self, index: usize) -> Option<Act> {
        let known = &self.known.approvals[index];
        let (approval, token) = (known.id, known.waiting.clone());
        Some(match self.chance.below(4) {
            0 => Act::StopOnDevice { seat: self.chance.below(GEAR + 1), approval },
            1 => Act::StopByInitiator { seat: *self.chance.pick(&[2, GEAR]), approval, token },
            2 => Act::StopByBackend { caller: self.chance.below(3), approval },
            _ => Act::StopByLink { approval, token: self.link_about(approval)? },
        })
    }

    /// The token of the link in a notice about an approval, if one arrived.
    fn link_about(&self, approval: ApprovalId) -> Option<String> {
        self.post.look(|post| {
            let stop = post.iter().find(|accepted| accepted.message.approval == Some(approval))?;
            let url = stop.message.stop.as_ref()?;
            url.path().rsplit('/').next().map(str::to_owned)
        })
    }

    /// Mostly from a link, which freezes for a day: a device's own freeze holds to the end of the run.
    fn freeze(&mut self, index: usize) -> Option<Act> {
        if self.chance.once_in(6) {
            return Some(Act::FreezeOnDevice { seat: self.chance.below(GEAR + 1) });
        }
        let known = &self.known.approvals[index];
        let holder = self.cast.holders[known.holder].id;
        Some(Act::FreezeByLink { holder, token: self.link_about(known.id)? })
    }

    fn request(&mut self) -> Act {
        let number = self.chance.below(12);
        let holder = usize::from(self.chance.once_in(6));
        let amount = self.chance.pick(&["12500.00", "12500.00", "9.99"]);
        let caller = self.chance.weighted(&[(20, 0), (5, 1), (1, 2)]);
        Act::Request { caller, key: self.idempotency_key("request", 30), number, amount, holder }
    }

    fn idempotency_key(&mut self, what: &str, of: usize) -> IdempotencyKey {
        IdempotencyKey::parse(&format!("{what}-{}", self.chance.below(of))).expect("a key")
    }

    /// Usually a device that may decide; sometimes one that may not.
    fn device_of(&mut self, holder: usize) -> usize {
        match (holder, self.chance.below(12)) {
            (_, 0) => self.chance.below(GEAR),
            (0, 1) => NEW,
            (0, 2..=3) => 2,
            (0, 4..=5) => 1,
            (0, _) => 0,
            _ => STRANGER,
        }
    }

    /// Everything works again: faults end, clocks agree, and the workers have their periods, until all that lived has
    /// come to its end.
    ///
    /// # Errors
    /// The invariant that doesn't hold, on the way or at the end.
    pub fn calm(&mut self) -> Result<(), Broken> {
        self.faults.end();
        self.tell(Event::Calm);
        self.nodes.iter().for_each(|node| node.clock.set(0));
        self.timer_clock.set(0);
        self.tasks.clear();
        // As long as the longest lease, so that whatever a crashed worker held is free; then two sweeps.
        self.rounds(8, Duration::from_secs(12))?;
        self.check_nothing_is_late()?;
        // Each moves at least one approval towards its end, or the check that follows says that it is late.
        for _ in 0..MOST_DUE {
            let Some(due) = self.next_due() else { break };
            self.pass(due);
            self.rounds(2, Duration::from_secs(12))?;
            self.check_nothing_is_late()?;
        }
        // The last of what happened is signed, too.
        self.finish(0, Act::Sequence)?;
        self.check_end()
    }

    fn rounds(&mut self, count: usize, every: Duration) -> Result<(), Broken> {
        for _ in 0..count {
            self.clock.advance(every);
            for act in [Act::Freezes, Act::Sweep, Act::Sequence, Act::Timers, Act::Notices, Act::Webhooks] {
                self.finish(0, act)?;
            }
            self.finish(1, Act::Timers)?;
        }
        Ok(())
    }

    /// When something that lives falls due next, or is given up, or something is sent again.
    fn next_due(&self) -> Option<Timestamp> {
        let now = self.clock.now();
        self.store.look(|record| {
            let next = |approval: &Approval| {
                let due = approval.due_at()?;
                Some(if due > now { due } else { approval.given_up_at().unwrap_or(due).max(now) })
            };
            let approvals = record.approvals.values().filter_map(|row| next(&row.approval));
            let notices = record.notices.values().filter(|row| row.status == NoticeStatus::Queued);
            let deliveries = record.deliveries.values().filter(|row| row.status == DeliveryStatus::Queued);
            let sent_again = notices.map(|row| row.next_at).chain(deliveries.filter_map(|row| row.next_at));
            approvals.chain(sent_again.map(|at| at.max(now))).min()
        })
    }
}
