//! The log pane: the newest line at the bottom while it follows; the selected line in the middle
//! while somebody reads, however many new ones arrive.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use tracing::Level;

use super::paint::{self, Frame};
use crate::console::action::Pane;
use crate::console::format;
use crate::console::model::Model;
use crate::console::model::logs::{LEVELS, LogLine};
use crate::console::theme::Role;

/// Draws the pane; returns where the selected line stands.
pub(super) fn pane(model: &Model, place: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = model.look.theme;
    let focused = model.has_keys(Pane::Logs);
    let frame = if focused { Frame::Focus } else { Frame::Pane };
    let inner = paint::frame(theme, frame, ("4 Logs", summary(model)), place, buffer);
    let visible = match model.logs.selected {
        Some(_) => model.logs.visible(),
        // Thousands of lines may be kept; while it follows only the last are needed.
        None => model.logs.latest(usize::from(inner.height).max(1)),
    };
    if visible.is_empty() {
        let text = match model.logs.end() {
            0 => "  nothing has been logged yet",
            _ => "  nothing at these levels; t chooses them",
        };
        let text = Line::styled(text, theme.style(Role::Quiet));
        paint::text(&text, 0, inner, buffer);
        return None;
    }
    let height = usize::from(inner.height);
    let last = visible.len() - 1;
    let selected = match model.logs.selected {
        Some(number) => visible.partition_point(|other| *other < number).min(last),
        None => last,
    };
    let first = match model.logs.selected {
        Some(_) => model.logs.offset.top(selected, (visible.len(), height)),
        None => visible.len().saturating_sub(height),
    };
    let rows = match model.logs.selected {
        Some(_) => (first, visible.len(), height),
        None => (usize::MAX, model.logs.kept(), height),
    };
    paint::scrollbar(theme, rows, place, buffer);
    let shown = &visible[first..visible.len().min(first + height)];
    let mut lines: Vec<(bool, Line<'static>)> = Vec::new();
    for number in shown {
        let marked = Some(*number) == model.logs.selected;
        let texts = match model.logs.get(*number) {
            Some(line) => texts(model, line, usize::from(inner.width), focused),
            None => vec![Line::styled(
                model.logs.gap_words(*number),
                theme.style(Role::Warn),
            )],
        };
        lines.extend(texts.into_iter().map(|text| (marked, text)));
    }
    // Wrapped lines may be more than fit: the end counts while following, the selection else.
    let surplus = lines.len().saturating_sub(height);
    let skip = match model.logs.selected {
        None => surplus,
        Some(_) => lines
            .iter()
            .position(|(marked, _)| *marked)
            .map_or(0, |at| at.saturating_sub(height / 2))
            .min(surplus),
    };
    let mut cursor = None;
    for (row, (marked, line)) in (0..inner.height).zip(lines.into_iter().skip(skip)) {
        paint::text(&line, row, inner, buffer);
        if marked && focused {
            let bar = Rect::new(inner.x, inner.y + row, inner.width, 1);
            paint::select(theme, bar, buffer);
            cursor = cursor.or(Some(Position::new(inner.x, inner.y + row)));
        }
    }
    cursor
}

fn summary(model: &Model) -> Line<'static> {
    let theme = model.look.theme;
    let following = match (&model.frozen, model.logs.selected) {
        (Some(_), _) => "‖ frozen".to_owned(),
        (None, None) => "▼ follow".to_owned(),
        (None, Some(number)) => match model.logs.end().saturating_sub(number + 1) {
            0 => "▲ reading".to_owned(),
            newer => format!("▲ reading, {} newer", format::count(newer)),
        },
    };
    let lost = match model.logs.lost {
        0 => String::new(),
        lost => format!("{} lines lost · ", format::count(lost)),
    };
    let wrap = if model.logs.wrap { " · wrap" } else { "" };
    let levels = model.logs.level_words();
    Line::styled(
        format!("{lost}{following}{wrap} · {levels}"),
        theme.style(Role::Quiet),
    )
}

const fn level_role(level: Level) -> Role {
    match level {
        Level::ERROR => Role::Bad,
        Level::WARN => Role::Warn,
        Level::INFO => Role::Text,
        _ => Role::Quiet,
    }
}

/// One line of the log as one line of the pane, or several when it wraps.
fn texts(model: &Model, line: &LogLine, width: usize, focused: bool) -> Vec<Line<'static>> {
    let theme = model.look.theme;
    let time = format::time_of_day(line.at_ms, &model.zone);
    let letter = line.level.as_str().get(..1).unwrap_or("?").to_owned();
    let head = format!("{time} {letter} {} ", paint::fit(line.target, 8, false));
    let room = width.saturating_sub(head.chars().count());
    let text = paint::clean(&line.text());
    let needle = model.needle().filter(|_| focused);
    let role = level_role(line.level);
    let body = |part: &str| paint::found(theme, part, needle.as_deref(), role);
    if !model.logs.wrap {
        let scrolled = paint::from_cell(&text, model.logs.scroll_x);
        let mut spans = body(&head);
        spans.extend(body(paint::fit(&scrolled, room, false).trim_end()));
        return vec![Line::from(spans)];
    }
    let indent = " ".repeat(head.chars().count());
    let parts = paint::wrap(&text, room);
    let lines = parts.iter().enumerate().map(|(index, part)| {
        let head = if index == 0 {
            head.clone()
        } else {
            indent.clone()
        };
        let mut spans = body(&head);
        spans.extend(body(part));
        Line::from(spans)
    });
    lines.collect()
}

/// Draws which levels of which targets are shown.
pub(super) fn levels(
    model: &Model,
    selected: Option<usize>,
    title: &str,
    place: Rect,
    buffer: &mut Buffer,
) {
    let theme = model.look.theme;
    let frame = if selected.is_some() {
        Frame::Over
    } else {
        Frame::Pane
    };
    let inner = paint::frame(theme, frame, (title, Line::default()), place, buffer);
    for (row, (index, (target, levels))) in (0..inner.height).zip(model.logs.targets().enumerate())
    {
        let letters: String = LEVELS
            .iter()
            .map(|level| {
                if *level <= levels.shown {
                    &level.as_str()[..1]
                } else {
                    "·"
                }
            })
            .collect();
        let mark = match selected {
            Some(marked) if marked == index => "▶ ",
            Some(_) => "  ",
            None => "",
        };
        let role = if selected == Some(index) {
            Role::Selected
        } else {
            Role::Text
        };
        let text = format!("{mark}{letters}  {target}");
        paint::text(&Line::styled(text, theme.style(role)), row, inner, buffer);
    }
}

/// Draws the levels over the dashboard, to change them.
pub(super) fn levels_over(model: &Model, selected: usize, room: Rect, buffer: &mut Buffer) {
    let count = u16::try_from(model.logs.targets().count()).unwrap_or(u16::MAX);
    let place = paint::centered(44, count.saturating_add(2).max(4), room, buffer);
    levels(
        model,
        Some(selected),
        "Levels · ← less  → more",
        place,
        buffer,
    );
}
