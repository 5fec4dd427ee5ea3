//! Signing where one may not: alone, twice, for oneself, as an admin, after leaving, for another case.

use crate::console::on_both;

on_both! {
    two_signatures_start_a_hold_and_tell_the_holder,
    signing_alone_does_nothing,
    the_same_person_signs_only_once,
    one_person_with_two_passkeys_signs_only_once,
    whoever_asks_can_not_sign,
    an_admin_can_not_sign,
    a_signer_who_is_ended_before_the_second_signature_takes_theirs_with_them,
    a_contract_that_ends_in_between_takes_the_signature_with_it,
    forged_fields_change_nothing,
    a_signature_is_worth_nothing_on_another_case,
    of_two_signatures_at_once_each_counts_as_what_it_saw,
    one_refusal_ends_it,
    a_failed_ceremony_leaves_a_trace,
}

mod cases {
    use countersign::authenticator::{Flags, Tamper};
    use countersign::domain::override_request::StateName;
    use countersign::domain::staff::Role;
    use serde_json::json;

    use super::super::cast::{CHECKED, Cast, opened, second_passkey, sign_as, veteran};
    use crate::console::stage::{DAY, MINUTE, Stage};

    pub async fn two_signatures_start_a_hold_and_tell_the_holder(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, id) = cast.asked().await;
        let (one, other, _) = cast.drawn(id).await;
        assert_eq!(cast.sign(one, id).await.expect(200)["state"], "requested");
        assert_eq!(cast.sign(other, id).await.expect(200)["state"], "carried_out");
        let stored = cast.stage.cx.store.approval(approval).await.unwrap().unwrap();
        let decision = stored.state.decision().expect("a decision");
        assert_eq!(decision.override_request(), Some(id));
        assert_eq!(cast.state(approval).await, ("cooling", None), "it starts a hold, and releases nothing");
        assert_eq!(cast.stage.cx.store.evidence(approval).await.unwrap().len(), 2, "both signatures are kept");
        let told = cast.deliver().await;
        assert!(told.iter().any(|(channel, _)| *channel == cast.settled), "{told:?}");
        for kind in ["override.asked", "override.signed", "override.signed_twice"] {
            assert_eq!(cast.stage.entries(kind).await.len(), 1, "{kind}");
        }
    }

    pub async fn signing_alone_does_nothing(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, id) = cast.asked().await;
        let (one, ..) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        assert_eq!(cast.state(approval).await, ("pending", None));
        assert!(cast.stage.cx.store.notices(approval).await.unwrap().iter().all(|n| n.purpose.as_str() == "asked"));
    }

    pub async fn the_same_person_signs_only_once(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, id) = cast.asked().await;
        let (one, ..) = cast.drawn(id).await;
        // Two prompts at once, so that the second is there before the first is used.
        let body = json!({"checked": CHECKED});
        let desk = &mut cast.signers[one];
        let first = desk.post(&format!("/cases/{id}/prompt"), &body).await.expect(200);
        let second = desk.post(&format!("/cases/{id}/prompt"), &body).await.expect(200);
        let (first, second) = (desk.answer(&first), desk.answer(&second));
        desk.post(&format!("/cases/{id}/sign"), &first).await.expect(200);
        let again = desk.post(&format!("/cases/{id}/sign"), &second).await;
        assert_eq!((again.status, again.slug().as_str()), (409, "conflict"), "{}", again.text);
        assert_eq!(cast.refusals("signed_already").await, 1);
        assert_eq!(cast.state(approval).await, ("pending", None));
    }

    pub async fn one_person_with_two_passkeys_signs_only_once(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, id) = cast.asked().await;
        let (one, ..) = cast.drawn(id).await;
        let mut other = second_passkey(&cast.stage, &cast.signers[one]).await;
        assert_eq!(cast.stage.cx.staff.passkeys(other.id()).await.unwrap().len(), 2);
        let (prompt, store) = (format!("/cases/{id}/prompt"), format!("/cases/{id}/sign"));
        let body = json!({"checked": CHECKED});
        let first = &mut cast.signers[one];
        let (asked, again) =
            (first.post(&prompt, &body).await.expect(200), other.post(&prompt, &body).await.expect(200));
        // A prompt names one of the two; the other one's answer to it is worth nothing.
        let (named, unnamed) = match first.authenticator.get(&asked["options"], &first.origin) {
            Ok(_) => (first, &mut other),
            Err(_) => (&mut other, first),
        };
        let mut open_to_any = asked.clone();
        open_to_any["options"]["allowCredentials"] = json!([]);
        let forged = unnamed.answer(&open_to_any);
        let refused = unnamed.post(&store, &forged).await;
        assert_eq!((refused.status, refused.slug().as_str()), (403, "ceremony-failed"), "{}", refused.text);
        let signed = named.answer(&asked);
        named.post(&store, &signed).await.expect(200);
        // And once one has signed, the other signs nothing: neither the prompt it has nor a new one.
        let second = named.answer(&again);
        let refused = unnamed.post(&store, &second).await;
        assert_eq!((refused.status, refused.slug().as_str()), (409, "conflict"), "{}", refused.text);
        assert_eq!(unnamed.post(&prompt, &body).await.status, 409);
        assert_eq!(cast.refusals("signed_already").await, 2);
        assert_eq!(cast.case(id).await.state.signatures().len(), 1);
        assert_eq!(cast.state(approval).await, ("pending", None));
    }

    pub async fn whoever_asks_can_not_sign(stage: Stage) {
        let far = stage.in_a_year();
        let both = [Role::Agent, Role::Signer];
        let mut cast = Cast::new(stage).await;
        let mine = veteran(&cast.stage, ("Eve Stone", "legal", "in-house"), &both, 30 * DAY, far).await;
        let agent = std::mem::replace(&mut cast.agent, mine);
        let (approval, id) = cast.asked().await;
        assert!(!cast.case(id).await.drawn.contains(&cast.agent.id()), "who asks is never drawn");
        let refused = sign_as(&mut cast.agent, id).await;
        assert_eq!((refused.status, refused.slug().as_str()), (403, "forbidden"), "{}", refused.text);
        assert_eq!(cast.refusals("requester").await, 1);
        assert_eq!(cast.state(approval).await, ("pending", None));
        drop(agent);
    }

    pub async fn an_admin_can_not_sign(stage: Stage) {
        let far = stage.in_a_year();
        let cast = Cast::new(stage).await;
        let mut admin = veteran(&cast.stage, ("Ada Lind", "office", "in-house"), &[Role::Admin], 30 * DAY, far).await;
        let (approval, id) = cast.asked().await;
        let refused = sign_as(&mut admin, id).await;
        assert_eq!(refused.status, 403, "{}", refused.text);
        assert_eq!(cast.refusals("admin").await, 1);
        assert_eq!(admin.get(&format!("/cases/{id}")).await.status, 404, "it doesn't concern them");
        assert_eq!(cast.state(approval).await, ("pending", None));
    }

    pub async fn a_signer_who_is_ended_before_the_second_signature_takes_theirs_with_them(stage: Stage) {
        let far = stage.in_a_year();
        let mut cast = Cast::new(stage).await;
        let admin = veteran(&cast.stage, ("Ada Lind", "office", "in-house"), &[Role::Admin], 30 * DAY, far).await;
        let (approval, id) = cast.asked().await;
        let (one, other, _) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        let gone = cast.signers[one].id();
        assert_eq!(admin.form(&format!("/staff/{gone}/end"), &[]).await.status, 303);
        let signed = cast.sign(other, id).await;
        assert_eq!(signed.expect(200)["state"], "void", "their own signature is taken, and ends it");
        assert_eq!(cast.case(id).await.state.name(), StateName::Void);
        assert_eq!(cast.stage.entries("override.void").await.len(), 1);
        assert_eq!(cast.state(approval).await, ("pending", None));
    }

    pub async fn a_contract_that_ends_in_between_takes_the_signature_with_it(stage: Stage) {
        let soon = stage.cx.now() + MINUTE;
        let mut cast = Cast::new(stage).await;
        let far = cast.stage.in_a_year();
        // Everybody leaves but one, so that the one whose contract ends is drawn.
        let admin = veteran(&cast.stage, ("Ada Lind", "office", "in-house"), &[Role::Admin], 30 * DAY, far).await;
        for desk in cast.signers.drain(1..) {
            assert_eq!(admin.form(&format!("/staff/{}/end", desk.id()), &[]).await.status, 303);
        }
        let ending = veteran(&cast.stage, ("Kim Ray", "legal", "in-house"), &[Role::Signer], 30 * DAY, soon).await;
        cast.signers.push(ending);
        let (approval, id) = cast.asked().await;
        cast.sign(1, id).await.expect(200);
        cast.stage.clock.advance(2 * MINUTE);
        let signed = cast.sign(0, id).await;
        assert_eq!(signed.expect(200)["state"], "void", "their own signature is taken, and ends it");
        assert_eq!(cast.case(id).await.state.name(), StateName::Void);
        assert_eq!(cast.stage.entries("override.void").await.len(), 1);
        assert_eq!(cast.state(approval).await, ("pending", None));
    }

    pub async fn forged_fields_change_nothing(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, id) = cast.asked().await;
        let (one, ..) = cast.drawn(id).await;
        let (prompt, store) = (format!("/cases/{id}/prompt"), format!("/cases/{id}/sign"));
        let desk = &mut cast.signers[one];
        let more = json!({"checked": CHECKED, "signers": ["me", "a friend"], "hold": 0});
        assert_eq!(desk.post(&prompt, &more).await.status, 400);
        let asked = desk.post(&prompt, &json!({"checked": CHECKED})).await.expect(200);
        let mut body = desk.answer(&asked);
        body["checked"] = json!("something else than what was signed");
        assert_eq!(desk.post(&store, &body).await.status, 400, "what was signed travels sealed, and nowhere else");
        let mut body = desk.answer(&asked);
        let sealed = body["sealed"].as_str().unwrap().to_owned();
        let other = if sealed.starts_with('A') { 'B' } else { 'A' };
        body["sealed"] = json!(format!("{other}{}", &sealed[1..]));
        let forged = desk.post(&store, &body).await;
        assert_eq!((forged.status, forged.slug().as_str()), (409, "prompt-stale"), "{}", forged.text);
        assert_eq!(cast.refusals("prompt_stale").await, 1, "a forged box leaves a trace");
        let look = cast.look().await;
        let text = approval.to_string();
        for (kind, extra) in [("release", "x"), ("approve_for_holder", "signer")] {
            let fields = [("kind", kind), ("approval", text.as_str()), ("reason", CHECKED), (extra, "me")];
            let refused = cast.agent.form(&format!("{look}/override"), &fields).await;
            assert!((400..500).contains(&refused.status), "{kind} {extra}: {}", refused.status);
        }
        assert_eq!(cast.state(approval).await, ("pending", None));
        assert!(cast.case(id).await.state.signatures().is_empty());
    }

    pub async fn a_signature_is_worth_nothing_on_another_case(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, first) = cast.asked().await;
        let second = opened(&cast.ask_for("reset_devices", "", "").await);
        // Two of three were drawn, twice: one of them for both.
        let drawn = cast.case(second).await.drawn;
        let (one, other, _) = cast.drawn(first).await;
        let both = [one, other].into_iter().find(|at| drawn.contains(&cast.signers[*at].id())).unwrap();
        let desk = &mut cast.signers[both];
        for (signed, shown) in [(second, first), (first, second)] {
            let asked = desk.post(&format!("/cases/{signed}/prompt"), &json!({"checked": CHECKED})).await;
            let body = desk.answer(&asked.expect(200));
            let replayed = desk.post(&format!("/cases/{shown}/sign"), &body).await;
            assert_eq!((replayed.status, replayed.slug().as_str()), (409, "prompt-stale"), "{}", replayed.text);
        }
        let entries = cast.stage.entries("override.refused").await;
        for case in [first, second] {
            let theirs = |entry: &&serde_json::Value| entry["object"][0] == case.to_string();
            let why: Vec<_> = entries.iter().filter(theirs).map(|entry| &entry["facts"]["why"]).collect();
            assert_eq!(why, ["prompt_stale"], "the attempt on {case} is written down");
        }
        assert!(cast.case(second).await.state.signatures().is_empty());
        assert!(cast.case(first).await.state.signatures().is_empty());
        assert_eq!(cast.state(approval).await, ("pending", None));
    }

    pub async fn of_two_signatures_at_once_each_counts_as_what_it_saw(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, id) = cast.asked().await;
        let (one, other, _) = cast.drawn(id).await;
        let body = json!({"checked": CHECKED});
        let mut signed = Vec::new();
        for who in [one, other] {
            let asked = cast.signers[who].post(&format!("/cases/{id}/prompt"), &body).await.expect(200);
            signed.push(cast.signers[who].answer(&asked));
        }
        let store = format!("/cases/{id}/sign");
        let (first, second) =
            tokio::join!(cast.signers[one].post(&store, &signed[0]), cast.signers[other].post(&store, &signed[1]));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "both signed the version without the other's: {} {}", first.text, second.text);
        assert_eq!(cast.case(id).await.state.signatures().len(), 1);
        assert_eq!(cast.state(approval).await, ("pending", None));
    }

    pub async fn a_failed_ceremony_leaves_a_trace(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (_, id) = cast.asked().await;
        let (one, ..) = cast.drawn(id).await;
        let desk = &mut cast.signers[one];
        let asked = desk.post(&format!("/cases/{id}/prompt"), &json!({"checked": CHECKED})).await.expect(200);
        let tamper = Tamper { clear: Some(Flags::USER_VERIFIED), ..Tamper::default() };
        let assertion = desk.authenticator.get_tampered(&asked["options"], &desk.origin, &tamper).unwrap();
        let body = json!({"sealed": asked["sealed"], "assertion": assertion});
        let refused = desk.post(&format!("/cases/{id}/sign"), &body).await;
        assert_eq!(refused.slug(), "ceremony-failed", "{}", refused.text);
        assert_eq!(cast.refusals("user_verification").await, 1);
        assert!(cast.case(id).await.state.signatures().is_empty());
    }

    pub async fn one_refusal_ends_it(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, id) = cast.asked().await;
        let (one, other, _) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        let no = [("why", "Nobody answered on the number on file.")];
        assert_eq!(cast.signers[other].form(&format!("/cases/{id}/refuse"), &no).await.status, 303);
        assert_eq!(cast.case(id).await.state.name(), StateName::Refused);
        let late = cast.sign(other, id).await;
        assert_eq!(late.status, 409, "{}", late.text);
        assert_eq!(cast.state(approval).await, ("pending", None));
    }
}
