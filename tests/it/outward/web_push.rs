//! Web push as a browser gets it: a local push service takes the request, and Node's crypto reads it.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use countersign::adapters::channels::web_push::WebPush;
use countersign::adapters::channels::web_push::vapid::{BadVapid, Vapid};
use countersign::adapters::outbound::OutboundConfig;
use countersign::domain::channel::Address;
use countersign::ports::outward::{ChannelSender, SendError};
use data_encoding::BASE64URL_NOPAD;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::channel_suite::{self, Bench, assert_words};
use super::receiver::{Answer, Received, Receiver};
use super::{allowing_loopback, everything_said, guard, message, noon};
use crate::support::clock::ManualClock;
use crate::support::servers::free_port;

fn node(step: &str, given: &Value) -> Value {
    let script = include_str!("push_reader.mjs");
    let output = Command::new("node")
        .args(["--input-type=module", "--eval", script, "--", step, &given.to_string()])
        .output()
        .expect("node is installed; `make test-deps` installs what is missing");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A browser's subscription.
struct Browser {
    keys: Value,
}

impl Browser {
    fn new() -> Self {
        Self { keys: node("keys", &Value::Null) }
    }

    fn subscribed_at(&self, endpoint: &str) -> Address {
        let key = |name: &str| self.keys[name].as_str().unwrap();
        Address::web_push(endpoint, key("p256dh"), key("auth")).unwrap()
    }

    fn open(&self, request: &Received) -> Value {
        let authorization = request.header("authorization").unwrap();
        let body = BASE64URL_NOPAD.encode(&request.body);
        node("open", &json!({ "subscription": self.keys, "authorization": authorization, "body": body }))
    }
}

/// A fresh P-256 key in PKCS#8 PEM.
fn key() -> SecretString {
    let output = Command::new("openssl")
        .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().into()
}

fn vapid() -> Arc<Vapid> {
    Arc::new(Vapid::from_pem(&key(), "mailto:security@harbour.example").unwrap())
}

/// A sender that takes these local servers for push services.
fn sender(ports: &[u16], vapid: &Arc<Vapid>) -> Arc<dyn ChannelSender> {
    let push_hosts = ports.iter().map(|port| format!("127.0.0.1:{port}").parse().unwrap()).collect();
    let guard = guard(OutboundConfig { push_hosts, ..allowing_loopback() });
    Arc::new(WebPush::new(guard, Arc::clone(vapid), Arc::new(ManualClock::at(noon()))))
}

#[tokio::test]
async fn conforms() {
    let (taking, ended, unknown) = (
        Receiver::start(Answer::Status(201)),
        Receiver::start(Answer::Status(410)),
        Receiver::start(Answer::Status(404)),
    );
    let (failing, busy) = (Receiver::start(Answer::Status(503)), Receiver::start(Answer::Status(429)));
    let elsewhere = Receiver::start(Answer::Redirect(taking.url("/push/other").to_string()));
    let nobody = free_port();
    let browser = Browser::new();
    let at = |port: u16| browser.subscribed_at(&format!("http://127.0.0.1:{port}/push/secretsubscription"));
    let known: Vec<u16> = [&taking, &ended, &unknown, &failing, &busy, &elsewhere].map(Receiver::port).to_vec();
    let vapid = vapid();
    let sender = sender(&[known.clone(), vec![nobody]].concat(), &vapid);
    let off_the_curve = [vec![4], vec![7; 64]].concat();
    let auth = BASE64URL_NOPAD.encode(&[1; 16]);
    let bench = Bench {
        sender: Arc::clone(&sender),
        good: at(taking.port()),
        refused: vec![
            at(ended.port()),
            at(unknown.port()),
            Address::web_push(taking.url("/").as_str(), &BASE64URL_NOPAD.encode(&off_the_curve), &auth).unwrap(),
            Address::WebPush { endpoint: "nowhere".to_owned(), p256dh: String::new(), auth: String::new() },
        ],
        unreachable: [failing.port(), busy.port(), elsewhere.port(), nobody]
            .map(|port| (Arc::clone(&sender), at(port)))
            .to_vec(),
        secrets: ["127.0.0.1", "evil", "secretsubscription", "vapid", "what came back"].map(str::to_owned).to_vec(),
    };
    channel_suite::run(&bench).await;

    let received = taking.received();
    assert_eq!(received.len(), 2);
    for (request, number) in received.iter().zip([1, 2]) {
        let plain = browser.open(request)["plain"].as_str().unwrap().to_owned();
        let payload: Value = serde_json::from_str(&plain).unwrap();
        let shown = format!("{}\n{}", payload["body"].as_str().unwrap(), payload["url"].as_str().unwrap());
        assert_words(&shown, &message(number));
    }
}

#[tokio::test]
async fn only_the_browser_reads_it_and_only_we_can_have_sent_it() {
    let service = Receiver::start(Answer::Status(201));
    let browser = Browser::new();
    let vapid = vapid();
    let sender = sender(&[service.port()], &vapid);
    let address = browser.subscribed_at(service.url("/push/abc?d=e").as_str());
    let mut later = message(1);
    later.notice = message(2).notice;
    later.body = vec!["It was approved.".to_owned()];
    later.useless_after = noon();
    for message in [message(1), later] {
        sender.send(&address, &message).await.unwrap();
    }

    let received = service.received();
    let [first, second] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(first.path, "/push/abc?d=e");
    assert_eq!(first.header("content-encoding"), Some("aes128gcm"));
    assert_eq!(first.header("ttl"), Some("900"));
    assert_eq!(second.header("ttl"), Some("0"));
    assert_eq!(first.header("urgency"), Some("high"));
    let topic = first.header("topic").unwrap();
    assert!(topic.len() == 16 && BASE64URL_NOPAD.decode(topic.as_bytes()).is_ok());
    // Both are about one approval, so the second takes the place of the first; and neither length says which is which.
    assert_eq!(second.header("topic"), Some(topic));
    assert_eq!(first.body.len(), second.body.len());
    assert!(first.body.len() < 3_000);
    assert_ne!(first.body, second.body);

    let opened = browser.open(first);
    let plain: Value = serde_json::from_str(opened["plain"].as_str().unwrap()).unwrap();
    let expected = json!({
        "title": "Harbour: a transfer is waiting for you",
        "body": "This money has not been sent.\nIf you didn’t start it, stop it.",
        "url": "https://approve.harbour.example/a/apr_0123456789abcdef0123456789abcdef",
        "tag": topic,
    });
    assert_eq!(plain, expected);

    let token = &opened["token"];
    assert_eq!(token["genuine"], true);
    assert_eq!(token["key"], vapid.public_key());
    assert_eq!(token["header"], json!({ "typ": "JWT", "alg": "ES256" }));
    let audience = format!("http://127.0.0.1:{}", service.port());
    let expires = noon().seconds() + 3600;
    assert_eq!(token["claims"], json!({ "aud": audience, "exp": expires, "sub": "mailto:security@harbour.example" }));
}

#[tokio::test]
async fn codes_stay_away_from_devices() {
    let service = Receiver::start(Answer::Status(201));
    let sender = sender(&[service.port()], &vapid());
    let mut with_code = message(1);
    with_code.code = Some("482913".to_owned());
    let address = Browser::new().subscribed_at(service.url("/push").as_str());
    let error = sender.send(&address, &with_code).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { .. }));
    assert!(service.received().is_empty());
}

/// What is refused here says nothing of the subscription: the operator's list may change, and a resolver may lie.
#[tokio::test]
async fn what_our_own_guard_refuses_is_not_gone() {
    let sender = sender(&[], &vapid());
    for place in ["https://push.evil.example/push/secretsubscription", "https://169.254.169.254/latest/meta-data"] {
        let error = sender.send(&Browser::new().subscribed_at(place), &message(1)).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{error:?}");
        let said = everything_said(&error);
        assert!(!said.contains("evil") && !said.contains("169.254") && !said.contains("secret"), "{said}");
    }
}

#[tokio::test]
async fn a_slow_push_service_is_tried_again() {
    let service = Receiver::start(Answer::Silence);
    let push_hosts = vec![format!("127.0.0.1:{}", service.port()).parse().unwrap()];
    let time_limit = Duration::from_millis(200);
    let guard = guard(OutboundConfig { push_hosts, time_limit, ..allowing_loopback() });
    let sender = WebPush::new(guard, vapid(), Arc::new(ManualClock::at(noon())));
    let address = Browser::new().subscribed_at(service.url("/push").as_str());
    let error = sender.send(&address, &message(1)).await.unwrap_err();
    assert!(matches!(error, SendError::Again { .. }), "{error:?}");
}

#[test]
fn a_push_key_is_p256_and_has_a_contact() {
    let public = Vapid::from_pem(&key(), "https://harbour.example/contact").unwrap();
    let point = BASE64URL_NOPAD.decode(public.public_key().as_bytes()).unwrap();
    assert_eq!((point.len(), point[0]), (65, 4));
    assert!(matches!(Vapid::from_pem(&key(), "security@harbour.example"), Err(BadVapid::Contact)));
    assert!(matches!(Vapid::from_pem(&"no key".to_owned().into(), "mailto:a@b.example"), Err(BadVapid::Pem(_))));
    assert!(matches!(Vapid::from_pkcs8(b"no key", "mailto:a@b.example"), Err(BadVapid::Key(_))));
}
