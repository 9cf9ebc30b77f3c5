//! Keeps passwords out of the list of processes, where every user of the machine reads the arguments of
//! all programs.
//!
//! A program cannot take back how it was started, but it can start itself once more: the second time
//! with `***` where the passwords stood, and with what it was really asked in its environment, which
//! nobody else may read. The process stays the same one.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::config::redact;

/// What the program was really asked, as JSON.
const ARGUMENTS: &str = "_PGSTREAM_ARGUMENTS";

/// Returns the arguments of this process, the program's name first. When there is a password among
/// them, the process begins anew without it.
#[must_use]
pub fn arguments() -> Vec<OsString> {
    let shown: Vec<OsString> = std::env::args_os().collect();
    let Some(texts) = shown
        .iter()
        .map(|text| text.to_str())
        .collect::<Option<Vec<_>>>()
    else {
        return shown;
    };
    let asked = std::env::var(ARGUMENTS).ok();
    let asked: Option<Vec<String>> = asked.and_then(|text| serde_json::from_str(&text).ok());
    if let Some(asked) = asked.filter(|asked| are_behind(asked, &texts)) {
        return asked.into_iter().map(OsString::from).collect();
    }
    if !texts.iter().any(|text| redact(text) != *text) {
        return shown;
    }
    begin_anew(&texts);
    shown
}

/// A variable that was inherited from another of our processes is about other arguments.
fn are_behind(asked: &[String], shown: &[&str]) -> bool {
    asked
        .iter()
        .map(|text| redact(text))
        .eq(shown.iter().copied())
}

/// Returns only where that is impossible: then the program runs as it was started.
fn begin_anew(texts: &[&str]) {
    let (Ok(program), Ok(asked)) = (std::env::current_exe(), serde_json::to_string(texts)) else {
        return;
    };
    let mut hidden = texts.iter().map(|text| redact(text));
    let mut command = Command::new(program);
    if let Some(name) = hidden.next() {
        command.arg0(name);
    }
    drop(command.args(hidden).env(ARGUMENTS, asked).exec());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_behind_these_arguments_counts() {
        let asked = |url: &str| vec!["pgstream".to_owned(), "--pgurl".to_owned(), url.to_owned()];
        let shown = ["pgstream", "--pgurl", "postgres://a:***@h/db"];
        assert!(are_behind(&asked("postgres://a:secret@h/db"), &shown));
        assert!(!are_behind(&asked("postgres://a:secret@other/db"), &shown));
        assert!(!are_behind(&[], &shown));
    }
}
