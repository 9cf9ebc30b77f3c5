//! The parameters of encryption (manual, section 34.19 «SSL Support»).

use std::path::PathBuf;

/// How much protection is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Plain first, encrypted when the server refuses that.
    Allow,
    /// Encrypted first, plain when that fails.
    #[default]
    Prefer,
    /// Encrypted or not at all; the certificate is checked only when a root file exists.
    Require,
    /// And the certificate comes from a trusted authority.
    VerifyCa,
    /// And it is for this host.
    VerifyFull,
}

impl SslMode {
    pub(super) const NAMES: &'static [(&'static str, Self)] = &[
        ("disable", Self::Disable),
        ("allow", Self::Allow),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// Returns the word of the connection string.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// Which authorities are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCertificates {
    /// The file of the home directory, if it exists; none without a home directory.
    Default(Option<PathBuf>),
    /// This file, which must exist when certificates are verified.
    File(PathBuf),
    /// The operating system's authorities (`sslrootcert=system`).
    System,
}

impl RootCertificates {
    /// Returns the text of `sslrootcert`, none for the default.
    #[must_use]
    pub fn explicit(&self) -> Option<String> {
        match self {
            Self::Default(_) => None,
            Self::File(path) => Some(path.to_string_lossy().into_owned()),
            Self::System => Some("system".to_owned()),
        }
    }
}

/// How the encrypted part begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslNegotiation {
    /// Asked for first, in plain: every server.
    #[default]
    Postgres,
    /// At once; PostgreSQL 17 and later.
    Direct,
}

/// Whether SCRAM must prove that no one sits between us and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When the server offers it.
    #[default]
    Prefer,
    /// Or the connection fails.
    Require,
}

/// Everything about encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// How much protection.
    pub mode: SslMode,
    /// How it begins.
    pub negotiation: SslNegotiation,
    /// Whom to trust.
    pub roots: RootCertificates,
    /// Our certificate (`sslcert`).
    pub certificate: Option<PathBuf>,
    /// Its key (`sslkey`).
    pub key: Option<PathBuf>,
    /// Where certificate and key lie when neither is named; used if they exist.
    pub home: Option<PathBuf>,
    /// Whether the host's name is sent in clear in the handshake (`sslsni`).
    pub send_name: bool,
    /// SCRAM with channel binding.
    pub channel_binding: ChannelBinding,
}
