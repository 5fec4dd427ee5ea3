//! What needs this person.

use super::cases::CaseRow;
use super::frame::{Frame, Tab};
use super::staff::{ChangeRow, Progress};
use askama::Template;

#[derive(Template)]
#[template(path = "console/home.html")]
pub struct HomePage {
    pub frame: Frame,
    /// Changes whenever the list of cases does.
    pub version: String,
    /// Those that wait for this person come first.
    pub cases: Vec<CaseRow>,
    pub changes: Vec<ChangeRow>,
    /// Invites from the host: staff id, name, when each opens.
    pub announced: Vec<(String, String, String)>,
}

impl HomePage {
    fn has(&self, tab: Tab) -> bool {
        self.frame.tabs.contains(&tab)
    }
}
