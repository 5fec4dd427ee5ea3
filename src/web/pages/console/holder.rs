//! One holder, masked; and who looked.

use super::frame::Frame;
use crate::web::pages::clocktext::Moment;
use crate::web::pages::deal::MaskedDeal;
use crate::web::pages::frame::Frame as HolderFrame;
use crate::web::pages::live::Stage;
use askama::Template;

/// What came of the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Nothing,
    NoReason,
    Unknown,
    /// There was one, and nothing of them is left.
    Erased,
}

#[derive(Template)]
#[template(path = "console/ask.html")]
pub struct AskPage {
    pub frame: Frame,
    /// Id and name.
    pub backends: Vec<(String, String)>,
    pub asked: Asked,
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
