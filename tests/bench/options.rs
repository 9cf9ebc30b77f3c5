//! What may be chosen on the command line: `make bench ARGS="--quick"`.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

/// Row changes of each backlog, and how often everything is repeated.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Row changes of a backlog.
    pub(crate) rows: u64,
    /// Repetitions; medians are over these.
    pub(crate) rounds: usize,
    /// Commits of which the latency is taken, for each reader and round.
    pub(crate) samples: usize,
    /// How all readers reach their servers.
    pub(crate) transport: Transport,
    /// Tables, or parts of tables, that are copied at a time.
    pub(crate) jobs: usize,
    /// Check the memory of one very large transaction instead.
    pub(crate) large: bool,
    /// Another build of `pgstream` to be measured.
    pub(crate) program: PathBuf,
    only: Vec<String>,
}

/// How clients and servers are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// TCP over the loopback interface, without TLS.
    Tcp,
    /// A Unix socket.
    Unix,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP over loopback",
            Self::Unix => "Unix sockets",
        })
    }
}

impl Options {
    /// Reads the arguments.
    pub(crate) fn parse(arguments: Vec<String>) -> anyhow::Result<Self> {
        let mut options = Self {
            // Long enough that the start of a process does not decide.
            rows: 600_000,
            rounds: 3,
            samples: 200,
            transport: Transport::Tcp,
            jobs: std::thread::available_parallelism()?.get() * 2,
            large: false,
            program: env!("CARGO_BIN_EXE_pgstream").into(),
            only: Vec::new(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--quick" => (options.rows, options.rounds, options.samples) = (20_000, 1, 50),
                "--rows" => options.rows = value()?.parse()?,
                "--rounds" => options.rounds = value()?.parse()?,
                "--jobs" => options.jobs = value()?.parse()?,
                "--samples" => options.samples = value()?.parse()?,
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--unix" => options.transport = Transport::Unix,
                "--program" => options.program = value()?.into(),
                "--large" => options.large = true,
                // Cargo says so to every bench.
                "--bench" => {}
                other => bail!("unknown argument {other}; there are {KNOWN}"),
            }
        }
        Ok(options)
    }

    /// Returns the rows that stream under the eyes of a console: a million, unless it shall be quick.
    pub(crate) fn console_rows(&self) -> u64 {
        self.rows * 5 / 3
    }

    /// Returns whether this part was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

const KNOWN: &str = "--quick, --rows N, --rounds N, --samples N, --jobs N, --only NAME,…, --unix, \
                     --program PATH, --large";
