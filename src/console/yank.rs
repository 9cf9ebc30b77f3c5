//! What `y`, `Y` and `c` put on the clipboard: the text of what is shown, and where somebody would
//! paste it into psql, the statement.

use crate::status::SchemaChange;

use super::action::Pane;
use super::items::{items, selected};
use super::model::Model;
use super::{detail, rows};

/// Returns the selected row and what to call it; of a schema change, what it is in words.
pub(crate) fn row(model: &Model) -> Option<(String, String)> {
    match model.focus {
        Pane::Logs => {
            let line = model.logs.get(selected_log(model)?)?;
            Some(("log line".to_owned(), line.copied(&model.zone)))
        }
        Pane::Throughput => pane(model),
        Pane::Schema => {
            let change = super::items::selected_change(model)?;
            Some(("SQL".to_owned(), sql(change)))
        }
        Pane::Slots | Pane::Tables | Pane::Snapshot | Pane::Verify => {
            let row = rows::row(model, &selected(model, model.focus)?);
            Some(("row".to_owned(), row.text()))
        }
    }
}

/// Returns what runs on the target for a schema change, or what was written on the source where
/// nothing does.
pub(crate) fn sql(change: &SchemaChange) -> String {
    match change.sql.as_slice() {
        [] => change.statement.clone(),
        steps => {
            let steps = steps.iter().map(|step| step.trim_end_matches(';'));
            steps.collect::<Vec<_>>().join(";\n") + ";"
        }
    }
}

/// Returns the whole pane as text.
pub(crate) fn pane(model: &Model) -> Option<(String, String)> {
    let text = match model.focus {
        Pane::Logs => {
            let visible = model.logs.visible();
            let texts = visible.iter().map(|number| match model.logs.get(*number) {
                Some(line) => line.copied(&model.zone),
                None => model.logs.gap_words(*number),
            });
            texts.collect::<Vec<_>>().join("\n")
        }
        Pane::Throughput => {
            let lines = detail::lines(model, Pane::Throughput);
            let texts: Vec<String> = lines.iter().map(ToString::to_string).collect();
            texts.join("\n")
        }
        pane => {
            let rows = items(model, pane);
            let texts = rows.iter().map(|item| rows::row(model, item).text());
            let texts: Vec<String> = texts.collect();
            match texts.is_empty() {
                true => String::new(),
                false => format!("{}\n{}", rows::headings(pane), texts.join("\n")),
            }
        }
    };
    (!text.is_empty()).then(|| (format!("{} as text", model.focus.title()), text))
}

/// Returns the selected log line as a JSON object.
pub(crate) fn log_line_json(model: &Model) -> Option<(String, String)> {
    let line = model.logs.get(selected_log(model)?)?;
    Some(("log line as JSON".to_owned(), line.json(&model.zone)))
}

fn selected_log(model: &Model) -> Option<u64> {
    match model.logs.selected {
        Some(number) => Some(number),
        None => model.logs.visible().last().copied(),
    }
}
