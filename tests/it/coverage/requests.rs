//! The address and the body of a request to each route, about what is this world's.

use countersign::domain::details::Digest;
use serde_json::{Value, json};

use super::expected::{Expected, Kind};
use super::world::World;
use crate::bribed::cast::{CHECKED, REASON};

/// A public key of RFC 8291, appendix A.
const P256DH: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";

/// What a request carries beside its address.
#[derive(Clone)]
pub enum Body {
    Nothing,
    Form(Vec<(&'static str, String)>),
    Json(Value),
}

impl Body {
    /// The same with another signature.
    pub fn spoilt(&self) -> Self {
        let Self::Json(mut body) = self.clone() else { panic!("nothing is signed here") };
        *body.pointer_mut("/assertion/response/signature").expect("a signature") = json!("AAAA");
        Self::Json(body)
    }
}

impl World {
    /// The address of a route behind a link of its kind.
    pub fn link(&self, path: &str, kind: Kind) -> String {
        path.replace("{token}", &self.links[&kind])
    }

    /// The address behind every link that isn't of its kind, and behind one of its kind that somebody changed a little.
    pub fn other_links(&self, path: &str, kind: Kind) -> Vec<(String, String)> {
        let others = self.links.iter().filter(|(other, _)| **other != kind);
        let mut all: Vec<_> =
            others.map(|(other, token)| (format!("a link of {other:?}"), path.replace("{token}", token))).collect();
        let (head, tail) = self.links[&kind].split_at(5);
        let changed = if tail.starts_with('A') { 'B' } else { 'A' };
        let changed = format!("{head}{changed}{}", &tail[1..]);
        all.push(("a link that was changed".to_owned(), path.replace("{token}", &changed)));
        all
    }

    /// The address of a route, about what is this world's.
    pub fn address(&self, path: &str) -> String {
        let id = match path {
            path if path.starts_with("/v1/approvals") => &self.approval,
            path if path.starts_with("/v1/notices") => &self.notice,
            path if path.starts_with("/v1/webhooks") => &self.endpoint,
            _ => &self.leaver,
        };
        let mut address = path.to_owned();
        for (part, value) in [
            ("{approval}", self.approval.as_str()),
            ("{case}", &self.case),
            ("{request}", &self.case),
            ("{view}", &self.look),
            ("{change}", &self.change),
            ("{staff}", &self.spare),
            ("{id}", id),
            ("{delivery}", &self.delivery),
            ("{entry}", &self.entry),
            ("{subject}", "u-1"),
            ("{token}", "bm9ib2R5cy10b2tlbi1hdC1hbGwtb2YtMzItYnl0ZXM"),
            ("{file}", "app.css"),
            ("{tile:.+}", "0/000"),
        ] {
            address = address.replace(part, value);
        }
        assert!(!address.contains('{'), "{path} has a part that isn't known here");
        if path == "/scim/v2/Users" { format!("{address}?filter=userName%20eq%20%22nobody%22") } else { address }
    }

    /// The body that is right for the route, signed where it asks for that.
    pub async fn body(&mut self, row: &Expected) -> Body {
        match self.signed(row.2).await {
            Some(signed) => Body::Json(signed),
            None => self.unsigned(row.0, row.1, row.2),
        }
    }

    fn unsigned(&self, listener: &str, method: &str, path: &str) -> Body {
        let reason = || ("reason", "the holder calls".to_owned());
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43)});
        if method == "GET" || method == "DELETE" {
            return Body::Nothing;
        }
        match path {
            "/v1/approvals" => Body::Json(json!({
                "subject": "u-1", "transfer_id": self.name("wd"), "amount": "12500.00", "currency": "EUR",
                "payee": {"name": "Marta Nowak", "account": "PL61109010140000071219812874"},
                "source_account": {"id": "acc-4471", "label": "Everyday account, ending 4471"},
                "initiator": {"started_on": "website"},
            })),
            "/v1/approvals/{id}/redeem" => Body::Json(json!({"digest": Digest::of(b"something else").to_string()})),
            "/v1/holders" => {
                let channels = json!([{"kind": "email", "address": "marta@example.org"}]);
                Body::Json(json!({"subject": self.name("new"), "channels": channels}))
            }
            "/v1/webhooks/endpoints" => Body::Json(json!({"url": "https://hooks.example.com/in"})),
            "/v1/webhooks/endpoints/{id}" => Body::Json(json!({"status": "active"})),
            "/push/subscribe" => Body::Json(json!({"subscription": {
                "endpoint": "https://push.example.com/x", "keys": {"p256dh": P256DH, "auth": "BTBZMqHH6r4Tts7J_aSIgg"},
            }})),
            "/e/{token}/start" => Body::Json(json!({"code": self.enrol_code, "name": "Telephone", "device_key": jwk})),
            "/join/{token}/start" => Body::Json(json!({"code": self.invite_code})),
            "/holders" => {
                let backend = self.cast.stage.backend.to_string();
                Body::Form(vec![("backend", backend), ("subject", "u-1".to_owned()), reason()])
            }
            "/looks/{view}/{approval}/extend" => Body::Form(vec![reason(), ("hours", "4".to_owned())]),
            "/looks/{view}/{approval}/reveal" => Body::Form(vec![reason(), ("case", self.case.clone())]),
            "/looks/{view}/{approval}/cancel" | "/looks/{view}/lock" => Body::Form(vec![reason()]),
            "/looks/{view}/override" => Body::Form(vec![
                ("kind", "approve_for_holder".to_owned()),
                ("approval", self.approval.clone()),
                ("reason", REASON.to_owned()),
            ]),
            "/audit" | "/report" => Body::Form(Vec::new()),
            "/cases/{case}/prompt" => Body::Json(json!({"checked": CHECKED})),
            "/cases/{case}/refuse" => Body::Form(vec![("why", CHECKED.to_owned())]),
            "/staff/draft" => Body::Json(self.cast.stage.form("Max Roe", "support", "Teleplus", &["agent"])),
            "/scim/v2/Users" | "/scim/v2/Users/{id}" => Body::Json(json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "userName": "x", "active": false,
                "Operations": [{"op": "replace", "value": {"active": false}}],
            })),
            _ if listener == "public" || listener == "console" => Body::Nothing,
            other => panic!("{other}"),
        }
    }
}
