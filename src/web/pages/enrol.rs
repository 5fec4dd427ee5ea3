//! Adding a phone: the one-use link, what came of it, and what keeps it working.
//!
//! Owns the three pages. The first says no as loudly as yes, because a planted phone is the thief's whole plan. Printed
//! by `templates/enrol/*.html`; `static/enrol.js` and `push.js` run on them.

use super::clocktext::Moment;
use super::frame::Frame;
use super::given::Given;
use super::home::Notices;
use super::live::Deadline;
use askama::Template;

/// What proves that the holder asked for this, besides the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The first phone: a code that went to a channel registered earlier, named so that the holder finds it
    /// («p••••@example.com»).
    CodeSentTo(Given),
    /// A later phone: one that is added already approved it.
    Approved,
}

/// Use this phone to approve transfers?
#[derive(Template)]
#[template(path = "enrol/ask.html")]
pub struct EnrolPage {
    pub frame: Frame,
    /// As it stands in `/e/{token}`.
    pub token: String,
    /// When the link ends.
    pub deadline: Deadline,
    pub proof: Proof,
    /// How long the new phone waits before it can approve: «12 hours»; `None` when it doesn't.
    pub device_hold: Option<String>,
}

impl EnrolPage {
    fn base(&self) -> String {
        format!("/e/{}", self.token)
    }
}

/// The holder said no; the link has ended.
#[derive(Template)]
#[template(path = "enrol/declined.html")]
pub struct EnrolDeclinedPage {
    pub frame: Frame,
}

/// From when a phone may approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usable {
    From(Moment),
    Now,
}

/// The phone is added.
#[derive(Template)]
#[template(path = "enrol/done.html")]
pub struct EnrolledPage {
    pub frame: Frame,
    pub device: Given,
    pub usable: Usable,
    pub notices: Notices,
}
