//! The lines of help and of the palette: the key table, filtered by what is typed, each with the
//! reason why it can do nothing now. The palette finds tables, slots and settings, too.

use super::action::{Action, Pane, Scope};
use super::availability::refusal;
use super::items::all;
use super::keys::{BINDINGS, Binding};
use super::model::Model;
use super::model::overlay::Filtered;

/// What a line leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Does {
    Act(Action),
    /// Selects the row with this key.
    Select(Pane, String),
    /// Opens the configuration at this variable.
    Setting(&'static str),
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) does: Does,
    pub(crate) heading: &'static str,
    pub(crate) keys: String,
    pub(crate) words: String,
    pub(crate) refusal: Option<&'static str>,
}

/// Returns the lines that match the filter. Help shows the focused pane's keys first, on
/// another screen what can be done there; the palette shows the best match first, and among equals
/// what can be done now.
pub(crate) fn lines(model: &Model, list: &Filtered, is_help: bool) -> Vec<Line> {
    let needle = list.filter.value().trim().to_lowercase();
    let mut found: Vec<(u32, &Binding)> = BINDINGS
        .iter()
        .filter_map(|binding| Some((score(&[binding.name, binding.words], &needle)?, binding)))
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
        does: Does::Act(binding.action),
        heading: binding.scope.title(),
        keys: model.keymap.labels(binding.action).join(" "),
        words: binding.words.to_owned(),
        refusal: refusal(model, binding.action),
    };
    let mut lines: Vec<Line> = found.into_iter().map(line).collect();
    if !is_help && !needle.is_empty() {
        lines.extend(objects(model, &needle));
        lines.extend(settings(model, &needle));
    }
    lines
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

/// More of a kind are no list to choose from.
const OBJECTS_MAX: usize = 20;

fn objects(model: &Model, needle: &str) -> Vec<Line> {
    let kinds = [
        (Pane::Tables, "table"),
        (Pane::Slots, "slot"),
        (Pane::Snapshot, "copy of"),
        (Pane::Verify, "proof of"),
    ];
    let of_kind = |(pane, kind): (Pane, &'static str)| {
        let matching = all(model, pane).into_iter().filter_map(move |item| {
            let name = item.name();
            score(&[&name], needle).map(|score| (score, name.into_owned(), item.key()))
        });
        let mut matching: Vec<_> = matching.collect();
        matching.sort_by_key(|(score, _, _)| *score);
        matching.truncate(OBJECTS_MAX);
        matching.into_iter().map(move |(_, name, key)| Line {
            does: Does::Select(pane, key.into_owned()),
            heading: pane.title(),
            keys: kind.to_owned(),
            words: name,
            refusal: None,
        })
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

fn settings(model: &Model, needle: &str) -> Vec<Line> {
    let rows = model.settings.iter().flat_map(|settings| &settings.rows);
    let matching = rows.filter(|row| {
        let name = row.variable.short_name();
        score(&[name, row.variable.key, row.variable.meaning], needle).is_some()
    });
    let line = |variable: &'static crate::config::Variable| Line {
        does: Does::Setting(variable.key),
        heading: "Configuration",
        keys: "setting".to_owned(),
        words: format!("{}: {}", variable.short_name(), variable.meaning),
        refusal: None,
    };
    matching
        .take(OBJECTS_MAX)
        .map(|row| line(row.variable))
        .collect()
}

/// Returns how badly texts match, the first of which is a name: its beginning best, then the
/// beginning of a word, then anything within, then all typed words anywhere; none not at all.
fn score(texts: &[&str], needle: &str) -> Option<u32> {
    let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    let separates = |letter: char| !letter.is_alphanumeric();
    let mut words = texts.iter().flat_map(|text| text.split(separates));
    let holds = |part: &str| texts.iter().any(|text| text.contains(part));
    if needle.is_empty() || texts.first().is_some_and(|name| name.starts_with(needle)) {
        Some(0)
    } else if words.any(|word| word.starts_with(needle)) {
        Some(1)
    } else if holds(needle) {
        Some(2)
    } else {
        needle.split_whitespace().all(holds).then_some(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::scripted::SampleState;
    use crate::console::tests::console;

    fn found(needle: &str) -> Vec<String> {
        let list = Filtered {
            filter: needle.into(),
            selected: 0,
        };
        let lines = lines(&console(SampleState::Copied), &list, false);
        lines.into_iter().map(|line| line.words).collect()
    }

    #[test]
    fn words_find_actions_and_objects_and_scattered_letters_nothing() {
        assert_eq!(found("pse"), [""; 0]);
        assert!(found("pause")[0].starts_with("pause or resume"));
        assert!(found("recopy")[0].starts_with("recopy the table"));
        assert_eq!(found("audit_slot"), ["audit_slot"]);
        assert_eq!(found("products"), ["public.products", "public.products"]);
        assert!(found("copy pane")[0].starts_with("copy the whole pane"));
    }
}
