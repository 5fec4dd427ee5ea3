//! The hosts of push services. A subscription names its own endpoint, so without a list any holder's browser could send
//! our requests anywhere. Pure.

use std::fmt;
use std::str::FromStr;
use url::Url;

/// Where the browsers' push services live: Chrome and its kin, Firefox, Safari, and Edge.
pub const PUSH_SERVICES: [&str; 4] =
    ["fcm.googleapis.com", "updates.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com"];

/// The text is no host pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a host, or *. and a host, in lower case, with or without :port")]
pub struct BadHostPattern;

/// One host, or all hosts below one, on one port: the scheme's own unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    scope: Scope,
    name: String,
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Exactly,
    Below,
}

impl HostPattern {
    /// Whether the URL's host and port are of this pattern.
    pub fn fits(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let named = match self.scope {
            Scope::Exactly => host == self.name,
            Scope::Below => {
                host.strip_suffix(self.name.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
        };
        // A URL keeps no port that is its scheme's own.
        named && url.port() == self.port
    }
}

impl FromStr for HostPattern {
    type Err = BadHostPattern;

    fn from_str(text: &str) -> Result<Self, BadHostPattern> {
        let (scope, rest) = match text.strip_prefix("*.") {
            Some(rest) => (Scope::Below, rest),
            None => (Scope::Exactly, text),
        };
        let (name, port) = match rest.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| BadHostPattern)?)),
            None => (rest, None),
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let dots = !name.starts_with('.') && !name.ends_with('.') && !name.contains("..");
        // A pattern for everything below a top-level domain would be a pattern for everybody.
        let narrow = scope == Scope::Exactly || name.contains('.');
        if name.is_empty() || !name.bytes().all(plain) || !dots || !narrow {
            return Err(BadHostPattern);
        }
        Ok(Self { scope, name: name.to_owned(), port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.scope == Scope::Below { "*." } else { "" };
        write!(f, "{star}{}", self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// [`PUSH_SERVICES`] as patterns.
pub(super) fn push_services() -> Vec<HostPattern> {
    PUSH_SERVICES.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_push_service(url: &str) -> bool {
        let url = Url::parse(url).unwrap();
        push_services().iter().any(|pattern| pattern.fits(&url))
    }

    #[test]
    fn push_services_are_known_by_their_whole_names() {
        assert_eq!(push_services().len(), PUSH_SERVICES.len());
        for good in [
            "https://fcm.googleapis.com/fcm/send/x",
            "https://FCM.googleapis.com:443/x",
            "https://updates.push.services.mozilla.com/wpush/v2/x",
            "https://web.push.apple.com/x",
            "https://db5p.notify.windows.com/w/?token=x",
        ] {
            assert!(is_push_service(good), "{good}");
        }
        for bad in [
            "https://fcm.googleapis.com.evil.example/x",
            "https://xfcm.googleapis.com/x",
            "https://fcm.googleapis.com./x",
            "https://fcm.googleapis.com:8443/x",
            "https://push.apple.com/x",
            "https://.push.apple.com/x",
            "https://evilpush.apple.com/x",
            "https://storage.googleapis.com/x",
            "https://evil.example/fcm.googleapis.com",
            "https://evil.example/?fcm.googleapis.com",
            "https://8.8.8.8/x",
        ] {
            assert!(!is_push_service(bad), "{bad}");
        }
    }

    #[test]
    fn patterns_are_read_and_written_alike() {
        for good in ["push.example", "*.push.example", "127.0.0.1:8080", "localhost:9"] {
            assert_eq!(good.parse::<HostPattern>().unwrap().to_string(), good);
        }
        for bad in
            ["", "*", "*.", "*.com", "a..b", ".a", "a.", "A.example", "*.*.example", "a.example:x", "a:1:2", "a/b"]
        {
            assert_eq!(bad.parse::<HostPattern>(), Err(BadHostPattern), "{bad}");
        }
        let narrow: HostPattern = "127.0.0.1:8080".parse().unwrap();
        assert!(narrow.fits(&Url::parse("http://127.0.0.1:8080/x").unwrap()));
        assert!(!narrow.fits(&Url::parse("http://127.0.0.1:8081/x").unwrap()));
    }
}
