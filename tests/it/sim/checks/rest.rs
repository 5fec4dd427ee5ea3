//! What must hold once faults have ended, clocks agree, and the workers have had their periods.

use std::time::Duration;

use countersign::domain::approval::State;
use countersign::domain::channel::NoticeStatus;
use countersign::domain::log::{Edge, Tiles};
use countersign::domain::webhook::{Cause, DeliveryStatus};
use countersign::ports::Clock;

use super::super::run::Run;
use super::{Broken, Checks, LOG, LOST, SECRET, STUCK, WHOLE, must};
use crate::support::memory_store::Record;

/// A sweep, a timer's lease, and the tick in which both are seen.
const SLACK: Duration = Duration::from_secs(20);

impl Run {
    /// That nothing stands where its time is over: it is final, or waits for something that is still to come.
    ///
    /// # Errors
    /// Rule 7.
    pub fn check_nothing_is_late(&self) -> Result<(), Broken> {
        let late = self.clock.now() - SLACK;
        self.store.look(|record| {
            for (id, row) in &record.approvals {
                let told = record.due_case(*id).and_then(|case| case.told);
                let waits_until = match &row.approval.state {
                    State::Pending => Some(row.approval.expires_at),
                    State::Released { redeem_until, .. } => Some(*redeem_until),
                    State::Cooling { cooling_until, .. } => Some(match told {
                        Some(told) => told.delivered_at.max(*cooling_until),
                        None => row.approval.given_up_at().unwrap_or(*cooling_until),
                    }),
                    _ => None,
                };
                let on_time = waits_until.is_none_or(|until| until > late);
                must(on_time, STUCK, || format!("{id} is {:?} since {waits_until:?}", row.approval.state))?;
            }
            Ok(())
        })
    }
}

impl Checks {
    /// What must hold at the very end.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn at_the_end(&self, run: &Run) -> Result<(), Broken> {
        run.store.look(|record| {
            for (id, life) in &self.lives {
                let state = &life.approval.state;
                must(state.name().is_final(), STUCK, || format!("{id} is {state:?} for ever"))?;
                let entries = record
                    .entries
                    .iter()
                    .filter(|entry| entry.kind.starts_with("approval.") && entry.canonical.contains(&id.to_string()));
                let entries = u32::try_from(entries.count()).unwrap_or(u32::MAX);
                must(entries == life.approval.version, WHOLE, || {
                    format!("{entries} audit entries for {} versions of {id}", life.approval.version)
                })?;
                for version in &life.public {
                    let cause = Cause::Approval { id: *id, version: *version };
                    let sent = record.deliveries.values().filter(|row| row.delivery.cause == cause);
                    let sent: Vec<_> = sent.map(|row| row.status).collect();
                    must(sent == [DeliveryStatus::Delivered], LOST, || format!("version {version} of {id}: {sent:?}"))?;
                }
            }
            tree(record)?;
            let queued = record.notices.values().find(|row| row.status == NoticeStatus::Queued);
            must(queued.is_none(), STUCK, || format!("a notice waits for ever: {queued:?}"))?;
            let secrets = secrets(run);
            for entry in &record.entries {
                let told = secrets.iter().find(|secret| entry.canonical.contains(*secret));
                must(told.is_none(), SECRET, || format!("{told:?} is in {}", entry.canonical))?;
            }
            Ok(())
        })
    }
}

/// That the log has every entry once, in the order of the record, and that every signed tree is a beginning of the next.
fn tree(record: &Record) -> Result<(), Broken> {
    let mut edge = Edge::read(0, &Tiles::default()).expect("the edge of nothing");
    let mut entries = record.entries.iter();
    for signed in &record.checkpoints {
        let more = usize::try_from(signed.head.size - edge.size()).expect("few entries");
        let leaves: Vec<_> = entries.by_ref().take(more).map(|entry| entry.leaf_hash).collect();
        edge.append(&leaves);
        let root = edge.root().expect("a root");
        must(edge.size() == signed.head.size && root == signed.head.root, LOG, || format!("{signed:?} isn't {root}"))?;
    }
    let left = entries.count();
    must(left == 0, LOG, || format!("{left} entries have no place"))
}

/// Addresses, cookies, marks, links and prompts: what must not be in the log.
fn secrets(run: &Run) -> Vec<String> {
    let mut secrets = vec!["mail.example".to_owned(), "push.example".to_owned()];
    secrets.extend(run.cast.gear.iter().map(|gear| gear.cookie.clone()));
    secrets.extend(run.cast.seats.iter().filter_map(|seat| seat.mark.as_ref().map(|mark| mark.text())));
    secrets.extend(run.known.approvals.iter().map(|known| known.waiting.clone()));
    secrets.extend(run.known.prompts.iter().map(|known| known.prompt.sealed.clone()));
    run.post.look(|post| {
        let stop = |url: &url::Url| url.path().rsplit('/').next().map(str::to_owned);
        secrets.extend(post.iter().filter_map(|accepted| accepted.message.stop.as_ref().and_then(stop)));
    });
    secrets
}
