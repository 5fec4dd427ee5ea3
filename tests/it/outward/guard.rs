//! The outbound guard: where it refuses to go, and what it doesn't put up with from whoever answers.

use std::env;
use std::fs;
use std::process::Command;
use std::time::Duration;

use countersign::adapters::outbound::{Audience, BODY_LIMIT, Outbound, OutboundConfig, OutboundError, PlainHttp};
use http::{HeaderMap, StatusCode};
use url::Url;

use super::receiver::{Answer, Receiver};
use super::{allowing_loopback, guard};
use crate::support::servers::certificates::Certificates;
use crate::support::servers::{free_port, wait_for};

async fn post(guard: &Outbound, url: &Url) -> Result<StatusCode, OutboundError> {
    guard.post(Audience::Backend, url, HeaderMap::new(), b"{}".to_vec()).await
}

/// Hosts that mean no public address, however they are written.
const FORBIDDEN: [&str; 52] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.255.255.254",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0x0.0x0.0x1",
    "１２７.０.０.１",
    "127。0。0。1",
    "%31%32%37.0.0.1",
    "0",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "2852039166",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
];

#[tokio::test]
async fn every_way_to_write_an_address_that_isnt_public_is_refused() {
    let strict = guard(OutboundConfig::default());
    let plain = guard(OutboundConfig { plain_http: PlainHttp::ToAllowed, ..OutboundConfig::default() });
    for host in FORBIDDEN {
        for scheme in ["https", "http"] {
            let url: Url = format!("{scheme}://{host}:8443/hook").parse().unwrap();
            assert_eq!(post(&strict, &url).await, Err(OutboundError::RefusedAddress), "{url} written {host}");
            assert_eq!(post(&plain, &url).await, Err(OutboundError::RefusedAddress), "{url} written {host}");
        }
    }
}

#[tokio::test]
async fn a_name_is_judged_by_where_it_leads() {
    let receiver = Receiver::start(Answer::Status(204));
    let port = receiver.port();
    let url = |scheme: &str, host: &str| -> Url { format!("{scheme}://{host}:{port}/hook").parse().unwrap() };

    let strict = guard(OutboundConfig { plain_http: PlainHttp::ToAllowed, ..OutboundConfig::default() });
    let other = guard(OutboundConfig {
        allow: vec!["10.0.0.0/8".parse().unwrap()],
        plain_http: PlainHttp::ToAllowed,
        ..OutboundConfig::default()
    });
    for host in ["localhost", "LOCALHOST", "%6cocalhost"] {
        for scheme in ["https", "http"] {
            assert_eq!(post(&strict, &url(scheme, host)).await, Err(OutboundError::RefusedAddress), "{scheme} {host}");
            assert_eq!(post(&other, &url(scheme, host)).await, Err(OutboundError::RefusedAddress), "{scheme} {host}");
        }
    }
    assert!(receiver.received().is_empty());

    let allowing = guard(allowing_loopback());
    assert_eq!(post(&allowing, &url("http", "localhost")).await, Ok(StatusCode::NO_CONTENT));
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn only_https_goes_out_unless_the_network_is_allowed() {
    let receiver = Receiver::start(Answer::Status(204));
    let without_plain = guard(OutboundConfig { plain_http: PlainHttp::Never, ..allowing_loopback() });
    assert_eq!(post(&without_plain, &receiver.url("/")).await, Err(OutboundError::RefusedAddress));

    let allowing = guard(allowing_loopback());
    assert_eq!(post(&allowing, &receiver.url("/")).await, Ok(StatusCode::NO_CONTENT));
    for refused in [
        "http://8.8.8.8/hook",
        "http://[2606:4700::1111]/hook",
        "ftp://127.0.0.1/hook",
        "ws://127.0.0.1/hook",
        "file:///etc/passwd",
        "data:text/plain,hook",
        "unix:/run/docker.sock",
    ] {
        assert_eq!(post(&allowing, &refused.parse().unwrap()).await, Err(OutboundError::RefusedAddress), "{refused}");
    }
    assert_eq!(allowing.check(Audience::Backend, &"https://8.8.8.8/hook".parse().unwrap()), Ok(()));
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_url_carries_no_login() {
    let receiver = Receiver::start(Answer::Status(204));
    let allowing = guard(allowing_loopback());
    for login in ["name:word", "name", ":word"] {
        let url: Url = format!("http://{login}@127.0.0.1:{}/", receiver.port()).parse().unwrap();
        assert_eq!(post(&allowing, &url).await, Err(OutboundError::RefusedAddress));
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let target = Receiver::start(Answer::Status(204));
    let sending_on = Receiver::start(Answer::Redirect(target.url("/inside").to_string()));
    let allowing = guard(allowing_loopback());
    assert_eq!(post(&allowing, &sending_on.url("/")).await, Ok(StatusCode::FOUND));
    assert_eq!(sending_on.received().len(), 1);
    assert!(target.received().is_empty());
}

#[tokio::test]
async fn nothing_is_remembered_about_a_receiver() {
    let receiver = Receiver::start(Answer::Status(204));
    let allowing = guard(allowing_loopback());
    for _ in 0..2 {
        post(&allowing, &receiver.url("/")).await.unwrap();
    }
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    for request in received {
        assert_eq!(request.header("cookie"), None);
        assert_eq!(request.header("referer"), None);
        assert!(request.header("user-agent").unwrap().starts_with("Countersign/"));
    }
}

#[tokio::test]
async fn a_body_stays_under_its_limit() {
    let receiver = Receiver::start(Answer::Status(204));
    let allowing = guard(allowing_loopback());
    let send = async |bytes: usize| {
        allowing.post(Audience::Backend, &receiver.url("/"), HeaderMap::new(), vec![b'x'; bytes]).await
    };
    assert_eq!(send(BODY_LIMIT).await, Err(OutboundError::TooLarge));
    assert!(receiver.received().is_empty());
    assert_eq!(send(BODY_LIMIT - 1).await, Ok(StatusCode::NO_CONTENT));
    assert_eq!(receiver.received()[0].body.len(), BODY_LIMIT - 1);
}

#[tokio::test]
async fn silence_ends_in_time_and_a_stalled_answer_still_counts() {
    let hasty = guard(OutboundConfig { time_limit: Duration::from_secs(3), ..allowing_loopback() });
    let silent = Receiver::start(Answer::Silence);
    assert_eq!(post(&hasty, &silent.url("/")).await, Err(OutboundError::Timeout));
    assert_eq!(silent.received().len(), 1);

    let stalled = Receiver::start(Answer::Stalled);
    assert_eq!(post(&hasty, &stalled.url("/")).await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let receiver = Receiver::start(Answer::Endless);
    // So patient that only the bound on the answer can end the exchange.
    let patient = guard(OutboundConfig { time_limit: Duration::from_secs(3600), ..allowing_loopback() });
    let url = receiver.url("/");
    let answered = tokio::time::timeout(Duration::from_secs(30), post(&patient, &url)).await;
    assert_eq!(answered, Ok(Ok(StatusCode::OK)));
    let cut = tokio::task::spawn_blocking(move || {
        wait_for("the body to be given up", || (!receiver.is_pouring()).then_some(()));
        receiver
    });
    assert_eq!(cut.await.unwrap().received().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_no_connection() {
    let allowing = guard(allowing_loopback());
    let url: Url = format!("http://127.0.0.1:{}/", free_port()).parse().unwrap();
    assert_eq!(post(&allowing, &url).await, Err(OutboundError::Connect));
    let unknown: Url = "https://nowhere.invalid/".parse().unwrap();
    assert_eq!(post(&allowing, &unknown).await, Err(OutboundError::Connect));
}

#[tokio::test]
async fn a_server_is_trusted_by_its_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let issued = Certificates::issue(directory.path());
    let receiver = Receiver::start_tls(Answer::Status(204), &issued.certificate, &issued.key);
    let url = |host: &str| -> Url { format!("https://{host}:{}/hook", receiver.port()).parse().unwrap() };

    let stranger = guard(allowing_loopback());
    assert_eq!(post(&stranger, &url("localhost")).await, Err(OutboundError::Tls));

    let authority = fs::read(&issued.authority).unwrap();
    let trusting = guard(OutboundConfig { authorities_pem: Some(authority), ..allowing_loopback() });
    assert_eq!(post(&trusting, &url("localhost")).await, Ok(StatusCode::NO_CONTENT));
    assert_eq!(post(&trusting, &url("127.0.0.1")).await, Ok(StatusCode::NO_CONTENT));
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn push_goes_only_to_push_services() {
    let receiver = Receiver::start(Answer::Status(201));
    let send =
        async |guard: &Outbound, url: &Url| guard.post(Audience::PushService, url, HeaderMap::new(), Vec::new()).await;
    let allowing = guard(allowing_loopback());
    assert_eq!(send(&allowing, &receiver.url("/push")).await, Err(OutboundError::RefusedAddress));
    assert!(receiver.received().is_empty());
    for known in ["https://fcm.googleapis.com/fcm/send/x", "https://web.push.apple.com/x"] {
        assert_eq!(allowing.check(Audience::PushService, &known.parse().unwrap()), Ok(()));
    }

    let host = format!("127.0.0.1:{}", receiver.port()).parse().unwrap();
    let knowing = guard(OutboundConfig { push_hosts: vec![host], ..allowing_loopback() });
    assert_eq!(send(&knowing, &receiver.url("/push")).await, Ok(StatusCode::CREATED));
    // Being a known push service opens no door of its own.
    let public_only = OutboundConfig {
        push_hosts: vec![format!("127.0.0.1:{}", receiver.port()).parse().unwrap()],
        ..OutboundConfig::default()
    };
    assert_eq!(send(&guard(public_only), &receiver.url("/push")).await, Err(OutboundError::RefusedAddress));
}

/// The environment is read when the client is built, so the test does that in a second process with one of its own.
#[tokio::test]
async fn a_proxy_in_the_environment_is_ignored() {
    const TARGET: &str = "COUNTERSIGN_TEST_POSTS_TO";
    #[expect(clippy::disallowed_methods, reason = "the second process is told by its environment what it is")]
    let told = env::var(TARGET);
    if let Ok(target) = told {
        let status = post(&guard(allowing_loopback()), &target.parse().unwrap()).await;
        assert_eq!(status, Ok(StatusCode::NO_CONTENT));
        return;
    }

    let (target, proxy) = (Receiver::start(Answer::Status(204)), Receiver::start(Answer::Status(500)));
    let mut second = Command::new(env::current_exe().unwrap());
    second.args(["--exact", "outward::guard::a_proxy_in_the_environment_is_ignored", "--nocapture"]);
    second.env(TARGET, target.url("/hook").as_str()).env_remove("NO_PROXY").env_remove("no_proxy");
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        second.env(variable, proxy.url("").as_str());
    }
    let output = tokio::task::spawn_blocking(move || second.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(target.received().len(), 1);
    assert!(proxy.received().is_empty());
}
