//! GET /: what needs this person. Admins see what waits for their signature, agents where to look a holder up.

use actix_web::{HttpResponse, web};

use super::failure::PageError;
use super::signed_in::SignedIn;
use super::{case, change, present};
use crate::domain::staff::Role;
use crate::service::staff::change::roster;
use crate::service::{Context, Error};
use crate::web::device::failure::html;
use crate::web::pages::Template;
use crate::web::pages::console::frame::Tab;
use crate::web::pages::console::home::HomePage;

pub async fn home(cx: web::Data<Context>, by: SignedIn) -> Result<HttpResponse, PageError> {
    let now = cx.now();
    let (mut changes, mut announced) = (Vec::new(), Vec::new());
    if by.person.profile.roles.has(Role::Admin) {
        let roster = roster(&cx, &by).await?;
        changes = change::waiting(&roster, &by, now);
        announced = change::announced(&roster, now);
    }
    let cases = case::mine(&cx, &by).await?;
    let version = present::version(&cases)?;
    let page = HomePage { frame: present::frame(&cx, &by, Some(Tab::Cases)), version, cases, changes, announced };
    Ok(html(page.render().map_err(Error::internal)?))
}
