//! `countersign receipt verify`: checks a receipt without network and without database, and says what it checked.

use anyhow::Context as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::adapters::receipts::{Freshness, verify_offline};
use crate::adapters::timing::SystemClock;
use crate::domain::log::{LogKeys, VerifierKey};
use crate::domain::witness::quorum::Quorum;
use crate::ports::Clock;

/// What `receipt verify` is given.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The receipt, a compact JWS; `-` reads it from standard input.
    file: PathBuf,
    /// The key set of the issuer, as it was fetched once from /.well-known/jwks.json.
    #[arg(long)]
    jwks: PathBuf,
    /// A public key of the log (`name+id+key`). May be given more than once.
    #[arg(long = "log-key", required_unless_present = "log_keys")]
    log_key: Vec<VerifierKey>,
    /// The log's key set, as it was fetched once from /log/keys: retired keys count for their time only.
    #[arg(long = "log-keys", conflicts_with = "log_key")]
    log_keys: Option<PathBuf>,
    /// A witness of the log whose word you count (`name+id+key`). May be given more than once.
    #[arg(long)]
    witness: Vec<VerifierKey>,
    /// How many of them must have cosigned; all of them, unless it is said.
    #[arg(long)]
    cosignatures: Option<usize>,
    /// Refuse a receipt of another issuer.
    #[arg(long)]
    issuer: Option<String>,
    /// Refuse a receipt for another backend.
    #[arg(long)]
    audience: Option<crate::domain::ids::BackendId>,
    /// Whether its time must not be over: `fresh` for executing it, `archived` for looking at an old one.
    #[arg(long, value_enum, default_value = "fresh")]
    age: Age,
}

/// See [`Verify::age`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Age {
    Fresh,
    Archived,
}

/// Checks the receipt.
///
/// # Errors
/// The first thing that is wrong; then nothing of the receipt may be believed.
pub fn verify(given: &Verify) -> anyhow::Result<()> {
    let jws = read(&given.file)?;
    let key_set = serde_json::from_str(&read(&given.jwks)?).context("the key set isn't JSON")?;
    let keys = log_keys(given)?;
    let least = given.cosignatures.unwrap_or(given.witness.len());
    let quorum = Quorum::new(given.witness.clone(), least).context("--witness and --cosignatures")?;
    let now = SystemClock.now();
    let freshness = match given.age {
        Age::Fresh => Freshness::At(now),
        Age::Archived => Freshness::WhenIssued,
    };
    let receipt = verify_offline(&key_set, jws.trim(), given.issuer.as_deref(), given.audience, freshness)?;
    println!("ok  the signature is by a key of {}, valid when it was issued", receipt.iss);
    println!(
        "ok  it is for {} and its time is {}",
        receipt.aud,
        if now.seconds() < receipt.exp { "not over" } else { "over" }
    );
    let checkpoint = receipt.verify_proof(&keys).context("the log doesn't prove it")?;
    let (jti, by) = (receipt.jti, if receipt.staff.is_some() { "two staff members" } else { "the holder's device" });
    println!("ok  the entry is the decision on {jti} over this digest, signed by {by}");
    println!("ok  the log {} has the entry, in its signed tree of {} entries", checkpoint.origin, checkpoint.size);
    for seen in receipt.verify_witnesses(&quorum).context("the log's witnesses don't bear it out")? {
        println!("ok  {} has seen that tree, at {}", seen.by.name, seen.at);
    }
    let network = receipt.network.as_deref().map(|network| format!(" on {network}")).unwrap_or_default();
    println!(
        "\n{} {}{network} from {} to {}",
        receipt.amount, receipt.unit, receipt.source_account, receipt.payee_account
    );
    println!(
        "transfer {} of {}, approved {}, redeemed {}",
        receipt.transfer_id.as_str(),
        receipt.subject.as_str(),
        receipt.approved_at,
        receipt.redeemed_at
    );
    println!("Compare this with your own order before you execute it.");
    Ok(())
}

fn log_keys(given: &Verify) -> anyhow::Result<LogKeys> {
    if let Some(path) = &given.log_keys {
        return serde_json::from_str(&read(path)?).context("the log's key set doesn't read as one");
    }
    LogKeys::of(&given.log_key).context("a key of the log is needed")
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))
}
