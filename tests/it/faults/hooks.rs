//! The backend's place for webhooks: keeps what it is sent. It can be told to keep the senders waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;
use tokio::sync::watch;

struct Kept {
    /// `webhook-id` → every body that came under it.
    messages: Mutex<BTreeMap<String, Vec<Value>>>,
    is_open: watch::Sender<bool>,
}

/// A running server on loopback. Dropping it stops it.
pub struct Hooks {
    port: u16,
    kept: Arc<Kept>,
    handle: ServerHandle,
}

impl Hooks {
    pub fn start() -> Self {
        let kept = Arc::new(Kept { messages: Mutex::default(), is_open: watch::Sender::new(true) });
        let state = Data::from(Arc::clone(&kept));
        let server = HttpServer::new(move || App::new().app_data(state.clone()).default_service(web::to(take)))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .expect("a free port");
        let port = server.addrs()[0].port();
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { port, kept, handle }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks", self.port)
    }

    /// Everything so far, by its id.
    pub fn messages(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Value>>> {
        self.kept.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on messages are taken, and not answered.
    pub fn hold(&self) {
        self.kept.is_open.send_replace(false);
    }

    /// Answers what waits, and what comes.
    pub fn answer(&self) {
        self.kept.is_open.send_replace(true);
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn take(request: HttpRequest, body: Bytes, kept: Data<Kept>) -> HttpResponse {
    let id = request.headers().get("webhook-id").and_then(|value| value.to_str().ok());
    let (Some(id), Ok(body)) = (id, serde_json::from_slice(&body)) else {
        return HttpResponse::BadRequest().finish();
    };
    kept.messages.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()).or_default().push(body);
    let mut gate = kept.is_open.subscribe();
    match gate.wait_for(|is_open| *is_open).await {
        Ok(_) => HttpResponse::NoContent().finish(),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}
