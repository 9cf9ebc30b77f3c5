//! From the model to cells. Drawing decides nothing and changes nothing: every function here takes
//! the model and a place, and paints.
//!
//! It draws into a [`Buffer`], so that tests, pictures and the terminal show the same.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::action::Pane;
use super::layout::{Class, Extra, Layout};
use super::model::Model;
use super::model::mode::Mode;
use super::model::overlay::Overlay;
use super::theme;

mod detail;
mod editor;
mod explain;
mod gauge;
mod header;
mod help;
mod hints;
mod lesson;
mod list;
mod logs;
mod paint;
mod plot;
mod proof;
mod question;
mod room;
mod settings;
mod snapshot;
mod start;
mod throughput;
mod wizard;

pub(crate) use detail::scroll_max;
pub(crate) use header::tab_at;
pub(crate) use hints::key_at;
pub(crate) use lesson::lesson_rows;
pub(crate) use paint::wrap;
pub(crate) use question::button_at;
use room::room_of_overlays;

/// Draws the whole screen; returns where the text cursor stands, if somewhere.
///
/// The cursor stands on the selected row or in the field being typed in, which is what screen
/// readers follow.
pub(crate) fn draw(model: &Model, buffer: &mut Buffer) -> Option<Position> {
    let layout = model.layout();
    let cursor = if layout.class == Class::TooSmall {
        header::too_small(model, buffer);
        None
    } else {
        screen(model, &layout, buffer)
    };
    if model.display.theme.ascii {
        theme::to_ascii(buffer);
    }
    cursor
}

/// Draws the screen that stands, and what stands over it.
fn screen(model: &Model, layout: &Layout, buffer: &mut Buffer) -> Option<Position> {
    let cursor = match (&model.mode, &model.start, &model.settings) {
        (Mode::Wizard(_, open), _, _) => wizard::wizard(model, open, buffer),
        (Mode::Settings(_), _, Some(open)) => settings::settings(model, open, buffer),
        (Mode::Start, Some(open), _) => start::start(model, open, buffer),
        (Mode::Dashboard | Mode::Start | Mode::Settings(_), _, _) => {
            dashboard(model, layout, buffer)
        }
    };
    if model.is_covered() {
        hints::hints(model, layout.hints, buffer);
    }
    hints::toasts(model, layout.hints, buffer);
    overlay(model, layout, buffer).unwrap_or(cursor)
}

/// Returns the room of what stands over the screen.
pub(crate) fn room_over(model: &Model) -> Rect {
    let screen = Rect::new(0, 0, model.size.width, model.size.height);
    room_of_overlays(&model.layout(), screen)
}

fn dashboard(model: &Model, layout: &Layout, buffer: &mut Buffer) -> Option<Position> {
    header::header(model, layout, buffer);
    if model.focus == Pane::Snapshot {
        snapshot::totals(model, layout.figures, buffer);
    } else if model.focus == Pane::Verify {
        proof::totals(model, layout.figures, buffer);
    } else if layout.class == Class::Compact {
        header::tabs(model, layout.figures, buffer);
    } else if layout.tiles.is_empty() {
        header::figures(model, layout.figures, buffer);
    } else {
        header::tiles(model, &layout.tiles, buffer);
    }
    if let Some(place) = layout.copy {
        snapshot::progress(model, place, buffer);
    }
    if let Some(place) = layout.banner {
        header::banner(model, place, buffer);
    }
    let mut cursor = None;
    for (pane, place) in &layout.panes {
        let here = draw_pane(model, *pane, *place, buffer);
        if model.has_keys(*pane) {
            cursor = here;
        }
    }
    for (extra, place) in &layout.extras {
        draw_extra(model, *extra, *place, buffer);
    }
    let learning = match (&model.tutorial, layout.lesson) {
        (Some(course), Some(place)) => lesson::lesson(model, course, place, buffer),
        _ => None,
    };
    let typing = hints::hints(model, layout.hints, buffer);
    typing.or(learning).or(cursor)
}

fn draw_pane(model: &Model, pane: Pane, place: Rect, buffer: &mut Buffer) -> Option<Position> {
    match pane {
        Pane::Slots | Pane::Schema | Pane::Tables | Pane::Snapshot | Pane::Verify => {
            list::pane(model, pane, place, buffer)
        }
        Pane::Throughput => {
            throughput::pane(model, place, buffer);
            None
        }
        Pane::Logs => logs::pane(model, place, buffer),
    }
}

fn draw_extra(model: &Model, extra: Extra, place: Rect, buffer: &mut Buffer) {
    match extra {
        Extra::SlotDetail => detail::beside(model, Pane::Slots, "Slot", place, buffer),
        Extra::Statement => detail::beside(model, Pane::Schema, "Schema change", place, buffer),
        Extra::Batches => throughput::batches(model, place, buffer),
        Extra::Why => detail::beside(model, model.focus, "Why", place, buffer),
        Extra::Targets => logs::targets(model, place, buffer),
    }
}

/// Draws what stands over the dashboard; the inner option is its cursor.
fn overlay(model: &Model, layout: &Layout, buffer: &mut Buffer) -> Option<Option<Position>> {
    let room = room_of_overlays(layout, buffer.area);
    let open = model.overlay.as_ref()?;
    Some(match open {
        Overlay::Help(list) => help::help(model, list, room, buffer),
        Overlay::Palette(list) => help::palette(model, list, room, buffer),
        Overlay::Detail { pane, scroll } => {
            detail::over(model, *pane, *scroll, room, buffer);
            None
        }
        Overlay::Editor => {
            let open = model.editor.as_ref();
            open.and_then(|open| editor::editor(model, open, room, buffer))
        }
        Overlay::Question(question) => question::question(model, question, room, buffer),
    })
}
