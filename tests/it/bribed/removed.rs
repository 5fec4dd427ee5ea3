//! A phone that was stolen and reset: what it approved until the very moment is released and redeemed by nobody, also
//! when the node that reset it died before it could cancel anything.

use std::sync::Arc;

use countersign::adapters::timing::OsEntropy;
use countersign::domain::ApprovalId;
use countersign::domain::approval::Approval;
use countersign::domain::approval::transitions::{Guard, Transition};
use countersign::domain::event::EventKind;
use countersign::domain::override_request::StateName;
use countersign::ports::Effect;
use countersign::ports::timing::Entropy;
use countersign::service::override_request::carry_out;
use countersign::service::{Context, Error};

use super::cast::{Cast, released};
use crate::console::on_both;
use crate::console::stage::{self, DAY, MINUTE};
use crate::support::enrolled;

on_both! {
    what_a_removed_device_approved_ends_although_nobody_comes_back_for_it,
}

/// Random bytes as ever. Before each of them, which go into the audit entry of what is about to be stored, somebody moves
/// the transfer, so that whoever read it before is too late.
struct Restless {
    cx: Context,
    about: ApprovalId,
}

impl Entropy for Restless {
    fn fill(&self, out: &mut [u8]) {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let from = self.cx.store.approval(self.about).await.unwrap().unwrap();
                let next = Approval { version: from.version + 1, ..from.clone() };
                let (event, guard) = (EventKind::Extended, Guard::default());
                let transition = Box::new(Transition { approval: next, from: from.version, event, guard });
                enrolled::apply(&self.cx, Effect::Transition { transition, proof: None, receipt: None }).await;
            });
        });
        OsEntropy.fill(out);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_that_can_not_cancel_what_was_approved_is_not_carried_out() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let taken = released(&cast.stage, "u-1", cast.holder).await;
    let id = cases::signed(&mut cast).await;
    cast.stage.clock.advance(MINUTE);
    cast.deliver().await;
    carry_out::turn(&cast.stage.cx).await.unwrap();
    cast.stage.clock.advance(DAY + MINUTE);
    let restless = Arc::new(Restless { cx: cast.stage.cx.clone(), about: taken });
    let cx = Context { entropy: restless, ..cast.stage.cx.clone() };
    let refused = carry_out::turn(&cx).await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    assert_eq!(cast.case(id).await.state.name(), StateName::Cooling);
    assert_eq!(cast.state(taken).await.0, "released");
    // The next turn finds it at rest.
    carry_out::turn(&cast.stage.cx).await.unwrap();
    assert_eq!(cast.case(id).await.state.name(), StateName::CarriedOut);
    assert_eq!(cast.state(taken).await, ("cancelled", Some("device_removed")));
}

mod cases {
    use countersign::domain::approval::transitions::{Guard, Refusal};
    use countersign::domain::approval::{State, StateName, Told};
    use countersign::domain::backend::IdempotencyKey;
    use countersign::domain::override_request::transitions::Due;
    use countersign::domain::{ApprovalId, OverrideId};
    use countersign::ports::Effect;
    use countersign::ports::overrides::{Also, OverrideWrite};
    use countersign::service::release::Outcome;
    use countersign::service::{Error, backends, log, redeem, release};

    use super::super::cast::{Cast, decided, opened, released};
    use crate::console::stage::{DAY, HOUR, MINUTE, Stage};

    /// A reset that two have signed.
    pub async fn signed(cast: &mut Cast) -> OverrideId {
        let id = opened(&cast.ask_for("reset_devices", "", "").await);
        let (one, other, _) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        cast.sign(other, id).await.expect(200);
        id
    }

    /// The commit that the worker ends the hold with, as if a day had gone, and nothing of what comes after it.
    async fn commits(cast: &Cast, id: OverrideId) {
        let mut people = Vec::new();
        let case = cast.case(id).await;
        for signature in case.state.signatures() {
            people.push(cast.stage.cx.staff.person(signature.staff).await.unwrap().unwrap());
        }
        let told = Told { channel: cast.settled, delivered_at: cast.stage.cx.now() };
        let Due::Now(heard, _) = case.fall_due(&people, Some(told.clone()), told.delivered_at + MINUTE) else {
            panic!("it was told")
        };
        let caps = cast.stage.cx.settings.override_caps;
        let write =
            |step, also| Effect::Override(Box::new(OverrideWrite { step, caps, proof: None, also, tell: Vec::new() }));
        cast.stage.apply(write((*heard).clone(), Also::Nothing)).await;
        let Due::Now(mut step, Some(carry)) = heard.case.fall_due(&people, Some(told.clone()), told.delivered_at + DAY)
        else {
            panic!("its hold is over")
        };
        step.guard = Guard::default();
        cast.stage.apply(write(*step, Also::ResetDevices(carry))).await;
    }

    async fn due(cast: &Cast, id: ApprovalId) -> Outcome {
        while log::turn(&cast.stage.cx).await.unwrap() > 0 {}
        release::fall_due(&cast.stage.cx, &[id]).await.unwrap().remove(0)
    }

    /// A transfer that the device approved, of which the holder was told, and whose hold is over.
    async fn ripe(cast: &Cast) -> ApprovalId {
        let stage = &cast.stage;
        let now = stage.cx.now();
        let cooled = |decision, _| State::Cooling { decision, cooling_until: now - MINUTE };
        let id = decided(stage, "u-1", cast.holder, now - HOUR, cooled).await;
        cast.deliver().await;
        // The notice was delivered by the database's clock, which has gone on.
        stage.catch_up().await;
        id
    }

    pub async fn what_a_removed_device_approved_ends_although_nobody_comes_back_for_it(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        // As it goes with the device that approved.
        let goes = ripe(&cast).await;
        assert!(matches!(due(&cast, goes).await, Outcome::Moved(_)));
        assert_eq!(cast.state(goes).await, ("released", None));

        let (cooling, taken) = (ripe(&cast).await, released(&cast.stage, "u-1", cast.holder).await);
        let id = signed(&mut cast).await;
        commits(&cast, id).await;
        assert_eq!((cast.state(cooling).await.0, cast.state(taken).await.0), ("cooling", "released"), "nobody looked");

        // Counted and told once, by what ended it.
        assert!(matches!(due(&cast, cooling).await, Outcome::Nothing(_)));
        assert_eq!(cast.state(cooling).await, ("cancelled", Some("device_removed")));
        let cx = &cast.stage.cx;
        let caller = backends::authenticate(cx, &cast.stage.key).await.unwrap();
        let digest = cx.store.approval(taken).await.unwrap().unwrap().digest();
        let key = IdempotencyKey::parse("redeem-0123456789").unwrap();
        let refused = redeem::redeem(cx, &caller, taken, digest, key).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(Refusal::State(StateName::Cancelled))), "{refused:?}");
        assert_eq!(cast.state(taken).await, ("cancelled", Some("device_removed")));
        let why = cast.stage.entries("redeem.refused").await;
        assert_eq!(why.last().unwrap()["facts"]["why"], "device_removed");
        assert!(cast.stage.entries("approval.redeemed").await.is_empty());
    }
}
