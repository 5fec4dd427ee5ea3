//! Ending somebody: one click, at once, for good.

super::on_both! {
    one_click_ends_a_session_that_is_open,
}

mod cases {
    use crate::console::stage::Stage;

    pub async fn one_click_ends_a_session_that_is_open(stage: Stage) {
        let mut admins = stage.founders().await;
        let mut agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
        assert_eq!(agent.get("/holders").await.status, 200);
        assert_eq!(admins.0.form(&format!("/staff/{}/end", agent.id()), &[]).await.status, 303);
        assert_eq!(agent.get("/holders").await.status, 303, "the very next request");
        let body = agent.post("/sign-out", &serde_json::json!({})).await;
        assert_eq!(body.slug(), "signed-out");
        assert_eq!(agent.sign_in().await.slug(), "ceremony-failed");
        // Twice is once.
        assert_eq!(admins.1.form(&format!("/staff/{}/end", agent.id()), &[]).await.status, 303);
        let entries = stage.entries("staff.ended").await;
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["facts"]["ended_employer"], "Teleplus");
        assert_eq!(entries[0]["actor"]["id"], admins.0.id().to_string());
        assert!(!stage.entries("session.refused").await.is_empty());
        // An ended admin acts no more, with a session or without.
        assert_eq!(admins.0.form(&format!("/staff/{}/end", admins.1.id()), &[]).await.status, 303);
        let late = admins.1.form(&format!("/staff/{}/end", admins.0.id()), &[]).await;
        assert_eq!(late.slug(), "signed-out");
        assert_eq!(admins.0.get("/staff").await.status, 200);
    }
}
