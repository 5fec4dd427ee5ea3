//! Notices on the phone: the page can be installed, the service worker shows what is pushed and leads only to our own
//! pages, and «on» is said when the server has said it.

use countersign::adapters::receipts::generate_pem;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

use super::world::HOLDER;
use super::{Browser, Screen, World};
use crate::support::app::Options;

const SERVICE_WORKER: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/static/sw.js"));
/// A browser under test reaches no push service, so it has this subscription: the keys of RFC 8291, appendix A.
const SUBSCRIBED: &str = r#"
const given = { endpoint: "http://127.0.0.1:9/subscription", expirationTime: null, keys: {
    p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    auth: "BTBZMqHH6r4Tts7J_aSIgg" } };
const subscription = { toJSON: () => given };
PushManager.prototype.getSubscription = async () => (localStorage.getItem("subscribed") ? subscription : null);
PushManager.prototype.subscribe = async () => { localStorage.setItem("subscribed", "yes"); return subscription; };
"#;

async fn phone_with_push() -> (World, Browser) {
    let world = World::start(Options { push: Some(generate_pem().expect("a key")), ..Options::default() }).await;
    let phone = world.browser("the phone", Screen::Phone).await;
    let origin = phone.origin.origin().ascii_serialization();
    phone.devtools("Browser.grantPermissions", json!({"origin": origin, "permissions": ["notifications"]})).await;
    world.enrol(&phone).await;
    (world, phone)
}

/// What the service worker shows.
async fn shown(phone: &Browser) -> Vec<Value> {
    let look = "const registration = await navigator.serviceWorker.ready;
        const all = await registration.getNotifications();
        return all.map(({ title, body, tag, data }) => ({ title, body, tag, url: data.url }))";
    phone.run(look, Vec::new()).await.as_array().cloned().expect("a list")
}

/// A browser forgets a notice that a page asks for while it is still being put on the screen, so nobody asks sooner.
const PUT_ON_SCREEN: Duration = Duration::from_millis(500);

/// Hands the service worker a message, as the maker's push service would, until it is shown: a second one of the same
/// tag takes the place of the first. The browser counts its registrations from 0, and this origin has one.
async fn push(phone: &Browser, data: &str, title: &str) -> Value {
    let origin = phone.origin.origin().ascii_serialization();
    let message = json!({"origin": origin, "registrationId": "0", "data": data});
    let look = async || {
        phone.devtools("ServiceWorker.deliverPushMessage", message.clone()).await;
        sleep(PUT_ON_SCREEN).await;
        Ok(shown(phone).await.into_iter().find(|notice| notice["title"] == title))
    };
    phone.until(&format!("the notice «{title}»"), look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_shown_and_leads_to_our_own_pages_only() {
    let (_world, phone) = phone_with_push().await;
    phone.open("/").await;
    let install = "await navigator.serviceWorker.register('/sw.js', { scope: '/' });
        return (await navigator.serviceWorker.ready).active.scriptURL";
    let worker = phone.run(install, Vec::new()).await;
    assert_eq!(worker, phone.origin.join("/sw.js").expect("an address").as_str());
    let errors = phone.devtools("Page.getInstallabilityErrors", json!({})).await;
    assert_eq!(errors["installabilityErrors"], json!([]), "it can be put on the Home Screen");

    phone.devtools("ServiceWorker.enable", json!({})).await;
    let page = phone.origin.join("/a/apr_0192aaaaaaaa7aaaaaaaaaaaaaaaaaaa").expect("an address");
    let sent = json!({"title": "A transfer is waiting for you", "body": "Look.", "url": page.as_str(), "tag": "apr_1"});
    let notice = push(&phone, &sent.to_string(), "A transfer is waiting for you").await;
    assert_eq!(notice, sent);
    // What isn't ours or was cut off still shows something, or the browser would take the right to push away.
    let notice = push(&phone, "{\"title\":", "Your approvals").await;
    assert_eq!(notice["url"], "/");

    // A tap on it: the same script, with a window to open.
    let tap = format!(
        "const [urls] = given; const on = {{}}; const opened = [];
        const self = {{ location, registration: {{}}, skipWaiting() {{}},
            addEventListener: (name, act) => {{ on[name] = act; }},
            clients: {{ claim() {{}}, matchAll: async () => [], openWindow: async (href) => {{ opened.push(href); }} }} }};
        {SERVICE_WORKER}
        for (const url of urls) {{
            let work;
            on.notificationclick({{ notification: {{ close() {{}}, data: {{ url }} }}, waitUntil: (one) => {{ work = one; }} }});
            await work;
        }}
        return opened"
    );
    let urls = json!([page.as_str(), "/views", "https://evil.example/x", "//evil.example/x", "javascript:alert(1)"]);
    let opened = phone.run(&tap, vec![urls]).await;
    let (ours, home) = (|path: &str| phone.origin.join(path).expect("an address").to_string(), &phone.origin);
    let home = home.origin().ascii_serialization();
    assert_eq!(opened, json!([page.as_str(), ours("/views"), home, home, home]));
    phone.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_is_said_when_the_server_has_said_it() {
    let (world, phone) = phone_with_push().await;
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": SUBSCRIBED})).await;
    let channels = async || {
        let holder = world.bank.read_holder(HOLDER).await;
        let all = holder["channels"].as_array().cloned().expect("channels");
        all.iter().filter(|channel| channel["kind"] == "web_push").count()
    };
    phone.open("/").await;
    phone.says("#notices-card", "Notices are off on this phone.").await;
    phone.look("home-notices-off").await;
    phone.tap("#notices").await;
    phone.says("#notices-say", "Notices are on.").await;
    assert_eq!(channels().await, 1);

    // It asks again each time, and the server has one channel all the same.
    phone.open("/e/done").await;
    phone.says("#notices-say", "Notices are on.").await;
    phone.look("enrol-done-notices-on").await;
    assert_eq!(channels().await, 1);

    // A subscription of the browser alone is not enough.
    let cut = json!({"urls": ["*/push/subscribe"]});
    phone.devtools("Network.enable", json!({})).await;
    phone.devtools("Network.setBlockedURLs", cut).await;
    phone.open("/e/done").await;
    phone.shows("#notices").await;
    assert!(!phone.words().await.contains("Notices are on."), "nobody knows that they are");
    phone.tap("#notices").await;
    phone.says("#notices-say", "That did not work.").await;
    phone.open("/").await;
    phone.shows("#notices").await;
    // A request that is cut off here never left, and a browser says nothing of it.
    phone.was_quiet().await;
}
