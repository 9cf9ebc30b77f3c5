//! The levels that rustls does not have.
//!
//! Against rustls' own verifier: nothing at all may be checked (`require` without a root file); the
//! name may be left out (`verify-ca`); the server's certificate may itself be the trusted one, as
//! `openssl req -x509` makes it (CA:TRUE, which webpki refuses for a server); a name may stand in
//! the common name when the certificate has no alternative names; the certificate may be of
//! version 1. The signature of the handshake
//! is verified at every level: the peer holds the key of the certificate it shows.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::version1;

/// What to check of a server's certificate.
#[derive(Debug)]
pub(super) enum Check {
    /// Nothing.
    Nothing,
    /// That a trusted authority vouches for it.
    Authority {
        roots: Arc<RootCertStore>,
        certificates: Vec<CertificateDer<'static>>,
    },
    /// And that it is for this host.
    AuthorityAndName {
        roots: Arc<RootCertStore>,
        certificates: Vec<CertificateDer<'static>>,
        host: String,
    },
}

#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) const fn new(check: Check, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { check, algorithms }
    }

    fn authority(
        &self,
        presented: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        trusted: (&RootCertStore, &[CertificateDer<'static>]),
        now: UnixTime,
    ) -> Result<(), Error> {
        let (roots, certificates) = trusted;
        if certificates.iter().any(|root| root == presented) {
            return in_force(presented, now);
        }
        if let Some(certificate) = version1::parse(presented) {
            in_force(presented, now)?;
            return version1::verify_issuer(&certificate, certificates, &self.algorithms);
        }
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(presented)?,
            roots,
            intermediates,
            now,
            self.algorithms.all,
        )
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        presented: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.check {
            Check::Nothing => {}
            Check::Authority {
                roots,
                certificates,
            } => self.authority(presented, intermediates, (roots, certificates), now)?,
            Check::AuthorityAndName {
                roots,
                certificates,
                host,
            } => {
                self.authority(presented, intermediates, (roots, certificates), now)?;
                name(presented, server_name, host)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match version1::parse(certificate) {
            Some(old) => version1::verify_handshake(message, &old, signed, &self.algorithms),
            None => verify_tls13_signature(message, certificate, signed, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn bad(error: CertificateError) -> Error {
    Error::InvalidCertificate(error)
}

/// A pinned certificate is trusted only between its dates.
fn in_force(presented: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let certificate = parse(presented)?;
    let validity = &certificate.tbs_certificate.validity;
    let now = Duration::from_secs(now.as_secs());
    if now < validity.not_before.to_unix_duration() {
        return Err(bad(CertificateError::NotValidYet));
    }
    if now > validity.not_after.to_unix_duration() {
        return Err(bad(CertificateError::Expired));
    }
    Ok(())
}

fn parse(presented: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(presented).map_err(|_not_der| bad(CertificateError::BadEncoding))
}

/// As libpq: the alternative names decide; without any, the common name.
fn name(
    presented: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    host: &str,
) -> Result<(), Error> {
    let by_alternatives = ParsedCertificate::try_from(presented)
        .and_then(|parsed| verify_server_name(&parsed, server_name));
    if by_alternatives.is_ok() {
        return Ok(());
    }
    let certificate = parse(presented)?;
    match common_name(&certificate) {
        Some(common) if !has_names(&certificate) && matches(&common, host) => Ok(()),
        _ => by_alternatives,
    }
}

fn has_names(certificate: &Certificate) -> bool {
    let Ok(Some((_, names))) = certificate.tbs_certificate.get::<SubjectAltName>() else {
        return false;
    };
    names
        .0
        .iter()
        .any(|name| matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_)))
}

fn common_name(certificate: &Certificate) -> Option<String> {
    const COMMON_NAME: &str = "2.5.4.3";
    let parts = certificate.tbs_certificate.subject.0.iter();
    parts
        .flat_map(|part| part.0.iter())
        .rfind(|attribute| attribute.oid.to_string() == COMMON_NAME)
        .and_then(|attribute| String::from_utf8(attribute.value.value().to_vec()).ok())
}

/// Compares without case; `*.` stands for one label.
fn matches(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((label, rest))) => {
            !label.is_empty() && parent.eq_ignore_ascii_case(rest)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_name_covers_its_host_and_one_label() {
        let cases = [
            ("db.example.com", "DB.example.com", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("db", "db2", false),
        ];
        for (pattern, host, expected) in cases {
            assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
        }
    }
}
