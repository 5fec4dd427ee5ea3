//! Who signs is drawn: nobody chooses a co-signer, and nobody draws until a friend comes up.

use crate::console::on_both;

on_both! {
    nobody_chooses_the_co_signer,
    the_draw_is_exhausted_after_one_more,
    two_of_one_group_are_never_drawn,
    two_contractors_are_never_drawn,
    a_signer_new_in_the_role_is_never_drawn_and_can_not_sign,
}

mod cases {
    use countersign::domain::staff::Role;

    use super::super::cast::{Cast, opened, sign_as, veteran};
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
