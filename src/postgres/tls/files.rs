//! Certificates and keys from files, by libpq's rules.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::connection::TlsSettings;

use super::TlsError;

/// A certificate with the chain to its authority.
type Chain = Vec<CertificateDer<'static>>;

/// Reads all certificates of a PEM file.
pub(super) fn certificates(path: &Path) -> Result<Chain, TlsError> {
    let text = read(path)?;
    let certificates: Chain = CertificateDer::pem_slice_iter(&text)
        .filter_map(Result::ok)
        .collect();
    if certificates.is_empty() {
        return Err(TlsError::EmptyFile {
            path: path.to_owned(),
            what: "certificate",
        });
    }
    Ok(certificates)
}

/// Returns the authorities that the operating system trusts.
pub(super) fn system_roots() -> Result<Chain, TlsError> {
    let roots = rustls_native_certs::load_native_certs().certs;
    if roots.is_empty() {
        return Err(TlsError::SystemRoots);
    }
    Ok(roots)
}

/// Reads the client's certificate and key: the named ones, else those of the home directory if the
/// certificate exists.
pub(super) fn client_certificate(
    settings: &TlsSettings,
) -> Result<Option<(Chain, PrivateKeyDer<'static>)>, TlsError> {
    let at_home = |name: &str| settings.home.as_ref().map(|home| home.join(name));
    let certificate = match &settings.certificate {
        Some(path) => path.clone(),
        None => match at_home("postgresql.crt").filter(|path| path.exists()) {
            Some(path) => path,
            None => return Ok(None),
        },
    };
    let key = settings
        .key
        .clone()
        .or_else(|| at_home("postgresql.key"))
        .unwrap_or_else(|| PathBuf::from("postgresql.key"));
    require_private(&key)?;
    let text = read(&key)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(private) => Ok(Some((certificates(&certificate)?, private))),
        Err(_no_key) => Err(TlsError::EmptyFile {
            path: key,
            what: "private key without passphrase",
        }),
    }
}

/// The owner only; a key of root may be readable by its group.
fn require_private(path: &Path) -> Result<(), TlsError> {
    let metadata = fs::metadata(path).map_err(|source| TlsError::ReadFile {
        path: path.to_owned(),
        source,
    })?;
    let foreign = if metadata.uid() == 0 { 0o027 } else { 0o077 };
    if metadata.permissions().mode() & foreign == 0 {
        Ok(())
    } else {
        Err(TlsError::KeyPermissions {
            path: path.to_owned(),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::ReadFile {
        path: path.to_owned(),
        source,
    })
}
