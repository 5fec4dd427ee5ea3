//! What of the configuration nobody but the adapters can judge: whether a key is one, a host pattern a pattern, an
//! address a mailbox. It is gathered as far as it reads, so that a spoilt key is said with every other fault.

use secrecy::SecretString;

use super::{Fault, Retired, RetiredLog};

/// As the adapters will be given it. What couldn't be read isn't there, and is a fault already.
#[derive(Debug, Default)]
pub struct Material {
    pub receipt_pem: Option<SecretString>,
    /// Each with its place in the list.
    pub retired: Vec<(usize, Retired)>,
    pub log_pem: Option<SecretString>,
    pub log_retired: Vec<RetiredLog>,
    pub vapid_pem: Option<SecretString>,
    pub push_hosts: Vec<String>,
    pub mail_from: Option<String>,
    pub mail_authorities: Option<Vec<u8>>,
    pub outbound_authorities: Option<Vec<u8>>,
}

/// Says everything that is wrong with it.
pub type Judge = fn(&Material) -> Vec<Fault>;
