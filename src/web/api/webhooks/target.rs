//! Where webhooks may go, as far as it can be told from the address alone. Whether the host may be connected to is
//! decided by the outbound guard each time something is sent.

use url::Url;

use crate::service::Profile;

/// Longest address.
pub const MAX_LENGTH: usize = 1024;

/// Why an address was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    #[error("must have at most {MAX_LENGTH} characters")]
    TooLong,
    #[error("must be an absolute URL of plain ASCII without spaces")]
    NotUrl,
    #[error("must begin with https://")]
    NotHttps,
    #[error("must not have a user name or password")]
    Credentials,
    #[error("must not have a fragment")]
    Fragment,
}

/// Reads an address. Only a deployment that moves no money may use plain http, where its guard allows the host.
///
/// # Errors
/// The first rule of [`BadTarget`] that it breaks.
pub fn parse(text: &str, profile: Profile) -> Result<Url, BadTarget> {
    if text.len() > MAX_LENGTH {
        return Err(BadTarget::TooLong);
    }
    // The parser drops line breaks and turns other letters into Punycode; what was meant should be what is written.
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(BadTarget::NotUrl);
    }
    let url = Url::parse(text).map_err(|_| BadTarget::NotUrl)?;
    match (url.scheme(), profile) {
        ("https", _) | ("http", Profile::Demo | Profile::Bench) => {}
        _ => return Err(BadTarget::NotHttps),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(BadTarget::NotUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadTarget::Credentials);
    }
    if url.fragment().is_some() {
        return Err(BadTarget::Fragment);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_addresses_pass() {
        assert!(parse("https://hooks.example.com/in?x=1", Profile::Production).is_ok());
        let long = format!("https://a.example/{}", "x".repeat(MAX_LENGTH));
        for (text, why) in [
            ("http://hooks.example.com/", BadTarget::NotHttps),
            ("ftp://hooks.example.com/", BadTarget::NotHttps),
            ("javascript:alert(1)", BadTarget::NotHttps),
            ("file:///etc/passwd", BadTarget::NotHttps),
            ("https://", BadTarget::NotUrl),
            ("hooks.example.com", BadTarget::NotUrl),
            ("/in", BadTarget::NotUrl),
            ("", BadTarget::NotUrl),
            ("https://hooks.example.com/\n", BadTarget::NotUrl),
            ("https://hooks.exämple.com/", BadTarget::NotUrl),
            ("https://u@hooks.example.com/", BadTarget::Credentials),
            ("https://u:p@hooks.example.com/", BadTarget::Credentials),
            ("https://hooks.example.com/#x", BadTarget::Fragment),
            (&long, BadTarget::TooLong),
        ] {
            assert_eq!(parse(text, Profile::Production), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_demo_may_use_plain_http() {
        assert!(parse("http://127.0.0.1:9000/hooks", Profile::Demo).is_ok());
        assert_eq!(parse("ftp://127.0.0.1/", Profile::Demo), Err(BadTarget::NotHttps));
    }
}
