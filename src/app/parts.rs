//! Adapters from configuration.

use anyhow::Context as _;
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Notify;

use crate::adapters::channels::email::{Email, EmailConfig, SmtpTls as MailTls};
use crate::adapters::channels::inbox::Inbox;
use crate::adapters::channels::web_push::WebPush;
use crate::adapters::channels::web_push::vapid::Vapid;
use crate::adapters::outbound::host::HostPattern;
use crate::adapters::outbound::{Outbound, OutboundConfig, PlainHttp};
use crate::adapters::receipts::{Es256Receipts, RetiredKey};
use crate::adapters::secrets::MasterSecrets;
use crate::adapters::siem::{FileSink, StdoutSink, WebhookSink};
use crate::adapters::storage::postgres::{PostgresOptions, PostgresStore};
use crate::adapters::storage::sqlite::SqliteStore;
use crate::adapters::timing::redis::{Redis, RedisSettings, Topology};
use crate::adapters::timing::{MemoryLimits, MemoryLive, MemoryTimers, OsEntropy, SystemClock};
use crate::adapters::webauthn::Webauthn;
use crate::adapters::webhooks::Webhooks;
use crate::config::siem::SiemTarget;
use crate::config::{Config, Retired, SmtpTls, Storage};
use crate::domain::channel::ChannelKind;
use crate::domain::verification::evidence::{Site, Sites};
use crate::ports::audit::{AuditStore, CursorStore};
use crate::ports::siem::EventSink;
use crate::ports::{
    ChannelSender, Clock, CosignatureStore, Entropy, Limits, Live, LogStore, Secrets, StaffStore, Store, Timers,
    WebhookSender,
};
use crate::service::audit;
use crate::service::{Console, Context, Profile, Settings};
use crate::workers::notices::Senders;
use crate::workers::siem::Stream;
use crate::workers::witnesses::Circle;

/// Everything that a running service is made of.
pub struct Parts {
    pub cx: Context,
    pub record: Record,
    pub senders: Senders,
    pub webhooks: Arc<dyn WebhookSender>,
    pub notices_wake: Arc<Notify>,
    pub deliveries_wake: Arc<Notify>,
    pub push_key: Option<String>,
    pub inbox: Option<Arc<Inbox>>,
    /// Where security events go.
    pub sinks: Vec<Arc<dyn EventSink>>,
    /// Who is asked to cosign the log.
    pub circle: Option<Circle>,
}

impl Parts {
    /// The record as it is read again by those who check it.
    ///
    /// # Errors
    /// When an origin names no host.
    pub fn audit(&self, config: &Config) -> anyhow::Result<audit::Record> {
        let site = |url: &url::Url| {
            let rp_id = url.host_str().context("an origin names no host")?.to_owned();
            anyhow::Ok(Site { rp_id, origin: url.origin().ascii_serialization() })
        };
        let console = config.console.as_ref().map(|console| site(&console.url)).transpose()?;
        Ok(audit::Record {
            audit: self.record.audit().0,
            log: self.record.log(),
            staff: self.record.staff(),
            keys: self.cx.log.signer.keys().clone(),
            sites: Sites { holders: site(&config.http.public_url)?, console },
            witnesses: self.cx.log.witnesses.clone(),
        })
    }

    /// What sinks are told of.
    pub fn stream(&self) -> Stream {
        let (audit, cursors) = self.record.audit();
        let origin = self.cx.log.signer.keys().origin.to_string();
        Stream { audit, log: self.record.log(), cursors, origin }
    }
}

fn sinks(config: &Config, outbound: &Arc<Outbound>) -> Vec<Arc<dyn EventSink>> {
    let sink = |sink: &crate::config::siem::SiemSink| -> Arc<dyn EventSink> {
        let name = sink.name.clone();
        match &sink.to {
            SiemTarget::Stdout => Arc::new(StdoutSink),
            SiemTarget::File(path) => Arc::new(FileSink::new(name, path.clone())),
            SiemTarget::Webhook { url, authorization } => {
                Arc::new(WebhookSink::new(name, url.clone(), authorization.clone(), Arc::clone(outbound)))
            }
        }
    };
    config.siem.iter().map(sink).collect()
}

/// The record, whichever database keeps it.
#[derive(Clone)]
pub enum Record {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl Record {
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// The part of it that is about staff.
    pub fn staff(&self) -> Arc<dyn StaffStore> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn StaffStore>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn StaffStore>,
        }
    }

    /// Reads for those who check, and how far sinks were told.
    pub fn audit(&self) -> (Arc<dyn AuditStore>, Arc<dyn CursorStore>) {
        match self {
            Self::Sqlite(store) => {
                (Arc::clone(store) as Arc<dyn AuditStore>, Arc::clone(store) as Arc<dyn CursorStore>)
            }
            Self::Postgres(store) => {
                (Arc::clone(store) as Arc<dyn AuditStore>, Arc::clone(store) as Arc<dyn CursorStore>)
            }
        }
    }

    /// The log's tree in it.
    pub fn log(&self) -> Arc<dyn LogStore> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn LogStore>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn LogStore>,
        }
    }

    /// What witnesses signed about it.
    pub fn cosignatures(&self) -> Arc<dyn CosignatureStore> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn CosignatureStore>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn CosignatureStore>,
        }
    }

    /// Notified after a commit that wrote something to send.
    pub fn outbox_signal(&self) -> Arc<Notify> {
        match self {
            Self::Sqlite(store) => store.outbox_signal(),
            Self::Postgres(store) => store.outbox_signal(),
        }
    }

    /// From now on this process's senders take what its commits leave to send.
    pub fn hand_over(&self) {
        match self {
            Self::Sqlite(store) => store.hand_over(),
            Self::Postgres(store) => store.hand_over(),
        }
    }

    /// What commits leave to send is for any process to take again.
    pub fn keep_to_record(&self) {
        match self {
            Self::Sqlite(store) => store.keep_to_record(),
            Self::Postgres(store) => store.keep_to_record(),
        }
    }

    /// Brings the schema up to date.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(store) => store.migrate().await.context("the SQLite schema can't be brought up to date"),
            Self::Postgres(store) => store.migrate().await.context("the PostgreSQL schema can't be brought up to date"),
        }
    }

    /// Stores what is queued, and closes the connections.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// Opens the record with its schema up to date.
///
/// # Errors
/// When it can't be reached or migrated.
pub async fn open_record(
    config: &Config,
) -> anyhow::Result<(Record, Arc<dyn Secrets>, Arc<dyn Entropy>, Arc<dyn Clock>)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let secrets: Arc<dyn Secrets> = Arc::new(MasterSecrets::new(&config.keys.master.0, Arc::clone(&entropy))?);
    let record = match &config.storage {
        Storage::Embedded { path } => {
            let store = SqliteStore::open(path, Arc::clone(&secrets), Arc::clone(&clock)).await;
            Record::Sqlite(Arc::new(store.with_context(|| format!("{} can't be opened", path.display()))?))
        }
        Storage::Servers { postgres, .. } => {
            let store = PostgresStore::connect(postgres, &PostgresOptions::default(), Arc::clone(&secrets)).await;
            Record::Postgres(Arc::new(store.context("PostgreSQL can't be reached")?))
        }
    };
    record.migrate().await?;
    Ok((record, secrets, entropy, clock))
}

/// Settings of the database under which it would lose what it acknowledged. Nothing of the record is read.
///
/// # Errors
/// When it can't be reached.
pub async fn durability_faults(storage: &Storage) -> anyhow::Result<Vec<String>> {
    // An embedded database is ours, and set up by us.
    let Storage::Servers { postgres, .. } = storage else { return Ok(Vec::new()) };
    // A key that opens and seals nothing.
    let secrets: Arc<dyn Secrets> = Arc::new(MasterSecrets::new(&[0; 32], Arc::new(OsEntropy))?);
    let store = PostgresStore::connect(postgres, &PostgresOptions::default(), secrets).await;
    let store = store.context("PostgreSQL can't be reached")?;
    let faults = store.durability_faults().await;
    store.close().await;
    Ok(faults?)
}

/// Opens everything.
///
/// # Errors
/// Whatever can't be opened, with its name.
pub async fn open(config: &Config) -> anyhow::Result<Parts> {
    let (record, secrets, entropy, clock) = open_record(config).await?;
    let (timers, limits, live) = timing(config, &clock)?;
    let host = config.http.public_url.host_str().context("http.public_url names no host")?;
    let ceremonies = Webauthn::new(host, &config.http.public_url, &config.operator.name)?;
    let retired: Vec<RetiredKey> = config.keys.retired.iter().map(retired).collect();
    let signer = Es256Receipts::new(config.keys.receipt_pem.expose_secret(), &retired).context("the receipt key")?;
    let log = super::log::open(config, &record).await?;
    let outbound = Arc::new(outbound(config)?);
    let circle = super::log::circle(config, &record, &log, &outbound);
    // A channel that needs no server: for looking, and for a load that isn't about mail.
    let inbox = (config.profile != Profile::Production).then(|| Arc::new(Inbox::new()));
    let (senders, push_key) = channels(config, &outbound, &clock, inbox.as_ref())?;
    let console = match &config.console {
        Some(console) => {
            let host = console.url.host_str().context("console.url names no host")?;
            let name = format!("{} console", config.operator.name);
            let ceremonies = Arc::new(Webauthn::new(host, &console.url, &name)?);
            Some(Console { url: console.url.clone(), ceremonies })
        }
        None => None,
    };
    let settings = Settings {
        profile: config.profile,
        operator: config.operator.name.clone(),
        contact: config.operator.contact.clone(),
        public_url: config.http.public_url.clone(),
        issuer: config.operator.issuer.clone(),
        policy: config.policy.clone(),
        new_device_hold: config.new_device_hold,
        new_channel_hold: config.new_channel_hold,
        notices_per_minute: config.limits.notices_per_minute,
        override_caps: config.override_caps,
        tries_per_minute: config.limits.tries_per_minute,
        key_per_minute: config.limits.key_per_minute,
    };
    let cx = Context {
        clock,
        entropy,
        store: record.store(),
        timers,
        limits,
        live,
        ceremonies: Arc::new(ceremonies),
        secrets,
        signer: Arc::new(signer),
        settings: Arc::new(settings),
        staff: record.staff(),
        console,
        log,
    };
    Ok(Parts {
        cx,
        record,
        senders,
        sinks: sinks(config, &outbound),
        circle,
        webhooks: Arc::new(Webhooks::new(outbound)),
        notices_wake: Arc::new(Notify::new()),
        deliveries_wake: Arc::new(Notify::new()),
        push_key,
        inbox,
    })
}

/// A retired receipt key as its adapter takes it.
pub fn retired(key: &Retired) -> RetiredKey {
    RetiredKey { public_pem: key.public_pem.clone(), not_before: key.not_before, not_after: key.not_after }
}

type Timing = (Arc<dyn Timers>, Arc<dyn Limits>, Arc<dyn Live>);

fn timing(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Timing> {
    Ok(match &config.storage {
        Storage::Embedded { .. } => (
            Arc::new(MemoryTimers::new(Arc::clone(clock))),
            Arc::new(MemoryLimits::new(Arc::clone(clock))),
            Arc::new(MemoryLive::new()),
        ),
        Storage::Servers { redis, .. } => {
            let mut settings = RedisSettings::single(redis.url.clone());
            if !redis.cluster.is_empty() {
                settings.topology = Topology::Cluster;
                settings.urls.extend(redis.cluster.iter().cloned());
            }
            if let Some(prefix) = &redis.prefix {
                settings.prefix = prefix.parse().context("redis.prefix")?;
            }
            settings.authorities_pem.clone_from(&redis.authorities_pem);
            let redis = Redis::open(settings)?;
            (Arc::new(redis.timers()), Arc::new(redis.limits(Arc::clone(clock))), Arc::new(redis.live()))
        }
    })
}

fn outbound(config: &Config) -> anyhow::Result<Outbound> {
    let patterns = config.push.as_ref().map_or(&[][..], |push| &push.hosts);
    let push_hosts: Result<Vec<HostPattern>, _> = patterns.iter().map(|pattern| pattern.parse()).collect();
    let plain_http = if config.profile == Profile::Production { PlainHttp::Never } else { PlainHttp::ToAllowed };
    let outbound = OutboundConfig {
        allow: config.outbound_allow.clone(),
        plain_http,
        push_hosts: push_hosts.context("push.hosts")?,
        authorities_pem: config.outbound_authorities.clone(),
        ..OutboundConfig::default()
    };
    Outbound::new(outbound).context("the outbound client can't be made")
}

fn channels(
    config: &Config,
    outbound: &Arc<Outbound>,
    clock: &Arc<dyn Clock>,
    inbox: Option<&Arc<Inbox>>,
) -> anyhow::Result<(Senders, Option<String>)> {
    let mut senders: HashMap<ChannelKind, Arc<dyn ChannelSender>> = HashMap::new();
    if let Some(smtp) = &config.smtp {
        let email = EmailConfig {
            host: smtp.host.clone(),
            port: smtp.port,
            tls: match smtp.tls {
                SmtpTls::StartTls => MailTls::StartTls,
                SmtpTls::Implicit => MailTls::Implicit,
                SmtpTls::None => MailTls::Clear,
            },
            login: smtp.credentials.clone(),
            authorities_pem: smtp.ca_pem.clone(),
            from: smtp.from.clone(),
            reply_to: None,
            operator: config.operator.name.clone(),
            time_limit: std::time::Duration::from_secs(15),
        };
        senders.insert(ChannelKind::Email, Arc::new(Email::new(email, Arc::clone(clock)).context("smtp")?));
    }
    let mut push_key = None;
    if let Some(push) = &config.push {
        let vapid = Arc::new(Vapid::from_pem(&push.vapid_pem, &push.contact).context("push")?);
        push_key = Some(vapid.public_key().to_owned());
        let sender = WebPush::new(Arc::clone(outbound), vapid, Arc::clone(clock));
        senders.insert(ChannelKind::WebPush, Arc::new(sender));
    }
    if let Some(inbox) = inbox {
        senders.insert(ChannelKind::Inbox, Arc::clone(inbox) as Arc<dyn ChannelSender>);
    }
    Ok((Arc::new(senders), push_key))
}
