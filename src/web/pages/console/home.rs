//! What needs this person.

use super::frame::{Frame, Tab};
use super::staff::{ChangeRow, Progress};
use askama::Template;

#[derive(Template)]
#[template(path = "console/home.html")]
pub struct HomePage {
    pub frame: Frame,
    pub changes: Vec<ChangeRow>,
    /// Invites from the host: staff id, name, when each opens.
    pub announced: Vec<(String, String, String)>,
}

impl HomePage {
    fn has(&self, tab: Tab) -> bool {
        self.frame.tabs.contains(&tab)
    }
}
