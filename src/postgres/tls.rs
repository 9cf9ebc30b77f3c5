//! Encryption with the verification levels of libpq (manual, section 34.19 «SSL Support»).
//!
//! rustls knows one level, the strictest. The others are made by a verifier of ours, see
//! [`verify`](self::verify); as in libpq a root file that exists is used even below `verify-ca`.

mod channel_binding;
mod error;
mod files;
mod verify;
mod version1;

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::connection::{RootCertificates, SslMode, SslNegotiation, TlsSettings};

use self::verify::{Check, Verifier};
use super::link::Transport;

pub use error::TlsError;

/// What SCRAM may bind to: the hash of the server's certificate.
type EndPoint = Option<Vec<u8>>;

/// Encrypts a stream on which the server has agreed to it.
pub(super) async fn handshake(
    stream: TcpStream,
    host: &str,
    settings: &TlsSettings,
) -> Result<(Transport, EndPoint), TlsError> {
    let config = client_config(settings, host)?;
    // Names that are neither DNS names nor addresses cannot be sent in the handshake; they fail
    // only where the certificate must bear them.
    let name = ServerName::try_from(host.to_owned()).or_else(|source| match settings.mode {
        SslMode::VerifyFull => Err(TlsError::HostName {
            host: host.to_owned(),
            source,
        }),
        _ => Ok(ServerName::from(
            stream.peer_addr().map_err(TlsError::Handshake)?.ip(),
        )),
    })?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(TlsError::Handshake)?;
    let end_point = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| channel_binding::end_point(chain.first()?));
    Ok((Transport::Tls(Box::new(stream)), end_point))
}

fn client_config(settings: &TlsSettings, host: &str) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let identity = identity(settings, &provider)?;
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(Verifier::new(
        check(settings, host)?,
        provider.signature_verification_algorithms,
    ));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(identity)),
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = settings.send_name;
    if settings.negotiation == SslNegotiation::Direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(config)
}

/// Returns what we show to a server that asks who we are. Its certificate is the server's to judge: ones
/// of version 1, as `openssl x509 -req` makes them, rustls cannot read and need not.
fn identity(
    settings: &TlsSettings,
    provider: &CryptoProvider,
) -> Result<Option<SingleCertAndKey>, TlsError> {
    let Some((chain, key)) = files::client_certificate(settings)? else {
        return Ok(None);
    };
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(TlsError::Setup)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Err(error @ rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Setup(error))
        }
        Ok(()) | Err(_) => Ok(Some(SingleCertAndKey::from(certified))),
    }
}

fn check(settings: &TlsSettings, host: &str) -> Result<Check, TlsError> {
    let verify = matches!(settings.mode, SslMode::VerifyCa | SslMode::VerifyFull);
    let certificates = match &settings.roots {
        RootCertificates::System => Some(files::system_roots()?),
        RootCertificates::File(path) => Some(files::certificates(path)?),
        RootCertificates::Default(Some(path)) if path.exists() => Some(files::certificates(path)?),
        RootCertificates::Default(path) if verify => {
            return Err(TlsError::NoRoots { path: path.clone() });
        }
        RootCertificates::Default(_) => None,
    };
    let Some(certificates) = certificates else {
        return Ok(Check::Nothing);
    };
    let revocations = settings.home.as_ref().map(|home| home.join("root.crl"));
    if let Some(path) = revocations.filter(|path| path.exists()) {
        return Err(TlsError::Revocations { path });
    }
    let roots = Arc::new(root_store(&certificates));
    Ok(match settings.mode {
        SslMode::VerifyFull => Check::AuthorityAndName {
            roots,
            certificates,
            host: host.to_owned(),
        },
        _ => Check::Authority {
            roots,
            certificates,
        },
    })
}

/// Certificates that cannot be an authority stay out: they count by being equal to the server's.
fn root_store(certificates: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    roots
}
