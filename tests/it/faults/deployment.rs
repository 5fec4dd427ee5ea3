//! A deployment: nodes over one PostgreSQL and one Redis, a mail server, and the backend's place for webhooks.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::gateway::Gateway;
use super::hooks::Hooks;
use super::ledger::Ledger;
use super::node::{Node, PROGRAM};
use crate::support::backend::Backend;
use crate::support::servers::postgres::{Postgres, PostgresOptions};
use crate::support::servers::redis::Redis;
use crate::support::servers::smtp::{Smtp, SmtpMode};

/// Where browsers think they are. Nobody listens there: the gateway knows the nodes' ports.
pub const ORIGIN: &str = "http://localhost:8400";

/// What a test may choose.
pub struct Options {
    /// The role of each node.
    pub roles: &'static [&'static str],
    /// Seconds.
    pub hold: u64,
    /// Seconds until nobody can answer any more, and from the release until nobody can redeem any more.
    pub life: u64,
    /// Where the nodes find PostgreSQL, if not where it is.
    pub database: Option<String>,
    /// Where a lone node answers the operator's questions.
    pub ops: Option<u16>,
}

impl Default for Options {
    fn default() -> Self {
        Self { roles: &["all", "all"], hold: 1, life: 25, database: None, ops: None }
    }
}

/// Everything, running.
pub struct Deployment {
    // The nodes go first, so that nothing they stand on is gone before them.
    pub nodes: Vec<Node>,
    pub postgres: Postgres,
    pub redis: Redis,
    pub smtp: Smtp,
    pub hooks: Hooks,
    pub ledger: Arc<Ledger>,
    /// Secret of a key with every scope.
    pub secret: String,
    pub hold: u64,
    folder: TempDir,
}

impl Deployment {
    /// Starts servers and nodes.
    pub async fn start(options: Options) -> Self {
        Self::on(database(), Redis::start(), options).await
    }

    /// Starts nodes on servers that are there, or that just were.
    pub async fn on(postgres: Postgres, redis: Redis, options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("countersign-nodes-").tempdir().expect("a temporary folder");
        countersign::keys::make(folder.path()).expect("key files");
        let smtp = Smtp::start(SmtpMode::Plain);
        let hooks = Hooks::start();
        let database = options.database.clone().unwrap_or_else(|| postgres.url("postgres"));
        let settings = |port: u16, role: &str| {
            settings(folder.path(), (port, role), &database, &redis.url(), smtp.port(), &options)
        };
        let start = |(number, role): (usize, &&'static str)| {
            Node::start(folder.path(), &format!("node-{number}"), role, settings)
        };
        let nodes: Vec<Node> = options.roles.iter().enumerate().map(start).collect();
        let secret = add_backend(nodes[0].config());
        let ledger = Arc::default();
        let deployment = Self { nodes, postgres, redis, smtp, hooks, ledger, secret, hold: options.hold, folder };
        let gateway = deployment.gateway();
        let body = json!({"url": deployment.hooks.url()});
        gateway.api("POST", "/v1/webhooks/endpoints", Some("the-only-endpoint"), Some(&body)).await.expect(201);
        deployment
    }

    /// A way in over all nodes that answer.
    pub fn gateway(&self) -> Gateway {
        Gateway::new(ORIGIN, self.nodes.iter().filter(|node| node.serves()).map(Node::port).collect(), &self.secret)
    }

    /// The API of one node.
    pub fn backend(&self, node: usize) -> Backend {
        let origin = format!("http://127.0.0.1:{}/", self.nodes[node].port()).parse().expect("a URL");
        Backend::new(origin, &self.secret)
    }

    /// What `/readyz` of a node says: its status, and the body.
    pub async fn readiness(&self, node: usize) -> (u16, Value) {
        let answer = self.backend(node).send("GET", "/readyz", None, None).await;
        (answer.status, answer.body)
    }

    /// A place for further files of this deployment.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A server with its own durability, which remembers when it committed what.
pub fn database() -> Postgres {
    let settings = vec![("track_commit_timestamp".to_owned(), "on".to_owned())];
    Postgres::start_with(PostgresOptions { settings, ..PostgresOptions::default() })
}

fn settings(
    folder: &Path,
    (port, role): (u16, &str),
    database: &str,
    redis: &str,
    smtp: u16,
    options: &Options,
) -> String {
    let at = folder.display();
    let Options { hold, life, .. } = options;
    // A node that only works is asked for its health on the listener for operations, the only one that it has.
    let listen = if role == "worker" { "listen = \"127.0.0.1:0\"\nops_listen" } else { "listen" };
    let ops = options.ops.map(|port| format!("ops_listen = \"127.0.0.1:{port}\"")).unwrap_or_default();
    format!(
        r#"profile = "bench"
[operator]
name = "Harbour"
issuer = "urn:countersign:faults"
[http]
{listen} = "127.0.0.1:{port}"
public_url = "{ORIGIN}"
{ops}
[storage]
url = "{database}"
[redis]
url = "{redis}"
[keys]
master_file = "{at}/master.key"
receipt_file = "{at}/receipt.pem"
log_file = "{at}/log.pem"
[smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"
from = "approvals@harbour.example"
[outbound]
allow = ["127.0.0.0/8"]
[policy]
hold_seconds = {hold}
life_seconds = {life}
hold_cap_seconds = 600
redeem_within_seconds = {life}
[holds]
new_device_seconds = 0
new_channel_seconds = 0
[limits]
notices_per_minute = 1000000
tries_per_minute = 1000000
key_per_minute = 1000000
"#
    )
}

/// What an operator does once: `countersign backend add`, which shows the key's secret.
fn add_backend(config: &Path) -> String {
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(config).args(["backend", "add", "Harbour Exchange"]);
    let output = command.output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let secret = text.lines().find_map(|line| line.strip_prefix("secret   "));
    secret.unwrap_or_else(|| panic!("no key: {}", String::from_utf8_lossy(&output.stderr))).to_owned()
}
