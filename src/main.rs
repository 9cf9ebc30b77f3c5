//! The `pgstream` command: arguments in, exit code out. Everything else is `pgstream::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = pgstream::cli::arguments();
    #[cfg(feature = "failpoints")]
    let _armed = pgstream::fault::arm();
    pgstream::cli::main(arguments)
}
