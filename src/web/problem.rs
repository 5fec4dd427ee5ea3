//! What is said when something isn't answered: RFC 9457 `application/problem+json` with a stable `type`.
//!
//! Owns the closed table of kinds, and how one problem looks on the wire. Which error becomes which kind is decided in
//! [`super::error`]; the request's id is put in by [`super::request_id`].

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Timestamp;
use crate::domain::approval::StateName;
use crate::domain::backend::Scope;
use crate::domain::staff::Role;

/// What every `type` begins with.
pub const TYPES: &str = "https://countersign.dev/problems/";
/// The media type of a problem (RFC 9457 section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $slug:literal $status:ident $title:literal;)*) => {
        /// The kinds of problem. The slug is the last part of `type` and never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The last part of `type`.
            pub const fn slug(self) -> &'static str {
                match self {
                    $(Self::$name => $slug,)*
                }
            }

            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)*
                }
            }

            /// A few words, the same at every occurrence (RFC 9457 section 3.1.3).
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }
        }
    };
}

kinds! {
    /// HTTP that can't be read.
    BadRequest "bad-request" BAD_REQUEST "The request can't be read";
    MalformedJson "malformed-json" BAD_REQUEST "The body isn't the JSON it should be";
    /// One or more fields, parameters or parts of the path; `errors` says which.
    InvalidRequest "invalid-request" BAD_REQUEST "The request breaks a rule";
    IdempotencyKeyMissing "idempotency-key-missing" BAD_REQUEST "An Idempotency-Key is needed";
    IdempotencyKeyInvalid "idempotency-key-invalid" BAD_REQUEST "The Idempotency-Key can't be used";
    Unauthenticated "unauthenticated" UNAUTHORIZED "An API key is needed";
    SignedOut "signed-out" UNAUTHORIZED "Nobody is signed in";
    ScopeMissing "scope-missing" FORBIDDEN "The API key may not do this";
    DeviceLocked "device-locked" FORBIDDEN "The device is locked";
    DeviceTooNew "device-too-new" FORBIDDEN "The device is too new for this";
    NotDistinct "not-distinct" FORBIDDEN "The device isn't known to be another than the one that started it";
    AssuranceTooLow "assurance-too-low" FORBIDDEN "The passkey isn't strong enough for this";
    Forbidden "forbidden" FORBIDDEN "This isn't allowed";
    UnknownDevice "unknown-device" FORBIDDEN "This browser isn't an enrolled device";
    CeremonyFailed "ceremony-failed" FORBIDDEN "The ceremony failed";
    CodeWrong "code-wrong" FORBIDDEN "The code is wrong";
    NotFound "not-found" NOT_FOUND "There is nothing here";
    UnknownHolder "unknown-holder" NOT_FOUND "The holder isn't known";
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED "This can't be done with that method";
    RequestTimeout "request-timeout" REQUEST_TIMEOUT "The request took too long to arrive";
    /// The record isn't as the request expects; read it again.
    Conflict "conflict" CONFLICT "The record isn't as it would have to be";
    RefusedBefore "refused-before" CONFLICT "A signer refused the same within a day";
    AlreadyRedeemed "already-redeemed" CONFLICT "The transfer was redeemed";
    Expired "expired" CONFLICT "Its time is over";
    TooEarly "too-early" CONFLICT "Its time has not come";
    PastCap "past-cap" CONFLICT "The hold can't be extended that far";
    PromptStale "prompt-stale" CONFLICT "The prompt is stale";
    NoDevice "no-device" CONFLICT "The holder has no device that could approve";
    NoChannel "no-channel" CONFLICT "The holder has no channel";
    AlreadyEnrolled "already-enrolled" CONFLICT "The first device was enrolled before";
    /// The holder said "this wasn't me".
    HolderFrozen "holder-frozen" CONFLICT "The holder is frozen";
    HolderBusy "holder-busy" CONFLICT "Something of the holder is still open";
    TooManyPending "too-many-pending" CONFLICT "Too many approvals of the holder are waiting";
    TooManyEndpoints "too-many-endpoints" CONFLICT "There are too many endpoints";
    DuplicateTransfer "duplicate-transfer" CONFLICT "The transfer has an approval";
    DuplicateSubject "duplicate-subject" CONFLICT "The subject is taken";
    LinkEnded "link-ended" GONE "The link has ended";
    CodeUsedUp "code-used-up" GONE "The code was tried too often";
    TooLarge "too-large" PAYLOAD_TOO_LARGE "The body is too large";
    UnsupportedMediaType "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE "The body must be application/json";
    IdempotencyMismatch "idempotency-mismatch" UNPROCESSABLE_ENTITY "The Idempotency-Key belongs to another request";
    DigestMismatch "digest-mismatch" UNPROCESSABLE_ENTITY "Something else was approved";
    NotLonger "not-longer" UNPROCESSABLE_ENTITY "The new end isn't later";
    DailyCap "daily-cap" TOO_MANY_REQUESTS "The most for one day is reached";
    RateLimited "rate-limited" TOO_MANY_REQUESTS "There were too many requests";
    LookCap "look-cap" TOO_MANY_REQUESTS "Too many holders were looked at";
    Internal "internal" INTERNAL_SERVER_ERROR "Something went wrong on our side";
    /// The change may have been stored. Repeating it with the same Idempotency-Key is safe.
    OutcomeUnknown "outcome-unknown" SERVICE_UNAVAILABLE "Whether it was done isn't known yet";
    /// The database is from before its log's high-water mark. Only the operator can end this.
    LogRolledBack "log-rolled-back" SERVICE_UNAVAILABLE "The record isn't the one that was signed";
    /// Nothing was changed. Repeating it with the same Idempotency-Key is safe, and gets the receipt.
    AwaitingWitnesses "awaiting-witnesses" SERVICE_UNAVAILABLE "The log's witnesses haven't signed it yet";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "The service can't do this right now";
}

/// One part of the request that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Its place: `payee.account`, `channels[0].address`, or the name of a parameter.
    #[schema(example = "amount")]
    pub field: String,
    /// What is wrong with it.
    #[schema(example = "must have at most 2 decimals for this unit")]
    pub message: String,
}

/// A member of the problem beside the standard ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// When it was redeemed.
    RedeemedAt(Timestamp),
    /// Where the approval stands.
    State(StateName),
    /// The scope that the key lacks.
    Scope(Scope),
    /// The role that a staff member lacks. Not told; the console writes the attempt down.
    Role(Role),
    /// When to come back: becomes the header `Retry-After`.
    RetryAfter(Duration),
}

/// One problem, before it is put on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub kind: Kind,
    /// What happened this time, for a person who builds against the API. Never holds anything of the inside.
    pub detail: Cow<'static, str>,
    pub errors: Vec<FieldError>,
    pub extra: Option<Extra>,
}

/// A problem on the wire (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// `https://countersign.dev/problems/` and a slug that never changes its meaning.
    #[serde(rename = "type")]
    #[schema(value_type = String, format = "uri", example = "https://countersign.dev/problems/invalid-request")]
    pub kind: String,
    #[schema(value_type = String, example = "The request breaks a rule")]
    pub title: &'static str,
    #[schema(example = 400)]
    pub status: u16,
    #[schema(value_type = String, example = "See `errors`.")]
    pub detail: &'a str,
    /// Finds the request in the log. Also in the header `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid", nullable = false)]
    pub request_id: Option<String>,
    /// What breaks a rule, each part once.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    #[schema(value_type = Vec<FieldError>, required = false)]
    pub errors: &'a [FieldError],
    /// With `already-redeemed`: since when it is too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub redeemed_at: Option<Timestamp>,
    /// With `conflict`: where the approval stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub state: Option<StateName>,
    /// With `scope-missing`: what the key lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub scope: Option<Scope>,
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), extra: None }
    }

    /// Parts of the request that break rules.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Kind::InvalidRequest, "See `errors`.") }
    }

    /// One part of the request that breaks a rule.
    pub fn invalid_field(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::invalid(vec![FieldError { field: field.into(), message: message.to_string() }])
    }

    #[must_use]
    pub fn with(self, extra: Extra) -> Self {
        Self { extra: Some(extra), ..self }
    }

    /// The last part of `type`.
    pub const fn slug(&self) -> &'static str {
        self.kind.slug()
    }

    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }

    pub const fn title(&self) -> &'static str {
        self.kind.title()
    }

    /// What goes on the wire.
    pub fn body(&self, request_id: Option<String>) -> ProblemBody<'_> {
        let mut body = ProblemBody {
            kind: format!("{TYPES}{}", self.slug()),
            title: self.title(),
            status: self.status().as_u16(),
            detail: &self.detail,
            request_id,
            errors: &self.errors,
            redeemed_at: None,
            state: None,
            scope: None,
        };
        match self.extra {
            Some(Extra::RedeemedAt(at)) => body.redeemed_at = Some(at),
            Some(Extra::State(state)) => body.state = Some(state),
            Some(Extra::Scope(scope)) => body.scope = Some(scope),
            Some(Extra::Role(_) | Extra::RetryAfter(_)) | None => {}
        }
        body
    }

    /// The JSON text.
    pub fn text(&self, request_id: Option<String>) -> String {
        // A body of plain strings and numbers always serialises; a lost body would still leave the right status.
        serde_json::to_string(&self.body(request_id)).unwrap_or_default()
    }

    /// Puts the headers on an answer that go with the problem.
    pub fn dress(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.kind == Kind::Unauthenticated {
            // RFC 6750 section 3.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(Extra::RetryAfter(wait)) = self.extra {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
    }
}

/// Rounded up, and never 0: who comes back too early is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.slug(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut answer = HttpResponse::build(self.status()).body(self.text(None));
        self.dress(answer.headers_mut());
        // From here `request_id` takes it up and writes it again with the request's id.
        answer.extensions_mut().insert(self.clone());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_single_words_in_kebab_case_and_unique() {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            let slug = kind.slug();
            assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{slug}");
            assert!(Kind::ALL.iter().skip(at + 1).all(|other| other.slug() != slug), "{slug}");
            assert!(kind.status().is_client_error() || kind.status().is_server_error(), "{slug}");
        }
    }

    #[test]
    fn waits_round_up() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1_001)), 2);
        assert_eq!(whole_seconds(Duration::from_secs(60)), 60);
    }
}
