//! Checking what a device key signed. The key itself is a [`DeviceKey`] of [`super::device`]; what it signs is made by
//! [`super::linking::device_key_message`].

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use super::device::DeviceKey;

/// WebCrypto signs ECDSA as `r ‖ s`, each 32 bytes for P-256 (W3C Web Cryptography API section 23.7.1).
pub const SIGNATURE_LENGTH: usize = 64;

impl DeviceKey {
    /// Whether `signature` is this key's ECDSA signature with SHA-256 over `message`.
    ///
    /// A point off the curve verifies nothing. Both `s` and `n - s` are accepted, as FIPS 186-5 section 6.4.2 does:
    /// WebCrypto gives either, and no rule of ours takes a signature for an identity.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == SIGNATURE_LENGTH
            && UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.bytes()).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    /// Order of P-256 (SEC 2 section 2.4.2).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
        0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];

    fn pair() -> (EcdsaKeyPair, DeviceKey) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let key = DeviceKey::from_bytes(pair.public_key().as_ref()).unwrap();
        (pair, key)
    }

    fn sign(pair: &EcdsaKeyPair, message: &[u8]) -> Vec<u8> {
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    /// `n - s` in place of `s`.
    fn mirrored(signature: &[u8]) -> Vec<u8> {
        let mut out = signature.to_vec();
        let mut borrow = 0_i16;
        for at in (0..32).rev() {
            let digit = i16::from(ORDER[at]) - i16::from(signature[32 + at]) - borrow;
            borrow = i16::from(digit < 0);
            out[32 + at] = u8::try_from(digit.rem_euclid(256)).unwrap();
        }
        out
    }

    #[test]
    fn its_own_signature_fits_and_no_other() {
        let (pair, key) = pair();
        let (other, _) = self::pair();
        let signature = sign(&pair, b"message");
        assert!(key.verifies(b"message", &signature));
        assert!(!key.verifies(b"massage", &signature));
        assert!(!key.verifies(b"message", &sign(&other, b"message")));
    }

    #[test]
    fn either_sign_of_s_fits() {
        let (pair, key) = pair();
        let signature = sign(&pair, b"message");
        assert_ne!(mirrored(&signature), signature);
        assert!(key.verifies(b"message", &mirrored(&signature)));
    }

    #[test]
    fn a_flipped_bit_never_fits() {
        let (pair, key) = pair();
        let signature = sign(&pair, b"message");
        for at in 0..SIGNATURE_LENGTH {
            let mut other = signature.clone();
            other[at] ^= 1;
            assert!(!key.verifies(b"message", &other), "byte {at}");
        }
    }

    #[test]
    fn wrong_lengths_and_garbage_do_not_fit() {
        let (pair, key) = pair();
        let signature = sign(&pair, b"message");
        let zero_s = [&signature[..32], &[0; 32]].concat();
        let order_s = [&signature[..32], &ORDER].concat();
        let longer = [signature.as_slice(), &[0]].concat();
        for bad in [&[][..], &signature[..63], &longer, &[0; 64], &[0xff; 64], &zero_s, &order_s] {
            assert!(!key.verifies(b"message", bad));
        }
    }

    #[test]
    fn a_point_off_the_curve_verifies_nothing() {
        let (pair, key) = pair();
        let mut point = *key.bytes();
        point[64] ^= 1;
        let off = DeviceKey::from_bytes(&point).unwrap();
        assert!(!off.verifies(b"message", &sign(&pair, b"message")));
    }
}
