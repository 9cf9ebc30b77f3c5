//! The log pane, drawn by tui-logger: its widget on the dashboard, its smart widget with the target
//! selector in the zoomed pane.
//!
//! tui-logger keeps what it draws, and the levels that it draws by, in one place of the process. That
//! place is filled anew for each picture, from the model: with the lines that fit into the pane, and
//! with the levels of the targets. So what is read or frozen stands still, a search can lead
//! anywhere, and two pictures of one model are the same.

use std::sync::{Mutex, PoisonError};

use log::LevelFilter as DrawnFilter;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout as Split, Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget as _;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tui_logger::{
    Drain, TuiLoggerSmartWidget, TuiLoggerTargetWidget, TuiLoggerWidget, TuiWidgetEvent,
    TuiWidgetState,
};

use crate::console::action::{Action, Pane};
use crate::console::format;
use crate::console::model::Model;
use crate::console::model::logs::{LogLine, Logs};
use crate::console::theme::{Role, Theme};

use super::paint::{self, Frame};

/// Whoever draws has tui-logger's place for himself.
static DRAWING: Mutex<()> = Mutex::new(());

/// Cells that tui-logger leaves blank before all rows of a line but the first.
const INDENT: usize = 9;
/// The selector is as wide as its longest target, and so much wider: five levels, a colon, a frame.
const SELECTOR_MORE: usize = 8;
/// Lines that are narrower cannot be read.
const LINES_WIDTH_MIN: u16 = 28;
/// tui-logger takes so many lines at once; no window is higher.
const ROWS_MAX: usize = 900;

/// Draws the pane; returns where the selected line stands.
pub(super) fn pane(model: &Model, place: Rect, buffer: &mut Buffer) -> Option<Position> {
    let _mine = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    let theme = model.display.theme;
    let place = place.intersection(buffer.area);
    let keys = model.has_selector_keys();
    let [selector, lines] = split(model, place);
    let state = state(&model.logs);
    if lines.is_empty() {
        hand_over(&Shown::default(), &model.logs);
        selector_widget(theme, keys)
            .state(&state)
            .render(paint::inside(selector), buffer);
    }
    let inner = paint::inside(lines);
    let shown = shown(model, inner);
    hand_over(&shown, &model.logs);
    if selector.is_empty() {
        widget(theme).state(&state).render(inner, buffer);
    } else if !lines.is_empty() {
        smart_widget(theme, keys)
            .state(&state)
            .render(place, buffer);
    }
    if !selector.is_empty() {
        // Its own title tells a rate of what was handed over, which is what fits into the pane.
        let title = ("Targets", Line::default());
        paint::frame(theme, frame_of(keys), title, selector, buffer);
    }
    if lines.is_empty() {
        return None;
    }
    let focused = model.has_keys(Pane::Logs) && !keys;
    let title = ("4 Logs", summary(model));
    paint::frame(theme, frame_of(focused), title, lines, buffer);
    if shown.entries.is_empty() {
        nothing(model, inner, buffer);
        return None;
    }
    paint::scrollbar(theme, shown.rows, lines, buffer);
    mark(model, &shown, inner, buffer)
}

/// Draws the target selector beside the other panes.
pub(super) fn targets(model: &Model, place: Rect, buffer: &mut Buffer) {
    let _mine = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    let theme = model.display.theme;
    let title = ("· Targets", Line::default());
    let inner = paint::frame(theme, Frame::Pane, title, place, buffer);
    hand_over(&Shown::default(), &model.logs);
    selector_widget(theme, false)
        .state(&state(&model.logs))
        .render(inner, buffer);
}

const fn frame_of(focused: bool) -> Frame {
    if focused { Frame::Focus } else { Frame::Pane }
}

/// The places of the selector and of the lines, as the smart widget has them in the zoomed pane. Where
/// there is no room for both, the selector has it while it has the keys.
fn split(model: &Model, place: Rect) -> [Rect; 2] {
    let smart = model.zoom && model.focus == Pane::Logs && !model.logs.selector.hidden;
    let names = model.logs.listed().map(|(name, _)| name.chars().count());
    let width = u16::try_from(names.max().unwrap_or(0) + SELECTOR_MORE).unwrap_or(u16::MAX);
    match (smart, place.width >= width.saturating_add(LINES_WIDTH_MIN)) {
        (true, true) => {
            Split::horizontal([Constraint::Length(width), Constraint::Min(10)]).areas(place)
        }
        (true, false) if model.has_selector_keys() => [place, Rect::default()],
        _ => [Rect::default(), place],
    }
}

/// One line as it is handed over: with each of its rows.
struct Entry {
    /// Its number, or that of the first line of a gap.
    number: u64,
    level: Level,
    target: &'static str,
    rows: Vec<String>,
    is_gap: bool,
}

/// What fits into the pane.
#[derive(Default)]
struct Shown {
    entries: Vec<Entry>,
    /// For the scrollbar: the first one shown, how many there are, how many fit.
    rows: (usize, usize, usize),
}

fn shown(model: &Model, inner: Rect) -> Shown {
    let logs = &model.logs;
    let height = usize::from(inner.height).min(ROWS_MAX);
    let width = usize::from(inner.width);
    let (numbers, rows) = match logs.selected {
        // Thousands of lines may be kept; while it follows only the last are needed.
        None => (logs.latest(height), (usize::MAX, logs.kept(), height)),
        Some(selected) => {
            let visible = logs.visible();
            let index = visible.partition_point(|other| *other < selected);
            let first = logs.offset.top(index, (visible.len(), height));
            let numbers = visible.iter().skip(first).take(height).copied().collect();
            (numbers, (first, visible.len(), height))
        }
    };
    let mut entries: Vec<Entry> = numbers
        .into_iter()
        .map(|number| entry(model, number, width))
        .collect();
    neighbours(&mut entries);
    if let Some(selected) = logs.selected {
        drop_below(&mut entries, selected, height);
    }
    Shown { entries, rows }
}

fn entry(model: &Model, number: u64, width: usize) -> Entry {
    match model.logs.get(number) {
        Some(line) => Entry {
            number,
            level: line.level,
            target: line.target,
            rows: rows(model, line, width),
            is_gap: false,
        },
        None => Entry {
            number,
            level: Level::WARN,
            target: Default::default(),
            rows: vec![model.logs.gap_words(number)],
            is_gap: true,
        },
    }
}

/// A gap belongs to no target: it goes where the line beside it goes.
fn neighbours(entries: &mut Vec<Entry>) {
    let lines = entries.iter().filter(|entry| !entry.is_gap);
    let beside = lines.map(|line| (line.level, line.target)).next_back();
    let Some((level, target)) = beside else {
        return entries.clear();
    };
    for gap in entries.iter_mut().filter(|entry| entry.is_gap) {
        (gap.level, gap.target) = (level, target);
    }
}

/// tui-logger shows the end of what it has: the selected line must be in it.
fn drop_below(entries: &mut Vec<Entry>, selected: u64, height: usize) {
    let mut used = 0;
    let kept = entries.iter().take_while(|entry| {
        used += entry.rows.len();
        used <= height || entry.number <= selected
    });
    let kept = kept.count();
    entries.truncate(kept);
}

/// The rows of one line: one, or several when it wraps.
fn rows(model: &Model, line: &LogLine, width: usize) -> Vec<String> {
    let time = format::time_of_day(line.at_ms, &model.zone);
    let letter = line.level.as_str().get(..1).unwrap_or("?");
    let head = format!("{time} {letter} {} ", paint::fit(line.target, 8, false));
    let text = paint::clean(&line.text());
    if model.logs.wrap {
        return paint::wrap(&format!("{head}{text}"), width.saturating_sub(INDENT));
    }
    let room = width.saturating_sub(head.chars().count());
    let text = paint::part(&text, model.logs.scroll_x, room);
    vec![format!("{head}{text}")]
}

/// Fills tui-logger's place with what is to be drawn.
fn hand_over(shown: &Shown, logs: &Logs) {
    for (target, levels) in logs.targets() {
        tui_logger::set_level_for_target(target, drawn(levels.captured));
    }
    tui_logger::set_buffer_depth(shown.entries.len().max(1));
    let drain = Drain::new();
    for entry in &shown.entries {
        let text = entry.rows.join("\n");
        let level = match entry.level {
            Level::ERROR => log::Level::Error,
            Level::WARN => log::Level::Warn,
            Level::INFO => log::Level::Info,
            Level::DEBUG => log::Level::Debug,
            Level::TRACE => log::Level::Trace,
        };
        drain.log(
            &log::Record::builder()
                .level(level)
                .target(entry.target)
                .args(format_args!("{text}"))
                .build(),
        );
    }
    tui_logger::move_events();
}

fn drawn(level: LevelFilter) -> DrawnFilter {
    match level.into_level() {
        None => DrawnFilter::Off,
        Some(Level::ERROR) => DrawnFilter::Error,
        Some(Level::WARN) => DrawnFilter::Warn,
        Some(Level::INFO) => DrawnFilter::Info,
        Some(Level::DEBUG) => DrawnFilter::Debug,
        Some(Level::TRACE) => DrawnFilter::Trace,
    }
}

/// tui-logger's own state, from ours. It selects a target only among those that it has drawn.
fn state(logs: &Logs) -> TuiWidgetState {
    let mut state = TuiWidgetState::new();
    for (target, levels) in logs.targets() {
        state = state.set_level_for_target(target, drawn(levels.shown));
    }
    let selector = &logs.selector;
    if selector.hide_off {
        state.transition(TuiWidgetEvent::SpaceKey);
    }
    let scratch = Rect::new(0, 0, 8, 1);
    TuiLoggerTargetWidget::default()
        .state(&state)
        .render(scratch, &mut Buffer::empty(Rect::new(0, 0, 64, 1)));
    for _ in 0..selector.selected {
        state.transition(TuiWidgetEvent::DownKey);
    }
    if selector.only {
        state.transition(TuiWidgetEvent::FocusKey);
    }
    if selector.hidden {
        state.transition(TuiWidgetEvent::HideKey);
    }
    state
}

/// All of a line is in its text: time, level and target stand there in our own order.
fn widget(theme: Theme) -> TuiLoggerWidget<'static> {
    TuiLoggerWidget::default()
        .output_timestamp(None)
        .output_level(None)
        .output_target(false)
        .output_file(false)
        .output_line(false)
        .style_error(theme.style(level_role(Level::ERROR)))
        .style_warn(theme.style(level_role(Level::WARN)))
        .style_info(theme.style(level_role(Level::INFO)))
        .style_debug(theme.style(level_role(Level::DEBUG)))
        .style_trace(theme.style(level_role(Level::TRACE)))
}

fn smart_widget(theme: Theme, has_keys: bool) -> TuiLoggerSmartWidget<'static> {
    TuiLoggerSmartWidget::default()
        .output_timestamp(None)
        .output_level(None)
        .output_target(false)
        .output_file(false)
        .output_line(false)
        .style_error(theme.style(level_role(Level::ERROR)))
        .style_warn(theme.style(level_role(Level::WARN)))
        .style_info(theme.style(level_role(Level::INFO)))
        .style_debug(theme.style(level_role(Level::DEBUG)))
        .style_trace(theme.style(level_role(Level::TRACE)))
        .style_show(theme.style(Role::Key))
        .style_hide(theme.style(Role::Quiet))
        .highlight_style(theme.style(highlight(has_keys)))
}

fn selector_widget(theme: Theme, has_keys: bool) -> TuiLoggerTargetWidget<'static> {
    TuiLoggerTargetWidget::default()
        .style_show(theme.style(Role::Key))
        .style_hide(theme.style(Role::Quiet))
        .highlight_style(theme.style(highlight(has_keys)))
}

const fn highlight(has_keys: bool) -> Role {
    if has_keys { Role::Selected } else { Role::Text }
}

const fn level_role(level: Level) -> Role {
    match level {
        Level::ERROR => Role::Bad,
        Level::WARN => Role::Warn,
        Level::INFO => Role::Text,
        Level::DEBUG | Level::TRACE => Role::Quiet,
    }
}

/// Marks gaps, what a search has found, and the selected line; returns where that one stands.
fn mark(model: &Model, shown: &Shown, inner: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = model.display.theme;
    let focused = model.has_keys(Pane::Logs);
    let total: usize = shown.entries.iter().map(|entry| entry.rows.len()).sum();
    let mut hidden = total.saturating_sub(usize::from(inner.height));
    let mut row = 0;
    let mut cursor = None;
    for entry in &shown.entries {
        let above = entry.rows.len().min(hidden);
        hidden -= above;
        let height = u16::try_from(entry.rows.len() - above).unwrap_or(0);
        let place = Rect::new(inner.x, inner.y + row, inner.width, height).intersection(inner);
        row += height;
        if entry.is_gap {
            buffer.set_style(place, theme.style(Role::Warn));
        }
        if let Some(needle) = model.needle().filter(|_| focused) {
            paint::mark_found(theme, &needle, place, buffer);
        }
        if Some(entry.number) == model.logs.selected && focused {
            paint::select(theme, place, buffer);
            cursor = Some(place.as_position());
        }
    }
    cursor
}

fn nothing(model: &Model, inner: Rect, buffer: &mut Buffer) {
    let levels = model.keymap.label(Action::Targets);
    let text = match model.logs.end() {
        0 => "  nothing has been logged yet".to_owned(),
        _ => format!("  nothing at these levels; {levels} chooses them"),
    };
    let style = model.display.theme.style(Role::Quiet);
    paint::text(&Line::styled(text, style), 0, inner, buffer);
}

fn summary(model: &Model) -> Line<'static> {
    let theme = model.display.theme;
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
