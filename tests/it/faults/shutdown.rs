//! A node that is told to end by SIGTERM with everything in its hands: requests that wait for the database, a long
//! poll, a live page, a timer that it has claimed, a webhook that isn't answered yet.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::chance::Chance;
use super::deployment::{Deployment, Options};
use super::holder::Holder;
use super::phone::Cookies;
use crate::support::backend::transfer;
use crate::support::eventually::{BOUND, eventually};

/// An operator's tools kill what takes longer.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
const CREATES: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_is_told_to_end_finishes_what_it_has_in_its_hands() {
    let mut chance = Chance::of("shutdown");
    // The other node only answers, so that what is claimed or leased is this one's.
    let options = Options { roles: &["all", "api"], hold: 10, life: 120, ..Options::default() };
    let mut deployment = Deployment::start(options).await;
    let (gateway, url) = (deployment.gateway(), deployment.postgres.url("postgres"));
    let mut holder = Holder::enrolled(&deployment, &gateway, "shutdown", chance.fork()).await;
    let others = ["shutdown-1", "shutdown-2"];
    for subject in others {
        Holder::enrolled(&deployment, &gateway, subject, chance.fork()).await;
    }
    let port = deployment.nodes[0].port();
    let bearer = format!("authorization: Bearer {}\r\n", deployment.secret);

    // A long poll and a live page, of one that nobody will answer.
    let (stopped, waiting) = (holder.place().await, holder.place().await);
    let path = format!("/v1/approvals/{}?wait=60&version=1", waiting.id);
    let poll = Raw::send(port, "GET", &path, &bearer, "").await;
    let cookie = format!("cookie: {}\r\n", holder.phone.cookies());
    let mut live = Raw::send(port, "GET", &format!("/a/{}/events", waiting.id), &cookie, "").await;
    live.read_until("event: status").await;

    // A release that is due soon, and a webhook that is under way: its receiver doesn't answer yet.
    let released = holder.place().await;
    holder.watch(&released, &mut Cookies::default()).await;
    assert!(holder.approve(&released).await);
    wait_until_told(&url).await;
    deployment.hooks.hold();
    deployment.backend(0).cancel(&stopped.id).await.expect(200);
    deployment.ledger.cancelled(&stopped.id);
    eventually("a webhook", async || deployment.hooks.messages().values().find(|bodies| is_stop(bodies)).map(drop))
        .await;

    // The audit log is locked, so that nothing is stored: the release is claimed and waits, and so do the creates.
    let mut lock = PgConnection::connect(&url).await.expect("a database");
    let mut held = lock.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE audit IN EXCLUSIVE MODE").execute(&mut *held).await.expect("a lock");
    eventually("the release to be claimed", async || (leases(&deployment) == 1).then_some(())).await;
    let mut creates = Vec::new();
    for number in 0..CREATES {
        let body = transfer(others[number % others.len()], &format!("in-hand-{number}")).to_string();
        let headers = format!("{bearer}idempotency-key: in-hand-{number}\r\ncontent-type: application/json\r\n");
        creates.push(Raw::send(port, "POST", "/v1/approvals", &headers, &body).await);
    }
    for request in creates.iter().chain([&poll]) {
        eventually("the node to have read a request", async || request.is_read().then_some(())).await;
    }

    deployment.nodes[0].terminate();
    let told = Instant::now();
    eventually("the node to take no new connection", async || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err().then_some(())
    })
    .await;
    held.commit().await.expect("an end of the lock");
    deployment.hooks.answer();

    for request in creates {
        let answer = request.rest().await;
        assert!(answer.starts_with("HTTP/1.1 201"), "a create that was in hand got: {answer:?}");
        deployment.ledger.saw(&body(&answer));
    }
    let answer = poll.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "a long poll that was in hand got: {answer:?}");
    assert_eq!(body(&answer)["state"], "pending");
    let page = live.rest().await;
    assert!(page.ends_with("0\r\n\r\n"), "a live page was cut off: {page:?}");

    let status = eventually("the node to end", async || deployment.nodes[0].ended()).await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(told.elapsed() < ENDS_WITHIN, "it took {:?}", told.elapsed());

    assert_eq!(leases(&deployment), 0, "timers are leased to a node that has ended");
    let mut connection = PgConnection::connect(&url).await.expect("a database");
    let leased: Vec<String> = sqlx::query_scalar(LEASED).fetch_all(&mut connection).await.expect("a query");
    assert!(leased.is_empty(), "leased to a node that has ended: {leased:?}");
    let tries: Vec<(String, i64)> =
        sqlx::query_as("SELECT status, attempts FROM deliveries WHERE body LIKE '%cancelled%'")
            .fetch_all(&mut connection)
            .await
            .expect("a query");
    assert_eq!(tries, [("delivered".to_owned(), 1)], "the webhook that was under way");

    deployment.nodes[0].start_again();
    deployment.check(&url).await;
    assert_eq!(deployment.hooks.messages().values().filter(|bodies| bodies.len() > 1).count(), 0, "told twice");
}

const LEASED: &str = "SELECT format('a notice: %s', purpose) FROM notices \
    WHERE status = 'queued' AND next_at > clock_timestamp() \
    UNION ALL SELECT format('a webhook: %s', message_id) FROM deliveries \
    WHERE status = 'queued' AND next_at > clock_timestamp()";

/// Timers that some node has claimed.
fn leases(deployment: &Deployment) -> u64 {
    let count = |shard: u32| deployment.redis.command(&["ZCARD", &format!("{{cs:tm:{shard}}}:lease")]);
    (0..16).map(|shard| count(shard).parse::<u64>().expect("a number")).sum()
}

/// Until everything is sent, so that nothing else is under way afterwards.
async fn wait_until_told(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("a database");
    let waiting = "SELECT (SELECT count(*) FROM notices WHERE status = 'queued') + \
                   (SELECT count(*) FROM deliveries WHERE status = 'queued')";
    eventually("everything to be sent", async || {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut connection).await.expect("a query");
        (waiting == 0).then_some(())
    })
    .await;
}

fn is_stop(bodies: &[Value]) -> bool {
    bodies.iter().any(|body| body["type"] == "approval.cancelled")
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).expect("JSON")
}

/// A request on a connection of its own, whose fate on the way can be looked at.
struct Raw {
    stream: TcpStream,
    port: u16,
}

impl Raw {
    async fn send(port: u16, method: &str, path: &str, headers: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a connection");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("a request on its way");
        Self { stream, port }
    }

    /// Whether the node has taken all that was sent from its socket (proc(5), /proc/net/tcp: addresses, the state, of
    /// which 01 is an established connection, and the bytes that wait to be sent and to be read, all in hexadecimal).
    fn is_read(&self) -> bool {
        let near = self.stream.local_addr().expect("an address").port();
        let (server, client) = (format!("0100007F:{:04X}", self.port), format!("0100007F:{near:04X}"));
        let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
        table.lines().any(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            columns.len() > 4
                && (columns[1], columns[2], columns[3]) == (server.as_str(), client.as_str(), "01")
                && columns[4].ends_with(":00000000")
        })
    }

    async fn read_until(&mut self, words: &str) {
        let mut seen = Vec::new();
        let reading = async {
            while !String::from_utf8_lossy(&seen).contains(words) {
                let count = self.stream.read_buf(&mut seen).await.expect("an answer");
                assert!(count > 0, "it ended with {:?}", String::from_utf8_lossy(&seen));
            }
        };
        timeout(BOUND, reading).await.expect("an answer in time");
    }

    async fn rest(mut self) -> String {
        let mut rest = String::new();
        let reading = self.stream.read_to_string(&mut rest);
        timeout(BOUND, reading).await.expect("an end in time").expect("an answer that isn't cut off");
        rest
    }
}
