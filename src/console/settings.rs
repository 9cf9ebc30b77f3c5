//! The configuration on a screen: every variable with its value, where that comes from and what it
//! means; values are changed, checked by the rules of the file itself, and saved into it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use crossterm::event::KeyCode;
use tui_input::Input;

use crate::config::{Configuration, FlagValue, Inputs, Kind, Origin, Resolved, Section, Variable};

use super::chord::Chord;
use super::model::overlay::edit;

pub(crate) mod file;

/// What the configuration screen shows and changes.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where changes are saved; none: there is no file.
    pub(crate) path: Option<PathBuf>,
    pub(crate) rows: Vec<Resolved>,
    /// What was changed and not yet saved, by variable.
    pub(crate) changes: BTreeMap<&'static str, String>,
    pub(crate) selected: usize,
    /// The value being typed.
    pub(crate) editing: Option<Input>,
    /// Why that value is refused.
    pub(crate) problem: Option<String>,
}

/// What a key on the screen leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Stay,
    Leave,
    /// Open the value for typing, if anything may be changed here.
    Edit,
    /// Ask before this is saved: the lines that change.
    AskToSave(Vec<String>),
    /// Say why nothing happens.
    Refuse(&'static str),
}

impl Settings {
    /// Returns the screen's state for a configuration, section by section.
    pub(crate) fn new(mut rows: Vec<Resolved>, path: Option<PathBuf>) -> Self {
        rows.sort_by_key(|row| row.variable.section);
        Self {
            path,
            rows,
            changes: BTreeMap::new(),
            selected: 0,
            editing: None,
            problem: None,
        }
    }

    /// Puts the cursor on a variable.
    pub(crate) fn select(&mut self, key: &str) {
        let mut rows = self.rows.iter();
        self.selected = rows.position(|row| row.variable.key == key).unwrap_or(0);
    }

    /// Returns the variable under the cursor.
    pub(crate) fn row(&self) -> Option<&Resolved> {
        self.rows.get(self.selected)
    }

    /// Returns the section of the variable under the cursor.
    pub(crate) fn section(&self) -> Option<Section> {
        self.row().map(|row| row.variable.section)
    }

    /// Returns the numbers of a section's variables.
    pub(crate) fn within(&self, section: Section) -> Range<usize> {
        let before = |row: &Resolved| row.variable.section < section;
        let up_to = |row: &Resolved| row.variable.section <= section;
        self.rows.partition_point(before)..self.rows.partition_point(up_to)
    }

    /// Goes to the first variable of the section behind or before; the ends stay.
    fn turn(&mut self, forward: bool) {
        let Some(here) = self.section().map(|section| self.within(section)) else {
            return;
        };
        if forward && here.end < self.rows.len() {
            self.selected = here.end;
        } else if !forward {
            let before = self.rows.get(here.start.saturating_sub(1));
            let section = before.map(|row| row.variable.section);
            self.selected = section.map_or(0, |section| self.within(section).start);
        }
    }

    /// Returns the changes as lines, passwords hidden.
    pub(crate) fn diff(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            if let Some(value) = self.changes.get(row.variable.key) {
                let before = row.value.as_deref().unwrap_or(row.variable.default);
                lines.push(format!("- {}={before}", row.variable.key));
                lines.push(format!(
                    "+ {}={}",
                    row.variable.key,
                    crate::config::redact(value)
                ));
            }
        }
        lines
    }

    /// Takes in that everything was saved, and what stands in the file now.
    pub(crate) fn saved(&mut self, text: &str) {
        let Some(path) = &self.path else {
            return;
        };
        for row in &mut self.rows {
            let key = row.variable.key;
            let line = file::line_of(text, key);
            let is_stronger = matches!(row.origin, Origin::Flag(_) | Origin::Environment);
            let value = self.changes.remove(key).filter(|_| !is_stronger);
            match (line, &mut row.origin) {
                (Some(line), Origin::File { line: old, .. }) => *old = line,
                (Some(line), Origin::Default) => {
                    let path = path.clone();
                    row.origin = Origin::File { path, line };
                }
                (None, Origin::File { .. }) => row.origin = Origin::Default,
                (_, Origin::Flag(_) | Origin::Environment) | (None, Origin::Default) => {}
            }
            if let Some(value) = value {
                row.value = Some(crate::config::redact(&value)).filter(|value| !value.is_empty());
            }
        }
    }

    /// Takes a key.
    pub(crate) fn on_key(&mut self, chord: Chord) -> Outcome {
        if self.editing.is_some() {
            self.in_value(chord);
            return Outcome::Stay;
        }
        let last = self.rows.len().saturating_sub(1);
        match chord.code {
            KeyCode::Esc | KeyCode::Char('q') => return Outcome::Leave,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.selected = (self.selected + 1).min(last),
            KeyCode::Right | KeyCode::Char('l') | KeyCode::Tab | KeyCode::PageDown => {
                self.turn(true);
            }
            KeyCode::Left | KeyCode::Char('h') | KeyCode::BackTab | KeyCode::PageUp => {
                self.turn(false);
            }
            KeyCode::Home | KeyCode::Char('g') => self.selected = 0,
            KeyCode::End | KeyCode::Char('G') => self.selected = last,
            KeyCode::Enter if self.path.is_none() => {
                return Outcome::Refuse("there is no file to save into: start with -c FILE");
            }
            KeyCode::Enter => return Outcome::Edit,
            KeyCode::Backspace => {
                if let Some(key) = self.row().map(|row| row.variable.key) {
                    self.changes.remove(key);
                }
            }
            KeyCode::Char('d' | 'w') if self.changes.is_empty() => {
                return Outcome::Refuse("nothing has been changed");
            }
            KeyCode::Char('d' | 'w') => return Outcome::AskToSave(self.diff()),
            _ => {
                return Outcome::Refuse("this key does nothing here; the last line says what does");
            }
        }
        Outcome::Stay
    }

    /// Opens the value for typing. One with a password starts empty: it is not shown.
    pub(crate) fn edit_value(&mut self) {
        let Some(row) = self.row() else {
            return;
        };
        let shown = row.value.clone().filter(|value| !value.contains("***"));
        let value = self.changes.get(row.variable.key).cloned().or(shown);
        self.editing = Some(Input::new(value.unwrap_or_default()));
        self.problem = None;
    }

    /// Returns the words among which the value is chosen; none where it is typed.
    pub(crate) fn choices(&self) -> Option<&'static [&'static str]> {
        match self.row()?.variable.kind {
            Kind::Choice(words) => Some(words),
            Kind::Switch => Some(&["true", "false"]),
            Kind::Connection
            | Kind::Slot
            | Kind::Count { .. }
            | Kind::Duration
            | Kind::Size
            | Kind::Tables
            | Kind::Objects
            | Kind::Keys
            | Kind::File => None,
        }
    }

    /// Takes the next choice, or the one before; the empty one is the default.
    fn choose(&mut self, words: &[&str], back: bool) {
        let Some(input) = &mut self.editing else {
            return;
        };
        let at = words.iter().position(|word| *word == input.value());
        let next = match (at, back) {
            (None, false) => Some(0),
            (None, true) => words.len().checked_sub(1),
            (Some(at), false) => Some(at + 1).filter(|next| *next < words.len()),
            (Some(at), true) => at.checked_sub(1),
        };
        let word = next.and_then(|next| words.get(next));
        *input = Input::new(word.map_or_else(String::new, |word| (*word).to_owned()));
    }

    fn in_value(&mut self, chord: Chord) {
        let choices = self.choices();
        let Some(input) = &mut self.editing else {
            return;
        };
        match (chord.code, choices) {
            (KeyCode::Left | KeyCode::Up, Some(words)) => return self.choose(words, true),
            (KeyCode::Right | KeyCode::Down | KeyCode::Tab | KeyCode::Char(' '), Some(words)) => {
                return self.choose(words, false);
            }
            (KeyCode::Char(_) | KeyCode::Backspace, Some(_)) => return,
            (_, _) => {}
        }
        match chord.code {
            KeyCode::Esc => self.editing = None,
            KeyCode::Enter => {
                let value = input.value().trim().to_owned();
                self.accept(value);
            }
            _ => {
                edit(input, chord);
                self.problem = None;
            }
        }
    }

    fn accept(&mut self, value: String) {
        let Some(variable) = self.row().map(|row| row.variable) else {
            return;
        };
        self.problem = refusal(variable, &value);
        if self.problem.is_some() {
            return;
        }
        self.editing = None;
        let before = self
            .row()
            .and_then(|row| row.value.clone())
            .unwrap_or_default();
        match value == before {
            // What is there already is no change.
            true => self.changes.remove(variable.key),
            false => self.changes.insert(variable.key, value),
        };
    }
}

/// Returns why a value is refused, by the rules with which the file is read.
fn refusal(variable: &'static Variable, value: &str) -> Option<String> {
    let flag = FlagValue {
        key: variable.key,
        flag: "this screen",
        value: value.to_owned(),
    };
    let inputs = Inputs {
        environment: Vec::new(),
        ..Inputs::of_process(vec![flag], None)
    };
    let problems = match Configuration::load(inputs) {
        Ok(configuration) => configuration.validate().err(),
        Err(error) => Some(error),
    };
    let error = problems?;
    let rule = error.problems().first().map(|problem| problem.rule.clone());
    Some(rule.unwrap_or_else(|| error.to_string()))
}

#[cfg(test)]
mod tests;
