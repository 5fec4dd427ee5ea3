//! Webhooks as a backend gets them; the signature is checked by Python's own HMAC.

use std::process::Command;

use countersign::adapters::outbound::OutboundConfig;
use countersign::adapters::webhooks::Webhooks;
use countersign::ports::outward::{WebhookAnswer, WebhookMessage, WebhookSender};

use super::receiver::{Answer, Receiver};
use super::{allowing_loopback, guard, noon};
use crate::support::servers::free_port;

/// The signature of a secret over `id.timestamp.body`, as the specification words it.
fn expected(secret: &[u8], signed: &str) -> String {
    const SCRIPT: &str = "import base64, hashlib, hmac, sys\n\
        tag = hmac.new(bytes.fromhex(sys.argv[1]), sys.argv[2].encode(), hashlib.sha256)\n\
        print('v1,' + base64.b64encode(tag.digest()).decode(), end='')";
    let secret = data_encoding::HEXLOWER.encode(secret);
    let output = Command::new("/usr/bin/python3").args(["-c", SCRIPT, &secret, signed]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

async fn answer_of(answer: Answer) -> WebhookAnswer {
    let receiver = Receiver::start(answer);
    let message =
        WebhookMessage { url: &receiver.url("/"), id: "msg_1", at: noon(), body: "{}", secrets: &[vec![1; 24]] };
    let given = Webhooks::new(guard(allowing_loopback())).post(message).await;
    assert_eq!(receiver.received().len(), 1);
    given
}

#[tokio::test]
async fn a_backend_can_check_who_wrote() {
    let receiver = Receiver::start(Answer::Status(200));
    let secrets = [vec![0xA5; 32], vec![0x5A; 24]];
    let body = r#"{"type":"approval.released","data":{"version":3,"note":"é"}}"#;
    let message = WebhookMessage {
        url: &receiver.url("/hooks?of=harbour"),
        id: "msg_0192_3",
        at: noon(),
        body,
        secrets: &secrets,
    };
    let answer = Webhooks::new(guard(allowing_loopback())).post(message).await;
    assert_eq!(answer, WebhookAnswer::Status(200));

    let received = receiver.received();
    let [request] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(request.path, "/hooks?of=harbour");
    assert_eq!(request.body, body.as_bytes());
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("webhook-id"), Some("msg_0192_3"));
    assert_eq!(request.header("webhook-timestamp"), Some("1795262400"));
    let signed = format!("msg_0192_3.1795262400.{body}");
    let signatures = format!("{} {}", expected(&secrets[0], &signed), expected(&secrets[1], &signed));
    assert_eq!(request.header("webhook-signature"), Some(signatures.as_str()));
}

#[tokio::test]
async fn whatever_comes_back_is_told_as_it_is() {
    for status in [200, 204, 304, 400, 410, 429, 500, 503] {
        assert_eq!(answer_of(Answer::Status(status)).await, WebhookAnswer::Status(status));
    }
    let elsewhere = Answer::Redirect("http://127.0.0.1:9/".to_owned());
    assert_eq!(answer_of(elsewhere).await, WebhookAnswer::Status(302));
    assert_eq!(answer_of(Answer::Endless).await, WebhookAnswer::Status(200));
}

#[tokio::test]
async fn what_never_came_back_is_told_in_one_word() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/").parse().unwrap();
    let long = "x".repeat(20_000);
    let secrets = [vec![1; 24]];
    let unsigned = |body| WebhookMessage { url: &url, id: "msg_1", at: noon(), body, secrets: &[] };
    let signed = |body| WebhookMessage { secrets: &secrets, ..unsigned(body) };

    let webhooks = Webhooks::new(guard(allowing_loopback()));
    assert_eq!(webhooks.post(signed("{}")).await, WebhookAnswer::Failed("connect"));
    assert_eq!(webhooks.post(signed(&long)).await, WebhookAnswer::Failed("too_large"));
    assert_eq!(webhooks.post(unsigned("{}")).await, WebhookAnswer::Failed("other"));
    let strict = Webhooks::new(guard(OutboundConfig::default()));
    assert_eq!(strict.post(signed("{}")).await, WebhookAnswer::Failed("refused_address"));
}
