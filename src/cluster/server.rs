//! Finds the PostgreSQL server on this machine and learns what it can do.
//!
//! Nothing is guessed from a version: whether the server knows a setting is asked of the binary
//! itself (`postgres --describe-config`), whether wal2json is there is a look at its library
//! directory. The search order puts what a person names before what a package installs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::{env, fs, io};

use crate::model::{Classify, ErrorClass};

/// Names the directory with `initdb` and `postgres`; stronger than every other place.
pub(crate) const BIN_DIR_VARIABLE: &str = "PGSTREAM_PG_BIN_DIR";

/// The setting without which current minor releases refuse wal2json.
/// Older ones do not know it and refuse to start with it.
pub const OUTPUT_PLUGIN_LIBRARIES: &str = "output_plugin_libraries";

/// Where packages put versions side by side: the directory above, and what follows the version.
const VERSIONED: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
];

/// A PostgreSQL installation that can start clusters.
#[derive(Debug, Clone)]
pub struct Server {
    bin_dir: PathBuf,
    version: String,
    settings: Arc<HashSet<String>>,
    has_wal2json: bool,
}

impl Server {
    /// Finds the server to use: the variable, `pg_config`, Debian's directories (highest
    /// version), the search path, Homebrew, the PGDG RPM directories.
    ///
    /// # Errors
    /// [`ServerError::Missing`] (operator) when there is none.
    pub fn find() -> Result<Self, ServerError> {
        if let Some(dir) = env::var_os(BIN_DIR_VARIABLE) {
            return Self::at(Path::new(&dir));
        }
        let places = candidates();
        match places.iter().find(|dir| is_bin_dir(dir)) {
            Some(dir) => Self::at(dir),
            None => Err(ServerError::Missing { searched: places }),
        }
    }

    /// Finds the server to use with the output plugin wal2json: the first that has it.
    ///
    /// # Errors
    /// [`ServerError::Missing`] or [`ServerError::NoWal2json`] (operator).
    pub fn find_with_wal2json() -> Result<Self, ServerError> {
        let first = Self::find()?;
        let named = env::var_os(BIN_DIR_VARIABLE).is_some();
        let servers = if named {
            vec![first.clone()]
        } else {
            Self::find_all()
        };
        let with = servers.into_iter().find(Self::has_wal2json);
        with.ok_or(ServerError::NoWal2json {
            bin_dir: first.bin_dir,
            version: first.version,
        })
    }

    /// Returns every server that [`Server::find`] would consider, each directory once.
    #[must_use]
    pub fn find_all() -> Vec<Self> {
        let mut seen = HashSet::new();
        let named = env::var_os(BIN_DIR_VARIABLE).map(PathBuf::from);
        named
            .into_iter()
            .chain(candidates())
            .filter(|dir| is_bin_dir(dir))
            .filter(|dir| seen.insert(behind_links(dir)))
            .filter_map(|dir| Self::at(&dir).ok())
            .collect()
    }

    /// Returns the server whose programs are in `bin_dir`.
    ///
    /// # Errors
    /// When `initdb` or `postgres` is not there or cannot run.
    pub fn at(bin_dir: &Path) -> Result<Self, ServerError> {
        if !is_bin_dir(bin_dir) {
            return Err(ServerError::Missing {
                searched: vec![bin_dir.to_path_buf()],
            });
        }
        let bin_dir = &behind_links(bin_dir);
        let postgres = bin_dir.join("postgres");
        let version = ask(&postgres, "--version")?;
        let described = ask(&postgres, "--describe-config")?;
        Ok(Self {
            bin_dir: bin_dir.to_path_buf(),
            version: parse_version(&version).to_owned(),
            settings: Arc::new(parse_setting_names(&described)),
            has_wal2json: library_dirs(bin_dir)
                .iter()
                .any(|dir| has_plugin(dir, "wal2json")),
        })
    }

    /// Returns the path of one of this installation's programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }

    /// Returns the directory of the programs.
    #[must_use]
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// Returns the version as the server says it, for example `15.20`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the major version, 0 for a development build without a number.
    #[must_use]
    pub fn major(&self) -> u32 {
        let digits = self.version.split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Returns whether the server has a setting of this name.
    #[must_use]
    pub fn knows_setting(&self, name: &str) -> bool {
        self.settings.contains(name)
    }

    /// Returns whether the wal2json output plugin is installed for this server.
    #[must_use]
    pub fn has_wal2json(&self) -> bool {
        self.has_wal2json
    }
}

/// Why no server can be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// None of the places has the programs.
    #[error("no PostgreSQL server found, searched {}", list(.searched))]
    Missing {
        /// The directories looked at.
        searched: Vec<PathBuf>,
    },
    /// No server here has the plugin.
    #[error("wal2json is not installed for PostgreSQL {version} in {}", .bin_dir.display())]
    NoWal2json {
        /// The server's programs.
        bin_dir: PathBuf,
        /// Its version.
        version: String,
    },
    /// A program of the server does not run.
    #[error("cannot run {}", .program.display())]
    Run {
        program: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl Classify for ServerError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Operator
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => format!(
                "install PostgreSQL with `make deps` (Debian, Ubuntu: apt-get install postgresql; \
                 Fedora: dnf install postgresql-server; macOS: brew install postgresql), or name \
                 the directory of initdb and postgres in {BIN_DIR_VARIABLE}"
            ),
            Self::NoWal2json { .. } => {
                "install it with `make deps` (Debian, Ubuntu: apt-get install \
                 postgresql-<version>-wal2json), or play with pgoutput, which every server has"
                    .to_owned()
            }
            Self::Run { program, .. } => {
                format!("try `{} --version`", program.display())
            }
        })
    }
}

fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    shown.join(", ")
}

fn is_bin_dir(dir: &Path) -> bool {
    dir.join("initdb").is_file() && dir.join("postgres").is_file()
}

/// The directory that really holds the programs, where `dir` only links to them: the libraries
/// and the sample files lie beside that one.
fn behind_links(dir: &Path) -> PathBuf {
    let real = fs::canonicalize(dir.join("postgres")).ok();
    let real = real
        .as_deref()
        .and_then(Path::parent)
        .filter(|real| is_bin_dir(real));
    real.unwrap_or(dir).to_path_buf()
}

/// Directories where a server may be, strongest first; they need not exist.
fn candidates() -> Vec<PathBuf> {
    let mut places = Vec::new();
    places.extend(pg_config("pg_config", "--bindir"));
    places.extend(versioned(VERSIONED[0]));
    places.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    places.extend(VERSIONED[1..].iter().flat_map(|place| versioned(*place)));
    places.retain(|dir| dir.is_absolute());
    places.dedup();
    places
}

fn pg_config(program: impl AsRef<Path>, question: &str) -> Option<PathBuf> {
    let answer = ask(program.as_ref(), question).ok()?;
    Some(PathBuf::from(answer.trim()))
}

/// The version directories below one place, highest first.
fn versioned((above, prefix, below): (&str, &str, &str)) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(above) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<(u32, String)> = names
        .filter_map(|name| Some((name.strip_prefix(prefix)?.parse().ok()?, name)))
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
        .into_iter()
        .map(|(_, name)| Path::new(above).join(name).join(below))
        .collect()
}

fn library_dirs(bin_dir: &Path) -> Vec<PathBuf> {
    let above = bin_dir.parent().unwrap_or(bin_dir);
    let mut dirs = vec![above.join("lib"), above.join("lib/postgresql")];
    dirs.extend(pg_config(bin_dir.join("pg_config"), "--pkglibdir"));
    dirs
}

fn has_plugin(dir: &Path, name: &str) -> bool {
    ["so", "dylib"]
        .iter()
        .any(|ending| dir.join(name).with_extension(ending).is_file())
}

fn ask(program: &Path, question: &str) -> Result<String, ServerError> {
    let run = Command::new(program).arg(question).output();
    let answer = run.and_then(text_of_success);
    answer.map_err(|source| ServerError::Run {
        program: program.to_path_buf(),
        source,
    })
}

fn text_of_success(output: Output) -> io::Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

/// Takes `15.20` out of `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`.
fn parse_version(answer: &str) -> &str {
    let after = answer.split_once(')').map_or(answer, |(_, rest)| rest);
    after.split_whitespace().next().unwrap_or("unknown")
}

/// The first column of what `--describe-config` prints, tab separated.
fn parse_setting_names(described: &str) -> HashSet<String> {
    described
        .lines()
        .filter_map(|line| line.split('\t').next())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{parse_setting_names, parse_version};

    #[test]
    fn version_is_the_word_after_the_product() {
        let cases = [
            (
                "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n",
                "15.20",
            ),
            ("postgres (PostgreSQL) 18.4\n", "18.4"),
            ("postgres (PostgreSQL) 19devel\n", "19devel"),
            ("", "unknown"),
        ];
        for (answer, expected) in cases {
            assert_eq!(parse_version(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn setting_names_are_the_first_column() {
        let names = parse_setting_names("wal_level\tpostmaster\tx\nfsync\tsighup\ty\n");

        assert!(names.contains("wal_level") && names.contains("fsync") && names.len() == 2);
    }
}
