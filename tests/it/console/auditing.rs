//! The audit log on the console: for auditors only, page by page, with the proof of each entry, and every look at it
//! is an entry itself.

super::on_both! {
    the_log_is_read_newest_first_and_every_look_at_it_is_written_down,
    an_entry_comes_with_a_proof_that_stands_without_us,
}

mod cases {
    use countersign::domain::audit::{commitment, leaf_hash};
    use countersign::domain::log::TlogProof;
    use countersign::domain::staff::Role;
    use countersign::service::log;
    use data_encoding::BASE64URL_NOPAD;

    use crate::bribed::cast::{Cast, veteran};
    use crate::console::desk::{Desk, Reply};
    use crate::console::stage::{DAY, Stage};

    pub async fn auditor(stage: &Stage) -> Desk {
        let who = ("Noor Haddad", "audit", "in-house");
        veteran(stage, who, &[Role::Auditor], 30 * DAY, stage.in_a_year()).await
    }

    /// The ids of the entries that a page lists, in its order.
    pub fn listed(page: &Reply) -> Vec<String> {
        assert_eq!(page.status, 200, "{}", page.text);
        let links = page.text.split(r#"<a href="/audit/chg_"#).skip(1);
        links.map(|rest| format!("chg_{}", rest.split('"').next().unwrap())).collect()
    }

    fn unescaped(text: &str) -> String {
        text.replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&#38;", "&")
    }

    pub async fn the_log_is_read_newest_first_and_every_look_at_it_is_written_down(stage: Stage) {
        let cast = Cast::new(stage).await;
        let auditor = auditor(&cast.stage).await;
        let (approval, case) = cast.asked().await;
        while log::turn(&cast.stage.cx).await.unwrap() > 0 {}

        let page = auditor.get("/audit").await;
        let ids = listed(&page);
        let all = cast.stage.cx.store.audit_page(None, 10_000).await.unwrap();
        let newest: Vec<String> = all.iter().rev().map(|(_, entry)| entry.id.to_string()).take(50).collect();
        assert_eq!(ids, newest);
        assert!(page.text.contains("Log viewed") && page.text.contains("not signed yet"), "its own look comes first");
        assert!(
            page.text.contains("Noor Haddad (audit, in-house)")
                && page.text.contains("Dana Okafor (support, Teleplus)")
        );
        // The entry before is the newest that was signed: the last leaf of the tree.
        let size = cast.stage.cx.log.store.newest().await.unwrap().unwrap().head.size;
        assert!(page.text.contains(&format!(r#"<a href="/audit/{}">{size}</a>"#, ids[1])), "{}", page.text);
        for hidden in ["Marta", "PL61109010140000071219812874", "marta@example.org", "12500.00"] {
            assert!(!page.text.contains(hidden), "{hidden} is in the log");
        }
        let looks = cast.stage.entries("log.viewed").await;
        assert_eq!((looks.len(), &looks[0]["actor"]["id"]), (1, &auditor.id().to_string().into()));
        assert_eq!(looks[0]["facts"]["what"], "everything");

        // About one approval; by one person; of one family. The form leads to an address, and the look says what for.
        let shown = auditor.form("/audit", &[("about", &approval.to_string()), ("what", "")]).await;
        assert_eq!(shown.location.as_deref(), Some(format!("/audit?about={approval}").as_str()));
        let about = auditor.get(&shown.location.unwrap()).await;
        assert!(about.text.contains("Approval opened") && about.text.contains("Override asked"), "{}", about.text);
        assert!(listed(&about).len() >= 2 && !about.text.contains("Staff signed in"));
        assert_eq!(cast.stage.entries("log.viewed").await[1]["facts"]["about"], approval.to_string());
        let by = auditor.get(&format!("/audit?by={}&what=looks", cast.agent.id())).await;
        let seen = cast.stage.entries("holder.viewed").await.len();
        assert!(listed(&by).len() == seen && by.text.contains("Holder viewed"), "{}", by.text);
        assert!(listed(&auditor.get(&format!("/audit?about={case}&what=settings")).await).is_empty());

        // A form that is refused comes back as it was typed, and is no look.
        let before = cast.stage.entries("log.viewed").await.len();
        let refused = auditor.form("/audit", &[("about", "Marta Nowak"), ("from", "2026-11-01")]).await;
        assert_eq!(refused.status, 400);
        for part in [r#"value="Marta Nowak""#, r#"value="2026-11-01""#, r#"aria-describedby="about-e" autofocus"#] {
            assert!(refused.text.contains(part), "{part} isn't in {}", refused.text);
        }
        assert_eq!(
            auditor.get("/audit?about=Marta").await.status,
            400,
            "no name gets into the log by an address either"
        );
        assert_eq!(cast.stage.entries("log.viewed").await.len(), before);

        // Nobody else reads it.
        let mut admins = cast.stage.founders().await;
        let fresh = cast.stage.hire(&mut admins, "Gil Novak", "support", "Teleplus", &["agent"]).await;
        for desk in [&cast.agent, &cast.signers[0], &admins.0, &fresh] {
            for path in ["/audit".to_owned(), format!("/audit/{}", ids[0]), "/report".to_owned()] {
                assert_eq!(desk.get(&path).await.status, 403, "{path}");
            }
            assert_eq!(desk.form("/audit", &[("what", "")]).await.status, 403);
            assert_eq!(desk.form("/report", &[("from", "2026-11-01"), ("to", "2026-11-02")]).await.status, 403);
            assert!(!desk.get("/").await.text.contains("/audit"));
        }
        assert!(auditor.get("/").await.text.contains(r#"<a href="/audit">"#));
    }

    pub async fn an_entry_comes_with_a_proof_that_stands_without_us(stage: Stage) {
        let cast = Cast::new(stage).await;
        let auditor = auditor(&cast.stage).await;
        cast.look().await;
        let entry = cast.stage.entries("holder.viewed").await[0]["id"].as_str().unwrap().to_owned();
        let waits = auditor.get(&format!("/audit/{entry}")).await;
        assert!(waits.status == 200 && waits.text.contains("Not signed yet"), "{}", waits.text);
        assert!(!waits.text.contains("tlog-proof@v1"));
        while log::turn(&cast.stage.cx).await.unwrap() > 0 {}

        let page = auditor.get(&format!("/audit/{entry}")).await;
        assert!(page.text.contains("this text gives this leaf, and this leaf is in the tree"), "{}", page.text);
        assert!(page.text.contains("the holder calls") && page.text.contains("Dana Okafor (support, Teleplus)"));
        let copied = |after: &str| {
            let (_, rest) = page.text.split_once(after).expect(after);
            unescaped(
                rest.split_once(r#"<pre class="copy" translate="no">"#).unwrap().1.split_once("</pre>").unwrap().0,
            )
        };
        let text = copied("The text that was signed for");
        let salt = page.between(r#"Salt (base64url): <span class="hash">"#, "</span>");
        let salt: [u8; 16] = BASE64URL_NOPAD.decode(salt.as_bytes()).unwrap().try_into().unwrap();
        let leaf = leaf_hash(&commitment(&salt, text.as_bytes()));
        assert!(page.text.contains(&leaf.to_string()));
        let proof: TlogProof = copied("The proof, to copy").parse().unwrap();
        proof.verify(&leaf, cast.stage.cx.log.signer.keys(), cast.stage.cx.now()).unwrap();

        // Each look is written down with the entry that was looked at.
        let looks = cast.stage.entries("log.viewed").await;
        assert_eq!(looks.len(), 2);
        assert!(looks.iter().all(|look| look["object"][1] == entry.as_str()));
        assert_eq!(auditor.get("/audit/chg_00000000000000000000000000000000").await.status, 404);
        assert_eq!(auditor.get("/audit/hld_1").await.status, 404);
    }
}

use countersign::domain::approval::Actor;
use countersign::domain::audit::Facts;
use countersign::ports::{Change, Effect};
use countersign::service::audit::browse::{LOOKED_AT, SHOWN};
use countersign::service::log;

use super::stage::{self, DAY, HOUR, Stage};
use crate::bribed::cast::Cast;
use cases::{auditor, listed};

/// So many entries of the service, a second apart.
async fn grow(stage: &Stage, count: usize) {
    for _ in 0..count {
        let entry = stage.cx.entry("test.grown", Actor::Service, &[], Facts::new(), stage.cx.now()).unwrap();
        stage.cx.store.commit(Change::new(entry, Effect::Noted)).await.unwrap();
    }
}

fn older(page: &super::desk::Reply) -> Option<String> {
    let (before, _) = page.text.split_once(r#"">Older</a>"#)?;
    Some(before.rsplit_once(r#"href=""#).unwrap().1.replace("&#38;", "&"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_without_a_gap_and_each_looks_at_so_many_only() {
    let (stage, _alive) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    let auditor = auditor(&cast.stage).await;
    let holder = cast.holder;
    cast.look().await;
    grow(&cast.stage, LOOKED_AT + 10).await;
    while log::turn(&cast.stage.cx).await.unwrap() > 0 {}

    let (mut at, mut pages) = ("/audit?what=everything".to_owned(), Vec::new());
    for _ in 0..3 {
        let page = auditor.get(&at).await;
        pages.push(listed(&page));
        at = older(&page).expect("there is more");
    }
    let read: Vec<String> = pages.concat();
    assert_eq!(read.len(), 3 * SHOWN);
    let all = cast.stage.cx.store.audit_page(None, 10_000).await.unwrap();
    // The looks at the second and third page came after the first.
    let newest: Vec<String> = all.iter().rev().skip(2).map(|(_, entry)| entry.id.to_string()).take(3 * SHOWN).collect();
    assert_eq!(read, newest);

    // What is rare is found on a further page, and the first one says how far it looked.
    let first = auditor.get(&format!("/audit?about={holder}")).await;
    assert!(listed(&first).is_empty() && first.text.contains("None among these. Look further back."), "{}", first.text);
    let second = auditor.get(&older(&first).unwrap()).await;
    assert!(second.text.contains("Holder viewed") && older(&second).is_none(), "{}", second.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_narrow_and_a_changed_text_is_seen() {
    let (stage, _alive) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    let mut auditor = auditor(&cast.stage).await;
    cast.look().await;
    let entry = cast.stage.entries("holder.viewed").await[0]["id"].as_str().unwrap().to_owned();
    cast.stage.clock.advance(3 * DAY);
    auditor.sign_in().await.expect(200);
    grow(&cast.stage, 3).await;
    let today = listed(&auditor.get("/audit?from=2026-11-24").await);
    assert!(!today.is_empty() && !today.contains(&entry));
    let then = auditor.get("/audit?from=2026-11-21&to=2026-11-21&what=looks").await;
    assert_eq!(listed(&then), [entry.clone()]);
    assert!(listed(&auditor.get("/audit?to=2026-11-20").await).is_empty());
    assert_eq!(auditor.get("/audit?from=2026-11-24&to=2026-11-21").await.status, 400);

    while log::turn(&cast.stage.cx).await.unwrap() > 0 {}
    let file = cast.stage.file.clone().expect("a file");
    let url = format!("sqlite://{}", file.display());
    let mut record = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let id = entry.parse::<countersign::domain::ChangeId>().unwrap().uuid();
    sqlx::query("UPDATE audit SET canonical = replace(canonical, 'calls', 'writes') WHERE id = ?")
        .bind(id)
        .execute(&mut record)
        .await
        .unwrap();
    let page = auditor.get(&format!("/audit/{entry}")).await;
    assert!(page.text.contains("This text was changed after it was written"), "{}", page.text);
    // With its leaf made to fit, the tree that was signed gives it away.
    sqlx::query("UPDATE audit SET leaf_hash = randomblob(32) WHERE id = ?")
        .bind(id)
        .execute(&mut record)
        .await
        .unwrap();
    let page = auditor.get(&format!("/audit/{entry}")).await;
    assert!(page.text.contains("The signed log doesn’t have this entry"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_of_third_parties_counts_the_days_that_are_asked_for() {
    let (stage, _alive) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    let mut auditor = auditor(&cast.stage).await;
    for _ in 0..3 {
        cast.look().await;
    }
    let page = auditor.get("/report").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let vendor = page.between(r#"<bdi>Teleplus</bdi>"#, "</tr>");
    assert!(vendor.contains(r#"data-label="Privileged actions"><span>3 <span class="muted">("#), "{vendor}");
    assert_eq!(cast.stage.entries("report.viewed").await.len(), 1);

    cast.stage.clock.advance(10 * DAY + HOUR);
    auditor.sign_in().await.expect(200);
    let led = auditor.form("/report", &[("from", "2026-11-25"), ("to", "2026-11-26")]).await;
    assert_eq!(led.location.as_deref(), Some("/report?from=2026-11-25&to=2026-11-26"));
    let empty = auditor.get(&led.location.unwrap()).await;
    assert!(empty.text.contains("Nobody of staff did anything in this time."), "{}", empty.text);
    let facts = &cast.stage.entries("report.viewed").await[1]["facts"];
    assert_eq!(
        (facts["from"].as_str(), facts["to"].as_str()),
        (Some("2026-11-25T00:00:00Z"), Some("2026-11-27T00:00:00Z"))
    );
    for (from, to) in [("2026-11-26", "2026-11-25"), ("2024-11-26", "2026-11-25"), ("x", "2026-11-25")] {
        let refused = auditor.form("/report", &[("from", from), ("to", to)]).await;
        assert!(refused.status == 400 && refused.text.contains(&format!(r#"value="{from}""#)), "{}", refused.text);
    }
}
