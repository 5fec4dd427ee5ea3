//! Where security events go.

use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use url::Url;

use super::{Fault, secret_file};

/// One sink, under the name by which it is remembered how far it was told.
#[derive(Debug)]
pub struct SiemSink {
    pub name: String,
    pub to: SiemTarget,
}

#[derive(Debug)]
pub enum SiemTarget {
    Stdout,
    File(PathBuf),
    Webhook { url: Url, authorization: Option<SecretString> },
}

/// A sink as written: `[[siem]]`.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SiemSection {
    Stdout,
    File {
        name: Option<String>,
        path: PathBuf,
    },
    Webhook {
        name: Option<String>,
        url: Url,
        /// The whole value of the `Authorization` header.
        authorization_file: Option<PathBuf>,
    },
}

/// Checks all sinks.
pub fn check(sections: Vec<SiemSection>, faults: &mut Vec<Fault>) -> Vec<SiemSink> {
    let mut names = BTreeSet::new();
    let mut sinks = Vec::with_capacity(sections.len());
    for section in sections {
        let sink = match section {
            SiemSection::Stdout => SiemSink { name: "stdout".into(), to: SiemTarget::Stdout },
            SiemSection::File { name, path } => {
                SiemSink { name: name.unwrap_or_else(|| "file".into()), to: SiemTarget::File(path) }
            }
            SiemSection::Webhook { name, url, authorization_file } => {
                let authorization = authorization_file.and_then(|path| match secret_file(&path) {
                    Ok(secret) => Some(secret),
                    Err(fault) => {
                        faults.push(fault);
                        None
                    }
                });
                let name = name.unwrap_or_else(|| "webhook".into());
                SiemSink { name, to: SiemTarget::Webhook { url, authorization } }
            }
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        if sink.name.is_empty() || sink.name.len() > 40 || !sink.name.bytes().all(plain) {
            let name = &sink.name;
            faults.push(Fault(format!("siem.name {name:?} isn't 1 to 40 of a-z, 0-9, - and _")));
        }
        if !names.insert(sink.name.clone()) {
            faults.push(Fault(format!("siem.name {:?} is there twice; give each sink a name of its own", sink.name)));
        }
        sinks.push(sink);
    }
    sinks
}
