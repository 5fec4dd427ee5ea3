//! The demo's console: where it listens, and the five people who are invited to it, so that one person can see two
//! others sign.
//!
//! They are invited as on any new deployment, from the host, before there are two admins. Only the days that a signer
//! waits in production are left out ([`crate::service::Profile::is_for_looking`]); the day that an override cools off
//! isn't, because stopping it is what there is to see.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::Context as _;
use url::Url;

use crate::config::Console;
use crate::demo::exchange::SIGNERS;
use crate::domain::channel::Address;
use crate::domain::staff::{Employer, Group, Profile, Role, Roles, StaffName};
use crate::service::Context;
use crate::service::staff::invite;

/// How long they are staff. The demo is over before.
const CONTRACT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Name, group, employer, role. The signers come from two groups and are in-house, so that the two fit; the admins come
/// last, because the others' links end with the founding, when both have made their passkeys.
const PEOPLE: [(&str, &str, &str, Role); 5] = [
    ("Dana Okafor", "support", "Teleplus", Role::Agent),
    ("Jonas Weber", "risk", "in-house", Role::Signer),
    ("Amir Haddad", "fraud", "in-house", Role::Signer),
    ("Ada Lind", "office", "in-house", Role::Admin),
    ("Ben Ortiz", "office", "in-house", Role::Admin),
];

/// What the console's origin and listener are on this machine. A browser takes every name under `localhost` to the
/// loopback interface, and passkeys work there without TLS.
///
/// # Errors
/// When the listener has no address.
pub fn console(listener: &TcpListener) -> anyhow::Result<Console> {
    let listen = listener.local_addr()?;
    Ok(Console { url: Url::parse(&format!("http://console.localhost:{}/", listen.port()))?, listen })
}

/// The console, and who is invited to it.
pub struct Office {
    pub console: String,
    /// Name and link, in the order in which they should be opened.
    pub links: Vec<(&'static str, String)>,
}

impl Office {
    /// Invites everybody.
    ///
    /// # Errors
    /// When somebody can't be invited.
    pub async fn open(cx: &Context) -> anyhow::Result<Self> {
        let console = cx.console()?.url.to_string();
        let mut links = Vec::with_capacity(PEOPLE.len());
        for (name, group, employer, role) in PEOPLE {
            let profile = Profile {
                name: StaffName::parse(name)?,
                group: Group::parse(group)?,
                employer: Employer::parse(employer)?,
                roles: Roles::of(&[role])?,
                ends_at: cx.now() + CONTRACT,
                user_name: None,
                external_id: None,
                own_holders: Vec::new(),
                mail: None,
            };
            let inbox = SIGNERS.iter().find(|(signer, _)| *signer == name);
            let mail = inbox.map(|(_, inbox)| Address::inbox(inbox)).transpose()?;
            let invited =
                invite::from_host(cx, profile, mail.as_ref()).await.with_context(|| format!("{name} isn't invited"))?;
            links.push((name, invited.url.to_string()));
        }
        Ok(Self { console, links })
    }

    /// What to do there.
    pub fn guide(&self) -> String {
        let width = self.links.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let roles = |name: &str| {
            let found = PEOPLE.iter().find(|(other, ..)| *other == name);
            found.map_or_else(String::new, |(_, group, employer, role)| {
                format!("{} · {group} · {employer}", role.as_str())
            })
        };
        let links: String = self
            .links
            .iter()
            .map(|(name, link)| format!("       {name:width$}  {}\n       {:width$}  {link}\n", roles(name), ""))
            .collect();
        format!(
            "And the side of the staff: when a customer can't decide, two others may, and the
customer can stop them. One private window is enough; sign out between people.

  1.     Make a passkey on each of these links, in this order. Each works once.
{links}  2. B   Make a withdrawal wait (steps 1 to 3 above) and leave it unanswered.
  3.     Sign in at {console} as Dana. Look the customer up by the number in the
         inbox, and ask two others to approve the withdrawal.
         Expect: a message for each of them in the inbox, and nothing of the case in it.
  4.     Sign in as Jonas, then as Amir: each writes what they checked and signs.
         Expect: cooling-off, a whole day. Only a signer's first seven days are left
         out in the demo, nothing else.
  5. B   Open the phone’s page. Expect: who looked, when and why; one tap stops it.
",
            console = self.console,
        )
    }
}
