//! The top of the screen: who, in which state, how far behind, and what is wrong.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Tabs, Widget as _};

use crate::console::action::{Action, Pane};
use crate::console::availability::{has_failed_change, refusal, refused};
use crate::console::layout::{Class, Layout};
use crate::console::model::Model;
use crate::console::status_glyph::{self, StatusGlyph};
use crate::console::theme::Role;
use crate::console::{format, hint, items, threshold};
use crate::status::{Failure, Phase, SILENT_AFTER_MS, Sample, SchemaState, Slot};

use super::paint::{self, Frame};
use super::plot::{self, Cells};
use super::snapshot;

fn span(model: &Model, text: impl Into<String>, role: Role) -> Span<'static> {
    Span::styled(text.into(), model.display.theme.style(role))
}

/// A state as a block: it must be seen from afar.
fn block(model: &Model, words: &str, role: Role) -> Span<'static> {
    let style = model
        .display
        .theme
        .style(role)
        .add_modifier(Modifier::REVERSED);
    Span::styled(format!(" {words} "), style)
}

/// The state in words, with what is left to wait: the state of now, also while the display is frozen.
fn phase_words(model: &Model) -> (StatusGlyph, String) {
    let status = &model.latest;
    let sign = status_glyph::of_phase(&status.phase);
    let mut words = format!("{} {}", sign.glyph, sign.word);
    if let (Phase::Copying, Some(snapshot)) = (&status.phase, &status.snapshot) {
        words += &format!(" {}", format::percent(snapshot.done()));
    }
    if let Phase::Retrying {
        attempt,
        next_at_ms,
    } = status.phase
    {
        let left = (next_at_ms - model.now_ms).max(0) / 1000;
        words += &format!(" #{attempt} in {left} s");
    }
    (sign, words)
}

/// How old the oldest change on its way is.
fn lag_words(model: &Model) -> String {
    format::known(model.lag().seconds, format::lag)
}

/// One line: pipeline, source and target, badges, state, running time.
pub(super) fn header(model: &Model, layout: &Layout, buffer: &mut Buffer) {
    let place = layout.header;
    let status = model.status();
    let (sign, words) = phase_words(model);
    let mut right = badges(model, layout.class);
    right.push(block(model, &words, sign.role));
    if layout.class == Class::Compact {
        let lag = format!("  lag {} ", lag_words(model));
        right.push(span(model, lag, Role::Text));
    } else {
        let running_s = model.now_ms.div_euclid(1000) - status.started_at_s;
        let running = match status.phase {
            Phase::Stopped | Phase::Crashed => "--:--:--".to_owned(),
            _ if status.started_at_s == 0 => "--:--:--".to_owned(),
            _ => format::uptime(running_s),
        };
        right.push(span(model, format!("  {running} "), Role::Text));
    }
    let right = Line::from(right);
    let room = usize::from(place.width).saturating_sub(right.width() + 1);
    paint::text(&left(model, layout, room), 0, place, buffer);
    paint::text_right(&right, 0, place, buffer);
}

/// As many words about the pipeline as there is room for, the name first.
fn left(model: &Model, layout: &Layout, room: usize) -> Line<'static> {
    let status = model.status();
    let screen = match model.focus {
        Pane::Snapshot => "Snapshot · ",
        Pane::Verify => "Verify · ",
        _ => "",
    };
    let mut name = format!(" {screen}{}", paint::clean(&model.pipeline));
    if Span::raw(name.as_str()).width() > room {
        name = paint::fit(&name, room, false);
    }
    let mut spans = vec![span(model, name, Role::Title)];
    let mut more = Vec::new();
    if layout.class != Class::Compact && !status.source.is_empty() {
        more.push(format!("  {} → {}", status.source, status.target));
    }
    if matches!(layout.class, Class::Wide | Class::Full) {
        if !status.slot_name.is_empty() && status.slot_name != model.pipeline {
            more.push(format!("   slot {}", status.slot_name));
        }
        if !status.plugin.is_empty() {
            more.push(format!("   {}", status.plugin));
        }
    }
    let mut used = Line::from(spans.clone()).width();
    for text in more {
        let text = paint::clean(&text);
        used += Span::raw(text.as_str()).width();
        if used > room {
            break;
        }
        spans.push(span(model, text, Role::Text));
    }
    Line::from(spans)
}

/// The sides that do not answer: as the engine finds while it works, else as our own look.
fn away(model: &Model) -> Vec<String> {
    let works = matches!(
        model.latest.phase,
        Phase::Streaming { .. } | Phase::Copying | Phase::Paused
    );
    if works {
        let seen = model.latest.seen;
        let sides = [("SOURCE", seen.source_ms), ("TARGET", seen.target_ms)];
        let silent = sides.into_iter().filter_map(|(side, seen_ms)| {
            let silent_ms = model.now_ms - seen_ms?;
            (silent_ms > SILENT_AFTER_MS)
                .then(|| format!("{side} SILENT FOR {} s", silent_ms / 1_000))
        });
        return silent.collect();
    }
    let Some(seen) = model.servers.seen.as_ref().filter(|_| model.is_at_rest()) else {
        return Vec::new();
    };
    let sides = [
        (&seen.source_trouble, "SOURCE AWAY"),
        (&seen.target_trouble, "TARGET AWAY"),
    ];
    let away = sides.into_iter().filter(|(trouble, _)| trouble.is_some());
    away.map(|(_, text)| text.to_owned()).collect()
}

fn badges(model: &Model, class: Class) -> Vec<Span<'static>> {
    let mut badges = Vec::new();
    let mut badge = |text: String, role| {
        badges.push(span(model, format!(" {text} "), role));
        badges.push(Span::raw(" "));
    };
    if let Some(frozen) = &model.frozen {
        let seconds = (model.now_ms - frozen.since_ms).max(0) / 1000;
        badge(format!("FROZEN +{seconds} s"), Role::Found);
    }
    if model.display.read_only {
        badge("READ-ONLY".to_owned(), Role::Warn);
    }
    if model.attached && !model.is_at_rest() {
        badge("ATTACHED".to_owned(), Role::Accent);
    }
    if model.tutorial.is_some() {
        badge("LESSON".to_owned(), Role::Accent);
    }
    if !model.latest.schema_log && model.latest.started_at_s != 0 {
        badge("ROWS ONLY".to_owned(), Role::Warn);
    }
    let unconfirmed = model.latest.unconfirmed.as_ref();
    if unconfirmed.is_some_and(|found| found.tables.is_empty()) {
        badge("NOT CONFIRMED".to_owned(), Role::Bad);
    }
    for text in away(model) {
        badge(text, Role::Warn);
    }
    if let Some((text, role)) = snapshot::badge(model, class) {
        badge(text, role);
    }
    badges
}

/// The figures in one line, whole figures only.
pub(super) fn figures(model: &Model, place: Rect, buffer: &mut Buffer) {
    let status = model.status();
    let latest = model.latest_sample();
    let (good, bad, open) = schema_counts(model);
    let lag = threshold::of_lag(model.lag().seconds);
    let batch = threshold::of_batch(status.batches.p95_ms);
    let wal = format::known(model.lag().bytes, format::bytes);
    let p95 = format::millis(status.batches.p95_ms);
    let figures = [
        (
            format!("lag {}{} / {wal}", lag_words(model), threshold::mark(lag)),
            lag,
        ),
        (
            format!("{} rows/s", format::rate(latest.rows.into())),
            Role::Text,
        ),
        (
            format!("{} tx/s", format::rate(latest.transactions.into())),
            Role::Text,
        ),
        (format!("batch p95 {p95}{}", threshold::mark(batch)), batch),
        (
            format!("ddl {} ✓ {bad} ✗ {open} !", format::count(good)),
            Role::Text,
        ),
    ];
    let mut line = Line::from(" ");
    for (text, role) in figures {
        if line.width() + Span::raw(text.as_str()).width() > usize::from(place.width) {
            break;
        }
        line.push_span(span(model, text, role));
        line.push_span("   ");
    }
    paint::text(&line, 0, place, buffer);
}

/// Schema changes that were applied, in this session or on record; that failed; that were not applied.
fn schema_counts(model: &Model) -> (u64, usize, usize) {
    let changes = items::changes(model);
    let count = |state: SchemaState| changes.iter().filter(|one| one.state == state).count();
    let others = changes
        .iter()
        .filter(|one| one.state != SchemaState::Applied);
    let others = u64::try_from(others.count()).unwrap_or(u64::MAX);
    // The record holds those of earlier sessions, too; the session knows the latest first.
    let recorded = model.servers.history.total.unwrap_or(0);
    let session = model.status().totals.schema_changes;
    (
        session.max(recorded.saturating_sub(others)),
        count(SchemaState::Failed),
        count(SchemaState::NotApplied),
    )
}

/// The tabs of a compact screen; they carry what would be seen in panes that are not shown.
pub(super) fn tabs(model: &Model, place: Rect, buffer: &mut Buffer) {
    let titles = tab_titles(model).map(Line::from);
    let selected = Pane::ALL.iter().position(|pane| *pane == model.focus);
    Tabs::new(titles)
        .select(selected)
        .style(model.display.theme.style(Role::Text))
        .highlight_style(model.display.theme.style(Role::Focus))
        .divider("")
        .padding("", " ")
        .render(tabs_place(place).intersection(buffer.area), buffer);
}

/// The tabs begin one cell from the edge.
fn tabs_place(place: Rect) -> Rect {
    Rect {
        x: place.x + 1,
        width: place.width.saturating_sub(1),
        ..place
    }
}

/// What the tabs say, in order; that of the pane that is shown stands in brackets.
fn tab_titles(model: &Model) -> [String; 5] {
    let (_, failed, open) = schema_counts(model);
    let short = ["Slots", "Schema", "Rate", "Logs", "Tables"];
    let mut titles = short.map(str::to_owned);
    for (pane, title) in Pane::ALL.into_iter().zip(&mut titles) {
        *title = format!("{} {title}", pane.number());
        if pane == Pane::Schema && failed > 0 {
            *title += &format!("✗{failed}");
        }
        if pane == Pane::Schema && open > 0 {
            *title += &format!("!{open}");
        }
        if pane == model.focus {
            *title = format!("[{title}]");
        }
    }
    titles
}

/// Returns the pane whose tab stands in this column.
pub(crate) fn tab_at(model: &Model, place: Rect, column: u16) -> Option<Pane> {
    let mut from = tabs_place(place).x;
    for (pane, title) in Pane::ALL.into_iter().zip(tab_titles(model)) {
        let to = from + u16::try_from(Span::raw(title).width()).unwrap_or(0);
        if (from..to).contains(&column) {
            return Some(pane);
        }
        from = to + 1;
    }
    None
}

/// One tile: its name, its figure and what that means, its recent course, and words about it.
struct Tile {
    title: &'static str,
    figure: String,
    role: Role,
    course: Vec<f64>,
    words: String,
}

/// How much of the course a tile shows.
const TILE_SECONDS: i64 = 60;

fn tile(title: &'static str, figure: String, words: String) -> Tile {
    Tile {
        title,
        figure,
        role: Role::Text,
        course: Vec::new(),
        words,
    }
}

impl Tile {
    fn meaning(self, role: Role) -> Self {
        let figure = format!("{}{}", self.figure, threshold::mark(role));
        Self {
            figure,
            role,
            ..self
        }
    }
}

fn rate_tiles(model: &Model) -> [Tile; 3] {
    let status = model.status();
    let cells = Cells::new(TILE_SECONDS, 60, status.at_ms.div_euclid(1000));
    let course = |value: fn(&Sample) -> f32| cells.course(&status.samples, |one| value(one).into());
    let peak = |values: &[f64]| {
        let peak = values.iter().copied().fold(0.0, f64::max);
        format!("peak {}", format::rate(peak))
    };
    let latest = model.latest_sample();
    let (rows, transactions) = (course(|one| one.rows), course(|one| one.transactions));
    let behind = match model.lag().bytes {
        Some(bytes) => format!("{} behind", format::bytes(bytes)),
        None if model.is_at_rest() => "not measured".to_owned(),
        None => "not known yet".to_owned(),
    };
    let (row_rate, rate) = (latest.rows.into(), latest.transactions.into());
    let lag = tile("Lag", lag_words(model), behind);
    let lag = lag.meaning(threshold::of_lag(model.lag().seconds));
    [
        Tile {
            course: course(|one| one.lag_s),
            ..lag
        },
        Tile {
            course: rows.clone(),
            ..tile("Rows/s", format::rate(row_rate), peak(&rows))
        },
        Tile {
            course: transactions.clone(),
            ..tile("Tx/s", format::rate(rate), peak(&transactions))
        },
    ]
}

fn state_tiles(model: &Model) -> [Tile; 3] {
    let status = model.status();
    let ours = status.slots.iter().find(|slot| slot.ours);
    let (good, bad, open) = schema_counts(model);
    let p95 = format!("p95 {}", format::millis(status.batches.p95_ms));
    let p50 = format!("p50 {}", format::millis(status.batches.p50_ms));
    let kept = format::maybe_bytes(ours.and_then(|slot| slot.retained_bytes));
    let to_go = match ours.map(|slot| slot.safe_wal_bytes) {
        _ if ours.is_some_and(Slot::is_lost) => "the slot is lost".to_owned(),
        Some(Some(bytes)) => format!("{} until lost", format::maybe_bytes(Some(bytes))),
        Some(None) => "no limit set".to_owned(),
        None => "not known yet".to_owned(),
    };
    let ddl = format!("{} ✓  {bad} ✗  {open} !", format::count(good));
    let recorded = model.servers.history.skipped.unwrap_or_default();
    let skipped = format!("{} skipped tx", recorded.max(status.totals.skipped));
    let ddl_role = match (bad, open) {
        (0, 0) => Role::Text,
        (0, _) => Role::Warn,
        (_, _) => Role::Bad,
    };
    [
        tile("Batch", p95, p50).meaning(threshold::of_batch(status.batches.p95_ms)),
        tile("WAL kept", kept, to_go).meaning(ours.map_or(Role::Text, threshold::of_kept)),
        Tile {
            role: ddl_role,
            ..tile("DDL", ddl, skipped)
        },
    ]
}

/// Six tiles: a figure each, with its recent course and what it means.
pub(super) fn tiles(model: &Model, places: &[Rect], buffer: &mut Buffer) {
    let theme = model.display.theme;
    let tiles = rate_tiles(model).into_iter().chain(state_tiles(model));
    for (place, tile) in places.iter().zip(tiles) {
        let titles = (tile.title, Line::default());
        let inner = paint::frame(theme, Frame::Pane, titles, *place, buffer);
        let figure = u16::try_from(Span::raw(tile.figure.as_str()).width()).unwrap_or(0);
        let role = if tile.role == Role::Text {
            Role::Title
        } else {
            tile.role
        };
        paint::text(
            &Line::from(span(model, tile.figure, role)),
            0,
            inner,
            buffer,
        );
        let room = inner.width.saturating_sub(figure + 2);
        let course = Rect {
            x: inner.right().saturating_sub(room),
            width: room,
            height: inner.height.min(1),
            ..inner
        };
        let top = tile.course.iter().copied().fold(0.0, f64::max);
        let role = if tile.role == Role::Text {
            Role::Good
        } else {
            tile.role
        };
        plot::draw(theme, (&tile.course, top), |_| role, course, buffer);
        let words = Line::from(span(model, tile.words, Role::Quiet));
        paint::text(&words, 1, inner, buffer);
    }
}

/// What is wrong, why, and what fixes it.
pub(super) fn banner(model: &Model, place: Rect, buffer: &mut Buffer) {
    let Some(failure) = &model.status().last_error else {
        return;
    };
    let last = place.height.saturating_sub(1);
    let lines = hint::banner(model, place.width);
    for (row, (text, role)) in (0..last).zip(lines) {
        paint::text(&Line::from(span(model, text, role)), row, place, buffer);
    }
    paint::text(&ways_out(model, failure, place.width), last, place, buffer);
}

/// The keys that lead out, as many as there is room for.
fn ways_out(model: &Model, failure: &Failure, width: u16) -> Line<'static> {
    let mut ways = vec![match model.status().phase {
        Phase::Retrying { .. } => (Action::RetryNow, "try again now"),
        Phase::Crashed | Phase::Stopped => (Action::RetryNow, "start the engine again"),
        _ => (Action::RetryNow, "retry"),
    }];
    if refused(model).is_some() && failure.transaction.is_some() {
        ways.push((Action::SkipTransaction, "skip it, recorded (asks)"));
    }
    if has_failed_change(model) && !model.display.read_only {
        ways.push((Action::GoSchema, "edit it"));
    }
    if model.status().refused_table().is_some() {
        ways.push((Action::GoTables, "its table"));
    }
    let mut spans = vec![Span::raw("   ")];
    let mut used = 3;
    ways.retain(|(action, _)| refusal(model, *action).is_none());
    for (action, words) in ways {
        let key = span(model, model.keymap.label(action), Role::Key);
        let words = span(model, format!(" {words}   "), Role::Text);
        used += key.width() + words.width();
        if used > usize::from(width) + 3 {
            break;
        }
        spans.extend([key, words]);
    }
    Line::from(spans)
}

/// All that fits into a window that is too small.
pub(super) fn too_small(model: &Model, buffer: &mut Buffer) {
    let place = buffer.area;
    let (sign, words) = phase_words(model);
    let lag = format!("lag {}", lag_words(model));
    let lines = [
        (format!("{words}  {lag}"), sign.role),
        (
            format!("window {}×{}", place.width, place.height),
            Role::Text,
        ),
        ("needs 40×10".to_owned(), Role::Text),
        (
            format!("{} quit", model.keymap.label(Action::Quit)),
            Role::Text,
        ),
    ];
    let from = place.height.saturating_sub(4) / 2;
    for (row, (text, role)) in (from..).zip(lines) {
        let line = Line::from(span(model, text, role));
        let width = u16::try_from(line.width()).unwrap_or(u16::MAX);
        let indent = place.width.saturating_sub(width) / 2;
        let centred = Rect {
            x: indent,
            width: place.width.saturating_sub(indent),
            ..place
        };
        paint::text(&line, row, centred, buffer);
    }
}
