//! One holder, masked; and who looked.

use super::frame::Frame;
use super::refused::{Form, Refused, Wrong};
use crate::web::pages::clocktext::Moment;
use crate::web::pages::deal::MaskedDeal;
use crate::web::pages::frame::Frame as HolderFrame;
use crate::web::pages::live::Stage;
use askama::Template;

#[derive(Template)]
#[template(path = "console/ask.html")]
pub struct AskPage {
    pub frame: Frame,
    /// Id and name.
    pub backends: Vec<(String, String)>,
    pub refused: Option<Refused>,
}

impl AskPage {
    fn form(&self) -> Form<'_> {
        Form::of(self.refused.as_ref(), "look")
    }
}

/// What this person may do to a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Can {
    Stop,
    StopAndExtend,
    Nothing,
}

/// One approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealRow {
    pub id: String,
    pub deal: MaskedDeal,
    pub stage: Stage,
    pub state: String,
    pub can: Can,
}

impl DealRow {
    /// Whether two others may be asked to approve it: it waits for the holder.
    fn waits(&self) -> bool {
        self.stage == Stage::Pending
    }

    /// The id of a field of one of its forms.
    fn field(&self, name: &str) -> String {
        format!("{name}-{}", self.id)
    }
}

/// One look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewRow {
    /// Roles and employer; never a name.
    pub who: String,
    pub what: String,
    pub why: String,
    pub at: Moment,
}

#[derive(Template)]
#[template(path = "console/holder.html")]
pub struct HolderPage {
    pub frame: Frame,
    pub view: String,
    pub subject: String,
    pub reason: String,
    /// Until when the look lasts.
    pub until: Moment,
    pub deals: Vec<DealRow>,
    pub devices: Vec<(String, String)>,
    /// Id and masked address.
    pub channels: Vec<(String, String)>,
    /// Override requests of the holder: id and what for.
    pub cases: Vec<(String, &'static str)>,
    pub views: Vec<ViewRow>,
    /// The form that was refused.
    pub refused: Option<Refused>,
}

impl HolderPage {
    /// What two others may be asked for.
    const KINDS: [(&'static str, &'static str); 3] = [
        ("unfreeze", "Unlock transfers"),
        ("reset_devices", "Remove all devices, add a new one"),
        ("approve_for_holder", "Approve a transfer"),
    ];

    fn form(&self, name: &str) -> Form<'_> {
        Form::of(self.refused.as_ref(), name)
    }

    /// A form about one transfer.
    fn form_of(&self, row: &DealRow, name: &str) -> Form<'_> {
        self.form(&format!("{}/{name}", row.id))
    }
}

#[derive(Template)]
#[template(path = "console/revealed.html")]
pub struct RevealedPage {
    pub frame: Frame,
    pub view: String,
    pub payee: String,
    pub account: String,
}

/// On the holder's own device: who looked at them.
#[derive(Template)]
#[template(path = "views.html")]
pub struct ViewsPage {
    pub frame: HolderFrame,
    pub views: Vec<ViewRow>,
}
