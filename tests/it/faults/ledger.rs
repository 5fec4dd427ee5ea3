//! What was acknowledged: every answer with success says that something is so, and from then on it has to stay so.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign::domain::Timestamp;
use serde_json::Value;

/// What answers have said of one approval.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The highest version that was named.
    pub version: u64,
    /// Its state at that version, if that was said with it.
    pub state: Option<String>,
    /// A cancel was answered with success.
    pub is_cancelled: bool,
    pub receipt: Option<String>,
    cooling_until: Option<Timestamp>,
}

/// All approvals of a run, by their ids, and what nobody may read in a log.
#[derive(Debug, Default)]
pub struct Ledger {
    approvals: Mutex<BTreeMap<String, Known>>,
    secrets: Mutex<Vec<String>>,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.approvals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A secret, an address or a link went through somebody's hands.
    pub fn keep_secret(&self, secret: &str) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
    }

    pub fn secrets(&self) -> Vec<String> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn all(&self) -> BTreeMap<String, Known> {
        self.lock().clone()
    }

    /// An answer showed an approval. Who sees it one request after another never sees it go back.
    pub fn saw(&self, view: &Value) {
        let id = view["id"].as_str().expect("an id");
        let (version, state) = (view["version"].as_u64().expect("a version"), view["state"].as_str().expect("a state"));
        let mut all = self.lock();
        let known = all.entry(id.to_owned()).or_default();
        assert!(version >= known.version, "{id} went back from version {} to {view}", known.version);
        let differs = version == known.version && known.state.as_deref().is_some_and(|before| before != state);
        assert!(!differs, "{id} was {known:?} and is at the same version {view}");
        known.version = version;
        known.state = Some(state.to_owned());
        let time = |name: &str| view[name].as_str().map(|text| Timestamp::parse_rfc3339(text).expect("a time"));
        known.cooling_until = time("cooling_until").or(known.cooling_until);
        if let (Some(released), Some(until)) = (time("released_at"), known.cooling_until) {
            assert!(released >= until, "{id} was released before its hold was over, at {until}: {view}");
        }
        assert!(!(known.is_cancelled && state == "redeemed"), "{id} was cancelled and then redeemed: {view}");
    }

    /// An answer without a view said that this version is stored.
    pub fn reached(&self, id: &str, version: u64) {
        let mut all = self.lock();
        let known = all.entry(id.to_owned()).or_default();
        if version > known.version {
            known.version = version;
            known.state = None;
        }
    }

    /// A cancel was answered with success.
    pub fn cancelled(&self, id: &str) {
        let mut all = self.lock();
        let known = all.entry(id.to_owned()).or_default();
        assert!(known.receipt.is_none(), "{id} was redeemed, and a cancel was answered with success");
        known.is_cancelled = true;
    }

    /// A redeem was answered with success.
    pub fn redeemed(&self, id: &str, receipt: &str) {
        let mut all = self.lock();
        let known = all.entry(id.to_owned()).or_default();
        assert!(!known.is_cancelled, "{id} was cancelled, and a redeem was answered with success");
        let first = known.receipt.get_or_insert_with(|| receipt.to_owned());
        assert_eq!(first, receipt, "{id} has two receipts");
    }
}
