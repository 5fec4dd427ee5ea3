//! The way so far: the steps a transfer has behind it and before it, for the browser that started it.
//!
//! Owns the order of the steps and their words. Printed by `templates/parts/way.html`; `waiting` shows it.

use super::clocktext::{Moment, Timed};
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
    note: Timed,
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
                step(Place::Here, ANSWER, Timed::at("Waiting, until ", deadline.at())),
                step(Place::Ahead, COOLING, Timed::plain(format!("{hold}. You can still stop it"))),
                step(Place::Ahead, RELEASED, Timed::plain("Only now the money is sent")),
            ],
        }
    }

    pub(super) fn cooling(asked: &Moment, approved: &Moment, clock: &HoldClock) -> Self {
        Self {
            steps: vec![
                asked_step(asked),
                step(Place::Done, ANSWER, Timed::at("Approved ", approved)),
                step(Place::Here, COOLING, Timed::at("Until ", clock.until()).then(". You can still stop it")),
                step(Place::Ahead, RELEASED, Timed::plain("Only now the money is sent")),
            ],
        }
    }

    pub(super) fn ended(asked: &Moment, outcome: &Outcome) -> Self {
        let mut steps = vec![asked_step(asked)];
        let answered = |at: &Moment| step(Place::Done, ANSWER, Timed::at("Approved ", at));
        match outcome {
            Outcome::Released { at, approved, .. } => {
                steps.push(answered(&approved.at));
                steps.push(step(Place::Done, COOLING, Timed::plain("Over. Nobody stopped it")));
                steps.push(step(Place::Here, RELEASED, Timed::at("", at)));
            }
            Outcome::Rejected { at, .. } => {
                steps.push(step(Place::Here, ANSWER, Timed::at("Rejected ", at)));
            }
            Outcome::Cancelled { at, by, approved } => {
                steps.extend(approved.as_ref().map(|approved| answered(&approved.at)));
                steps.push(step(Place::Here, "Stopped", Timed::at("", at).then(by.how())));
            }
            Outcome::Expired { at, why, .. } => steps.push(match why {
                Lapse::Unanswered => step(Place::Here, ANSWER, Timed::at("None. Time ran out ", at)),
                Lapse::NotTaken => step(Place::Here, "Time ran out", Timed::at("", at)),
            }),
        }
        Self { steps }
    }
}

fn asked_step(asked: &Moment) -> Step {
    step(Place::Done, "Asked", Timed::at("", asked))
}

fn step(place: Place, label: &'static str, note: Timed) -> Step {
    Step { place, label, note }
}
