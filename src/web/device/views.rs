//! GET /views: who of staff looked at the holder, when and why.

use actix_web::{HttpResponse, web};

use super::failure::{PageError, html};
use super::present;
use super::seen::Seen;
use crate::service::staff::look;
use crate::service::{Context, Error};
use crate::web::console::present::view;
use crate::web::pages::Template;
use crate::web::pages::console::holder::ViewsPage;

pub async fn show(cx: web::Data<Context>, seen: Seen) -> Result<HttpResponse, PageError> {
    let views = look::at_oneself(&cx, &seen.browser).await?;
    let now = cx.now();
    let views = views.iter().map(|one| view(one, now)).collect();
    let page = ViewsPage { frame: present::frame(&cx), views };
    Ok(html(page.render().map_err(Error::internal)?))
}
