//! One stable short name for each reason the library can give; the audit log keeps the name.

use std::error::Error;
use webauthn_rs_core::error::WebauthnError;

use crate::ports::outward::CeremonyError;

pub fn malformed(source: impl Error + Send + Sync + 'static) -> CeremonyError {
    CeremonyError::Malformed(Box::new(source))
}

pub fn internal(source: impl Error + Send + Sync + 'static) -> CeremonyError {
    CeremonyError::Internal(Box::new(source))
}

/// A check of ours failed.
pub const fn refused(name: &'static str) -> CeremonyError {
    CeremonyError::Refused { name, source: None }
}

/// A check of the library failed. No arm catches the rest: a new reason in a new version has to be named here.
pub fn named(error: WebauthnError) -> CeremonyError {
    use WebauthnError as E;
    let name = match &error {
        E::InvalidClientDataType => "type",
        E::MismatchedChallenge | E::ChallengeNotFound => "challenge",
        E::InvalidRPOrigin => "origin",
        E::InvalidRPIDHash => "rp_id",
        E::CredentialCrossOrigin => "cross_origin",
        E::UserNotPresent | E::UserNotVerified | E::InconsistentUserVerificationPolicy => "user_verification",
        E::AuthenticationFailure | E::SignatureInvalid => "signature",
        E::CredentialPossibleCompromise => "counter",
        E::CredentialNotFound
        | E::CredentialAlreadyExists
        | E::CredentialExcludedFromRequest
        | E::InvalidUserUniqueId => "credential",
        E::CredentialMayNotBeHardwareBound | E::CredentialBackupEligibilityInconsistent => "backup",
        E::CredentialAlteredAlgFromRequest
        | E::CredentialInsecureCryptography
        | E::COSEKeyInvalidType
        | E::COSEKeyEDUnsupported
        | E::COSEKeyECDSAXYInvalid
        | E::COSEKeyRSANEInvalid
        | E::COSEKeyECDSAInvalidCurve
        | E::COSEKeyEDDSAXInvalid
        | E::COSEKeyEDDSAInvalidCurve
        | E::COSEKeyInvalidAlgorithm
        | E::ECDSACurveInvalidNid
        | E::EcdsaPointInvalid
        | E::RsaParametersInvalid
        | E::SshPublicKeyEDUnsupported => "algorithm",
        E::ParseBase64Failure(_)
        | E::ParseCBORFailure(_)
        | E::ParseJSONFailure(_)
        | E::ParseNOMFailure
        | E::ParseInsufficientBytesAvailable
        | E::MissingAttestationCredentialData
        | E::COSEKeyInvalidCBORValue => return malformed(error),
        E::Configuration
        | E::ChallengePersistenceError
        | E::CredentialExistCheckError
        | E::CredentialPersistenceError
        | E::CredentialRetrievalError
        | E::CredentialCounterUpdateFailure
        | E::CredentialCompromiseReportFailure
        | E::InvalidUsername
        | E::MissingAttestationCaList => return internal(error),
        // Attestation isn't asked for. An authenticator that sends it all the same must send a good one.
        E::InvalidExtensions
        | E::AuthenticatorDataMissingExtension
        | E::AttestationNotSupported
        | E::AttestationStatementMapInvalid
        | E::AttestationStatementResponseMissing
        | E::AttestationStatementResponseInvalid
        | E::AttestationStatementSigMissing
        | E::AttestationStatementSigInvalid
        | E::AttestationStatementVerMissing
        | E::AttestationStatementVerInvalid
        | E::AttestationStatementVerUnsupported
        | E::AttestationStatementX5CMissing
        | E::AttestationStatementX5CInvalid
        | E::AttestationStatementAlgMissing
        | E::AttestationStatementCertInfoMissing
        | E::AttestationStatementMissingExtension
        | E::AttestationStatementPubAreaMissing
        | E::AttestationStatementAlgMismatch
        | E::AttestationStatementAlgInvalid
        | E::AttestationTrustFailure
        | E::AttestationCertificateAAGUIDMismatch
        | E::AttestationCertificateNonceMismatch
        | E::AttestationTpmStInvalid
        | E::AttestationTpmPubAreaMismatch
        | E::AttestationTpmExtraDataInvalid
        | E::AttestationTpmExtraDataMismatch
        | E::AttestationTpmPubAreaHashUnknown
        | E::AttestationTpmPubAreaHashInvalid
        | E::AttestationTpmAttestCertifyInvalid
        | E::AttestationCertificateRequirementsNotMet
        | E::AttestationCertificateTrustStoreEmpty
        | E::AttestationLeafCertMissing
        | E::AttestationNotVerifiable
        | E::AttestationUntrustedAaguid
        | E::AttestationFormatMissingAaguid
        | E::AttestationChainNotTrusted(_)
        | E::AttestationCredentialSubjectKeyMismatch
        | E::CertificatePublicKeyInvalid
        | E::CertificatePublicKeyAlgorthimMismatch
        | E::TrustFailure
        | E::SshPublicKeyBackupState
        | E::SshPublicKeyInvalidCurve
        | E::SshPublicKeyInvalidPubkey
        | E::SshPublicKeyInconsistentUserVerification
        | E::X509DerInvalid
        | E::HmacKeyInvalid => "other",
    };
    CeremonyError::Refused { name, source: Some(Box::new(error)) }
}
