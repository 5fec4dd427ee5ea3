//! Ceremonies as the service sees them: options out, responses in, through the port; with the device key beside, and
//! with what a signature is bound to.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use countersign::adapters::webauthn::Webauthn;
use countersign::authenticator::{DeviceKeyPair, SoftAuthenticator, SoftBrowser};
use countersign::domain::details::Digest;
use countersign::domain::device::{Blob, DeviceKey};
use countersign::domain::ids::{ApprovalId, HolderId, LinkId};
use countersign::domain::linking::{
    ApprovePreimage, DEVICE_KEY_APPROVE, DEVICE_KEY_PROMPT, DEVICE_KEY_WAIT, ENROL, EnrolPreimage, Shown,
    device_key_message,
};
use countersign::domain::policy::Assurance;
use countersign::domain::time::Timestamp;
use countersign::ports::Ceremonies;
use countersign::ports::outward::{CeremonyError, NewCredential, VerifiedAssertion};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

const RP_ID: &str = "approve.example";

fn origin() -> Url {
    Url::parse("https://approve.example/").expect("a URL")
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

/// A device that is enrolled with a relying party.
struct Enrolled {
    ceremonies: Box<dyn Ceremonies>,
    browser: SoftBrowser,
    credential: NewCredential,
}

impl Enrolled {
    fn with(mut authenticator: SoftAuthenticator) -> Self {
        let ceremonies = Webauthn::new(RP_ID, &origin(), "Harbour").expect("a relying party");
        let challenge = Digest::of(b"enrolment");
        let options = ceremonies.creation_options(&challenge, holder(), "Mrs Lindqvist", &[]).expect("options");
        let response = authenticator.create(&options, &origin()).expect("a passkey");
        let credential = ceremonies.register(&challenge, &response).expect("a registration");
        let browser = SoftBrowser::new(origin(), authenticator).expect("a browser");
        Self { ceremonies: Box::new(ceremonies), browser, credential }
    }

    fn new() -> Self {
        Self::with(SoftAuthenticator::device_bound())
    }

    fn sign(&mut self, challenge: &Digest) -> Value {
        let options = self.ceremonies.request_options(challenge, &self.credential.id).expect("options");
        self.browser.authenticator.get(&options, &origin()).expect("an assertion")
    }

    fn verify(&self, challenge: &Digest, response: &Value) -> Result<VerifiedAssertion, CeremonyError> {
        self.ceremonies.verify(challenge, response, &self.credential.credential, self.credential.counter)
    }

    fn preimage(&self) -> ApprovePreimage {
        ApprovePreimage {
            rp_id: self.ceremonies.rp_id().to_owned(),
            approval: ApprovalId::new(Timestamp::EPOCH, [1; 10]),
            version: 1,
            digest: Digest::of(br#"{"amount":"100.00"}"#),
            hold: Duration::from_secs(900),
            shown: Shown::plain().digest(),
            credential_id: self.credential.id.clone(),
            thumbprint: self.browser.key.thumbprint(),
            expires_at: Timestamp::from_micros(300_000_000),
            nonce: Blob(vec![7; 16]),
        }
    }
}

#[test]
fn the_browser_is_asked_for_what_the_rules_need() {
    let device = Enrolled::new();
    let challenge = Digest::of(b"challenge");
    let encoded = Blob(challenge.bytes().to_vec());
    let exclude = [Blob(vec![1, 2, 3])];
    let options = device.ceremonies.creation_options(&challenge, holder(), "Mrs Lindqvist", &exclude).expect("options");
    let expected = json!({
        "rp": {"id": RP_ID, "name": "Harbour"},
        "user": {"id": Blob(holder().bytes().to_vec()), "name": "Mrs Lindqvist", "displayName": "Mrs Lindqvist"},
        "challenge": encoded,
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -257}],
        "timeout": 300_000,
        "excludeCredentials": [{"type": "public-key", "id": "AQID"}],
        "authenticatorSelection": {
            "residentKey": "preferred", "requireResidentKey": false, "userVerification": "required",
        },
        "hints": ["client-device"],
        "attestation": "none",
    });
    assert_eq!(options, expected);

    let options = device.ceremonies.request_options(&challenge, &device.credential.id).expect("options");
    let expected = json!({
        "rpId": RP_ID,
        "challenge": encoded,
        "timeout": 300_000,
        "userVerification": "required",
        "allowCredentials": [{"type": "public-key", "id": device.credential.id}],
        "hints": ["client-device"],
    });
    assert_eq!(options, expected);
}

#[test]
fn a_passkey_is_as_strong_as_it_says() {
    for (authenticator, assurance, counter) in [
        (SoftAuthenticator::device_bound(), Assurance::DeviceBound, 1),
        (SoftAuthenticator::synced(), Assurance::Synced, 0),
    ] {
        let device = Enrolled::with(authenticator);
        assert_eq!((device.credential.assurance, device.credential.counter), (assurance, counter));
    }
}

/// What design section 2 promises: from the evidence alone, without any of our adapters.
#[test]
fn anybody_can_check_an_assertion_from_its_evidence() {
    let mut device = Enrolled::new();
    let preimage = device.preimage();
    let challenge = preimage.challenge();
    let response = device.sign(&challenge);
    let verified = device.verify(&challenge, &response).expect("an assertion");
    let evidence = verified.assertion;

    let client_data: Value = serde_json::from_slice(&evidence.client_data_json.0).expect("JSON");
    assert_eq!(client_data["challenge"], json!(Blob(preimage.challenge().bytes().to_vec())));
    assert_eq!(evidence.authenticator_data.0[..32], *Digest::of(RP_ID.as_bytes()).bytes());
    assert_eq!(evidence.credential_id, device.credential.id);

    let coordinate = |name: &str| Blob::deserialize(&evidence.public_key[name]).expect("a coordinate").0;
    let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
    let hash = Digest::of(&evidence.client_data_json.0);
    let signed = [&evidence.authenticator_data.0[..], hash.bytes()].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    key.verify(&signed, &evidence.signature.0).expect("the passkey's signature");
    assert_eq!(evidence.public_key["kty"], "EC");
    assert_eq!(evidence.public_key["crv"], "P-256");
}

type Edit = fn(&mut ApprovePreimage);

#[test]
fn a_signature_is_good_for_one_prompt_alone() {
    let mut device = Enrolled::new();
    let preimage = device.preimage();
    let response = device.sign(&preimage.challenge());
    assert_eq!(name(device.verify(&preimage.challenge(), &response)), "fine");

    let edits: [(&str, Edit); 10] = [
        ("another approval", |p| p.approval = ApprovalId::new(Timestamp::EPOCH, [2; 10])),
        ("another version", |p| p.version = 2),
        ("another amount", |p| p.digest = Digest::of(br#"{"amount":"100.01"}"#)),
        ("another hold", |p| p.hold = Duration::from_secs(1)),
        ("another page", |p| p.shown = Digest::of(b"another page")),
        ("another nonce", |p| p.nonce.0[15] ^= 1),
        ("another expiry", |p| p.expires_at = Timestamp::from_micros(300_000_001)),
        ("another device key", |p| p.thumbprint.0[0] ^= 1),
        ("another credential", |p| p.credential_id.0.push(0)),
        ("another relying party", |p| p.rp_id.push('x')),
    ];
    for (what, edit) in edits {
        let mut other = preimage.clone();
        edit(&mut other);
        assert_eq!(name(device.verify(&other.challenge(), &response)), "challenge", "{what}");
    }

    let enrol = EnrolPreimage {
        rp_id: preimage.rp_id.clone(),
        holder: holder(),
        link: LinkId::new(Timestamp::EPOCH, [1; 10]),
        credential_id: preimage.credential_id.clone(),
        thumbprint: preimage.thumbprint,
        nonce: preimage.nonce.clone(),
    };
    assert_eq!(name(device.verify(&enrol.challenge(), &response)), "challenge", "another purpose");
}

#[test]
fn a_replayed_or_cloned_passkey_shows_in_its_counter() {
    let mut device = Enrolled::new();
    let challenge = device.preimage().challenge();
    let first = device.sign(&challenge);
    let second = device.sign(&challenge);
    let verified = device.verify(&challenge, &second).expect("an assertion");
    assert_eq!(verified.counter, 3);
    device.credential.counter = verified.counter;
    assert_eq!(name(device.verify(&challenge, &second)), "counter");
    assert_eq!(name(device.verify(&challenge, &first)), "counter");
    let third = device.sign(&challenge);
    assert_eq!(name(device.verify(&challenge, &third)), "fine");
}

#[test]
fn a_synced_passkey_without_a_counter_signs_again_and_again() {
    let mut device = Enrolled::with(SoftAuthenticator::synced());
    let challenge = device.preimage().challenge();
    for _ in 0..2 {
        let response = device.sign(&challenge);
        assert_eq!(device.verify(&challenge, &response).expect("an assertion").counter, 0);
    }
}

#[test]
fn another_holders_passkey_is_an_unknown_credential() {
    let device = Enrolled::new();
    let mut other = Enrolled::new();
    let challenge = device.preimage().challenge();
    let response = other.sign(&challenge);
    assert_eq!(name(device.verify(&challenge, &response)), "credential");

    // Claiming the right id doesn't make the signature right.
    let mut claimed = response;
    claimed["id"] = json!(device.credential.id);
    claimed["rawId"] = json!(device.credential.id);
    assert_eq!(name(device.verify(&challenge, &claimed)), "signature");
}

/// Replaces one member, given as a path of names.
fn with(response: &Value, path: &str, value: Value) -> Value {
    let mut out = response.clone();
    *out.pointer_mut(path).expect("a member") = value;
    out
}

#[test]
fn a_response_of_another_shape_is_malformed() {
    let mut device = Enrolled::new();
    let challenge = device.preimage().challenge();
    let good = device.sign(&challenge);
    let blob = |length: usize| json!(Blob(vec![b'a'; length]));
    let cases = [
        ("/response/signature", json!("not base64!")),
        ("/response/signature", json!("AA+/")),
        ("/response/signature", json!(7)),
        ("/response/signature", json!("")),
        ("/response/signature", blob(513)),
        ("/response/clientDataJSON", blob(4097)),
        ("/response/clientDataJSON", blob(10)),
        ("/response/authenticatorData", blob(1025)),
        ("/response/authenticatorData", blob(36)),
        ("/response/authenticatorData", json!(null)),
        ("/response/userHandle", blob(65)),
        ("/rawId", blob(1024)),
        ("/rawId", json!("")),
        ("/type", json!("password")),
        ("/response", json!([])),
        ("/response", json!({})),
    ];
    for (path, value) in cases {
        let result = device.verify(&challenge, &with(&good, path, value.clone()));
        assert_eq!(name(result), "malformed", "{path} = {value}");
    }
    for whole in [json!(null), json!([]), json!("x"), json!({})] {
        assert_eq!(name(device.verify(&challenge, &whole)), "malformed", "{whole}");
    }
    assert_eq!(name(device.verify(&challenge, &with(&good, "/id", json!("AAAA")))), "credential");
    assert_eq!(name(device.verify(&challenge, &good)), "fine");
}

#[test]
fn what_browsers_leave_out_is_not_missed() {
    let mut device = Enrolled::new();
    let challenge = device.preimage().challenge();
    let mut response = device.sign(&challenge);
    response["response"].as_object_mut().expect("an object").remove("userHandle");
    let members = response.as_object_mut().expect("an object");
    members.remove("authenticatorAttachment");
    members.remove("clientExtensionResults");
    assert_eq!(name(device.verify(&challenge, &response)), "fine");
    response["response"]["userHandle"] = json!(null);
    assert_eq!(name(device.verify(&challenge, &response)), "fine");
}

#[test]
fn a_registration_of_another_shape_is_malformed() {
    let device = Enrolled::new();
    let challenge = Digest::of(b"challenge");
    let options = device.ceremonies.creation_options(&challenge, holder(), "x", &[]).expect("options");
    let good = SoftAuthenticator::device_bound().create(&options, &origin()).expect("a passkey");
    let object = Blob::deserialize(&good["response"]["attestationObject"]).expect("bytes").0;
    let cut = object[..object.len() - 1].to_vec();
    let longer = [&object[..], &[0]].concat();
    // Arrays in arrays, and a byte string that claims to be 4 GiB long: neither stack nor memory may follow.
    let nested = vec![0x81; 16 * 1024];
    let huge = vec![0x5a, 0xff, 0xff, 0xff, 0xff];
    let other = [&object[..11], &[0x18, 0x00][..], &object[12..]].concat();
    let cases = [
        ("/response/attestationObject", json!(Blob(cut))),
        ("/response/attestationObject", json!(Blob(longer))),
        ("/response/attestationObject", json!(Blob(nested))),
        ("/response/attestationObject", json!(Blob(huge))),
        ("/response/attestationObject", json!(Blob(other))),
        ("/response/attestationObject", json!(Blob(vec![0; 16 * 1024 + 1]))),
        ("/response/attestationObject", json!("not base64!")),
        ("/response/attestationObject", json!("")),
        ("/response/clientDataJSON", json!(Blob(vec![b' '; 4097]))),
        ("/response/clientDataJSON", json!(Blob(b"{}{}".to_vec()))),
        ("/rawId", json!("")),
        ("/type", json!("password")),
        ("/response", json!(null)),
    ];
    for (path, value) in cases {
        let result = device.ceremonies.register(&challenge, &with(&good, path, value));
        assert_eq!(name(result), "malformed", "{path}");
    }
    assert_eq!(name(device.ceremonies.register(&challenge, &good)), "fine");
}

/// An assertion can't stand in for a registration, nor the other way round.
#[test]
fn one_ceremony_is_not_the_other() {
    let mut device = Enrolled::new();
    let challenge = Digest::of(b"challenge");
    let assertion = device.sign(&challenge);
    assert_eq!(name(device.ceremonies.register(&challenge, &assertion)), "malformed");
    let options = device.ceremonies.creation_options(&challenge, holder(), "x", &[]).expect("options");
    let registration = SoftAuthenticator::device_bound().create(&options, &origin()).expect("a passkey");
    assert_eq!(name(device.verify(&challenge, &registration)), "malformed");
}

#[test]
fn a_device_key_speaks_for_one_browser_and_one_purpose() {
    let mine = DeviceKeyPair::generate().expect("a key");
    let other = DeviceKeyPair::generate().expect("a key");
    let challenge = Digest::of(b"challenge");
    let message = device_key_message(DEVICE_KEY_APPROVE, challenge.bytes());
    let good = mine.sign(DEVICE_KEY_APPROVE, challenge.bytes()).expect("a signature");
    assert!(mine.key().verifies(&message, &good.0));

    let forged = other.sign(DEVICE_KEY_APPROVE, challenge.bytes()).expect("a signature");
    assert!(!mine.key().verifies(&message, &forged.0), "another device's");
    for tag in [DEVICE_KEY_PROMPT, DEVICE_KEY_WAIT, ENROL, "countersign/devkey/approve/v2", ""] {
        let signature = mine.sign(tag, challenge.bytes()).expect("a signature");
        assert!(!mine.key().verifies(&message, &signature.0), "under {tag}");
    }
    // No way of cutting tag and payload apart differently.
    let glued = mine.sign_bytes(&[DEVICE_KEY_APPROVE.as_bytes(), challenge.bytes()].concat()).expect("a signature");
    assert!(!mine.key().verifies(&message, &glued.0), "without lengths");
}

#[test]
fn the_pages_bodies_carry_signatures_that_check() {
    let mut device = Enrolled::new();
    let verifies = |key: &DeviceKey, tag: &str, payload: &[u8], signature: &Value| {
        key.verifies(&device_key_message(tag, payload), &Blob::deserialize(signature).expect("bytes").0)
    };
    let key = device.browser.key.key().clone();

    let body = device.browser.prompt_body("token").expect("a body");
    assert!(verifies(&key, DEVICE_KEY_PROMPT, b"token", &body["signature"]));
    assert_eq!(body["thumbprint"], json!(key.thumbprint()));

    let body = device.browser.wait_body("token").expect("a body");
    assert!(verifies(&key, DEVICE_KEY_WAIT, b"token", &body["keys"][0]["signature"]));

    let challenge = device.preimage().challenge();
    let options = device.ceremonies.request_options(&challenge, &device.credential.id).expect("options");
    let begun = json!({"options": options, "sealed": "opaque"});
    let body = device.browser.approve_body(&begun).expect("a body");
    assert!(verifies(&key, DEVICE_KEY_APPROVE, challenge.bytes(), &body["signature"]));
    assert_eq!(name(device.verify(&challenge, &body["assertion"])), "fine");
    assert_eq!(body["sealed"], "opaque");

    let body = device.browser.finish_body(&begun).expect("a body");
    assert!(verifies(&key, ENROL, challenge.bytes(), &body["signature"]));
    assert_eq!(name(device.verify(&challenge, &body["assertion"])), "fine");
}
