//! The servers that the tests start: each starts, answers, comes back, and leaves no process behind.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::support::servers::postgres::{Durability, Postgres, PostgresOptions};
use crate::support::servers::redis::{Persistence, Redis, RedisCluster};
use crate::support::servers::smtp::{Smtp, SmtpMode};
use crate::support::servers::{free_port, is_running, wait_for};

#[test]
fn ports_are_handed_out_once_and_are_free() {
    let ports: Vec<u16> = (0..20).map(|_| free_port()).collect();
    let listeners: Vec<_> = ports.iter().map(|port| TcpListener::bind(("127.0.0.1", *port))).collect();
    assert!(listeners.iter().all(Result::is_ok), "{ports:?}");
}

#[test]
fn postgres_starts_answers_and_leaves_nothing() {
    let postgres = Postgres::start();
    assert_eq!(postgres.sql("postgres", "SELECT 1, current_setting('fsync')"), "1|on");
    let pid = postgres.pid().unwrap();
    let port = postgres.port();
    assert!(is_running(pid));

    drop(postgres);
    assert!(!is_running(pid));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn postgres_takes_options() {
    let postgres = Postgres::start_with(PostgresOptions {
        durability: Durability::KernelOnly,
        settings: vec![("max_connections".to_owned(), "7".to_owned())],
    });
    let shown = postgres.sql(
        "postgres",
        "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('max_connections')",
    );
    assert_eq!(shown, "off|on|7");
}

#[test]
fn postgres_databases_are_fresh_or_copies() {
    let postgres = Postgres::start_with(fast());
    let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    let first = name(&postgres.create_database());
    postgres.sql(&first, "CREATE TABLE kept (n int)");
    postgres.sql(&first, "INSERT INTO kept VALUES (4)");

    let copy = name(&postgres.create_database_from(&first));
    let fresh = name(&postgres.create_database());
    assert_eq!(postgres.sql(&copy, "SELECT n FROM kept"), "4");
    assert_eq!(postgres.sql(&fresh, "SELECT to_regclass('kept') IS NULL"), "t");
}

#[test]
fn postgres_comes_back_on_its_port_with_what_was_committed() {
    let mut postgres = Postgres::start();
    let (pid, port) = (postgres.pid().unwrap(), postgres.port());
    postgres.sql("postgres", "CREATE TABLE kept AS SELECT 7 AS n");

    postgres.restart_immediate();
    assert_eq!(postgres.port(), port);
    assert_ne!(postgres.pid().unwrap(), pid);
    assert_eq!(postgres.sql("postgres", "SELECT n FROM kept"), "7");

    postgres.stop();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    postgres.start_again();
    assert_eq!(postgres.sql("postgres", "SELECT n FROM kept"), "7");
}

#[test]
fn postgres_standby_has_every_commit_and_takes_over() {
    let mut primary = Postgres::start_with(fast());
    let standby = primary.standby();
    primary.require_standby();
    wait_for("the standby to be the one commits wait for", || {
        let state = primary.sql("postgres", "SELECT sync_state FROM pg_stat_replication");
        (state == "sync").then_some(())
    });
    primary.sql("postgres", "CREATE TABLE kept AS SELECT 9 AS n");
    primary.stop();

    standby.promote();
    assert_eq!(standby.sql("postgres", "SELECT n, pg_is_in_recovery() FROM kept"), "9|f");
}

#[test]
fn redis_starts_answers_and_leaves_nothing() {
    let redis = Redis::start();
    let mut connection = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    connection.write_all(b"PING\r\n").unwrap();
    assert_eq!(line(&mut BufReader::new(connection)), "+PONG");
    assert!(redis.url().ends_with(&format!(":{}/0", redis.port())));

    let pid = redis.pid().unwrap();
    assert!(is_running(pid));
    drop(redis);
    assert!(!is_running(pid));
}

#[test]
fn redis_forgets_or_keeps_as_it_was_told() {
    let mut forgetful = Redis::start();
    forgetful.command(&["SET", "a", "1"]);
    forgetful.restart();
    assert_eq!(forgetful.command(&["EXISTS", "a"]), "0");

    let mut keeping = Redis::start_with(Persistence::AppendOnly);
    let port = keeping.port();
    keeping.command(&["SET", "a", "1"]);
    keeping.kill();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    keeping.restart();
    assert_eq!(keeping.port(), port);
    assert_eq!(keeping.command(&["GET", "a"]), "1");
    keeping.flush_all();
    assert_eq!(keeping.command(&["DBSIZE"]), "0");
}

#[test]
fn redis_cluster_serves_every_slot_and_leaves_nothing() {
    let mut cluster = RedisCluster::start(3);
    assert_eq!(cluster.urls().len(), 3);
    let pids: Vec<u32> = cluster.nodes().iter().map(|node| node.pid().unwrap()).collect();
    let first = &cluster.nodes()[0];
    let port = first.port().to_string();
    // -c follows the redirection to the node that has the slot.
    let answer = Command::new("redis-cli").args(["-c", "-e", "-p", &port, "SET", "{tm:3}:due", "1"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "OK");

    drop(cluster);
    assert!(!pids.into_iter().any(is_running));
}

#[test]
fn smtp_keeps_a_mail_and_refuses_whom_it_is_told_to() {
    let mut smtp = Smtp::start(SmtpMode::Plain);
    let mut client = Dialogue::open(&smtp);
    client.says("EHLO tests", "250");
    client.says("MAIL FROM:<from@example.test>", "250");
    client.says("RCPT TO:<refused@example.test>", "550");
    client.says("RCPT TO:<later@example.test>", "451");
    client.says("RCPT TO:<holder@example.test>", "250");
    client.says("DATA", "354");
    client.says("Subject: One\r\n\r\nHello.\r\n.", "250");

    let mails = smtp.wait_for_messages(1);
    assert_eq!(mails[0].from, "from@example.test");
    assert_eq!(mails[0].to, ["holder@example.test"]);
    assert_eq!(mails[0].source, "Subject: One\r\n\r\nHello.\r\n");

    let (pid, port) = (smtp.pid().unwrap(), smtp.port());
    smtp.kill();
    assert!(!is_running(pid));
    smtp.start_again();
    assert_eq!(smtp.port(), port);
    assert_eq!(smtp.messages().len(), 1);
    let pid = smtp.pid().unwrap();
    drop(smtp);
    assert!(!is_running(pid));
}

#[tokio::test]
async fn smtp_with_starttls_wants_encryption_and_a_login() {
    let smtp = Smtp::start(SmtpMode::StartTlsAuth);
    let mut client = Dialogue::open(&smtp);
    client.says("EHLO tests", "250");
    client.says("MAIL FROM:<from@example.test>", "530");

    let authority = std::fs::read(smtp.ca_pem_path().unwrap()).unwrap();
    let transport = |password: &str| {
        let trusted = TlsParameters::builder(smtp.host().to_owned())
            .add_root_certificate(Certificate::from_pem(&authority).unwrap())
            .build()
            .unwrap();
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host())
            .port(smtp.port())
            .tls(Tls::Required(trusted))
            .credentials(Credentials::new(Smtp::USER.to_owned(), password.to_owned()))
            .build()
    };
    let mailbox = |address: &str| address.parse::<Mailbox>().unwrap();
    let mail = Message::builder()
        .from(mailbox("from@example.test"))
        .to(mailbox("holder@example.test"))
        .subject("Two")
        .body("Hello.".to_owned())
        .unwrap();

    assert!(transport("another password").send(mail.clone()).await.is_err());
    assert!(smtp.messages().is_empty());
    transport(Smtp::PASSWORD).send(mail).await.unwrap();
    let mails = smtp.wait_for_messages(1);
    assert_eq!(mails[0].to, ["holder@example.test"]);
    assert!(mails[0].source.contains("Subject: Two"));
}

/// The test starts itself in a second process, which starts a server and is killed while that runs.
#[test]
fn a_server_dies_with_the_process_that_started_it() {
    const ROLE: &str = "COUNTERSIGN_TEST_STARTS_A_SERVER";
    #[expect(clippy::disallowed_methods, reason = "the second process is told by its environment what it is")]
    let is_second = env::var_os(ROLE).is_some();
    if is_second {
        // Standard output carries the harness's words too; this line is told from them by its first word.
        let redis = Redis::start();
        println!("\nserver {}", redis.pid().unwrap());
        let ended = std::io::stdin().lines().next();
        panic!("should have been killed, but went on: {ended:?}");
    }

    // The server lives while the second process waits for its standard input, which this one holds open. A process
    // that is killed can't remove its directory, so it gets one that this test removes.
    let remains = tempfile::tempdir().unwrap();
    let mut second = Command::new(env::current_exe().unwrap())
        .args(["--exact", "servers_test::a_server_dies_with_the_process_that_started_it", "--nocapture"])
        .env(ROLE, "yes")
        .env("TMPDIR", remains.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(second.stdout.take().unwrap());
    let pid = output
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("server ").map(|pid| pid.parse::<u32>().unwrap()))
        .expect("the second process names its server");
    assert!(is_running(pid));

    second.kill().unwrap();
    second.wait().unwrap();
    wait_for("the server to die with its starter", || (!is_running(pid)).then_some(()));
}

fn fast() -> PostgresOptions {
    PostgresOptions { durability: Durability::KernelOnly, ..PostgresOptions::default() }
}

/// One side of an SMTP conversation, on a plain socket.
struct Dialogue {
    reader: BufReader<TcpStream>,
}

impl Dialogue {
    fn open(smtp: &Smtp) -> Self {
        let mut dialogue = Self { reader: BufReader::new(TcpStream::connect(smtp.address()).unwrap()) };
        dialogue.expect("220");
        dialogue
    }

    fn says(&mut self, line: &str, code: &str) {
        self.reader.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.expect(code);
    }

    /// Reads an answer, of which each line but the last has a hyphen after its code.
    fn expect(&mut self, code: &str) {
        loop {
            let answer = line(&mut self.reader);
            assert!(answer.starts_with(code), "wanted {code}, got {answer}");
            if answer.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
