//! Looking at a holder: exactly one, masked, counted, and seen by the holder.

super::on_both! {
    a_look_is_masked_and_leaves_a_trace_that_the_holder_sees,
    browsing_profiles_is_stopped_by_the_cap,
    a_signer_who_goes_straight_to_the_prompt_is_seen_by_the_holder,
    an_erased_holder_is_gone_from_the_console,
    browsing_in_a_hurry_is_stopped_by_the_rate,
}

mod cases {
    use countersign::domain::staff::view::VIEWS_A_DAY;

    use countersign::domain::override_request::Refusal;
    use countersign::service::backends;
    use countersign::service::erase::{Named, erase};
    use serde_json::json;

    use crate::bribed::cast::{CHECKED, Cast, reset, signers};
    use crate::console::desk::client;
    use crate::console::stage::{MINUTE, Stage};

    pub async fn a_look_is_masked_and_leaves_a_trace_that_the_holder_sees(stage: Stage) {
        let mut admins = stage.founders().await;
        let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
        let (holder, cookie) = stage.holder("u-77").await;
        let approval = stage.transfer("u-77").await;
        let backend = stage.backend.to_string();
        assert_eq!(stage.cx.staff.last_viewed_by_staff(holder).await.unwrap(), None);

        let why = "caller asked about a withdrawal";
        let looked = agent.form("/holders", &[("backend", &backend), ("subject", "u-77"), ("reason", why)]).await;
        assert_eq!(looked.status, 303, "{}", looked.text);
        let at = looked.location.unwrap();
        let page = agent.get(&at).await;
        assert_eq!(page.status, 200, "{}", page.text);
        for hidden in ["Marta Nowak", "PL61109010140000071219812874", "marta@example.org", "telephone"] {
            assert!(!page.text.contains(hidden), "{hidden} is shown");
        }
        assert!(page.text.contains("12,") && page.text.contains("u-77") && page.text.contains(&approval));
        // Another's look isn't a way in.
        let other = stage.hire(&mut admins, "Gil Novak", "support", "Teleplus", &["agent"]).await;
        assert_eq!(other.get(&at).await.status, 404);

        // A reveal needs a case of this holder and a reason, shows the account once, and is a look of its own.
        let _signers = signers(&stage).await;
        stage.holder("u-78").await;
        let fields = [("backend", backend.as_str()), ("subject", "u-78"), ("reason", why)];
        let elsewhere = reset(&agent, &agent.form("/holders", &fields).await.location.unwrap()).await.to_string();
        let reveal = format!("{at}/{approval}/reveal");
        for made_up in ["OV-0317", "", "ovr_00000000000000000000000000000000", elsewhere.as_str()] {
            let refused = agent.form(&reveal, &[("case", made_up), ("reason", "payee check")]).await;
            assert_eq!(refused.status, 404, "{made_up}: {}", refused.text);
        }
        assert!(stage.entries("holder.revealed").await.is_empty());
        let case = reset(&agent, &at).await.to_string();
        assert!(agent.get(&at).await.text.contains(&format!(r#"<option value="{case}">"#)), "it is chosen, not typed");
        assert_eq!(agent.form(&reveal, &[("case", &case), ("reason", " ")]).await.status, 400);
        let looked_from = stage.cx.now();
        let shown = agent.form(&reveal, &[("case", &case), ("reason", "payee check")]).await;
        let looked = looked_from..=stage.cx.now();
        assert!(shown.status == 200 && shown.text.contains("PL61109010140000071219812874"), "{}", shown.text);
        assert!(!agent.get(&at).await.text.contains("PL61109010140000071219812874"), "once");

        // The holder sees who, in the words of role and employer, when and why; never a name.
        let http = client(&stage.console_url, stage.console);
        let request =
            http.get(format!("http://{}/views", stage.public)).header("cookie", format!("cs-device={cookie}"));
        let views = request.send().await.unwrap().text().await.unwrap();
        for seen in ["agent, Teleplus", why, "payee check"] {
            assert!(views.contains(seen), "{seen} isn't in {views}");
        }
        // Neither a name nor a number that says nothing to a holder.
        assert!(!views.contains("Cleo") && !views.contains(case.as_str()));
        let last = stage.cx.staff.last_viewed_by_staff(holder).await.unwrap().unwrap();
        assert!(looked.contains(&last), "{last} isn't in {looked:?}");
        let viewed = &stage.entries("holder.viewed").await[0];
        assert_eq!(viewed["facts"]["employer"], "Teleplus");
        assert_eq!(viewed["facts"]["group"], "support");
        assert_eq!(viewed["facts"]["reason"], why);
        assert_eq!(stage.entries("holder.revealed").await[0]["facts"]["case"], case);

        stage.clock.advance(15 * MINUTE - MINUTE);
        assert_eq!(agent.get(&at).await.status, 200);
        stage.clock.advance(MINUTE);
        assert_eq!(agent.get(&at).await.status, 404, "a look lasts a quarter of an hour");
    }

    pub async fn a_signer_who_goes_straight_to_the_prompt_is_seen_by_the_holder(stage: Stage) {
        let cast = Cast::new(stage).await;
        let (_, id) = cast.asked().await;
        let (one, other, not) = cast.drawn(id).await;
        let http = client(&cast.stage.console_url, cast.stage.console);
        let seen_by = || async {
            let request = http.get(format!("http://{}/views", cast.stage.public));
            let page = request.header("cookie", "cs-device=cookie-of-u-1").send().await.unwrap().text().await.unwrap();
            (page.matches("signer, ").count(), page.contains(&format!("drawn to sign {id}")))
        };
        let of_case = || async {
            let entries = cast.stage.entries("holder.viewed").await;
            let of_case = entries.into_iter().filter(|entry| entry["facts"]["seen"] == "case");
            of_case.map(|entry| entry["actor"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(seen_by().await, (0, false));
        let (signer, prompt) = (&cast.signers[one], format!("/cases/{id}/prompt"));
        signer.post(&prompt, &json!({"checked": CHECKED})).await.expect(200);
        assert_eq!(seen_by().await, (1, true));
        assert_eq!(of_case().await, [signer.id().to_string()]);
        // Once for each signer and case, whichever way they come; and nobody else's attempt is a look.
        signer.post(&prompt, &json!({"checked": CHECKED})).await.expect(200);
        assert_eq!(signer.get(&format!("/cases/{id}")).await.status, 200);
        assert_eq!(cast.signers[not.unwrap()].post(&prompt, &json!({"checked": CHECKED})).await.status, 403);
        assert_eq!(cast.refusals(Refusal::NotDrawn.as_str()).await, 1);
        assert_eq!(of_case().await.len(), 1);
        assert_eq!(cast.signers[other].get(&format!("/cases/{id}")).await.status, 200);
        assert_eq!(of_case().await, [signer.id().to_string(), cast.signers[other].id().to_string()]);
        assert_eq!(seen_by().await, (2, true));
    }

    pub async fn an_erased_holder_is_gone_from_the_console(stage: Stage) {
        let mut admins = stage.founders().await;
        let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
        let (holder, _) = stage.holder("u-77").await;
        let backend = stage.backend.to_string();
        let fields = [("backend", backend.as_str()), ("subject", "u-77"), ("reason", "asked to be erased")];
        let at = agent.form("/holders", &fields).await.location.unwrap();
        assert_eq!(agent.get(&at).await.status, 200);
        let caller = backends::authenticate(&stage.cx, &stage.key).await.unwrap();
        erase(&stage.cx, &caller, &Named::Id(holder)).await.unwrap();
        // The page that stood open shows nothing more, nor does looking again, nor acting on what was seen.
        assert_eq!(agent.get(&at).await.status, 404);
        let locked = agent.form(&format!("{at}/lock"), &[("reason", "too late")]).await;
        assert_eq!(locked.status, 404, "{}", locked.text);
        let again = agent.form("/holders", &fields).await;
        assert_eq!(again.status, 404);
        assert!(again.text.contains("This holder was erased"), "{}", again.text);
        let nobody = [("backend", backend.as_str()), ("subject", "u-78"), ("reason", "asked to be erased")];
        assert!(agent.form("/holders", &nobody).await.text.contains("Nobody has exactly this number"));
        assert_eq!(stage.cx.staff.last_viewed_by_staff(holder).await.unwrap(), None);
        assert!(stage.cx.staff.views_of_holder(holder, 10).await.unwrap().is_empty());
        assert_eq!(agent.get("/").await.status, 200);
    }

    pub async fn browsing_profiles_is_stopped_by_the_cap(stage: Stage) {
        let mut admins = stage.founders().await;
        let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
        let backend = stage.backend.to_string();
        stage.holder("u-1").await;
        let mut seen = 0;
        let mut slowed = 0;
        for number in 0..200 {
            // As patient as the rate asks for: only the cap stops them.
            stage.wait_for_rates(MINUTE);
            let fields = [("backend", backend.as_str()), ("subject", "u-1"), ("reason", "routine")];
            match agent.form("/holders", &fields).await.status {
                303 => seen += 1,
                429 => slowed += 1,
                other => panic!("{other}"),
            }
            assert_eq!(seen, VIEWS_A_DAY.min(number + 1), "{seen} profiles after {slowed} refusals");
        }
        assert_eq!(slowed, 160);
        assert_eq!(stage.entries("holder.viewed").await.len(), seen as usize);
        let refused = stage.entries("holder.view_refused").await;
        assert_eq!(refused.len(), slowed);
        assert!(refused.iter().all(|entry| entry["facts"]["why"] == "cap"), "the rate stopped somebody");
    }

    pub async fn browsing_in_a_hurry_is_stopped_by_the_rate(stage: Stage) {
        let mut admins = stage.founders().await;
        let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
        let backend = stage.backend.to_string();
        stage.holder("u-1").await;
        let fields = [("backend", backend.as_str()), ("subject", "u-1"), ("reason", "routine")];
        for number in 0..12 {
            let answer = agent.form("/holders", &fields).await;
            assert_eq!(answer.status, if number < 10 { 303 } else { 429 }, "look {number}");
        }
        let refused = stage.entries("holder.view_refused").await;
        assert_eq!(refused.iter().map(|entry| &entry["facts"]["why"]).collect::<Vec<_>>(), ["rate", "rate"]);
    }
}

use countersign::domain::staff::view::{REVEALS_A_DAY, VIEWS_A_DAY};

use super::stage::{self, MINUTE, Stage};
use crate::bribed::cast::{reset, signers};

async fn ask(agent: &super::desk::Desk, stage: &Stage, backend: &str, subject: &str) -> super::desk::Reply {
    // So that the rate isn't what answers; the session goes on, because every request touches it.
    stage.clock.advance(MINUTE);
    agent.form("/holders", &[("backend", backend), ("subject", subject), ("reason", "routine")]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inexact_subject_finds_nobody_and_says_the_same_as_an_unknown_one() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    stage.holder("u-77").await;
    let backend = stage.backend.to_string();
    // What was typed comes back in its field; all else is the same to the letter.
    let same = |answer: &super::desk::Reply, typed: &str| {
        let field = format!(r#" name="subject" value="{}""#, typed.replace('\'', "&#39;"));
        let parts: Vec<&str> = answer.text.split(field.as_str()).collect();
        assert_eq!(parts.len(), 2, "{typed:?} in {}", answer.text);
        parts.concat()
    };
    let unknown = ask(&agent, &stage, &backend, "u-78").await;
    let said = same(&unknown, "u-78");
    assert_eq!(unknown.status, 404);
    for inexact in ["u-7", "u-777", "U-77", "u%", "u-7_", "*", "", "marta", "marta@example.org", "u-77 ", "' OR 1=1 --"]
    {
        let answer = ask(&agent, &stage, &backend, inexact).await;
        assert_eq!((answer.status, same(&answer, inexact)), (404, said.clone()), "{inexact:?}");
    }
    let elsewhere = ask(&agent, &stage, "bkd_00000000000000000000000000000000", "u-77").await;
    assert_eq!((elsewhere.status, same(&elsewhere, "u-77")), (404, said));
    assert_eq!(stage.entries("holder.view_refused").await.len(), 13, "what found nobody is written down too");
    assert!(stage.entries("holder.viewed").await.is_empty());
    // No address lists or exports them.
    for path in ["/holders.csv", "/holders/all", "/holders/export", "/looks", "/holders?subject=u-77&reason=x"] {
        let answer = agent.get(path).await;
        assert!(!answer.text.contains("Transfers"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caps_are_the_persons_own_and_come_back_after_a_day() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let mut agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    stage.holder("u-77").await;
    let approval = stage.transfer("u-77").await;
    let backend = stage.backend.to_string();
    let at = ask(&agent, &stage, &backend, "u-77").await.location.unwrap();
    let reveal = format!("{at}/{approval}/reveal");
    let _signers = signers(&stage).await;
    let case = reset(&agent, &at).await.to_string();
    for number in 1..=REVEALS_A_DAY + 1 {
        let shown = agent.form(&reveal, &[("case", &case), ("reason", "payee check")]).await;
        assert_eq!(shown.status, if number <= REVEALS_A_DAY { 200 } else { 429 }, "reveal {number}");
    }
    for _ in 0..VIEWS_A_DAY - REVEALS_A_DAY - 1 {
        assert_eq!(ask(&agent, &stage, &backend, "u-77").await.status, 303);
    }
    assert_eq!(ask(&agent, &stage, &backend, "u-77").await.status, 429, "the forty-first");
    stage.clock.advance(stage::DAY);
    agent.sign_in().await.expect(200);
    assert_eq!(ask(&agent, &stage, &backend, "u-77").await.status, 303);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_stops_and_slows_with_a_reason_and_never_shortens() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    stage.holder("u-77").await;
    stage.holder("u-78").await;
    let (own, other) = (stage.transfer("u-77").await, stage.transfer("u-78").await);
    let backend = stage.backend.to_string();
    let at = ask(&agent, &stage, &backend, "u-77").await.location.unwrap();
    let stop = |id: &str| format!("{at}/{id}/cancel");
    assert_eq!(agent.form(&stop(&other), &[("reason", "fraud")]).await.status, 404, "another holder's");
    assert_eq!(agent.form(&stop(&own), &[("reason", "")]).await.status, 400);
    // Nothing to extend before somebody approved.
    let slow = agent.form(&format!("{at}/{own}/extend"), &[("reason", "checking"), ("hours", "4")]).await;
    assert_eq!(slow.status, 409);
    assert_eq!(agent.form(&stop(&own), &[("reason", "caller says it wasn’t her")]).await.status, 303);
    let cancelled = &stage.entries("approval.cancelled").await[0];
    assert_eq!(cancelled["actor"]["kind"], "staff");
    assert_eq!(cancelled["facts"]["reason"], "staff_cancelled");
    assert_eq!(cancelled["facts"]["said"], "caller says it wasn’t her");
    assert_eq!(cancelled["facts"]["employer"], "Teleplus");
    assert_eq!(agent.form(&stop(&own), &[("reason", "again")]).await.status, 303, "cancelled stays cancelled");
    // There is no address that approves or releases.
    for verb in ["approve", "release", "redeem", "shorten"] {
        assert_eq!(agent.form(&format!("{at}/{other}/{verb}"), &[("reason", "x")]).await.status, 404, "{verb}");
    }
}
