//! A form that is refused comes back as it was typed, with what is wrong beside its field; nothing is done.

use super::desk::Reply;
use super::stage;
use crate::bribed::cast::{Cast, REASON, opened};

/// The part of a page that is one form.
#[track_caller]
fn form(page: &Reply, action: &str) -> String {
    let (_, rest) = page.text.split_once(&format!(r#"action="{action}">"#)).expect("the form");
    rest.split_once("</form>").expect("its end").0.to_owned()
}

/// The field has the focus, and what is wrong with it is read together with it.
#[track_caller]
fn points_at(page: &Reply, action: &str, id: &str, wrong: &str) {
    assert!(page.text.contains("<title>Error: "), "{}", page.text);
    let form = form(page, action);
    assert!(form.contains(&format!(r#"<p class="bad" id="{id}-e">{wrong}</p>"#)), "{form}");
    let (_, field) = form.split_once(&format!(r#" id="{id}" "#)).expect("the field");
    let field = field.split_once('>').expect("its end").0;
    let described = field.contains(&format!(r#"aria-describedby="{id}-e""#)) || field.contains(&format!(r#" {id}-e""#));
    assert!(described && field.contains(r#"aria-invalid="true""#) && field.contains("autofocus"), "{field}");
    assert_eq!(page.text.matches("autofocus").count(), 1, "the focus is in one place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_refused_keeps_every_field() {
    let (stage, _alive) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    let approval = cast.stage.transfer("u-1").await;
    let look = cast.look().await;
    let action = format!("{look}/override");
    let channel = cast.settled.to_string();
    let short = "she <lost> it & calls";
    let fields =
        [("kind", "approve_for_holder"), ("approval", approval.as_str()), ("disputed", &channel), ("reason", short)];
    let back = cast.agent.form(&action, &fields).await;
    assert_eq!(back.status, 400, "{}", back.text);
    points_at(&back, &action, "ovr-why", "Write 20 letters or more, so that others can judge it.");
    let kept = form(&back, &action);
    for part in [
        r#"<option value="approve_for_holder" selected>"#.to_owned(),
        format!(r#"<option value="{approval}" selected>"#),
        format!(r#"value="{channel}" checked"#),
        "required>she &#60;lost&#62; it &#38; calls</textarea>".to_owned(),
    ] {
        assert!(kept.contains(&part), "{part} isn't in {kept}");
    }
    assert!(cast.stage.entries("override.asked").await.is_empty());

    // Nothing chosen, and what was written is still there.
    let back = cast.agent.form(&action, &[("kind", "approve_for_holder"), ("approval", ""), ("reason", REASON)]).await;
    assert_eq!(back.status, 400);
    points_at(&back, &action, "ovr-approval", "Choose the transfer.");
    assert!(form(&back, &action).contains(&format!(">{REASON}</textarea>")));

    // Where no field is wrong, the page says so and shows what was written.
    let back = cast.agent.form(&action, &[("kind", "unfreeze"), ("approval", ""), ("reason", REASON)]).await;
    assert_eq!(back.status, 409, "nothing is locked");
    assert!(back.text.contains(r#"<div class="errors" role="alert" tabindex="-1" autofocus>"#), "{}", back.text);
    assert!(back.text.contains(&format!("You wrote: “<bdi>{REASON}</bdi>”")));
    assert!(form(&back, &action).contains(&format!(">{REASON}</textarea>")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reason_that_is_refused_comes_back_on_the_holders_page() {
    let (stage, _alive) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    let (approval, case) = cast.asked().await;
    let (case, look) = (case.to_string(), cast.look().await);
    let (agent, why) = (&cast.agent, "Say why, in one line.");
    let action = |verb: &str| format!("{look}/{approval}/{verb}");

    let back = agent.form(&action("cancel"), &[("reason", " ")]).await;
    assert_eq!(back.status, 400);
    points_at(&back, &action("cancel"), &format!("why-{approval}"), why);
    assert!(back.text.contains("<details open><summary>Stop it"), "{}", back.text);

    let back = agent.form(&action("reveal"), &[("case", &case), ("reason", "")]).await;
    assert_eq!(back.status, 400);
    points_at(&back, &action("reveal"), &format!("bare-{approval}"), why);
    assert!(form(&back, &action("reveal")).contains(&format!(r#"<option value="{case}" selected>"#)));

    let lock = format!("{look}/lock");
    let back = agent.form(&lock, &[("reason", "\u{200b}")]).await;
    assert_eq!(back.status, 400);
    points_at(&back, &lock, "lock-why", why);

    // It waits for the holder, so there is no hold to make longer, and no form for it: the words aren't lost all the same.
    let back = agent.form(&action("extend"), &[("hours", "4"), ("reason", "the bank calls back")]).await;
    assert_eq!(back.status, 409);
    assert!(back.text.contains("You wrote: “<bdi>the bank calls back</bdi>”"), "{}", back.text);
    let back = agent.form(&action("extend"), &[("hours", "4.5"), ("reason", "the bank calls back")]).await;
    assert_eq!(back.status, 400);
    assert!(back.text.contains("Say how many hours, in whole numbers."), "{}", back.text);

    for kind in ["approval.cancelled", "approval.extended", "holder.revealed", "holder.frozen"] {
        assert!(cast.stage.entries(kind).await.is_empty(), "{kind}");
    }
    // A look that is over has no page to come back to.
    cast.stage.clock.advance(10 * stage::MINUTE);
    assert_eq!(agent.get(&look).await.status, 200);
    cast.stage.clock.advance(5 * stage::MINUTE);
    let over = agent.form(&action("cancel"), &[("reason", " ")]).await;
    assert!(over.status == 400 && !over.text.contains("<form class=\"stack\""), "{}", over.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signers_words_come_back_when_they_are_too_few_or_too_late() {
    let (stage, _alive) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    let case = opened(&cast.ask_for("reset_devices", "", "").await);
    let (one, two, _) = cast.drawn(case).await;
    let action = format!("/cases/{case}/refuse");
    let back = cast.signers[one].form(&action, &[("why", "a b c d e f g h i j k l m")]).await;
    assert_eq!(back.status, 400);
    points_at(&back, &action, "why", "Write 20 letters or more, so that others can judge it.");
    assert!(form(&back, &action).contains(">a b c d e f g h i j k l m</textarea>"));
    assert!(cast.stage.entries("override.refused_by_signer").await.is_empty());

    assert_eq!(cast.signers[two].form(&action, &[("why", REASON)]).await.status, 303);
    let words = "Nobody answered at the number on file, three times.";
    let late = cast.signers[one].form(&action, &[("why", words)]).await;
    assert_eq!(late.status, 409);
    assert!(late.text.contains(&format!("You wrote: “<bdi>{words}</bdi>”")), "{}", late.text);
    assert!(!late.text.contains(&action), "there is nothing to refuse any more");

    // A script's form gets what is wrong by field, and keeps its text in the page.
    let transfer = cast.stage.transfer("u-1").await;
    let other = opened(&cast.ask_for("approve_for_holder", &transfer, "").await);
    let (one, ..) = cast.drawn(other).await;
    let prompt = format!("/cases/{other}/prompt");
    let few = cast.signers[one].post(&prompt, &serde_json::json!({"checked": "too few"})).await.expect(400);
    assert_eq!(few["errors"][0]["field"], "checked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_that_finds_nobody_keeps_what_was_asked() {
    let (stage, _alive) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    let backend = cast.stage.backend.to_string();
    let look = |subject: &'static str, reason: &'static str| {
        let fields = [("backend", backend.clone()), ("subject", subject.to_owned()), ("reason", reason.to_owned())];
        let agent = &cast.agent;
        async move {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            agent.form("/holders", &fields).await
        }
    };
    let unknown = look("u-\"1", "she calls about a transfer").await;
    assert_eq!(unknown.status, 404);
    points_at(&unknown, "/holders", "subject", "Nobody has exactly this number. Ask for it again, and type all of it.");
    let kept = form(&unknown, "/holders");
    assert!(kept.contains(r#"value="u-&#34;1""#) && kept.contains(r#"value="she calls about a transfer""#), "{kept}");
    let silent = look("u-1", "  ").await;
    assert_eq!(silent.status, 400);
    points_at(&silent, "/holders", "reason", "Say why, in one line.");
    assert!(form(&silent, "/holders").contains(r#"value="u-1""#));
}
