//! `countersign report …`: what is counted from the log, for regulators and boards.

use askama::Template as _;

use super::audit::moment;
use crate::app;
use crate::config::Config;
use crate::domain::report::Range;
use crate::domain::time::Timestamp;
use crate::service::audit::third_party::third_party;
use crate::web::pages::third_party::ThirdPartyPage;

#[derive(Debug, clap::Subcommand)]
pub enum ReportCommand {
    /// Privileged actions, overrides, reveals and access changes by employer, with shares.
    ThirdParty {
        /// From this day or moment (RFC 3339) on.
        #[arg(long, value_parser = moment)]
        from: Timestamp,
        /// Up to this day or moment, which isn't in it any more.
        #[arg(long, value_parser = moment)]
        to: Timestamp,
        #[arg(long, value_enum, default_value = "json")]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Json,
    Csv,
    Html,
}

/// Runs one command.
///
/// # Errors
/// Whatever kept it from being done.
pub async fn run(config: &Config, command: ReportCommand) -> anyhow::Result<()> {
    let ReportCommand::ThirdParty { from, to, format } = command;
    let parts = app::open(config).await?;
    let record = parts.audit(config)?;
    let report = third_party(&record, Range { from, to }).await;
    parts.record.close().await;
    let report = report?;
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        Format::Csv => print!("{}", report.to_csv()),
        Format::Html => {
            println!("{}", ThirdPartyPage { operator: config.operator.name.clone(), report }.render()?);
        }
    }
    Ok(())
}
