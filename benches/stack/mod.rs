//! What is measured: PostgreSQL, Redis and the service, each a process of its own on loopback, in a folder that goes
//! away with them. They die with the thread that started them, so all are started from the main one.

pub mod node;
pub mod postgres;
pub mod process;
pub mod redis;

use anyhow::Context as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::node::Node;
use self::postgres::Postgres;
use self::redis::Redis;
use crate::meter::Watched;

/// Which of the two supported combinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backing {
    Servers,
    Embedded,
}

/// The servers, and where nodes find their files.
pub struct Stack {
    // Before the folder, so that they are gone before their files are.
    servers: Option<(Postgres, Redis)>,
    folder: Folder,
    durability: String,
}

impl Stack {
    /// Starts what the backing needs.
    pub async fn start(backing: Backing) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        process::output(Command::new(node::service()?).arg("keys").arg(folder.0.join("keys")))?;
        let (servers, durability) = match backing {
            Backing::Embedded => (None, "sqlite journal_mode=wal synchronous=full".to_owned()),
            Backing::Servers => {
                let postgres = Postgres::start(&folder.0).await?;
                let redis = Redis::start(&folder.0).await?;
                let durability = format!("{}; redis appendonly=yes appendfsync=everysec", postgres.durability().await?);
                (Some((postgres, redis)), durability)
            }
        };
        Ok(Self { servers, folder, durability })
    }

    /// An empty record, with the configuration of a node that works on it.
    pub async fn record(&self, name: &str) -> anyhow::Result<node::Setup> {
        let backing = match &self.servers {
            None => format!("[storage]\nurl = \"sqlite:{}\"\n", self.folder.0.join(format!("{name}.db")).display()),
            Some((postgres, redis)) => {
                let url = postgres.create(name).await?;
                redis.command("FLUSHALL").await?;
                format!("[storage]\nurl = \"{url}\"\n[redis]\nurl = \"{}\"\n", redis.url())
            }
        };
        node::Setup::write(&self.folder.0, name, &backing)
    }

    pub fn servers(&self) -> anyhow::Result<(&Postgres, &Redis)> {
        let (postgres, redis) = self.servers.as_ref().context("this figure needs PostgreSQL and Redis")?;
        Ok((postgres, redis))
    }

    pub fn is_embedded(&self) -> bool {
        self.servers.is_none()
    }

    /// The processes whose time counts.
    pub fn watched(&self, node: &Node) -> Watched {
        let (postgres, redis) = match &self.servers {
            Some((postgres, redis)) => (Some(postgres.pid()), Some(redis.pid())),
            None => (None, None),
        };
        Watched { service: Some(node.pid()), postgres, redis }
    }

    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    pub fn durability(&self) -> String {
        self.durability.clone()
    }
}

/// Gone with everything in it when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("countersign-bench-{}", std::process::id()));
        // Others may pass through, because PostgreSQL runs under an account of its own.
        std::fs::DirBuilder::new().mode(0o711).create(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}
