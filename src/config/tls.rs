//! The certificate and key with which the service ends TLS itself.

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

use super::{Fault, Tls};

/// Reads both files, and whether they belong together, so that a wrong one is a fault among the others and not a
/// listener that doesn't come up.
pub fn check(cert: Option<&Path>, key: Option<&Path>, faults: &mut Vec<Fault>) -> Option<Tls> {
    let (cert_file, key_file) = match (cert, key) {
        (Some(cert), Some(key)) => (cert, key),
        (None, None) => return None,
        _ => {
            faults.push(Fault("http: tls_cert_file and tls_key_file go together".into()));
            return None;
        }
    };
    let chain = CertificateDer::pem_file_iter(cert_file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => Some(chain),
        Ok(_) => {
            faults.push(Fault(format!("http.tls_cert_file: {} holds no certificate in PEM", cert_file.display())));
            None
        }
        Err(error) => {
            faults.push(Fault(format!("http.tls_cert_file: {} can't be read: {error}", cert_file.display())));
            None
        }
    };
    let private = PrivateKeyDer::from_pem_file(key_file).map_err(|error| {
        faults.push(Fault(format!("http.tls_key_file: {} holds no private key in PEM: {error}", key_file.display())));
    });
    if let (Some(chain), Ok(private)) = (chain, private)
        && let Err(error) = CertifiedKey::from_der(chain, private, &rustls::crypto::aws_lc_rs::default_provider())
    {
        faults.push(Fault(format!("http: the certificate and the key can't be used together: {error}")));
    }
    Some(Tls { cert_file: cert_file.to_owned(), key_file: key_file.to_owned() })
}
