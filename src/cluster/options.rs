//! What a cluster shall be like, and the settings that follow from it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::server::{OUTPUT_PLUGIN_LIBRARIES, Server};

/// Every cluster has these, before the caller's own settings.
const SETTINGS: [(&str, &str); 12] = [
    ("listen_addresses", "127.0.0.1"),
    ("wal_level", "logical"),
    ("max_wal_senders", "20"),
    ("max_replication_slots", "20"),
    ("max_connections", "100"),
    ("max_prepared_transactions", "10"),
    ("shared_buffers", "64MB"),
    ("wal_sender_timeout", "10s"),
    ("lc_messages", "C"),
    ("timezone", "UTC"),
    ("log_line_prefix", "%m [%p] %q%a "),
    ("unix_socket_permissions", "0700"),
];

/// What a cluster shall be like.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    /// Part of the directory's name, for people: `source`, `target`.
    pub name: String,
    /// The installation to use; none means [`Server::find`].
    pub server: Option<Server>,
    /// Where templates are kept between runs; none means `initdb` for this cluster alone.
    pub template_store: Option<PathBuf>,
    /// Settings for `postgresql.conf`; a later one wins, also over ours.
    pub settings: Vec<(String, String)>,
    /// Lines put before those of `pg_hba.conf`.
    pub hba: Vec<String>,
    /// Certificates; with them the server offers TLS.
    pub tls: Option<ServerTls>,
    /// The data directory of a stopped cluster, for a standby of it.
    pub standby_of: Option<PathBuf>,
}

impl ClusterOptions {
    /// Returns the options of an ordinary cluster with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a line in front of `pg_hba.conf`.
    #[must_use]
    pub fn hba(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }

    /// Uses this installation.
    #[must_use]
    pub fn on(mut self, server: &Server) -> Self {
        self.server = Some(server.clone());
        self
    }
}

/// PEM texts of a server that offers TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// The server's certificate (and what lies between it and the root).
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// The authority whose client certificates are accepted.
    pub client_authority: Option<String>,
}

/// Returns what is appended to `postgresql.conf`; a later line wins.
pub(crate) fn settings_text(
    server: &Server,
    options: &ClusterOptions,
    socket_dir: &Path,
) -> String {
    let mut text = String::from("\n# Throw-away cluster of pgstream.\n");
    let mut set = |name: &str, value: &str| {
        writeln!(text, "{name} = '{}'", value.replace('\'', "''")).expect("a String takes all");
    };
    for (name, value) in SETTINGS {
        set(name, value);
    }
    set("unix_socket_directories", &socket_dir.display().to_string());
    if server.has_wal2json() && server.knows_setting(OUTPUT_PLUGIN_LIBRARIES) {
        set(OUTPUT_PLUGIN_LIBRARIES, "pgoutput, test_decoding, wal2json");
    }
    if let Some(tls) = &options.tls {
        set("ssl", "on");
        if tls.client_authority.is_some() {
            set("ssl_ca_file", "client_ca.crt");
        }
    }
    for (name, value) in &options.settings {
        set(name, value);
    }
    text
}
