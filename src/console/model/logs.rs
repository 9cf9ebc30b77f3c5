//! The log as the pane holds it: the latest lines, which of them to show, where the reader stands.

use std::collections::{BTreeMap, VecDeque};

use tracing::Level;

/// So many lines are kept: a few minutes at debug level, about 3 MB. The rest is in the log file.
pub(crate) const LINES_MAX: usize = 10_000;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// Milliseconds since 1970 UTC.
    pub(crate) at_ms: i64,
    pub(crate) level: Level,
    /// A short name: `apply`, `slot`, `sql`.
    pub(crate) target: String,
    pub(crate) message: String,
    /// In the order of the source.
    pub(crate) fields: Vec<(String, String)>,
    /// The spans around it, outermost first, with their fields.
    pub(crate) spans: Vec<String>,
}

impl LogLine {
    /// Returns message, fields and spans as one text.
    pub(crate) fn text(&self) -> String {
        let mut text = self.message.clone();
        for (name, value) in &self.fields {
            text.push_str(&format!(" {name}={value}"));
        }
        for span in &self.spans {
            text.push(' ');
            text.push_str(span);
        }
        text
    }

    /// Returns whether the line holds a text, without regard to case.
    pub(crate) fn holds(&self, needle: &str) -> bool {
        self.target.to_lowercase().contains(needle) || self.text().to_lowercase().contains(needle)
    }

    /// Returns the line as a JSON object.
    pub(crate) fn json(&self) -> String {
        let fields: serde_json::Map<String, serde_json::Value> = self
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        serde_json::json!({
            "at_ms": self.at_ms,
            "level": self.level.as_str(),
            "target": self.target,
            "message": self.message,
            "fields": fields,
            "spans": self.spans,
        })
        .to_string()
    }
}

/// The log pane's state.
#[derive(Debug)]
pub(crate) struct Logs {
    lines: VecDeque<LogLine>,
    /// Number of the first line that is kept, counted from the start.
    first: u64,
    /// Number of the selected line; none while following.
    pub(crate) selected: Option<u64>,
    pub(crate) wrap: bool,
    /// Columns scrolled to the right.
    pub(crate) scroll_x: usize,
    /// Levels to show by target; others show `level`.
    levels: BTreeMap<String, Level>,
    /// The level of targets that have none of their own.
    pub(crate) level: Level,
    /// Lines that were lost on the way here.
    pub(crate) lost: u64,
}

impl Logs {
    /// Returns an empty log that shows this level and what is more severe.
    pub(crate) const fn new(level: Level) -> Self {
        Self {
            lines: VecDeque::new(),
            first: 0,
            selected: None,
            wrap: false,
            scroll_x: 0,
            levels: BTreeMap::new(),
            level,
            lost: 0,
        }
    }

    /// Adds a line and forgets the oldest when there are too many.
    pub(crate) fn push(&mut self, line: LogLine) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
            self.first += 1;
        }
        if !self.levels.contains_key(&line.target) {
            self.levels.insert(line.target.clone(), self.level);
        }
        self.lines.push_back(line);
    }

    /// Returns the number that the next line will have.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// Returns the line with this number.
    pub(crate) fn get(&self, number: u64) -> Option<&LogLine> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lines.get(index)
    }

    /// Returns the numbers of the lines to show, oldest first, of those before `end`.
    pub(crate) fn visible(&self, end: u64) -> Vec<u64> {
        let numbered = (self.first..).zip(&self.lines);
        numbered
            .take_while(|(number, _)| *number < end)
            .filter(|(_, line)| line.level <= self.level_of(&line.target))
            .map(|(number, _)| number)
            .collect()
    }

    /// Returns the numbers of the last lines to show, at most so many, oldest first.
    pub(crate) fn latest(&self, end: u64, count: usize) -> Vec<u64> {
        let numbered = (self.first..self.end()).rev().zip(self.lines.iter().rev());
        let mut latest: Vec<u64> = numbered
            .skip_while(|(number, _)| *number >= end)
            .filter(|(_, line)| line.level <= self.level_of(&line.target))
            .map(|(number, _)| number)
            .take(count)
            .collect();
        latest.reverse();
        latest
    }

    /// Returns the targets seen so far with the levels they show.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&str, Level)> {
        self.levels
            .iter()
            .map(|(name, level)| (name.as_str(), *level))
    }

    /// Shows more (or less) of the target with this number in [`Self::targets`].
    pub(crate) fn change_level(&mut self, index: usize, more: bool) {
        if let Some(level) = self.levels.values_mut().nth(index) {
            *level = next_level(*level, more);
        }
    }

    fn level_of(&self, target: &str) -> Level {
        self.levels.get(target).copied().unwrap_or(self.level)
    }
}

/// All levels, the most severe first.
pub(crate) const LEVELS: [Level; 5] = [
    Level::ERROR,
    Level::WARN,
    Level::INFO,
    Level::DEBUG,
    Level::TRACE,
];

fn next_level(level: Level, more: bool) -> Level {
    let index = LEVELS.iter().position(|other| *other == level).unwrap_or(0);
    let next = if more {
        index + 1
    } else {
        index.saturating_sub(1)
    };
    LEVELS[next.min(LEVELS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(target: &str, level: Level) -> LogLine {
        LogLine {
            at_ms: 0,
            level,
            target: target.to_owned(),
            message: "batch committed".to_owned(),
            fields: vec![("rows".to_owned(), "12".to_owned())],
            spans: vec!["slot{name=a}".to_owned()],
        }
    }

    #[test]
    fn keeps_a_bounded_number_and_numbers_never_change() {
        let mut logs = Logs::new(Level::INFO);
        for _ in 0..LINES_MAX + 5 {
            logs.push(line("apply", Level::INFO));
        }
        assert_eq!(logs.get(4), None);
        assert!(logs.get(5).is_some());
        assert_eq!(logs.visible(logs.end()).len(), LINES_MAX);
        assert_eq!(logs.visible(7), [5, 6]);
        assert_eq!(logs.latest(8, 2), [6, 7]);
        assert_eq!(logs.latest(7, 9), [5, 6]);
        assert_eq!(logs.latest(logs.end(), 1), [LINES_MAX as u64 + 4]);
    }

    #[test]
    fn levels_hide_lines_by_target() {
        let mut logs = Logs::new(Level::INFO);
        logs.push(line("apply", Level::DEBUG));
        logs.push(line("slot", Level::INFO));
        assert_eq!(logs.visible(9), [1]);

        logs.change_level(0, true);
        logs.change_level(1, false);

        assert_eq!(logs.visible(9), [0]);
        let levels: Vec<_> = logs.targets().collect();
        assert_eq!(levels, [("apply", Level::DEBUG), ("slot", Level::WARN)]);
    }

    #[test]
    fn a_line_is_a_text_and_an_object() {
        let line = line("apply", Level::INFO);
        assert_eq!(line.text(), "batch committed rows=12 slot{name=a}");
        let json: serde_json::Value = serde_json::from_str(&line.json()).unwrap();
        assert_eq!(json["fields"]["rows"], "12");
        assert_eq!(json["level"], "INFO");
    }
}
