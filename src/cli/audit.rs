//! `countersign audit …`: check the log from the record or from an export, write an export, and witness other logs.

use anyhow::{Context as _, bail};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::adapters::timing::SystemClock;
use crate::app;
use crate::config::Config;
use crate::domain::export::Line;
use crate::domain::log::tree::Head;
use crate::domain::log::{LogKeys, Note, VerifierKey};
use crate::domain::time::Timestamp;
use crate::domain::verification::run::{Summary, Verifier};
use crate::ports::Clock as _;
use crate::service::audit::export::{Asked, Proofs, export};
use crate::service::audit::verify::{Step, verify};

#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// Check everything again: entries, places, tree, checkpoints, signatures, evidence, and in a database the seals and
    /// what became of each approval. Names the first thing that is wrong.
    Verify(Verify),
    /// Write the log down as JSON Lines.
    Export(Export),
    /// Witness other deployments' logs: cosign each tree that contains the one before (C2SP tlog-witness).
    Witness(super::witness::Witnessing),
}

#[derive(Debug, clap::Args)]
pub struct Verify {
    /// An export instead of the configured database; `-` reads standard input. Needs no network and no configuration.
    #[arg(long)]
    export: Option<PathBuf>,
    /// A public key of the log (`name+id+key`) that you trust; may be given more than once, the present name of the log
    /// first and names that it had before it was recovered after it. Without it an export is
    /// checked against the keys that it names itself.
    #[arg(long)]
    log_key: Vec<VerifierKey>,
    /// The log's key set, as it was fetched once from /log/keys: retired keys count for their time only.
    #[arg(long, conflicts_with = "log_key")]
    log_keys: Option<PathBuf>,
    /// A signed checkpoint that you kept: a witness's, a receipt's, or the high-water mark. The log has to contain it.
    #[arg(long)]
    checkpoint: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Export {
    /// From this moment (RFC 3339) on, or from the first entry.
    #[arg(long, value_parser = moment)]
    from: Option<Timestamp>,
    /// Up to this moment, which isn't in it any more.
    #[arg(long, value_parser = moment)]
    to: Option<Timestamp>,
    /// With the proof of each entry (C2SP tlog-proof).
    #[arg(long)]
    proofs: bool,
    /// A new file; standard output without it.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A moment, or a day's beginning.
pub fn moment(text: &str) -> Result<Timestamp, crate::domain::time::BadTimestamp> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse_rfc3339(&whole)
}

/// Runs one command. `load` reads the configuration, which not every command needs.
///
/// # Errors
/// What is wrong with the log, or whatever kept the command from being done.
pub async fn run(
    command: AuditCommand,
    load: impl Fn() -> Result<Config, crate::config::Faults>,
) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify(given) => match &given.export {
            Some(file) => offline(&given, file),
            None => record(&given, &load()?).await,
        },
        AuditCommand::Export(given) => write(&given, &load()?).await,
        AuditCommand::Witness(given) => super::witness::run(&given).await,
    }
}

fn trusted(given: &Verify) -> anyhow::Result<Option<LogKeys>> {
    if let Some(path) = &given.log_keys {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
        return Ok(Some(serde_json::from_str(&text).context("the log's key set doesn't read")?));
    }
    Ok(LogKeys::of(&given.log_key))
}

/// Checkpoints that were kept elsewhere. Their signatures are checked like any other's.
fn known(paths: &[PathBuf], keys: &LogKeys) -> anyhow::Result<Vec<Head>> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
        let note: Note = text.parse().with_context(|| path.display().to_string())?;
        let checkpoint = keys.open_of_any_time(&note).with_context(|| path.display().to_string())?;
        Ok(checkpoint.head())
    };
    paths.iter().map(read).collect()
}

fn offline(given: &Verify, file: &Path) -> anyhow::Result<()> {
    let keys = trusted(given)?;
    let reader: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(file).with_context(|| format!("{} can't be read", file.display()))?)
    };
    if keys.is_none() {
        println!("note  the log's keys are those that the export names; give --log-key with one that you trust");
        if !given.checkpoint.is_empty() {
            bail!("--checkpoint needs --log-key or --log-keys");
        }
    }
    let heads = keys.as_ref().map_or(Ok(vec![]), |keys| known(&given.checkpoint, keys))?;
    let mut verifier = Verifier::new(keys).knowing(&heads);
    let mut bar = Bar::default();
    for (at, line) in (1_u64..).zip(BufReader::new(reader).lines()) {
        let line: Line = serde_json::from_str(&line?).with_context(|| format!("line {at} doesn't read"))?;
        verifier.take(line)?;
        bar.show(at, || format!("{at} lines"));
    }
    bar.end();
    said(&verifier.finish()?);
    Ok(())
}

async fn record(given: &Verify, config: &Config) -> anyhow::Result<()> {
    let parts = app::open(config).await?;
    let record = parts.audit(config)?;
    let mut paths = given.checkpoint.clone();
    paths.extend(config.log.high_water.clone().filter(|path| path.exists()));
    let heads = known(&paths, trusted(given)?.as_ref().unwrap_or(&record.keys))?;
    let mut bar = Bar::default();
    let checked = verify(&record, &heads, SystemClock.now(), |step| match step {
        Step::Entries { done, of } => {
            bar.show(done, || format!("{done} of {of} entries ({} %)", done * 100 / of.max(1)))
        }
        Step::Rows { table, done } => bar.show(done, || format!("{done} rows of {table:?}")),
    });
    let checked = checked.await;
    bar.end();
    parts.record.close().await;
    let checked = checked?;
    said(&checked.log);
    println!("ok  {} rows under seal, each what the log says it became", checked.sealed_rows);
    if checked.cosignatures > 0 {
        println!("ok  {} cosignatures of the witnesses that count", checked.cosignatures);
    }
    if checked.waiting > 0 {
        println!("ok  {} entries wait for their place in the tree", checked.waiting);
    }
    Ok(())
}

fn said(summary: &Summary) {
    println!("ok  {} entries, each in its place; {} of them erased", summary.entries, summary.erased);
    println!("ok  {} checkpoints, the last of {} entries, root {}", summary.checkpoints, summary.size, summary.root);
    println!("ok  {} pieces of evidence, every signature in them", summary.evidence);
    println!("ok  {} approvals", summary.approvals);
}

async fn write(given: &Export, config: &Config) -> anyhow::Result<()> {
    let parts = app::open(config).await?;
    let record = parts.audit(config)?;
    let mut out: BufWriter<Box<dyn Write + Send>> = BufWriter::new(match &given.out {
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            Box::new(file.with_context(|| format!("{} can't be made", path.display()))?)
        }
        None => Box::new(std::io::stdout()),
    });
    let proofs = if given.proofs { Proofs::With } else { Proofs::Without };
    let asked = Asked { from: given.from, to: given.to, proofs };
    let done = export(&record, &asked, SystemClock.now(), |line| -> std::io::Result<()> {
        serde_json::to_writer(&mut out, &line.line)?;
        out.write_all(b"\n")
    });
    let done = done.await;
    parts.record.close().await;
    let done = done?;
    out.flush()?;
    eprintln!("{} entries", done.entries);
    Ok(())
}

/// A line that says how far it is, on a terminal only.
#[derive(Default)]
struct Bar {
    shown: bool,
}

impl Bar {
    fn show(&mut self, done: u64, text: impl FnOnce() -> String) {
        if done.is_multiple_of(500) && std::io::stderr().is_terminal() {
            self.shown = true;
            eprint!("\r\x1b[K{}", text());
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprint!("\r\x1b[K");
        }
    }
}
