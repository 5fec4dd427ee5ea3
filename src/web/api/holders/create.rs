//! A backend names a holder. Flow goes on in `service::holders`.

use actix_web::web;
use utoipa::ToSchema;

use crate::domain::channel::Address;
use crate::domain::details::Subject;
use crate::service::Context;
use crate::service::holders::{HolderView, NewHolder, add};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, Body, Fields, IdempotencyHeader, Key, NoQuery};
use crate::web::problem::{Kind, Problem};

pub const PROBLEMS: &[Kind] = &[Kind::DuplicateSubject, Kind::Conflict, Kind::OutcomeUnknown];

/// A holder, with the channels you know. They count from now; later ones have to wait.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"subject": "u-77", "channels": [{"kind": "email", "address": "marta@example.org"}]}))]
pub struct HolderRequest {
    /// Your own opaque id of the holder; never used again for another.
    #[schema(value_type = String, max_length = 128, pattern = r"^[A-Za-z0-9._:\-/@+]+$")]
    pub subject: Subject,
    #[schema(value_type = Vec<ChannelRequest>, min_items = 1, max_items = 8)]
    pub channels: Vec<Address>,
}

/// A way to reach the holder.
#[derive(Debug, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChannelRequest {
    Email {
        #[schema(format = Email, max_length = 254)]
        address: String,
    },
    /// The inbox page of a demo; refused elsewhere.
    Inbox {
        #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
        name: String,
    },
}

/// Create a holder
///
/// A subject names one holder for ever. Addresses are encrypted at rest and shown masked everywhere.
#[utoipa::path(
    post,
    path = "/v1/holders",
    tag = "holders",
    operation_id = "create_holder",
    params(IdempotencyHeader),
    request_body = HolderRequest,
    responses((
        status = 201,
        description = "Created.",
        body = HolderView,
        headers(("idempotent-replayed" = String, description = "`true` when this answer was given before.")),
    )),
    security(("key" = ["enrol"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, key: Key, body: Body) -> Answer {
    let HolderRequest { subject, channels } = HolderRequest::read(body.fields()?)?;
    let ask = NewHolder { key: key.0, fingerprint: body.fingerprint, subject, channels };
    answer::created(add(&cx, &caller.0, ask).await?)
}

impl HolderRequest {
    fn read(mut fields: Fields<'_>) -> Result<Self, Problem> {
        let subject = fields.text("subject", Subject::parse);
        let channels = fields.objects("channels", channel);
        let read = subject.zip(channels).map(|(subject, channels)| Self { subject, channels });
        fields.finish(read)
    }
}

fn channel(fields: &mut Fields<'_>) -> Option<Address> {
    match fields.text("kind", kind)? {
        Kinds::Email => fields.text("address", Address::email),
        Kinds::Inbox => fields.text("name", Address::inbox),
    }
}

/// The kinds that a backend can register.
enum Kinds {
    Email,
    Inbox,
}

fn kind(text: &str) -> Result<Kinds, &'static str> {
    match text {
        "email" => Ok(Kinds::Email),
        "inbox" => Ok(Kinds::Inbox),
        _ => Err("must be email or inbox"),
    }
}
