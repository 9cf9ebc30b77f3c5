//! The rows of one table: the engine is asked for them as long as somebody looks, and what a refused row
//! holds is forgotten when nobody does.

use crate::console::action::Pane;
use crate::console::items::selected_table;
use crate::console::message::Effect;
use crate::console::model::Model;
use crate::console::model::overlay::Overlay;
use crate::console::model::rows::RowsSeen;
use crate::status::{Command, TableLook};

/// A table that is looked at is asked for again this often.
const ASK_EVERY_MS: i64 = 1_000;

/// Returns what is to be asked of the engine.
pub(super) fn due(model: &mut Model) -> Option<Effect> {
    let Some(Overlay::Detail {
        pane: Pane::Tables, ..
    }) = model.overlay
    else {
        if !model.rows.table.is_empty() {
            model.rows = RowsSeen::default();
        }
        return None;
    };
    let table = selected_table(model)?.0.to_owned();
    if model.rows.table != table {
        model.rows = RowsSeen {
            table,
            ..RowsSeen::default()
        };
    }
    let stands = model.frozen.is_some() && model.rows.look.is_some();
    let is_old = model.now_ms - model.rows.asked_at_ms >= ASK_EVERY_MS;
    if model.is_at_rest() || stands || !is_old {
        return None;
    }
    model.rows.asked_at_ms = model.now_ms;
    Some(Effect::Command(Command::Look {
        table: model.rows.table.clone(),
        values: model.rows.values,
    }))
}

/// Shows what a refused row holds, or hides it again.
pub(super) fn show_values(model: &mut Model) {
    let values = !model.rows.values;
    model.overlay = Some(Overlay::Detail {
        pane: Pane::Tables,
        scroll: 0,
    });
    model.rows = RowsSeen {
        table: std::mem::take(&mut model.rows.table),
        values,
        ..RowsSeen::default()
    };
}

/// Takes an answer in. One that was asked for before something else is nobody's.
pub(super) fn seen(model: &mut Model, (table, values): (&str, bool), look: TableLook) {
    if model.rows.table == table && model.rows.values == values {
        model.rows.look = Some(look);
    }
}
