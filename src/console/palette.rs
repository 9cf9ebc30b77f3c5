//! The lines of help and of the palette: the key table, filtered by what is typed, each with the
//! reason why it can do nothing now.

use super::action::{Action, Pane, Scope};
use super::availability::refusal;
use super::keys::{BINDINGS, Binding};
use super::model::Model;
use super::model::overlay::Filtered;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) action: Action,
    pub(crate) heading: &'static str,
    pub(crate) keys: String,
    pub(crate) words: &'static str,
    pub(crate) refusal: Option<&'static str>,
}

/// Returns the lines that match the filter. Help shows the focused pane's keys first, on
/// another screen what can be done there; the palette shows the best match first, and among equals
/// what can be done now.
pub(crate) fn lines(model: &Model, list: &Filtered, is_help: bool) -> Vec<Line> {
    let needle = list.filter.value().to_lowercase();
    let mut found: Vec<(u32, &Binding)> = BINDINGS
        .iter()
        .filter_map(|binding| Some((score(binding, &needle)?, binding)))
        .collect();
    let focus = (!model.is_covered()).then_some(model.focus);
    let place = |binding: &Binding| place(binding.scope, focus);
    let refused = |binding: &Binding| refusal(model, binding.action).is_some();
    if is_help {
        found.sort_by_key(|(_, binding)| (place(binding), focus.is_none() && refused(binding)));
    } else {
        found.sort_by_key(|(score, binding)| (*score, refused(binding), place(binding)));
    }
    let line = |(_, binding): (u32, &'static Binding)| Line {
        action: binding.action,
        heading: binding.scope.title(),
        keys: model.keymap.labels(binding.action).join(" "),
        words: binding.words,
        refusal: refusal(model, binding.action),
    };
    found.into_iter().map(line).collect()
}

/// The pane in focus first, then the engine, then everywhere, then the other panes; where another
/// screen stands over the panes, none is in focus.
fn place(scope: Scope, focus: Option<Pane>) -> usize {
    match scope {
        Scope::In(pane) if Some(pane) == focus => 0,
        Scope::Engine => 1,
        Scope::Everywhere => 2,
        Scope::In(pane) => 2 + pane.number(),
    }
}

/// Returns how badly a line matches: a whole word best, scattered letters worst, none not at all.
fn score(binding: &Binding, needle: &str) -> Option<u32> {
    let words = binding.words.to_lowercase();
    if needle.is_empty() || binding.name.starts_with(needle) {
        Some(0)
    } else if words.contains(needle) || binding.name.contains(needle) {
        Some(1)
    } else {
        let mut letters = binding.name.chars();
        let scattered = needle
            .chars()
            .all(|letter| letters.any(|other| other == letter));
        scattered.then_some(2)
    }
}
