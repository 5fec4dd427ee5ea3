//! From domain values to the plain values of the console's pages.

use super::signed_in::SignedIn;
use crate::domain::approval::{Approval, State};
use crate::domain::details::Digest;
use crate::domain::staff::view::{Seen, View};
use crate::domain::staff::{Employer, Role, Staff, Status};
use crate::domain::time::Timestamp;
use crate::service::{Context, Error};
use crate::web::device::present as device;
use crate::web::pages::clocktext::{Moment, day};
use crate::web::pages::console::cases::CaseRow;
use crate::web::pages::console::frame::{Frame, Me, Tab};
use crate::web::pages::console::holder::ViewRow;
use crate::web::pages::console::staff::Standing;

/// The frame of a page for somebody who is signed in.
pub fn frame(cx: &Context, by: &SignedIn, here: Option<Tab>) -> Frame {
    let profile = &by.person.profile;
    let roles = profile.roles;
    let tabs = Tab::ALL
        .into_iter()
        .filter(|tab| match tab {
            Tab::Cases => true,
            Tab::Holders => roles.has(Role::Agent),
            Tab::Staff => roles.has(Role::Admin),
            Tab::Audit | Tab::Report => roles.has(Role::Auditor),
        })
        .collect();
    let me = Me { name: profile.name.to_string(), line: format!("{} · {}", profile.group, profile.employer) };
    Frame { around: device::frame(cx), me: Some(me), tabs, here }
}

/// The frame of a page for somebody who isn't.
pub fn outside(cx: &Context) -> Frame {
    Frame { around: device::frame(cx), me: None, tabs: Vec::new(), here: None }
}

pub fn at(now: Timestamp, at: Timestamp) -> Moment {
    device::at(now, at)
}

/// A digest of what a list shows, for the page to see whether it is still true.
///
/// # Errors
/// [`Error::Internal`] when the list can't be written down.
pub fn version(rows: &[CaseRow]) -> Result<String, Error> {
    let parts: Vec<_> = rows.iter().map(|row| (&row.id, &row.state, row.signed, &row.ends)).collect();
    let text = serde_json::to_vec(&parts).map_err(Error::internal)?;
    Ok(Digest::of(&text).to_string())
}

/// How a person stands, in a word.
pub fn standing(person: &Staff, now: Timestamp) -> Standing {
    match &person.status {
        Status::Ended { at, .. } => Standing::Ended(day(now.micros(), at.micros())),
        _ if now >= person.profile.ends_at => Standing::Ended(day(now.micros(), person.profile.ends_at.micros())),
        Status::Invited => Standing::Invited,
        Status::Active { .. } => Standing::Active,
    }
}

/// Who looked, as the holder and other staff see it: never by name.
pub fn view(view: &View, now: Timestamp) -> ViewRow {
    let who = match &view.employer {
        Employer::InHouse => format!("{}, in-house", view.roles),
        Employer::Vendor(name) => format!("{}, {name}", view.roles),
    };
    let what = match &view.seen {
        Seen::Masked => "transfers and devices, masked".to_owned(),
        Seen::Account { case, .. } => format!("one whole account number, case {case}"),
        Seen::Case { case } => format!("what there is to decide in case {case}"),
    };
    ViewRow { who, what, why: view.reason.to_string(), at: at(now, view.at) }
}

/// A line on where an approval stands and until when.
pub fn state_line(approval: &Approval, now: Timestamp) -> String {
    match &approval.state {
        State::Pending => format!("waits for an answer until {}", at(now, approval.expires_at)),
        State::Cooling { cooling_until, .. } => format!("cools off until {}", at(now, *cooling_until)),
        State::Released { redeem_until, .. } => format!("released, may be taken until {}", at(now, *redeem_until)),
        State::Redeemed { redeemed_at, .. } => format!("redeemed {}", at(now, *redeemed_at)),
        State::Rejected { at: when, .. } => format!("rejected {}", at(now, *when)),
        State::Cancelled { at: when, .. } => format!("cancelled {}", at(now, *when)),
        State::Expired { at: when, .. } => format!("expired {}", at(now, *when)),
    }
}
