//! The witnesses of the log, as they are written: `[[log.witnesses]]` and `log.cosignatures`.

use serde::Deserialize;
use std::collections::BTreeSet;
use url::Url;

use super::Fault;
use crate::domain::log::VerifierKey;
use crate::domain::witness::quorum::Quorum;

/// A witness whom the log asks.
#[derive(Debug, Clone)]
pub struct Witness {
    /// What figures and logs call it.
    pub name: String,
    pub key: VerifierKey,
    /// What `/add-checkpoint` stands under.
    pub url: Url,
}

/// Whom the log asks, and how many of them a receipt waits for.
#[derive(Debug, Clone, Default)]
pub struct Witnesses {
    pub asked: Vec<Witness>,
    pub quorum: Quorum,
}

/// A witness as written. Read as texts, so that each fault is said with all the others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessSection {
    name: String,
    key: String,
    url: String,
}

/// Checks them all.
pub fn check(sections: Vec<WitnessSection>, cosignatures: usize, safe: bool, faults: &mut Vec<Fault>) -> Witnesses {
    let before = faults.len();
    let mut names = BTreeSet::new();
    let mut asked = Vec::with_capacity(sections.len());
    for WitnessSection { name, key, url } in sections {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if name.is_empty() || name.len() > 40 || !name.bytes().all(plain) {
            faults.push(Fault(format!("log.witnesses: the name {name:?} isn't 1 to 40 of a-z, 0-9, -, _ and .")));
        }
        if !names.insert(name.clone()) {
            faults.push(Fault(format!("log.witnesses: the name {name:?} is there twice")));
        }
        let key = key.parse::<VerifierKey>().map_err(|_| {
            faults.push(Fault(format!("log.witnesses {name:?}: the key should read name+8 hex digits+base64")));
        });
        let url = url.parse::<Url>().map_err(|error| {
            faults.push(Fault(format!("log.witnesses {name:?}: the url can't be used: {error}")));
        });
        if let Ok(url) = &url
            && (!["http", "https"].contains(&url.scheme()) || safe && url.scheme() != "https")
        {
            faults.push(Fault(format!("log.witnesses {name:?}: the url must be https")));
        }
        if let (Ok(key), Ok(url)) = (key, url) {
            asked.push(Witness { name, key, url });
        }
    }
    // A number against keys that don't read would be a second fault for the same mistake.
    if faults.len() > before {
        return Witnesses::default();
    }
    match Quorum::new(asked.iter().map(|witness| witness.key.clone()).collect(), cosignatures) {
        Ok(quorum) => Witnesses { asked, quorum },
        Err(error) => {
            faults.push(Fault(format!("log.cosignatures and log.witnesses: {error}")));
            Witnesses::default()
        }
    }
}
