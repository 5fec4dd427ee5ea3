//! The command line. Thin: it reads arguments, loads the configuration, and hands over to the library.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use countersign::app::{self, Role};
use countersign::config::{Config, Fault, Faults, Purpose, Refused, Storage};
use countersign::domain::backend::{Scope, Scopes};
use countersign::domain::ids::{BackendId, KeyId};
use countersign::domain::text::Line;
use countersign::service::{Profile, backends};
use countersign::telemetry::{self, LogFormat};
use countersign::{cli, demo, keys};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a database is asked for its faults while there are others to be said.
const ASKED: Duration = Duration::from_secs(5);

// Under load about a fifth of the time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Out-of-band approval for irreversible movements of money.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Configuration file (TOML). Environment variables such as COUNTERSIGN__HTTP__PUBLIC_URL stand over it.
    #[arg(long, short, global = true, env = "COUNTERSIGN_CONFIG")]
    config: Option<PathBuf>,
    /// What to log, for example `info` or `countersign=debug,warn`.
    #[arg(long, global = true, default_value = "info")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service. Refuses a configuration that isn't safe, and says everything that is wrong with it at once.
    Serve {
        #[arg(long, value_enum, default_value = "all")]
        role: Role,
    },
    /// Show the whole flow on this machine: the service, and a sample exchange that uses it.
    Demo {
        /// Run the story in the terminal, without a browser, and check every outcome.
        #[arg(long)]
        auto: bool,
        /// Port of Countersign.
        #[arg(long)]
        port: Option<u16>,
        /// Port of the sample exchange.
        #[arg(long)]
        exchange_port: Option<u16>,
        /// Port of the console.
        #[arg(long)]
        console_port: Option<u16>,
    },
    /// Bring the database's schema up to date.
    Migrate,
    /// Backends and their API keys.
    #[command(subcommand)]
    Backend(BackendCommand),
    /// Staff: invite from the host, and the identity provider's keys.
    #[command(subcommand)]
    Staff(cli::staff::StaffCommand),
    /// Make the key files of a new deployment in a folder. Existing files are left alone.
    Keys { folder: PathBuf },
    /// Ask a running service, on its listener for operations, whether it is ready; for container health checks.
    Healthcheck {
        #[arg(long, default_value = "127.0.0.1:9090")]
        address: SocketAddr,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Receipts.
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// After the database was restored to an earlier moment: cancel all that lives, and go on. Stop every node first.
    Recover,
    /// The audit log: check it, write it down, witness other logs.
    #[command(subcommand)]
    Audit(cli::audit::AuditCommand),
    /// Reports from the audit log.
    #[command(subcommand)]
    Report(cli::report::ReportCommand),
}

#[derive(Subcommand)]
enum ReceiptCommand {
    /// Check a receipt and its proof, without network and without database.
    Verify(cli::receipt::Verify),
}

#[derive(Subcommand)]
enum BackendCommand {
    /// Add a backend with its first key. The key is shown once.
    Add {
        name: String,
        /// What the key may do: create, read, cancel, redeem, enrol, webhooks, erase. All but erase by default.
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<Scope>,
    },
    /// List the backends.
    List,
    /// Add a key to a backend. The key is shown once.
    AddKey {
        backend: BackendId,
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<Scope>,
    },
    /// List the keys of a backend.
    Keys { backend: BackendId },
    /// Revoke a key, at once.
    RevokeKey { key: KeyId },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign: {error:#}");
            cli::exit_code(&error)
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let load = || Config::load(arguments.config.as_deref());
    match arguments.command {
        Command::Serve { role } => {
            telemetry::start_logs(LogFormat::Json, &arguments.log);
            serve(arguments.config.as_deref(), role).await
        }
        Command::Demo { auto, port, exchange_port, console_port } => {
            telemetry::start_logs(LogFormat::Text, if arguments.log == "info" { "warn" } else { &arguments.log });
            demo::run(demo::Options { auto, port, exchange_port, console_port }).await
        }
        Command::Migrate => {
            let (record, ..) = app::open_record(&load()?).await?;
            record.close().await;
            println!("the schema is up to date");
            Ok(())
        }
        Command::Backend(command) => backend(&load()?, command).await,
        Command::Staff(command) => cli::staff::run(&load()?, command).await,
        Command::Keys { folder } => keys::make(&folder),
        Command::Healthcheck { address } => keys::healthcheck(address),
        Command::Openapi => {
            println!("{}", countersign::web::openapi::document().to_pretty_json()?);
            Ok(())
        }
        Command::Receipt(ReceiptCommand::Verify(given)) => cli::receipt::verify(&given),
        Command::Recover => cli::recover::run(&load()?).await,
        Command::Audit(command) => {
            if matches!(command, cli::audit::AuditCommand::Witness(_)) {
                telemetry::start_logs(LogFormat::Json, &arguments.log);
            }
            cli::audit::run(command, load).await
        }
        Command::Report(command) => cli::report::run(&load()?, command).await,
    }
}

async fn serve(path: Option<&Path>, role: Role) -> anyhow::Result<()> {
    let config = match Config::load_for(path, Purpose::Serve, app::faults) {
        Ok(config) => config,
        Err(refused) => return Err(with_losses(refused).await.into()),
    };
    if config.profile == Profile::Production {
        let losses = losses(&config.storage).await?;
        if !losses.is_empty() {
            return Err(Faults(losses).into());
        }
    }
    let listener = TcpListener::bind(config.http.listen)
        .with_context(|| format!("{} can't be listened on", config.http.listen))?;
    listener.set_nonblocking(true)?;
    let stop = CancellationToken::new();
    tokio::spawn(signals(stop.clone()));
    let running = app::start(config, role, listener, stop).await?;
    tracing::info!(url = %running.url, role = ?role, "serving");
    running.run().await
}

/// Asks the database whether it would lose what it acknowledged, before anything is answered or worked on.
async fn losses(storage: &Storage) -> anyhow::Result<Vec<Fault>> {
    let faults = app::durability_faults(storage).await?;
    let said = |fault| Fault(format!("storage: the database would lose what it acknowledged: {fault}"));
    Ok(faults.into_iter().map(said).collect())
}

/// What is wrong with the database belongs to what is wrong with the configuration, if it can be asked.
async fn with_losses(refused: Refused) -> Faults {
    let mut faults = refused.faults;
    if let Some(storage) = &refused.storage
        && let Ok(Ok(more)) = tokio::time::timeout(ASKED, losses(storage)).await
    {
        faults.0.extend(more);
    }
    faults
}

async fn backend(config: &Config, command: BackendCommand) -> anyhow::Result<()> {
    let parts = app::open(config).await?;
    let cx = &parts.cx;
    match command {
        BackendCommand::Add { name, scopes } => {
            let name = Line::parse(&name).context("the name")?;
            // Erasing is asked for by name: it can't be undone.
            let usual = || Scope::ALL.into_iter().filter(|scope| *scope != Scope::Erase).collect();
            let scopes = if scopes.is_empty() { usual() } else { scopes };
            show(&backends::add(cx, name, Scopes::of(&scopes)).await?);
        }
        BackendCommand::AddKey { backend, scopes } => {
            show(&backends::add_key(cx, backend, Scopes::of(&scopes)).await?);
        }
        BackendCommand::List => {
            for backend in cx.store.backends().await? {
                println!("{}  {}  {}", backend.id, backend.created_at, backend.name);
            }
        }
        BackendCommand::Keys { backend } => {
            for key in cx.store.keys(backend).await? {
                let state = key.revoked_at.map_or("stands".to_owned(), |at| format!("revoked {at}"));
                println!("{}  {}  {:?}  {state}", key.id, key.created_at, key.scopes);
            }
        }
        BackendCommand::RevokeKey { key } => {
            backends::revoke_key(cx, key).await?;
            println!("{key} is revoked");
        }
    }
    parts.record.close().await;
    Ok(())
}

fn show(new: &backends::NewKey) {
    println!("backend  {}", new.backend);
    println!("key      {}", new.key);
    println!("secret   {}", new.secret.reveal());
    println!("The secret is not stored and is not shown again.");
}

async fn signals(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    stop.cancel();
}
