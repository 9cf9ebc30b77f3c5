//! The top of the screen: who, in which state, how far behind, and what is wrong.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{self, Frame};
use super::{plot, snapshot};
use crate::console::action::{Action, Pane};
use crate::console::availability::{has_failed_change, refusal, refused};
use crate::console::format;
use crate::console::layout::{Class, Layout};
use crate::console::model::Model;
use crate::console::remedy;
use crate::console::sign::{self, Sign};
use crate::console::theme::Role;
use crate::engine::status::{Failure, Phase, Sample, SchemaState, Slot};

fn span(model: &Model, text: impl Into<String>, role: Role) -> Span<'static> {
    Span::styled(text.into(), model.look.theme.style(role))
}

/// The state in words, with what is left to wait.
fn phase_words(model: &Model) -> (Sign, String) {
    let status = model.status();
    let sign = sign::of_phase(&status.phase);
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
    format::known(model.lag().seconds, format::seconds)
}

/// One line: pipeline, source and target, badges, state, running time.
pub(super) fn header(model: &Model, layout: &Layout, buffer: &mut Buffer) {
    let place = layout.header;
    let status = model.status();
    let (sign, words) = phase_words(model);
    let mut right = badges(model, layout.class);
    right.push(span(model, words, sign.role));
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
    if model.look.read_only {
        badge("READ-ONLY".to_owned(), Role::Warn);
    }
    if model.course.is_some() {
        badge("LESSON".to_owned(), Role::Accent);
    }
    if !model.latest.schema_log && model.latest.started_at_s != 0 {
        badge("ROWS ONLY".to_owned(), Role::Warn);
    }
    let unconfirmed = model.latest.unconfirmed.as_ref();
    if unconfirmed.is_some_and(|found| found.tables.is_empty()) {
        badge("NOT CONFIRMED".to_owned(), Role::Bad);
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
    let figures = [
        format!(
            "lag {} / {}",
            lag_words(model),
            format::known(model.lag().bytes, format::bytes)
        ),
        format!("{} rows/s", format::rate(latest.rows.into())),
        format!("{} tx/s", format::rate(latest.transactions.into())),
        format!("batch p95 {}", format::millis(status.batches.p95_ms)),
        format!("ddl {good} ✓ {bad} ✗ {open} !"),
    ];
    let text = paint::whole_figures(" ", figures, usize::from(place.width));
    paint::text(&Line::from(span(model, text, Role::Text)), 0, place, buffer);
}

/// Schema changes that were applied, that failed, that need somebody.
fn schema_counts(model: &Model) -> (usize, usize, usize) {
    let changes = &model.status().schema_changes;
    let count = |state: SchemaState| changes.iter().filter(|one| one.state == state).count();
    (
        count(SchemaState::Applied),
        count(SchemaState::Failed),
        count(SchemaState::NotApplied),
    )
}

/// The tabs of a compact screen; they carry what would be seen in panes that are not shown.
pub(super) fn tabs(model: &Model, place: Rect, buffer: &mut Buffer) {
    let (_, failed, open) = schema_counts(model);
    let short = ["Slots", "Schema", "Rate", "Logs", "Tables"];
    let mut spans = vec![Span::raw(" ")];
    for (pane, name) in Pane::ALL.into_iter().zip(short) {
        let mut text = format!("{} {name}", pane.number());
        if pane == Pane::Schema && failed > 0 {
            text += &format!("✗{failed}");
        }
        if pane == Pane::Schema && open > 0 {
            text += &format!("!{open}");
        }
        if pane == model.focus {
            spans.push(span(model, format!("[{text}]"), Role::Focus));
        } else {
            spans.push(span(model, text, Role::Text));
        }
        spans.push(Span::raw(" "));
    }
    paint::text(&Line::from(spans), 0, place, buffer);
}

/// One tile: its name, its figure, the recent course of it, and what it means.
struct Tile {
    title: &'static str,
    figure: String,
    course: Vec<f64>,
    words: String,
}

fn tile(title: &'static str, figure: String, course: Vec<f64>, words: String) -> Tile {
    Tile {
        title,
        figure,
        course,
        words,
    }
}

/// How much of the course a tile shows.
const TILE_SECONDS: usize = 60;

fn rate_tiles(model: &Model) -> [Tile; 3] {
    let status = model.status();
    let samples = &status.samples[status.samples.len().saturating_sub(TILE_SECONDS)..];
    let course = |value: fn(&Sample) -> f32| -> Vec<f64> {
        samples.iter().map(|sample| value(sample).into()).collect()
    };
    let peak = |values: &[f64]| {
        let peak = values.iter().copied().fold(0.0, f64::max);
        format!("peak {}", format::rate(peak))
    };
    let latest = model.latest_sample();
    let (rows, transactions) = (course(|one| one.rows), course(|one| one.transactions));
    let (rows_peak, transactions_peak) = (peak(&rows), peak(&transactions));
    let behind = match model.lag().bytes {
        Some(bytes) => format!("{} behind", format::bytes(bytes)),
        None if model.is_at_rest() => "not measured".to_owned(),
        None => "not known yet".to_owned(),
    };
    let (row_rate, rate) = (latest.rows.into(), latest.transactions.into());
    [
        tile("Lag", lag_words(model), course(|one| one.lag_s), behind),
        tile("Rows/s", format::rate(row_rate), rows, rows_peak),
        tile("Tx/s", format::rate(rate), transactions, transactions_peak),
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
        Some(Some(bytes)) => format!("{} to go", format::maybe_bytes(Some(bytes))),
        Some(None) => "no limit set".to_owned(),
        None => "not known yet".to_owned(),
    };
    let ddl = format!("{good} ✓  {bad} ✗  {open} !");
    let skipped = format!("{} skipped tx", status.totals.skipped);
    [
        tile("Batch", p95, Vec::new(), p50),
        tile("WAL kept", kept, Vec::new(), to_go),
        tile("DDL", ddl, Vec::new(), skipped),
    ]
}

/// Six tiles: a figure each, with its recent course and what it means.
pub(super) fn tiles(model: &Model, places: &[Rect], buffer: &mut Buffer) {
    let theme = model.look.theme;
    let tiles = rate_tiles(model).into_iter().chain(state_tiles(model));
    for (place, tile) in places.iter().zip(tiles) {
        let titles = (tile.title, Line::default());
        let inner = paint::frame(theme, Frame::Pane, titles, *place, buffer);
        let taken = tile.figure.chars().count() + 2;
        let spark = plot::sparkline(&tile.course, usize::from(inner.width).saturating_sub(taken));
        let line = Line::from(vec![
            span(model, tile.figure, Role::Title),
            span(model, format!("  {spark}"), Role::Good),
        ]);
        paint::text(&line, 0, inner, buffer);
        let words = Line::from(span(model, tile.words, Role::Quiet));
        paint::text(&words, 1, inner, buffer);
    }
}

/// What is wrong, why, and what mends it.
pub(super) fn banner(model: &Model, place: Rect, buffer: &mut Buffer) {
    let Some(failure) = &model.status().last_error else {
        return;
    };
    let last = place.height.saturating_sub(1);
    let lines = remedy::banner(model, place.width);
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
        ways.push((Action::SkipTransaction, "skip, on record (asks)"));
    }
    if has_failed_change(model) {
        ways.push((Action::GoSchema, "edit it"));
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
