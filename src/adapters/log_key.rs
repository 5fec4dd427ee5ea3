//! The key that signs checkpoints: Ed25519 (RFC 8032), as C2SP tlog-checkpoint asks of every log.
//!
//! May import: `domain`, `ports`, and aws-lc-rs.

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64;

use crate::domain::log::{Checkpoint, EarlierName, KeyPeriod, LogKeys, Note, Origin, SignatureType, VerifierKey};
use crate::domain::time::Timestamp;
use crate::ports::log::CheckpointSigner;
use crate::ports::secrets::SignError;

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("not an Ed25519 key in PEM (PKCS#8); make one with `countersign keys`")]
    Pem,
    #[error("a retired key of the log must have been valid for some time, and have the log's name")]
    Retired,
    #[error("a key can't be made")]
    Library,
}

/// A key of the log that signs no more, kept so that old checkpoints can be checked.
#[derive(Debug, Clone)]
pub struct RetiredLogKey {
    pub key: VerifierKey,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

impl RetiredLogKey {
    /// The key with the time in which it signed.
    ///
    /// # Errors
    /// [`KeyError::Retired`].
    pub fn period(&self) -> Result<KeyPeriod, KeyError> {
        if self.not_after <= self.not_before || self.key.signs != SignatureType::Ed25519 {
            return Err(KeyError::Retired);
        }
        let (not_before, not_after) = (Some(self.not_before), Some(self.not_after));
        Ok(KeyPeriod { key: self.key.clone(), not_before, not_after })
    }
}

/// Signs with one key; publishes it and its retired predecessors.
pub struct Ed25519Checkpoints {
    pair: Ed25519KeyPair,
    public: VerifierKey,
    keys: LogKeys,
}

impl Ed25519Checkpoints {
    /// `pem` is a PKCS#8 key, such as [`generate_pem`] and `openssl genpkey -algorithm ed25519` make.
    ///
    /// # Errors
    /// [`KeyError`] names what is wrong with a key.
    pub fn new(origin: Origin, pem: &str, retired: &[RetiredLogKey]) -> Result<Self, KeyError> {
        let pair = pair(pem)?;
        let public = public_of(&pair, origin.clone())?;
        let mut keys = vec![KeyPeriod::always(public.clone())];
        for old in retired {
            keys.push(old.period()?);
        }
        Ok(Self { pair, public, keys: LogKeys { origin, keys, earlier: Vec::new() } })
    }

    /// The same log, which had these names before.
    pub fn once_called(mut self, earlier: &[Origin]) -> Self {
        self.keys.earlier = earlier.iter().cloned().map(EarlierName).collect();
        self
    }
}

impl CheckpointSigner for Ed25519Checkpoints {
    fn sign(&self, checkpoint: &Checkpoint) -> Result<Note, SignError> {
        let text = checkpoint.to_string();
        let signature = self.pair.sign(text.as_bytes());
        Note::signed(text, &self.public, signature.as_ref()).map_err(|error| SignError(Box::new(error)))
    }

    fn keys(&self) -> &LogKeys {
        &self.keys
    }
}

fn pair(pem: &str) -> Result<Ed25519KeyPair, KeyError> {
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PRIVATE KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"))
        .ok_or(KeyError::Pem)?;
    let text: String = body.split_whitespace().collect();
    let der = BASE64.decode(text.as_bytes()).map_err(|_| KeyError::Pem)?;
    // The public half may be missing: openssl leaves it out.
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| KeyError::Pem)
}

fn public_of(pair: &Ed25519KeyPair, name: Origin) -> Result<VerifierKey, KeyError> {
    let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Library)?;
    Ok(VerifierKey { name, signs: SignatureType::Ed25519, public })
}

/// The public half of a key, in the form that verifiers take (`name+id+key`).
///
/// # Errors
/// [`KeyError`] when it isn't an Ed25519 key.
pub fn public_key(pem: &str, name: Origin) -> Result<VerifierKey, KeyError> {
    public_of(&pair(pem)?, name)
}

/// A new key as PKCS#8 PEM, from 32 random bytes.
///
/// # Errors
/// [`KeyError::Library`], which the library has no reason for.
pub fn generate_pem(seed: &[u8; 32]) -> Result<String, KeyError> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Library)?;
    let seed = pair.seed().map_err(|_| KeyError::Library)?;
    let seed: aws_lc_rs::encoding::Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(|_| KeyError::Library)?;
    // RFC 8410 section 7: the one way in which a PKCS#8 version 1 key of this algorithm is written.
    let head = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let text = BASE64.encode(&[&head[..], seed.as_ref()].concat());
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::details::Digest;

    fn origin() -> Origin {
        Origin::parse("a.example/log").unwrap()
    }

    #[test]
    fn a_made_key_signs_what_its_public_half_verifies() {
        let pem = generate_pem(&[3; 32]).unwrap();
        let signer = Ed25519Checkpoints::new(origin(), &pem, &[]).unwrap();
        let checkpoint = Checkpoint { origin: origin(), size: 1, root: Digest::of(b"root") };
        let note = signer.sign(&checkpoint).unwrap();
        let keys = LogKeys::of(&[public_key(&pem, origin()).unwrap()]).unwrap();
        assert_eq!(keys.open(&note, Timestamp::EPOCH), Ok(checkpoint));
    }

    /// RFC 8410 section 10.3: the example key, and its public half from section 10.1.
    #[test]
    fn the_example_of_the_rfc_is_read() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        let public = public_key(pem, origin()).unwrap().public;
        assert_eq!(BASE64.encode(&public), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    }

    #[test]
    fn other_keys_are_refused() {
        let pem = generate_pem(&[3; 32]).unwrap();
        for bad in ["", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", &pem.replace("MC4", "MC5")] {
            assert!(matches!(Ed25519Checkpoints::new(origin(), bad, &[]), Err(KeyError::Pem)), "{bad}");
        }
        let other = crate::adapters::receipts::generate_pem().unwrap();
        assert!(matches!(Ed25519Checkpoints::new(origin(), &other, &[]), Err(KeyError::Pem)));
        let key = public_key(&pem, origin()).unwrap();
        let never = RetiredLogKey { key, not_before: Timestamp::EPOCH, not_after: Timestamp::EPOCH };
        assert!(matches!(Ed25519Checkpoints::new(origin(), &pem, &[never]), Err(KeyError::Retired)));
    }
}
