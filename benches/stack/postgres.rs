//! A PostgreSQL server with its own settings for everything that makes a commit durable.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::{self, Ending, Process};
use crate::clock;

/// A running server.
pub struct Postgres {
    process: Process,
    port: u16,
    programs: PathBuf,
}

impl Postgres {
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let programs = programs().context("PostgreSQL isn't installed in /usr/lib/postgresql")?;
        let account = (id(&["-u"])? == 0).then_some("postgres");
        let home = folder.join("postgres");
        std::fs::create_dir(&home)?;
        if let Some(account) = account {
            chown(&home, Some(id(&["-u", account])?), Some(id(&["-g", account])?))?;
        }
        let data = home.join("data");
        let mut init = process::command(&programs.join("initdb"), account);
        init.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]);
        process::output(init.arg("-D").arg(&data))?;

        let port = process::free_port()?;
        let mut server = process::command(&programs.join("postgres"), account);
        server.arg("-D").arg(&data);
        // No socket file. The time of each commit is kept, so that lateness can be told of what was stored.
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "track_commit_timestamp=on"] {
            server.args(["-c", setting]);
        }
        server.args(["-p", &port.to_string()]);
        let process = Process::start(server, &folder.join("postgres.log"), Ending::Quit)?;
        let mut started = Self { process, port, programs };
        let url = started.url("postgres");
        clock::until("PostgreSQL", Duration::from_secs(30), || async { PgConnection::connect(&url).await.ok() })
            .await?;
        started.process.check()?;
        Ok(started)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database and gives its URL.
    pub async fn create(&self, database: &str) -> anyhow::Result<String> {
        self.run("postgres", &format!("CREATE DATABASE {database}")).await?;
        Ok(self.url(database))
    }

    /// Runs statements.
    pub async fn run(&self, database: &str, statements: &str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.url(database)).await?;
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut connection)
            .await
            .with_context(|| statements.to_owned())?;
        Ok(connection.close().await?)
    }

    /// Numbers, one row.
    pub async fn numbers(&self, database: &str, query: &str) -> anyhow::Result<Vec<f64>> {
        let mut connection = PgConnection::connect(&self.url(database)).await?;
        let row =
            sqlx::query(AssertSqlSafe(query)).fetch_one(&mut connection).await.with_context(|| query.to_owned())?;
        connection.close().await?;
        (0..row.len()).map(|place| Ok(row.try_get::<Option<f64>, _>(place)?.unwrap_or(f64::NAN))).collect()
    }

    /// Preparing what a figure stands on needn't be durable; what is measured is.
    pub async fn hurry(&self) -> anyhow::Result<()> {
        self.run("postgres", "ALTER SYSTEM SET synchronous_commit = off").await?;
        self.run("postgres", "SELECT pg_reload_conf()").await
    }

    /// Back to the default, with everything prepared on the disk.
    pub async fn settle(&self) -> anyhow::Result<()> {
        self.run("postgres", "ALTER SYSTEM RESET synchronous_commit").await?;
        self.run("postgres", "SELECT pg_reload_conf()").await?;
        self.run("postgres", "CHECKPOINT").await
    }

    /// The settings that decide what a commit is worth.
    pub async fn durability(&self) -> anyhow::Result<String> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        let query = "SELECT 'postgresql ' || current_setting('server_version') || ' fsync=' || current_setting('fsync') \
                     || ' synchronous_commit=' || current_setting('synchronous_commit') \
                     || ' wal_sync_method=' || current_setting('wal_sync_method')";
        let text: String = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(text)
    }
}

/// The programs of the newest version that Debian has here.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    versions.pop().map(|(_, path)| path)
}

fn id(arguments: &[&str]) -> anyhow::Result<u32> {
    Ok(process::output(Command::new("id").args(arguments))?.trim().parse()?)
}
