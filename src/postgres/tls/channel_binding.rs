//! What SCRAM-SHA-256-PLUS binds to: the hash of the server's certificate
//! (RFC 5929, section 4 «tls-server-end-point»).

use ring::digest::{self, SHA256, SHA384, SHA512};
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// Returns the hash, by the algorithm of the certificate's own signature; MD5 and SHA-1 count as
/// SHA-256. None for signatures that define no hash (Ed25519) or hide it (RSA-PSS): the server
/// then does without the binding too.
pub(super) fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(certificate).ok()?;
    let algorithm = match parsed.signature_algorithm.oid.to_string().as_str() {
        // RSA and ECDSA, each with MD5 or SHA-1, SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.10045.4.1"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.3.2" => &SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}
