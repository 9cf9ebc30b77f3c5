//! Why a connection could not be encrypted.

use std::io;
use std::path::PathBuf;

use rustls::pki_types::InvalidDnsNameError;

use crate::model::{Classify, ErrorClass};

/// Why a connection could not be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The server has `ssl = off`, and the settings insist.
    #[error("the server does not offer encryption")]
    NotOffered,
    /// A byte that is neither yes nor no.
    #[error("the server answered the request for encryption with byte {byte}")]
    Answer { byte: u8 },
    /// Certificates are to be verified, but there are none to start from.
    #[error("there is no root certificate to verify the server's with{}", at(.path.as_ref()))]
    NoRoots {
        /// Where it was looked for.
        path: Option<PathBuf>,
    },
    /// libpq would refuse what this file lists, and we do not look into it.
    #[error("there is a list of revoked certificates, {}, which would not be followed", .path.display())]
    Revocations { path: PathBuf },
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    ReadFile { path: PathBuf, source: io::Error },
    /// A file holds nothing of the kind.
    #[error("{} holds no {what} in PEM form", .path.display())]
    EmptyFile {
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A private key that others can read.
    #[error("private key {} has group or world access", .path.display())]
    KeyPermissions { path: PathBuf },
    /// The operating system's authorities cannot be had.
    #[error("the operating system offers no trusted certificates")]
    SystemRoots,
    /// No certificate can bear this name.
    #[error("\"{host}\" is not a name that a certificate can be compared with")]
    HostName {
        host: String,
        source: InvalidDnsNameError,
    },
    /// Our own certificate or key is unusable.
    #[error("cannot use the client certificate")]
    Setup(#[source] rustls::Error),
    /// The handshake failed: verification, or no common algorithm.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
}

fn at(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| format!(" ({})", path.display()))
}

impl Classify for TlsError {
    fn class(&self) -> ErrorClass {
        match self {
            // A connection that breaks in the middle of the handshake passes; a verdict does not.
            Self::Handshake(source) if source.kind() != io::ErrorKind::InvalidData => {
                ErrorClass::Transient
            }
            Self::Answer { .. } => ErrorClass::Bug,
            Self::NotOffered
            | Self::NoRoots { .. }
            | Self::Revocations { .. }
            | Self::ReadFile { .. }
            | Self::EmptyFile { .. }
            | Self::KeyPermissions { .. }
            | Self::SystemRoots
            | Self::HostName { .. }
            | Self::Setup(_)
            | Self::Handshake(_) => ErrorClass::Operator,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotOffered => "set ssl = on at the server, or use sslmode=prefer".to_owned(),
            Self::NoRoots { .. } => {
                "name one with sslrootcert=FILE (or system), or use sslmode=require".to_owned()
            }
            Self::Revocations { path } => format!(
                "move {} away to do without it; short-lived certificates need no such list",
                path.display()
            ),
            Self::KeyPermissions { path } => format!("chmod 0600 {}", path.display()),
            Self::Handshake(source) if source.kind() == io::ErrorKind::InvalidData => {
                "compare sslrootcert and the host's name with the server's certificate: \
                 openssl s_client -starttls postgres -connect HOST:PORT"
                    .to_owned()
            }
            _ => return None,
        })
    }
}
