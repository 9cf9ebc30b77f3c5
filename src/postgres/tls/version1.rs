//! Server certificates of X.509 version 1, which webpki refuses and libpq accepts.
//!
//! They are not rare: the recipe of PostgreSQL's own manual (section 19.9.5 «Creating
//! Certificates») makes them, as `openssl x509 -req` without extensions does. One without
//! extensions has no alternative names, and must be signed by a trusted authority directly.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, Error};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// Returns the certificate, if it is one of version 1.
pub(super) fn parse(presented: &CertificateDer<'_>) -> Option<Certificate> {
    let certificate = Certificate::from_der(presented).ok()?;
    (certificate.tbs_certificate.version == Version::V1).then_some(certificate)
}

/// Verifies that the peer holds the certificate's key. TLS 1.3 only: every server that makes such
/// certificates today speaks it.
pub(super) fn verify_handshake(
    message: &[u8],
    certificate: &Certificate,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = certificate.tbs_certificate.subject_public_key_info.to_der();
    let key = SubjectPublicKeyInfoDer::from(key.map_err(|_not_der| encoding())?);
    verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
}

/// Verifies that one of the trusted authorities signed the certificate.
pub(super) fn verify_issuer(
    certificate: &Certificate,
    trusted: &[CertificateDer<'_>],
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<(), Error> {
    let signed_by_one = trusted
        .iter()
        .filter_map(|root| Certificate::from_der(root).ok())
        .filter(may_issue)
        .any(|root| is_signed_by(certificate, &root, algorithms).unwrap_or(false));
    if signed_by_one {
        Ok(())
    } else {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
}

/// An authority says so itself; one of version 1 cannot, and is trusted because it was named.
fn may_issue(root: &Certificate) -> bool {
    let constraints = root.tbs_certificate.get::<BasicConstraints>();
    match constraints {
        Ok(Some((_, constraints))) => constraints.ca,
        Ok(None) => root.tbs_certificate.version == Version::V1,
        Err(_unreadable) => false,
    }
}

/// None when something cannot be encoded, which a parsed certificate can.
fn is_signed_by(
    certificate: &Certificate,
    root: &Certificate,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Option<bool> {
    if certificate.tbs_certificate.issuer != root.tbs_certificate.subject {
        return Some(false);
    }
    let key = &root.tbs_certificate.subject_public_key_info;
    let key_id = content(&key.algorithm)?;
    let signature_id = content(&certificate.signature_algorithm)?;
    let message = certificate.tbs_certificate.to_der().ok()?;
    let (key, signature) = (
        key.subject_public_key.as_bytes()?,
        certificate.signature.as_bytes()?,
    );
    Some(algorithms.all.iter().any(|algorithm| {
        algorithm.public_key_alg_id().as_ref() == key_id
            && algorithm.signature_alg_id().as_ref() == signature_id
            && algorithm.verify_signature(key, &message, signature).is_ok()
    }))
}

/// An algorithm's name without the outer tag and length, as rustls writes it.
fn content(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    const TAG_AND_LENGTH: usize = 2;
    let whole = algorithm.to_der().ok()?;
    whole.get(TAG_AND_LENGTH..).map(<[u8]>::to_vec)
}

fn encoding() -> Error {
    Error::InvalidCertificate(CertificateError::BadEncoding)
}
