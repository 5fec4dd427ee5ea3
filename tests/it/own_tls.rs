//! TLS by the service itself: what a client that trusts its certificate gets, and what everybody else doesn't.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use countersign::app;
use countersign::config::Tls;
use tokio_util::sync::CancellationToken;

use crate::support::app::{Options, config};
use crate::support::servers::certificates::Certificates;

#[expect(clippy::disallowed_methods, reason = "a client is another program, with trust of its own")]
fn client(authority: Option<&[u8]>) -> reqwest::Client {
    let loopback = ([127, 0, 0, 1], 0).into();
    let mut builder =
        reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy().resolve("other.example", loopback);
    if let Some(pem) = authority {
        builder = builder.tls_certs_only([reqwest::Certificate::from_pem(pem).unwrap()]);
    }
    builder.build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_ends_tls_itself() {
    let folder = tempfile::tempdir().unwrap();
    let issued = Certificates::issue(folder.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = std::fs::read(Certificates::issue(elsewhere.path()).authority).unwrap();
    let trusted = std::fs::read(&issued.authority).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = Options::default();
    let mut config = config(&options, folder.path().join("countersign.db"), port);
    config.http.tls = Some(Tls { cert_file: issued.certificate, key_file: issued.key });
    let stop = CancellationToken::new();
    let running = app::start(config, options.role, listener, stop.clone()).await.unwrap();

    let url = |scheme: &str, path: &str| format!("{scheme}://localhost:{port}{path}");
    let ours = client(Some(&trusted));
    let answer = ours.get(url("https", "/.well-known/jwks.json")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
    let refused = ours.get(url("https", "/v1/approvals")).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    // Its name is looked at, and who issued it.
    assert!(ours.get(format!("https://127.0.0.1:{port}/healthz")).send().await.unwrap().status().is_success());
    assert!(ours.get(format!("https://other.example:{port}/healthz")).send().await.is_err());
    assert!(client(Some(&stranger)).get(url("https", "/healthz")).send().await.is_err());
    assert!(client(None).get(url("https", "/healthz")).send().await.is_err());
    // Without TLS nothing is answered.
    assert!(ours.get(url("http", "/healthz")).send().await.is_err());
    let said = tokio::task::spawn_blocking(move || {
        let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
        plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut said = Vec::new();
        // A reset is as good as an end.
        let _ended = plain.read_to_end(&mut said);
        said
    });
    let said = said.await.unwrap();
    assert!(!String::from_utf8_lossy(&said).contains("HTTP/"), "{said:?}");
    stop.cancel();
    running.finish().await.unwrap();
}
