//! The places of webhooks under way, and who may have how many: half of all places may be filled endpoint by endpoint
//! with several each; the other half is given out one by one, and those whose last try failed share a half, one place
//! each. So neither a few dead endpoints nor many keep the others from being told. May import: `domain`, tokio.

use std::collections::{HashMap, HashSet};
use tokio::task::Id;

use crate::domain::ids::EndpointId;

/// Under way at once, over all endpoints.
const MAX: usize = 256;
/// What endpoints may fill with several of their own each; as much as may be taken by those that fail.
const HALF: usize = MAX / 2;
/// Under way for an endpoint from which on it gets no further place. What is leased for it at once is as many.
const PER_ENDPOINT: usize = 16;

/// What may be leased now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub most: usize,
    pub per_endpoint: u32,
    /// Endpoints that get nothing of it.
    pub busy: Vec<EndpointId>,
}

/// Which webhooks are under way for whom.
#[derive(Debug, Default)]
pub struct Places {
    taken: HashMap<Id, EndpointId>,
    /// Endpoints whose last try failed.
    failing: HashSet<EndpointId>,
}

impl Places {
    pub fn take(&mut self, task: Id, endpoint: EndpointId) {
        self.taken.insert(task, endpoint);
    }

    /// A try ended, with success or without; one that was broken off had none.
    pub fn give_back(&mut self, task: Id, went: Went) {
        let Some(endpoint) = self.taken.remove(&task) else { return };
        match went {
            Went::Well => self.failing.remove(&endpoint),
            Went::Badly => self.failing.insert(endpoint),
        };
    }

    fn each(&self) -> HashMap<EndpointId, usize> {
        let mut each = HashMap::new();
        for endpoint in self.taken.values() {
            *each.entry(*endpoint).or_default() += 1;
        }
        each
    }

    /// Several places each for endpoints that answer, while less than half of all are taken.
    pub fn several(&self) -> Option<Offer> {
        let most = HALF.checked_sub(self.taken.len()).filter(|most| *most > 0)?;
        let full = self.each().into_iter().filter(|(_, taken)| *taken >= PER_ENDPOINT).map(|(endpoint, _)| endpoint);
        let busy: HashSet<EndpointId> = full.chain(self.failing.iter().copied()).collect();
        Some(Offer { most, per_endpoint: PER_ENDPOINT as u32, busy: busy.into_iter().collect() })
    }

    /// One place each for endpoints that have none, once half of all are taken.
    pub fn single(&self) -> Option<Offer> {
        let most = MAX.checked_sub(self.taken.len()).filter(|most| (1..=HALF).contains(most))?;
        let busy: HashSet<EndpointId> = self.taken.values().chain(&self.failing).copied().collect();
        Some(Offer { most, per_endpoint: 1, busy: busy.into_iter().collect() })
    }

    /// One place each for endpoints whose last try failed, of the half that is theirs.
    pub fn failing(&self) -> Option<Offer> {
        if self.failing.is_empty() {
            return None;
        }
        let theirs = self.taken.values().filter(|endpoint| self.failing.contains(endpoint)).count();
        let most = HALF.checked_sub(theirs)?.min(MAX.checked_sub(self.taken.len())?);
        let busy: HashSet<EndpointId> = self.taken.values().copied().collect();
        (most > 0).then(|| Offer { most, per_endpoint: 1, busy: busy.into_iter().collect() })
    }
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    Well,
    Badly,
}
