//! From an override request to the plain values of its page.

use super::present;
use super::signed_in::SignedIn;
use crate::domain::approval::{Approval, State as ApprovalState};
use crate::domain::ids::StaffId;
use crate::domain::override_request::{Kind, OverrideRequest, Refusal, State, VoidReason};
use crate::domain::staff::Staff;
use crate::domain::staff::eligible::Ineligible;
use crate::domain::time::Timestamp;
use crate::service::override_request::read::{self, CasePage as Case};
use crate::service::{Context, Error};
use crate::web::device::present as device;
use crate::web::pages::console::cases::{Acts, CasePage, CaseRow, Fact, Offer, Pace, Transfer, WayStep};
use crate::web::pages::console::frame::Tab;
use crate::web::pages::console::refused::Refused;
use crate::web::pages::console::staff::MaySign;
use crate::web::pages::live::Stage;

/// What is asked for, in words.
pub const fn what(kind: &Kind) -> &'static str {
    match kind {
        Kind::ApproveForHolder { .. } => "approve a transfer for the holder",
        Kind::Unfreeze { .. } => "unlock the holder",
        Kind::ResetDevices => "remove every device and let one be added",
    }
}

const fn stage(state: &State) -> Stage {
    match state {
        State::Requested { .. } => Stage::Pending,
        State::Cooling { .. } => Stage::Cooling,
        State::CarriedOut { .. } => Stage::Released,
        State::Refused { .. } => Stage::Rejected,
        State::Stopped { .. } | State::Unreachable { .. } | State::Void { .. } => Stage::Cancelled,
        State::Expired { .. } => Stage::Expired,
    }
}

const fn standing(state: &State) -> &'static str {
    match state {
        State::Requested { .. } => "Waiting for signatures",
        State::Cooling { told: None, .. } => "Signed twice. The holder hasn’t been told yet",
        State::Cooling { told: Some(_), .. } => "Cooling-off",
        State::CarriedOut { .. } => "Carried out",
        State::Refused { .. } => "Refused",
        State::Stopped { .. } => "Stopped",
        State::Unreachable { .. } => "Ended. No notice reached the holder",
        State::Void { why: VoidReason::SignerGone, .. } => "Ended. A signature stopped counting",
        State::Void { why: VoidReason::TargetGone, .. } => "Ended. What it was about is gone",
        State::Expired { .. } => "Time ran out",
    }
}

/// Where it stands, with what became of the transfer: once two have signed, that is what cools off.
fn standing_with(state: &State, approval: Option<&Approval>) -> (Stage, &'static str) {
    match (state, approval.map(|approval| &approval.state)) {
        (State::CarriedOut { .. }, Some(ApprovalState::Cooling { .. })) => {
            (Stage::Cooling, "Signed twice. The transfer cools off")
        }
        (State::CarriedOut { .. }, Some(ApprovalState::Released { .. } | ApprovalState::Redeemed { .. })) => {
            (Stage::Released, "Signed twice. The transfer was released")
        }
        (State::CarriedOut { .. }, Some(ApprovalState::Rejected { .. } | ApprovalState::Cancelled { .. })) => {
            (Stage::Cancelled, "Signed twice. The transfer was stopped")
        }
        (State::CarriedOut { .. }, Some(ApprovalState::Expired { .. })) => {
            (Stage::Expired, "Signed twice. The transfer’s time ran out")
        }
        _ => (stage(state), standing(state)),
    }
}

fn ends(case: &OverrideRequest, now: Timestamp) -> String {
    let at = |moment: Timestamp| present::at(now, moment).to_string();
    match &case.state {
        State::Requested { .. } => format!("ends {}", at(case.expires_at)),
        State::Cooling { cooling_until, .. } => format!("until {}", at(*cooling_until)),
        State::CarriedOut { at: when, .. }
        | State::Refused { at: when, .. }
        | State::Stopped { at: when, .. }
        | State::Unreachable { at: when }
        | State::Void { at: when, .. }
        | State::Expired { at: when } => at(*when),
    }
}

/// A row of the list.
pub fn row(case: &OverrideRequest, approval: Option<&Approval>, by: &SignedIn, now: Timestamp) -> CaseRow {
    let waits = read::waits_for(case, by);
    let (stage, standing) = standing_with(&case.state, approval);
    CaseRow {
        id: case.id().to_string(),
        what: what(&case.request.kind).to_owned(),
        amount: approval.map(|approval| device::amount(approval.details.transfer()).plain()),
        stage,
        state: if waits { "Needs your signature" } else { standing }.to_owned(),
        signed: case.state.signatures().len(),
        ends: ends(case, now),
    }
}

/// Changes whenever the page does.
pub fn version(case: &Case) -> String {
    let approval = case.approval.as_ref().map_or(0, |approval| approval.version);
    format!("{}.{approval}.{}", case.case.version, case.freeze.as_ref().map_or(0, |freeze| freeze.version))
}

/// Name, group and employer.
fn named(people: &[Staff], id: StaffId) -> String {
    people.iter().find(|person| person.id == id).map_or_else(
        || id.to_string(),
        |person| {
            let profile = &person.profile;
            format!("{} ({}, {})", profile.name, profile.group, profile.employer)
        },
    )
}

/// The rule that says no, as the person reads it.
fn rule(refusal: Refusal) -> String {
    match refusal {
        Refusal::Ineligible(Ineligible::Requester) => "you asked for this".to_owned(),
        Refusal::Ineligible(Ineligible::Admin) => "an admin doesn’t sign".to_owned(),
        Refusal::Ineligible(Ineligible::TooNew) => "you have been a signer for less than 7 days".to_owned(),
        Refusal::Ineligible(Ineligible::Own) => "it is about your own account".to_owned(),
        Refusal::SignedAlready => "you have signed".to_owned(),
        Refusal::NotDrawn => "you weren’t drawn".to_owned(),
        other => other.to_string(),
    }
}

fn does(case: &Case) -> Vec<String> {
    let request = &case.case.request;
    let hold = case.approval.as_ref().map_or(request.hold(), |approval| approval.hold_for_staff(request.hold()));
    let hours = hold.as_secs().div_ceil(3600);
    let first = match request.kind {
        Kind::ApproveForHolder { .. } => "They don’t send the money. They start a cooling-off",
        Kind::Unfreeze { .. } => "They don’t unlock at once. They start a cooling-off",
        Kind::ResetDevices => "They don’t remove anything at once. They start a cooling-off",
    };
    vec![
        format!("{first} of {hours} hours."),
        "The holder is told on every channel. The hours start when a notice arrives; without one in 24 hours it ends."
            .to_owned(),
        "The holder can stop it with one tap in all that time.".to_owned(),
        "Your name, your words and what this page shows go into the audit log.".to_owned(),
    ]
}

fn facts(case: &Case, now: Timestamp) -> Vec<Fact> {
    let request = &case.case.request;
    let mut facts = Vec::new();
    let mut add = |name, flag, text: String| facts.push(Fact { name, flag, text });
    if let Some(freeze) = &case.freeze {
        let since = present::at(now, freeze.at);
        add("Locked", Some("High"), format!("“This wasn’t me” was said {since}, by {}.", freeze.why.as_str()));
    }
    let disputed: Vec<&str> = case
        .channels
        .iter()
        .filter(|channel| request.disputed.contains(&channel.id))
        .map(|channel| channel.masked.as_str())
        .collect();
    if !disputed.is_empty() {
        let all =
            if disputed.len() == case.channels.len() { " That is every channel: nobody can be told." } else { "" };
        add("Disputed messages", Some("High"), format!("{}.{all}", disputed.join(", ")));
    }
    let settled = crate::domain::override_request::SETTLED_CHANNEL;
    for channel in case.channels.iter().filter(|channel| channel.created_at + settled > now) {
        let added = present::at(now, channel.created_at);
        add("New messages", Some("Care"), format!("{}, added {added}. It doesn’t count as telling.", channel.masked));
    }
    let counting = case.channels.len() - disputed.len();
    add("Messages", None, format!("{} registered, {counting} of them not disputed.", case.channels.len()));
    if let Some(earlier) = case.case.earlier {
        let names: Vec<String> = earlier.iter().map(|id| named(&case.people, *id)).collect();
        add("Drawn before", Some("Care"), names.join(", "));
    }
    let drawn: Vec<String> = case.case.drawn.iter().map(|id| named(&case.people, *id)).collect();
    add("Drawn to sign", None, drawn.join(", "));
    facts
}

fn way(case: &Case, now: Timestamp) -> Vec<WayStep> {
    let state = &case.case.state;
    let at = |moment: Timestamp| Some(present::at(now, moment).to_string());
    let done =
        |what: String, when: Option<String>, said: Option<String>| WayStep { what, when, said, pace: Pace::Done };
    let request = &case.case.request;
    let mut way =
        vec![done(format!("Asked by {}", named(&case.people, request.requester)), at(request.created_at), None)];
    let signatures = state.signatures();
    for signature in signatures {
        let said = Some(signature.checked.as_str().to_owned());
        way.push(done(format!("Signed by {}", named(&case.people, signature.staff)), at(signature.at), said));
    }
    if case.case.state.name().is_final() {
        let said = match state {
            State::Refused { why, .. } => Some(why.as_str().to_owned()),
            _ => None,
        };
        let (_, standing) = standing_with(state, case.approval.as_ref());
        way.push(done(standing.to_owned(), Some(ends(&case.case, now)), said));
        return way;
    }
    let step = |what: &str, pace: Pace| WayStep { what: what.to_owned(), when: None, said: None, pace };
    if signatures.len() < 2 {
        way.push(step(if signatures.is_empty() { "First signature" } else { "Second signature" }, Pace::Now));
        way.push(step("Cooling-off", Pace::Later));
    } else {
        way.push(step("Cooling-off", Pace::Now));
    }
    way
}

/// The page.
///
/// # Errors
/// [`Error::Internal`] when the digest can't be made.
pub fn page(cx: &Context, by: &SignedIn, case: &Case, refused: Option<Refused>) -> Result<CasePage, Error> {
    let now = cx.now();
    let request = &case.case.request;
    let drawn = case.case.drawn.contains(&by.person.id);
    let open = matches!(case.case.state, State::Requested { .. });
    let live = !case.case.state.name().is_final();
    let may = match case.may {
        Ok(()) => MaySign::Yes,
        Err(refusal) => MaySign::No(rule(refusal)),
    };
    let deciding = drawn && open;
    let transfer = case.approval.as_ref().map(|approval| {
        // On the page on which somebody decides nothing is shortened; everybody else sees it masked.
        if deciding { Transfer::Whole(device::deal(approval, now)) } else { Transfer::Masked(device::masked(approval)) }
    });
    let offer = |yes: bool| if yes { Offer::Yes } else { Offer::No };
    Ok(CasePage {
        frame: present::frame(cx, by, Some(Tab::Cases)),
        row: row(&case.case, case.approval.as_ref(), by, now),
        version: version(case),
        headline: if deciding { "Sign or refuse this override" } else { "Override" },
        requester: named(&case.people, request.requester),
        asked: present::at(now, request.created_at),
        does: does(case),
        transfer,
        facts: facts(case, now),
        reason: request.reason.as_str().to_owned(),
        digest: request.digest().map_err(Error::internal)?.to_string(),
        way: way(case, now),
        acts: Acts {
            sign: deciding.then_some(may),
            redraw: offer(open && case.case.earlier.is_none()),
            stop: offer(live),
        },
        refused,
    })
}
