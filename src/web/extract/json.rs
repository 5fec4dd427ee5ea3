//! JSON from outside, read strictly (RFC 8259, I-JSON RFC 7493 section 2.3): one object, no name twice, shallow, few
//! names, and nothing after it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::query::shown;
use crate::web::problem::{Kind, Problem};

/// Deepest nesting: the deepest body that any route takes has three levels.
const MAX_DEPTH: u8 = 8;
/// Most names in one object, most parameters of one query.
pub const MAX_FIELDS: usize = 64;
/// Most items of one list.
const MAX_ITEMS: usize = 64;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    Null,
    Bool,
    /// A whole number from 0 up.
    Whole(u64),
    /// Any other number.
    Number,
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// A rule of ours that valid JSON broke, and where. The parser's own error then says nothing.
type Broken = RefCell<Option<(&'static str, String)>>;

/// Reads one object.
///
/// # Errors
/// `malformed-json`, or `invalid-request` for a name that is there twice.
pub fn object(bytes: &[u8]) -> Result<Vec<(Cow<'_, str>, Node<'_>)>, Problem> {
    let malformed = |detail: String| Problem::new(Kind::MalformedJson, detail);
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("The body isn't UTF-8.".to_owned()))?;
    let broken = Broken::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Seed { broken: &broken, depth: 0 }.deserialize(&mut reader).and_then(|node| reader.end().map(|()| node));
    match (read, broken.into_inner()) {
        (Ok(Node::Object(fields)), _) => Ok(fields),
        (Ok(_), _) => Err(malformed("The body isn't a JSON object.".to_owned())),
        (Err(_), Some((rule, place))) => Err(Problem::invalid_field(place, rule)),
        (Err(error), None) => {
            let (line, column) = (error.line(), error.column());
            Err(malformed(format!("The body isn't JSON: see line {line}, column {column}.")))
        }
    }
}

#[derive(Clone, Copy)]
struct Seed<'s> {
    broken: &'s Broken,
    depth: u8,
}

impl Seed<'_> {
    fn breaks<E: serde::de::Error>(&self, rule: &'static str, place: &str) -> E {
        *self.broken.borrow_mut() = Some((rule, shown(place)));
        E::custom(rule)
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.breaks("is nested too deeply", "body"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(Node::Whole(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node<'de>, E> {
        Ok(Node::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let inside = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            if list.len() == MAX_ITEMS {
                return Err(self.breaks("has too many items", "body"));
            }
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node<'de>, A::Error> {
        let inside = self.deeper()?;
        let mut fields: Vec<(Cow<'de, str>, Node<'de>)> = Vec::new();
        while let Some(name) = entries.next_key_seed(inside)? {
            let Node::Text(name) = name else { return Err(A::Error::custom("a name is text")) };
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(self.breaks("is there more than once", &name));
            }
            if fields.len() == MAX_FIELDS {
                return Err(self.breaks("has too many names", "body"));
            }
            let value = entries.next_value_seed(inside)?;
            fields.push((name, value));
        }
        Ok(Node::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> String {
        let problem = object(text.as_bytes()).unwrap_err();
        let errors: Vec<_> = problem.errors.iter().map(|e| format!("{} {}", e.field, e.message)).collect();
        format!(
            "{} {}",
            problem.slug(),
            if errors.is_empty() { problem.detail.into_owned() } else { errors.join("; ") }
        )
    }

    #[test]
    fn reads_what_is_plain() {
        let fields = object(br#" {"a":"x","b":{"c":[1,-1,0.5,true,null]}} "#).unwrap();
        assert_eq!(fields[0], ("a".into(), Node::Text("x".into())));
        assert!(matches!(&fields[0].1, Node::Text(Cow::Borrowed(_))));
        let list = vec![Node::Whole(1), Node::Number, Node::Number, Node::Bool, Node::Null];
        assert_eq!(fields[1].1, Node::Object(vec![("c".into(), Node::List(list))]));
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        assert_eq!(why(r#"{"a":1,"a":1}"#), "invalid-request a is there more than once");
        assert_eq!(why(r#"{"a":1,"\u0061":2}"#), "invalid-request a is there more than once");
        assert_eq!(why(r#"{"x":{"b":1,"b":2}}"#), "invalid-request b is there more than once");
        assert_eq!(why(r#"{} {}"#), "malformed-json The body isn't JSON: see line 1, column 4.");
        assert_eq!(why(r#"[]"#), "malformed-json The body isn't a JSON object.");
        for bad in
            ["", "{", "{\"a\":NaN}", "{\"a\":1e309}", "{a:1}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\u{0}\"}", "\u{feff}{}"]
        {
            assert!(why(bad).starts_with("malformed-json The body isn't JSON: see line 1"), "{bad:?}: {}", why(bad));
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn depth_and_breadth_are_bounded() {
        let deep = |n: usize| format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n));
        assert!(object(deep(usize::from(MAX_DEPTH)).as_bytes()).is_ok());
        assert_eq!(why(&deep(usize::from(MAX_DEPTH) + 1)), "invalid-request body is nested too deeply");
        assert_eq!(why(&deep(100_000)), "invalid-request body is nested too deeply");
        let wide = |n: usize| format!("{{{}}}", (0..n).map(|i| format!("\"a{i}\":1")).collect::<Vec<_>>().join(","));
        assert!(object(wide(MAX_FIELDS).as_bytes()).is_ok());
        assert_eq!(why(&wide(MAX_FIELDS + 1)), "invalid-request body has too many names");
        assert_eq!(why(&format!("{{\"a\":[{}1]}}", "1,".repeat(MAX_ITEMS))), "invalid-request body has too many items");
    }
}
