//! What stands before every page, over real HTTP: where an act comes from, and how often somebody unknown may try.

use countersign::web::routes;
use countersign::web::table::{Entry, Kind};

use super::call::Call;
use super::stage::{Setup, Stage};
use crate::console::desk::client;

struct Answer {
    status: u16,
    /// The cookie that it leaves, as it is sent back.
    cookie: Option<String>,
    text: String,
}

async fn act(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> Answer {
    let url = "http://localhost".parse().unwrap();
    let mut request = client(&url, stage.at).post(format!("http://{}{path}", stage.at));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(request).await
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let left = answer.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap());
    let cookie = left.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    Answer { status: answer.status().as_u16(), cookie, text: answer.text().await.unwrap() }
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

/// Whoever started a transfer on a train loses answers, and must not lose the page with them.
#[tokio::test]
async fn a_waiting_page_outlives_the_answer_that_remembers_its_browser() {
    let stage = Stage::new().await;
    let approval = stage.pending().await;
    let waiting: url::Url = approval["waiting_url"].as_str().unwrap().parse().unwrap();
    let client = client(&waiting, stage.at);
    let at = |below: &str| format!("http://{}{}{below}", stage.at, waiting.path());
    let loaded = read(client.get(at(""))).await;
    let mark = loaded.cookie.expect("a mark");
    let version =
        async || stage.send(Call::get("/v1/approvals/{id}").part("id", approval["id"].as_str().unwrap())).await;
    assert_eq!(version().await.expect(200)["version"], 1, "loading a page remembers nobody");
    let other = read(client.get(at(""))).await.cookie.expect("a mark");
    assert_ne!(mark, other, "two browsers with one mark");

    let (_, rest) = loaded.text.split_once("data-page-token=\"").unwrap();
    let body = serde_json::json!({"page_token": rest.split('"').next().unwrap(), "keys": []});
    let open = async |cookie: &str| read(client.post(at("/open")).header("cookie", cookie).json(&body)).await.status;
    // The first answer is lost, so nothing of it is kept.
    assert_eq!(open(&mark).await, 200);
    for below in ["", "/status"] {
        let mine = client.get(at(below)).header("cookie", &mark).send().await.unwrap();
        assert_eq!(mine.status(), 200, "{below}");
        let theirs = client.get(at(below)).header("cookie", &other).send().await.unwrap();
        assert_eq!(theirs.status(), 410, "{below}");
    }
    assert_eq!((open(&mark).await, open(&other).await), (200, 410));
    assert_eq!(
        read(client.get(at("")).header("cookie", &mark)).await.cookie,
        None,
        "the mark that is remembered stays"
    );
    assert_eq!(version().await.expect(200)["version"], 2);
}

#[tokio::test]
async fn a_name_that_mixes_alphabets_is_flagged_where_it_is_decided() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let client = client(&"http://localhost".parse().unwrap(), stage.at);
    let payee = "This name mixes two alphabets. Check it letter by letter.";
    let own = "The name of your account mixes two alphabets. Check it letter by letter.";
    let plain = ("Marta Nowak", "Everyday account, ending 4471");
    for (name, label, flags) in [
        (plain.0, plain.1, [false, false]),
        // The second letter is Cyrillic.
        ("M\u{430}rta Nowak", plain.1, [true, false]),
        (plain.0, "Everyd\u{430}y account", [false, true]),
        ("Марта Новак", "株式会社みどりサービス", [false, false]),
    ] {
        let mut body = stage.transfer(&subject);
        body["payee"]["name"] = name.into();
        body["source_account"]["label"] = label.into();
        let approval = stage.send_once(Call::post("/v1/approvals").json(&body)).await.expect(201);
        let id = approval["id"].as_str().unwrap();
        let page = client.get(format!("http://{}/a/{id}", stage.at)).header("cookie", format!("cs-device={subject}"));
        let page = read(page).await;
        assert!(page.status == 200 && page.text.contains(name) && page.text.contains(label), "{}", page.text);
        assert_eq!([payee, own].map(|note| page.text.contains(note)), flags, "{name}, {label}");
    }
}
