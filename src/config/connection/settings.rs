//! Where a server is and how to enter it, as values.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Secret, SettingOrigin};

use super::tls::TlsSettings;

/// A parsed connection string. Debug, Display and Serialize hide the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Places to try, in this order; never empty.
    pub hosts: Vec<HostPort>,
    /// Role to enter as.
    pub user: String,
    /// Database to enter.
    pub dbname: String,
    /// From the string.
    pub password: Option<Secret>,
    /// `PGPASSWORD`, where the string has none.
    pub password_default: Option<Secret>,
    /// Where to look a password up when there is neither.
    pub passfile: Option<PathBuf>,
    /// Encryption and its verification.
    pub tls: TlsSettings,
    /// Bound of each attempt; none = wait as long as the system does.
    pub connect_timeout: Option<Duration>,
    /// `application_name` of the string; our own name when absent.
    pub application_name: Option<String>,
    /// Command-line options for the server process (`options`).
    pub options: Option<String>,
    /// Which server will do.
    pub target_session: TargetSession,
    /// TCP keepalives; none = off.
    pub keepalive: Option<Keepalive>,
    /// How long sent data may stay unacknowledged (`tcp_user_timeout`).
    pub tcp_user_timeout: Option<Duration>,
    /// The variable or flag that the string came from, for hints.
    pub origin: Option<SettingOrigin>,
}

/// How to name one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A DNS name or an IP address, over TCP.
    Name(String),
    /// The directory of a Unix socket.
    Directory(PathBuf),
}

/// One place to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// The host's name: what a certificate is compared with.
    pub host: Host,
    /// `hostaddr`: the address to connect to, instead of looking the name up.
    pub address: Option<IpAddr>,
    /// TCP port, or the number in the socket's file name.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Directory(path) => write!(f, "{}:{}", path.display(), self.port),
        }
    }
}

/// TCP keepalives (libpq's `keepalives…`): how a cut connection is noticed while nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes after which the connection is dead.
    pub count: u32,
}

impl Default for Keepalive {
    /// A cut is noticed within a minute; the system's default is more than two hours.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30),
            interval: Duration::from_secs(10),
            count: 3,
        }
    }
}

/// Which of several hosts will do (libpq's `target_session_attrs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetSession {
    /// The first that answers.
    #[default]
    Any,
    /// Accepts writes.
    ReadWrite,
    /// Refuses writes.
    ReadOnly,
    /// Not in recovery.
    Primary,
    /// In recovery.
    Standby,
    /// In recovery if there is one, else any.
    PreferStandby,
}
