//! The audit log: a page of entries, one entry with what proves it, and the third-party report. «Fits» and «proven» are
//! said of what was computed while the page was made, and of nothing else.

use super::frame::Frame;
use super::refused::{Form, Refused, Wrong};
use crate::domain::report::ThirdParty;
use crate::web::pages::clocktext::Moment;
use askama::Template;

/// What the form shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedValues {
    pub about: String,
    pub by: String,
    /// Word, label, and whether it is the chosen one.
    pub what: Vec<(&'static str, &'static str, bool)>,
    pub from: String,
    pub to: String,
}

/// The newest tree that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointCard {
    pub entries: String,
    pub signed: Moment,
    pub root: String,
    pub note: String,
}

/// One entry in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    pub id: String,
    /// Nothing while it waits for its place.
    pub number: Option<String>,
    pub at: Moment,
    pub what: String,
    /// What it happened to, shortened.
    pub about: Vec<String>,
    pub who: String,
    /// The first digits of its leaf hash.
    pub leaf: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    pub checkpoint: Option<CheckpointCard>,
    pub rows: Vec<EntryRow>,
    /// Address of the next page.
    pub older: Option<String>,
    /// Address of the first page, from a later one.
    pub newest: Option<String>,
    /// How far back this page looked.
    pub back_to: Option<Moment>,
}

#[derive(Template)]
#[template(path = "console/audit.html")]
pub struct AuditPage {
    pub frame: Frame,
    pub asked: AskedValues,
    /// Nothing when the form was refused.
    pub list: Option<List>,
    pub refused: Option<Refused>,
}

impl AuditPage {
    fn form(&self) -> Form<'_> {
        Form::of(self.refused.as_ref(), "audit")
    }
}

/// What an entry is about: the whole id, and a shorter text for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub id: String,
    pub short: String,
}

/// Whether the text is what the leaf commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Fits,
    Erased,
    Changed,
}

/// Where the entry is in the tree that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InLog {
    Waits,
    Proven(Box<Proven>),
    Not { number: String, why: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// From 1.
    pub number: String,
    pub entries: String,
    pub root: String,
    pub signed: Moment,
    pub proof: String,
}

#[derive(Template)]
#[template(path = "console/entry.html")]
pub struct EntryPage {
    pub frame: Frame,
    pub id: String,
    pub kind: String,
    pub what: String,
    pub at: Moment,
    pub who: String,
    /// The id of who did it.
    pub by: Option<String>,
    pub about: Vec<Object>,
    pub facts: Vec<(String, String)>,
    pub leaf: String,
    pub salt: Option<String>,
    /// The canonical text.
    pub text: Option<String>,
    pub said: Said,
    pub log: InLog,
}

#[derive(Template)]
#[template(path = "console/report.html")]
pub struct ReportPage {
    pub frame: Frame,
    pub from: String,
    pub to: String,
    /// Nothing when the days were refused.
    pub report: Option<ThirdParty>,
    pub refused: Option<Refused>,
}

impl ReportPage {
    fn form(&self) -> Form<'_> {
        Form::of(self.refused.as_ref(), "report")
    }
}
