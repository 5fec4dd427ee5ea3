//! Reads the fields of an object by name, into types, and says of every field that doesn't fit what is wrong with it.
//! What nobody asked for is refused too.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::json::Node;
use super::query::shown;
use crate::web::error::internal;
use crate::web::problem::{FieldError, Problem};

const MISSING: &str = "is missing";
const NOT_TEXT: &str = "must be a string";

/// The fields of one object that weren't asked for yet, and what was wrong so far.
///
/// Each reader gives `None` and notes an error when the field isn't as it must be; [`Fields::finish`] then refuses all
/// of it at once.
#[derive(Debug)]
pub struct Fields<'a> {
    /// What stands before a field's name in an error: empty, or `payee.`.
    place: String,
    form: Form,
    left: Vec<(Cow<'a, str>, Node<'a>)>,
    errors: Vec<FieldError>,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As JSON numbers.
    Json,
    /// As digits: in a query everything is text.
    Query,
}

impl<'a> Fields<'a> {
    /// The fields of a JSON object.
    pub fn of(fields: Vec<(Cow<'a, str>, Node<'a>)>) -> Self {
        Self::at(String::new(), Form::Json, fields)
    }

    /// The parameters of a query.
    pub fn of_query(parameters: Vec<(Cow<'a, str>, Node<'a>)>) -> Self {
        Self::at(String::new(), Form::Query, parameters)
    }

    fn at(place: String, form: Form, left: Vec<(Cow<'a, str>, Node<'a>)>) -> Self {
        Self { place, form, left, errors: Vec::new() }
    }

    /// Notes that a field breaks a rule.
    pub fn refuse(&mut self, name: &str, message: impl Display) {
        self.errors.push(FieldError { field: format!("{}{name}", self.place), message: message.to_string() });
    }

    /// Whether a field, or one inside it, was found to break a rule.
    pub fn refused(&self, name: &str) -> bool {
        self.errors.iter().any(|error| {
            let rest = error.field.strip_prefix(&self.place).and_then(|field| field.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Takes a field; one that says `null` isn't there.
    fn take(&mut self, name: &str) -> Option<Node<'a>> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.remove(at).1).filter(|node| *node != Node::Null)
    }

    fn needed(&mut self, name: &str) -> Option<Node<'a>> {
        let node = self.take(name);
        if node.is_none() {
            self.refuse(name, MISSING);
        }
        node
    }

    fn parsed<T, E: Display>(
        &mut self,
        name: &str,
        node: Node<'a>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Node::Text(text) = node else {
            self.refuse(name, NOT_TEXT);
            return None;
        };
        parse(&text).map_err(|error| self.refuse(name, error)).ok()
    }

    /// A text that must be there.
    pub fn text<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let node = self.needed(name)?;
        self.parsed(name, node, parse)
    }

    /// A text that may be there.
    pub fn maybe_text<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let node = self.take(name)?;
        self.parsed(name, node, parse)
    }

    /// A whole number that may be there: a JSON number, or digits in a query.
    pub fn maybe_whole(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let number = match self.take(name)? {
            Node::Whole(number) => u32::try_from(number).ok(),
            // A sign would be allowed by `parse`.
            Node::Text(digits) if self.form == Form::Query && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok()
            }
            _ => None,
        };
        let fits = number.filter(|number| range.contains(number));
        if fits.is_none() {
            let message = format!("must be a whole number from {} to {}", range.start(), range.end());
            self.refuse(name, message);
        }
        fits
    }

    /// An object that must be there.
    pub fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields<'a>) -> Option<T>) -> Option<T> {
        let node = self.needed(name)?;
        self.nested(name, node, read)
    }

    /// An object that may be there.
    pub fn maybe_object<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields<'a>) -> Option<T>) -> Option<T> {
        let node = self.take(name)?;
        self.nested(name, node, read)
    }

    /// A list of objects that must be there.
    pub fn objects<T>(&mut self, name: &str, mut read: impl FnMut(&mut Fields<'a>) -> Option<T>) -> Option<Vec<T>> {
        let Node::List(items) = self.needed(name)? else {
            self.refuse(name, "must be a list");
            return None;
        };
        let mut all = Some(Vec::with_capacity(items.len()));
        for (at, item) in items.into_iter().enumerate() {
            let read = self.nested(&format!("{name}[{at}]"), item, &mut read);
            all = all.zip(read).map(|(mut list, item)| {
                list.push(item);
                list
            });
        }
        all
    }

    fn nested<T>(&mut self, name: &str, node: Node<'a>, read: impl FnOnce(&mut Fields<'a>) -> Option<T>) -> Option<T> {
        let Node::Object(fields) = node else {
            self.refuse(name, "must be an object");
            return None;
        };
        let mut inside = Fields::at(format!("{}{name}.", self.place), self.form, fields);
        let value = read(&mut inside);
        inside.refuse_the_rest();
        self.errors.append(&mut inside.errors);
        value
    }

    fn refuse_the_rest(&mut self) {
        for (name, _) in std::mem::take(&mut self.left) {
            self.refuse(&shown(&name), "isn't known here");
        }
    }

    /// The value, if nothing was wrong.
    ///
    /// # Errors
    /// `invalid-request` with everything that was.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Problem> {
        self.refuse_the_rest();
        if self.errors.is_empty() {
            // Without an error there is a value.
            value.ok_or_else(internal)
        } else {
            Err(Problem::invalid(self.errors))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    fn upper(text: &str) -> Result<String, &'static str> {
        if text.is_empty() { Err("must not be empty") } else { Ok(text.to_uppercase()) }
    }

    fn errors(problem: &Problem) -> Vec<String> {
        problem.errors.iter().map(|e| format!("{} {}", e.field, e.message)).collect()
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let text = br#"{"a":1,"b":"","n":"7","o":{"p":null,"q":[]},"l":[{"m":"x"},{"m":true},3],"z":0,"e\u0000":1}"#;
        let mut fields = Fields::of(json::object(text).unwrap());
        let a = fields.text("a", upper);
        let b = fields.maybe_text("b", upper);
        let c = fields.text("c", upper);
        let n = fields.maybe_whole("n", 1..=9);
        let o = fields.object("o", |o| o.text("p", upper));
        let l = fields.objects("l", |item| item.text("m", upper));
        assert!(a.is_none() && b.is_none() && c.is_none() && n.is_none() && o.is_none() && l.is_none());
        assert_eq!(
            errors(&fields.finish(Some(())).unwrap_err()),
            [
                "a must be a string",
                "b must not be empty",
                "c is missing",
                "n must be a whole number from 1 to 9",
                "o.p is missing",
                "o.q isn't known here",
                "l[1].m must be a string",
                "l[2] must be an object",
                "z isn't known here",
                "e? isn't known here",
            ]
        );
    }

    #[test]
    fn null_is_nothing_and_numbers_are_exact() {
        let mut fields = Fields::of(json::object(br#"{"a":null,"n":4294967296,"m":7.0,"k":7}"#).unwrap());
        assert_eq!(fields.maybe_text("a", upper), None);
        assert_eq!(fields.maybe_whole("n", 0..=u32::MAX), None);
        assert_eq!(fields.maybe_whole("m", 0..=9), None);
        assert_eq!(fields.maybe_whole("k", 0..=9), Some(7));
        assert_eq!(fields.finish(Some(())).unwrap_err().errors.len(), 2);
    }

    #[test]
    fn a_query_writes_numbers_as_digits() {
        let number = |text: &'static str| {
            let mut fields = Fields::of_query(vec![("n".into(), Node::Text(text.into()))]);
            fields.maybe_whole("n", 0..=100)
        };
        assert_eq!(number("20"), Some(20));
        for bad in ["", "+1", "-1", "1e1", "101", "0x1", " 1", "٣", "99999999999"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }
}
