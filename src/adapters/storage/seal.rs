//! Seals of rows that carry authority. A seal is an HMAC over everything that such a row says, under a key that isn't
//! in the database: whoever can write to the database but doesn't have the key can't make a row that is believed.
//! May import: `domain`, `ports`.

use std::sync::Arc;

use crate::domain::details::Subject;
use crate::domain::erasure;
use crate::domain::ids::BackendId;
use crate::domain::linking::length_prefixed;
use crate::domain::time::Timestamp;
use crate::ports::secrets::{Secrets, TagKey};
use crate::ports::store::StoreError;

/// A row under seal.
pub trait Sealed {
    /// Its table, for the error.
    const TABLE: &'static str;
    /// Its id in the text form that people see.
    fn id_text(&self) -> String;
    /// Everything that the seal covers, in a form in which no two rows are alike.
    fn covered(&self) -> Vec<u8>;
    fn seal(&self) -> &[u8];
    fn set_seal(&mut self, seal: Vec<u8>);
}

/// Makes and checks seals.
#[derive(Clone)]
pub struct Seals(Arc<dyn Secrets>);

impl Seals {
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self(secrets)
    }

    /// Puts the seal on a row.
    pub fn close<R: Sealed>(&self, mut row: R) -> R {
        let seal = self.over(&row.covered()).to_vec();
        row.set_seal(seal);
        row
    }

    /// What stands for an erased holder's subject: the same for the same one, and nothing without the key.
    pub fn tombstone(&self, backend: BackendId, subject: &Subject) -> [u8; 32] {
        self.0.tag(TagKey::Tombstone, &erasure::tombstone(backend, subject))
    }

    /// The seal over what a row says.
    pub fn over(&self, covered: &[u8]) -> [u8; 32] {
        self.0.tag(TagKey::Row, covered)
    }

    /// Whether a seal is ours, and over this.
    pub fn fits(&self, covered: &[u8], seal: &[u8]) -> bool {
        // A shortened tag would fit as well, and nothing of ours writes one.
        seal.len() == 32 && self.0.tag_fits(TagKey::Row, covered, seal)
    }

    /// # Errors
    /// [`StoreError::Forged`] when the row isn't one that we wrote.
    pub fn check(&self, row: &impl Sealed) -> Result<(), StoreError> {
        if self.fits(&row.covered(), row.seal()) { Ok(()) } else { Err(forged(row)) }
    }
}

/// The error of a row that nobody with the key wrote.
pub fn forged<R: Sealed>(row: &R) -> StoreError {
    StoreError::Forged { table: R::TABLE, id: row.id_text() }
}

/// Parts under a name of their own, so that no row of one table can pass for one of another.
pub fn parts(table: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut all = vec![table.as_bytes()];
    all.extend_from_slice(parts);
    length_prefixed(&all)
}

/// A moment as a part; an absent one is shorter than any that is there.
pub fn moment(at: Option<Timestamp>) -> Vec<u8> {
    at.map(|at| at.micros().to_be_bytes().to_vec()).unwrap_or_default()
}
