//! Moves against the holder: silence the channels first, dispute every one of them, freeze a thousand holders; and what
//! the holder does about it.

use crate::console::on_both;

on_both! {
    silencing_the_channels_first_tells_nobody,
    disputing_every_channel_tells_nobody,
    a_thousand_holders_can_not_be_frozen,
    the_holder_stops_it_with_one_tap,
}

mod cases {
    use countersign::domain::channel::Purpose;
    use countersign::domain::override_request::{DISPUTED_HOLD, StateName};

    use super::super::cast::{Cast, REASON, opened};
    use crate::console::stage::{MINUTE, Stage};

    pub async fn silencing_the_channels_first_tells_nobody(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        // The mailbox that the backend registered a moment ago is the agent's own.
        let (approval, id) = cast.asked().await;
        let (one, other, _) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        cast.sign(other, id).await.expect(200);
        let gone = cast.deliver().await;
        for (channel, purpose) in gone.iter().filter(|(_, purpose)| *purpose != Purpose::Asked) {
            let expected = if *channel == cast.settled { Purpose::OverrideCooling } else { Purpose::OverrideOnNew };
            assert_eq!(*purpose, expected, "a channel changed within 7 days tells nobody");
        }
        let due = cast.stage.cx.store.due_cases(&[approval]).await.unwrap().remove(0).unwrap();
        assert_eq!(due.told.map(|told| told.channel), Some(cast.settled));
    }

    pub async fn disputing_every_channel_tells_nobody(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let all = cast.stage.cx.store.channels(cast.holder).await.unwrap();
        let look = cast.look().await;
        let page = cast.agent.get(&look).await;
        let ids: Vec<String> = all.iter().map(|channel| channel.id.to_string()).collect();
        let mut fields = vec![("kind", "reset_devices"), ("reason", REASON)];
        for id in &ids {
            let box_of = format!(r#"type="checkbox" name="disputed" value="{id}""#);
            assert!(page.text.contains(&box_of), "it is chosen on the page, not typed: {}", page.text);
            fields.push(("disputed", id.as_str()));
        }
        let id = opened(&cast.agent.form(&format!("{look}/override"), &fields).await);
        assert_eq!(cast.case(id).await.request.hold(), DISPUTED_HOLD, "and the hold is three days");
        let (one, other, _) = cast.drawn(id).await;
        let page = cast.signers[one].get(&format!("/cases/{id}")).await;
        assert!(page.text.contains("That is every channel"), "the signers see it");
        cast.sign(one, id).await.expect(200);
        cast.sign(other, id).await.expect(200);
        let gone = cast.deliver().await;
        let theirs: Vec<_> = gone.iter().filter(|(_, p)| *p != Purpose::Asked && *p != Purpose::EnrolCode).collect();
        assert_eq!(theirs.len(), all.len(), "each gets notice");
        assert!(theirs.iter().all(|(_, purpose)| *purpose == Purpose::OverrideOnDisputed));
        assert_eq!(cast.stage.cx.store.override_told(id).await.unwrap(), None, "and none counts");
        assert_eq!(cast.case(id).await.state.name(), StateName::Cooling);
    }

    pub async fn a_thousand_holders_can_not_be_frozen(stage: Stage) {
        let cast = Cast::new(stage).await;
        let mut last = 0;
        for number in 0..11 {
            let subject = format!("victim-{number}");
            cast.stage.holder(&subject).await;
            // Looking is slow on purpose, too.
            cast.stage.wait_for_rates(MINUTE);
            let look = cast.look_at(&subject).await;
            last = cast.agent.form(&format!("{look}/lock"), &[("reason", "says it wasn't them")]).await.status;
            assert_eq!(last == 303, number < 10, "holder {number}: {last}");
        }
        assert_eq!(last, 429);
        assert_eq!(cast.stage.entries("holder.frozen").await.len(), 10);
        assert_eq!(cast.stage.entries("freeze.refused").await.len(), 1);
    }

    pub async fn the_holder_stops_it_with_one_tap(stage: Stage) {
        let mut cast = Cast::new(stage).await;
        let id = opened(&cast.ask_for("reset_devices", "", "").await);
        let (one, other, _) = cast.drawn(id).await;
        cast.sign(one, id).await.expect(200);
        cast.sign(other, id).await.expect(200);
        let link = countersign::service::links::override_page(&cast.stage.cx, id).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a browser is another program, with a client of its own")]
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let url = format!("http://{}{}", cast.stage.public, link.path());
        let shown = client.get(&url).send().await.unwrap();
        assert_eq!(shown.status(), 200);
        assert_eq!(cast.case(id).await.state.name(), StateName::Cooling, "reading never acts");
        let stopped = client.post(&url).header("sec-fetch-site", "same-origin").send().await.unwrap();
        assert_eq!(stopped.status(), 303);
        assert_eq!(cast.case(id).await.state.name(), StateName::Stopped);
    }
}
