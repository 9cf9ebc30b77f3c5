//! A data directory made once by `initdb` and copied for every cluster: 0.6 s once, 0.06 s each.
//!
//! A template is kept per server version under the directory that the caller names, so that a
//! test run pays for `initdb` once. Processes that want the same one at the same time wait on a
//! file lock; a template appears by rename, so a killed `initdb` leaves nothing half made.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::{Flock, FlockArg};
use tempfile::TempDir;

use super::account::Account;
use super::postmaster::Watcher;
use super::server::Server;

/// The superuser of every throw-away cluster.
pub(crate) const SUPERUSER: &str = "postgres";
/// Its password.
pub(crate) const PASSWORD: &str = "postgres";

/// What `initdb` is reported; part of a template's identity.
const INITDB_ARGUMENTS: [&str; 6] = [
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
    "--username=postgres",
];

/// A pristine data directory to copy from.
#[derive(Debug)]
pub(crate) struct Template {
    data_dir: PathBuf,
    /// Set where nobody keeps the template: it goes when this value goes.
    _workshop: Option<(Watcher, TempDir)>,
}

impl Template {
    /// Returns the template of `server` below `store`, made now if it is not there.
    ///
    /// # Errors
    /// When `initdb` fails or the file system refuses.
    pub(crate) fn prepare(server: &Server, account: Account, store: &Path) -> io::Result<Self> {
        fs::create_dir_all(store)?;
        let name = template_name(server);
        let data_dir = store.join(&name);
        let _lock = lock(&store.join(format!("{name}.lock")))?;
        if !data_dir.is_dir() {
            make(server, account, store, &data_dir)?;
        }
        Ok(Self {
            data_dir,
            _workshop: None,
        })
    }

    /// Returns a template that nobody else uses and that goes with this value.
    ///
    /// # Errors
    /// When `initdb` fails or the file system refuses.
    pub(crate) fn once(server: &Server, account: Account) -> io::Result<Self> {
        let workshop = short_temp_dir("init", account)?;
        let watcher = Watcher::start(account, workshop.path())?;
        let data_dir = workshop.path().join("data");
        run_initdb(server, account, workshop.path(), &data_dir)?;
        Ok(Self {
            data_dir,
            _workshop: Some((watcher, workshop)),
        })
    }

    /// Returns the files of a cluster that is stopped as a template.
    #[must_use]
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_path_buf(),
            _workshop: None,
        }
    }

    /// Copies the template to `to`, which must not exist, for `account`.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn copy_to(&self, to: &Path, account: Account) -> io::Result<()> {
        copy_tree(&self.data_dir, to, account)
    }
}

fn template_name(server: &Server) -> String {
    let mut hasher = DefaultHasher::new();
    server.bin_dir().hash(&mut hasher);
    INITDB_ARGUMENTS.hash(&mut hasher);
    format!(
        "initdb-{}-{:08x}",
        server.version(),
        hasher.finish() & 0xffff_ffff
    )
}

fn lock(path: &Path) -> io::Result<Flock<File>> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
}

/// Runs `initdb` where the server's account may write, then moves the result into the store.
fn make(server: &Server, account: Account, store: &Path, data_dir: &Path) -> io::Result<()> {
    let fresh = Template::once(server, account)?;
    let staged = TempDir::new_in(store)?;
    let copy = staged.path().join("data");
    fresh.copy_to(&copy, Account::Own)?;
    fs::rename(&copy, data_dir)
}

fn run_initdb(server: &Server, account: Account, dir: &Path, data_dir: &Path) -> io::Result<()> {
    let password_file = dir.join("password");
    fs::write(&password_file, PASSWORD)?;
    account.own(&password_file)?;
    let mut command = Command::new(server.program("initdb"));
    command
        .args(INITDB_ARGUMENTS)
        .arg("--pwfile")
        .arg(&password_file);
    command
        .arg("--pgdata")
        .arg(data_dir)
        .current_dir(dir)
        .env("LC_ALL", "C");
    account.apply(&mut command);
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!(
        "initdb ended with {}: {message}",
        output.status
    )))
}

/// Makes a directory whose path is short enough for a Unix socket (about 100 bytes), open to
/// nobody but `account`.
pub(crate) fn short_temp_dir(name: &str, account: Account) -> io::Result<TempDir> {
    let prefix = format!("pgstream-{name}-");
    let tmp = Path::new("/tmp");
    let parent = if tmp.is_dir() {
        tmp.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    let dir = tempfile::Builder::new()
        .prefix(&prefix)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)?;
    account.own(dir.path())?;
    Ok(dir)
}

/// Copies a directory; the kernel shares the blocks where the file system can.
fn copy_tree(from: &Path, to: &Path, account: Account) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    account.own(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, source, copy) = (entry.file_type()?, entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_tree(&source, &copy, account)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &copy)?;
        } else {
            fs::copy(&source, &copy)?;
            account.own(&copy)?;
        }
    }
    Ok(())
}
