//! Which tables replicate: the patterns, and below them the source's tables with what the patterns
//! say of each.

use ratatui::text::Line;

use crate::config::TableFilter;
use crate::console::format;
use crate::console::theme::Role;
use crate::console::wizard::{Loaded, Wizard};
use crate::schema::SourceTable;

use super::paint;
use super::sheet::{Content, Sheet};

/// The column in which the patterns begin.
const VALUES: usize = 11;
/// A source may have thousands of tables; so many around the selected one are enough for any
/// window.
const AROUND: usize = 120;

/// Returns the screen.
pub(super) fn tables(sheet: &Sheet<'_>, wizard: &Wizard) -> Content {
    let (mut lines, mut cursor) = patterns(sheet, wizard);
    lines.extend(sheet.missing(&wizard.tables, "asking the source for its tables"));
    let Loaded::Done(tables) = &wizard.tables else {
        return (lines, cursor);
    };
    if tables.is_empty() {
        let text = "The source has no table yet. Those that are made later replicate by the patterns above.";
        lines.extend(sheet.wrapped(1, text, Role::Quiet));
        return (lines, cursor);
    }
    let filter = wizard.filter();
    lines.push(summary(sheet, tables, filter.as_ref()));
    let listed = wizard.focused().is_none();
    let from = wizard.selected.saturating_sub(AROUND);
    for (index, table) in tables.iter().enumerate().skip(from).take(2 * AROUND) {
        let selected = listed && index == wizard.selected;
        if selected {
            cursor = Some((lines.len(), 2));
        }
        let replicates = filter.as_ref().map(|filter| filter.selects(&table.name));
        lines.push(row(sheet, table, replicates, selected));
    }
    (lines, cursor)
}

fn patterns(sheet: &Sheet<'_>, wizard: &Wizard) -> Content {
    let mut lines = Vec::new();
    let mut cursor = None;
    for (index, name) in wizard.names(wizard.step()).iter().enumerate() {
        let Some(field) = wizard.get(*name) else {
            continue;
        };
        let focused = index == wizard.field;
        if focused {
            cursor = Some((lines.len(), sheet.cursor(field, VALUES)));
        }
        let mut line = sheet.value(wizard, field, focused, VALUES);
        if field.input.value().is_empty() {
            let room = sheet.width.saturating_sub(VALUES + 1);
            line.push_span(sheet.span(paint::fit(field.help, room, false), Role::Quiet));
        }
        lines.push(line);
        if let Some(problem) = &field.problem {
            lines.extend(sheet.wrapped(VALUES, &format!("✗ {problem}"), Role::Bad));
        }
    }
    (lines, cursor)
}

fn summary(
    sheet: &Sheet<'_>,
    tables: &[SourceTable],
    filter: Option<&TableFilter>,
) -> Line<'static> {
    let Some(filter) = filter else {
        return sheet.line(" the patterns cannot be read yet", Role::Warn);
    };
    let chosen = || tables.iter().filter(|table| filter.selects(&table.name));
    let keyless = chosen().filter(|table| table.keyless).count();
    let mut line = sheet.line(
        format!(" {} of {} tables replicate", chosen().count(), tables.len()),
        Role::Title,
    );
    if keyless > 0 {
        let text = format!(" · {keyless} without a key");
        line.push_span(sheet.span(text, Role::Warn));
    }
    line
}

fn row(
    sheet: &Sheet<'_>,
    table: &SourceTable,
    replicates: Option<bool>,
    selected: bool,
) -> Line<'static> {
    let (sign, role) = match replicates {
        Some(true) => ("[x]", Role::Text),
        Some(false) => ("[ ]", Role::Quiet),
        None => ("[?]", Role::Quiet),
    };
    let rows = match (table.partitioned, table.row_count) {
        (true, _) => "partitioned".to_owned(),
        (false, Some(count)) => format!("{} rows", format::short_count(format::float(count))),
        (false, None) => String::new(),
    };
    // Nobody has counted a table that was never analysed.
    let size = match table.row_count {
        None => String::new(),
        Some(_) => format::bytes(table.bytes),
    };
    let note = match (table.keyless, &table.partition_of) {
        (true, _) => "! no key",
        (false, Some(_)) => "partition",
        (false, None) => "",
    };
    let narrow = sheet.width < 56;
    let taken = if narrow {
        2 + 4 + 11
    } else {
        2 + 4 + 13 + 9 + 11
    };
    let name = paint::fit(
        &table.name.to_string(),
        sheet.width.saturating_sub(taken),
        false,
    );
    let role = if selected { Role::Selected } else { role };
    let mark = if selected { "▶ " } else { "  " };
    let mut line = sheet.line(mark, Role::Text);
    line.push_span(sheet.span(format!("{sign} {name}"), role));
    if !narrow {
        let figures = format!(" {rows:>12} {size:>8}");
        line.push_span(sheet.span(figures, Role::Quiet));
    }
    let role = if table.keyless {
        Role::Warn
    } else {
        Role::Quiet
    };
    line.push_span(sheet.span(format!(" {note}"), role));
    line
}
