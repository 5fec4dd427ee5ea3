//! The way so far: the steps a transfer has behind it and before it, for the browser that started it.
//!
//! Owns the order of the steps and their words. Printed by `templates/parts/way.html`; `waiting` shows it.

use super::clocktext::Moment;
use super::live::{Deadline, HoldClock};
use super::outcome::{Lapse, Outcome};
use askama::Template;

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Done,
    Here,
    Ahead,
}

struct Step {
    place: Place,
    label: &'static str,
    note: String,
}

/// The steps, in order; exactly one of them is where the transfer is now.
#[derive(Template)]
#[template(path = "parts/way.html")]
pub struct Way {
    steps: Vec<Step>,
}

const ANSWER: &str = "Your answer on the phone";
const COOLING: &str = "Cooling-off";
const RELEASED: &str = "Released";

impl Way {
    /// Waiting for the holder's answer; `hold` is the length in words.
    pub(super) fn pending(asked: &Moment, deadline: &Deadline, hold: &str) -> Self {
        Self {
            steps: vec![
                asked_step(asked),
                step(Place::Here, ANSWER, format!("Waiting, until {}", deadline.at())),
                step(Place::Ahead, COOLING, format!("{hold}. You can still stop it")),
                step(Place::Ahead, RELEASED, "Only now the money is sent".to_owned()),
            ],
        }
    }

    pub(super) fn cooling(asked: &Moment, approved: &Moment, clock: &HoldClock) -> Self {
        Self {
            steps: vec![
                asked_step(asked),
                step(Place::Done, ANSWER, format!("Approved {approved}")),
                step(Place::Here, COOLING, format!("Until {}. You can still stop it", clock.until())),
                step(Place::Ahead, RELEASED, "Only now the money is sent".to_owned()),
            ],
        }
    }

    pub(super) fn ended(asked: &Moment, outcome: &Outcome) -> Self {
        let mut steps = vec![asked_step(asked)];
        let answered = |at: &Moment| step(Place::Done, ANSWER, format!("Approved {at}"));
        match outcome {
            Outcome::Released { at, approved, .. } => {
                steps.push(answered(&approved.at));
                steps.push(step(Place::Done, COOLING, "Over. Nobody stopped it".to_owned()));
                steps.push(step(Place::Here, RELEASED, at.opening()));
            }
            Outcome::Rejected { at, .. } => {
                steps.push(step(Place::Here, ANSWER, format!("Rejected {at}")));
            }
            Outcome::Cancelled { at, by, approved } => {
                steps.extend(approved.as_ref().map(|approved| answered(&approved.at)));
                steps.push(step(Place::Here, "Stopped", format!("{}{}", at.opening(), by.how())));
            }
            Outcome::Expired { at, why, .. } => steps.push(match why {
                Lapse::Unanswered => step(Place::Here, ANSWER, format!("None. Time ran out {at}")),
                Lapse::NotTaken => step(Place::Here, "Time ran out", at.opening()),
            }),
        }
        Self { steps }
    }
}

fn asked_step(asked: &Moment) -> Step {
    step(Place::Done, "Asked", asked.opening())
}

fn step(place: Place, label: &'static str, note: String) -> Step {
    Step { place, label, note }
}
