//! A PostgreSQL server of a test's own. Its data directory is copied from one that `initdb` made once per build
//! directory, so that a start takes a fraction of a second.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::{Account, Ending, Process, program, run, start_until_ready, text};

/// What survives a power cut: everything that was committed, or, faster, only what the kernel had written. A killed
/// server loses nothing either way.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    #[default]
    Full,
    KernelOnly,
}

/// How the server is set up; the default is PostgreSQL's own.
#[derive(Clone, Default)]
pub struct PostgresOptions {
    pub durability: Durability,
    /// Further settings, by their names in postgresql.conf.
    pub settings: Vec<(String, String)>,
}

/// A running server, or one that was stopped and may be started again on the same port.
pub struct Postgres {
    // Declared before the directory, so that the server is gone before its files are.
    process: Option<Process>,
    port: u16,
    options: PostgresOptions,
    directory: TempDir,
}

/// Debian keeps the programs of each version in a place of its own, of which only psql is in PATH.
static PROGRAMS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, path)| path).collect()
});

/// PostgreSQL refuses to run as root, so root hands it to the account that its package made.
static ACCOUNT: LazyLock<Account> =
    LazyLock::new(|| if id(&["-u"]) == 0 { Account::Named("postgres") } else { Account::Own });

/// The user and the group of that account.
static OWNER: LazyLock<(u32, u32)> = LazyLock::new(|| match *ACCOUNT {
    Account::Own => (id(&["-u"]), id(&["-g"])),
    Account::Named(user) => (id(&["-u", user]), id(&["-g", user])),
});

fn id(arguments: &[&str]) -> u32 {
    run(Command::new("id").args(arguments)).trim().parse().expect("id prints a number")
}

impl Postgres {
    pub fn start() -> Self {
        Self::start_with(PostgresOptions::default())
    }

    pub fn start_with(options: PostgresOptions) -> Self {
        let directory = server_directory();
        run(Command::new("cp").args(["-a", text(&template()), text(&data(&directory))]));
        Self::launch(directory, options)
    }

    /// A hot standby that streams from this server. Commits here wait for it only once `synchronous_standby_names`
    /// says so, which `require_standby` does.
    pub fn standby(&self) -> Self {
        let directory = server_directory();
        let backup = program("pg_basebackup", &PROGRAMS);
        run(ACCOUNT
            .command(&backup)
            .args(["--host=127.0.0.1", &format!("--port={}", self.port), "--username=postgres"])
            .args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-password"])
            .arg(format!("--pgdata={}", text(&data(&directory)))));
        Self::launch(directory, self.options.clone())
    }

    /// From now on a commit is answered only when a standby has it too.
    pub fn require_standby(&self) {
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("postgres", "SELECT pg_reload_conf()");
    }

    /// Makes a standby take over.
    pub fn promote(&self) {
        self.sql("postgres", "SELECT pg_promote(wait => true, wait_seconds => 30)");
    }

    /// The URL of a database on this server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and gives its URL.
    pub fn create_database(&self) -> String {
        self.create_database_from("template1")
    }

    /// Makes a copy of a database, to which nobody may be connected meanwhile, and gives its URL.
    pub fn create_database_from(&self, template: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        self.url(&name)
    }

    /// Runs a statement and gives its rows, one a line, with `|` between columns.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let psql = program("psql", &PROGRAMS);
        run(Command::new(psql)
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--dbname", &self.url(database), "--command", statement]))
        .trim_end()
        .to_owned()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Ends the server as a crash does, without a checkpoint, and starts it on the same port; it recovers from its log.
    pub fn restart_immediate(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Ends the server as a crash does: connections break, and nothing is written but what was.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts a stopped server on the port that it had.
    pub fn start_again(&mut self) {
        if self.process.is_none() {
            let (process, _) = serve(&self.directory, &self.options, Some(self.port));
            self.process = Some(process);
        }
    }

    fn launch(directory: TempDir, options: PostgresOptions) -> Self {
        let (process, port) = serve(&directory, &options, None);
        Self { process: Some(process), port, options, directory }
    }
}

fn serve(directory: &TempDir, options: &PostgresOptions, fixed: Option<u16>) -> (Process, u16) {
    let data = data(directory);
    let state = data.join("postmaster.pid");
    let start = |port: u16| {
        // A pid file of an earlier run would be read as the new server's.
        drop(fs::remove_file(&state));
        let mut command = ACCOUNT.server(&program("postgres", &PROGRAMS));
        command.arg("-D").arg(&data);
        // No socket file and no named shared memory: the port is the only way in, and the directory all there is to
        // clean up.
        let mut settings: Vec<(&str, String)> = vec![
            ("port", port.to_string()),
            ("listen_addresses", "127.0.0.1".into()),
            ("unix_socket_directories", String::new()),
            ("dynamic_shared_memory_type", "mmap".into()),
            ("shared_buffers", "32MB".into()),
        ];
        if options.durability == Durability::KernelOnly {
            settings.push(("fsync", "off".into()));
        }
        settings.extend(options.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
        for (name, value) in settings {
            let mut setting = OsString::from(name);
            setting.push("=");
            setting.push(value);
            command.arg("-c").arg(setting);
        }
        // SIGQUIT is the immediate shutdown. SIGKILL would leave a segment of shared memory behind.
        Process::start(command, &directory.path().join("log"), Ending::Asked("QUIT"))
    };
    // The server keeps its process id on the first line of this file, and its state on the eighth
    // (PostgreSQL, src/include/utils/pidfile.h).
    start_until_ready("PostgreSQL", fixed, start, |process, _| {
        fs::read_to_string(&state).is_ok_and(|file| {
            let mut lines = file.lines();
            lines.next().is_some_and(|pid| pid == process.pid().to_string())
                && lines.nth(6).is_some_and(|state| matches!(state.trim_end(), "ready" | "standby"))
        })
    })
}

fn data(directory: &TempDir) -> PathBuf {
    directory.path().join("data")
}

/// A directory that the server's account owns. It is in the system's temporary directory, because the build directory
/// may be below a home that the account can't enter.
fn server_directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("countersign-postgres-").tempdir().expect("a temporary directory");
    let (user, group) = *OWNER;
    chown(directory.path(), Some(user), Some(group)).expect("root may give a directory away, and everybody keep it");
    directory
}

/// An initialised data directory to copy, made by whoever comes first and kept with the build.
fn template() -> PathBuf {
    let version = run(Command::new(program("postgres", &PROGRAMS)).arg("--version"));
    let version: String = version.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let shelf = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Per owner, because the copies keep it and the server insists on it, and because a build directory may be seen
    // from two systems that number their accounts differently.
    let name = format!("{version}user-{}", OWNER.0);
    let template = shelf.join(&name);

    fs::create_dir_all(shelf).expect("a place in the build directory");
    let lock = File::create(shelf.join("postgres.lock")).expect("a lock file in the build directory");
    lock.lock().expect("the lock on the template");
    if !template.exists() {
        let directory = server_directory();
        run(ACCOUNT
            .command(&program("initdb", &PROGRAMS))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums"])
            .args(["--no-sync", "--no-instructions"])
            .arg(format!("--pgdata={}", text(&data(&directory)))));
        // Copied under another name first: a run that is interrupted must not leave half a template.
        let partial = shelf.join(format!("{name}-partial"));
        run(Command::new("rm").args(["-rf", text(&partial)]));
        run(Command::new("cp").args(["-a", text(&data(&directory)), text(&partial)]));
        fs::rename(&partial, &template).expect("the template takes its name");
    }
    template
}
