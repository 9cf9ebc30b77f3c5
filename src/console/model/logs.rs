//! The log as the pane holds it: a bounded ring of lines, which of them to show, where the reader
//! stands.
//!
//! Every line that was ever written has a number. Lines that are not here, because they came too
//! fast or are too old, leave a gap in the numbers, and a gap is shown where it is. While somebody
//! reads, or the display is frozen, the lines around that place are held however many new ones come.

use std::collections::{BTreeMap, VecDeque};

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::console::format;

use super::cursor::{Offset, Step, moved};

pub(crate) use crate::attach::log::{Capture, LogLine};

/// So many lines are kept: a few minutes at debug level, about 3 MB. The rest is in the log file.
pub(crate) const LINES_MAX: usize = 10_000;

/// So many lines around the place that is read are held beside the latest ones.
const HELD_MAX: usize = LINES_MAX;

/// The levels of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Levels {
    /// What is written down.
    pub(crate) captured: LevelFilter,
    /// What of that is shown.
    pub(crate) shown: LevelFilter,
}

impl Levels {
    fn all(level: impl Into<LevelFilter>) -> Self {
        let level = level.into();
        Self {
            captured: level,
            shown: level,
        }
    }
}

/// The target selector: tui-logger's, with its own switches.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Selector {
    /// Number of the selected target among those listed.
    pub(crate) selected: usize,
    /// Whether it has the keys.
    pub(crate) keys: bool,
    /// Whether only lines of the selected target are shown.
    pub(crate) only: bool,
    /// Whether it is not shown.
    pub(crate) hidden: bool,
    /// Whether targets of which nothing is shown are not listed.
    pub(crate) hide_off: bool,
}

/// The log pane's state.
#[derive(Debug)]
pub(crate) struct Logs {
    /// Lines around the place that is read, older than `lines`.
    held: VecDeque<(u64, LogLine)>,
    /// The latest lines.
    lines: VecDeque<(u64, LogLine)>,
    /// The number that the next line will have.
    end: u64,
    /// Number of the selected line; none while following.
    pub(crate) selected: Option<u64>,
    /// Where the selected line stands in the view.
    pub(crate) offset: Offset,
    /// Number of the first line that is not shown, while the display is frozen.
    pub(crate) frozen: Option<u64>,
    pub(crate) wrap: bool,
    /// Columns scrolled to the right.
    pub(crate) scroll_x: usize,
    levels: BTreeMap<&'static str, Levels>,
    /// Our own targets; crates that we use speak only to warn.
    ours: Vec<&'static str>,
    /// The level of our targets that nobody has chosen another one for.
    level: Level,
    pub(crate) selector: Selector,
    /// Lines that were lost on the way here.
    pub(crate) lost: u64,
}

impl Logs {
    /// Returns an empty log that shows this level of our targets.
    pub(crate) fn new(level: Level, targets: &[&'static str]) -> Self {
        let levels = targets.iter().map(|name| (*name, Levels::all(level)));
        Self {
            ours: targets.to_vec(),
            selector: Selector::default(),
            held: VecDeque::new(),
            lines: VecDeque::new(),
            end: 0,
            selected: None,
            offset: Offset::default(),
            frozen: None,
            wrap: false,
            scroll_x: 0,
            levels: levels.collect(),
            level,
            lost: 0,
        }
    }

    /// Shows this level of our targets, and has it written down.
    pub(crate) fn begin(&mut self, level: Level) {
        self.level = level;
        let targets: Vec<_> = self.levels.keys().copied().collect();
        for target in targets {
            let levels = self.beginning(target);
            self.levels.insert(target, levels);
        }
    }

    fn beginning(&self, target: &str) -> Levels {
        match self.ours.contains(&target) {
            true => Levels::all(self.level),
            false => Levels::all(self.level.min(Level::WARN)),
        }
    }

    /// Adds a line and forgets the oldest when there are too many.
    pub(crate) fn push(&mut self, line: LogLine) {
        if self.lines.len() == LINES_MAX {
            self.forget_oldest();
        }
        if !self.levels.contains_key(line.target) {
            let levels = self.beginning(line.target);
            self.levels.insert(line.target, levels);
        }
        self.lines.push_back((self.end, line));
        self.end += 1;
    }

    /// Takes in that so many lines have been lost after the latest one.
    pub(crate) fn skip(&mut self, count: u64) {
        self.end += count;
        self.lost += count;
    }

    /// What is read stays, and what stands around it.
    fn forget_oldest(&mut self) {
        let Some(oldest) = self.lines.pop_front() else {
            return;
        };
        let Some(place) = self.selected.or(self.frozen) else {
            self.held.clear();
            return;
        };
        let first = place.saturating_sub(HELD_MAX as u64 / 2);
        while self.held.front().is_some_and(|(number, _)| *number < first) {
            self.held.pop_front();
        }
        if oldest.0 >= first && self.held.len() < HELD_MAX {
            self.held.push_back(oldest);
        }
    }

    /// Returns the number that the next line will have.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// Returns the number of the first line that is not to be shown.
    pub(crate) fn shown_end(&self) -> u64 {
        self.frozen.unwrap_or(self.end)
    }

    fn all(&self) -> impl DoubleEndedIterator<Item = &(u64, LogLine)> {
        self.held.iter().chain(&self.lines)
    }

    /// Returns the line with this number.
    pub(crate) fn get(&self, number: u64) -> Option<&LogLine> {
        let of = |part: &VecDeque<(u64, LogLine)>| {
            let index = part.binary_search_by_key(&number, |(number, _)| *number);
            index.ok()
        };
        let found = match of(&self.lines) {
            Some(index) => self.lines.get(index),
            None => self.held.get(of(&self.held)?),
        };
        found.map(|(_, line)| line)
    }

    /// Returns how many lines are missing from this number on.
    pub(crate) fn missing_from(&self, number: u64) -> u64 {
        let next = |part: &VecDeque<(u64, LogLine)>| {
            let index = part.partition_point(|(other, _)| *other < number);
            part.get(index).map(|(next, _)| *next)
        };
        let next = next(&self.held).or_else(|| next(&self.lines));
        next.unwrap_or(self.end).saturating_sub(number)
    }

    /// Returns what stands in the place of the lines that are missing from this number on.
    pub(crate) fn gap_words(&self, number: u64) -> String {
        let count = format::count(self.missing_from(number));
        match number {
            0 => format!("… {count} older lines are not kept"),
            _ => format!("… {count} lines are missing here"),
        }
    }

    /// Returns the numbers of the rows to show, oldest first: of lines, and of the first missing
    /// line of each gap.
    pub(crate) fn visible(&self) -> Vec<u64> {
        let end = self.shown_end();
        let only = self.only_target();
        let mut rows = Vec::new();
        let mut expected = 0;
        for (number, line) in self.all().take_while(|(number, _)| *number < end) {
            if *number > expected {
                rows.push(expected);
            }
            expected = number + 1;
            if self.shows(line, only) {
                rows.push(*number);
            }
        }
        if expected < end {
            rows.push(expected);
        }
        rows
    }

    /// Returns the numbers of the last rows to show, at most so many, oldest first.
    pub(crate) fn latest(&self, count: usize) -> Vec<u64> {
        let mut expected = self.shown_end();
        let only = self.only_target();
        let mut rows = Vec::with_capacity(count);
        for (number, line) in self.all().rev() {
            if *number >= expected {
                continue;
            }
            if number + 1 < expected {
                rows.push(number + 1);
            }
            expected = *number;
            if self.shows(line, only) {
                rows.push(*number);
            }
            if rows.len() >= count {
                break;
            }
        }
        if rows.len() < count && expected > 0 && expected == self.first() {
            rows.push(0);
        }
        rows.truncate(count);
        rows.reverse();
        rows
    }

    /// Returns how many lines are kept, whatever their levels.
    pub(crate) fn kept(&self) -> usize {
        self.held.len() + self.lines.len()
    }

    fn first(&self) -> u64 {
        self.all().next().map_or(self.end, |(number, _)| *number)
    }

    /// Returns the targets with their levels.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&'static str, Levels)> {
        self.levels.iter().map(|(name, levels)| (*name, *levels))
    }

    /// Returns the targets that the selector lists.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (&'static str, Levels)> {
        let hidden = |levels: &Levels| self.selector.hide_off && levels.shown == LevelFilter::OFF;
        self.targets().filter(move |(_, levels)| !hidden(levels))
    }

    /// Selects another target.
    pub(crate) fn select_target(&mut self, step: Step) {
        let last = self.listed().count().saturating_sub(1);
        self.selector.selected = moved(self.selector.selected.min(last), last, step);
    }

    fn selected_target(&self) -> Option<&'static str> {
        let target = self.listed().nth(self.selector.selected);
        target.map(|(name, _)| name)
    }

    fn only_target(&self) -> Option<&'static str> {
        self.selected_target().filter(|_| self.selector.only)
    }

    /// Returns what is to be written down.
    pub(crate) fn captured(&self) -> Vec<Capture> {
        let targets = self.targets();
        targets.map(|(name, one)| (name, one.captured)).collect()
    }

    /// Shows more (or less) of the selected target; what is to be shown is written down from now on.
    /// Returns whether more is written down than before.
    pub(crate) fn show(&mut self, more: bool) -> bool {
        let Some(levels) = self.selected_levels() else {
            return false;
        };
        levels.shown = next_level(levels.shown, more);
        let raised = levels.shown > levels.captured;
        levels.captured = levels.captured.max(levels.shown);
        raised
    }

    /// Has more (or less) of the selected target written down; no more than that can be shown.
    pub(crate) fn capture(&mut self, more: bool) {
        if let Some(levels) = self.selected_levels() {
            levels.captured = next_level(levels.captured, more);
            levels.shown = levels.shown.min(levels.captured);
        }
    }

    fn selected_levels(&mut self) -> Option<&mut Levels> {
        let target = self.selected_target()?;
        self.levels.get_mut(target)
    }

    /// Returns how much is shown, in a word.
    pub(crate) fn level_words(&self) -> String {
        let mut shown = self.ours.iter().map(|target| self.shown(target));
        let first = shown.next().unwrap_or_else(|| self.level.into());
        match (self.only_target(), shown.all(|other| other == first)) {
            (Some(only), _) => format!("only {only}"),
            (None, true) => format!("{}+", first.to_string().to_lowercase()),
            (None, false) => "levels by target".to_owned(),
        }
    }

    fn shows(&self, line: &LogLine, only: Option<&str>) -> bool {
        line.level <= self.shown(line.target) && only.is_none_or(|only| only == line.target)
    }

    fn shown(&self, target: &str) -> LevelFilter {
        let known = self.levels.get(target);
        known.map_or_else(|| self.level.into(), |levels| levels.shown)
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

fn next_level(level: LevelFilter, more: bool) -> LevelFilter {
    let filters = [LevelFilter::OFF]
        .into_iter()
        .chain(LEVELS.map(LevelFilter::from));
    let mut on_that_side =
        filters.filter(|other| if more { *other > level } else { *other < level });
    match more {
        true => on_that_side.next(),
        false => on_that_side.next_back(),
    }
    .unwrap_or(level)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn line(target: &'static str, level: Level) -> LogLine {
        LogLine {
            at_ms: 1_000,
            level,
            target,
            message: "batch committed".to_owned(),
            fields: vec![("rows", "12".to_owned())],
            spans: vec!["slot{name=a}".to_owned()],
        }
    }

    fn logs() -> Logs {
        Logs::new(Level::INFO, &["apply", "slot"])
    }

    fn push(logs: &mut Logs, count: usize) {
        for _ in 0..count {
            logs.push(line("apply", Level::INFO));
        }
    }

    #[test]
    fn keeps_a_bounded_number_and_numbers_never_change() {
        let mut logs = logs();
        push(&mut logs, LINES_MAX + 5);
        assert_eq!(logs.get(4), None);
        assert!(logs.get(5).is_some());
        assert_eq!(logs.visible()[..2], [0, 5], "older lines are missing");
        assert_eq!(logs.missing_from(0), 5);
        assert_eq!(logs.latest(1), [LINES_MAX as u64 + 4]);

        logs.frozen = Some(8);
        assert_eq!(logs.visible(), [0, 5, 6, 7]);
        assert_eq!(logs.latest(2), [6, 7]);
        assert_eq!(logs.latest(9), [0, 5, 6, 7]);
    }

    #[test]
    fn lost_lines_are_missing_where_they_were_lost() {
        let mut logs = logs();
        push(&mut logs, 2);
        logs.skip(713);
        assert_eq!(logs.visible(), [0, 1, 2]);
        push(&mut logs, 1);

        assert_eq!(logs.visible(), [0, 1, 2, 715]);
        assert_eq!(logs.latest(3), [1, 2, 715]);
        assert_eq!((logs.missing_from(2), logs.lost), (713, 713));
        for _ in 0..3 {
            logs.show(false);
        }
        assert_eq!(logs.visible(), [2], "a gap is no matter of levels");
    }

    #[test]
    fn what_is_read_stays_however_much_comes() {
        let mut logs = logs();
        push(&mut logs, 9_000);
        logs.selected = Some(8_900);
        push(&mut logs, 100_000);

        let around: Vec<u64> = (8_850..8_950).collect();
        let rows = logs.visible();
        let from = rows.binary_search(&8_850).unwrap();
        assert_eq!(rows[from..from + 100], around);
        assert!(rows.len() <= LINES_MAX + HELD_MAX + 2);
        let gap = rows.windows(2).find(|two| logs.get(two[1]).is_none());
        assert!(gap.is_some(), "and where others are missing");

        logs.selected = None;
        push(&mut logs, 1);
        assert_eq!(logs.visible().len(), LINES_MAX + 1);
    }

    #[test]
    fn what_is_frozen_stays_however_much_comes() {
        let mut logs = logs();
        push(&mut logs, 50);
        logs.frozen = Some(logs.end());
        let before = logs.latest(40);
        push(&mut logs, 100_000);
        assert_eq!(logs.latest(40), before);
        assert!(before.iter().all(|number| logs.get(*number).is_some()));
    }

    #[test]
    fn levels_hide_lines_by_target_and_raise_what_is_captured() {
        let mut logs = logs();
        logs.push(line("apply", Level::DEBUG));
        logs.push(line("slot", Level::INFO));
        assert_eq!(logs.visible(), [1]);

        assert!(logs.show(true), "more is written down");
        logs.select_target(Step::Last);
        assert!(!logs.show(false));

        assert_eq!(logs.visible(), [0]);
        assert_eq!(
            logs.captured(),
            [("apply", LevelFilter::DEBUG), ("slot", LevelFilter::INFO)]
        );
        assert_eq!(logs.level_words(), "levels by target");
        logs.begin(Level::TRACE);
        assert_eq!(logs.level_words(), "trace+");
    }

    #[test]
    fn a_target_is_hidden_shown_alone_and_not_even_captured() {
        let mut logs = logs();
        logs.push(line("apply", Level::INFO));
        logs.push(line("slot", Level::INFO));
        logs.push(line("rustls::client", Level::WARN));
        let levels = logs.targets().nth(1).unwrap().1;
        assert_eq!(levels.captured, LevelFilter::WARN, "others speak to warn");

        logs.selector.only = true;
        assert_eq!((logs.visible(), logs.latest(9)), (vec![0], vec![0]));
        assert_eq!(logs.level_words(), "only apply");
        logs.selector.only = false;
        for _ in 0..3 {
            logs.capture(false);
        }
        assert_eq!(logs.visible(), [1, 2], "what is not captured is not shown");
        logs.selector.hide_off = true;
        assert_eq!(logs.listed().count(), 2);
    }

    #[test]
    fn a_line_is_a_text_and_an_object() {
        let line = line("apply", Level::INFO);
        assert_eq!(line.text(), "batch committed rows=12 slot{name=a}");
        let copied =
            "1970-01-01T00:00:01.000+00:00 INFO  apply batch committed rows=12 slot{name=a}";
        assert_eq!(line.copied(&TimeZone::UTC), copied);
        let json = line.json(&TimeZone::UTC);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["fields"]["rows"], "12");
        assert_eq!(json["level"], "INFO");
        assert_eq!(json["at"], "1970-01-01T00:00:01.000+00:00");
    }
}
