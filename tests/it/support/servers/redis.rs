//! A Redis server of a test's own, or a small cluster of them.

use std::process::Command;

use tempfile::TempDir;

use super::{Account, Ending, Process, program, run, start_until_ready, text, wait_for};

/// What a restart brings back.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing.
    #[default]
    None,
    /// Every write that was answered: the append-only file is flushed before each answer.
    AppendOnly,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Single,
    Node,
}

/// A running server, or one that was killed and may be started again on the same port.
pub struct Redis {
    // Declared before the directory, so that the server is gone before its files are.
    process: Option<Process>,
    port: u16,
    persistence: Persistence,
    role: Role,
    directory: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(Persistence::default())
    }

    pub fn start_with(persistence: Persistence) -> Self {
        Self::launch(persistence, Role::Single)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Kills the server outright.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Kills the server if it runs, and starts it on the same port with what its persistence kept.
    pub fn restart(&mut self) {
        self.kill();
        let (process, _) = serve(&self.directory, self.persistence, self.role, Some(self.port));
        self.process = Some(process);
    }

    /// Forgets every key of every database.
    pub fn flush_all(&self) {
        assert_eq!(self.command(&["FLUSHALL", "SYNC"]), "OK");
    }

    /// Runs one command and gives its answer as redis-cli prints it.
    pub fn command(&self, words: &[&str]) -> String {
        run(cli(self.port).args(words)).trim_end().to_owned()
    }

    fn launch(persistence: Persistence, role: Role) -> Self {
        let directory = tempfile::Builder::new().prefix("countersign-redis-").tempdir().expect("a temporary directory");
        let (process, port) = serve(&directory, persistence, role, None);
        Self { process: Some(process), port, persistence, role, directory }
    }
}

/// Nodes on loopback that share the key space between them, without replicas.
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts so many nodes, three at least, and waits until each of them sees all slots served.
    pub fn start(nodes: usize) -> Self {
        let nodes: Vec<Redis> = (0..nodes).map(|_| Redis::launch(Persistence::None, Role::Node)).collect();
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        run(Command::new("redis-cli").args(["--cluster", "create"]).args(addresses).arg("--cluster-yes"));
        for node in &nodes {
            wait_for("a node to see the whole cluster", || {
                node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
            });
        }
        Self { nodes }
    }

    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("redis://127.0.0.1:{}", node.port)).collect()
    }

    pub fn nodes(&mut self) -> &mut [Redis] {
        &mut self.nodes
    }
}

fn cli(port: u16) -> Command {
    let mut command = Command::new("redis-cli");
    // -e makes an error reply a failure of the command.
    command.args(["-e", "-h", "127.0.0.1", "-p", &port.to_string()]);
    command
}

fn serve(directory: &TempDir, persistence: Persistence, role: Role, fixed: Option<u16>) -> (Process, u16) {
    let start = |port: u16| {
        let mut command = Account::Own.server(&program("redis-server", &[]));
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
            .args(["--dir", text(directory.path())]);
        if persistence == Persistence::AppendOnly {
            command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        }
        if role == Role::Node {
            // The time after which a silent node counts as failed; it also paces how fast the cluster forms.
            command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
        }
        Process::start(command, &directory.path().join("log"), Ending::Killed)
    };
    // Another server may have taken the port, so the one that answers has to say that it is this process, and that it
    // has read its file.
    start_until_ready("Redis", fixed, start, |process, port| {
        cli(port).arg("INFO").output().is_ok_and(|output| {
            let info = String::from_utf8_lossy(&output.stdout).into_owned();
            let mut lines = info.lines();
            output.status.success()
                && lines.clone().any(|line| line == format!("process_id:{}", process.pid()))
                && lines.any(|line| line == "loading:0")
        })
    })
}
