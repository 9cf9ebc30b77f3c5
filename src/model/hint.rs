//! The words of hints that depend on where they are read. A hint names what a shell has; a console,
//! which has keys for the same, puts those in their place. Both sides take the words from here.

/// Leaves a refused transaction out, on record; its position follows.
pub const SKIP_FLAG: &str = "--skip-transaction";
/// Runs a file in place of a refused schema change; `ID=FILE` follows.
pub const EDIT_FLAG: &str = "--edit-change";
/// Goes on after a fix.
pub const RUN_AGAIN: &str = "run pgstream again";
/// Where a shell sees the row that is refused; the console shows it itself.
pub const VALUES_AT_TRACE: &str = " (at log level trace the values that are refused are shown)";

/// Makes what is missing on the source; its own flags follow, up to a semicolon or a comment.
pub const INIT_COMMAND: &str = "pgstream init";

/// Removes everything of ours; its own flags follow.
const TEAR_DOWN_COMMAND: &str = "pgstream tear-down";
/// Compares; its own flags follow.
const VERIFY_COMMAND: &str = "pgstream verify";
/// Brings rows that differ.
const REPAIR_FLAG: &str = " --repair";
/// Streams; its own flags follow.
const RUN_COMMAND: &str = "pgstream run";
/// Copies existing rows, then streams.
const COPY_AND_RUN: &str = "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED=true pgstream run";

/// Returns the command that makes what is missing on a source. `source` is what names it on a command
/// line: its own flag or a file.
#[must_use]
pub fn init_command(source: &str, slot_name: &str) -> String {
    format!("{INIT_COMMAND} {source} --replication-slot {slot_name}")
}

/// Returns the command that removes everything of ours. `source` as for [`init_command`].
#[must_use]
pub fn tear_down_command(source: &str, slot_name: &str) -> String {
    format!("{TEAR_DOWN_COMMAND} {source} --replication-slot {slot_name}")
}

/// Returns what to do when a slot no longer has what the target lacks. `source` as for
/// [`init_command`].
#[must_use]
pub fn begin_anew(source: &str, slot_name: &str) -> String {
    format!(
        "{} && {} && {} # the last brings what differs, without a new copy; or, in its place, empty the \
         tables on the target, and have run copy them: {COPY_AND_RUN}{}",
        tear_down_command(source, slot_name),
        init_command(source, slot_name),
        verify_command(source),
        run_command(source).trim_start_matches(RUN_COMMAND)
    )
}

/// Returns a hint with other words in place of what [`begin_anew`] says: a shell's line that keys do
/// step by step.
#[must_use]
pub fn without_beginning_anew(hint: &str, words: &str) -> String {
    let found = hint.split_once(TEAR_DOWN_COMMAND);
    let parts = found.and_then(|(before, after)| Some((before, after.split_once(COPY_AND_RUN)?.1)));
    match parts {
        Some((before, after)) => {
            let end = after.find([';', ')']).unwrap_or(after.len());
            format!("{before}{words}{}", &after[end..])
        }
        None => hint.to_owned(),
    }
}

/// Returns the command that brings the rows that differ. `source` as for [`run_command`].
#[must_use]
pub fn verify_command(source: &str) -> String {
    match source.starts_with("-c ") {
        true => format!("{VERIFY_COMMAND} {source}{REPAIR_FLAG}"),
        false => format!("{VERIFY_COMMAND}{REPAIR_FLAG}"),
    }
}

/// Returns what to do where a slot is lost that the target goes on from. `source` as for [`run_command`].
#[must_use]
pub fn take_over(source: &str) -> String {
    format!(
        "{} # makes another slot and brings what differs, without a new copy; run goes on from there",
        verify_command(source)
    )
}

/// Returns a hint with other words in place of the command that brings the rows that differ.
#[must_use]
pub fn without_repair(hint: &str, words: &str) -> String {
    let found = hint.split_once(VERIFY_COMMAND);
    match found.and_then(|(before, after)| Some((before, after.split_once(REPAIR_FLAG)?.1))) {
        Some((before, after)) => {
            format!("{before}{words}{}", after.replacen(" #", ":", 1))
        }
        None => hint.to_owned(),
    }
}

/// Returns the command that streams. `source` as for [`init_command`]; where it is no file, `run` takes all
/// from its environment.
#[must_use]
pub fn run_command(source: &str) -> String {
    match source.starts_with("-c ") {
        true => format!("{RUN_COMMAND} {source}"),
        false => RUN_COMMAND.to_owned(),
    }
}

/// Returns the command that brings the target's sequences forward. `source` as for [`run_command`].
#[must_use]
pub fn sequences_command(source: &str) -> String {
    run_command(source).replace(RUN_COMMAND, "pgstream sequences")
}

/// Returns what to do about a table that only the source has. The lists may hold other tables, which stay.
#[must_use]
pub fn copied_or_left_out(table: &str) -> String {
    format!(
        "have it copied, which goes on exactly here: set \
         PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED=true, add '{table}' to \
         PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES, and {RUN_AGAIN}; or leave it out: add '{table}' to \
         PGSTREAM_FILTER_EXCLUDE_TABLES"
    )
}

/// Returns a hint that says on which side it is to be run, if it is a statement.
#[must_use]
pub fn on_side(side: &str, hint: &str) -> String {
    let is_statement = STATEMENTS.iter().any(|word| hint.starts_with(word));
    match is_statement {
        true => format!("on the {side}: {hint}"),
        false => hint.to_owned(),
    }
}

/// How statements that fix something begin.
const STATEMENTS: [&str; 6] = ["ALTER ", "CREATE ", "DROP ", "GRANT ", "SELECT ", "SET "];

/// Returns a hint with other words in place of a command and its flags.
#[must_use]
pub fn without_command(hint: &str, command: &str, words: &str) -> String {
    match hint.split_once(command) {
        Some((before, after)) => {
            let end = after.find(';').into_iter().chain(after.find(" #")).min();
            let after = end.map_or("", |end| &after[end..]);
            format!("{before}{words}{after}")
        }
        None => hint.to_owned(),
    }
}

/// Returns a hint with other words in place of a flag and its value.
#[must_use]
pub fn without_flag(hint: &str, flag: &str, words: &str) -> String {
    let mut parts = hint.split(flag);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let value = part.strip_prefix(' ').unwrap_or(part);
        let after = value.trim_start_matches(|letter: char| !ENDS.contains(&letter));
        text.push_str(words);
        text.push_str(after);
    }
    text
}

/// What ends the value of a flag within a sentence.
const ENDS: [char; 4] = [' ', ',', ';', ')'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_with_its_flags() {
        let hint = format!("create it: {INIT_COMMAND} --replication-slot s; or not");
        let expected = "create it: E, then I; or not";
        assert_eq!(without_command(&hint, INIT_COMMAND, "E, then I"), expected);
    }

    #[test]
    fn beginning_anew_is_replaced_whole() {
        for source in ["-c shop.env", "--postgres-url URL"] {
            let hint = format!("it is lost: {}", begin_anew(source, "shop_slot"));
            let expected = "it is lost: E, T, I";
            assert_eq!(without_beginning_anew(&hint, "E, T, I"), expected);
        }
        let other = tear_down_command("-c shop.env", "shop_slot");
        assert_eq!(without_beginning_anew(&other, "E, T, I"), other);
    }

    #[test]
    fn a_repair_is_replaced_with_its_file() {
        let rest = "makes another slot and brings what differs, without a new copy; run goes on from there";
        for source in ["-c shop.env", "--postgres-url URL"] {
            let hint = without_repair(&take_over(source), "V, then b");
            assert_eq!(hint, format!("V, then b: {rest}"));
        }
        assert_eq!(without_repair("pgstream verify", "V"), "pgstream verify");
    }

    #[test]
    fn a_statement_names_its_side() {
        assert_eq!(on_side("target", "GRANT x;"), "on the target: GRANT x;");
        assert_eq!(on_side("target", "pgstream init"), "pgstream init");
    }

    #[test]
    fn a_flag_goes_with_its_value() {
        for (hint, expected) in [
            (
                "skip it with --skip-transaction 0/1A2B3C8",
                "skip it with X",
            ),
            (
                "(skip it with --skip-transaction 0/1), then",
                "(skip it with X), then",
            ),
            ("nothing of the kind", "nothing of the kind"),
        ] {
            assert_eq!(without_flag(hint, SKIP_FLAG, "X"), expected);
        }
    }
}
