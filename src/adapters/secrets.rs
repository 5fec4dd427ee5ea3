//! Keyed tags and sealed boxes under keys derived from one master key, which lies in no database.
//!
//! HKDF-SHA-256 (RFC 5869) gives each purpose a key of its own, so that nothing made for one is taken for another.
//! May import: `domain`, `ports`, and aws-lc-rs.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{self, HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use std::sync::Arc;

use crate::ports::secrets::{BoxKey, NotOurs, Secrets, TagKey};
use crate::ports::timing::Entropy;

/// Separates our keys from anything else that the same master key may have been used for.
const SALT: &[u8] = b"countersign/secrets/v1";
/// First byte of a box: AES-256-GCM, a random 96-bit nonce after it.
const VERSION: u8 = 1;
/// A tag may be cut to this many bytes and no further (RFC 2104 section 5: half of the hash's output).
const SHORTEST_TAG: usize = 16;

/// A key couldn't be derived from the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys can't be derived from the master key")]
pub struct DeriveError;

/// All derived keys, ready for use.
pub struct MasterSecrets {
    row: hmac::Key,
    cancel_link: hmac::Key,
    wait_link: hmac::Key,
    enrol_code: hmac::Key,
    invite_code: hmac::Key,
    override_link: hmac::Key,
    lock_link: hmac::Key,
    tombstone: hmac::Key,
    address: LessSafeKey,
    webhook_secret: LessSafeKey,
    page: LessSafeKey,
    prompt: LessSafeKey,
    enrolment: LessSafeKey,
    console: LessSafeKey,
    entropy: Arc<dyn Entropy>,
}

impl MasterSecrets {
    /// Derives every key. `master` is 32 random bytes; `entropy` gives nonces.
    ///
    /// # Errors
    /// [`DeriveError`], which the library promises not to give for keys of this length.
    pub fn new(master: &[u8; 32], entropy: Arc<dyn Entropy>) -> Result<Self, DeriveError> {
        let prk = Salt::new(HKDF_SHA256, SALT).extract(master);
        Ok(Self {
            row: tag_key(&prk, "tag/row")?,
            cancel_link: tag_key(&prk, "tag/cancel-link")?,
            wait_link: tag_key(&prk, "tag/wait-link")?,
            enrol_code: tag_key(&prk, "tag/enrol-code")?,
            invite_code: tag_key(&prk, "tag/invite-code")?,
            override_link: tag_key(&prk, "tag/override-link")?,
            lock_link: tag_key(&prk, "tag/lock-link")?,
            tombstone: tag_key(&prk, "tag/tombstone")?,
            address: box_key(&prk, "box/address")?,
            webhook_secret: box_key(&prk, "box/webhook-secret")?,
            page: box_key(&prk, "box/page")?,
            prompt: box_key(&prk, "box/prompt")?,
            enrolment: box_key(&prk, "box/enrolment")?,
            console: box_key(&prk, "box/console")?,
            entropy,
        })
    }

    const fn tagging(&self, key: TagKey) -> &hmac::Key {
        match key {
            TagKey::Row => &self.row,
            TagKey::CancelLink => &self.cancel_link,
            TagKey::WaitLink => &self.wait_link,
            TagKey::EnrolCode => &self.enrol_code,
            TagKey::InviteCode => &self.invite_code,
            TagKey::OverrideLink => &self.override_link,
            TagKey::LockLink => &self.lock_link,
            TagKey::Tombstone => &self.tombstone,
        }
    }

    const fn sealing(&self, key: BoxKey) -> &LessSafeKey {
        match key {
            BoxKey::Address => &self.address,
            BoxKey::WebhookSecret => &self.webhook_secret,
            BoxKey::Page => &self.page,
            BoxKey::Prompt => &self.prompt,
            BoxKey::Enrolment => &self.enrolment,
            BoxKey::Console => &self.console,
        }
    }
}

fn tag_key(prk: &Prk, label: &str) -> Result<hmac::Key, DeriveError> {
    let info = [label.as_bytes()];
    prk.expand(&info, HMAC_SHA256).map(|okm: hkdf::Okm<'_, hmac::Algorithm>| okm.into()).map_err(|_| DeriveError)
}

fn box_key(prk: &Prk, label: &str) -> Result<LessSafeKey, DeriveError> {
    let info = [label.as_bytes()];
    prk.expand(&info, &AES_256_GCM).map(|okm| LessSafeKey::new(UnboundKey::from(okm))).map_err(|_| DeriveError)
}

impl Secrets for MasterSecrets {
    fn tag(&self, key: TagKey, message: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(self.tagging(key), message).as_ref());
        out
    }

    fn tag_fits(&self, key: TagKey, message: &[u8], tag: &[u8]) -> bool {
        let whole = self.tag(key, message);
        tag.len() >= SHORTEST_TAG
            && whole.get(..tag.len()).is_some_and(|start| verify_slices_are_equal(start, tag).is_ok())
    }

    /// A box is the version, the nonce, the ciphertext, and the 16-byte tag of AES-256-GCM. Random nonces are good
    /// for 2^32 boxes of one kind (NIST SP 800-38D section 8.3); a new master key begins the count again.
    fn seal(&self, key: BoxKey, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = self.entropy.bytes();
        let mut text = plain.to_vec();
        let sealed = self.sealing(key).seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut text,
        );
        // Only a plain text above the cipher's 64 GiB can fail. Such a box is empty, and never opens.
        if sealed.is_err() {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(1 + NONCE_LEN + text.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.append(&mut text);
        out
    }

    fn open(&self, key: BoxKey, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotOurs> {
        let (&version, rest) = sealed.split_first().ok_or(NotOurs)?;
        if version != VERSION {
            return Err(NotOurs);
        }
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(NotOurs)?;
        let mut text = text.to_vec();
        let length = self
            .sealing(key)
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut text)
            .map_err(|_| NotOurs)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    const TAGS: [TagKey; 7] = [
        TagKey::Row,
        TagKey::CancelLink,
        TagKey::WaitLink,
        TagKey::EnrolCode,
        TagKey::InviteCode,
        TagKey::OverrideLink,
        TagKey::LockLink,
    ];
    const BOXES: [BoxKey; 6] =
        [BoxKey::Address, BoxKey::WebhookSecret, BoxKey::Page, BoxKey::Prompt, BoxKey::Enrolment, BoxKey::Console];

    /// Counts, so that every nonce differs and every run is the same.
    #[derive(Default)]
    struct Counted(AtomicU8);

    impl Entropy for Counted {
        fn fill(&self, out: &mut [u8]) {
            out.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn secrets() -> MasterSecrets {
        MasterSecrets::new(&[7; 32], Arc::new(Counted::default())).unwrap()
    }

    #[test]
    fn tags_fit_whole_or_cut_to_half_and_no_shorter() {
        let secrets = secrets();
        let tag = secrets.tag(TagKey::CancelLink, b"apr_1");
        for length in 0..=32 {
            assert_eq!(secrets.tag_fits(TagKey::CancelLink, b"apr_1", &tag[..length]), length >= 16, "{length}");
        }
        assert!(!secrets.tag_fits(TagKey::CancelLink, b"apr_1", &[&tag[..], &[0]].concat()));
        assert!(!secrets.tag_fits(TagKey::CancelLink, b"apr_2", &tag));
    }

    #[test]
    fn a_flipped_bit_of_a_tag_never_fits() {
        let secrets = secrets();
        let tag = secrets.tag(TagKey::Row, b"row");
        for bit in 0..256 {
            let mut other = tag;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!secrets.tag_fits(TagKey::Row, b"row", &other), "bit {bit}");
        }
    }

    #[test]
    fn every_key_differs_and_hangs_on_the_master() {
        let secrets = secrets();
        let other = MasterSecrets::new(&[8; 32], Arc::new(Counted::default())).unwrap();
        let mut seen: Vec<[u8; 32]> = TAGS.iter().map(|key| secrets.tag(*key, b"same")).collect();
        seen.extend(TAGS.iter().map(|key| other.tag(*key, b"same")));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 2 * TAGS.len());
    }

    #[test]
    fn a_box_opens_with_its_own_key_and_context_alone() {
        let secrets = secrets();
        let other = MasterSecrets::new(&[8; 32], Arc::new(Counted::default())).unwrap();
        for mine in BOXES {
            let sealed = secrets.seal(mine, b"context", b"plain");
            assert!(!sealed.windows(5).any(|part| part == b"plain"));
            for theirs in BOXES {
                let opened = secrets.open(theirs, b"context", &sealed);
                assert_eq!(opened.is_ok(), mine == theirs, "{mine:?} with {theirs:?}");
            }
            assert_eq!(secrets.open(mine, b"context", &sealed).unwrap(), b"plain");
            assert_eq!(secrets.open(mine, b"contexts", &sealed), Err(NotOurs));
            assert_eq!(other.open(mine, b"context", &sealed), Err(NotOurs));
        }
    }

    #[test]
    fn a_flipped_bit_or_a_missing_byte_is_refused() {
        let secrets = secrets();
        let sealed = secrets.seal(BoxKey::Prompt, b"", b"preimage");
        for bit in 0..sealed.len() * 8 {
            let mut other = sealed.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(secrets.open(BoxKey::Prompt, b"", &other), Err(NotOurs), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(secrets.open(BoxKey::Prompt, b"", &sealed[..length]), Err(NotOurs), "{length} bytes");
        }
        assert_eq!(secrets.open(BoxKey::Prompt, b"", &[sealed.as_slice(), &[0]].concat()), Err(NotOurs));
    }

    #[test]
    fn two_boxes_of_the_same_text_differ_and_an_empty_one_opens() {
        let secrets = secrets();
        assert_ne!(secrets.seal(BoxKey::Page, b"", b"x"), secrets.seal(BoxKey::Page, b"", b"x"));
        let empty = secrets.seal(BoxKey::Page, b"", b"");
        assert_eq!(empty.len(), 1 + NONCE_LEN + 16);
        assert_eq!(secrets.open(BoxKey::Page, b"", &empty).unwrap(), b"");
    }

    /// Sealed data outlives a release: this changes only when every box and tag is meant to become unreadable. The
    /// values were computed with another implementation (Python's hmac and cryptography).
    #[test]
    fn the_derivation_stays_what_it_is() {
        let secrets = secrets();
        let tag = secrets.tag(TagKey::Row, b"stable");
        assert_eq!(
            data_encoding::HEXLOWER.encode(&tag),
            "c8e14c930f63a305699f0c97d4951db611a1e1813838735942b151f715573641"
        );
        let sealed = secrets.seal(BoxKey::Address, b"chn", b"stable");
        let expected = "01000102030405060708090a0b8ceeecd64608c52e085e42e57baa3f2409a4cf19d32e";
        assert_eq!(data_encoding::HEXLOWER.encode(&sealed), expected);
    }
}
