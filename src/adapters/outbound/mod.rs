//! The one outbound guard (design section 6): every request to a host that somebody else named leaves here. Webhooks,
//! web push and witnesses use it; nothing else in the crate builds an HTTP client.
//!
//! Owns which addresses may be reached ([`address`]), that the address checked is the address connected to
//! ([`resolver`]), which hosts are push services ([`host`]), and the bounds on size, time and number. May import:
//! reqwest, tokio. What comes back is a status, or a word of [`OutboundError`] that names no address.

pub mod address;
pub mod host;
mod resolver;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use ipnet::IpNet;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use url::{Host, Url};

use address::Reach;
use host::HostPattern;
use resolver::{CheckedResolver, RefusedName};

/// A request body is smaller than this (design section 6).
pub const BODY_LIMIT: usize = 20_000;
/// A whole exchange takes no longer than this (design section 6).
pub const TIME_LIMIT: Duration = Duration::from_secs(15);
/// So much of an answer's body is read, so that a small one leaves the connection usable; the rest is cut off.
const ANSWER_LIMIT: usize = 4_096;
/// Exchanges at the same time for push services, for witnesses and for security events.
const EXCHANGES: usize = 32;
/// The same for backends' endpoints: as many as the worker has places, which keeps slow ones from delaying others. Fewer
/// here, and a living endpoint would wait behind dead ones and run out of time unsent.
const EXCHANGES_FOR_BACKENDS: usize = 256;
/// Idle connections kept to one host, and for how long.
const IDLE_PER_HOST: usize = 16;
const IDLE_TIME: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("Countersign/", env!("CARGO_PKG_VERSION"));

/// Whether requests may go out without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainHttp {
    /// Every URL is https.
    #[default]
    Never,
    /// Also http, but only to the networks that the operator allowed by name.
    ToAllowed,
}

/// What the operator may say about outbound requests.
#[derive(Debug, Clone)]
pub struct OutboundConfig {
    /// Networks that may be reached although they aren't public.
    pub allow: Vec<IpNet>,
    pub plain_http: PlainHttp,
    /// Push services beyond [`host::PUSH_SERVICES`].
    pub push_hosts: Vec<HostPattern>,
    /// Certificate authorities in PEM that are trusted beside those of the system.
    pub authorities_pem: Option<Vec<u8>>,
    /// Bound on a whole exchange, waiting for its turn included.
    pub time_limit: Duration,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            plain_http: PlainHttp::Never,
            push_hosts: Vec::new(),
            authorities_pem: None,
            time_limit: TIME_LIMIT,
        }
    }
}

/// The guard couldn't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the outbound certificate authorities aren't certificates in PEM")]
    NoAuthority(#[source] rustls_pki_types::pem::Error),
    #[error("the outbound certificate authorities can't be used")]
    Authorities(#[source] reqwest::Error),
    #[error("the outbound HTTP client can't be built")]
    Client(#[source] reqwest::Error),
}

/// Why no status came back. The library's errors hold URLs and addresses, so they end here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    #[error("the address is refused")]
    RefusedAddress,
    #[error("there is no connection")]
    Connect,
    #[error("there was no answer in time")]
    Timeout,
    #[error("the server's TLS isn't trusted")]
    Tls,
    #[error("the body is too large")]
    TooLarge,
    #[error("the exchange failed")]
    Other,
}

impl OutboundError {
    /// A short stable word for records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefusedAddress => "refused_address",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::TooLarge => "too_large",
            Self::Other => "other",
        }
    }
}

/// Who a request is for. Each kind has its own share of the connections, so that slow customers don't hold up notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A backend's endpoint: any public host.
    Backend,
    /// A push service: only hosts of the list.
    PushService,
    /// A witness of the log, or a log that is witnessed: any public host.
    Witness,
    /// A way in for security events: any public host.
    EventSink,
}

/// What came back, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    /// Without its parameters.
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// The guard.
pub struct Outbound {
    reach: Arc<Reach>,
    push_hosts: Vec<HostPattern>,
    time_limit: Duration,
    /// Only https.
    secure: reqwest::Client,
    /// Also http, but its names resolve to allowed networks only.
    plain: Option<reqwest::Client>,
    for_backends: Semaphore,
    for_push_services: Semaphore,
    for_witnesses: Semaphore,
    for_event_sinks: Semaphore,
}

impl Outbound {
    /// # Errors
    /// [`BuildError`].
    pub fn new(config: OutboundConfig) -> Result<Self, BuildError> {
        let authorities = match &config.authorities_pem {
            Some(pem) => {
                // A text without any certificate would be taken for an empty list.
                CertificateDer::from_pem_slice(pem).map_err(BuildError::NoAuthority)?;
                reqwest::Certificate::from_pem_bundle(pem).map_err(BuildError::Authorities)?
            }
            None => Vec::new(),
        };
        let reach = Arc::new(Reach::with_allowed(config.allow.clone()));
        let secure = client(CheckedResolver::new(Arc::clone(&reach)), config.time_limit)
            .https_only(true)
            .tls_certs_merge(authorities)
            .build()
            .map_err(BuildError::Client)?;
        let plain = match config.plain_http {
            PlainHttp::Never => None,
            PlainHttp::ToAllowed => {
                let reach = Arc::new(Reach::only(config.allow));
                let client = client(CheckedResolver::new(reach), config.time_limit);
                Some(client.build().map_err(BuildError::Client)?)
            }
        };
        let mut push_hosts = host::push_services();
        push_hosts.extend(config.push_hosts);
        Ok(Self {
            reach,
            push_hosts,
            time_limit: config.time_limit,
            secure,
            plain,
            for_backends: Semaphore::new(EXCHANGES_FOR_BACKENDS),
            for_push_services: Semaphore::new(EXCHANGES),
            for_witnesses: Semaphore::new(EXCHANGES),
            for_event_sinks: Semaphore::new(EXCHANGES),
        })
    }

    /// Whether a request to this URL would be refused unsent. A host name is only looked up when it is used.
    ///
    /// # Errors
    /// [`OutboundError::RefusedAddress`].
    pub fn check(&self, audience: Audience, url: &Url) -> Result<(), OutboundError> {
        self.client_for(audience, url).map(|_| ())
    }

    /// Posts a body and gives the status, whatever it is; a redirect isn't followed. Once there is a status, nothing
    /// that happens to the answer's body matters.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn post(
        &self,
        audience: Audience,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<StatusCode, OutboundError> {
        if body.len() >= BODY_LIMIT {
            return Err(OutboundError::TooLarge);
        }
        let client = self.client_for(audience, url)?;
        let mut status = None;
        let exchange = async {
            let _turn = self.turns(audience).acquire().await.map_err(|_| OutboundError::Other)?;
            let answer = client.post(url.clone()).headers(headers).body(body).send().await.map_err(|e| classify(&e))?;
            status = Some(answer.status());
            read_some(answer).await;
            Ok(())
        };
        let ended = tokio::time::timeout(self.time_limit, exchange).await;
        match (status, ended) {
            (Some(status), _) => Ok(status),
            (None, Ok(Err(error))) => Err(error),
            (None, Ok(Ok(()))) => Err(OutboundError::Other),
            (None, Err(_)) => Err(OutboundError::Timeout),
        }
    }

    /// Posts a body and gives the whole answer.
    ///
    /// # Errors
    /// [`OutboundError`]; [`OutboundError::TooLarge`] for an answer of more than four kilobytes, too.
    pub async fn ask(
        &self,
        audience: Audience,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, OutboundError> {
        if body.len() >= BODY_LIMIT {
            return Err(OutboundError::TooLarge);
        }
        let request = self.client_for(audience, url)?.post(url.clone()).headers(headers).body(body);
        self.whole(audience, request, ANSWER_LIMIT).await
    }

    /// Gets what stands at a URL, up to `limit` bytes.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn fetch(&self, audience: Audience, url: &Url, limit: usize) -> Result<Answer, OutboundError> {
        self.whole(audience, self.client_for(audience, url)?.get(url.clone()), limit).await
    }

    async fn whole(
        &self,
        audience: Audience,
        request: reqwest::RequestBuilder,
        limit: usize,
    ) -> Result<Answer, OutboundError> {
        let exchange = async {
            let _turn = self.turns(audience).acquire().await.map_err(|_| OutboundError::Other)?;
            let mut answer = request.send().await.map_err(|e| classify(&e))?;
            let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let content_type = content_type.and_then(|text| text.split(';').next()).map(|text| text.trim().to_owned());
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|e| classify(&e))? {
                if body.len() + chunk.len() > limit {
                    return Err(OutboundError::TooLarge);
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer { status: answer.status(), content_type, body })
        };
        tokio::time::timeout(self.time_limit, exchange).await.map_err(|_| OutboundError::Timeout)?
    }

    const fn turns(&self, audience: Audience) -> &Semaphore {
        match audience {
            Audience::Backend => &self.for_backends,
            Audience::PushService => &self.for_push_services,
            Audience::Witness => &self.for_witnesses,
            Audience::EventSink => &self.for_event_sinks,
        }
    }

    /// Everything about a URL that can be judged before its name is looked up. The URL parser has already turned
    /// decimal, octal, hexadecimal and shortened IPv4 forms into addresses (WHATWG URL, "IPv4 parser").
    fn client_for(&self, audience: Audience, url: &Url) -> Result<&reqwest::Client, OutboundError> {
        let refused = OutboundError::RefusedAddress;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused);
        }
        if audience == Audience::PushService && !self.push_hosts.iter().any(|pattern| pattern.fits(url)) {
            return Err(refused);
        }
        let address = match url.host().ok_or(refused)? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        match url.scheme() {
            "https" if address.is_none_or(|address| self.reach.permits(address)) => Ok(&self.secure),
            "http" if address.is_none_or(|address| self.reach.operator_allows(address)) => {
                self.plain.as_ref().ok_or(refused)
            }
            _ => Err(refused),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the adapter that the lint points to")]
fn client(resolver: CheckedResolver, time_limit: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .dns_resolver(resolver)
        // A connection attempt outlives a request that was given up, so it has a bound of its own.
        .connect_timeout(time_limit)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .pool_idle_timeout(IDLE_TIME)
}

async fn read_some(mut answer: reqwest::Response) {
    let mut read = 0;
    while read < ANSWER_LIMIT {
        match answer.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

fn classify(error: &reqwest::Error) -> OutboundError {
    if holds::<RefusedName>(error) {
        OutboundError::RefusedAddress
    } else if holds::<rustls::Error>(error) {
        OutboundError::Tls
    } else if error.is_timeout() {
        OutboundError::Timeout
    } else if error.is_connect() {
        OutboundError::Connect
    } else {
        OutboundError::Other
    }
}

/// Whether an error of type `T` is somewhere in the chain. An I/O error hides the error it wraps from `source`, so it
/// is asked for it.
fn holds<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<T>() {
            return true;
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}
