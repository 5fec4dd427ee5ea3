//! Receipts that must be taken and receipts that must not, each made by a signer of the test's own.

use super::*;
use crate::demo::exchange::order::tests::order;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

const NOW: i64 = 1_795_271_520;
const DIGEST: &str = "9f";

/// The signer's side, as a customer's test would fake it.
struct Signer {
    key: EncodingKey,
    keys: JwkSet,
}

impl Signer {
    fn new() -> Self {
        let pem = crate::adapters::receipts::generate_pem().unwrap();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some("k1".into());
        Self { key, keys: JwkSet { keys: vec![jwk] } }
    }

    fn sign(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.key).unwrap()
    }
}

fn header() -> Header {
    Header { typ: Some(TYP.into()), kid: Some("k1".into()), ..Header::new(Algorithm::ES256) }
}

fn claims() -> Value {
    let order = order();
    json!({
        "iss": "urn:countersign:demo", "aud": "bck_1", "jti": "apr_1", "iat": NOW, "exp": NOW + 60, "v": "v0",
        "subject": order.subject, "transfer_id": order.id, "digest": DIGEST, "amount": order.amount,
        "unit": order.unit.code, "network": order.unit.network, "payee_account": order.account,
        "source_account": order.source(), "distinct": "observed", "released_at": "2026-11-21T14:32:00Z",
    })
}

fn trust() -> Trust {
    Trust { issuer: "urn:countersign:demo".into(), audience: "bck_1".into() }
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn a_right_receipt_is_taken() {
    let signer = Signer::new();
    let receipt = trust().verify(&signer.keys, &signer.sign(&header(), &claims()), NOW).unwrap();
    receipt.is_for(&order(), "apr_1", DIGEST).unwrap();
}

#[test]
fn a_tampered_receipt_is_refused() {
    let signer = Signer::new();
    let jws = signer.sign(&header(), &claims());
    let [head, _, tail] = jws.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let body = BASE64URL_NOPAD.encode(with("amount", json!("185.0")).to_string().as_bytes());
    let tampered = format!("{head}.{body}.{tail}");
    assert!(matches!(trust().verify(&signer.keys, &tampered, NOW), Err(BadReceipt::Refused(_))));
    let unsigned = format!("{head}.{body}.");
    assert!(matches!(trust().verify(&signer.keys, &unsigned, NOW), Err(BadReceipt::Refused(_))));
    assert!(matches!(trust().verify(&signer.keys, "nothing", NOW), Err(BadReceipt::Form(_))));
}

#[test]
fn only_receipts_of_our_deployment_for_us_are_taken() {
    let signer = Signer::new();
    let refused = |claims: &Value| {
        let result = trust().verify(&signer.keys, &signer.sign(&header(), claims), NOW);
        assert!(matches!(result, Err(BadReceipt::Refused(_))), "{claims}");
    };
    refused(&with("iss", json!("https://elsewhere.example")));
    refused(&with("aud", json!("bck_2")));
    for missing in ["iss", "aud", "exp", "digest"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(missing);
        refused(&claims);
    }
}

#[test]
fn type_algorithm_and_key_must_be_right() {
    let signer = Signer::new();
    let verify = |jws: &str| trust().verify(&signer.keys, jws, NOW);
    let other_type = Header { typ: Some("JWT".into()), ..header() };
    assert!(matches!(verify(&signer.sign(&other_type, &claims())), Err(BadReceipt::Type)));
    let no_kid = Header { kid: None, ..header() };
    assert!(matches!(verify(&signer.sign(&no_kid, &claims())), Err(BadReceipt::Key)));
    let other_kid = Header { kid: Some("k2".into()), ..header() };
    assert!(matches!(verify(&signer.sign(&other_kid, &claims())), Err(BadReceipt::Key)));
    let hmac = Header { alg: Algorithm::HS256, ..header() };
    let jws = encode(&hmac, &claims(), &EncodingKey::from_secret(b"public key as a secret")).unwrap();
    assert!(matches!(verify(&jws), Err(BadReceipt::Algorithm)));
    let stranger = Signer::new();
    assert!(matches!(verify(&stranger.sign(&header(), &claims())), Err(BadReceipt::Refused(_))));
}

#[test]
fn a_receipt_has_its_time() {
    let signer = Signer::new();
    let jws = signer.sign(&header(), &claims());
    assert!(trust().verify(&signer.keys, &jws, NOW + 59).is_ok());
    assert!(matches!(trust().verify(&signer.keys, &jws, NOW + 60), Err(BadReceipt::Time)));
    assert!(matches!(trust().verify(&signer.keys, &jws, NOW - LEEWAY - 1), Err(BadReceipt::Time)));
}

#[test]
fn a_valid_receipt_for_something_else_is_refused() {
    let signer = Signer::new();
    for (claim, value, what) in [
        ("amount", json!("0.1"), "amount"),
        ("payee_account", json!("bc1qother"), "payee account"),
        ("unit", json!("ETH"), "unit"),
        ("network", json!("testnet"), "network"),
        ("source_account", json!("acc-1"), "source account"),
        ("subject", json!("u-2"), "subject"),
        ("transfer_id", json!("hb-2"), "transfer_id"),
        ("digest", json!("00"), "digest"),
        ("jti", json!("apr_2"), "approval"),
    ] {
        let jws = signer.sign(&header(), &with(claim, value));
        let receipt = trust().verify(&signer.keys, &jws, NOW).unwrap();
        let refused = receipt.is_for(&order(), "apr_1", DIGEST).unwrap_err();
        assert!(matches!(refused, BadReceipt::Differs(named) if named == what), "{refused}");
    }
}
