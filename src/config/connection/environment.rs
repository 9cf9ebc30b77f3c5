//! What libpq takes from the process, read in one place so that the parser stays pure.

use std::env;
use std::path::{Path, PathBuf};

use crate::config::Secret;

/// Where Debian's and Red Hat's servers put their sockets; upstream's own default is `/tmp`.
const SOCKET_DIRECTORY_DISTRIBUTION: &str = "/var/run/postgresql";
const SOCKET_DIRECTORY_UPSTREAM: &str = "/tmp";

/// Defaults for everything that a connection string leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
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
        Self {
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

fn socket_directory() -> PathBuf {
    let distribution = Path::new(SOCKET_DIRECTORY_DISTRIBUTION);
    if distribution.is_dir() {
        distribution.to_owned()
    } else {
        PathBuf::from(SOCKET_DIRECTORY_UPSTREAM)
    }
}
