//! `countersign staff …`: what the host may do about staff. It invites, and while two admins have been it can't do even
//! that at once; it ends nobody and raises nobody.

use anyhow::Context as _;
use clap::Subcommand;

use crate::app;
use crate::config::Config;
use crate::domain::channel::Address;
use crate::domain::ids::DirectoryKeyId;
use crate::domain::staff::{Employer, Group, Profile, Role, Roles, StaffName, UserName};
use crate::domain::text::Token;
use crate::domain::time::Timestamp;
use crate::service::staff::{directory, invite};

#[derive(Debug, Subcommand)]
pub enum StaffCommand {
    /// Invite somebody. At once until two admins have been; later it waits 72 hours, and every admin sees it.
    Invite {
        #[arg(long)]
        name: String,
        /// One word, for example support or risk.
        #[arg(long)]
        group: String,
        /// in-house, or the name of the vendor.
        #[arg(long)]
        employer: String,
        /// agent, signer, auditor, admin; admin and signer exclude each other.
        #[arg(long, value_delimiter = ',', required = true)]
        roles: Vec<String>,
        /// The last day (2027-03-31), or a moment (RFC 3339).
        #[arg(long)]
        ends: String,
        /// Name at the identity provider.
        #[arg(long)]
        user_name: Option<String>,
        /// The identity provider's own id.
        #[arg(long)]
        external_id: Option<String>,
        /// Where a signer is told that a case waits, and nothing of the case. Encrypted wherever it is kept.
        #[arg(long)]
        mail: Option<String>,
    },
    /// Add a key for the identity provider (SCIM). It is shown once.
    DirectoryKey,
    /// List the identity provider's keys.
    DirectoryKeys,
    /// Revoke a key of the identity provider, at once.
    RevokeDirectoryKey { key: DirectoryKeyId },
}

/// Runs one command.
///
/// # Errors
/// Whatever kept it from being done.
pub async fn run(config: &Config, command: StaffCommand) -> anyhow::Result<()> {
    let parts = app::open(config).await?;
    let done = carry_out(&parts.cx, command).await;
    parts.record.close().await;
    done
}

async fn carry_out(cx: &crate::service::Context, command: StaffCommand) -> anyhow::Result<()> {
    match command {
        StaffCommand::Invite { name, group, employer, roles, ends, user_name, external_id, mail } => {
            let roles: Result<Vec<Role>, _> = roles.iter().map(|role| role.parse()).collect();
            let whole = if ends.len() == 10 { format!("{ends}T23:59:59Z") } else { ends };
            let mail = mail.map(|text| Address::email(&text)).transpose().context("--mail")?;
            let profile = Profile {
                name: StaffName::parse(&name).context("--name")?,
                group: Group::parse(&group).context("--group")?,
                employer: Employer::parse(&employer).context("--employer")?,
                roles: Roles::of(&roles.context("--roles")?).context("--roles")?,
                ends_at: Timestamp::parse_rfc3339(&whole).context("--ends")?,
                user_name: user_name.map(|name| UserName::parse(&name)).transpose().context("--user-name")?,
                external_id: external_id.map(|id| Token::parse(&id)).transpose().context("--external-id")?,
                own_holders: Vec::new(),
                mail: None,
            };
            let invited = invite::from_host(cx, profile, mail.as_ref()).await?;
            println!("staff    {}", invited.staff);
            println!("link     {}", invited.url);
            println!("opens    {}", invited.opens_at);
            println!("expires  {}", invited.expires_at);
            println!("The link is not stored and is not shown again. It works once.");
        }
        StaffCommand::DirectoryKey => {
            let (key, secret) = directory::add(cx).await?;
            println!("key      {key}");
            println!("secret   {}", secret.reveal());
            println!("The secret is not stored and is not shown again.");
            println!("Once two admins have been it waits 72 hours; `directory-keys` says until when.");
        }
        StaffCommand::DirectoryKeys => {
            for key in cx.staff.directory_keys().await? {
                let opens = directory::opens_at(cx, &key).await?;
                let stands = if cx.now() < opens { format!("opens {opens}") } else { "stands".to_owned() };
                let state = key.revoked_at.map_or(stands, |at| format!("revoked {at}"));
                println!("{}  {}  {state}", key.id, key.created_at);
            }
        }
        StaffCommand::RevokeDirectoryKey { key } => {
            directory::revoke(cx, key).await?;
            println!("{key} is revoked");
        }
    }
    Ok(())
}
