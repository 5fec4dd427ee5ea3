//! One approval is read, at once or when it changes. Flow goes on in `service::read`.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use crate::service::view::ApprovalView;
use crate::service::{Context, read};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, parameters};
use crate::web::problem::{Kind, Problem};

pub const PROBLEMS: &[Kind] = &[];

/// How to wait.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// Answer only when something has changed, but after this many seconds in any case.
    #[param(minimum = 0, maximum = 60)]
    pub wait: Option<u32>,
    /// The version you have. With `wait`: answer at once if there is a newer one.
    #[param(minimum = 0)]
    pub version: Option<u32>,
}

/// Read an approval
///
/// With `wait` it is a long poll. Its version tells whether something has changed.
#[utoipa::path(
    get,
    path = "/v1/approvals/{id}",
    tag = "approvals",
    operation_id = "read_approval",
    params(("id" = String, Path, description = "`apr_` and 32 hex digits."), Wait),
    responses((status = 200, description = "As it stands.", body = ApprovalView)),
    security(("key" = ["read"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, req: HttpRequest) -> Answer {
    let id = super::named(&req)?;
    let Wait { wait, version } = Wait::read(&req)?;
    let view = match wait {
        Some(seconds) => {
            let waiting = read::wait(&cx, &caller.0, id, version, Duration::from_secs(seconds.into()));
            // A node that ends says how things stand now: it would have to break off a poll that goes on for longer.
            let stop = req.app_data::<web::Data<CancellationToken>>().map(|stop| stop.get_ref().clone());
            match stop.unwrap_or_default().run_until_cancelled(waiting).await {
                Some(view) => view?,
                None => read::approval(&cx, &caller.0, id).await?,
            }
        }
        None => read::approval(&cx, &caller.0, id).await?,
    };
    answer::json(StatusCode::OK, &view)
}

impl Wait {
    fn read(req: &HttpRequest) -> Result<Self, Problem> {
        let mut query = parameters(req)?;
        let longest = u32::try_from(read::MAX_WAIT.as_secs()).unwrap_or(u32::MAX);
        let wait = query.maybe_whole("wait", 0..=longest);
        let version = query.maybe_whole("version", 0..=u32::MAX);
        query.finish(Some(Self { wait, version }))
    }
}
