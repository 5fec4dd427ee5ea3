//! A standby takes over. With a synchronous one nothing that was acknowledged is lost; with an asynchronous one it
//! could be, and the service refuses to begin.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::chance::Chance;
use super::deployment::{Deployment, Options, database};
use super::holder::Holder;
use super::load::Load;
use super::node::PROGRAM;
use super::phone::Cookies;
use super::relay::Relay;
use crate::support::eventually::eventually;
use crate::support::servers::postgres::Postgres;
use crate::support::servers::redis::Redis;
use crate::support::servers::{Ending, Process, free_port};

const HOLDERS: u32 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_standby_takes_over_and_nothing_is_lost() {
    let mut chance = Chance::of("failover");
    let primary = database();
    let standby = primary.standby();
    primary.require_standby();
    eventually("a synchronous standby", async || (replication(&primary) == "sync").then_some(())).await;
    let relay = Relay::to(primary.port()).await;
    let database = Some(format!("postgres://postgres@127.0.0.1:{}/postgres", relay.port()));
    let mut deployment = Deployment::on(primary, Redis::start(), Options { database, ..Options::default() }).await;
    let mut load = Load::start(&deployment, HOLDERS, &mut chance).await;
    load.goes_on(60).await;
    eprintln!("the primary is gone after {} answers", load.gateway.answered());
    deployment.postgres.stop();
    standby.promote();
    relay.turn_to(standby.port());
    load.goes_on(60).await;
    eprintln!("{} transfers", load.finish().await);
    deployment.check(&standby.url("postgres")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn production_refuses_a_standby_that_may_be_behind() {
    let mut chance = Chance::of("asynchronous standby");
    let options = Options { roles: &["all"], hold: 20, life: 120, ..Options::default() };
    let mut deployment = Deployment::start(options).await;
    let gateway = deployment.gateway();
    let mut holder = Holder::enrolled(&deployment, &gateway, "standby", chance.fork()).await;
    let placed = holder.place().await;
    holder.watch(&placed, &mut Cookies::default()).await;
    assert!(holder.approve(&placed).await);
    // Its hold ends, and its holder was told; nobody is there to release it.
    let sql = |statement: &str| deployment.postgres.sql("postgres", statement);
    eventually("the notice of the hold", async || {
        (sql("SELECT count(*) FROM notices WHERE purpose = 'cooling' AND delivered_at IS NOT NULL") == "1")
            .then_some(())
    })
    .await;
    deployment.nodes[0].kill();
    let sql = |statement: &str| deployment.postgres.sql("postgres", statement);
    eventually("the end of the hold", async || {
        (sql("SELECT count(*) FROM approvals WHERE due_at < clock_timestamp()") == "1").then_some(())
    })
    .await;

    let _standby = deployment.postgres.standby();
    eventually("an asynchronous standby", async || (replication(&deployment.postgres) == "async").then_some(())).await;
    let (mut refused, _) = serve(&deployment, "refused");
    let status = eventually("the node to refuse", async || refused.ended()).await;
    assert_eq!(status.code(), Some(1));
    let words = refused.last_words();
    assert!(words.contains("commits asynchronously"), "{words}");
    assert_eq!(sql("SELECT state FROM approvals"), "cooling", "a node that refused to begin has released something");

    // Beside what else is wrong it is said, too.
    let unsafe_settings = production(&deployment, deployment.folder(), free_port()).replace("https://", "http://");
    let mut refused = serve_with(&deployment, "refused-for-both", &unsafe_settings);
    eventually("the node to refuse", async || refused.ended()).await;
    let words = refused.last_words();
    assert!(words.contains("must be https") && words.contains("commits asynchronously"), "{words}");

    deployment.postgres.require_standby();
    eventually("a synchronous standby", async || (replication(&deployment.postgres) == "sync").then_some(())).await;
    let (mut taken, port) = serve(&deployment, "taken");
    let address = ([127, 0, 0, 1], port).into();
    eventually("the node to serve", async || {
        assert!(taken.ended().is_none(), "{}", taken.last_words());
        countersign::keys::healthcheck(address).ok()
    })
    .await;
    eventually("the release", async || (sql("SELECT state FROM approvals") == "released").then_some(())).await;
}

fn replication(primary: &Postgres) -> String {
    primary.sql("postgres", "SELECT string_agg(sync_state, ',') FROM pg_stat_replication WHERE state = 'streaming'")
}

/// Starts a node of the profile for production, whose TLS a proxy in front of it would end.
fn serve(deployment: &Deployment, name: &str) -> (Process, u16) {
    let port = free_port();
    (serve_with(deployment, name, &production(deployment, deployment.folder(), port)), port)
}

fn serve_with(deployment: &Deployment, name: &str, settings: &str) -> Process {
    let config = deployment.folder().join(format!("{name}.toml"));
    fs::write(&config, settings).expect("a file in a folder of ours");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", PROGRAM, "--config"]).arg(&config).arg("serve");
    Process::start(command, &deployment.folder().join(format!("{name}.log")), Ending::Killed)
}

fn production(deployment: &Deployment, folder: &Path, port: u16) -> String {
    let (at, database, redis) = (folder.display(), deployment.postgres.url("postgres"), deployment.redis.url());
    format!(
        r#"[operator]
name = "Harbour"
[http]
listen = "127.0.0.1:{port}"
public_url = "https://approve.harbour.example"
[storage]
url = "{database}"
[redis]
url = "{redis}"
[keys]
master_file = "{at}/master.key"
receipt_file = "{at}/receipt.pem"
log_file = "{at}/log.pem"
[log]
high_water = "{at}/high-water"
[smtp]
host = "mail.harbour.example"
port = 587
from = "approvals@harbour.example"
"#
    )
}
