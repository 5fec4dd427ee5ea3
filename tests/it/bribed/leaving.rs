//! A signer who leaves at the worst moment: after the service has looked at them, and before the commit that counts on
//! their signature.

use crate::console::on_both;

on_both! {
    a_signer_who_is_ended_between_the_look_and_the_release_takes_the_transfer_with_them,
    a_signer_who_is_ended_between_the_look_and_the_redeem_takes_the_transfer_with_them,
    a_signer_who_is_ended_between_the_look_and_the_second_signature_takes_theirs_with_them,
}

mod cases {
    use std::sync::{Arc, Mutex};

    use countersign::adapters::timing::OsEntropy;
    use countersign::domain::approval::transitions::{Guard, Refusal, Transition};
    use countersign::domain::approval::{Approval, Decision, State, StateName as ApprovalState};
    use countersign::domain::backend::IdempotencyKey;
    use countersign::domain::event::EventKind;
    use countersign::domain::ids::{ApprovalId, StaffId};
    use countersign::domain::override_request::StateName;
    use countersign::domain::staff::EndReason;
    use countersign::ports::Effect;
    use countersign::ports::timing::Entropy;
    use countersign::service::override_request::sign;
    use countersign::service::staff::{directory, end, session};
    use countersign::service::{Context, Error, backends, log, redeem};
    use countersign::workers::{ClockGate, timers};
    use serde_json::json;

    use super::super::cast::{CHECKED, Cast};
    use crate::console::stage::{HOUR, Stage};
    use crate::support::eventually::eventually;

    /// Random bytes as ever. Before the first of them, which go into the audit entry of what is about to be stored, the
    /// identity provider ends somebody.
    struct Leaving {
        who: Mutex<Option<StaffId>>,
        cx: Context,
    }

    impl Entropy for Leaving {
        fn fill(&self, out: &mut [u8]) {
            if let Some(who) = self.who.lock().unwrap().take() {
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(async {
                        let (key, _) = directory::add(&self.cx).await.unwrap();
                        end::by_directory(&self.cx, key, who, EndReason::Directory).await.unwrap();
                    });
                });
            }
            OsEntropy.fill(out);
        }
    }

    /// The service in which this person leaves at that moment.
    fn leaving(cx: &Context, who: StaffId) -> (Context, Arc<Leaving>) {
        let entropy = Arc::new(Leaving { who: Mutex::new(Some(who)), cx: cx.clone() });
        (Context { entropy: entropy.clone(), ..cx.clone() }, entropy)
    }

    /// A transfer that two of staff approved, of which the holder was told and whose hold is over: as if a day had gone.
    async fn ripe(cast: &mut Cast) -> (ApprovalId, [StaffId; 2]) {
        let (approval, id) = cast.asked().await;
        let (one, other, _) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        cast.sign(other, id).await.expect(200);
        let cx = &cast.stage.cx;
        let now = cx.store.now().await.unwrap();
        cast.deliver().await;
        cast.delivered_earlier(29 * HOUR).await;
        let from = cx.store.approval(approval).await.unwrap().unwrap();
        let State::Cooling { decision, .. } = from.state.clone() else { panic!("{from:?}") };
        let decision = Decision { approved_at: now - 30 * HOUR, ..decision };
        let state = State::Cooling { decision, cooling_until: now - HOUR };
        let next = Approval { version: from.version + 1, state, ..from.clone() };
        let (event, guard) = (EventKind::Extended, Guard::default());
        let transition = Box::new(Transition { approval: next, from: from.version, event, guard });
        cast.stage.apply(Effect::Transition { transition, proof: None, receipt: None }).await;
        while log::turn(cx).await.unwrap() > 0 {}
        (approval, cast.case(id).await.drawn)
    }

    /// What its timer leads to, by the worker that claims it.
    async fn timer_fires(cx: &Context, approval: ApprovalId, until: &[&str]) -> &'static str {
        let cx = cx.clone();
        eventually("the timer to be worked on", async || {
            // The stage's clock stands still, so that a timer that is to come again soon never would.
            cx.timers.arm(&[(approval, cx.now() - HOUR)]).await.unwrap();
            timers::turn(&cx, &ClockGate::open()).await.unwrap();
            let state = cx.store.approval(approval).await.unwrap().unwrap().state.name().as_str();
            until.contains(&state).then_some(state)
        })
        .await
    }

    pub async fn a_signer_who_is_ended_between_the_look_and_the_release_takes_the_transfer_with_them(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        // As it goes when both stay.
        let (stays, _) = ripe(&mut cast).await;
        assert_eq!(timer_fires(&cast.stage.cx, stays, &["released", "cancelled"]).await, "released");

        let (goes, [one, _]) = ripe(&mut cast).await;
        let (cx, entropy) = leaving(&cast.stage.cx, one);
        assert_eq!(timer_fires(&cx, goes, &["released", "cancelled"]).await, "cancelled");
        assert!(entropy.who.lock().unwrap().is_none(), "they were ended in between");
        assert_eq!(cast.state(goes).await, ("cancelled", Some("signature_void")));
        let kinds: Vec<_> = cast.stage.entries("approval.released").await;
        assert_eq!(kinds.len(), 1, "only the one whose signers stayed");
    }

    /// `released` isn't permission, so the moment that counts asks for both signers as the release did.
    pub async fn a_signer_who_is_ended_between_the_look_and_the_redeem_takes_the_transfer_with_them(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let take = async |cx: &Context, key: &str, approval: ApprovalId| {
            let caller = backends::authenticate(cx, key).await.unwrap();
            let digest = cx.store.approval(approval).await.unwrap().unwrap().digest();
            let once = IdempotencyKey::parse(&format!("redeem-{approval}")).unwrap();
            redeem::redeem(cx, &caller, approval, digest, once).await
        };
        let key = cast.stage.key.clone();
        // As it goes when both stay: with its receipt, which is repeated.
        let (stays, _) = ripe(&mut cast).await;
        assert_eq!(timer_fires(&cast.stage.cx, stays, &["released", "cancelled"]).await, "released");
        let first = take(&cast.stage.cx, &key, stays).await.unwrap();
        assert_eq!(take(&cast.stage.cx, &key, stays).await.unwrap().receipt, first.receipt);

        let (goes, [one, _]) = ripe(&mut cast).await;
        assert_eq!(timer_fires(&cast.stage.cx, goes, &["released", "cancelled"]).await, "released");
        let (cx, entropy) = leaving(&cast.stage.cx, one);
        let refused = take(&cx, &key, goes).await.unwrap_err();
        assert!(entropy.who.lock().unwrap().is_none(), "they were ended in between");
        assert!(matches!(refused, Error::Refused(Refusal::State(ApprovalState::Cancelled))), "{refused:?}");
        assert_eq!(cast.state(goes).await, ("cancelled", Some("signature_void")));
        let why: Vec<_> = cast.stage.entries("redeem.refused").await;
        assert_eq!(why.last().unwrap()["facts"]["why"], "signature_void");
        assert_eq!(cast.stage.entries("approval.redeemed").await.len(), 1, "only the one whose signers stayed");
    }

    pub async fn a_signer_who_is_ended_between_the_look_and_the_second_signature_takes_theirs_with_them(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, id) = cast.asked().await;
        let (one, other, _) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        let gone = cast.signers[one].id();
        let desk = &mut cast.signers[other];
        let asked = desk.post(&format!("/cases/{id}/prompt"), &json!({"checked": CHECKED})).await.expect(200);
        let signed = desk.answer(&asked);
        let cookie = desk.cookie.as_deref().unwrap().split_once('=').unwrap().1.to_owned();
        let (cx, entropy) = leaving(&cast.stage.cx, gone);
        let by = session::of(&cx, &cookie, session::Visit::Acts).await.unwrap();
        let sealed = signed["sealed"].as_str().unwrap();
        let refused = sign::sign(&cx, &by, id, sealed, &signed["assertion"]).await;
        assert!(refused.is_err(), "{refused:?}");
        assert!(entropy.who.lock().unwrap().is_none(), "they were ended in between");
        assert_eq!(cast.case(id).await.state.name(), StateName::Requested);
        assert_eq!(cast.case(id).await.state.signatures().len(), 1);
        assert_eq!(cast.state(approval).await, ("pending", None));
    }
}
