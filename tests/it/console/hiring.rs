//! How people come to work on the console of a [`Stage`]: two founders from the host, and whom those two add.

use countersign::domain::staff::Role;
use countersign::domain::time::Timestamp;
use countersign::service::Error;
use countersign::service::staff::invite::{self, Invited};
use serde_json::{Value, json};

use super::desk::Desk;
use super::stage::{DAY, Stage, profile};

impl Stage {
    pub fn in_a_year(&self) -> Timestamp {
        self.cx.now() + 365 * DAY
    }

    /// Invites from the host.
    pub async fn invite(&self, name: &str, roles: &[Role]) -> Result<Invited, Error> {
        invite::from_host(&self.cx, profile(name, "office", "in-house", roles, self.in_a_year()), None).await
    }

    /// Two admins who joined over the console and are signed in.
    pub async fn founders(&self) -> (Desk, Desk) {
        let mut both = Vec::new();
        for name in ["Ada Lind", "Ben Ortiz"] {
            let invited = self.invite(name, &[Role::Admin]).await.unwrap();
            let mut desk = Desk::new(self);
            desk.join(invited.url.as_str(), None).await;
            desk.sign_in().await.expect(200);
            both.push(desk);
        }
        let second = both.pop().unwrap();
        (both.pop().unwrap(), second)
    }

    /// Somebody whom the two admins add, who joins and signs in.
    pub async fn hire(
        &self,
        admins: &mut (Desk, Desk),
        name: &str,
        group: &str,
        employer: &str,
        roles: &[&str],
    ) -> Desk {
        let form = self.form(name, group, employer, roles);
        self.hire_by(admins, form).await
    }

    pub fn form(&self, name: &str, group: &str, employer: &str, roles: &[&str]) -> Value {
        json!({
            "name": name, "group": group, "employer": employer, "roles": roles,
            "ends": self.in_a_year().rfc3339(), "reason": "joins the night shift",
        })
    }

    pub async fn hire_by(&self, (one, two): &mut (Desk, Desk), form: Value) -> Desk {
        let proposed = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
        let at = proposed["location"].as_str().unwrap().to_owned();
        let signed = two.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await.expect(200);
        let code = one.get(&at).await.between(r#"<p class="acct">"#, "</p>");
        let mut desk = Desk::new(self);
        desk.join(signed["link"].as_str().unwrap(), Some(&code)).await;
        desk.sign_in().await.expect(200);
        desk
    }
}
