//! What stands around every console page: the parts of the console that this person has, and who they are.

use crate::web::pages::frame::Frame as Around;

/// A part of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Cases,
    Holders,
    Staff,
}

impl Tab {
    pub const ALL: [Self; 3] = [Self::Cases, Self::Holders, Self::Staff];

    pub fn href(self) -> &'static str {
        match self {
            Self::Cases => "/",
            Self::Holders => "/holders",
            Self::Staff => "/staff",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Cases => "Cases",
            Self::Holders => "Holders",
            Self::Staff => "Staff",
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
