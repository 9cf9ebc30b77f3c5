//! The lesson below the panes: what is reported, the steps with their signs, and what they have shown.

use std::cmp::Ordering;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::console::lesson::{LessonStep, Prompt, TutorialState};
use crate::console::model::Model;
use crate::console::theme::Role;

use super::paint::{self, Frame};

/// Draws the lesson; returns the cursor while a statement is typed.
pub(super) fn lesson(
    model: &Model,
    tutorial: &TutorialState,
    place: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.display.theme;
    let frame = if tutorial.focused {
        Frame::Focus
    } else {
        Frame::Pane
    };
    let current = tutorial.current()?;
    let title = format!(
        "Lesson {} of {} · {}",
        tutorial.lesson + 1,
        tutorial.lessons.len(),
        current.title
    );
    let state = Line::styled(state(model, tutorial), theme.style(Role::Quiet));
    let inner = paint::frame(theme, frame, (&title, state), place, buffer);
    if let Some(prompt) = &tutorial.prompt {
        return prompt_of(model, tutorial, prompt, inner, buffer);
    }
    let (lines, end) = lines(model, tutorial, usize::from(inner.width));
    let height = usize::from(inner.height);
    let first = end.saturating_sub(height).saturating_sub(tutorial.scroll);
    for (row, line) in (0..inner.height).zip(lines.iter().skip(first)) {
        paint::text(line, row, inner, buffer);
    }
    None
}

/// Returns how many rows the lesson needs: with its frame, all that is reported, its steps and what they
/// have shown. A prompt has room for an answer.
pub(crate) fn lesson_rows(model: &Model, tutorial: &TutorialState) -> u16 {
    if tutorial.prompt.is_some() {
        return u16::MAX;
    }
    let (lines, _) = lines(
        model,
        tutorial,
        usize::from(model.size.width.saturating_sub(2)),
    );
    u16::try_from(lines.len() + 2).unwrap_or(u16::MAX)
}

/// How far the lesson is, in a word.
fn state(model: &Model, tutorial: &TutorialState) -> String {
    match (tutorial.running, tutorial.is_done()) {
        (true, _) => "… running".to_owned(),
        (false, true) => "✓ done".to_owned(),
        (false, false) if tutorial.failure.is_some() => "✗ failed".to_owned(),
        (false, false) if !tutorial.may_go_on(model.display.read_only) => "read-only".to_owned(),
        (false, false) => String::new(),
    }
}

/// Returns the keys of a lesson that has them, and what they do.
pub(super) fn keys(model: &Model, tutorial: &TutorialState) -> Vec<(&'static str, &'static str)> {
    if tutorial.prompt.is_some() {
        return vec![
            ("Enter", "run"),
            ("Tab", "other side"),
            ("↑↓", "scroll"),
            ("Esc", "back"),
        ];
    }
    let go_on = match (tutorial.is_done(), tutorial.is_last()) {
        _ if tutorial.running || !tutorial.may_go_on(model.display.read_only) => None,
        (true, true) => Some("try your own SQL"),
        (true, false) => Some("next lesson"),
        (false, _) => Some("do it"),
    };
    let go_on = go_on.map(|words| ("Enter", words));
    let others = [("p", "SQL"), ("↑↓", "scroll"), ("Tab", "panes")];
    go_on.into_iter().chain(others).collect()
}

/// All lines of the lesson, and the number of the line behind the step in hand.
fn lines(model: &Model, tutorial: &TutorialState, width: usize) -> (Vec<Line<'static>>, usize) {
    let Some(current) = tutorial.current() else {
        return (Vec::new(), 0);
    };
    let mut lines = reported(model, tutorial, width);
    let mut end = lines.len();
    for (number, step) in current.steps.iter().enumerate() {
        lines.extend(step_lines(model, tutorial, (number, step), width));
        if number == tutorial.shown.len() {
            end = lines.len();
        }
    }
    let end = if tutorial.is_done() { lines.len() } else { end };
    (lines, end)
}

/// What is reported before anything happens; a line break of the text is a blank, an empty line is a
/// new paragraph.
fn reported(model: &Model, tutorial: &TutorialState, width: usize) -> Vec<Line<'static>> {
    let theme = model.display.theme;
    let text = tutorial.current().map_or("", |lesson| lesson.text.as_str());
    let paragraphs = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.is_empty())
        .map(|paragraph| paragraph.replace('\n', " "));
    let wrapped = paragraphs.flat_map(|paragraph| paint::wrap(&paragraph, width.saturating_sub(2)));
    let plain = theme.style(Role::Text);
    let mut lines: Vec<_> = wrapped
        .map(|text| Line::styled(format!(" {text}"), plain))
        .collect();
    if tutorial.lesson == 0 {
        let accent = theme.style(Role::Accent);
        let addresses = tutorial.addresses.iter();
        let parts = addresses.flat_map(|address| paint::wrap(address, width.saturating_sub(4)));
        lines.extend(parts.map(|part| Line::styled(format!("   {part}"), accent)));
    }
    lines
}

/// A step with its sign, and below it what it has shown or why it failed.
fn step_lines(
    model: &Model,
    tutorial: &TutorialState,
    (number, step): (usize, &LessonStep),
    width: usize,
) -> Vec<Line<'static>> {
    let theme = model.display.theme;
    let in_hand = number == tutorial.shown.len();
    let (sign, role) = match number.cmp(&tutorial.shown.len()) {
        Ordering::Less => ("✓", Role::Good),
        Ordering::Equal if tutorial.failure.is_some() => ("✗", Role::Bad),
        Ordering::Equal if tutorial.running => ("…", Role::Accent),
        Ordering::Equal => ("▶", Role::Title),
        Ordering::Greater => ("○", Role::Quiet),
    };
    let words = step.words.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = match in_hand {
        true => paint::wrap(&words, width.saturating_sub(4)),
        false => vec![paint::fit(&words, width.saturating_sub(4), false)],
    };
    let marks = std::iter::once(sign).chain(std::iter::repeat(" "));
    let mut lines: Vec<_> = parts
        .into_iter()
        .zip(marks)
        .map(|(part, mark)| Line::styled(format!(" {mark} {part}"), theme.style(role)))
        .collect();
    if let Some(by_hand) = step
        .by_hand
        .as_ref()
        .filter(|_| in_hand && !tutorial.running)
    {
        let parts = paint::wrap(&format!("or by hand:  {by_hand}"), width.saturating_sub(6));
        let quiet = theme.style(Role::Quiet);
        lines.extend(
            parts
                .into_iter()
                .map(|part| Line::styled(format!("     {part}"), quiet)),
        );
    }
    let shown = tutorial.shown.get(number).into_iter().flatten();
    let plain = theme.style(Role::Text);
    lines.extend(shown.map(|text| {
        let text = paint::fit(&format!("     {text}"), width, false);
        Line::styled(text, plain)
    }));
    if let Some(problem) = tutorial.failure.as_ref().filter(|_| in_hand) {
        let parts = paint::wrap(problem, width.saturating_sub(6));
        let bad = theme.style(Role::Bad);
        lines.extend(
            parts
                .into_iter()
                .map(|part| Line::styled(format!("     {part}"), bad)),
        );
    }
    lines
}

fn prompt_of(
    model: &Model,
    tutorial: &TutorialState,
    prompt: &Prompt,
    inner: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.display.theme;
    let side = if prompt.on_target { "target" } else { "source" };
    let head = format!(" {side}> ");
    let room = usize::from(inner.width).saturating_sub(head.len() + 1);
    let (typed, column) = paint::field(prompt.input.value(), &prompt.input, room);
    let column = u16::try_from(head.len() + column).unwrap_or(0);
    let line = Line::from(vec![
        Span::styled(head, theme.style(Role::Title)),
        Span::styled(typed, theme.style(Role::Text)),
    ]);
    paint::text(&line, 0, inner, buffer);
    let waiting = ["… running".to_owned()];
    let shown = if tutorial.running {
        &waiting[..]
    } else {
        &prompt.shown[..]
    };
    let width = usize::from(inner.width);
    for (row, text) in (2..inner.height).zip(shown.iter().skip(prompt.scroll)) {
        let text = paint::fit(&format!("   {text}"), width, false);
        paint::text(
            &Line::styled(text, theme.style(Role::Text)),
            row,
            inner,
            buffer,
        );
    }
    Some(Position::new(
        inner.x + column.min(inner.width.saturating_sub(1)),
        inner.y,
    ))
}
