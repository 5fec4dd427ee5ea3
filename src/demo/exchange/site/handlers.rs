//! What the exchange's pages and Countersign's webhooks call. Each takes the request apart, asks the desk, and shows a
//! page or leads to one.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::json;

use super::Site;
use super::pages::{InboxPage, Invitation, OrderPage, PhonePage, Row, TroublePage, WithdrawPage};
use crate::demo::exchange::client::{ClientError, Problem};
use crate::demo::exchange::desk::NotPlaced;
use crate::demo::exchange::order::{Draft, FieldFault};
use crate::demo::exchange::thief::Trick;
use crate::demo::exchange::webhook::{BadWebhook, Signed};

type Shared = web::Data<Site>;

fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(text) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(text),
        Err(error) => {
            tracing::error!(error = %error, "a page of the exchange can't be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// After a form: look at a page (RFC 9110 section 15.4.4).
fn see(place: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish()
}

fn trouble(site: &Site, status: StatusCode, title: &'static str, words: String) -> HttpResponse {
    page(status, &TroublePage { person: site.desk.person().name, title, words })
}

fn no_answer(site: &Site, error: &ClientError) -> HttpResponse {
    tracing::warn!(error = %error, "Countersign refused or didn't answer");
    trouble(site, StatusCode::BAD_GATEWAY, "Countersign didn’t do it", error.to_string())
}

pub async fn nothing_here(site: Shared) -> HttpResponse {
    trouble(&site, StatusCode::NOT_FOUND, "There is nothing here", "Go back to the exchange’s first page.".into())
}

/// Webhooks. Whoever sends them learns no more than whether the message was believed.
pub async fn hook(site: Shared, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let headers = (text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"));
    let heard = match headers {
        (Some(id), Some(timestamp), Some(signature)) => site.desk.hear(Signed { id, timestamp, signature }, &body),
        _ => Err(BadWebhook::Header),
    };
    match heard {
        Ok(_) => HttpResponse::NoContent().finish(),
        Err(error) => {
            tracing::info!(error = %error, "the exchange refused a webhook");
            HttpResponse::BadRequest().content_type("text/plain; charset=utf-8").body("refused\n")
        }
    }
}

async fn form(
    site: &Site,
    status: StatusCode,
    draft: Draft,
    faults: Vec<FieldFault>,
    trouble: Option<String>,
) -> HttpResponse {
    let has_phone = match site.desk.holder().await {
        Ok(holder) => holder.enrolled_at.is_some(),
        Err(error) => return no_answer(site, &error),
    };
    let orders = site.desk.orders().iter().rev().map(Row::of).collect();
    let person = site.desk.person().name;
    page(status, &WithdrawPage { person, draft, faults, trouble, has_phone, orders })
}

pub async fn withdraw_form(site: Shared) -> HttpResponse {
    form(&site, StatusCode::OK, Draft::default(), Vec::new(), None).await
}

/// The form's fields by name.
#[derive(Deserialize)]
pub struct Typed {
    amount: String,
    unit: String,
    payee: String,
    account: String,
    #[serde(default)]
    reference: String,
}

/// Places the order and sends the browser that started it to the waiting page, as a page of its own.
pub async fn withdraw(site: Shared, typed: web::Form<Typed>) -> HttpResponse {
    let Typed { amount, unit, payee, account, reference } = typed.into_inner();
    let draft = Draft { amount, unit, payee, account, reference };
    let (faults, trouble) = match site.desk.withdraw(&draft).await {
        Ok(placed) => return see(placed.waiting_url.as_str()),
        Err(NotPlaced::Form(faults)) => (faults, None),
        Err(NotPlaced::Refused(ClientError::Refused(problem))) => by_field(&problem),
        Err(error) => {
            tracing::warn!(error = %error, "an order could not be placed");
            (Vec::new(), Some(error.to_string()))
        }
    };
    form(&site, StatusCode::UNPROCESSABLE_ENTITY, draft, faults, trouble).await
}

/// Puts what the API refused beside the form's fields, and the rest above them.
fn by_field(problem: &Problem) -> (Vec<FieldFault>, Option<String>) {
    let field = |named: &str| match named {
        "amount" => Some("amount"),
        "payee.name" => Some("payee"),
        "payee.account" => Some("account"),
        "reference" => Some("reference"),
        _ => None,
    };
    let fault = |error: &crate::demo::exchange::client::FieldError| {
        Some(FieldFault { field: field(&error.field)?, words: format!("This {}.", error.message) })
    };
    let faults: Vec<FieldFault> = problem.errors.iter().filter_map(fault).collect();
    let rest = faults.is_empty().then(|| format!("{}. {}", problem.title, problem.detail));
    (faults, rest)
}

pub async fn order(site: Shared, id: web::Path<String>) -> HttpResponse {
    let Some(placed) = site.desk.order(&id) else { return nothing_here(site).await };
    let device_page = match site.countersign.join(&format!("/a/{}", placed.approval)) {
        Ok(url) => url.to_string(),
        Err(_) => String::new(),
    };
    let total = placed.order.unit.total(&placed.order.amount).unwrap_or_default();
    let row = Row::of(&placed);
    page(StatusCode::OK, &OrderPage { person: site.desk.person().name, row, placed, total, device_page })
}

pub async fn order_status(site: Shared, id: web::Path<String>) -> HttpResponse {
    match site.desk.order(&id) {
        Some(placed) => HttpResponse::Ok().json(json!({"stamp": placed.changes, "stage": placed.stage.word()})),
        None => HttpResponse::NotFound().finish(),
    }
}

pub async fn cancel(site: Shared, id: web::Path<String>) -> HttpResponse {
    let Some(placed) = site.desk.order(&id) else { return nothing_here(site).await };
    match site.desk.client().cancel(&placed.approval).await {
        Ok(_) => see(&format!("/orders/{id}")),
        Err(error) => no_answer(&site, &error),
    }
}

pub async fn trick(site: Shared, path: web::Path<(String, String)>) -> HttpResponse {
    let (id, slug) = path.into_inner();
    let (Some(placed), Some(trick)) = (site.desk.order(&id), Trick::named(&slug)) else {
        return nothing_here(site).await;
    };
    site.desk.try_trick(&placed, trick).await;
    see(&format!("/orders/{id}"))
}

pub async fn phone(site: Shared) -> HttpResponse {
    let has_phone = match site.desk.holder().await {
        Ok(holder) => holder.enrolled_at.is_some(),
        Err(error) => return no_answer(&site, &error),
    };
    let invitation = site.desk.invitation().map(|enrolment| Invitation {
        url: enrolment.url.to_string(),
        picture: format!("data:image/svg+xml;base64,{}", BASE64.encode(enrolment.qr_svg.as_bytes())),
    });
    page(StatusCode::OK, &PhonePage { person: site.desk.person().name, has_phone, invitation })
}

pub async fn phone_status(site: Shared) -> HttpResponse {
    match site.desk.holder().await {
        Ok(holder) => HttpResponse::Ok().json(json!({"stamp": holder.enrolled_at.is_some()})),
        Err(_) => HttpResponse::BadGateway().finish(),
    }
}

pub async fn invite(site: Shared) -> HttpResponse {
    match site.desk.invite().await {
        Ok(_) => see("/phone"),
        Err(error) => no_answer(&site, &error),
    }
}

pub async fn start_over(site: Shared) -> HttpResponse {
    match site.desk.start_over().await {
        Ok(_) => see("/phone"),
        Err(error) => no_answer(&site, &error),
    }
}

pub async fn inbox(site: Shared) -> HttpResponse {
    let person = site.desk.person();
    let page_of = InboxPage {
        person: person.name,
        number: person.subject,
        letters: site.desk.letters(),
        signers: site.desk.letters_to_signers(),
    };
    page(StatusCode::OK, &page_of)
}

pub async fn inbox_status(site: Shared) -> HttpResponse {
    HttpResponse::Ok().json(json!({"stamp": site.desk.letters().len() + site.desk.letters_to_signers().len()}))
}
