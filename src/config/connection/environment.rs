//! What libpq takes from the process, read in one place so that the parser stays pure.

use std::env;
use std::path::{Path, PathBuf};

use crate::config::Secret;

use super::ConnectionError;
use super::parameter::require_supported;

/// Where Debian's and Red Hat's servers put their sockets; upstream's own default is `/tmp`.
const SOCKET_DIRECTORY_DISTRIBUTION: &str = "/var/run/postgresql";
const SOCKET_DIRECTORY_UPSTREAM: &str = "/tmp";

/// The variables that libpq takes defaults from, with their parameters (manual, section 34.15
/// «Environment Variables»). `PGAPPNAME` is left out, since our sessions are told apart by their
/// names, and so is `PGCLIENTENCODING`, since theirs is pinned.
const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGOPTIONS", "options"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLSNI", "sslsni"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    // Not to be followed, nor to be passed over: each leads elsewhere, or makes a connection safer.
    ("PGSERVICE", "service"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
];

/// Defaults for everything that a connection string leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `PGHOST` and its like: parameter and value.
    pub defaults: Vec<(&'static str, String)>,
    /// `PGUSER`, else the login name.
    pub user: Option<String>,
    /// `PGPASSWORD`.
    pub password: Option<Secret>,
    /// `PGPASSFILE`.
    pub passfile: Option<PathBuf>,
    /// The home directory: `.pgpass` and `.postgresql/` are looked for there.
    pub home: Option<PathBuf>,
    /// The directory of the local server's socket, for strings without a host.
    pub socket_directory: PathBuf,
}

impl Environment {
    /// Reads the process environment and the user database.
    #[must_use]
    pub fn of_process() -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let login = nix::unistd::User::from_uid(nix::unistd::geteuid())
            .ok()
            .flatten();
        let default =
            |(variable, parameter): &(&str, &'static str)| Some((*parameter, set(variable)?));
        Self {
            defaults: VARIABLES.iter().filter_map(default).collect(),
            user: set("PGUSER").or_else(|| login.as_ref().map(|user| user.name.clone())),
            password: set("PGPASSWORD").map(Secret::new),
            passfile: set("PGPASSFILE").map(PathBuf::from),
            home: set("HOME")
                .map(PathBuf::from)
                .or_else(|| login.map(|user| user.dir)),
            socket_directory: socket_directory(),
        }
    }
}

impl Environment {
    /// Returns the defaults of parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let defaults = self.defaults.iter();
        defaults.map(|(parameter, value)| (*parameter, value.as_str()))
    }

    /// Returns the variable that gives a parameter's default.
    pub(super) fn variable_of(parameter: &str) -> Option<&'static str> {
        let mut variables = VARIABLES.iter();
        let found = variables.find(|(_, known)| *known == parameter)?;
        Some(found.0)
    }

    /// Refuses variables whose parameters we refuse, too.
    pub(super) fn require_followed(&self) -> Result<(), ConnectionError> {
        for (parameter, _) in self.parameters() {
            let refused = require_supported(parameter);
            refused.map_err(|error| match (error, Self::variable_of(parameter)) {
                (ConnectionError::Unsupported { reason, .. }, Some(name)) => {
                    ConnectionError::Unsupported { name, reason }
                }
                (error, _) => error,
            })?;
        }
        Ok(())
    }
}

fn socket_directory() -> PathBuf {
    let distribution = Path::new(SOCKET_DIRECTORY_DISTRIBUTION);
    if distribution.is_dir() {
        distribution.to_owned()
    } else {
        PathBuf::from(SOCKET_DIRECTORY_UPSTREAM)
    }
}
