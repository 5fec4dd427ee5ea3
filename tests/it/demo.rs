//! The demo as a person starts it: the built binary, on free ports, in a folder of its own.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::Url;

/// The story takes about ten seconds; a busy machine may take longer.
const BOUND: Duration = Duration::from_secs(120);

fn demo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.arg("demo").args(arguments).env("TMPDIR", folder).kill_on_drop(true);
    command
}

fn left_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn the_story_comes_out_right() {
    let folder = TempDir::new().expect("a folder");
    let told = timeout(BOUND, demo(folder.path(), &["--auto"]).output()).await;
    let output = told.expect("an end in time").expect("the demo");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    for line in [
        "ok      five wrong codes (expected 403 code-wrong; saw 403 code-wrong)",
        "ok      the exchange, after a signed webhook and a right receipt (expected sent; saw sent)",
        "ok      signed webhooks told (expected cooling, released, redeemed; saw cooling, released, redeemed)",
        "ok      the record, once rejected (expected rejected holder_rejected; saw rejected holder_rejected)",
        "ok      the record, once stopped by link (expected cancelled link_stopped; saw cancelled link_stopped)",
        "ok      the record, once its time was over (expected expired unanswered; saw expired unanswered)",
        "ok      the passkey's signature for 50 used for 5000 (expected 403 ceremony-failed; saw 403 ceremony-failed)",
        "ok      the same phone asks for a prompt (expected 403 not-distinct; saw 403 not-distinct)",
        "ok      then redeem (expected 409 conflict; saw 409 conflict)",
        "checks were right.",
    ] {
        assert!(text.contains(line), "{line:?} isn't in\n{text}");
    }
    assert!(!text.contains("FAILED") && !text.contains('\r'), "{text}");
    assert_eq!(left_in(folder.path()), Vec::<String>::new());
}

/// The demo for a person, and where its guide says the two servers are.
pub struct Tour {
    child: Child,
    pub exchange: Url,
    pub countersign: Url,
    folder: TempDir,
    client: reqwest::Client,
    /// What it said after the first lines of its guide.
    said: Arc<Mutex<Vec<String>>>,
}

impl Tour {
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut command = demo(folder.path(), &["--port", "0", "--exchange-port", "0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the demo");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut place = async |name: &str| loop {
            let line = lines.next_line().await.expect("a line").expect("the guide before the end");
            if let Some(address) = line.trim().strip_prefix(name) {
                return address.trim().parse().expect("an address");
            }
        };
        let (exchange, countersign) =
            timeout(BOUND, async { (place("Harbour, a sample exchange").await, place("Countersign  ").await) })
                .await
                .expect("a guide in time");
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let more = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                more.lock().expect("the lines").push(line);
            }
        });
        #[expect(clippy::disallowed_methods, reason = "a browser is another program, with a client of its own")]
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { child, exchange, countersign, folder, client, said }
    }

    fn at(&self, path: &str) -> Url {
        self.exchange.join(path).expect("an address")
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.client.get(self.at(path)).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().expect("text").to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        answer.text().await.expect("a page")
    }

    async fn form(&self, path: &str, origin: &str, body: &'static str) -> reqwest::Response {
        let request = self.client.post(self.at(path)).header("origin", origin);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        request.send().await.expect("an answer")
    }

    /// Ctrl-C, as a terminal sends it.
    pub async fn interrupt(mut self) -> TempDir {
        let id = self.child.id().expect("a running demo").to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().await.expect("kill");
        assert!(sent.success());
        let status = timeout(BOUND, self.child.wait()).await.expect("an end in time").expect("a status");
        assert!(status.success(), "{status}");
        self.folder
    }
}

#[tokio::test]
async fn a_person_can_click_through_the_exchange() {
    let tour = Tour::start().await;
    let own = tour.exchange.origin().ascii_serialization();

    let withdraw = tour.page("/").await;
    assert!(withdraw.contains("First, add a phone") && withdraw.contains("Next: answer on your phone"));
    let asked = tour.form("/phone", &own, "").await;
    assert_eq!((asked.status().as_u16(), &asked.headers()["location"]), (303, &"/phone".parse().unwrap()));
    let phone = tour.page("/phone").await;
    assert!(phone.contains(&format!("href=\"{}e/", tour.countersign)), "{phone}");
    assert!(phone.contains("src=\"data:image/svg+xml;base64,"));
    crate::support::eventually::eventually("a code in the inbox", async || {
        tour.page("/inbox").await.contains("class=\"code\"").then_some(())
    })
    .await;
    // The terminal says that something came, and nothing that somebody looking on could use.
    let line = crate::support::eventually::eventually("a line about it", async || {
        let said = tour.said.lock().expect("the lines");
        said.iter().find(|line| line.contains("→ inbox of ")).cloned()
    })
    .await;
    let inbox = tour.page("/inbox").await;
    let (_, code) = inbox.split_once("class=\"code\"").expect("a code");
    let code: String = code.chars().skip_while(|c| *c != '>').filter(char::is_ascii_digit).take(6).collect();
    assert_eq!(code.len(), 6, "{inbox}");
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    assert!(!digits.contains(&code) && !line.contains("://"), "{line}");

    // Without a phone nothing can be withdrawn; the form comes back with what was typed and the reason.
    let typed = "amount=0.5&unit=BTC&payee=%3Cb%3EEve&account=bc1qexample&reference=";
    let refused = tour.form("/withdraw", &own, typed).await;
    assert_eq!(refused.status(), 422);
    let page = refused.text().await.expect("a page");
    assert!(page.contains("no device that could approve") && page.contains("value=\"0.5\""), "{page}");
    assert!(!page.contains("<b>Eve"), "{page}");
    let wrong = tour.form("/withdraw", &own, "amount=1e9&unit=BTC&payee=&account=+&reference=").await;
    let page = wrong.text().await.expect("a page");
    for words in ["digits after the point", "Write who it is for.", "Paste the address"] {
        assert_eq!(page.matches(words).count(), 2, "in the summary and at the field: {words}");
    }

    // Another site's form is refused, and so is a webhook that nobody signed.
    assert_eq!(tour.form("/person", "https://elsewhere.example", "").await.status(), 403);
    assert_eq!(tour.form("/hooks/countersign", &own, "{}").await.status(), 400);
    for file in ["app.css", "exchange.css", "follow.js", "total.js"] {
        tour.page(&format!("/static/{file}")).await;
    }
    let folder = tour.interrupt().await;
    assert_eq!(left_in(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn no_page_of_the_exchange_runs_a_script_of_its_own() {
    let tour = Tour::start().await;
    for path in ["/", "/phone", "/inbox"] {
        let page = tour.page(path).await;
        let scripts = page.matches("<script").count();
        assert_eq!(page.matches("<script type=\"module\" src=\"/static/").count(), scripts, "{path}");
        assert!(!page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick="), "{path}");
        assert!(!page.contains("http-equiv"), "{path}");
    }
    tour.interrupt().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let folder = TempDir::new().expect("a folder");
    let output = timeout(BOUND, demo(folder.path(), &["--auto", "--port", &port]).output()).await;
    let output = output.expect("an end in time").expect("the demo");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("port {port} is taken")), "{said}");
    assert_eq!(left_in(folder.path()), Vec::<String>::new());
}
