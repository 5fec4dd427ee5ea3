//! Receipts as a customer gets them, and as a forger would make them.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

use super::*;
use crate::domain::approval::Distinct;
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::ids::{ApprovalId, DeviceId};
use crate::domain::policy::Assurance;
use crate::domain::receipt::{ReceiptDevice, ReceiptProof};

const ISSUER: &str = "https://approve.example";
const NOW: Timestamp = Timestamp::from_micros(1_795_271_520_000_000);

fn audience() -> BackendId {
    BackendId::new(Timestamp::EPOCH, [1; 10])
}

fn receipt() -> Receipt {
    Receipt {
        iss: ISSUER.to_owned(),
        aud: audience(),
        jti: ApprovalId::new(Timestamp::EPOCH, [2; 10]),
        iat: NOW.seconds(),
        exp: NOW.seconds() + 3600,
        v: "v1".to_owned(),
        subject: serde_json::from_value(json!("holder-1")).unwrap(),
        transfer_id: serde_json::from_value(json!("transfer-1")).unwrap(),
        digest: Digest::of(b"details"),
        amount: "100.00".to_owned(),
        unit: "EUR".to_owned(),
        network: None,
        payee_account: "DE89370400440532013000".to_owned(),
        source_account: "acc-1".to_owned(),
        distinct: Some(Distinct::Observed),
        device: Some(ReceiptDevice {
            id: DeviceId::new(Timestamp::EPOCH, [3; 10]),
            enrolled_at: NOW,
            assurance: Assurance::DeviceBound,
            challenge: Digest::of(b"challenge"),
        }),
        staff: None,
        approved_at: NOW,
        released_at: NOW,
        redeemed_at: NOW,
        version: 4,
        proof: ReceiptProof { entry: "{}".to_owned(), salt: Blob(vec![7; 16]), tlog: String::new() },
    }
}

fn expected() -> Expected<'static> {
    Expected { issuer: ISSUER, audience: audience(), now: NOW }
}

/// Signs anything as anything, the way a forger with a key of theirs would.
fn forge(header: &Header, claims: &Value, pem: &str) -> String {
    encode(header, claims, &EncodingKey::from_ec_pem(pem.as_bytes()).unwrap()).unwrap()
}

fn header(signer: &Es256Receipts) -> Header {
    Header { typ: Some(TYP.to_owned()), kid: Some(signer.kid.clone()), ..Header::new(Algorithm::ES256) }
}

#[test]
fn a_receipt_reads_back_against_the_published_keys() {
    let signer = Es256Receipts::new(&generate_pem().unwrap(), &[]).unwrap();
    let jws = signer.sign(&receipt()).unwrap();
    assert_eq!(verify_receipt(&signer.key_set(), &jws, expected()).unwrap(), receipt());
    let head = decode_header(&jws).unwrap();
    assert_eq!((head.typ.as_deref(), head.alg), (Some(TYP), Algorithm::ES256));
    assert_eq!(head.kid.as_deref(), signer.key_set()["keys"][0]["kid"].as_str());
}

#[test]
fn the_key_set_holds_public_members_only() {
    let pem = generate_pem().unwrap();
    let set = Es256Receipts::new(&pem, &[]).unwrap().key_set();
    let mut members: Vec<&String> = set["keys"][0].as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(set["keys"][0]["use"], "sig");
}

/// RFC 7638 asks for a hash over exactly these members in this order; counted here without the library.
#[test]
fn the_kid_is_the_thumbprint() {
    let set = Es256Receipts::new(&generate_pem().unwrap(), &[]).unwrap().key_set();
    let key = &set["keys"][0];
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, key["x"], key["y"]);
    assert_eq!(key["kid"], BASE64URL_NOPAD.encode(Digest::of(text.as_bytes()).bytes()));
}

#[test]
fn a_retired_key_verifies_what_it_signed_in_its_time_and_nothing_later() {
    let old_pem = generate_pem().unwrap();
    let old = Es256Receipts::new(&old_pem, &[]).unwrap();
    let jws = old.sign(&receipt()).unwrap();
    let retired = |not_before, not_after| {
        let keys = [RetiredKey { public_pem: public_pem(&old_pem).unwrap(), not_before, not_after }];
        Es256Receipts::new(&generate_pem().unwrap(), &keys)
    };
    let second = Duration::from_secs(1);

    let set = retired(NOW, NOW + second).unwrap().key_set();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    assert!(verify_receipt(&set, &jws, expected()).is_ok());

    let ended = retired(NOW - second * 9, NOW).unwrap().key_set();
    assert!(matches!(verify_receipt(&ended, &jws, expected()), Err(ReceiptError::KeyPeriod)));
    let later = retired(NOW + second, NOW + second * 9).unwrap().key_set();
    assert!(matches!(verify_receipt(&later, &jws, expected()), Err(ReceiptError::KeyPeriod)));
    assert!(matches!(retired(NOW, NOW), Err(KeyError::Validity)));
}

#[test]
fn another_type_algorithm_key_issuer_or_audience_is_refused() {
    let pem = generate_pem().unwrap();
    let signer = Es256Receipts::new(&pem, &[]).unwrap();
    let set = signer.key_set();
    let claims = json!(receipt());
    let check = |jws: &str| verify_receipt(&set, jws, expected());

    let plain = Header { typ: Some("JWT".to_owned()), ..header(&signer) };
    assert!(matches!(check(&forge(&plain, &claims, &pem)), Err(ReceiptError::Type)));
    let critical = Header { crit: Some(vec!["x".to_owned()]), ..header(&signer) };
    assert!(matches!(check(&forge(&critical, &claims, &pem)), Err(ReceiptError::Type)));
    let nameless = Header { kid: None, ..header(&signer) };
    assert!(matches!(check(&forge(&nameless, &claims, &pem)), Err(ReceiptError::UnknownKey)));

    // The old trick: the public key, which everybody has, taken as the secret of an HMAC.
    let point = set["keys"][0]["x"].as_str().unwrap().as_bytes().to_vec();
    let hmac = Header { alg: Algorithm::HS256, ..header(&signer) };
    let jws = encode(&hmac, &claims, &EncodingKey::from_secret(&point)).unwrap();
    assert!(matches!(check(&jws), Err(ReceiptError::Algorithm)));

    let theirs = forge(&header(&signer), &claims, &generate_pem().unwrap());
    assert!(matches!(check(&theirs), Err(ReceiptError::Refused(_))));

    for (name, value) in [("iss", json!("https://evil.example")), ("aud", json!(BackendId::new(NOW, [9; 10])))] {
        let mut other = claims.clone();
        other[name] = value;
        assert!(matches!(check(&forge(&header(&signer), &other, &pem)), Err(ReceiptError::Refused(_))), "{name}");
        other.as_object_mut().unwrap().remove(name);
        assert!(matches!(check(&forge(&header(&signer), &other, &pem)), Err(ReceiptError::Refused(_))), "no {name}");
    }
}

#[test]
fn the_none_algorithm_and_garbage_are_no_receipts() {
    let signer = Es256Receipts::new(&generate_pem().unwrap(), &[]).unwrap();
    let jws = signer.sign(&receipt()).unwrap();
    let (signed, _) = jws.rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    let head = BASE64URL_NOPAD.encode(format!(r#"{{"alg":"none","typ":"{TYP}"}}"#).as_bytes());
    for bad in [format!("{head}.{claims}."), String::new(), "a.b.c".to_owned(), signed.to_owned()] {
        assert!(matches!(verify_receipt(&signer.key_set(), &bad, expected()), Err(ReceiptError::Header(_))), "{bad}");
    }
    assert!(matches!(verify_receipt(&json!({}), &jws, expected()), Err(ReceiptError::UnknownKey)));
}

#[test]
fn a_changed_claim_or_signature_is_refused() {
    let signer = Es256Receipts::new(&generate_pem().unwrap(), &[]).unwrap();
    let jws = signer.sign(&receipt()).unwrap();
    let parts: Vec<&str> = jws.split('.').collect();
    let mut claims = json!(receipt());
    claims["amount"] = json!("900.00");
    let dearer = BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
    let mut signature = BASE64URL_NOPAD.decode(parts[2].as_bytes()).unwrap();
    signature[63] ^= 1;
    let signature = BASE64URL_NOPAD.encode(&signature);
    for bad in [format!("{}.{dearer}.{}", parts[0], parts[2]), format!("{}.{}.{signature}", parts[0], parts[1])] {
        assert!(matches!(verify_receipt(&signer.key_set(), &bad, expected()), Err(ReceiptError::Refused(_))));
    }
}

#[test]
fn a_receipt_has_its_time() {
    let signer = Es256Receipts::new(&generate_pem().unwrap(), &[]).unwrap();
    let jws = signer.sign(&receipt()).unwrap();
    let at = |now| verify_receipt(&signer.key_set(), &jws, Expected { now, ..expected() });
    let hour = Duration::from_secs(3600);
    assert!(at(NOW + hour - Duration::from_micros(1)).is_ok());
    assert!(matches!(at(NOW + hour), Err(ReceiptError::Expired)));
    assert!(at(NOW - Duration::from_secs(60)).is_ok());
    assert!(matches!(at(NOW - Duration::from_secs(61)), Err(ReceiptError::Early)));
}

#[test]
fn only_a_p256_private_key_signs() {
    let pem = generate_pem().unwrap();
    assert!(pem.lines().all(|line| line.len() <= 64));
    for bad in ["", "not a key", &public_pem(&pem).unwrap()] {
        assert!(matches!(Es256Receipts::new(bad, &[]), Err(KeyError::Pem(_))));
    }
    let p384 = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p384 = super::pem("PRIVATE KEY", p384.to_pkcs8v1().unwrap().as_ref());
    assert!(Es256Receipts::new(&p384, &[]).is_err());
}
