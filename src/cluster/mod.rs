//! A throw-away PostgreSQL cluster: data directory, port, socket directory and server process,
//! all gone when the value is dropped, also when this process is killed.
//!
//! It never touches a server that it did not start, never listens beyond the loopback
//! interface, and always asks for a password, as a real server does.
//!
//! ```text
//!   /tmp/pgstream-<name>-xxxxxx/     (owned by the account that runs the server)
//!       data/      copy of the template, settings appended to postgresql.conf
//!       log        everything the server said
//!       .s.PGSQL.<port>
//! ```

use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use tempfile::TempDir;

use crate::model::{Classify, ErrorClass};

use postmaster::{Postmaster, Stop};
use template::{PASSWORD, SUPERUSER, Template, short_temp_dir};

mod account;
mod options;
mod postmaster;
mod server;
mod template;

pub use account::Account;
use options::settings_text;
pub use options::{ClusterOptions, ServerTls};
pub(crate) use postmaster::Watcher;
pub use server::{OUTPUT_PLUGIN_LIBRARIES, Server, ServerError};

/// Ports are taken from below the range that the kernel gives to outgoing connections, so that
/// a stopped cluster finds its port free again.
const PORT_FIRST: u16 = 20_000;
const PORT_COUNT: u16 = 12_000;
/// Somebody else may take a port between our look and the server's bind; that is rare.
const PORT_TRIES_MAX: usize = 20;

/// Why a cluster cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no usable server.
    #[error("cannot start cluster {name}")]
    Server {
        name: String,
        /// What is missing.
        #[source]
        source: ServerError,
    },
    /// Its files cannot be made.
    #[error("cannot prepare the files of cluster {name}")]
    Prepare {
        name: String,
        #[source]
        source: io::Error,
    },
    /// The server does not start.
    #[error("cannot start cluster {name}; its log ends with:\n{log_tail}")]
    Start {
        name: String,
        /// The last lines of the server's log.
        log_tail: String,
        #[source]
        source: io::Error,
    },
    /// The server cannot be stopped.
    #[error("cannot stop cluster {name}")]
    Stop {
        name: String,
        #[source]
        source: io::Error,
    },
}

impl Classify for ClusterError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Operator
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Server { source, .. } => source.hint(),
            Self::Prepare { .. } => Some(format!(
                "its files lie in {}: TMPDIR names another directory, where there is room and a right to write",
                std::env::temp_dir().display()
            )),
            Self::Start { .. } | Self::Stop { .. } => None,
        }
    }
}

/// A throw-away cluster; dropping it stops the server and removes its files.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    server: Server,
    account: Account,
    port: u16,
    running: Option<Postmaster>,
    _watcher: Watcher,
    root: TempDir,
}

impl Cluster {
    /// Makes the cluster and returns when its server accepts connections.
    ///
    /// # Errors
    /// [`ClusterError`] (operator): no server, no space, a setting that the server refuses.
    pub fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        let name = options.name.clone();
        let server = match options.server.clone().map_or_else(Server::find, Ok) {
            Ok(server) => server,
            Err(source) => return Err(ClusterError::Server { name, source }),
        };
        let mut cluster = Self::prepare(server, &options)
            .map_err(|source| ClusterError::Prepare { name, source })?;
        cluster.start_on_free_port()?;
        Ok(cluster)
    }

    fn prepare(server: Server, options: &ClusterOptions) -> io::Result<Self> {
        let account = Account::for_servers()?;
        let root = short_temp_dir(&options.name, account)?;
        let watcher = Watcher::start(account, root.path())?;
        let data_dir = root.path().join("data");
        match (&options.standby_of, &options.template_store) {
            (Some(primary), _) => Template::of(primary),
            (None, Some(store)) => Template::prepare(&server, account, store)?,
            (None, None) => Template::once(&server, account)?,
        }
        .copy_to(&data_dir, account)?;
        if options.standby_of.is_some() {
            let signal = data_dir.join("standby.signal");
            fs::write(&signal, "")?;
            account.own(&signal)?;
        }
        append(
            &data_dir.join("postgresql.conf"),
            &settings_text(&server, options, root.path()),
        )?;
        prepend(&data_dir.join("pg_hba.conf"), &options.hba)?;
        if let Some(tls) = &options.tls {
            write_tls(&data_dir, tls, account)?;
        }
        let name = options.name.clone();
        Ok(Self {
            name,
            server,
            account,
            port: 0,
            running: None,
            _watcher: watcher,
            root,
        })
    }

    fn start_on_free_port(&mut self) -> Result<(), ClusterError> {
        for _ in 1..PORT_TRIES_MAX {
            self.port = free_port();
            match self.start_server() {
                Err(_) if !is_free(self.port) => {}
                outcome => return outcome,
            }
        }
        self.start_server()
    }

    fn start_server(&mut self) -> Result<(), ClusterError> {
        let conf = self.data_dir().join("postgresql.conf");
        let started = append(&conf, &format!("port = {}\n", self.port))
            .and_then(|()| Postmaster::start(&self.server, self.account, self.root.path()));
        match started {
            Ok(running) => self.running = Some(running),
            Err(source) => return Err(self.start_error(source)),
        }
        Ok(())
    }

    fn start_error(&self, source: io::Error) -> ClusterError {
        ClusterError::Start {
            name: self.name.clone(),
            log_tail: tail(&self.log(), 20),
            source,
        }
    }

    fn stop(&mut self, how: Stop) -> Result<(), ClusterError> {
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        running.stop(how).map_err(|source| ClusterError::Stop {
            name: self.name.clone(),
            source,
        })
    }

    /// Stops the server as an administrator does: sessions end, a checkpoint is written.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn stop_fast(&mut self) -> Result<(), ClusterError> {
        self.stop(Stop::Fast)
    }

    /// Stops the server without writing anything; the next start recovers.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn stop_immediate(&mut self) -> Result<(), ClusterError> {
        self.stop(Stop::Immediate)
    }

    /// Kills the postmaster with SIGKILL and waits until its processes are gone.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn kill(&mut self) -> Result<(), ClusterError> {
        self.stop(Stop::Kill)
    }

    /// Starts the server again, on the same port, after stopping it if it runs.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn restart(&mut self) -> Result<(), ClusterError> {
        self.stop_fast()?;
        self.start_server()
    }

    /// Hands the running cluster over to the user: it outlives this process, and its directory
    /// stays. The server is started once more, by `pg_ctl`, which writes its log to the file.
    ///
    /// # Errors
    /// When the server does not stop or start.
    pub fn keep(mut self) -> Result<KeptCluster, ClusterError> {
        self.stop_fast()?;
        let kept = KeptCluster {
            url: self.url(SUPERUSER),
            stop_command: format!(
                "kill -QUIT $(head -n 1 {root}/data/postmaster.pid); rm -rf {root}",
                root = self.root.path().display(),
            ),
        };
        match start_detached(&self.server, self.account, self.root.path()) {
            Ok(()) => self.root.disable_cleanup(true),
            Err(source) => return Err(self.start_error(source)),
        }
        Ok(kept)
    }

    /// Returns the TCP port on 127.0.0.1; it never changes.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the process id of the running postmaster.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Postmaster::pid)
    }

    /// Returns the installation behind this cluster.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the directory of the Unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        self.root.path()
    }

    /// Returns the data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// Returns everything that the server has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.root.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns the address of a database over TCP, as the superuser with the password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{SUPERUSER}:{PASSWORD}@localhost:{port}/{database}?sslmode=disable")
    }

    /// Returns the address of a database over the Unix socket.
    #[must_use]
    pub fn socket_url(&self, database: &str) -> String {
        let dir = self.socket_dir().display().to_string().replace('/', "%2F");
        let port = self.port;
        format!("postgres://{SUPERUSER}:{PASSWORD}@{dir}:{port}/{database}")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.stop(Stop::Immediate) {
            tracing::warn!(cluster = %self.name, %error, "cluster not stopped");
        }
    }
}

/// A cluster that now belongs to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCluster {
    /// Its address.
    pub url: String,
    /// The command that stops it and removes its files.
    pub stop_command: String,
}

fn start_detached(server: &Server, account: Account, root: &Path) -> io::Result<()> {
    let mut command = Command::new(server.program("pg_ctl"));
    command
        .args(["start", "--silent", "--wait", "-D"])
        .arg(root.join("data"));
    command
        .arg("-l")
        .arg(root.join("data/server.log"))
        .current_dir(root)
        .env("LC_ALL", "C");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    account.apply(&mut command);
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("pg_ctl ended with {status}")))
}

fn write_tls(data_dir: &Path, tls: &ServerTls, account: Account) -> io::Result<()> {
    let authority = tls
        .client_authority
        .iter()
        .map(|pem| ("client_ca.crt", pem));
    let own = [("server.crt", &tls.certificate), ("server.key", &tls.key)];
    for (name, pem) in own.into_iter().chain(authority) {
        let path = data_dir.join(name);
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        io::Write::write_all(&mut file, pem.as_bytes())?;
        account.own(&path)?;
    }
    Ok(())
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().append(true).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

fn prepend(path: &Path, lines: &[String]) -> io::Result<()> {
    let rest = fs::read_to_string(path)?;
    fs::write(path, format!("{}\n{rest}", lines.join("\n")))
}

fn tail(text: &str, line_count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(line_count)..].join("\n")
}

fn free_port() -> u16 {
    let random = RandomState::new();
    let draws = (0_u64..).map(|draw| random.hash_one(draw) % u64::from(PORT_COUNT));
    let mut ports = draws.filter_map(|draw| Some(PORT_FIRST + u16::try_from(draw).ok()?));
    ports.find(|port| is_free(*port)).expect("draws never end")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
