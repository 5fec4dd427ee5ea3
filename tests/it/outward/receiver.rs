//! An HTTP server of a test's own, which keeps what it is sent and answers as it is told, well or badly.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::stream::{self, StreamExt};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How the server answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Status(u16),
    /// 302 with this `Location`.
    Redirect(String),
    /// Never.
    Silence,
    /// 200 and a body that has no end.
    Endless,
    /// 200, a few bytes, and then nothing.
    Stalled,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Record {
    requests: Mutex<Vec<Received>>,
    /// Endless bodies that are being sent.
    pouring: AtomicUsize,
}

/// A running server on loopback. Dropping it stops it.
pub struct Receiver {
    port: u16,
    record: Arc<Record>,
    handle: ServerHandle,
}

impl Receiver {
    pub fn start(answer: Answer) -> Self {
        Self::bind(answer, None)
    }

    /// With TLS, by a certificate and key in PEM files.
    pub fn start_tls(answer: Answer, certificate: &Path, key: &Path) -> Self {
        let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self::bind(answer, Some(config))
    }

    fn bind(answer: Answer, tls: Option<ServerConfig>) -> Self {
        let record = Arc::new(Record::default());
        let state = Data::from(Arc::clone(&record));
        let server = HttpServer::new(move || {
            let (state, answer) = (state.clone(), Data::new(answer.clone()));
            App::new().app_data(state).app_data(answer).default_service(web::to(take))
        })
        .workers(1)
        .disable_signals();
        let server = match tls {
            None => server.bind(("127.0.0.1", 0)),
            Some(config) => server.bind_rustls_0_23(("127.0.0.1", 0), config),
        }
        .unwrap();
        let port = server.addrs()[0].port();
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { port, record, handle }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self, path: &str) -> url::Url {
        format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }

    pub fn received(&self) -> Vec<Received> {
        self.record.requests.lock().unwrap().clone()
    }

    pub fn is_pouring(&self) -> bool {
        self.record.pouring.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The order to stop is given at once; only whoever awaits this waits for the end.
        drop(self.handle.stop(false));
    }
}

async fn take(request: HttpRequest, body: Bytes, record: Data<Record>, answer: Data<Answer>) -> HttpResponse {
    let text = |value: &actix_web::http::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    record.requests.lock().unwrap().push(Received {
        path: request.uri().to_string(),
        headers: request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: body.to_vec(),
    });
    match answer.get_ref() {
        Answer::Status(code) => HttpResponse::build(StatusCode::from_u16(*code).unwrap())
            .insert_header(("set-cookie", "known=yes"))
            .body("what came back"),
        Answer::Redirect(to) => HttpResponse::Found().insert_header(("location", to.as_str())).finish(),
        Answer::Silence => std::future::pending().await,
        Answer::Endless => {
            let pouring = Pouring::begin(record.into_inner());
            let chunks = stream::repeat(Bytes::from_static(&[b'x'; 1024]));
            HttpResponse::Ok().streaming(chunks.map(move |chunk| {
                let _while_it_lasts = &pouring;
                Ok::<_, std::io::Error>(chunk)
            }))
        }
        Answer::Stalled => {
            let start = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"a few bytes"))]);
            HttpResponse::Ok().streaming(start.chain(stream::pending()))
        }
    }
}

/// Counts an endless body for as long as somebody takes it.
struct Pouring(Arc<Record>);

impl Pouring {
    fn begin(record: Arc<Record>) -> Self {
        record.pouring.fetch_add(1, Ordering::SeqCst);
        Self(record)
    }
}

impl Drop for Pouring {
    fn drop(&mut self) {
        self.0.pouring.fetch_sub(1, Ordering::SeqCst);
    }
}
