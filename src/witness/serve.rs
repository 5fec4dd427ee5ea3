//! What a witness answers: `POST /add-checkpoint` (C2SP tlog-witness), with exactly its answers, and
//! `GET /checkpoint/<name of a log>` with what it cosigned last, for whoever wants to compare.

use actix_web::dev::Server;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use std::net::TcpListener;
use std::sync::Arc;

use super::{Witness, WitnessError};
use crate::domain::time::Timestamp;
use crate::domain::witness::Refusal;

/// Longest request: a checkpoint with many signatures, and 63 hashes.
const LONGEST: usize = 64 * 1024;

/// The time, in whole: what a cosignature says.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A server on a listener that is bound already.
///
/// # Errors
/// When it can't be started.
pub fn server(witness: Arc<Witness>, now: Now, listener: TcpListener) -> std::io::Result<Server> {
    let (witness, now) = (Data::from(witness), Data::new(now));
    let app = move || {
        App::new()
            .app_data(witness.clone())
            .app_data(now.clone())
            .app_data(web::PayloadConfig::new(LONGEST))
            .route("/add-checkpoint", web::post().to(add_checkpoint))
            .route("/checkpoint/{origin:.+}", web::get().to(cosigned))
    };
    Ok(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run())
}

async fn add_checkpoint(witness: Data<Witness>, now: Data<Now>, body: String) -> HttpResponse {
    let at = now();
    // The memory is flushed to the disk, which may take a while.
    let answer = web::block(move || witness.add_checkpoint(&body, at)).await;
    match answer {
        Ok(Ok(signature)) => {
            HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(format!("{signature}\n"))
        }
        Ok(Err(error)) => refusal(&error),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

async fn cosigned(witness: Data<Witness>, now: Data<Now>, origin: web::Path<String>) -> HttpResponse {
    match witness.cosigned(&origin, now()) {
        Some(note) => HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(note.to_string()),
        None => HttpResponse::NotFound().finish(),
    }
}

fn refusal(error: &WitnessError) -> HttpResponse {
    match error {
        WitnessError::Request(_) | WitnessError::Refused(Refusal::OldIsLarger) => HttpResponse::BadRequest().finish(),
        WitnessError::Refused(Refusal::UnknownLog) => HttpResponse::NotFound().finish(),
        WitnessError::Refused(Refusal::NotSigned(_)) => HttpResponse::Forbidden().finish(),
        WitnessError::Refused(Refusal::Inconsistent(_)) => {
            tracing::error!(error = %error, "a log showed another history");
            HttpResponse::UnprocessableEntity().finish()
        }
        WitnessError::Refused(Refusal::Conflict(size)) => {
            let mut answer = HttpResponse::Conflict();
            answer.insert_header((CONTENT_TYPE, HeaderValue::from_static("text/x.tlog.size")));
            answer.body(format!("{size}\n"))
        }
        WitnessError::State(error) => {
            tracing::error!(error = %error, "nothing is cosigned, because it can't be remembered");
            HttpResponse::InternalServerError().finish()
        }
    }
}
