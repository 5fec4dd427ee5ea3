//! What the client data must be, beyond what the library looks at: unique members, the exact origin, and the top frame.
//!
//! Other members are let be: browsers add some at random, so that nobody compares with a template (WebAuthn L3 section
//! 5.8.1).

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

use super::refusal::{malformed, refused};
use crate::ports::outward::CeremonyError;

/// Members of a JSON object, each of which is there once. With two of a kind, what is checked here and what somebody
/// reads in the evidence later could differ.
struct Members(BTreeMap<String, Value>);

struct OnceEach;

impl<'de> Visitor<'de> for OnceEach {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose members are there once each")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Members(members))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OnceEach)
    }
}

/// Checks the client data of either ceremony. Its type and its challenge are the library's to check.
pub fn check(client_data: &[u8], origin: &str) -> Result<(), CeremonyError> {
    let Members(members) = serde_json::from_slice(client_data).map_err(malformed)?;
    // The library compares parsed URLs, for which a path or a user name is no difference.
    if members.get("origin").and_then(Value::as_str) != Some(origin) {
        return Err(refused("origin"));
    }
    // `crossOrigin` may be missing (WebAuthn L2 had it so); whatever else it is, only `false` will do. `topOrigin` is
    // there in frames of other origins only (WebAuthn L3 section 5.8.1).
    let framed = members.get("crossOrigin").is_some_and(|value| *value != Value::Bool(false));
    if framed || members.contains_key("topOrigin") {
        return Err(refused("cross_origin"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://approve.example";

    fn name(text: &str) -> &'static str {
        match check(text.as_bytes(), ORIGIN) {
            Ok(()) => "fine",
            Err(CeremonyError::Refused { name, .. }) => name,
            Err(CeremonyError::Malformed(_)) => "malformed",
            Err(CeremonyError::Internal(_)) => "internal",
        }
    }

    #[test]
    fn top_level_pages_of_the_exact_origin_pass() {
        assert_eq!(name(r#"{"origin":"https://approve.example"}"#), "fine");
        assert_eq!(name(r#"{"origin":"https://approve.example","crossOrigin":false}"#), "fine");
        assert_eq!(name(r#"{"origin":"https://approve.example","crossOrigin":false,"x":{"y":[1]}}"#), "fine");
    }

    #[test]
    fn frames_do_not() {
        for more in ["true", "null", "0", "\"false\""] {
            let text = format!(r#"{{"origin":"https://approve.example","crossOrigin":{more}}}"#);
            assert_eq!(name(&text), "cross_origin", "{more}");
        }
        let top = r#"{"origin":"https://approve.example","crossOrigin":false,"topOrigin":"https://approve.example"}"#;
        assert_eq!(name(top), "cross_origin");
    }

    #[test]
    fn other_spellings_of_the_origin_do_not() {
        for origin in [
            "",
            "https://approve.example/",
            "https://approve.example:443",
            "https://user@approve.example",
            "https://APPROVE.example",
            "http://approve.example",
            "https://x.approve.example",
            "https://approve.example.evil",
        ] {
            assert_eq!(name(&format!(r#"{{"origin":"{origin}"}}"#)), "origin", "{origin}");
        }
        assert_eq!(name("{}"), "origin");
        assert_eq!(name(r#"{"origin":["https://approve.example"]}"#), "origin");
    }

    #[test]
    fn doubles_and_other_shapes_can_not_be_read() {
        for text in [
            "",
            "null",
            "[]",
            "{",
            r#"{"origin":"https://approve.example","origin":"https://approve.example"}"#,
            r#"{"origin":"https://approve.example","crossOrigin":true,"crossOrigin":false}"#,
            r#"{"origin":"https://approve.example","orig\u0069n":"https://approve.example"}"#,
            r#"{"origin":"https://approve.example"} {}"#,
            "\u{feff}{\"origin\":\"https://approve.example\"}",
        ] {
            assert_eq!(name(text), "malformed", "{text}");
        }
    }
}
