//! What stands before every page, over real HTTP: where an act comes from, and how often somebody unknown may try.

use countersign::web::routes;
use countersign::web::table::{Entry, Kind};

use super::stage::{Setup, Stage};
use crate::console::desk::client;

struct Answer {
    status: u16,
    text: String,
}

async fn act(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> Answer {
    let url = "http://localhost".parse().unwrap();
    let mut request = client(&url, stage.at).post(format!("http://{}{path}", stage.at));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    Answer { status: answer.status().as_u16(), text: answer.text().await.unwrap() }
}

/// The gate's own refusal, not that of a route behind it.
fn turned_away(answer: &Answer) -> bool {
    answer.status == 403 && answer.text.contains("It came from where such requests don't come from.")
}

fn filled(entry: &Entry) -> String {
    let part = |part: &str| if part.starts_with('{') { "zz".to_owned() } else { part.to_owned() };
    entry.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn only_our_own_pages_act_and_what_a_link_stops_works_from_anywhere() {
    let stage = Stage::new().await;
    let acts: Vec<&Entry> = routes::PAGES.iter().filter(|entry| entry.method == "POST").collect();
    assert!(acts.len() > 15);
    for entry in acts {
        let path = filled(entry);
        let by_link = entry.kind == Kind::StopsByLink;
        for elsewhere in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://elsewhere.example")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://elsewhere.example"), ("sec-fetch-site", "same-origin")],
        ] {
            let answer = act(&stage, &path, elsewhere).await;
            assert_eq!(turned_away(&answer), !by_link, "{path} {elsewhere:?}: {}", answer.status);
        }
        for ours in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("origin", "http://localhost")],
            // A form of a page without a referrer, as ours are (Fetch, section 3.2).
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
            // No browser.
            &[],
        ] {
            let answer = act(&stage, &path, ours).await;
            assert!(!turned_away(&answer), "{path} {ours:?}");
        }
        // The same form from a browser that doesn't know Fetch Metadata: it can stop, and nothing else.
        let answer = act(&stage, &path, &[("origin", "null")]).await;
        assert_eq!(turned_away(&answer), !entry.kind.stops(), "{path} from an old browser: {}", answer.status);
    }
}

#[tokio::test]
async fn one_customers_ipv6_addresses_share_a_rate_and_stopping_has_none() {
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let stage = Stage::with(Setup { tries_per_minute: 1, proxies, ..Setup::default() }).await;
    let from = async |path: &str, address: &str| act(&stage, path, &[("x-forwarded-for", address)]).await.status;
    assert_ne!(from("/e/zz/start", "2001:db8::1").await, 429);
    assert_eq!(from("/e/zz/start", "2001:db8::2").await, 429, "the same /64");
    assert_eq!(from("/e/zz/start", "2001:db8::ffff:1:2:3").await, 429, "the same /64");
    assert_ne!(from("/e/zz/start", "2001:db8:0:1::1").await, 429, "another customer");
    assert_ne!(from("/e/zz/start", "203.0.113.1").await, 429);
    assert_eq!(from("/e/zz/start", "203.0.113.1").await, 429);
    for entry in routes::PAGES.iter().filter(|entry| entry.kind.stops()) {
        for _ in 0..3 {
            assert_ne!(from(&filled(entry), "2001:db8::1").await, 429, "{}", entry.path);
        }
    }
}
