//! What identity providers say in SCIM 2.0 (RFC 7643, RFC 7644), as far as we hear it: the shapes of Okta and Entra ID
//! for finding one person and for ending one.

use serde_json::{Value, json};

use crate::domain::staff::{ExternalId, Staff, UserName};
use crate::domain::time::Timestamp;

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// By what one person is asked for. There is no other filter, and no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    UserName(UserName),
    ExternalId(ExternalId),
    /// Well formed, and nobody's: a name that we could never have.
    Nobody,
}

/// Reads `userName eq "…"` or `externalId eq "…"` (RFC 7644 section 3.4.2.2; names and operators ignore case).
pub fn filter(text: &str) -> Option<Filter> {
    let mut words = text.trim().splitn(3, ' ');
    let (name, operator, value) = (words.next()?, words.next()?, words.next()?.trim());
    if !operator.eq_ignore_ascii_case("eq") {
        return None;
    }
    let value: String = serde_json::from_str(value).ok()?;
    let name = name.strip_prefix(USER).and_then(|rest| rest.strip_prefix(':')).unwrap_or(name);
    if name.eq_ignore_ascii_case("userName") {
        Some(UserName::parse(&value).map_or(Filter::Nobody, Filter::UserName))
    } else if name.eq_ignore_ascii_case("externalId") {
        Some(ExternalId::parse(&value).map_or(Filter::Nobody, Filter::ExternalId))
    } else {
        None
    }
}

/// What a PATCH or PUT comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `active` becomes false, and nothing else.
    End,
    /// Nothing that isn't so already: `active` stays true.
    Stay,
    /// Something that two admins decide.
    Other,
    Malformed,
}

/// `true` and `false` as Okta writes them, and as Entra ID does ("True", "False").
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn active(value: &Value) -> Asked {
    match truth(value) {
        Some(false) => Asked::End,
        Some(true) => Asked::Stay,
        None => Asked::Malformed,
    }
}

/// Reads a PATCH (RFC 7644 section 3.5.2). The operation's name ignores case, because Entra ID writes `Replace`.
pub fn patch(body: &Value) -> Asked {
    let operations = body.get("Operations").or_else(|| body.get("operations")).and_then(Value::as_array);
    let Some(operations) = operations.filter(|list| !list.is_empty()) else { return Asked::Malformed };
    let mut all = Asked::Stay;
    for operation in operations {
        let Some(op) = operation.get("op").and_then(Value::as_str) else { return Asked::Malformed };
        if !op.eq_ignore_ascii_case("replace") && !op.eq_ignore_ascii_case("add") {
            return Asked::Other;
        }
        let value = operation.get("value").unwrap_or(&Value::Null);
        let asked = match operation.get("path").and_then(Value::as_str) {
            Some(path) if is_active(path) => active(value),
            Some(_) => Asked::Other,
            None => match value.as_object() {
                Some(members) if members.len() == 1 => {
                    members.iter().next().map_or(Asked::Malformed, |(name, value)| {
                        if is_active(name) { active(value) } else { Asked::Other }
                    })
                }
                Some(_) => Asked::Other,
                None => Asked::Malformed,
            },
        };
        match (all, asked) {
            (_, Asked::Malformed) => return Asked::Malformed,
            (_, Asked::Other) => all = Asked::Other,
            (Asked::Stay, other) => all = other,
            _ => {}
        }
    }
    all
}

fn is_active(path: &str) -> bool {
    let name = path.strip_prefix(USER).and_then(|rest| rest.strip_prefix(':')).unwrap_or(path);
    name.eq_ignore_ascii_case("active")
}

/// Reads a PUT: Okta's older integrations end somebody with the whole resource and `active: false`.
pub fn put(body: &Value) -> Asked {
    match body.get("active").map(active) {
        Some(Asked::End) => Asked::End,
        Some(Asked::Malformed) => Asked::Malformed,
        _ => Asked::Other,
    }
}

/// A person as SCIM shows them.
pub fn user(person: &Staff, base: &str, now: Timestamp) -> Value {
    let id = person.id.to_string();
    let profile = &person.profile;
    // The passkey isn't the provider's business: somebody who is invited counts as active until they end.
    let ended = matches!(person.status, crate::domain::staff::Status::Ended { .. }) || now >= profile.ends_at;
    let mut user = json!({
        "schemas": [USER],
        "id": id,
        "userName": profile.user_name.as_ref().map_or(id.as_str(), UserName::as_str),
        "displayName": profile.name.as_str(),
        "active": !ended,
        "meta": {
            "resourceType": "User",
            "created": person.created_at,
            "version": format!("W/\"{}\"", person.version),
            "location": format!("{base}/Users/{id}"),
        },
    });
    if let (Some(external), Some(members)) = (&profile.external_id, user.as_object_mut()) {
        members.insert("externalId".to_owned(), json!(external));
    }
    user
}

/// The answer to a filter (RFC 7644 section 3.4.2).
pub fn list(found: Option<Value>) -> Value {
    let resources: Vec<Value> = found.into_iter().collect();
    json!({
        "schemas": [LIST],
        "totalResults": resources.len(),
        "itemsPerPage": resources.len(),
        "startIndex": 1,
        "Resources": resources,
    })
}

/// An error (RFC 7644 section 3.12). `status` is a string there.
pub fn error(status: u16, kind: Option<&'static str>, detail: &str) -> Value {
    let mut error = json!({"schemas": [ERROR], "status": status.to_string(), "detail": detail});
    if let (Some(kind), Some(members)) = (kind, error.as_object_mut()) {
        members.insert("scimType".to_owned(), json!(kind));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_find_one_and_nothing_else_is_a_filter() {
        let name = UserName::parse("mara@harbour.example").unwrap();
        assert_eq!(filter(r#"userName eq "Mara@Harbour.example""#), Some(Filter::UserName(name)));
        assert_eq!(filter(r#"USERNAME EQ "no such person""#), Some(Filter::Nobody));
        assert!(matches!(filter(r#"externalId eq "00u1abc""#), Some(Filter::ExternalId(_))));
        for other in
            ["", "userName", r#"userName sw "m""#, r#"displayName eq "Mara""#, "userName eq mara", r#"userName pr"#]
        {
            assert_eq!(filter(other), None, "{other}");
        }
    }

    #[test]
    fn both_providers_end_somebody_in_their_own_words() {
        let okta = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "value": {"active": false}}]});
        let entra = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "Replace", "path": "active", "value": "False"}]});
        assert_eq!((patch(&okta), patch(&entra)), (Asked::End, Asked::End));
        let back = json!({"Operations": [{"op": "replace", "value": {"active": true}}]});
        assert_eq!(patch(&back), Asked::Stay);
        let roles = json!({"Operations": [{"op": "add", "path": "roles", "value": [{"value": "signer"}]}]});
        let both = json!({"Operations": [{"op": "Replace", "path": "active", "value": false},
            {"op": "Replace", "path": "displayName", "value": "X"}]});
        assert_eq!((patch(&roles), patch(&both)), (Asked::Other, Asked::Other));
        for malformed in [json!({}), json!({"Operations": []}), json!({"Operations": [{"op": "replace", "value": 1}]})]
        {
            assert_eq!(patch(&malformed), Asked::Malformed, "{malformed}");
        }
        assert_eq!(put(&json!({"userName": "x", "active": false})), Asked::End);
        assert_eq!(put(&json!({"userName": "x", "active": true})), Asked::Other);
    }
}
