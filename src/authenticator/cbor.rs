//! The two CBOR shapes (RFC 8949) that registration needs, written out: a COSE key and an attestation object.

/// Major types (RFC 8949 section 3.1), in their place in the first byte.
const UNSIGNED: u8 = 0 << 5;
const NEGATIVE: u8 = 1 << 5;
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const MAP: u8 = 5 << 5;

/// COSE (RFC 9052 section 7, RFC 9053 section 7.1.1): key type EC2, curve P-256.
const EC2: i32 = 2;
const P256: i32 = 1;

fn head(out: &mut Vec<u8>, major: u8, argument: u32) {
    let bytes = argument.to_be_bytes();
    match argument {
        0..24 => out.push(major | bytes[3]),
        24..0x100 => out.extend_from_slice(&[major | 24, bytes[3]]),
        0x100..0x1_0000 => out.extend_from_slice(&[major | 25, bytes[2], bytes[3]]),
        _ => {
            out.push(major | 26);
            out.extend_from_slice(&bytes);
        }
    }
}

fn integer(out: &mut Vec<u8>, value: i32) {
    let argument = if value < 0 { !value } else { value };
    head(out, if value < 0 { NEGATIVE } else { UNSIGNED }, argument.cast_unsigned());
}

fn string(out: &mut Vec<u8>, major: u8, bytes: &[u8]) {
    head(out, major, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
}

/// A P-256 public key from its uncompressed point, under the name of `algorithm` (-7 is ES256).
pub fn cose_key(point: &[u8; 65], algorithm: i32) -> Vec<u8> {
    let mut out = Vec::with_capacity(80);
    head(&mut out, MAP, 5);
    for (label, value) in [(1, EC2), (3, algorithm), (-1, P256)] {
        integer(&mut out, label);
        integer(&mut out, value);
    }
    for (label, coordinate) in [(-2, &point[1..33]), (-3, &point[33..])] {
        integer(&mut out, label);
        string(&mut out, BYTES, coordinate);
    }
    out
}

/// An attestation object of format `none` (WebAuthn L3 sections 6.5.4 and 8.7).
pub fn attestation_object(authenticator_data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(authenticator_data.len() + 40);
    head(&mut out, MAP, 3);
    string(&mut out, TEXT, b"fmt");
    string(&mut out, TEXT, b"none");
    string(&mut out, TEXT, b"attStmt");
    head(&mut out, MAP, 0);
    string(&mut out, TEXT, b"authData");
    string(&mut out, BYTES, authenticator_data);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the examples of RFC 8949 appendix A.
    #[test]
    fn integers_are_written_as_the_standard_shows() {
        let written = |value| {
            let mut out = Vec::new();
            integer(&mut out, value);
            data_encoding::HEXLOWER.encode(&out)
        };
        let examples = [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (-1, "20"),
            (-10, "29"),
            (-100, "3863"),
            (-1000, "3903e7"),
        ];
        for (value, expected) in examples {
            assert_eq!(written(value), expected);
        }
    }
}
