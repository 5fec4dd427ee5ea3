//! From domain values to the plain values of `web::pages`.

use crate::domain::approval::{Actor, Approval, CancelReason, Decision, ExpireReason, State};
use crate::domain::channel::{ChannelKind, NoticeStatus, Purpose};
use crate::domain::details::{PayeeHistory, StartedOn, Transfer};
use crate::domain::device::Device;
use crate::domain::ids::DeviceId;
use crate::domain::time::Timestamp;
use crate::ports::store::NoticeView;
use crate::service::{Context, Profile};
use crate::web::pages::clocktext::{Moment, moment, moment_to_the_second};
use crate::web::pages::deal::{AccountKind, AmountText, Deal, MIXED_ALPHABETS, MaskedDeal, Row};
use crate::web::pages::frame::{self, Frame, Lang};
use crate::web::pages::given::Given;
use crate::web::pages::live::Stage;
use crate::web::pages::outcome::{Actor as PageActor, Approved, Lapse, Outcome, Reached, Release, Stopper, Told};

/// What stands around every page.
pub fn frame(cx: &Context) -> Frame {
    Frame {
        operator: cx.settings.operator.clone(),
        contact: cx.settings.contact.clone(),
        profile: match cx.settings.profile {
            Profile::Production => frame::Profile::Live,
            Profile::Demo => frame::Profile::Demo,
            Profile::Bench => frame::Profile::Bench,
        },
        lang: Lang::En,
    }
}

pub fn at(now: Timestamp, at: Timestamp) -> Moment {
    moment(now.micros(), at.micros())
}

pub fn amount(transfer: &Transfer) -> AmountText {
    AmountText::new(transfer.amount.as_str(), transfer.unit_code())
}

fn account_kind(transfer: &Transfer) -> AccountKind {
    if transfer.network().is_some() { AccountKind::Address } else { AccountKind::Account }
}

/// The whole deal, nothing shortened.
pub fn deal(approval: &Approval, now: Timestamp) -> Deal {
    let transfer = approval.details.transfer();
    let payee = transfer.payee.name.as_str();
    let mut deal = Deal::new(amount(transfer), payee, account_kind(transfer), transfer.payee.account.as_str());
    if transfer.payee.name.mixes_alphabets() {
        deal = deal.note(MIXED_ALPHABETS);
    }
    if transfer.source_account.label.mixes_alphabets() {
        deal = deal.note("The name of your account mixes two alphabets. Check it letter by letter.");
    }
    if transfer.payee_history == Some(PayeeHistory::New) {
        deal = deal.note("You have never paid this account before.");
    }
    if let Some(network) = transfer.network() {
        deal = deal.row(Row::given("Network", network));
    }
    let source = &transfer.source_account;
    let id = Given::new(source.id.as_str());
    deal = deal.row(Row::given("From", source.label.as_str()).then(", ").then_given(&id));
    if let Some(reference) = &transfer.reference {
        deal = deal.row(Row::quoted("Message", reference.as_str()));
    }
    let place = match transfer.initiator.started_on {
        StartedOn::Website => "on the website",
        StartedOn::App => "in the app",
        StartedOn::Phone => "by phone",
        StartedOn::Branch => "in a branch",
        StartedOn::Api => "by a program",
        StartedOn::Agent => "by an assistant program you allowed",
    };
    let started = transfer.initiator.started_at.unwrap_or(approval.created_at);
    let mut row = Row::at("Started", at(now, started)).then(&format!(" {place}"));
    if let Some(from) = &transfer.initiator.from {
        row = row.then(", from ").then_given(&Given::new(from.as_str()));
    }
    let mut deal = deal.row(row);
    // A payee who is new has the note above; a known one is said as plainly, and no more reassuringly.
    if transfer.payee_history == Some(PayeeHistory::Known) {
        deal = deal.row(Row::text("Paid before", "Yes"));
    }
    deal.row(Row::given("Transfer number", transfer.transfer_id.as_str()))
}

/// What a link in a notice shows: enough to recognise it, too little to learn from.
pub fn masked(approval: &Approval) -> MaskedDeal {
    let transfer = approval.details.transfer();
    let payee = transfer.payee.name.as_str();
    MaskedDeal::new(amount(transfer), payee, account_kind(transfer), transfer.payee.account.as_str())
}

/// Who looks at the page, and which devices they have: names for "on this phone" and "on Old iPad".
pub struct Viewer<'a> {
    pub here: Option<DeviceId>,
    pub devices: &'a [Device],
}

impl Viewer<'_> {
    fn actor(&self, device: DeviceId) -> PageActor {
        if self.here == Some(device) {
            return PageActor::ThisDevice;
        }
        let named = self.devices.iter().find(|known| known.body.id == device);
        PageActor::Device(Given::new(named.map_or("another device", |known| known.body.name.as_str())))
    }

    pub fn approved(&self, decision: &Decision, now: Timestamp) -> Approved {
        let by = decision.device().map_or(PageActor::Staff, |device| self.actor(device));
        Approved { at: at(now, decision.approved_at), by }
    }

    /// How it ended; `None` while it is undecided or cools off.
    pub fn outcome(&self, approval: &Approval, now: Timestamp) -> Option<Outcome> {
        let to_the_second = |at: Timestamp| moment_to_the_second(now.micros(), at.micros());
        Some(match &approval.state {
            State::Pending | State::Cooling { .. } => return None,
            State::Released { decision, released_at, .. } => Outcome::Released {
                release: Release::Cleared,
                at: to_the_second(*released_at),
                approved: self.approved(decision, now),
            },
            State::Redeemed { decision, released_at, .. } => Outcome::Released {
                release: Release::Taken,
                at: to_the_second(*released_at),
                approved: self.approved(decision, now),
            },
            State::Rejected { by, at: when, .. } => Outcome::Rejected {
                at: at(now, *when),
                by: match by {
                    Actor::Device(device) => self.actor(*device),
                    _ => PageActor::Device(Given::new("another device")),
                },
            },
            State::Cancelled { reason, by, at: when } => Outcome::Cancelled {
                at: at(now, *when),
                by: match (reason, by) {
                    (CancelReason::HolderStopped, Actor::Device(device)) => Stopper::Holder(self.actor(*device)),
                    (CancelReason::HolderStopped, _) => {
                        Stopper::Holder(PageActor::Device(Given::new("another device")))
                    }
                    (CancelReason::LinkStopped, _) => Stopper::Link,
                    (CancelReason::InitiatorStopped, _) => Stopper::WaitingPage,
                    (CancelReason::BackendCancelled, _) => Stopper::Backend,
                    (CancelReason::StaffCancelled, _) => Stopper::Staff,
                    (CancelReason::Unreachable, _) => Stopper::Unreachable,
                    (CancelReason::Recovered, _) => Stopper::Service,
                    (CancelReason::HolderFrozen, _) => Stopper::Frozen,
                    (CancelReason::SignatureVoid | CancelReason::DeviceRemoved, _) => Stopper::Service,
                },
                approved: None,
            },
            State::Expired { reason, at: when } => Outcome::Expired {
                asked: at(now, approval.created_at),
                at: at(now, *when),
                why: match reason {
                    ExpireReason::Unanswered => Lapse::Unanswered,
                    ExpireReason::NotRedeemed => Lapse::NotTaken,
                },
            },
        })
    }
}

/// By which ways the holder was told of the approval.
pub fn told(notices: &[NoticeView], now: Timestamp) -> Told {
    let delivered = |n: &&NoticeView| n.purpose == Purpose::Cooling && n.status == NoticeStatus::Delivered;
    let mut ways = Vec::new();
    for notice in notices.iter().filter(delivered) {
        let way = match notice.kind {
            ChannelKind::WebPush => Reached::Push,
            ChannelKind::Email | ChannelKind::Inbox => Reached::Email,
        };
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    let first = notices.iter().filter(delivered).filter_map(|notice| notice.delivered_at).min();
    first.map_or(Told::NotYet, |first| Told::By(ways, at(now, first)))
}

pub const fn stage(state: &State) -> Stage {
    match state {
        State::Pending => Stage::Pending,
        State::Cooling { .. } => Stage::Cooling,
        State::Released { .. } | State::Redeemed { .. } => Stage::Released,
        State::Rejected { .. } => Stage::Rejected,
        State::Cancelled { .. } => Stage::Cancelled,
        State::Expired { .. } => Stage::Expired,
    }
}
