//! Approvals are listed, newest first. Flow goes on in `service::read`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::domain::ApprovalId;
use crate::domain::approval::StateName;
use crate::domain::details::{Subject, TransferId};
use crate::ports::store::Filter;
use crate::service::view::ApprovalView;
use crate::service::{Context, read};
use crate::web::api::answer::{self, Answer, DEFAULT_LIMIT};
use crate::web::extract::{Authenticated, parameters};
use crate::web::problem::{Kind, Problem};

pub const PROBLEMS: &[Kind] = &[];

/// Which approvals, and which page of them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    #[param(value_type = Option<String>, example = "released")]
    pub state: Option<StateName>,
    #[param(value_type = Option<String>)]
    pub subject: Option<Subject>,
    #[param(value_type = Option<String>)]
    pub transfer_id: Option<TransferId>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    pub cursor: Option<ApprovalId>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
}

/// One page of approvals, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovalList {
    pub data: Vec<ApprovalView>,
    /// Send it as `cursor` for the next page; `null` on the last one.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// List approvals
///
/// Yours, newest first. `notices` and `waiting_url` aren't in a list.
#[utoipa::path(
    get,
    path = "/v1/approvals",
    tag = "approvals",
    operation_id = "list_approvals",
    params(Which),
    responses((status = 200, description = "One page.", body = ApprovalList)),
    security(("key" = ["read"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, req: HttpRequest) -> Answer {
    let Which { state, subject, transfer_id, cursor, limit } = Which::read(&req)?;
    let filter = Filter { state, subject, transfer_id, before: cursor };
    let (data, next) = read::list(&cx, &caller.0, &filter, limit.unwrap_or(DEFAULT_LIMIT)).await?;
    answer::json(StatusCode::OK, &ApprovalList { data, next_cursor: next.map(|id| id.to_string()) })
}

impl Which {
    fn read(req: &HttpRequest) -> Result<Self, Problem> {
        let mut query = parameters(req)?;
        let state = query.maybe_text("state", |text| StateName::parse(text).ok_or("isn't a state"));
        let subject = query.maybe_text("subject", Subject::parse);
        let transfer_id = query.maybe_text("transfer_id", TransferId::parse);
        let cursor = query.maybe_text("cursor", |text| text.parse().map_err(|_| "isn't a `next_cursor` of ours"));
        let limit = query.maybe_whole("limit", 1..=read::MAX_LIMIT);
        query.finish(Some(Self { state, subject, transfer_id, cursor, limit }))
    }
}
