//! The section `[keys]`: where each key is kept, and its reading.

use secrecy::ExposeSecret;
use serde::Deserialize;
use std::path::{Path, PathBuf};

use super::file::{required, take};
use super::{Fault, Keys, Master, Material, Retired, RetiredLog, log, secret_file};
use crate::domain::Timestamp;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysSection {
    master_file: Option<PathBuf>,
    receipt_file: Option<PathBuf>,
    retired: Vec<RetiredSection>,
    log_file: Option<PathBuf>,
    log_retired: Vec<RetiredLog>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetiredSection {
    public_file: PathBuf,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Reads every key, so that each that can't be read is a fault. Whether it is a key is for the adapters to say.
pub fn check(keys: &KeysSection, material: &mut Material, faults: &mut Vec<Fault>) -> Option<Keys> {
    let master_file = keys.master_file.as_deref();
    let master_file = required(faults, "keys.master_file", master_file, "`countersign keys FOLDER` makes master.key");
    let master = master_file.and_then(|file| take(faults, master(file)));
    let receipt_file = keys.receipt_file.as_deref();
    let receipt_file =
        required(faults, "keys.receipt_file", receipt_file, "`countersign keys FOLDER` makes receipt.pem");
    let receipt_pem = receipt_file.and_then(|file| take(faults, secret_file(file)));
    let retired: Option<Vec<Retired>> = keys
        .retired
        .iter()
        .enumerate()
        .map(|(at, section)| {
            let public_pem = take(faults, secret_file(&section.public_file))?.expose_secret().to_owned();
            let retired = Retired { public_pem, not_before: section.not_before, not_after: section.not_after };
            material.retired.push((at, retired.clone()));
            Some(retired)
        })
        .collect();
    let log_pem = take(faults, log::key(keys.log_file.as_deref()));
    let log_retired = keys.log_retired.clone();
    material.receipt_pem.clone_from(&receipt_pem);
    material.log_pem.clone_from(&log_pem);
    material.log_retired.clone_from(&log_retired);
    Some(Keys { master: master?, receipt_pem: receipt_pem?, retired: retired?, log_pem: log_pem?, log_retired })
}

fn master(path: &Path) -> Result<Master, Fault> {
    let text = secret_file(path)?;
    let bytes = data_encoding::BASE64
        .decode(text.expose_secret().as_bytes())
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .ok_or_else(|| Fault(format!("{}: not 32 bytes in base64; make it with `countersign keys`", path.display())))?;
    // A key of one repeated byte, or one that counts up, was typed by somebody and is no key.
    let repeated = bytes.iter().all(|byte| *byte == bytes[0]);
    let counting = bytes.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1));
    if repeated || counting || &bytes == crate::demo::MASTER {
        return Err(Fault(format!("{}: a default or made-up key; make one with `countersign keys`", path.display())));
    }
    Ok(Master(bytes))
}
