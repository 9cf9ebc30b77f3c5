//! The table itself: data, in the order in which help shows it.

use crate::console::action::{Action, Pane, Scope};

use super::{Binding, FixedKey};

const fn line(
    scope: Scope,
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    words: &'static str,
) -> Binding {
    Binding {
        action,
        name,
        scope,
        keys,
        words,
        hint: None,
    }
}

const fn hinted(order: u8, word: &'static str, binding: Binding) -> Binding {
    Binding {
        hint: Some((order, word)),
        ..binding
    }
}

const ALL: Scope = Scope::Everywhere;
const ENGINE: Scope = Scope::Engine;
const SLOTS: Scope = Scope::In(Pane::Slots);
const SCHEMA: Scope = Scope::In(Pane::Schema);
const RATE: Scope = Scope::In(Pane::Throughput);
const LOGS: Scope = Scope::In(Pane::Logs);
const TABLES: Scope = Scope::In(Pane::Tables);
const SNAPSHOT: Scope = Scope::In(Pane::Snapshot);
const VERIFY: Scope = Scope::In(Pane::Verify);

/// Every configurable key.
#[rustfmt::skip]
pub(crate) const BINDINGS: &[Binding] = &[
    hinted(90, "help", line(ALL, Action::Help, "help", &["?", "f1"], "this help; typing filters it, Enter runs a line")),
    hinted(60, "command", line(ALL, Action::Palette, "palette", &[":", "ctrl-p"], "command palette")),
    hinted(10, "pane", line(ALL, Action::NextPane, "next-pane", &["tab"], "next pane")),
    line(ALL, Action::PreviousPane, "previous-pane", &["shift-tab"], "previous pane"),
    line(ALL, Action::GoSlots, "slots", &["1"], "go to Slots"),
    line(ALL, Action::GoSchema, "schema", &["2"], "go to Schema log"),
    line(ALL, Action::GoThroughput, "throughput", &["3"], "go to Throughput"),
    line(ALL, Action::GoLogs, "logs", &["4"], "go to Logs"),
    line(ALL, Action::GoTables, "tables", &["5"], "go to Tables"),
    line(ALL, Action::Up, "up", &["up", "k"], "up"),
    line(ALL, Action::Down, "down", &["down", "j"], "down"),
    line(ALL, Action::Left, "left", &["left", "h"], "left: a shorter window, or the start of long lines"),
    line(ALL, Action::Right, "right", &["right", "l"], "right: a longer window, or more of long lines"),
    line(ALL, Action::PageUp, "page-up", &["page-up", "ctrl-b", "ctrl-u"], "a page up"),
    line(ALL, Action::PageDown, "page-down", &["page-down", "ctrl-f", "ctrl-d"], "a page down"),
    line(ALL, Action::First, "first", &["g", "home"], "first row"),
    line(ALL, Action::Last, "last", &["G", "end"], "last row"),
    hinted(20, "open", line(ALL, Action::Open, "open", &["enter"], "details of the row in plain words")),
    hinted(40, "zoom", line(ALL, Action::Zoom, "zoom", &["z"], "zoom the pane, again to go back")),
    hinted(45, "find", line(ALL, Action::Find, "find", &["/"], "find in the pane")),
    line(ALL, Action::FindNext, "find-next", &["n"], "next match"),
    line(ALL, Action::FindPrevious, "find-previous", &["N"], "previous match"),
    hinted(50, "freeze", line(ALL, Action::Freeze, "freeze", &["space"], "freeze the display; the engine goes on")),
    line(ALL, Action::YankRow, "copy-row", &["y"], "copy the row"),
    line(ALL, Action::YankPane, "copy-pane", &["Y"], "copy the whole pane as text"),
    hinted(91, "dashboard", line(ALL, Action::Back, "back", &["esc"], "close, clear, back")),
    line(ALL, Action::Mouse, "mouse", &["m"], "mouse on or off; Shift-drag selects text"),
    line(ALL, Action::Redraw, "redraw", &["ctrl-l"], "draw everything anew"),
    line(ALL, Action::Suspend, "suspend", &["ctrl-z"], "back to the shell until fg; the engine stands still (asks while changes replicate)"),
    hinted(95, "quit", line(ALL, Action::Quit, "quit", &["q"], "quit; asks while changes replicate")),
    line(ALL, Action::Interrupt, "interrupt", &["ctrl-c"], "quit; a second one stops without asking"),

    line(ENGINE, Action::Pause, "pause", &["P"], "pause or resume applying"),
    line(ENGINE, Action::RetryNow, "retry", &["R"], "try again now, or start the engine again"),
    line(ENGINE, Action::SkipTransaction, "skip", &["X"], "skip the refused transaction; it is recorded (asks)"),
    line(ENGINE, Action::Stop, "stop", &["E"], "end the engine, keep the console (asks)"),
    hinted(70, "init", line(ENGINE, Action::Init, "init", &["I"], "set up a pipeline")),
    hinted(75, "tear-down", line(ENGINE, Action::TearDown, "tear-down", &["T"], "remove what init made")),
    hinted(80, "snapshot", line(ENGINE, Action::Snapshot, "snapshot", &["S"], "the copy of existing tables, and back")),
    hinted(85, "verify", line(ENGINE, Action::Verify, "verify", &["V"], "whether both sides are equal, and back")),
    line(ENGINE, Action::Config, "config", &["C"], "see and change the configuration"),
    line(ENGINE, Action::OpenFile, "open-file", &["O"], "open a configuration file"),
    line(ENGINE, Action::Lessons, "lessons", &["L"], "lessons: to the lesson and back, or start the tutorial"),

    hinted(30, "sort", line(SLOTS, Action::SlotsSort, "slots-sort", &["o"], "sort by WAL kept, time left or name")),

    hinted(32, "only ✗ !", line(SCHEMA, Action::SchemaTrouble, "schema-trouble", &["f"], "only what needs you")),
    line(SCHEMA, Action::SchemaRetry, "schema-retry", &["r"], "retry a failed change"),
    line(SCHEMA, Action::SchemaSkip, "schema-skip", &["s"], "skip it with its transaction (asks)"),
    hinted(31, "edit", line(SCHEMA, Action::SchemaEdit, "schema-edit", &["e"], "edit a failed change and apply it on the target (asks)")),

    hinted(30, "shorter", line(RATE, Action::WindowShorter, "window-shorter", &["-"], "shorter window: 1 m, 5 m, 15 m, 1 h")),
    hinted(31, "longer", line(RATE, Action::WindowLonger, "window-longer", &["=", "+"], "longer window")),
    hinted(32, "unit", line(RATE, Action::Unit, "unit", &["u"], "rows, transactions or bytes")),

    hinted(30, "follow", line(LOGS, Action::Follow, "follow", &["f"], "follow new lines; scrolling up stops it")),
    hinted(31, "levels", line(LOGS, Action::Targets, "levels", &["t"], "choose targets and levels, beside the lines")),
    hinted(32, "wrap", line(LOGS, Action::Wrap, "wrap", &["w"], "wrap long lines")),
    line(LOGS, Action::YankJson, "copy-json", &["c"], "copy the line as JSON"),

    hinted(30, "sort", line(TABLES, Action::TablesSort, "tables-sort", &["o"], "sort by changes, latest change or name")),
    line(TABLES, Action::RowValues, "row-values", &["v"], "show what the refused row holds, or hide it"),

    hinted(5, "copy", line(SNAPSHOT, Action::SnapshotCopy, "snapshot-copy", &["r"], "recopy the table (asks if its rows are good)")),
    hinted(6, "pause/resume", line(SNAPSHOT, Action::SnapshotPause, "snapshot-pause", &["P"], "pause or resume copying; what runs is finished")),
    hinted(7, "more", line(SNAPSHOT, Action::SnapshotMore, "snapshot-more", &["+", "="], "one more copy at the same time")),
    hinted(8, "fewer", line(SNAPSHOT, Action::SnapshotFewer, "snapshot-fewer", &["-"], "one copy fewer at the same time")),
    hinted(9, "only ✗", line(SNAPSHOT, Action::SnapshotFailed, "snapshot-failed", &["f"], "only tables that failed")),
    hinted(30, "sort", line(SNAPSHOT, Action::SnapshotSort, "snapshot-sort", &["o"], "sort by state, size or name")),

    hinted(5, "compare", line(VERIFY, Action::VerifyStart, "verify-start", &["r"], "compare both sides at one position")),
    hinted(6, "stop", line(VERIFY, Action::VerifyStop, "verify-stop", &["s"], "stop comparing")),
    hinted(7, "values", line(VERIFY, Action::VerifyValues, "verify-values", &["v"], "compare the table again and show what differing rows hold")),
    hinted(8, "repair", line(VERIFY, Action::VerifyRepair, "verify-repair", &["b"], "bring rows that differ from the source (asks)")),
    hinted(9, "only ✗ !", line(VERIFY, Action::VerifyTrouble, "verify-trouble", &["f"], "only what is not equal")),
];

const fn fixed(place: &'static str, keys: &'static str, words: &'static str) -> FixedKey {
    FixedKey { place, keys, words }
}

/// Keys that are the same everywhere and cannot be changed.
pub(crate) const FIXED: &[FixedKey] = &[
    fixed(
        "Questions",
        "← → Tab",
        "choose an answer; it starts on the safe one",
    ),
    fixed(
        "Questions",
        "Enter",
        "give it; it waits until a name to type matches",
    ),
    fixed("Questions", "Esc", "cancel: nothing happens"),
    fixed("Text", "← → Home End", "move in the text"),
    fixed("Text", "^U ^W Bksp", "erase all, a word, a character"),
    fixed("SQL to edit", "Enter ↑ ↓", "a new line, other lines"),
    fixed("SQL to edit", "Tab", "apply it on the target (asks)"),
    fixed("SQL to edit", "Esc", "leave; what was typed is kept"),
    fixed("Log targets", "↑ ↓", "select a target"),
    fixed("Log targets", "← →", "show less or more of it"),
    fixed("Log targets", "- +", "write down less or more of it"),
    fixed(
        "Log targets",
        "f",
        "only lines of this target, or all again",
    ),
    fixed("Log targets", "h", "hide the targets, or show them again"),
    fixed(
        "Log targets",
        "Space",
        "list targets that show nothing, or not",
    ),
    fixed("Log targets", "PgUp PgDn", "a page of the log"),
    fixed("Log targets", "t Esc", "back to the lines"),
    fixed("Lessons", "Enter", "do the step, or open the next lesson"),
    fixed("Lessons", "p", "type SQL of your own"),
    fixed("Lessons", "↑ ↓", "scroll what a step has shown"),
    fixed("Lessons", "Tab Esc", "to the panes; the lesson stays"),
    fixed("SQL prompt", "Enter", "run it"),
    fixed("SQL prompt", "Tab", "on the other side: source or target"),
    fixed("SQL prompt", "↑ ↓", "scroll the answer"),
    fixed("SQL prompt", "Esc", "back to the lesson"),
    fixed(
        "Configuration",
        "← → Tab",
        "the section before, the next one",
    ),
    fixed(
        "Configuration",
        "Enter",
        "change the value; Enter again accepts it",
    ),
    fixed("Configuration", "Bksp", "take a change back"),
    fixed(
        "Configuration",
        "d w",
        "show what changes, then save it or not",
    ),
    fixed(
        "Configuration",
        "Esc",
        "leave; changes are kept until they are saved",
    ),
    fixed("Forms", "Tab S-Tab ↑ ↓", "next, previous field"),
    fixed("Forms", "F2", "show a secret until the field is left"),
    fixed("Wizards", "Enter", "go on"),
    fixed("Wizards", "S-Tab on the first field", "back one step"),
    fixed("Wizards", "Space", "let a table in or out; yes or no"),
    fixed("Wizards", "v", "all of the SQL of the selected step"),
    fixed("Wizards", "w", "write the plan to a file"),
    fixed("Wizards", "y", "copy the fix, or the plan"),
    fixed("Wizards", "r", "ask the servers again"),
    fixed("Wizards", "Esc", "leave; what was typed is kept"),
];
