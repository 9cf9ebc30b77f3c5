//! Lines of the log on their way between processes.

use serde::{Deserialize, Serialize};
use tracing::Level;

use super::log::{Captured, LogLine};

/// Targets and fields of another process have names of their own; no program has more than this.
const NAMES_MAX: usize = 4096;

/// A line on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WireLine {
    lost: u64,
    at_ms: i64,
    level: String,
    target: String,
    message: String,
    fields: Vec<(String, String)>,
    spans: Vec<String>,
}

impl From<Captured> for WireLine {
    fn from(Captured { lost, line }: Captured) -> Self {
        let fields = line.fields.into_iter();
        Self {
            lost,
            at_ms: line.at_ms,
            level: line.level.to_string(),
            target: line.target.to_owned(),
            message: line.message,
            fields: fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            spans: line.spans,
        }
    }
}

/// The names of targets and fields, which live as long as the program: a program has few of them.
#[derive(Debug)]
pub(super) struct Names(Vec<&'static str>);

impl Names {
    /// Returns names of which these are known.
    pub(super) fn new(known: &[&'static str]) -> Self {
        Self(known.to_vec())
    }

    /// Returns a line as it was written, with how many were lost before it.
    pub(super) fn line(&mut self, wire: WireLine) -> (u64, LogLine) {
        let fields = wire.fields.into_iter();
        let line = LogLine {
            at_ms: wire.at_ms,
            level: wire.level.parse().unwrap_or(Level::INFO),
            target: self.name(&wire.target),
            message: wire.message,
            fields: fields
                .map(|(name, value)| (self.name(&name), value))
                .collect(),
            spans: wire.spans,
        };
        (wire.lost, line)
    }

    fn name(&mut self, name: &str) -> &'static str {
        if let Some(known) = self.0.iter().find(|known| **known == name) {
            return known;
        }
        if self.0.len() >= NAMES_MAX {
            return "…";
        }
        let name: &'static str = Box::leak(name.into());
        self.0.push(name);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_was_and_names_are_not_kept_without_end() {
        let line = LogLine {
            at_ms: 7,
            level: Level::DEBUG,
            target: "apply",
            message: "batch committed".to_owned(),
            fields: vec![("rows", "3".to_owned())],
            spans: vec!["slot{name=a}".to_owned()],
        };
        let sent = |target: &'static str| {
            let line = LogLine {
                target,
                ..line.clone()
            };
            let wire = serde_json::to_vec(&WireLine::from(Captured { lost: 2, line })).unwrap();
            serde_json::from_slice::<WireLine>(&wire).unwrap()
        };
        let mut names = Names::new(&["apply"]);
        assert_eq!(names.line(sent("apply")), (2, line.clone()));
        assert_eq!(names.line(sent("tls")).1.target, "tls");
        names.0.resize(NAMES_MAX, "full");
        assert_eq!(names.line(sent("one too many")).1.target, "…");
    }
}
