//! Redis over TLS: the server's certificate is checked, and what is wrong with the settings has a name.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use countersign::adapters::timing::redis::{RedisSettingsError, Topology};
use countersign::adapters::timing::{OsEntropy, Redis, RedisSettings, SystemClock};
use countersign::domain::ids::ApprovalId;
use countersign::ports::timing::{Clock, Entropy, Limits, Quota, Timers, Verdict};

use crate::support::servers::certificates::Certificates;
use crate::support::servers::redis::Redis as Server;

/// Opens a port for TLS beside the plain one; gives its number.
fn listens_with_tls(server: &Server, issued: &Certificates) -> u16 {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (certificate, key, authority) = (file(&issued.certificate), file(&issued.key), file(&issued.authority));
    let port = free();
    let said = server.command(&[
        "CONFIG",
        "SET",
        "tls-cert-file",
        &certificate,
        "tls-key-file",
        &key,
        "tls-ca-cert-file",
        &authority,
        "tls-auth-clients",
        "no",
        "tls-port",
        &port.to_string(),
    ]);
    assert_eq!(said, "OK");
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_and_rates_work_over_tls_with_a_prefix_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let issued = Certificates::issue(folder.path());
    let server = Server::start();
    let port = listens_with_tls(&server, &issued);
    let mut settings = RedisSettings::single(format!("rediss://localhost:{port}/0").into());
    settings.authorities_pem = Some(std::fs::read(&issued.authority).unwrap());
    settings.prefix = "bank-2".parse().unwrap();
    settings.timeout = Duration::from_secs(5);
    let redis = Redis::open(settings.clone()).unwrap();
    redis.ping().await.unwrap();
    let (timers, clock) = (redis.timers(), Arc::new(SystemClock));
    let entropy: &dyn Entropy = &OsEntropy;
    let id = ApprovalId::new(clock.now(), entropy.bytes());
    timers.arm(&[(id, clock.now() - Duration::from_secs(1))]).await.unwrap();
    let quota = Quota { name: "test", burst: 2, per: Duration::from_secs(3600) };
    assert_eq!(redis.limits(clock).take(quota, "203.0.113.7").await, Verdict::Allowed);
    let keys = server.command(&["KEYS", "*"]);
    assert!(!keys.is_empty() && keys.lines().all(|key| key.trim_start_matches('{').starts_with("bank-2:")), "{keys}");

    // Whom the system doesn't know isn't believed, nor another authority's word.
    let unknown = RedisSettings { authorities_pem: None, ..settings.clone() };
    assert!(Redis::open(unknown).unwrap().ping().await.is_err());
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = std::fs::read(Certificates::issue(elsewhere.path()).authority).unwrap();
    let wrong = RedisSettings { authorities_pem: Some(stranger), ..settings.clone() };
    assert!(Redis::open(wrong).unwrap().ping().await.is_err());
    // Nor does TLS get through to a server without it.
    let plain = RedisSettings { urls: vec![format!("rediss://localhost:{}/0", server.port()).into()], ..settings };
    assert!(Redis::open(plain).unwrap().ping().await.is_err());
}

#[test]
fn what_is_wrong_with_the_settings_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Some(std::fs::read(Certificates::issue(folder.path()).authority).unwrap());
    let over = |url: &str| RedisSettings::single(url.to_owned().into());
    let plain = RedisSettings { authorities_pem: authority.clone(), ..over("redis://localhost/0") };
    assert!(matches!(Redis::open(plain).map(|_| ()), Err(RedisSettingsError::NotOverTls)));
    let garbage = RedisSettings { authorities_pem: Some(b"no PEM".to_vec()), ..over("rediss://localhost/0") };
    let garbage = Redis::open(garbage).map(|_| ());
    assert!(matches!(garbage, Err(RedisSettingsError::Authorities)), "{garbage:?}");
    let cluster = RedisSettings {
        urls: vec!["rediss://localhost:7000".to_owned().into(), "rediss://localhost:7001".to_owned().into()],
        topology: Topology::Cluster,
        authorities_pem: authority,
        ..over("rediss://localhost")
    };
    assert!(Redis::open(cluster).is_ok());
}
