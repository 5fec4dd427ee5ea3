//! What our own pages post: the JSON of their scripts, and plain forms. Bounded and read as strictly as the API's bodies
//! (no name twice, at any depth), then put whole into the shape that the handler asks for. No person writes these by
//! hand, so what doesn't fit isn't told field by field.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Query};
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::body::{Media, read};
use super::json::{self, MAX_FIELDS};
use crate::web::problem::{Kind, Problem};

/// What a script of ours sent.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// What a form of ours sent. One that may have a name twice is taken as a list of pairs.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            Media::Json.check(&req)?;
            value(&read(&req, payload).await?).map(Self)
        })
    }
}

/// A JSON object in a shape of ours.
///
/// # Errors
/// `malformed-json`, or `invalid-request` for a name that is there twice and for another shape.
pub fn value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // The second reading takes the last of two equal names, so the first one refuses them.
    json::object(bytes)?;
    serde_json::from_slice(bytes).map_err(|_| other_shape("body"))
}

impl<T: DeserializeOwned> FromRequest for Form<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            if !is_form(&req) {
                let kind = Kind::UnsupportedMediaType;
                return Err(Problem::new(kind, "Send `Content-Type: application/x-www-form-urlencoded`."));
            }
            let bytes: Bytes = read(&req, payload).await?;
            let mut fields = 0;
            for (name, value) in form_urlencoded::parse(&bytes) {
                fields += 1;
                // What isn't UTF-8 was replaced while it was decoded.
                if fields > MAX_FIELDS
                    || name.contains(char::REPLACEMENT_CHARACTER)
                    || value.contains(['\u{fffd}', '\0'])
                {
                    return Err(other_shape("form"));
                }
            }
            let text = std::str::from_utf8(&bytes).map_err(|_| other_shape("form"))?;
            Query::<T>::from_query(text).map(|form| Self(form.into_inner())).map_err(|_| other_shape("form"))
        })
    }
}

/// Forms carry no parameter that would change how they are read (URL Standard section 5.1: always UTF-8).
fn is_form(req: &HttpRequest) -> bool {
    let text = req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text.split_once(';').map_or(text, |(essence, _)| essence).trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn other_shape(place: &str) -> Problem {
    Problem::invalid_field(place, "isn't as the page sends it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Signed {
        sealed: String,
        assertion: Value,
    }

    fn slug(text: &str) -> &'static str {
        value::<Signed>(text.as_bytes()).map_or_else(|problem| problem.slug(), |_| "read")
    }

    #[test]
    fn a_signature_is_read_in_one_way_only() {
        let read = value::<Signed>(br#"{"sealed":"x","assertion":{"response":{"signature":"y"}}}"#).unwrap();
        assert_eq!((read.sealed.as_str(), &read.assertion["response"]["signature"]), ("x", &Value::from("y")));
        for twice in [
            r#"{"sealed":"x","sealed":"z","assertion":{}}"#,
            r#"{"sealed":"x","assertion":{"id":"a","id":"b"}}"#,
            r#"{"sealed":"x","assertion":{"response":{"signature":"y","signatur\u0065":"z"}}}"#,
        ] {
            assert_eq!(slug(twice), "invalid-request", "{twice}");
        }
        for other in [r#"{"sealed":1,"assertion":{}}"#, r#"{"assertion":{}}"#, r#"{"sealed":"x","assertion":{},"z":1}"#]
        {
            assert_eq!(slug(other), "invalid-request", "{other}");
        }
        for broken in ["", "{", "[]", r#"{"sealed":"x","assertion":{}}}"#] {
            assert_eq!(slug(broken), "malformed-json", "{broken}");
        }
    }
}
