//! Makes connections to Redis, single or cluster. Imports the redis crate.

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisFuture, RedisResult,
    TlsCertificates, Value,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::ExposeSecret;
use std::time::Duration;

use super::{RedisSettings, RedisSettingsError, Topology};

/// Commands that may wait for their turn on a connection before their callers do.
const QUEUE: usize = 1024;

/// Where Redis is.
pub(super) struct Dialer {
    way: Way,
    nodes: Vec<Client>,
    timeout: Duration,
}

enum Way {
    Single,
    Cluster(Box<ClusterClient>),
}

/// An open connection; a clone shares it.
#[derive(Clone)]
pub(super) enum Wire {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// The redis crate takes anything for a list of certificates, and then trusts nobody.
fn are_certificates(pem: &[u8]) -> bool {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.is_ok_and(|certificates| !certificates.is_empty())
}

impl Dialer {
    pub fn new(settings: &RedisSettings) -> Result<Self, RedisSettingsError> {
        let addresses: Vec<ConnectionInfo> = settings
            .urls
            .iter()
            .map(|url| {
                let info = url.expose_secret().into_connection_info()?;
                Ok(match &settings.password {
                    None => info,
                    Some(password) => {
                        let access = info.redis_settings().clone().set_password(password.expose_secret());
                        info.set_redis_settings(access)
                    }
                })
            })
            .collect::<RedisResult<_>>()
            .map_err(RedisSettingsError::Address)?;
        let over_tls = addresses.iter().all(|address| matches!(address.addr(), ConnectionAddr::TcpTls { .. }));
        let certificates = match &settings.authorities_pem {
            Some(_) if !over_tls => return Err(RedisSettingsError::NotOverTls),
            Some(pem) if !are_certificates(pem) => return Err(RedisSettingsError::Authorities),
            Some(pem) => Some(TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) }),
            None => None,
        };
        if over_tls {
            // The redis crate asks for the process's provider. If there is one, it was set by us or for good reason.
            drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        }
        let way = match (settings.topology, addresses.len()) {
            (_, 0) => return Err(RedisSettingsError::NoAddress),
            (Topology::Single, 1) => Way::Single,
            (Topology::Single, _) => return Err(RedisSettingsError::ManyAddresses),
            (Topology::Cluster, _) => {
                let mut builder = ClusterClient::builder(addresses.clone());
                if let Some(certificates) = &certificates {
                    builder = builder.certs(certificates.clone());
                }
                let client = builder
                    .connection_timeout(settings.timeout)
                    // A node that is silent is asked once more, within the time that the caller has.
                    .response_timeout(settings.timeout / 2)
                    .retries(3)
                    .min_retry_wait(10)
                    .max_retry_wait(100)
                    .build()
                    .map_err(RedisSettingsError::Address)?;
                Way::Cluster(Box::new(client))
            }
        };
        let nodes = addresses.into_iter().map(|address| match &certificates {
            Some(certificates) => {
                Client::build_with_tls(address, certificates.clone()).map_err(RedisSettingsError::Address)
            }
            None => Client::open(address).map_err(RedisSettingsError::Address),
        });
        Ok(Self { way, nodes: nodes.collect::<Result<_, _>>()?, timeout: settings.timeout })
    }

    /// Whether one command may touch keys of any shard.
    pub fn topology(&self) -> Topology {
        match self.way {
            Way::Single => Topology::Single,
            Way::Cluster(_) => Topology::Cluster,
        }
    }

    /// Opens a connection for commands. The caller bounds the time.
    pub async fn dial(&self) -> RedisResult<Wire> {
        match (&self.way, self.nodes.first()) {
            (Way::Cluster(cluster), _) => cluster.get_async_connection().await.map(Wire::Cluster),
            (Way::Single, Some(node)) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(self.timeout))
                    .set_response_timeout(Some(self.timeout))
                    .set_pipeline_buffer_size(QUEUE);
                node.get_multiplexed_async_connection_with_config(&config).await.map(Wire::Single)
            }
            (Way::Single, None) => Err((redis::ErrorKind::InvalidClientConfig, "no address").into()),
        }
    }

    /// Opens a connection that listens, to one of the nodes: in a cluster each of them hears everything. The caller
    /// bounds the time.
    pub async fn dial_listener(&self, attempt: usize) -> RedisResult<PubSub> {
        match self.nodes.get(attempt % self.nodes.len().max(1)) {
            Some(node) => node.get_async_pubsub().await,
            None => Err((redis::ErrorKind::InvalidClientConfig, "no address").into()),
        }
    }
}

impl ConnectionLike for Wire {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(wire) => wire.req_packed_command(command),
            Self::Cluster(wire) => wire.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a redis::Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(wire) => wire.req_packed_commands(commands, offset, count),
            Self::Cluster(wire) => wire.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(wire) => wire.get_db(),
            Self::Cluster(wire) => wire.get_db(),
        }
    }
}
