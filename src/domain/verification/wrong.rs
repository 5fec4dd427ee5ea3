//! What a run can find wrong, and where.

use super::devices::DeviceBreak;
use super::evidence;
use super::freezes::FreezeBreak;
use super::overrides::CaseBreak;
use super::register::WoundBack;
use super::standing::Break;
use super::tree::Misplaced;
use crate::domain::audit::reading::BadEntry;
use crate::domain::ids::ChangeId;
use crate::domain::log::{CheckpointError, ProofError};

/// Where something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Entry {
        index: u64,
        id: ChangeId,
    },
    /// A checkpoint that doesn't fit the entries: one of those from `from` on isn't what was signed.
    Checkpoint {
        size: u64,
        from: u64,
    },
    /// The export as a whole.
    Export,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entry { index, id } => write!(f, "entry {index} ({id})"),
            Self::Checkpoint { size, from } => write!(f, "checkpoint of {size} entries (checked up to {from})"),
            Self::Export => f.write_str("the export"),
        }
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    #[error("it isn't in a format that is known here")]
    Format,
    #[error("the header is missing, or there are two")]
    Header,
    #[error("it ends before its end")]
    CutOff,
    #[error("there is something after the end")]
    AfterEnd,
    #[error("it says that it has {said} entries and has {found}")]
    Count { said: u64, found: u64 },
    #[error("entry {expected} should stand here")]
    OutOfOrder { expected: u64 },
    #[error("its text doesn't give the commitment that the tree has")]
    Leaf,
    #[error("one of salt and text was erased and the other wasn't")]
    HalfErased,
    #[error("its text doesn't read")]
    Text(#[source] BadEntry),
    #[error("its id, time or kind isn't what its text says")]
    Columns,
    #[error("there is an earlier entry with its id")]
    Repeated,
    #[error("{0} entries were erased, and the log tells of {1}")]
    Erased(u64, u64),
    #[error("it was erased, and the log doesn't tell of it as it should")]
    Untold,
    #[error("its place in the tree isn't proven")]
    Proof(#[source] ProofError),
    #[error("it can't follow on what was before: {0}")]
    Standing(#[from] Break),
    #[error("it can't follow on what was before: {0}")]
    Override(#[from] CaseBreak),
    #[error("it can't follow on what was before: {0}")]
    Freeze(#[from] FreezeBreak),
    #[error("it can't follow on what was before: {0}")]
    Device(#[from] DeviceBreak),
    #[error("it can't follow on what was before: {0}")]
    WoundBack(#[from] WoundBack),
    #[error("it waits for its place, and its seal is wrong: somebody wrote it who doesn't have the key")]
    Unsealed,
    #[error("its evidence is missing")]
    NoEvidence,
    #[error("the evidence belongs to another entry")]
    StrayEvidence,
    #[error("its evidence is wrong: {0}")]
    Evidence(#[from] evidence::Flaw),
    #[error("its evidence is about something else: {0}")]
    OtherMatter(&'static str),
    #[error("its evidence was made with other keys than the enrolment's")]
    OtherKeys,
    #[error("its evidence was made by somebody who never enrolled")]
    NeverEnrolled,
    #[error("the checkpoint isn't believed: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("the entries give another tree than was signed")]
    Root,
    #[error("the entries are fewer than were signed, or the subtrees around them don't fit")]
    Size(#[source] Option<Misplaced>),
    #[error("nothing was ever signed about these entries")]
    Unsigned,
    #[error("the log has {size} entries, and {known} were signed: it was rolled back")]
    RolledBack { size: u64, known: u64 },
    #[error("a tree of this size was signed that isn't this one: the log was rewritten")]
    Rewritten,
}

/// The first thing that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {flaw}")]
pub struct Wrong {
    pub place: Place,
    #[source]
    pub flaw: Flaw,
}
