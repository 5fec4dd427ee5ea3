//! What can't be checked strictly because entries before it were erased: excused for a holder whose erasing the log
//! tells, and for nobody else. Who erases an entry alone excuses nothing.

use std::collections::{BTreeMap, HashSet};

use super::super::standing::Before;
use super::super::wrong::{Flaw, Place, Wrong};
use crate::domain::audit::reading::Reading;
use crate::domain::erasure::ERASURE;
use crate::domain::ids::HolderId;

/// Holders whose erasing the log tells, and the first excused entry of each holder.
#[derive(Debug, Default)]
pub struct Excused {
    erased: HashSet<HolderId>,
    first: BTreeMap<HolderId, Wrong>,
}

impl Excused {
    /// An entry that may tell of an erasure.
    pub fn told(&mut self, entry: &Reading) {
        if entry.kind == ERASURE {
            self.erased.extend(holder(entry));
        }
    }

    /// Whether the log tells of the holder's erasing.
    pub fn is_erased(&self, holder: HolderId) -> bool {
        self.erased.contains(&holder)
    }

    /// How an entry is taken. Nothing is excused before the first entry without its text.
    pub fn about(&mut self, entry: &Reading, place: Place, before: Before, erased: u64) -> Lenient<'_> {
        Lenient { excused: self, holder: holder(entry).filter(|_| erased > 0), place, before }
    }

    /// Whether the log told of everybody for whom something was excused.
    ///
    /// # Errors
    /// The first [`Wrong`] of a holder of whom it didn't.
    pub fn check(self) -> Result<(), Wrong> {
        let untold = self.first.into_iter().filter(|(holder, _)| !self.erased.contains(holder)).map(|(_, wrong)| wrong);
        let index = |wrong: &Wrong| match wrong.place {
            Place::Entry { index, .. } => index,
            Place::Checkpoint { .. } | Place::Export => u64::MAX,
        };
        untold.min_by_key(index).map_or(Ok(()), Err)
    }
}

fn holder(entry: &Reading) -> Option<HolderId> {
    entry.object_of(HolderId::PREFIX).and_then(|id| id.parse().ok())
}

/// One entry, taken strictly, and if that fails and may be excused, as one whose beginning isn't known.
pub struct Lenient<'a> {
    excused: &'a mut Excused,
    holder: Option<HolderId>,
    place: Place,
    before: Before,
}

impl Lenient<'_> {
    /// `take` changes nothing when it fails.
    ///
    /// # Errors
    /// The [`Flaw`], where it isn't excused.
    pub fn takes<T, E: Into<Flaw>>(&mut self, mut take: impl FnMut(Before) -> Result<T, E>) -> Result<T, Flaw> {
        let flaw = match take(self.before) {
            Ok(done) => return Ok(done),
            Err(flaw) => flaw.into(),
        };
        let (Some(holder), Before::Known) = (self.holder, self.before) else { return Err(flaw) };
        let Ok(done) = take(Before::Unknown) else { return Err(flaw) };
        self.excused.first.entry(holder).or_insert(Wrong { place: self.place, flaw });
        Ok(done)
    }
}
