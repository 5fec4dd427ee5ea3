//! Every byte of evidence counts, and every lie of a browser or an authenticator has its name.

use std::time::Duration;

use super::super::samples::{HONEST, Lies, Phone, RP, sites};
use super::*;
use crate::domain::linking::ApprovePreimage;

fn made() -> (Phone, ApprovePreimage) {
    let phone = Phone::new(1);
    let approval = ApprovalId::new(Timestamp::EPOCH, [1; 10]);
    let preimage = phone.preimage(approval, 2, Digest::of(b"details"), Duration::from_secs(900));
    (phone, preimage)
}

fn judged(lies: &Lies) -> Flaw {
    let (phone, preimage) = made();
    check(&phone.approves(preimage, lies), &sites()).unwrap_err()
}

#[test]
fn honest_evidence_proves_what_was_signed() {
    let (phone, preimage) = made();
    let proven = check(&phone.approves(preimage.clone(), &HONEST), &sites()).unwrap();
    // The service's own arithmetic, compared with ours.
    assert_eq!(proven.challenge, preimage.challenge());
    assert_eq!(proven.by, Signer::Device(phone.id));
    let About::Approve { approval, version, digest, hold, .. } = proven.about else { panic!("{:?}", proven.about) };
    assert_eq!((approval, version, digest, hold), (preimage.approval, 2, preimage.digest, preimage.hold));

    let (holder, link) = (HolderId::new(Timestamp::EPOCH, [2; 10]), LinkId::new(Timestamp::EPOCH, [3; 10]));
    let enrolled = check(&phone.enrols(holder, link), &sites()).unwrap();
    assert_eq!(enrolled.about, About::Enrol { holder, link });
    assert_eq!(enrolled.keys, proven.keys, "the same two keys");

    let staff = StaffId::new(Timestamp::EPOCH, [4; 10]);
    let signed = check(&phone.signs(staff, r#"{"request":1}"#), &sites()).unwrap();
    assert_eq!(signed.by, Signer::Staff(staff));
}

#[test]
fn lies_have_names() {
    let other = Digest::of(b"other");
    for (lies, flaw) in [
        (Lies { kind: "webauthn.create", ..HONEST }, Flaw::Type),
        (Lies { kind: "payment.get", ..HONEST }, Flaw::Type),
        (Lies { challenge: Some(other), ..HONEST }, Flaw::Challenge),
        (Lies { origin: "https://approve.example.evil", ..HONEST }, Flaw::Origin),
        (Lies { origin: "https://approve.example/", ..HONEST }, Flaw::Origin),
        (Lies { more: r#","crossOrigin":true"#, ..HONEST }, Flaw::CrossOrigin),
        (Lies { more: r#","crossOrigin":null"#, ..HONEST }, Flaw::CrossOrigin),
        (Lies { more: r#","topOrigin":"https://evil.example""#, ..HONEST }, Flaw::CrossOrigin),
        (Lies { more: r#","origin":"https://approve.example""#, ..HONEST }, Flaw::ClientData),
        (Lies { rp: "evil.example", ..HONEST }, Flaw::RpIdHash),
        (Lies { flags: 0x04, ..HONEST }, Flaw::UserPresence),
        (Lies { flags: 0x01, ..HONEST }, Flaw::UserVerification),
    ] {
        assert_eq!(judged(&lies), flaw);
    }
    let (phone, preimage) = made();
    let fine = Lies { more: r#","crossOrigin":false,"other_keys_can_be_added_here":"x""#, ..HONEST };
    assert!(check(&phone.approves(preimage, &fine), &sites()).is_ok());
}

#[test]
fn no_member_of_the_evidence_can_be_another() {
    type Edit = fn(&mut Evidence);
    fn preimage(evidence: &mut Evidence) -> &mut ApprovePreimage {
        let Evidence::Approve { preimage, .. } = evidence else { panic!() };
        preimage
    }
    fn assertion(evidence: &mut Evidence) -> &mut SignedAssertion {
        let Evidence::Approve { assertion, .. } = evidence else { panic!() };
        assertion
    }
    let edits: [(Edit, Flaw); 14] = [
        (|e| preimage(e).approval = ApprovalId::new(Timestamp::EPOCH, [2; 10]), Flaw::Challenge),
        (|e| preimage(e).version = 1, Flaw::Challenge),
        (|e| preimage(e).digest = Digest::of(b"another amount"), Flaw::Challenge),
        (|e| preimage(e).hold = Duration::from_secs(1), Flaw::Challenge),
        (|e| preimage(e).expires_at = Timestamp::EPOCH, Flaw::Challenge),
        (|e| preimage(e).nonce.0[0] ^= 1, Flaw::Challenge),
        (|e| preimage(e).nonce.0.truncate(15), Flaw::Nonce),
        (|e| preimage(e).rp_id = "other.example".into(), Flaw::RpId),
        (|e| preimage(e).shown = Digest::of(b"other page"), Flaw::Shown),
        (|e| preimage(e).credential_id.0[0] ^= 1, Flaw::Credential),
        (|e| preimage(e).thumbprint.0[0] ^= 1, Flaw::Challenge),
        (|e| assertion(e).signature.0[9] ^= 1, Flaw::PasskeySignature),
        (|e| assertion(e).authenticator_data.0[36] ^= 1, Flaw::PasskeySignature),
        (|e| assertion(e).authenticator_data.0.truncate(36), Flaw::AuthenticatorData),
    ];
    for (at, (edit, flaw)) in edits.into_iter().enumerate() {
        let (phone, preimage) = made();
        let mut evidence = phone.approves(preimage, &HONEST);
        edit(&mut evidence);
        assert_eq!(check(&evidence, &sites()), Err(flaw), "edit {at}");
    }
}

#[test]
fn a_swapped_key_is_found_whichever_it_is() {
    let ((phone, preimage), other) = (made(), Phone::new(2));
    let mut evidence = phone.approves(preimage.clone(), &HONEST);
    let Evidence::Approve { device_key, .. } = &mut evidence else { panic!() };
    *device_key = other.key();
    assert_eq!(check(&evidence, &sites()), Err(Flaw::Thumbprint));

    let mut evidence = phone.approves(preimage.clone(), &HONEST);
    let Evidence::Approve { assertion, .. } = &mut evidence else { panic!() };
    assertion.public_key = other.asserts(&preimage.challenge(), &HONEST).public_key;
    assert_eq!(check(&evidence, &sites()), Err(Flaw::PasskeySignature));
    let Evidence::Approve { assertion, .. } = &mut evidence else { panic!() };
    assertion.public_key["kty"] = "OKP".into();
    assert_eq!(check(&evidence, &sites()), Err(Flaw::PublicKey));

    let mut evidence = phone.approves(preimage, &HONEST);
    let Evidence::Approve { device_signature, .. } = &mut evidence else { panic!() };
    device_signature.0[0] ^= 1;
    assert_eq!(check(&evidence, &sites()), Err(Flaw::DeviceSignature));
}

#[test]
fn a_passkey_of_the_rsa_kind_verifies_too() {
    // The stored example of the adapter's own tests: a real ceremony of a platform with an RSA passkey.
    let stored: Value = serde_json::from_str(include_str!("../../../adapters/webauthn/stored_rs256_v1.json")).unwrap();
    let key = &stored["credential"]["cred"]["key"]["RSA"];
    let response = &stored["response"]["response"];
    let blob = |value: &Value| serde_json::from_value::<Blob>(value.clone()).unwrap();
    let mut assertion = SignedAssertion {
        credential_id: blob(&stored["response"]["id"]),
        authenticator_data: blob(&response["authenticatorData"]),
        client_data_json: blob(&response["clientDataJSON"]),
        signature: blob(&response["signature"]),
        public_key: serde_json::json!({"kty": "RSA", "n": key["n"], "e": "AQAB"}),
    };
    assert_eq!(passkey(&assertion), Ok(()));
    assert_eq!(authenticator_data(&assertion.authenticator_data.0, RP), Ok(()));
    assertion.authenticator_data.0[36] ^= 1;
    assert_eq!(passkey(&assertion), Err(Flaw::PasskeySignature));
}

#[test]
fn staff_sign_at_the_console_and_over_the_very_text() {
    let (phone, staff) = (Phone::new(3), StaffId::new(Timestamp::EPOCH, [4; 10]));
    let evidence = phone.signs(staff, r#"{"request":1}"#);
    let mut without = sites();
    without.console = None;
    assert_eq!(check(&evidence, &without), Err(Flaw::NoConsole));
    let mut swapped = evidence;
    let Evidence::Staff { signed, .. } = &mut swapped else { panic!() };
    *signed = r#"{"request":2}"#.into();
    assert_eq!(check(&swapped, &sites()), Err(Flaw::Signed));
}
