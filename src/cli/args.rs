//! What can be typed. The help texts are these comments; every value goes on as text to the
//! configuration, which has the one rule for it whatever its source.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::{ByteSize, FlagValue, Plugin, TablePattern, key};
use crate::engine::EngineOptions;
use crate::model::Lsn;

use super::Failure;
use super::edit::{self, EditFile};

/// Keeps one PostgreSQL database equal to another, rows and schema changes.
#[derive(Debug, Parser)]
#[command(name = "pgstream", version)]
#[command(
    after_help = "Addresses, the slot, the log, the look of the console and all else that is set once are \
    variables, too, in the environment or in the file given with -c: docs/configuration.md.\n\n\
    Exit codes:\n  \
    0   done\n  \
    64  usage or configuration\n  \
    65  data refused by the target\n  \
    70  a fault of pgstream\n  \
    75  gave up on something temporary\n  \
    78  an operator must change something"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: GlobalArguments,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct GlobalArguments {
    /// Configuration file with one VARIABLE=value a line
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Least severity to log: trace, debug, info, warn or error
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Form of the log: text or json
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// No colours
    #[arg(long, global = true)]
    pub(super) no_color: bool,
    /// No terminal interface and no questions, also on a terminal
    #[arg(long, global = true)]
    pub(super) headless: bool,
    /// Lines of text and questions by number instead of a screen
    #[arg(long, global = true)]
    pub(super) plain: bool,
    #[cfg(feature = "tui")]
    #[command(flatten)]
    pub(super) screen: ScreenArguments,
}

/// How the console looks.
#[cfg(feature = "tui")]
#[derive(Debug, Args)]
#[command(next_help_heading = CONSOLE)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct ScreenArguments {
    /// Colours of the console: auto, truecolor, high-contrast or mono
    #[arg(long, global = true, value_name = "THEME")]
    pub(super) theme: Option<crate::config::Palette>,
    /// Frames and bars of the console in ASCII
    #[arg(long, global = true)]
    pub(super) ascii: bool,
    /// Nothing on the console moves by itself
    #[arg(long, global = true)]
    pub(super) no_motion: bool,
    /// Leave the mouse to the terminal
    #[arg(long, global = true)]
    pub(super) no_mouse: bool,
    /// The console only shows: run starts its engine as ever, no key asks anything of it, and
    /// wizards stop at the plan
    #[arg(long, global = true)]
    pub(super) read_only: bool,
}

/// The part of the help that is about the console.
const CONSOLE: &str = "Console";

/// Commands that never open one.
const WITHOUT_CONSOLE: [&str; 5] = ["snapshot", "status", "check", "verify", "sequences"];

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Prepare the source: schema pgstream, event triggers, publication, replication slot
    Init(InitArguments),
    /// Remove everything that init and run made
    TearDown(TearDownArguments),
    /// Replicate until SIGINT or SIGTERM
    Run(RunArguments),
    /// Copy existing tables once and exit; nothing is made on the source
    Snapshot(SnapshotArguments),
    /// Show the slot, the lag, the checkpoint and the last schema changes
    Status(ReportArguments),
    /// Verify every precondition on both sides
    Check(ReportArguments),
    /// Compare rows, schema and sequences of both sides at one exact position, while they are in use
    Verify(VerifyArguments),
    /// Bring the target's sequences forward to where the source's are
    Sequences(ReportArguments),
    /// Show a running engine and command it; leaving it leaves the engine running
    Console(ConsoleArguments),
    /// Play the tutorial on two throw-away PostgreSQL servers
    Tutorial(TutorialArguments),
}

/// Where the source is.
#[derive(Debug, Args)]
pub(super) struct SourceArguments {
    /// Source database: postgres://user@host:port/dbname
    #[arg(long, value_name = "URL")]
    pgurl: Option<String>,
    /// Replication slot; without it pgstream_<dbname>_slot
    #[arg(long, value_name = "NAME")]
    replication_slot: Option<String>,
}

/// Where both sides are.
#[derive(Debug, Args)]
pub(super) struct SidesArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Target database: postgres://user@host:port/dbname
    #[arg(long, value_name = "URL")]
    target_url: Option<String>,
}

/// Options of `init`.
#[derive(Debug, Args)]
pub(super) struct InitArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Output plugin of the slot: pgoutput or wal2json
    #[arg(long, value_name = "PLUGIN")]
    plugin: Option<String>,
    /// Print the SQL and run nothing
    #[arg(long)]
    pub(super) plan: bool,
}

/// Options of `tear-down`.
#[derive(Debug, Args)]
pub(super) struct TearDownArguments {
    #[command(flatten)]
    sides: SidesArguments,
    /// Print the SQL and run nothing
    #[arg(long)]
    pub(super) plan: bool,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    sides: SidesArguments,
    /// Prepare the source first, as init does
    #[arg(long)]
    pub(super) init: bool,
    /// Skip the one transaction that the target refused, on record; its error names the position
    #[arg(long, value_name = "LSN")]
    skip_transaction: Option<Lsn>,
    /// Run FILE on the target in place of the schema change that it refused; its error names the id
    #[arg(long, value_name = "ID=FILE")]
    edit_change: Option<EditFile>,
}

/// Options of `snapshot`.
#[derive(Debug, Args)]
pub(super) struct SnapshotArguments {
    #[command(flatten)]
    sides: SidesArguments,
    /// Print the SQL and run nothing
    #[arg(long)]
    pub(super) plan: bool,
}

/// Options of `status`, `check` and `sequences`.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    #[command(flatten)]
    sides: SidesArguments,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `verify`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    sides: SidesArguments,
    /// Only these tables: schema.table, schema.* or *.*; may be repeated
    #[arg(long = "table", value_name = "PATTERN")]
    pub(super) tables: Vec<TablePattern>,
    /// Tables that are compared at the same time
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(super) jobs: usize,
    /// Show what differing rows hold
    #[arg(long)]
    pub(super) show_values: bool,
    /// Bring rows that differ from the source, then compare them again
    #[arg(long, conflicts_with = "sample")]
    pub(super) repair: bool,
    /// Go on where a comparison ended that was not through
    #[arg(long, conflicts_with_all = ["sample", "repair"])]
    pub(super) resume: bool,
    /// Compare only so many in a hundred rows: the same on both sides, others in each run
    #[arg(long, value_name = "PERCENT")]
    pub(super) sample: Option<Percent>,
    /// Read no more than this in a second, both sides together: 20MiB
    #[arg(long, value_name = "SIZE")]
    pub(super) rate_limit: Option<ByteSize>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Some of a whole: `5` or `5%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Percent(pub(super) f64);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim_end_matches('%').trim_end().parse::<f64>();
        let number = number
            .ok()
            .filter(|number| *number > 0.0 && *number <= 100.0);
        number
            .map(Self)
            .ok_or_else(|| "it is a number above 0, up to 100".to_owned())
    }
}

/// Options of `console`.
#[derive(Debug, Args)]
pub(super) struct ConsoleArguments {
    #[command(flatten)]
    sides: SidesArguments,
}

/// Options of `tutorial`.
#[derive(Debug, Args)]
pub(super) struct TutorialArguments {
    /// Output plugin of the slot: pgoutput or wal2json
    #[arg(long, value_name = "PLUGIN", default_value = "pgoutput")]
    pub(super) plugin: Plugin,
    /// Leave the servers running at the end
    #[arg(long)]
    pub(super) keep: bool,
}

impl Arguments {
    /// Reads a command line.
    ///
    /// # Errors
    /// What clap makes of a wrong one, and of a wish for help.
    pub(super) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let matches = Self::definition().try_get_matches_from(line)?;
        Self::from_arg_matches(&matches)
    }

    /// Returns what can be typed, with the help of each command about what concerns it.
    pub(super) fn definition() -> clap::Command {
        let mut whole = Self::command();
        // Options of every command are there only then.
        whole.build();
        WITHOUT_CONSOLE.into_iter().fold(whole, |whole, name| {
            whole.mut_subcommand(name, |command| {
                command.mut_args(|option| {
                    let hidden = option.get_help_heading() == Some(CONSOLE);
                    option.hide(hidden)
                })
            })
        })
    }
}

impl GlobalArguments {
    /// Returns the variables that these flags set.
    pub(super) fn flags(&self) -> Vec<FlagValue> {
        present([
            (key::LOG_LEVEL, "--log-level", self.log_level.as_ref()),
            (key::LOG_FORMAT, "--log-format", self.log_format.as_ref()),
        ])
    }
}

impl RunArguments {
    /// Returns how the engine starts; `hold_on_failure` where somebody can decide.
    pub(super) fn engine_options(&self, hold_on_failure: bool) -> Result<EngineOptions, Failure> {
        Ok(EngineOptions {
            hold_on_failure,
            skip: self.skip_transaction,
            edit: edit::of_file(self.edit_change.as_ref())?,
        })
    }
}

impl Command {
    /// Returns the variables that the flags of this command set.
    pub(super) fn flags(&self) -> Vec<FlagValue> {
        let sides = match self {
            Self::Init(arguments) => return arguments.flags(),
            Self::TearDown(arguments) => &arguments.sides,
            Self::Run(arguments) => &arguments.sides,
            Self::Snapshot(arguments) => &arguments.sides,
            Self::Status(arguments) | Self::Check(arguments) | Self::Sequences(arguments) => {
                &arguments.sides
            }
            Self::Verify(arguments) => &arguments.sides,
            Self::Console(arguments) => &arguments.sides,
            // Its servers are its own: nothing of the user's configuration counts.
            Self::Tutorial(_) => return Vec::new(),
        };
        let mut flags = sides.source.flags();
        flags.extend(present([(
            key::TARGET_URL,
            "--target-url",
            sides.target_url.as_ref(),
        )]));
        flags
    }
}

impl InitArguments {
    fn flags(&self) -> Vec<FlagValue> {
        let mut flags = self.source.flags();
        flags.extend(present([(key::PLUGIN, "--plugin", self.plugin.as_ref())]));
        flags
    }
}

impl SourceArguments {
    fn flags(&self) -> Vec<FlagValue> {
        present([
            (key::SOURCE_URL, "--pgurl", self.pgurl.as_ref()),
            (
                key::SLOT_NAME,
                "--replication-slot",
                self.replication_slot.as_ref(),
            ),
        ])
    }
}

fn present<const N: usize>(
    flags: [(&'static str, &'static str, Option<&String>); N],
) -> Vec<FlagValue> {
    let value = |(key, flag, value): (_, _, Option<&String>)| {
        let value = value?.clone();
        Some(FlagValue { key, flag, value })
    };
    flags.into_iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::definition().debug_assert();
    }

    #[test]
    fn the_command_lines_of_the_tutorial_are_understood() {
        let check = |line: &str, expected: &[(&str, &str)]| {
            let arguments = Arguments::read(line.split_whitespace().map(OsString::from)).unwrap();
            let mut flags = arguments.global.flags();
            flags.extend(arguments.command.iter().flat_map(Command::flags));
            let flags: Vec<_> = flags
                .iter()
                .map(|flag| (flag.key, flag.value.as_str()))
                .collect();
            assert_eq!(flags, expected, "{line}");
        };
        let url = "postgres://postgres:postgres@localhost:5432?sslmode=disable";
        let both = [
            (key::SOURCE_URL, url),
            (key::SLOT_NAME, "pgstream_tutorial_slot"),
        ];
        for command in ["init", "tear-down"] {
            check(
                &format!(
                    "pgstream {command} --pgurl {url} --replication-slot pgstream_tutorial_slot"
                ),
                &both,
            );
        }
        check("pgstream init", &[]);
        let target = "postgres://postgres:postgres@localhost:7654?sslmode=disable";
        check(
            &format!("pgstream status --pgurl {url} --target-url {target}"),
            &[(key::SOURCE_URL, url), (key::TARGET_URL, target)],
        );
        check(
            "pgstream run -c pg2pg_tutorial.env --log-level trace",
            &[(key::LOG_LEVEL, "trace")],
        );
    }
}
