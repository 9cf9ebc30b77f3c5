//! The Verify screen beside its list: how far a comparison is, or what the last one has come to.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::console::action::Action;
use crate::console::model::Model;
use crate::console::theme::Role;
use crate::console::{format, status_glyph};
use crate::status::Verdict;

use super::gauge::gauge;
use super::paint::{self, Frame};

/// Draws how far it is, or the verdict: in a frame where there is room for one.
pub(super) fn totals(model: &Model, place: Rect, buffer: &mut Buffer) {
    let theme = model.display.theme;
    // Where nothing was compared here, the last proof stands inside.
    let beside = match (
        &model.proof.running,
        &model.proof.outcome,
        &model.proof.record,
    ) {
        (None, None, _) | (_, _, None) => String::new(),
        _ => on_record(model),
    };
    let inner = if place.height < 3 {
        place
    } else {
        let titles = ("Both sides", Line::styled(beside, theme.style(Role::Quiet)));
        paint::frame(theme, Frame::Pane, titles, place, buffer)
    };
    if model.proof.running.is_some() {
        return progress(model, inner, buffer);
    }
    let (text, role) = match &model.proof.outcome {
        Some(Ok(text)) => (text.clone(), outcome_role(model)),
        Some(Err(text)) => (text.clone(), Role::Bad),
        None => (on_record(model), Role::Text),
    };
    let line = Line::styled(format!(" {text}"), theme.style(role));
    paint::text(&line, 0, inner, buffer);
}

fn outcome_role(model: &Model) -> Role {
    match model.proof.count(Verdict::Different) + model.proof.count(Verdict::NotCompared) {
        0 => Role::Good,
        _ => Role::Bad,
    }
}

/// The last proof on record, with its age.
fn on_record(model: &Model) -> String {
    let Some((verified, at_ms)) = &model.proof.record else {
        return "nothing was compared here yet".to_owned();
    };
    let Some(last) = &verified.last else {
        return "not compared yet".to_owned();
    };
    let since = u64::try_from((model.now_ms - at_ms) / 1000).unwrap_or(0);
    let age = format::seconds(last.age_s + format::float(since));
    let word = status_glyph::of_verdict(last.verdict).word;
    format!("last proof: {word} at {}, {age} ago", last.lsn)
}

fn progress(model: &Model, place: Rect, buffer: &mut Buffer) {
    let progress = model.proof.progress;
    let expected = progress.rows_expected.max(progress.rows).max(1);
    let done = format::float(progress.rows) / format::float(expected);
    let repairs = model
        .proof
        .running
        .as_ref()
        .is_some_and(|(one, _)| one.repair);
    let words = vec![
        if repairs { "repairing" } else { "comparing" }.to_owned(),
        format!("tables {}/{}", progress.tables_done, progress.table_count),
        format!("{} rows", format::count(progress.rows)),
        format::bytes(progress.bytes),
    ];
    gauge(model.display.theme, done, words, place, buffer);
}

/// How many have which verdict, and what the list leaves out.
pub(super) fn summary(model: &Model) -> Line<'static> {
    let theme = model.display.theme;
    let mut spans = Vec::new();
    for verdict in [Verdict::Different, Verdict::NotCompared, Verdict::Equal] {
        let (sign, count) = (
            status_glyph::of_verdict(verdict),
            model.proof.count(verdict),
        );
        if count > 0 {
            let text = format!("{count} {}  ", sign.glyph);
            spans.push(Span::styled(text, theme.style(sign.role)));
        }
    }
    if model.proof.only_trouble {
        spans.push(Span::styled("only ✗ !", theme.style(Role::Found)));
    }
    Line::from(spans)
}

/// Why there is nothing to see, and how to change that.
pub(super) fn empty(model: &Model, inner: Rect, buffer: &mut Buffer) {
    let start = format!(
        "{} compares rows, schema and sequences of both sides at one position, while both are in use.",
        model.keymap.label(Action::VerifyStart)
    );
    let lines: &[&str] = match model.proof.running {
        _ if model.needle().is_some() => &["nothing matches"],
        _ if model.proof.only_trouble => &["nothing differs"],
        Some(_) => &["the first table is being compared"],
        None => &[&start],
    };
    let mut row = 1;
    for line in lines {
        row = super::explain::explain(model, line, row, inner, buffer);
    }
}
