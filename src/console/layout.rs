//! Where everything stands: a pure function of the window's size and of what is to be shown.
//!
//! A pane that does not fit is left out whole, never clipped. The classes are those of
//! `docs/architecture.md`: too small, compact (one pane at a time), standard, wide, full.

use ratatui::layout::{Constraint, Layout as Split, Rect, Size};

use super::action::Pane;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Below 40x10: state and lag only.
    TooSmall,
    /// Below 80x20: one pane at a time, with a line of tabs.
    Compact,
    /// From 80x20: a window of 24 rows and a multiplexer's line of status has room.
    Standard,
    /// From 120x40: figures become tiles.
    Wide,
    /// From 200x60: details stand beside the lists.
    Full,
}

/// Parts beside the panes that need much room; the first to be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    /// The selected slot in plain words.
    SlotDetail,
    /// The selected schema change.
    Statement,
    /// How long the latest batches took.
    Batches,
    /// The targets of the log, with their levels.
    Targets,
    /// Why the selected table's copy is as it is.
    Why,
}

/// What the layout must show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The pane that has the keys.
    pub(crate) focus: Pane,
    /// Which of Throughput and Tables stands in the place that they share.
    pub(crate) shared: Pane,
    /// Whether the focused pane takes all the room.
    pub(crate) zoom: bool,
    /// Rows of the banner that says what is wrong; none when nothing is.
    pub(crate) banner_rows: u16,
    /// Rows about the copy of existing tables; none when all is copied.
    pub(crate) copy_rows: u16,
    /// Rows of the lesson; none outside the tutorial.
    pub(crate) lesson_rows: u16,
}

/// The places of one screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) class: Class,
    pub(crate) header: Rect,
    /// One line of figures, the tabs of a compact screen, or what all copies have done together.
    pub(crate) figures: Rect,
    /// Six tiles instead of the line, on wide screens.
    pub(crate) tiles: Vec<Rect>,
    /// How far the copy of existing tables is, on the dashboard.
    pub(crate) copy: Option<Rect>,
    pub(crate) banner: Option<Rect>,
    pub(crate) lesson: Option<Rect>,
    pub(crate) panes: Vec<(Pane, Rect)>,
    pub(crate) extras: Vec<(Extra, Rect)>,
    pub(crate) hints: Rect,
}

impl Layout {
    /// Returns the place of a pane, none when it is not on the screen.
    pub(crate) fn place(&self, pane: Pane) -> Option<Rect> {
        let mut panes = self.panes.iter();
        panes
            .find(|(other, _)| *other == pane)
            .map(|(_, place)| *place)
    }

    /// Returns the pane at a position of the mouse.
    pub(crate) fn pane_at(&self, column: u16, row: u16) -> Option<(Pane, Rect)> {
        let mut panes = self.panes.iter();
        panes
            .find(|(_, place)| place.contains((column, row).into()))
            .copied()
    }
}

/// Returns the class of a window.
pub(crate) const fn class(size: Size) -> Class {
    match (size.width, size.height) {
        (0..40, _) | (_, 0..10) => Class::TooSmall,
        (0..80, _) | (_, 0..20) => Class::Compact,
        (0..120, _) | (_, 0..40) => Class::Standard,
        (0..200, _) | (_, 0..60) => Class::Wide,
        (_, _) => Class::Full,
    }
}

/// Lays the dashboard out.
pub(crate) fn dashboard(size: Size, wanted: Wanted) -> Layout {
    let class = class(size);
    let screen = Rect::new(0, 0, size.width, size.height);
    let is_dashboard = !wanted.focus.is_screen();
    let tall = matches!(class, Class::Wide | Class::Full) && is_dashboard;
    let figure_rows = match (is_dashboard, class) {
        (true, _) if tall => 4,
        (false, Class::Standard | Class::Wide | Class::Full) if size.height >= FRAMED_ROWS => 3,
        _ => 1,
    };
    let copy_rows = if is_dashboard { wanted.copy_rows } else { 0 };
    let [header, figures, copy, banner, body, lesson, hints] = Split::vertical([
        Constraint::Length(1),
        Constraint::Length(figure_rows),
        Constraint::Length(copy_rows),
        Constraint::Length(wanted.banner_rows),
        Constraint::Fill(1),
        Constraint::Length(wanted.lesson_rows),
        Constraint::Length(1),
    ])
    .areas(screen);
    let mut layout = Layout {
        class,
        header,
        figures,
        tiles: if tall { tiles(figures) } else { Vec::new() },
        copy: (copy_rows > 0).then_some(copy),
        banner: (wanted.banner_rows > 0).then_some(banner),
        lesson: (wanted.lesson_rows > 0).then_some(lesson),
        panes: Vec::new(),
        extras: Vec::new(),
        hints,
    };
    fill_body(&mut layout, body, wanted);
    layout
}

/// In a window of fewer rows the figures of the copies have no frame.
const FRAMED_ROWS: u16 = 24;
/// A body of fewer rows cannot hold three panes above each other.
const BODY_ROWS_MIN: u16 = 13;
/// A body of fewer rows cannot hold two.
const LOW_ROWS_MIN: u16 = 9;
/// Frame, headings and one row of a list: our own slot is the first.
const SLOT_ROWS_MIN: u16 = 4;

fn fill_body(layout: &mut Layout, body: Rect, wanted: Wanted) {
    match layout.class {
        Class::TooSmall => {}
        Class::Compact => layout.panes.push((wanted.focus, body)),
        _ if wanted.focus.is_screen() && !wanted.zoom => screen(layout, body, wanted.focus),
        _ if wanted.zoom || body.height < LOW_ROWS_MIN => {
            layout.panes.push((wanted.focus, body));
        }
        _ if body.height < BODY_ROWS_MIN => low(layout, body, wanted),
        Class::Full if body.height >= 44 => full(layout, body),
        Class::Full | Class::Wide | Class::Standard => rows(layout, body, wanted),
    }
}

/// The list above, why the selected row is as it is below: a third of the room, within what it can use.
fn screen(layout: &mut Layout, body: Rect, pane: Pane) {
    let why_rows = if body.height < BODY_ROWS_MIN {
        0
    } else {
        (body.height / 3).clamp(6, 16)
    };
    let [list, why] =
        Split::vertical([Constraint::Fill(1), Constraint::Length(why_rows)]).areas(body);
    layout.panes = vec![(pane, list)];
    if why_rows > 0 {
        layout.extras = vec![(Extra::Why, why)];
    }
}

/// Where a lesson or a failure leaves little room: our slot above, two panes side by side below.
fn low(layout: &mut Layout, body: Rect, wanted: Wanted) {
    let [slots, below] =
        Split::vertical([Constraint::Length(SLOT_ROWS_MIN), Constraint::Fill(1)]).areas(body);
    let [schema, other] =
        Split::horizontal([Constraint::Fill(11), Constraint::Fill(9)]).areas(below);
    let beside = match wanted.focus {
        Pane::Logs => Pane::Logs,
        _ => wanted.shared,
    };
    layout.panes = vec![
        (Pane::Slots, slots),
        (Pane::Schema, schema),
        (beside, other),
    ];
}

/// Slots above, schema log and throughput side by side, logs below.
fn rows(layout: &mut Layout, body: Rect, wanted: Wanted) {
    let slot_rows = if body.height >= 30 { 6 } else { 5 };
    let rest = body.height.saturating_sub(slot_rows);
    let [slots, middle, logs] = Split::vertical([
        Constraint::Length(slot_rows),
        Constraint::Fill(1),
        Constraint::Length(rest / 2),
    ])
    .areas(body);
    let [schema, shared] =
        Split::horizontal([Constraint::Fill(11), Constraint::Fill(9)]).areas(middle);
    layout.panes = vec![
        (Pane::Slots, slots),
        (Pane::Schema, schema),
        (wanted.shared, shared),
        (Pane::Logs, logs),
    ];
}

/// Three columns with the details beside the lists, logs below.
fn full(layout: &mut Layout, body: Rect) {
    let [above, below] = Split::vertical([Constraint::Fill(17), Constraint::Fill(10)]).areas(body);
    let [left, middle, right] = Split::horizontal([
        Constraint::Fill(37),
        Constraint::Fill(31),
        Constraint::Fill(32),
    ])
    .areas(above);
    let [slots, slot_detail, tables] = Split::vertical([
        Constraint::Length(7),
        Constraint::Fill(3),
        Constraint::Fill(2),
    ])
    .areas(left);
    let [throughput, batches] =
        Split::vertical([Constraint::Fill(2), Constraint::Length(12)]).areas(middle);
    let [schema, statement] =
        Split::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(right);
    let [targets, logs] =
        Split::horizontal([Constraint::Length(22), Constraint::Fill(1)]).areas(below);
    layout.panes = vec![
        (Pane::Slots, slots),
        (Pane::Tables, tables),
        (Pane::Throughput, throughput),
        (Pane::Schema, schema),
        (Pane::Logs, logs),
    ];
    layout.extras = vec![
        (Extra::SlotDetail, slot_detail),
        (Extra::Batches, batches),
        (Extra::Statement, statement),
        (Extra::Targets, targets),
    ];
}

fn tiles(row: Rect) -> Vec<Rect> {
    Split::horizontal([Constraint::Fill(1); 6])
        .split(row)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_begin_where_the_documentation_says() {
        for (width, height, expected) in [
            (1, 1, Class::TooSmall),
            (39, 60, Class::TooSmall),
            (40, 10, Class::Compact),
            (79, 60, Class::Compact),
            (80, 19, Class::Compact),
            (80, 20, Class::Standard),
            (300, 39, Class::Standard),
            (120, 40, Class::Wide),
            (200, 60, Class::Full),
        ] {
            assert_eq!(
                class(Size::new(width, height)),
                expected,
                "{width}x{height}"
            );
        }
    }

    #[test]
    fn places_stay_on_the_screen_and_never_overlap() {
        for width in (1..260).step_by(7) {
            for height in 1..90 {
                for (focus, zoom, banner_rows, copy_rows, lesson_rows) in [
                    (Pane::Logs, false, 0, 0, 0),
                    (Pane::Logs, false, 4, 1, 0),
                    (Pane::Logs, false, 4, 1, 9),
                    (Pane::Logs, true, 0, 0, 7),
                    (Pane::Snapshot, false, 4, 1, 9),
                    (Pane::Snapshot, true, 0, 1, 0),
                    (Pane::Verify, false, 4, 1, 9),
                ] {
                    let wanted = Wanted {
                        focus,
                        shared: Pane::Tables,
                        zoom,
                        banner_rows,
                        copy_rows,
                        lesson_rows,
                    };
                    check_places(&dashboard(Size::new(width, height), wanted), width, height);
                }
            }
        }
    }

    fn check_places(layout: &Layout, width: u16, height: u16) {
        let screen = Rect::new(0, 0, width, height);
        let panes = layout.panes.iter().map(|(_, place)| *place);
        let extras = layout.extras.iter().map(|(_, place)| *place);
        let mut places: Vec<Rect> = panes.chain(extras).collect();
        for place in &places {
            assert!(
                place.height >= 3 || layout.class == Class::Compact,
                "{layout:?}"
            );
        }
        places.extend([layout.header, layout.figures, layout.hints]);
        let others = layout.banner.iter().chain(&layout.lesson);
        places.extend(others.chain(&layout.copy));
        for (index, place) in places.iter().enumerate() {
            assert_eq!(place.intersection(screen), *place, "{layout:?}");
            for other in &places[..index] {
                assert!(place.intersection(*other).is_empty(), "{layout:?}");
            }
        }
    }
}
