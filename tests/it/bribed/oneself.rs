//! Looking at oneself: a person of staff who is a holder too sees nothing of their own and has no say in it. Who is whom
//! is said when somebody is added or changed, by two admins.

use crate::console::on_both;

on_both! {
    nobody_looks_at_themself,
    who_turns_out_to_be_the_holder_does_nothing_more_from_an_older_look,
    nobody_signs_for_themself,
}

mod cases {
    use countersign::domain::HolderId;
    use countersign::domain::ids::StaffId;
    use countersign::domain::override_request::StateName;
    use countersign::domain::staff::Role;
    use serde_json::{Value, json};

    use super::super::cast::{CHECKED, Cast, REASON, opened, veteran};
    use crate::console::desk::Desk;
    use crate::console::stage::{DAY, Stage};

    const WHO: (&str, &str, &str) = ("Cleo Park", "support", "Teleplus");

    async fn two_admins(stage: &Stage) -> (Desk, Desk) {
        let far = stage.in_a_year();
        let one = veteran(stage, ("Ada Lind", "office", "in-house"), &[Role::Admin], 30 * DAY, far).await;
        let two = veteran(stage, ("Ben Ortiz", "office", "in-house"), &[Role::Admin], 30 * DAY, far).await;
        (one, two)
    }

    /// Two admins say that this person is that holder.
    async fn is(admins: &mut (Desk, Desk), mut form: Value, who: StaffId, holder: HolderId) {
        form["staff"] = json!(who.to_string());
        form["own_holders"] = json!(holder.to_string());
        let (one, two) = admins;
        let proposed = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
        let at = proposed["location"].as_str().unwrap();
        assert!(two.get(at).await.text.contains(&holder.to_string()), "the other admin sees it");
        two.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await.expect(200);
    }

    pub async fn nobody_looks_at_themself(stage: Stage) {
        let mut admins = two_admins(&stage).await;
        let (oneself, _) = stage.holder("u-1").await;
        let (other, _) = stage.holder("u-2").await;
        let mut form = stage.form(WHO.0, WHO.1, WHO.2, &["agent"]);
        form["own_holders"] = json!("hld_00000000000000000000000000000000");
        assert_eq!(admins.0.post("/staff/draft", &form).await.status, 400, "there is no such holder");
        form["own_holders"] = json!(oneself.to_string());
        let agent = stage.hire_by(&mut admins, form).await;
        let backend = stage.backend.to_string();
        let look = |subject| {
            let fields = [("backend", backend.clone()), ("subject", subject), ("reason", "routine".to_owned())];
            let agent = &agent;
            async move {
                let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                agent.form("/holders", &fields).await
            }
        };
        assert_eq!(look("u-1".to_owned()).await.status, 403);
        assert!(stage.cx.staff.views_of_holder(oneself, 10).await.unwrap().is_empty());
        let refused = stage.entries("holder.view_refused").await;
        assert_eq!((refused.len(), &refused[0]["facts"]["why"]), (1, &json!("own_account")));
        assert_eq!(look("u-2".to_owned()).await.status, 303, "anybody else's as ever");
        assert_eq!(stage.cx.staff.views_of_holder(other, 10).await.unwrap().len(), 1);
    }

    pub async fn who_turns_out_to_be_the_holder_does_nothing_more_from_an_older_look(stage: Stage) {
        let cast = Cast::new(stage).await;
        let mut admins = two_admins(&cast.stage).await;
        let (approval, case) = cast.asked().await;
        let look = cast.look().await;
        let form = cast.stage.form("Dana Okafor", "support", "Teleplus", &["agent"]);
        is(&mut admins, form, cast.agent.id(), cast.holder).await;
        let (text, of) = (approval.to_string(), case.to_string());
        assert_eq!(cast.agent.get(&look).await.status, 403);
        for (path, fields) in [
            (format!("{look}/{text}/cancel"), vec![("reason", "fraud")]),
            (format!("{look}/{text}/extend"), vec![("reason", "fraud"), ("hours", "4")]),
            (format!("{look}/{text}/reveal"), vec![("reason", "payee check"), ("case", of.as_str())]),
            (format!("{look}/lock"), vec![("reason", "says it wasn't them")]),
            (format!("{look}/override"), vec![("kind", "reset_devices"), ("reason", REASON)]),
        ] {
            let refused = cast.agent.form(&path, &fields).await;
            assert_eq!(refused.status, 403, "{path}: {}", refused.text);
        }
        assert_eq!(cast.state(approval).await, ("pending", None));
        assert!(cast.stage.cx.store.freeze(cast.holder).await.unwrap().is_none());
        assert_eq!(cast.stage.cx.store.overrides(10).await.unwrap().len(), 1);
    }

    pub async fn nobody_signs_for_themself(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let mut admins = two_admins(&cast.stage).await;
        let (approval, id) = cast.asked().await;
        let (one, other, out) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        let (person, all) = (cast.signers[one].id(), cast.signers.len());
        let profile = cast.stage.cx.staff.person(person).await.unwrap().unwrap().profile;
        let (name, group) = (profile.name.to_string(), profile.group.to_string());
        let form = cast.stage.form(&name, &group, &profile.employer.to_string(), &["signer"]);
        is(&mut admins, form, person, cast.holder).await;
        // Their signature is void at once.
        let signed = cast.sign(other, id).await;
        assert!(signed.status == 200 || signed.status == 409, "{}", signed.text);
        assert_ne!(cast.case(id).await.state.name(), StateName::CarriedOut);
        assert_eq!(cast.state(approval).await, ("pending", None));
        // They are never drawn again, and can't sign in another's place.
        let again = opened(&cast.ask_for("reset_devices", "", "").await);
        assert!(!cast.case(again).await.drawn.contains(&person), "{all} signers, and {out:?} was left");
        let refused = cast.signers[one].post(&format!("/cases/{again}/prompt"), &json!({"checked": CHECKED})).await;
        assert_eq!(refused.status, 403, "{}", refused.text);
        assert_eq!(cast.refusals("own_account").await, 1);
    }
}
