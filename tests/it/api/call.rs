//! One request, written byte for byte, so that it may be as wrong as a test wants it; and its answer.

use serde_json::Value;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::contract;

/// A request in the making.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    /// The pattern of the route, under which the answer stands in the document.
    pub template: &'static str,
    parts: Vec<(String, String)>,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub text: String,
}

impl Call {
    pub fn new(method: &str, template: &'static str) -> Self {
        Self {
            method: method.to_owned(),
            template,
            parts: Vec::new(),
            query: String::new(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub fn get(template: &'static str) -> Self {
        Self::new("GET", template)
    }

    pub fn post(template: &'static str) -> Self {
        Self::new("POST", template)
    }

    /// Fills a part of the path in, encoded.
    #[must_use]
    pub fn part(self, name: &str, value: &str) -> Self {
        let mut encoded = String::new();
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' => encoded.push(char::from(byte)),
                other => write!(encoded, "%{other:02X}").unwrap(),
            }
        }
        self.raw_part(name, &encoded)
    }

    /// Fills a part of the path in as it is; the last one of a name counts.
    #[must_use]
    pub fn raw_part(mut self, name: &str, value: &str) -> Self {
        self.parts.retain(|(known, _)| known != name);
        self.parts.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Appends a query as it is.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        self.query = format!("?{query}");
        self
    }

    #[must_use]
    pub fn with_method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    fn target(&self) -> String {
        let path = self
            .parts
            .iter()
            .fold(self.template.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        format!("{path}{}", self.query)
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    #[must_use]
    pub fn key(self, secret: &str) -> Self {
        self.without("authorization").header("Authorization", format!("Bearer {secret}"))
    }

    /// The `Idempotency-Key`.
    #[must_use]
    pub fn once(self, key: &str) -> Self {
        self.without("idempotency-key").header("Idempotency-Key", key)
    }

    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.raw_json(body.to_string())
    }

    /// A body that says it is JSON.
    #[must_use]
    pub fn raw_json(self, body: impl Into<Vec<u8>>) -> Self {
        self.without("content-type").header("Content-Type", "application/json").body(body)
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The body, which must be JSON.
    pub fn json_body(&self) -> Value {
        serde_json::from_slice(self.body.as_deref().unwrap_or_default()).expect("a JSON body")
    }

    /// Sends it on a connection of its own, and holds the answer against the document.
    pub async fn send(&self, to: SocketAddr) -> Answer {
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n", self.method, self.target()).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        let body = self.body.as_deref().unwrap_or_default();
        if self.body.is_some() {
            head.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(body);
        let answer = exchange(to, &head).await;
        let kind = answer.header("content-type").map(str::to_owned);
        // RFC 9110 section 9.3.2: an answer to HEAD has the headers and no body.
        if self.method == "HEAD" {
            return answer;
        }
        contract::check(&self.method, self.template, answer.status, kind.as_deref(), &answer.text);
        if answer.status < 300 {
            contract::check_request(&self.method, self.template, &String::from_utf8_lossy(body));
        }
        answer
    }
}

/// Sends bytes and reads until the other side closes.
pub async fn exchange(to: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).await.expect("the service listens");
    // The service may answer and close before it has read everything; what it said is still there to read.
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    let read = stream.read_to_end(&mut heard).await;
    assert!(!heard.is_empty(), "no answer: {read:?}");
    Answer::parse(&heard)
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&bytes[..end]).expect("a head of text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let header = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self {
            status: status.expect("a status"),
            headers: lines.map(header).collect(),
            text: String::from_utf8(bytes[end + 4..].to_vec()).expect("a body of text"),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Checks the status and gives the body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Checks that it is this problem, with everything that a problem has, and gives its body.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.line().split(" [").next(), Some(format!("{status} {slug}").as_str()), "{}", self.text);
        self.json()
    }

    /// The field errors, one after the other; empty when there are none.
    pub fn text_of_errors(&self) -> String {
        if self.status >= 400 { self.line() } else { String::new() }
    }

    /// The problem in one line: status, slug, and which fields break which rules.
    #[track_caller]
    pub fn line(&self) -> String {
        assert!(self.status >= 400, "that was answered: {} {}", self.status, self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        let body = self.json();
        assert_eq!(body["status"], self.status);
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"), "{}", self.text);
        let slug = body["type"].as_str().and_then(|kind| kind.strip_prefix("https://countersign.dev/problems/"));
        let mut line = format!("{} {}", self.status, slug.expect("a type of ours"));
        if let Some(errors) = body["errors"].as_array() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let errors: Vec<String> =
                errors.iter().map(|e| format!("{} {}", text(&e["field"]), text(&e["message"]))).collect();
            write!(line, " [{}]", errors.join("; ")).unwrap();
        }
        line
    }
}

/// Replaces what differs from run to run: ids and secrets keep their kind, times and the rest of a body stay.
pub fn redacted(mut value: Value) -> Value {
    redact(&mut value);
    value
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                match name.as_str() {
                    "salt" | "digest" | "receipt" | "qr_svg" | "request_id" => *value = format!("[{name}]").into(),
                    _ => redact(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) => {
            if let Some(short) = short(text) {
                *text = short;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn short(text: &str) -> Option<String> {
    const PREFIXES: [&str; 10] =
        ["apr_", "dev_", "hld_", "chn_", "ntc_", "whe_", "whd_", "whsec_", "msg_test_", "msg_"];
    if let Some(prefix) = PREFIXES.into_iter().find(|prefix| text.starts_with(prefix)) {
        return Some(format!("{prefix}[…]"));
    }
    let url = text.starts_with("http://localhost/w/") || text.starts_with("http://localhost/e/");
    url.then(|| format!("{}[…]", &text[..19]))
}
