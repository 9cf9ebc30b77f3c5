//! Which operating system user runs the servers.
//!
//! PostgreSQL refuses to run as root, and containers are often nothing but root. Then the
//! servers run as `postgres`, or as `nobody` where that user does not exist.

use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Uid, User};

/// The users tried, in this order, when we are root.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The user under which servers run and who owns their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The user of this process.
    Own,
    /// Another one, because we are root.
    Other {
        /// User id.
        uid: u32,
        /// Primary group id.
        gid: u32,
    },
}

impl Account {
    /// Returns the account for servers: our own, unless we are root.
    ///
    /// # Errors
    /// When we are root and neither `postgres` nor `nobody` exists.
    pub fn for_servers() -> io::Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self::Own);
        }
        for name in CANDIDATES {
            if let Some(user) = User::from_name(name).map_err(io::Error::from)? {
                return Ok(Self::Other {
                    uid: user.uid.as_raw(),
                    gid: user.gid.as_raw(),
                });
            }
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            "neither user postgres nor nobody exists",
        ))
    }

    /// Makes `command` run under this account.
    pub fn apply(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives `path` to this account.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid)),
        }
    }
}
