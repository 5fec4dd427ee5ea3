//! Who signs is drawn: nobody chooses a co-signer, and nobody draws until a friend comes up.

use crate::console::on_both;

on_both! {
    nobody_chooses_the_co_signer,
    the_draw_is_exhausted_after_one_more,
    stopping_and_asking_again_draws_nobody_else,
    two_who_ask_at_once_draw_the_same_two,
    a_refusal_stands_for_a_day_whoever_asks,
    two_of_one_group_are_never_drawn,
    two_contractors_are_never_drawn,
    a_signer_new_in_the_role_is_never_drawn_and_can_not_sign,
}

mod cases {
    use countersign::domain::override_request::draw::Stands;
    use countersign::domain::staff::Role;
    use countersign::ports::CommitError;

    use super::super::cast::{Cast, opened, sign_as, veteran};
    use crate::console::desk::Desk;
    use crate::console::stage::{DAY, Stage};

    pub async fn nobody_chooses_the_co_signer(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let (approval, id) = cast.asked().await;
        let (one, _, out) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        let out = out.expect("one of three isn't drawn");
        let refused = cast.sign(out, id).await;
        assert_eq!((refused.status, refused.slug().as_str()), (403, "forbidden"), "{}", refused.text);
        assert_eq!(cast.refusals("not_drawn").await, 1);
        assert_eq!(cast.signers[out].get(&format!("/cases/{id}")).await.status, 404);
        assert_eq!(cast.state(approval).await, ("pending", None));
    }

    pub async fn the_draw_is_exhausted_after_one_more(stage: Stage) {
        let far = stage.in_a_year();
        let mut cast = Cast::new(stage).await;
        for (name, group) in [("Lea Frei", "legal"), ("Tom Hale", "audit"), ("Uma Rao", "ops")] {
            let who = (name, group, "in-house");
            let desk = veteran(&cast.stage, who, &[Role::Signer], 30 * DAY, far).await;
            cast.signers.push(desk);
        }
        let (_, id) = cast.asked().await;
        let before = cast.case(id).await.drawn;
        let again = cast.agent.form(&format!("/cases/{id}/redraw"), &[]).await;
        assert_eq!(again.status, 303, "{}", again.text);
        let after = cast.case(id).await.drawn;
        assert!(after.iter().all(|id| !before.contains(id)), "nobody twice");
        let third = cast.agent.form(&format!("/cases/{id}/redraw"), &[]).await;
        assert_eq!(third.status, 409, "{}", third.status);
        assert_eq!(cast.refusals("redrawn_already").await, 1);
        assert_eq!(cast.case(id).await.drawn, after);
    }

    /// Six who could be drawn, and a second agent who works with the first.
    async fn crowd(stage: Stage) -> (Cast, Desk) {
        let far = stage.in_a_year();
        let mut cast = Cast::new(stage).await;
        for (name, group) in [("Lea Frei", "legal"), ("Tom Hale", "audit"), ("Uma Rao", "ops")] {
            let desk = veteran(&cast.stage, (name, group, "in-house"), &[Role::Signer], 30 * DAY, far).await;
            cast.signers.push(desk);
        }
        let who = ("Rik Moor", "support", "Teleplus");
        let second = veteran(&cast.stage, who, &[Role::Agent], 30 * DAY, far).await;
        (cast, second)
    }

    pub async fn stopping_and_asking_again_draws_nobody_else(stage: Stage) {
        let (mut cast, second) = crowd(stage).await;
        let first = opened(&cast.ask_for("reset_devices", "", "").await);
        let drawn = cast.case(first).await.drawn;
        for _ in 0..4 {
            let live = cast.stage.cx.store.overrides(1).await.unwrap().remove(0).id();
            assert_eq!(cast.agent.form(&format!("/cases/{live}/stop"), &[]).await.status, 303);
            let again = opened(&cast.ask_for("reset_devices", "", "").await);
            assert_eq!(cast.case(again).await.draw(), Stands { drawn, earlier: None });
        }
        let live = cast.stage.cx.store.overrides(1).await.unwrap().remove(0).id();
        assert_eq!(cast.agent.form(&format!("/cases/{live}/redraw"), &[]).await.status, 303);
        let redrawn = cast.case(live).await.draw();
        assert_eq!(redrawn.earlier, Some(drawn));
        assert_eq!(cast.agent.form(&format!("/cases/{live}/stop"), &[]).await.status, 303);
        // Nor by another agent, and the one redraw was used up.
        cast.agent = second;
        let theirs = opened(&cast.ask_for("reset_devices", "", "").await);
        assert_eq!(cast.case(theirs).await.draw(), redrawn);
        assert_eq!(cast.agent.form(&format!("/cases/{theirs}/redraw"), &[]).await.status, 409);
        assert_eq!(cast.refusals("redrawn_already").await, 1);
        let loud = cast.stage.entries("override.asked").await;
        let loud = loud.iter().filter(|entry| entry["facts"]["severity"] == "high").count();
        assert_eq!(loud, 5, "all but the first");
    }

    pub async fn two_who_ask_at_once_draw_the_same_two(stage: Stage) {
        let (cast, _) = crowd(stage).await;
        let cx = &cast.stage.cx;
        // Both read the record before either wrote: the record itself says no to the second draw.
        let (one, other) = (cast.asked_for_later(1).await, cast.asked_for_later(2).await);
        let first = one.step.case.draw();
        assert_ne!(first, other.step.case.draw(), "by these lots they would have been others");
        cx.store.commit(cast.change(one)).await.unwrap();
        let refused = cx.store.commit(cast.change(other.clone())).await;
        assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
        let mut same = other;
        same.step = same.step.with_draw(Some(first));
        let id = same.step.case.id();
        cx.store.commit(cast.change(same)).await.unwrap();
        // The redraw of one is the redraw of both.
        assert_eq!(cast.agent.form(&format!("/cases/{id}/redraw"), &[]).await.status, 303);
        let all = cx.store.overrides_of_holder(cast.holder, 10).await.unwrap();
        let left = all.into_iter().flatten().find(|case| case.earlier.is_none()).unwrap().id();
        assert_eq!(cast.agent.form(&format!("/cases/{left}/redraw"), &[]).await.status, 409);
    }

    pub async fn a_refusal_stands_for_a_day_whoever_asks(stage: Stage) {
        let (mut cast, second) = crowd(stage).await;
        let (_, id) = cast.asked().await;
        let (one, ..) = cast.drawn(id).await;
        let no = [("why", "Nobody answered on the number on file.")];
        assert_eq!(cast.signers[one].form(&format!("/cases/{id}/refuse"), &no).await.status, 303);
        let late = cast.asked_for_later(3).await;
        // Another transfer of the same holder, and another agent: the answer was no.
        let other = cast.stage.transfer("u-1").await;
        let told = cast.ask_for("approve_for_holder", &other, "").await;
        assert_eq!(told.status, 409);
        assert!(told.text.contains("A signer refused this"), "{}", told.text);
        cast.agent = second;
        assert_eq!(cast.ask_for("approve_for_holder", &other, "").await.status, 409);
        assert_eq!(cast.refusals("refused_before").await, 2);
        let refused = cast.stage.cx.store.commit(cast.change(late)).await;
        assert!(matches!(refused, Err(CommitError::Cap)), "{refused:?}");
        // Something else may be asked for.
        opened(&cast.ask_for("reset_devices", "", "").await);
    }

    /// The only signers there are.
    async fn only(stage: Stage, people: &[(&str, &str, &str)], days: u32) -> Cast {
        let far = stage.in_a_year();
        let mut cast = Cast::new(stage).await;
        let admin = veteran(&cast.stage, ("Ada Lind", "office", "in-house"), &[Role::Admin], 30 * DAY, far).await;
        for desk in std::mem::take(&mut cast.signers) {
            assert_eq!(admin.form(&format!("/staff/{}/end", desk.id()), &[]).await.status, 303);
        }
        for who in people {
            let desk = veteran(&cast.stage, *who, &[Role::Signer], days * DAY, far).await;
            cast.signers.push(desk);
        }
        cast
    }

    async fn nobody_can_be_drawn(cast: &Cast) {
        let refused = cast.ask_for("reset_devices", "", "").await;
        assert_eq!(refused.status, 409, "{}", refused.status);
        assert_eq!(cast.refusals("nobody_to_draw").await, 1);
        assert!(cast.stage.cx.store.overrides(10).await.unwrap().is_empty());
    }

    pub async fn two_of_one_group_are_never_drawn(stage: Stage) {
        let people = [("Lea Frei", "risk", "in-house"), ("Tom Hale", "risk", "in-house")];
        nobody_can_be_drawn(&only(stage, &people, 30).await).await;
    }

    pub async fn two_contractors_are_never_drawn(stage: Stage) {
        let people = [("Lea Frei", "risk", "Teleplus"), ("Tom Hale", "fraud", "Callco")];
        nobody_can_be_drawn(&only(stage, &people, 30).await).await;
    }

    pub async fn a_signer_new_in_the_role_is_never_drawn_and_can_not_sign(stage: Stage) {
        let far = stage.in_a_year();
        let people = [("Lea Frei", "risk", "in-house"), ("Tom Hale", "fraud", "in-house")];
        let mut cast = only(stage, &people, 6).await;
        nobody_can_be_drawn(&cast).await;
        for who in [("Uma Rao", "legal", "in-house"), ("Vic Orr", "ops", "in-house")] {
            let desk = veteran(&cast.stage, who, &[Role::Signer], 8 * DAY, far).await;
            cast.signers.push(desk);
        }
        let id = opened(&cast.ask_for("reset_devices", "", "").await);
        let drawn = cast.case(id).await.drawn;
        assert!([2, 3].iter().all(|at: &usize| drawn.contains(&cast.signers[*at].id())), "{drawn:?}");
        let refused = sign_as(&mut cast.signers[0], id).await;
        assert_eq!(refused.status, 403, "{}", refused.text);
        assert_eq!(cast.refusals("too_new").await, 1);
    }
}
