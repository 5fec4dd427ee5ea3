//! The library behind the adapter: what it refuses by itself, what it lets pass and the adapter doesn't, the form of
//! its states and of its stored credentials, and the standard's own test vectors.

use serde::Deserialize;
use serde_json::json;
use webauthn_rs_core::proto::{
    AuthenticationState, COSEEC2Key, RegisterPublicKeyCredential, RegistrationState, RequestRegistrationExtensions,
    UserVerificationPolicy,
};

use super::*;
use crate::authenticator::{Backup, Counting, Flags, SoftAuthenticator, Tamper};
use crate::domain::time::Timestamp;

const RP_ID: &str = "approve.example";

fn origin() -> Url {
    Url::parse("https://approve.example").unwrap()
}

fn webauthn() -> Webauthn {
    Webauthn::new(RP_ID, &origin(), "Harbour").unwrap()
}

fn holder() -> HolderId {
    HolderId::new(Timestamp::EPOCH, [1; 10])
}

/// `fine`, `malformed`, `internal`, or the name of the refusal.
fn name<T>(result: Result<T, CeremonyError>) -> &'static str {
    match result {
        Ok(_) => "fine",
        Err(CeremonyError::Refused { name, .. }) => name,
        Err(CeremonyError::Malformed(_)) => "malformed",
        Err(CeremonyError::Internal(_)) => "internal",
    }
}

/// One lie, what the port calls it, and what the library alone does.
struct Case {
    tamper: Tamper,
    port: &'static str,
    library: &'static str,
}

/// Both notice.
fn both(name: &'static str, tamper: Tamper) -> Case {
    Case { tamper, port: name, library: name }
}

/// The library lets it pass.
fn ours(name: &'static str, tamper: Tamper) -> Case {
    Case { tamper, port: name, library: "fine" }
}

/// Lies that are possible in either ceremony.
fn common(other_kind: &str) -> Vec<Case> {
    let origin = |text: &str| Tamper { origin: Some(text.to_owned()), ..Tamper::default() };
    vec![
        both("origin", origin("https://evil.example")),
        both("origin", origin("http://approve.example")),
        both("origin", origin("https://approve.example:8443")),
        both("origin", origin("https://x.approve.example")),
        ours("origin", origin("https://approve.example/")),
        ours("origin", origin("https://user@approve.example/path")),
        both("type", Tamper { kind: Some(other_kind.to_owned()), ..Tamper::default() }),
        both("type", Tamper { kind: Some("payment.get".to_owned()), ..Tamper::default() }),
        both("challenge", Tamper { challenge: Some(vec![0; 32]), ..Tamper::default() }),
        both("challenge", Tamper { challenge: Some(vec![]), ..Tamper::default() }),
        ours("cross_origin", Tamper { top_origin: Some("https://evil.example".to_owned()), ..Tamper::default() }),
        both("rp_id", Tamper { rp_id: Some("example".to_owned()), ..Tamper::default() }),
        both("user_verification", Tamper { clear: Some(Flags::USER_VERIFIED), ..Tamper::default() }),
        both("user_verification", Tamper { clear: Some(Flags::USER_PRESENT), ..Tamper::default() }),
        both("backup", Tamper { set: Some(Flags::BACKED_UP), ..Tamper::default() }),
        both("malformed", Tamper::default().member("challenge", "\"AAAA\"")),
        both("malformed", Tamper::default().member("crossOrigin", "false")),
        ours("malformed", Tamper::default().member("extra", "1").member("extra", "2")),
        both("fine", Tamper::default().member("other_keys_can_be_added_here", "{\"a\":[null]}")),
    ]
}

#[test]
fn every_lie_at_registration_has_its_name() {
    let webauthn = webauthn();
    let challenge = Digest::of(b"challenge");
    let options = webauthn.creation_options(&challenge, holder(), "Mrs Lindqvist", &[]).unwrap();
    let mut cases = common("webauthn.get");
    cases.extend([
        both("cross_origin", Tamper { cross_origin: Some(true), ..Tamper::default() }),
        both("algorithm", Tamper { algorithm: Some(-35), ..Tamper::default() }),
        both("algorithm", Tamper { algorithm: Some(-8), ..Tamper::default() }),
        both("algorithm", Tamper { algorithm: Some(-257), ..Tamper::default() }),
        both("algorithm", Tamper { algorithm: Some(-65_535), ..Tamper::default() }),
        both("malformed", Tamper { clear: Some(Flags::ATTESTED), ..Tamper::default() }),
        ours("credential", Tamper { credential_id: Some(vec![1; 32]), ..Tamper::default() }),
    ]);
    for Case { tamper, port, library } in cases {
        let response = SoftAuthenticator::device_bound().create_tampered(&options, &origin(), &tamper).unwrap();
        let read = RegisterPublicKeyCredential::deserialize(&response).unwrap();
        let state = state::registration(&challenge).unwrap();
        let alone = webauthn.core.register_credential(&read, &state, None).map_err(named);
        assert_eq!(name(alone), library, "the library on {tamper:?}");
        assert_eq!(name(webauthn.register(&challenge, &response)), port, "the port on {tamper:?}");
    }
}

#[test]
fn every_lie_in_an_assertion_has_its_name() {
    let webauthn = webauthn();
    let challenge = Digest::of(b"challenge");
    let mut authenticator = SoftAuthenticator::device_bound();
    let options = webauthn.creation_options(&challenge, holder(), "Mrs Lindqvist", &[]).unwrap();
    let made = webauthn.register(&challenge, &authenticator.create(&options, &origin()).unwrap()).unwrap();
    let options = webauthn.request_options(&challenge, &made.id).unwrap();
    let mut cases = common("webauthn.create");
    cases.extend([
        // The library leaves this one out, although section 7.2 of the standard has it since level 2.
        ours("cross_origin", Tamper { cross_origin: Some(true), ..Tamper::default() }),
        both("backup", Tamper { set: Some(Flags::BACKUP_ELIGIBLE), ..Tamper::default() }),
        both("counter", Tamper { counter: Some(made.counter), ..Tamper::default() }),
        both("counter", Tamper { counter: Some(0), ..Tamper::default() }),
        both("credential", Tamper { credential_id: Some(vec![1; 32]), ..Tamper::default() }),
        both("signature", Tamper { flip_signature: Some(0), ..Tamper::default() }),
        both("signature", Tamper { flip_signature: Some(40), ..Tamper::default() }),
        both("signature", Tamper { flip_signature: Some(69), ..Tamper::default() }),
    ]);
    for Case { tamper, port, library } in cases {
        let response = authenticator.get_tampered(&options, &origin(), &tamper).unwrap();
        let read = PublicKeyCredential::deserialize(&response).unwrap();
        let state = state::authentication(&challenge).unwrap();
        let record = on_record(&made.credential, made.counter).unwrap();
        let alone = webauthn.core.authenticate_single_credential(&read, &state, &record).map_err(named);
        assert_eq!(name(alone), library, "the library on {tamper:?}");
        let result = webauthn.verify(&challenge, &response, &made.credential, made.counter);
        assert_eq!(name(result), port, "the port on {tamper:?}");
    }
}

#[test]
fn eligibility_for_backup_never_changes() {
    let webauthn = webauthn();
    let challenge = Digest::of(b"challenge");
    let none = Flags::BACKUP_ELIGIBLE.and(Flags::BACKED_UP);
    for (backup, set, clear, expected) in [
        (Backup::Never, Flags::BACKUP_ELIGIBLE, Flags::NONE, "backup"),
        (Backup::Never, none, Flags::NONE, "backup"),
        (Backup::Eligible, Flags::BACKED_UP, Flags::NONE, "fine"),
        (Backup::Eligible, Flags::NONE, Flags::BACKUP_ELIGIBLE, "backup"),
        (Backup::Done, Flags::NONE, Flags::BACKED_UP, "fine"),
        (Backup::Done, Flags::NONE, Flags::BACKUP_ELIGIBLE, "backup"),
        (Backup::Done, Flags::NONE, none, "backup"),
    ] {
        let mut authenticator = SoftAuthenticator::new(backup, Counting::Never);
        let options = webauthn.creation_options(&challenge, holder(), "x", &[]).unwrap();
        let made = webauthn.register(&challenge, &authenticator.create(&options, &origin()).unwrap()).unwrap();
        let options = webauthn.request_options(&challenge, &made.id).unwrap();
        let tamper = Tamper { set: Some(set), clear: Some(clear), ..Tamper::default() };
        let response = authenticator.get_tampered(&options, &origin(), &tamper).unwrap();
        let result = webauthn.verify(&challenge, &response, &made.credential, 0);
        assert_eq!(name(result), expected, "{backup:?}, set {set:?}, clear {clear:?}");
    }
}

/// If this fails, the library's states have another form: read its changes, then mend [`state`].
#[test]
fn the_rebuilt_states_have_the_librarys_own_form() {
    let core = webauthn().core;
    let challenge = Digest::of(b"challenge");
    let ours = json!(data_encoding::BASE64URL_NOPAD.encode(challenge.bytes()));

    let nothing = RequestRegistrationExtensions {
        cred_protect: None,
        uvm: None,
        cred_props: None,
        min_pin_length: None,
        hmac_create_secret: None,
    };
    let builder = core
        .new_challenge_register_builder(b"id", "name", "name")
        .unwrap()
        .user_verification_policy(UserVerificationPolicy::Required)
        .credential_algorithms(ALGORITHMS.to_vec())
        .extensions(Some(nothing));
    let (_, theirs) = core.generate_challenge_register(builder).unwrap();
    let mut theirs = json!(theirs);
    theirs["challenge"] = ours.clone();
    assert_eq!(state::registration_json(&challenge), theirs);
    assert_eq!(json!(state::registration(&challenge).unwrap()), theirs);

    let builder = core.new_challenge_authenticate_builder(vec![], Some(UserVerificationPolicy::Required)).unwrap();
    let (_, theirs) = core.generate_challenge_authenticate(builder).unwrap();
    let mut theirs = json!(theirs);
    theirs["challenge"] = ours;
    assert_eq!(state::authentication_json(&challenge), theirs);
    assert_eq!(json!(state::authentication(&challenge).unwrap()), theirs);
}

/// What the first version stored is still read and written alike. The RS256 one was signed by another implementation
/// (Python's cryptography).
#[test]
fn a_stored_credential_outlives_the_library() {
    for (text, kty) in [(include_str!("stored_es256_v1.json"), "EC"), (include_str!("stored_rs256_v1.json"), "RSA")] {
        let stored: Value = serde_json::from_str(text).unwrap();
        let challenge: Digest = serde_json::from_value(stored["challenge"].clone()).unwrap();
        let credential = &stored["credential"];
        let verified = webauthn().verify(&challenge, &stored["response"], credential, 1).unwrap();
        assert_eq!(verified.counter, 2);
        assert_eq!(verified.assertion.public_key["kty"], kty);
        assert_eq!(super::stored(&on_record(credential, 1).unwrap()).unwrap(), *credential);
        assert!(credential.get("counter").is_none());

        let mut other = stored["response"].clone();
        other["response"]["signature"] = json!(Blob(vec![1; 256]));
        assert_eq!(name(webauthn().verify(&challenge, &other, credential, 1)), "signature");
    }
}

/// The library would let ES256 name a key on another curve.
#[test]
fn an_algorithm_has_one_kind_of_key() {
    let point = |type_, curve| COSEKey { type_, key: COSEKeyType::EC_EC2(COSEEC2Key { curve, x: vec![], y: vec![] }) };
    assert!(algorithm_fits_key(&point(COSEAlgorithm::ES256, ECDSACurve::SECP256R1)));
    for key in [
        point(COSEAlgorithm::ES256, ECDSACurve::SECP384R1),
        point(COSEAlgorithm::ES384, ECDSACurve::SECP384R1),
        point(COSEAlgorithm::RS256, ECDSACurve::SECP256R1),
    ] {
        assert!(!algorithm_fits_key(&key), "{key:?}");
        assert_eq!(name(jwk(&key)), "algorithm");
    }
}

#[test]
fn a_broken_record_is_our_own_fault() {
    let response = json!({});
    let challenge = Digest::of(b"challenge");
    for record in [json!(null), json!({}), json!({"cred_id": "AAAA"})] {
        assert_eq!(name(webauthn().verify(&challenge, &response, &record, 0)), "internal");
    }
}

/// Unhexes a vector.
fn bytes(hex: &str) -> Blob {
    Blob(data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap())
}

/// WebAuthn L3 section 16, "ES256 Credential with Self Attestation": RP ID example.org. Its registration has user
/// verification, its assertion hasn't, so that the latter passes only where the policy is lowered.
#[test]
fn the_standards_own_vectors_are_read_alike() {
    let webauthn = Webauthn::new("example.org", &Url::parse("https://example.org").unwrap(), "x").unwrap();
    let digest = |hex: &str| Digest::from_bytes(bytes(hex).0.try_into().unwrap());
    let id = bytes("455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58c");
    let register = digest("7869c2b772d4b58eba9378cf8f29e26cf935aa77df0da89fa99c0bdc0a76f7e5");
    let registration = json!({"id": id, "rawId": id, "type": "public-key", "response": {
        "attestationObject": bytes(concat!(
            "a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab925005dbf378097c92120",
            "031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d121fa3d3a26d17fe3f220272178f473b6006d6861",
            "7574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b55d00000000df850e09db6a",
            "fbdfab51697791506cfc0020455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58ca501020326200121",
            "5820eb151c8176b225cc651559fecf07af450fd85802046656b34c18f6cf193843c5225820927b8aa427a2be1b8834d233a2d34f",
            "61f13bfd44119c325d5896e183fee484f2",
        )),
        "clientDataJSON": bytes(concat!(
            "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a2265476e4374334c55745936366b",
            "336a506a796e6962506b31716e666644616966715a774c33417032392d55222c226f726967696e223a2268747470733a2f2f6578",
            "616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e744461",
            "74614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865",
            "206675747572652c207375636820617320746869733a205539685458764b453255526b4d6e625f307859485667227d",
        )),
    }});
    let made = webauthn.register(&register, &registration).unwrap();
    assert_eq!((made.id.clone(), made.counter, made.assurance), (id.clone(), 0, Assurance::Synced));

    let challenge = digest("4478a10b1352348dd160c1353b0d469b5db19eb91c27f7dfa6fed39fe26af20b");
    let assertion = json!({"id": id, "rawId": id, "type": "public-key", "response": {
        "authenticatorData": bytes("bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50900000000"),
        "clientDataJSON": bytes(concat!(
            "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a225248696843784e534e493352594d4531",
            "4f7731476d3132786e726b634a5f6666707637546e2d4a71386773222c226f726967696e223a2268747470733a2f2f6578616d70",
            "6c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a",
            "534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675",
            "747572652c207375636820617320746869733a206754623533727a36456853576f6d58477a696d433151227d",
        )),
        "signature": bytes(concat!(
            "304402203310b9431903c401f1be2bdc8d23a4007682dbbddcf846994947b7f465daf84002204e94dd00047b316061b3b99772b7",
            "efd95994a83ef584b3b6b825ea3550251b66",
        )),
    }});
    assert_eq!(name(webauthn.verify(&challenge, &assertion, &made.credential, 0)), "user_verification");

    let lower = |mut state: Value| {
        state["policy"] = json!("discouraged");
        state
    };
    let state: RegistrationState = serde_json::from_value(lower(state::registration_json(&register))).unwrap();
    let read = RegisterPublicKeyCredential::deserialize(&registration).unwrap();
    let record = webauthn.core.register_credential(&read, &state, None).unwrap();
    let state: AuthenticationState = serde_json::from_value(lower(state::authentication_json(&challenge))).unwrap();
    let read = PublicKeyCredential::deserialize(&assertion).unwrap();
    webauthn.core.authenticate_single_credential(&read, &state, &record).unwrap();
}

#[test]
fn a_relying_party_is_one_that_browsers_accept() {
    let new = |rp_id: &str, origin: &str| Webauthn::new(rp_id, &Url::parse(origin).unwrap(), "x");
    assert!(new("approve.example", "https://approve.example:8443/path").is_ok());
    assert!(new("localhost", "http://localhost:8080").is_ok());
    assert!(new("phone.localhost", "http://phone.localhost:8080").is_ok());
    assert!(matches!(new("example", "https://approve.example"), Err(SetupError::Host { .. })));
    assert!(matches!(new("approve.example", "http://approve.example"), Err(SetupError::Insecure)));
    assert!(matches!(new("127.0.0.1", "http://127.0.0.1"), Err(SetupError::Address)));
    assert!(matches!(new("", "data:text/html,x"), Err(SetupError::Address)));
}
