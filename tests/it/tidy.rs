//! What reviewers would otherwise have to look for: who imports whom, what stays pure, how long
//! files and functions get, and lists that must match the code.
//!
//! Everything is read as text, so the checks see code as people do and need no compiler.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules may import from those above them, never from beside or below.
const LAYERS: [&[&str]; 10] = [
    &["model", "fault", "property", "fuzz"],
    &["config", "failure", "format", "runtime"],
    &["postgres", "decode"],
    &["schema", "apply", "status", "cluster"],
    &["snapshot"],
    &["diagnose"],
    &["engine"],
    &["verify", "attach"],
    &["console", "tutorial"],
    &["cli"],
];

/// Files and directories that only compute: no clock, no input or output, nothing awaited.
const PURE: &[&str] = &[
    "src/model",
    "src/decode",
    "src/config/connection/uri.rs",
    "src/config/connection/keyword.rs",
    "src/config/env_file.rs",
    "src/config/table_filter.rs",
    "src/config/unit.rs",
    "src/config/validate.rs",
    "src/postgres/copy/piece.rs",
    "src/postgres/frame.rs",
    "src/postgres/inlet.rs",
    "src/postgres/sqlstate.rs",
    "src/postgres/tls/verify.rs",
    "src/schema/description.rs",
    "src/schema/compare/before_after.rs",
    "src/schema/entry.rs",
    "src/schema/plan",
    "src/schema/rows.rs",
    "src/apply/batch",
    "src/apply/encode.rs",
    "src/apply/shape.rs",
    "src/snapshot/run/progress.rs",
    "src/snapshot/run/queue.rs",
    "src/snapshot/plan/ranges.rs",
    "src/schema/compare/reconcile.rs",
    "src/snapshot/handover/ranges.rs",
    "src/snapshot/handover/table_sync.rs",
    "src/diagnose/check/rules/left.rs",
    "src/diagnose/check/rules/left_tests.rs",
    "src/diagnose/check/rules/rows.rs",
    "src/diagnose/check/rules.rs",
    "src/diagnose/check/rules/both.rs",
    "src/diagnose/check/rules/both_tests.rs",
    "src/diagnose/check/rules/source.rs",
    "src/diagnose/check/rules/source_tests.rs",
    "src/diagnose/check/rules/target.rs",
    "src/diagnose/check/rules/target_tests.rs",
    "src/engine/counters.rs",
    "src/engine/in_flight.rs",
    "src/status/model.rs",
    "src/status/snapshot.rs",
    "src/snapshot/source/parts.rs",
    "src/status/copy_state.rs",
    "src/snapshot/source/statements.rs",
    "src/tutorial/lesson.rs",
    "src/tutorial/table.rs",
    "src/verify/digest.rs",
    "src/verify/report.rs",
    "src/verify/rows.rs",
];

const IMPURE: [&str; 10] = [
    ".await",
    "async fn",
    "tokio::",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "Instant::now",
    "SystemTime",
    "rand::",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = [
    "utils", "util", "common", "helpers", "types", "manager", "handler",
];

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// A source file of this repository.
struct Source {
    path: String,
    text: String,
    code: String,
}

/// Every line but those of modules for tests, wherever they are.
fn without_unit_tests(text: &str) -> String {
    let mut code = text.to_owned();
    while let Some(start) = code.find("#[cfg(test)]\n") {
        let rest = &code[start..];
        let semicolon = rest.find(';').unwrap_or(rest.len());
        let is_block = rest.find('{').is_some_and(|brace| brace < semicolon);
        let end = if is_block { "\n}" } else { ";" };
        let end = rest.find(end).map_or(rest.len(), |at| at + end.len());
        code.replace_range(start..start + end, "");
    }
    code
}

impl Source {
    /// The text without its unit tests.
    fn code(&self) -> &str {
        &self.code
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.ends_with("tests.rs")
            || self.path.contains("/tests/")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below these directories whose names end so, in order.
fn files(directories: &[&str], ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = directories.iter().map(|name| root().join(name)).collect();
    while let Some(directory) = waiting.pop() {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.is_dir() {
                waiting.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path
                    .strip_prefix(root())
                    .expect("below the root")
                    .display()
                    .to_string();
                let text = read(&name);
                found.push(Source {
                    code: without_unit_tests(&text),
                    text,
                    path: name,
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no {ending} in {directories:?}");
    found
}

fn assert_none(what: &str, findings: &[String]) {
    let list = findings.iter().fold(String::new(), |mut text, finding| {
        write!(text, "\n  {finding}").expect("a String takes all");
        text
    });
    assert!(findings.is_empty(), "{what}:{list}");
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules that a text names after `crate::`, also in `use crate::{a, b::c}`.
fn imported_modules(code: &str) -> BTreeSet<&str> {
    let first = |text| -> Option<&str> {
        let text: &str = text;
        let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        Some(&text[..end.unwrap_or(text.len())]).filter(|name| !name.is_empty())
    };
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            found.extend(first(rest));
            continue;
        };
        let (mut depth, mut start) = (0, true);
        for (at, letter) in list.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                _ if start && letter.is_alphabetic() => {
                    found.extend(first(&list[at..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn modules_import_only_from_lower_layers() {
    let mut findings = Vec::new();
    for source in files(&["src"], ".rs") {
        let module = source.path["src/".len()..]
            .split(['/', '.'])
            .next()
            .unwrap()
            .to_owned();
        if source.is_test() || ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let Some(own) = layer_of(&module) else {
            findings.push(format!("{}: module {module} is in no layer", source.path));
            continue;
        };
        for name in imported_modules(source.code()) {
            let below = layer_of(name).is_some_and(|layer| layer < own);
            if name != module && !below {
                findings.push(format!("{}: {module} imports {name}", source.path));
            }
        }
    }
    assert_none("imports against the layers", &findings);
}

#[test]
fn pure_files_only_compute() {
    let sources = files(&["src"], ".rs");
    let mut findings = Vec::new();
    for pure in PURE {
        let inside: Vec<_> = sources
            .iter()
            .filter(|file| file.path.starts_with(pure))
            .collect();
        assert!(
            !inside.is_empty(),
            "{pure} is gone: fix the list of pure files"
        );
        for source in inside.iter().filter(|source| !source.is_test()) {
            let found = IMPURE.iter().filter(|word| source.code().contains(**word));
            findings.extend(found.map(|word| format!("{}: {word}", source.path)));
        }
    }
    assert_none("pure files that do something", &findings);
}

#[test]
fn files_and_functions_stay_readable() {
    let mut findings = Vec::new();
    for source in files(&["src", "tests"], ".rs") {
        let line_count = source.code().lines().count();
        if line_count > FILE_LINES_MAX && !source.is_test() {
            findings.push(format!("{}: {line_count} lines", source.path));
        }
        for (name, length) in functions(&source.text) {
            if length > FUNCTION_LINES_MAX {
                findings.push(format!("{}: {name} has {length} lines", source.path));
            }
        }
    }
    assert_none("too long", &findings);
}

/// The functions of a formatted file with their lengths: a function ends at the first line that
/// closes a brace at its own depth.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines.iter().enumerate().filter_map(|(at, line)| {
        let code = line.trim_start();
        let (before, after) = code.split_once("fn ")?;
        let is_head = before
            .split_whitespace()
            .all(|word| word.starts_with("pub") || ["const", "async", "unsafe"].contains(&word));
        let name = after
            .split(['(', '<'])
            .next()
            .filter(|_| is_head && after.contains('('))?;
        Some((at, line.len() - code.len(), name))
    });
    let measured = starts.filter_map(|(at, depth, name)| {
        let end = format!("{}}}", " ".repeat(depth));
        let length = lines[at..].iter().position(|line| *line == end)?;
        Some((name, length + 1))
    });
    measured.collect()
}

#[test]
fn modules_are_named_after_what_they_are_about() {
    let mut findings = Vec::new();
    for source in files(&["src", "tests"], ".rs") {
        // Types in the catalog's sense: enums, domains, composites.
        if source.path == "src/schema/plan/types.rs" {
            continue;
        }
        let named = |part: &&str| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"));
        findings.extend(
            source
                .path
                .split('/')
                .find(named)
                .map(|_| source.path.clone()),
        );
    }
    assert_none("names that say nothing", &findings);
}

#[test]
fn every_module_says_why_it_exists() {
    let without = files(&["src", "tests"], ".rs")
        .into_iter()
        .filter(|source| !source.text.starts_with("//!") && !source.path.ends_with("tests.rs"));
    let findings: Vec<String> = without.map(|source| source.path).collect();
    assert_none("files without a first `//!`", &findings);
}

#[test]
fn tests_are_neither_skipped_nor_timed() {
    let banned = ["#[ignore", "should_panic", "thread::sleep", "time::sleep"];
    let own = ["tests/it/tidy.rs", "tests/it/support/wait.rs"];
    let mut findings = Vec::new();
    for source in files(&["tests/it"], ".rs") {
        let found = banned.iter().filter(|word| source.text.contains(**word));
        if !own.contains(&source.path.as_str()) {
            findings.extend(found.map(|word| format!("{}: {word}", source.path)));
        }
    }
    assert_none("tests that skip or sleep", &findings);
}

#[test]
fn nothing_names_a_path_of_one_machine() {
    let banned = ["/work/", "/root/", "/Users/"];
    let mut findings = Vec::new();
    for ending in [".rs", ".md", ".toml", ".sh", ".sql", ".env"] {
        for source in files_or_none(&["src", "tests", "docs", "assets"], ending) {
            let found = banned.iter().filter(|word| source.text.contains(**word));
            if source.path != "tests/it/tidy.rs" {
                findings.extend(found.map(|word| format!("{}: {word}", source.path)));
            }
        }
    }
    assert_none("paths of one machine", &findings);
}

fn files_or_none(directories: &[&str], ending: &str) -> Vec<Source> {
    let there: Vec<&str> = directories
        .iter()
        .copied()
        .filter(|name| has_file(&root().join(name), ending))
        .collect();
    if there.is_empty() {
        Vec::new()
    } else {
        files(&there, ending)
    }
}

fn has_file(directory: &Path, ending: &str) -> bool {
    let mut entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            has_file(&path, ending)
        } else {
            path.display().to_string().ends_with(ending)
        }
    })
}

#[test]
fn every_failpoint_is_named_by_a_test() {
    let tests: String = files(&["tests"], ".rs")
        .into_iter()
        .map(|source| source.text)
        .collect();
    let constant = |name: &str| format!("fault::{}", name.replace('.', "_").to_uppercase());
    let code = read("src/fault.rs");
    let points = code
        .lines()
        .filter_map(|line| line.split_once(" = \"")?.1.strip_suffix("\";"));
    let unused = points.filter(|name| !tests.contains(*name) && !tests.contains(&constant(name)));
    let findings: Vec<String> = unused.map(str::to_owned).collect();
    assert_none("failpoints without a test", &findings);
}

/// The targets that events of a text name; a field of that name has more behind its text.
fn event_targets(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split("target: \"").skip(1);
    let quoted = after.filter_map(|rest| rest.split_once('"'));
    quoted.filter_map(|(name, end)| end.starts_with(',').then_some(name))
}

#[test]
fn every_line_of_the_log_follows_the_log_level() {
    let logging = read("src/cli/logging.rs");
    let list = logging.split_once("TARGETS: [").expect("the list").1;
    let list = list.split_once("];").expect("its end").0;
    let known: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    let findings: Vec<String> = files(&["src"], ".rs")
        .iter()
        .flat_map(|file| {
            let foreign = event_targets(&file.text).filter(|name| !known.contains(name));
            let finding = |name| format!("{}: {name}", file.path);
            foreign.map(finding).collect::<Vec<_>>()
        })
        .collect();
    assert_none("not in TARGETS of src/cli/logging.rs", &findings);
}

#[test]
fn make_help_tells_every_target() {
    let makefile = read("Makefile");
    let phony = makefile
        .lines()
        .find_map(|line| line.strip_prefix(".PHONY: "))
        .unwrap();
    let targets: Vec<&str> = phony.split_whitespace().collect();

    for expected in ["help", "tutorial", "test", "bench", "lint", "deps"] {
        assert!(targets.contains(&expected), "make {expected} is gone");
    }
    for target in targets {
        let rule = makefile
            .lines()
            .find(|line| line.starts_with(&format!("{target}:")));
        assert!(
            rule.is_some_and(|rule| rule.contains(" ## ")),
            "make help does not tell {target}"
        );
    }
}

#[test]
fn the_checks_see_what_they_must() {
    let text =
        "pub fn short() {\n    1\n}\n\nimpl A {\n    async fn long(&self) {\n        2\n    }\n}\n";

    assert_eq!(functions(text), [("short", 3), ("long", 3)]);
    let imported = imported_modules("use crate::model::Lsn;\nlet a = crate::engine::x();");
    assert_eq!(imported, BTreeSet::from(["engine", "model"]));
    let imported =
        imported_modules("use crate::{model::{self, Lsn}, engine};\ncrate::config::x();");
    assert_eq!(imported, BTreeSet::from(["config", "engine", "model"]));
    assert!(layer_of("model") < layer_of("cli"));
    let code =
        without_unit_tests("a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod t {\n  c\n}\nd\n");
    assert_eq!(code.split_whitespace().collect::<String>(), "abd");
}
