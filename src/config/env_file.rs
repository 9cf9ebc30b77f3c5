//! Reads `.env` files through dotenvy, and refuses what dotenvy would change without a word.
//!
//! dotenvy 0.15 drops `$word` in values without quotes (and in double quotes), reads `\n` as a line
//! break, takes quotes out of the middle of a value, and joins lines when a quote is not closed. A
//! password is the value most likely to hold such characters. So each line is looked at first: it
//! goes to dotenvy only when what comes back is what stands there, and is an error with the fix
//! otherwise. Nothing is ever guessed; `docs/decisions/0002-env-files.md` has the alternatives.

use std::collections::HashMap;
use std::path::Path;

use super::{Origin, Problem};

/// One assignment of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) line: usize,
}

/// What a file says, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct EnvFile {
    pub(super) assignments: Vec<Assignment>,
    pub(super) problems: Vec<Problem>,
}

const SINGLE_QUOTES: &str = "write the whole value in single quotes: 'value'";

/// Reads the text of a file. `path` is for messages only.
pub(super) fn parse(text: &str, path: &Path) -> EnvFile {
    let mut file = EnvFile::default();
    let mut first_lines: HashMap<String, usize> = HashMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, content) in text.lines().enumerate() {
        let line = index + 1;
        let origin = Origin::File {
            path: path.to_owned(),
            line,
        };
        match parse_line(content, &origin) {
            Ok(None) => {}
            Ok(Some((key, value))) => match first_lines.get(&key) {
                Some(first) => file.problems.push(duplicate(&key, *first, origin)),
                None => {
                    first_lines.insert(key.clone(), line);
                    file.assignments.push(Assignment { key, value, line });
                }
            },
            Err(problem) => file.problems.push(*problem),
        }
    }
    file
}

fn duplicate(key: &str, first_line: usize, origin: Origin) -> Problem {
    let rule = format!("is set twice, first in line {first_line}");
    Problem::of(key, Some(origin), rule).suggest("keep one of the two lines")
}

fn parse_line(content: &str, origin: &Origin) -> Result<Option<(String, String)>, Box<Problem>> {
    let content = content.trim();
    if content.is_empty() || content.starts_with('#') {
        return Ok(None);
    }
    let Some((left, right)) = content.split_once('=') else {
        return Err(line_problem(
            origin,
            "the line has no «=»",
            "write KEY=value, or # before a comment",
        ));
    };
    let key = left.trim();
    let key = key.strip_prefix("export ").map_or(key, str::trim);
    if !is_key(key) {
        let rule = "the line does not begin with the name of a variable";
        return Err(line_problem(
            origin,
            rule,
            "write KEY=value, or # before a comment",
        ));
    }
    check_value(right.trim()).map_err(|fault| fault.problem(key, origin))?;
    let read = dotenvy::from_read_iter(content.as_bytes()).next();
    match read {
        Some(Ok(assignment)) => Ok(Some(assignment)),
        Some(Err(_)) | None => Err(Fault::Unreadable.problem(key, origin)),
    }
}

fn line_problem(origin: &Origin, rule: &str, suggestion: &str) -> Box<Problem> {
    Box::new(Problem {
        key: None,
        rule: rule.to_owned(),
        origin: Some(origin.clone()),
        suggestion: Some(suggestion.to_owned()),
    })
}

fn is_key(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let other = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    bytes.next().is_some_and(first) && bytes.all(other)
}

/// What dotenvy would read otherwise than it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Dollar,
    Backslash,
    Escape,
    Blank,
    QuoteInside,
    Unclosed,
    AfterQuote,
    Unreadable,
}

impl Fault {
    /// The value is never shown: it may be a password.
    fn problem(self, key: &str, origin: &Origin) -> Box<Problem> {
        let (rule, suggestion) = match self {
            Self::Dollar => (
                "has a «$», which the file format would take for a variable",
                SINGLE_QUOTES,
            ),
            Self::Backslash => (
                "has a backslash outside quotes, which can be read in two ways",
                SINGLE_QUOTES,
            ),
            Self::Escape => (
                "has a backslash before a character that double quotes do not escape",
                SINGLE_QUOTES,
            ),
            Self::Blank => (
                "has a blank outside quotes",
                "write the whole value in double quotes: \"value\"",
            ),
            Self::QuoteInside => (
                "has a quote inside a value without quotes",
                "write the whole value in the other kind of quotes",
            ),
            Self::Unclosed => (
                "has a quote that is not closed in the same line",
                "close it",
            ),
            Self::AfterQuote => (
                "goes on after the closing quote",
                "put everything inside the quotes, or # before a comment",
            ),
            Self::Unreadable => (
                "cannot be read: single quotes cannot end with a backslash",
                "write it in double quotes with \\\\ for a backslash and \\$ for «$»",
            ),
        };
        Box::new(Problem::of(key, Some(origin.clone()), rule).suggest(suggestion))
    }
}

/// Accepts exactly the values whose reading by dotenvy is the plain one.
fn check_value(value: &str) -> Result<(), Fault> {
    match value.chars().next() {
        None | Some('#') => Ok(()),
        Some('\'') => after_quote(value[1..].split_once('\'').ok_or(Fault::Unclosed)?.1),
        Some('"') => after_quote(check_double_quoted(&value[1..])?),
        Some(_) => check_plain(value),
    }
}

fn after_quote(rest: &str) -> Result<(), Fault> {
    let rest_trimmed = rest.trim_start();
    let comment = rest_trimmed.len() < rest.len() && rest_trimmed.starts_with('#');
    (rest.is_empty() || comment)
        .then_some(())
        .ok_or(Fault::AfterQuote)
}

/// Returns what follows the closing quote.
fn check_double_quoted(inside: &str) -> Result<&str, Fault> {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match (escaped, c) {
            (true, '\\' | '\'' | '"' | '$' | ' ' | 'n') => escaped = false,
            (true, _) => return Err(Fault::Escape),
            (false, '\\') => escaped = true,
            (false, '$') => return Err(Fault::Dollar),
            (false, '"') => return Ok(&inside[at + 1..]),
            (false, _) => {}
        }
    }
    Err(Fault::Unclosed)
}

fn check_plain(value: &str) -> Result<(), Fault> {
    let mut blank_before = false;
    for c in value.chars() {
        match c {
            '#' if blank_before => return Ok(()),
            _ if blank_before && !c.is_whitespace() => return Err(Fault::Blank),
            '$' => return Err(Fault::Dollar),
            '\\' => return Err(Fault::Backslash),
            '"' | '\'' => return Err(Fault::QuoteInside),
            _ => blank_before = c.is_whitespace(),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "env_file/tests.rs"]
mod tests;
