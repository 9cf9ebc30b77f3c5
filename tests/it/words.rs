//! One word for one idea, and texts that people read: what `docs/glossary.md` forbids is nowhere, docs wrap, and
//! decisions have one form and are in their index.

use std::fs;
use std::path::{Path, PathBuf};

/// Longer lines are read by nobody. Tables, code and addresses cannot be wrapped.
const DOC_COLUMNS_MAX: usize = 100;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn texts(places: &[&str], endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = places.iter().map(|place| root().join(place)).collect();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().flatten().map(|one| one.path()));
            continue;
        }
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// The words of the glossary's last table.
fn forbidden() -> Vec<String> {
    let glossary = fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let table = glossary.split_once("\n## Not these\n").unwrap().1;
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(2);
    let cells = rows.filter_map(|row| row.split('|').nth(1).map(str::to_owned));
    let words = cells.flat_map(|cell| {
        cell.split(',')
            .map(|word| word.trim().to_lowercase())
            .collect::<Vec<_>>()
    });
    words.collect()
}

/// The words of a line, in small letters, those within names too.
fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for part in line.split(|letter: char| !letter.is_alphabetic()) {
        // `TheirWord` is two words.
        let mut start = 0;
        for (at, letter) in part.char_indices() {
            if letter.is_uppercase() && at > start && !part[start..at].ends_with(char::is_uppercase)
            {
                words.push(&part[start..at]);
                start = at;
            }
        }
        words.push(&part[start..]);
    }
    words.into_iter().map(str::to_lowercase).collect()
}

/// Whether a line has the word, or its plural, by itself or as a part of a name.
fn has(line: &[String], word: &str) -> bool {
    let mut words = line.iter();
    words.any(|one| one == word || one.strip_suffix('s') == Some(word))
}

#[test]
fn no_forbidden_word_is_left() {
    let words = forbidden();
    assert!(words.len() > 5, "{words:?}");
    let endings = [".rs", ".md", ".sql", ".sh", ".env", ".snap"];
    let mut findings = Vec::new();
    for (name, text) in texts(&["src", "tests", "docs", "assets", "README.md"], &endings) {
        if name == "docs/glossary.md" {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            let line = words_of(line);
            let found = words.iter().filter(|word| has(&line, word));
            findings.extend(found.map(|word| format!("{name}:{}: {word}", at + 1)));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn lines_of_docs_wrap() {
    let mut findings = Vec::new();
    for (name, text) in texts(&["docs", "README.md"], &[".md"]) {
        let mut code = false;
        for (at, line) in text.lines().enumerate() {
            code ^= line.trim_start().starts_with("```");
            let cannot = code || line.starts_with('|') || !line.trim().contains(' ');
            if !cannot && line.chars().count() > DOC_COLUMNS_MAX {
                findings.push(format!("{name}:{}", at + 1));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn decisions_have_one_form_and_are_in_their_index() {
    let index = fs::read_to_string(root().join("docs/decisions/README.md")).unwrap();
    for (name, text) in texts(&["docs/decisions"], &[".md"]) {
        let file = name.rsplit('/').next().unwrap();
        if file == "README.md" {
            continue;
        }
        let number = &file[..4];
        let title = text
            .lines()
            .next()
            .unwrap()
            .strip_prefix(&format!("# {number}: "));
        let title =
            title.unwrap_or_else(|| panic!("{name}: its first line is not «# {number}: …»"));
        let entry = format!("| [{number}]({file}) | {title} |");
        assert!(
            index.contains(&entry),
            "docs/decisions/README.md: no {entry}"
        );
    }
}

/// How a scenario of another suite ends here.
const ENDS: [&str; 4] = ["equal", "better", "not for us", "not yet"];
/// From here on no test need play it.
const NOT_FOR_US: usize = 2;

/// Returns the names in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns what is named of tests that are not there: a file of `tests/it`, then tests or cases of it.
fn unknown_tests(place: &str) -> Vec<String> {
    let (mut file, mut unknown) = (None, Vec::new());
    for name in quoted(place) {
        if name.ends_with(".rs") {
            let text = fs::read_to_string(root().join("tests/it").join(name));
            file = Some((name, text.unwrap_or_default()));
        } else if let Some((file, text)) = &file
            && !text.contains(&format!("fn {name}("))
            && !text.contains(&format!("\"{name}\""))
        {
            unknown.push(format!("{file}: {name}"));
        }
    }
    unknown
}

#[test]
fn scenarios_of_other_suites_are_where_the_page_says() {
    let page = fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let (_, page) = page.split_once("## Scenarios of other suites\n").unwrap();
    let mut findings = Vec::new();
    for section in page.split("\n### ").skip(1) {
        let mut counts = [0; ENDS.len()];
        for row in section.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
            let [names, _, end, place] = cells[..] else {
                panic!("{row}")
            };
            let end = ENDS.iter().position(|one| end.starts_with(one));
            counts[end.unwrap_or_else(|| panic!("{row}"))] += quoted(names).count();
            findings.extend(unknown_tests(place));
            let is_played = place.contains(".rs`: `");
            if !is_played && end < Some(NOT_FOR_US) {
                findings.push(format!("no test: {row}"));
            }
        }
        let [equal, better, not, yet] = counts;
        let head = section.split('|').next().unwrap();
        let head: Vec<&str> = head.split_whitespace().collect();
        let expected = format!("{equal} equal, {better} better, {not} not for us, {yet} not yet");
        let expected = expected.trim_end_matches(", 0 not yet");
        if !head.join(" ").contains(expected) {
            findings.push(format!("{}: {expected}", head.join(" ")));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn words_are_found_within_names() {
    for (line, word, expected) in [
        ("let parrot = 1;", "parrot", true),
        ("GreenParrot", "parrot", true),
        ("feed_parrots()", "parrot", true),
        ("PARROTS_MAX", "parrot", true),
        ("a carrot", "rot", false),
    ] {
        assert_eq!(has(&words_of(line), word), expected, "{line}");
    }
}
