//! Where a server is and how to enter it: what libpq accepts, as a URI or as `key=value` words
//! (manual, section 34.1.1 «Connection Strings»).
//!
//! ```text
//!  text ──> uri | keyword ──> (name, value) words ──> build(words, environment) ──> settings
//! ```
//!
//! The parser is pure: what libpq takes from the process (`PGHOST`, `PGUSER`, `PGPASSWORD`, `PGPASSFILE`
//! and the like, the login name, the home directory) comes in as an [`Environment`]. Source and target
//! share it, as they share the process.
//!
//! Errors never quote a part of the string: it may be one of a badly escaped password.

mod build;
mod environment;
mod error;
mod keyword;
mod parameter;
mod passfile;
mod settings;
#[cfg(test)]
mod tests;
mod tls;
mod uri;

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Origin, Secret, SettingOrigin};

pub use environment::Environment;
pub use error::ConnectionError;
pub use settings::{ConnectionSettings, Host, HostPort, TargetSession};
pub use tls::{ChannelBinding, RootCertificates, SslMode, SslNegotiation, TlsSettings};

impl ConnectionSettings {
    /// Parses a libpq connection string with the defaults of this process.
    ///
    /// # Errors
    /// Usage: the string is malformed, or names a parameter that does not exist.
    pub fn parse(text: &str) -> Result<Self, ConnectionError> {
        Self::parse_in(text, &Environment::of_process())
    }

    /// Parses a libpq connection string, pure: `environment` supplies the defaults.
    ///
    /// # Errors
    /// As [`ConnectionSettings::parse`].
    pub fn parse_in(text: &str, environment: &Environment) -> Result<Self, ConnectionError> {
        let text = text.trim();
        if text.contains('\0') {
            return Err(ConnectionError::Malformed {
                part: "the whole",
                rule: "holds a zero byte",
            });
        }
        let words = match uri::strip_scheme(text) {
            Some(rest) => uri::words(rest)?,
            None => keyword::words(text)?,
        };
        build::settings(&words, environment)
    }

    /// Remembers where the string came from.
    #[must_use]
    pub fn with_origin(mut self, key: &'static str, origin: Origin) -> Self {
        self.origin = Some(SettingOrigin { key, origin });
        self
    }

    /// Returns what hints call the string: `PGSTREAM_POSTGRES_LISTENER_URL in pg2pg.env:2`.
    #[must_use]
    pub fn origin_name(&self) -> String {
        let name = self.origin.as_ref().map(ToString::to_string);
        name.unwrap_or_else(|| "the connection string".to_owned())
    }

    /// Returns how a command line names this source: by the file, where its address stands in one, for
    /// an address is shown without its password, and would be refused without it.
    #[must_use]
    pub fn as_argument(&self) -> String {
        match self.origin.as_ref().map(|setting| &setting.origin) {
            Some(Origin::File { path, .. }) => {
                format!("-c {}", shell_words::quote(&path.display().to_string()))
            }
            _ => format!("--pgurl \"{}\"", self.to_uri_without_password()),
        }
    }

    /// As [`as_argument`](Self::as_argument), with a role to be filled in that may do more than this one.
    #[must_use]
    pub fn as_superusers_argument(&self) -> String {
        let mut other = self.clone();
        other.user = "superuser".to_owned();
        let uri = other.to_uri_without_password();
        let address = uri.replacen("superuser@", "<superuser>@", 1);
        let argument = self.as_argument();
        let file = argument.strip_prefix("-c ");
        let file = file.map_or_else(String::new, |_| format!("{argument} "));
        format!("{file}--pgurl \"{address}\"")
    }

    /// Returns `localhost:5432/postgres`: what errors and screens call this server.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        format!("{}/{}", hosts.join(","), self.dbname)
    }

    /// Returns the database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.dbname
    }

    /// Returns the role's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the password for one of the hosts: the string's or `PGPASSWORD`, else that of the
    /// password file, which is read now (manual, section 34.16 «The Password File»).
    #[must_use]
    pub fn password_for(&self, place: &HostPort) -> Option<Secret> {
        let given = self.password.as_ref().or(self.password_default.as_ref());
        let filed = || Some(self.line_for(place)?.1);
        given.cloned().or_else(filed)
    }

    /// Returns where the password for one of the hosts came from, for hints; none when there is none.
    #[must_use]
    pub fn password_origin(&self, place: &HostPort) -> Option<String> {
        if self.password.is_some() {
            return Some(self.origin_name());
        }
        if self.password_default.is_some() {
            return Some("PGPASSWORD in the environment".to_owned());
        }
        let (line, _) = self.line_for(place)?;
        Some(format!("{}:{line}", self.passfile.as_ref()?.display()))
    }

    /// The line of the password file for one of the hosts, counted from 1.
    fn line_for(&self, place: &HostPort) -> Option<(usize, Secret)> {
        let path = self.passfile.as_deref()?;
        passfile::look_up(path, place, &self.dbname, &self.user)
    }

    /// Returns an equivalent URI without the password, fit for people and for `psql`.
    #[must_use]
    pub fn to_uri_without_password(&self) -> String {
        uri::render(self)
    }
}

impl fmt::Display for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_uri_without_password())
    }
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionSettings({self})")
    }
}

impl Serialize for ConnectionSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
