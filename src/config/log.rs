//! The section `[log]`, and the log's key.

use secrecy::SecretString;
use serde::Deserialize;
use std::path::{Path, PathBuf};

use super::witnesses::{self, WitnessSection};
use super::{Fault, LogSettings, secret_file};
use crate::domain::log::Origin;

/// The section as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    origin: Option<String>,
    high_water: Option<PathBuf>,
    witnesses: Vec<WitnessSection>,
    /// How many of them a receipt waits for.
    cosignatures: usize,
    /// Names that the log had before it was recovered.
    earlier: Vec<String>,
}

/// Checks the section. The log is called after the issuer unless the operator names it; that there is neither is a fault
/// of the issuer's.
pub fn check(section: LogSection, issuer: Option<&str>, safe: bool, faults: &mut Vec<Fault>) -> Option<LogSettings> {
    let LogSection { origin, high_water, witnesses, cosignatures, earlier } = section;
    let witnesses = witnesses::check(witnesses, cosignatures, safe, faults);
    if safe && high_water.is_none() {
        faults.push(Fault(
            "log.high_water: name a file on a disk that the database isn't on; without it a restored database can't be \
             told from the present one"
                .into(),
        ));
    }
    let earlier: Vec<Origin> = earlier
        .iter()
        .filter_map(|name| {
            Origin::parse(name).map_err(|error| faults.push(Fault(format!("log.earlier: {error}")))).ok()
        })
        .collect();
    let origin = origin.map(|name| Origin::parse(&name)).or_else(|| issuer.map(Origin::of_issuer));
    match origin? {
        Ok(origin) if earlier.contains(&origin) => {
            faults.push(Fault(format!("log.earlier: {origin} is the log's present name; log.origin gives it another")));
            None
        }
        Ok(origin) => Some(LogSettings { origin, high_water, witnesses, earlier }),
        Err(error) => {
            faults.push(Fault(format!("log.origin: {error}")));
            None
        }
    }
}

/// Reads the log's key.
///
/// # Errors
/// A fault that says how to make one.
pub fn key(file: Option<&Path>) -> Result<SecretString, Fault> {
    let file = file.ok_or_else(|| {
        Fault("keys.log_file: the audit log needs a key of its own; `countersign keys FOLDER` makes log.pem".into())
    })?;
    secret_file(file)
}
