//! What stands around every console page: the parts of the console that this person has, and who they are.

use crate::web::pages::frame::Frame as Around;

/// A part of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Cases,
    Holders,
    Staff,
    Audit,
    Report,
}

impl Tab {
    pub const ALL: [Self; 5] = [Self::Cases, Self::Holders, Self::Staff, Self::Audit, Self::Report];

    pub fn href(self) -> &'static str {
        match self {
            Self::Cases => "/",
            Self::Holders => "/holders",
            Self::Staff => "/staff",
            Self::Audit => "/audit",
            Self::Report => "/report",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Cases => "Cases",
            Self::Holders => "Holders",
            Self::Staff => "Staff",
            Self::Audit => "Audit",
            Self::Report => "Third parties",
        }
    }
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    pub name: String,
    /// Group and employer.
    pub line: String,
}

/// The frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub around: Around,
    pub me: Option<Me>,
    pub tabs: Vec<Tab>,
    pub here: Option<Tab>,
}
