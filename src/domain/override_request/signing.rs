//! What a signer signs: the whole request, the version that was on the screen, and the signer's own words. The digest
//! of this text goes into the staff member's preimage, whose domain tag is that of overrides.

use serde::{Deserialize, Serialize};

use super::{OverrideRequest, Request, Words};
use crate::domain::approval::Version;

/// The text under a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub request: Request,
    pub version: Version,
    /// What the signer checked, and how.
    pub checked: Words,
}

impl Statement {
    pub fn of(case: &OverrideRequest, checked: Words) -> Self {
        Self { request: case.request.clone(), version: case.version, checked }
    }

    /// RFC 8785 JSON.
    ///
    /// # Errors
    /// When it can't be written as JSON, which no value of this type should cause.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        serde_json_canonicalizer::to_string(self)
    }
}
