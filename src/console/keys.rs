//! The one table of keys. Help, palette, hints and `docs/keys.md` are made from it, and `update`
//! asks it what a key means, so that none of them can say something else than what happens.
//!
//! Lower case acts inside a pane, CAPITALS touch the engine or leave the dashboard, and nothing
//! that cannot be undone is one key.

use super::action::{Action, Pane, Scope};
use super::chord::{Chord, ParseChordError};

mod table;
pub(crate) use table::{BINDINGS, FIXED};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) action: Action,
    /// Its name in the configuration: `pause = ctrl-s`.
    pub(crate) name: &'static str,
    pub(crate) scope: Scope,
    /// The keys it has unless the configuration says otherwise, the one to show first.
    pub(crate) keys: &'static [&'static str],
    /// What it does.
    pub(crate) words: &'static str,
    /// Its place among the hints, smallest first, and the word there.
    pub(crate) hint: Option<(u8, &'static str)>,
}

/// A line of help for keys that are not configurable: forms and confirmations.
#[derive(Debug)]
pub(crate) struct FixedKey {
    pub(crate) place: &'static str,
    pub(crate) keys: &'static str,
    pub(crate) words: &'static str,
}

/// A key that the configuration asks for cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// The line is not of the form `action = key`.
    #[error("entry {0} is not of the form action = key")]
    Form(usize),
    /// No action has that name.
    #[error("entry {0} names no action; docs/keys.md lists them")]
    Unknown(usize),
    /// The right side names no key.
    #[error("{name}: {problem}")]
    Key {
        name: &'static str,
        /// What is wrong with its key.
        problem: String,
    },
    /// Two actions want one key in one place.
    #[error("{key} is asked for twice: {first} and {second}")]
    Clash {
        key: String,
        /// One action.
        first: &'static str,
        second: &'static str,
    },
}

/// The table with the configuration's own keys in it.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    entries: Vec<(&'static Binding, Vec<Chord>)>,
}

impl Keymap {
    /// Builds the keymap from the table and lines such as `pause = ctrl-s`; several are separated
    /// by commas or newlines.
    ///
    /// # Errors
    /// Names the first line that is not understood, or the two actions that want one key.
    pub(crate) fn new(overrides: &str) -> Result<Self, KeymapError> {
        let mut entries = Vec::with_capacity(BINDINGS.len());
        for binding in BINDINGS {
            entries.push((binding, chords(binding, binding.keys)?));
        }
        let mut keymap = Self { entries };
        let lines = overrides.split([',', '\n']).map(str::trim);
        for (number, line) in (1..).zip(lines.filter(|line| !line.is_empty())) {
            keymap.set(number, line)?;
        }
        keymap.refuse_clashes()?;
        Ok(keymap)
    }

    /// Returns what a key asks for while a pane has the keys; the pane's own meaning wins.
    pub(crate) fn action(&self, chord: Chord, pane: Pane) -> Option<Action> {
        let found = |wanted: &dyn Fn(Scope) -> bool| {
            let mut candidates = self.entries.iter();
            candidates
                .find(|(binding, chords)| wanted(binding.scope) && chords.contains(&chord))
                .map(|(binding, _)| binding.action)
        };
        found(&|scope| scope == Scope::In(pane))
            .or_else(|| found(&|scope| matches!(scope, Scope::Everywhere | Scope::Engine)))
    }

    /// Returns the key to show for an action.
    pub(crate) fn label(&self, action: Action) -> String {
        self.labels(action).into_iter().next().unwrap_or_default()
    }

    /// Returns all keys of an action.
    pub(crate) fn labels(&self, action: Action) -> Vec<String> {
        let mut entries = self.entries.iter();
        entries
            .find(|(binding, _)| binding.action == action)
            .map(|(_, chords)| chords.iter().map(|chord| chord.label()).collect())
            .unwrap_or_default()
    }

    fn set(&mut self, number: usize, line: &str) -> Result<(), KeymapError> {
        let (name, key) = line.split_once('=').ok_or(KeymapError::Form(number))?;
        let name = name.trim();
        let entry = self
            .entries
            .iter_mut()
            .find(|(binding, _)| binding.name == name)
            .ok_or(KeymapError::Unknown(number))?;
        let keys: Vec<&str> = key.split_whitespace().collect();
        entry.1 = chords(entry.0, &keys)?;
        Ok(())
    }

    fn refuse_clashes(&self) -> Result<(), KeymapError> {
        for (index, (binding, chords)) in self.entries.iter().enumerate() {
            for (other, theirs) in &self.entries[..index] {
                let shared = chords.iter().find(|chord| theirs.contains(chord));
                if let Some(key) = shared.filter(|_| meet(binding, other)) {
                    return Err(KeymapError::Clash {
                        key: key.label(),
                        first: other.name,
                        second: binding.name,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Two meanings of one key clash in one pane, and on the dashboard; a pane may have its own
/// meaning for a key of the dashboard only where the table itself says so: what pauses the stream
/// pauses the copies where only copies are seen.
fn meet(one: &Binding, other: &Binding) -> bool {
    match (one.scope, other.scope) {
        (Scope::In(pane), Scope::In(other)) => pane == other,
        _ => (one.action, other.action) != (Action::SnapshotPause, Action::Pause),
    }
}

fn chords(binding: &'static Binding, keys: &[&str]) -> Result<Vec<Chord>, KeymapError> {
    let parsed: Result<Vec<Chord>, ParseChordError> = keys.iter().map(|key| key.parse()).collect();
    let refuse = |problem: String| KeymapError::Key {
        name: binding.name,
        problem,
    };
    let chords = parsed.map_err(|error| refuse(error.to_string()))?;
    if chords.is_empty() {
        return Err(refuse("no key is given".to_owned()));
    }
    Ok(chords)
}

#[cfg(test)]
mod tests;
