//! From a refusal to the form that it was about. `web/error.rs` decides status and words; the page comes back with that
//! status, everything that was typed, and the focus where something is wrong.

use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};

use super::failure::trouble;
use crate::web::pages::console::refused::{Refused, Wrong};
use crate::web::problem::{Kind, Problem};

/// A form as it was sent.
#[derive(Debug)]
pub struct Typed {
    form: String,
    fields: Vec<(String, String)>,
}

impl Typed {
    pub fn new(form: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { form: form.into(), fields }
    }

    /// Of fields as they came.
    pub fn of(form: impl Into<String>, fields: Vec<(String, String)>) -> Self {
        Self { form: form.into(), fields }
    }

    /// What the form's page shows of a refusal. Nothing for a fault of our own and for somebody who was signed out: those
    /// have pages of their own.
    pub fn refused(self, problem: &Problem) -> Option<Refused> {
        if !problem.status().is_client_error() || problem.kind == Kind::SignedOut {
            return None;
        }
        let of_form = |name: &str| self.fields.iter().any(|(field, _)| field == name);
        let wrong = match problem.errors.first() {
            Some(error) if of_form(&error.field) => {
                Wrong::Field { name: error.field.clone(), text: sentence(&error.message) }
            }
            _ => {
                let trouble = trouble(problem.kind);
                Wrong::Form { headline: trouble.headline(), text: trouble.text().to_owned() }
            }
        };
        Some(Refused { form: self.form, typed: self.fields, wrong })
    }
}

/// The page with the form, under the problem's status.
pub fn page(problem: &Problem, text: String) -> HttpResponse {
    let mut page = HttpResponse::build(problem.status());
    page.content_type("text/html; charset=utf-8");
    if let Some(value) = problem.error_response().headers().get(header::RETRY_AFTER).cloned() {
        page.insert_header((header::RETRY_AFTER, value));
    }
    page.body(text)
}

/// A rule as a sentence.
fn sentence(rule: &str) -> String {
    let mut letters = rule.chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if rule.ends_with('.') { "" } else { "." };
    first.to_uppercase().chain(letters).chain(end.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Error;

    fn typed() -> Typed {
        Typed::new("lock", &[("reason", "she calls")])
    }

    #[test]
    fn a_rule_of_a_field_stands_at_the_field_and_any_other_at_the_form() {
        let of = |error: Error| typed().refused(&Problem::of(&error));
        let refused = of(Error::invalid("reason", "say why, in one line")).unwrap();
        assert_eq!(refused.wrong, Wrong::Field { name: "reason".into(), text: "Say why, in one line.".into() });
        assert_eq!(refused.typed, [("reason".to_owned(), "she calls".to_owned())]);
        for error in [Error::invalid("form", "has a field twice"), Error::Conflict, Error::NotFound, Error::DailyCap] {
            let refused = of(error).unwrap();
            assert!(matches!(refused.wrong, Wrong::Form { .. }), "{refused:?}");
            assert_eq!(refused.words(), Some("she calls"));
        }
    }

    #[test]
    fn a_fault_of_ours_and_a_lost_session_have_pages_of_their_own() {
        for error in [Error::internal("broken"), Error::SignedOut] {
            assert_eq!(typed().refused(&Problem::of(&error)), None);
        }
    }
}
