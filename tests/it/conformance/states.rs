//! States that a case puts an approval in, with the decision of the world's device.

use std::time::Duration;

use countersign::domain::approval::{
    Actor, CancelReason, Decider, Decision, Distinct, ExpireReason, RejectReason, State, Told,
};
use countersign::domain::details::Digest;
use countersign::domain::policy::Assurance;
use countersign::domain::{ChannelId, Timestamp};

use super::world::{HOUR, MINUTE, World};

impl World {
    pub fn decision(&self, approved_at: Timestamp) -> Decision {
        Decision {
            by: Decider::Device {
                device: self.device.body.id,
                device_enrolled_at: self.device.body.enrolled_at,
                assurance: Assurance::DeviceBound,
                distinct: Distinct::Unproved,
            },
            approved_at,
            hold: 15 * MINUTE,
            challenge: Digest::of(b"challenge"),
        }
    }

    /// Approved half an hour ago.
    pub fn cooling_until(&self, cooling_until: Timestamp) -> State {
        State::Cooling { decision: self.decision(self.now - 30 * MINUTE), cooling_until }
    }

    /// Approved half an hour ago, and over since a quarter of an hour.
    pub fn cooled(&self) -> State {
        self.cooling_until(self.now - 15 * MINUTE)
    }

    pub fn told(&self, ago: Duration) -> Told {
        Told { channel: self.mailbox.id, delivered_at: self.now - ago }
    }

    pub fn released_until(&self, redeem_until: Timestamp) -> State {
        State::Released {
            decision: self.decision(self.now - 30 * MINUTE),
            told: self.told(29 * MINUTE),
            released_at: self.now - 15 * MINUTE,
            redeem_until,
        }
    }

    pub fn released(&self) -> State {
        self.released_until(self.now + 24 * HOUR)
    }

    pub fn redeemed(&self) -> State {
        State::Redeemed {
            decision: self.decision(self.now - 30 * MINUTE),
            told: self.told(29 * MINUTE),
            released_at: self.now - 15 * MINUTE,
            redeemed_at: self.now - MINUTE,
            by: self.key.id,
            idempotency_key: self.idempotency_key(),
        }
    }

    pub fn rejected(&self) -> State {
        let by = Actor::Device(self.device.body.id);
        State::Rejected { reason: RejectReason::HolderRejected, by, at: self.now - MINUTE }
    }

    pub fn cancelled(&self) -> State {
        State::Cancelled { reason: CancelReason::LinkStopped, by: Actor::Link, at: self.now - MINUTE }
    }

    pub fn expired(&self) -> State {
        State::Expired { reason: ExpireReason::Unanswered, at: self.now - MINUTE }
    }

    /// Every final state.
    pub fn ends(&self) -> [State; 4] {
        [self.redeemed(), self.rejected(), self.cancelled(), self.expired()]
    }
}

/// A notice's delivery as a case tells it.
pub const fn on(channel: ChannelId, delivered_at: Timestamp) -> Told {
    Told { channel, delivered_at }
}
