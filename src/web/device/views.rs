//! GET /views: who of staff looked at the holder, when and why.

use actix_web::{HttpResponse, web};

use super::failure::{PageError, html};
use super::present;
use super::seen::Seen;
use crate::domain::staff::view as looked;
use crate::service::staff::look;
use crate::service::{Context, Error};
use crate::web::console::present::view;
use crate::web::pages::Template;
use crate::web::pages::console::holder::{ViewRow, ViewsPage};

/// What was seen, without the names of our papers.
const fn what(seen: &looked::Seen) -> &'static str {
    match seen {
        looked::Seen::Masked => "your transfers and devices, with names and numbers partly hidden",
        looked::Seen::Account { .. } => "one whole account number",
        looked::Seen::Case { .. } => "what there was to decide when our staff were asked to act for you",
    }
}

pub async fn show(cx: web::Data<Context>, seen: Seen) -> Result<HttpResponse, PageError> {
    let views = look::at_oneself(&cx, &seen.browser).await?;
    let now = cx.now();
    let views = views.iter().map(|one| ViewRow { what: what(&one.seen).to_owned(), ..view(one, now) }).collect();
    let page = ViewsPage { frame: present::frame(&cx), views };
    Ok(html(page.render().map_err(Error::internal)?))
}
