//! "This wasn't me": the page that locks, the page that says it is locked, and the page behind the link that stops an
//! override. All work without script, but for unlocking, which takes a passkey.

use super::clocktext::Moment;
use super::frame::Frame;
use askama::Template;

/// What the page is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Face {
    /// Asks once; the form posts here.
    Ask(String),
    Locked(Locked),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    pub since: Moment,
    pub lift: Lift,
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lift {
    /// Two of the operator's staff.
    NeedsStaff,
    /// By itself, and not by this browser.
    Elsewhere(Moment),
    /// A device asked.
    Asked(Moment),
    /// By itself, or here: the thumbprint of the device's key, and the page's token.
    Offered(Moment, String, String),
}

#[derive(Template)]
#[template(path = "lock.html")]
pub struct LockPage {
    pub frame: Frame,
    pub face: Face,
}

impl LockPage {
    fn lift_keys(&self) -> Option<(&str, &str)> {
        match &self.face {
            Face::Locked(Locked { lift: Lift::Offered(_, thumbprint, token), .. }) => Some((thumbprint, token)),
            Face::Locked(_) | Face::Ask(_) => None,
        }
    }

    fn can_lift(&self) -> bool {
        self.lift_keys().is_some()
    }

    /// Whether something on the page locks, or keeps locked.
    fn has_brake(&self) -> bool {
        match &self.face {
            Face::Ask(_) => true,
            Face::Locked(locked) => matches!(locked.lift, Lift::Asked(_) | Lift::Offered(..)),
        }
    }

    fn by_link(&self) -> bool {
        matches!(&self.face, Face::Ask(action) if action != "/lock")
    }
}

/// An override behind the link in a notice.
#[derive(Template)]
#[template(path = "veto.html")]
pub struct VetoPage {
    pub frame: Frame,
    pub what: String,
    /// Where the form posts; nothing when it is over.
    pub action: Option<String>,
    /// How it ended.
    pub end: String,
}

impl VetoPage {
    fn open(&self) -> bool {
        self.action.is_some()
    }
}
