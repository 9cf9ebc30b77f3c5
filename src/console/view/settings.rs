//! The configuration screen: the sections, the variables of one of them, and below what the selected
//! one means. A narrow window has no list of sections and shows all variables in one.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout as Split, Position, Rect};
use ratatui::text::{Line, Span};

use crate::config::{Origin, Resolved, Section, Variable, key, redact};
use crate::console::model::Model;
use crate::console::model::cursor::first_visible;
use crate::console::settings::Settings;
use crate::console::theme::Role;

use super::paint::{self, Frame};

/// The list of sections with its frame.
const SECTIONS_WIDTH: u16 = 15;
/// Below this there is no room beside it.
const WIDE_FROM: u16 = 80;

/// A lower window shows each fact once, and no headings.
const LOW_BELOW: u16 = 16;

/// Draws the screen; returns the cursor.
pub(super) fn settings(
    model: &Model,
    settings: &Settings,
    buffer: &mut Buffer,
) -> Option<Position> {
    let low = buffer.area.height < LOW_BELOW;
    let below = if low { 6 } else { 9 };
    let [body, _] =
        Split::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(buffer.area);
    let wide = body.width >= WIDE_FROM;
    let left = if wide { SECTIONS_WIDTH } else { 0 };
    let [left, right] =
        Split::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(body);
    let [list, detail] =
        Split::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(right);
    if wide {
        sections(model, settings, left, buffer);
    }
    let inner = titled(model, settings, list, buffer);
    let sheet = Sheet { model, settings };
    let heading_rows = u16::from(!low);
    if !low {
        sheet.heading(wide, inner, buffer);
    }
    let [_, list] =
        Split::vertical([Constraint::Length(heading_rows), Constraint::Fill(1)]).areas(inner);
    let cursor = sheet.rows(wide, list, buffer);
    let typing = sheet.meaning(low, detail, buffer);
    typing.or(cursor)
}

/// What the keys do, the most needed first.
pub(super) fn keys(settings: &Settings) -> Vec<(&'static str, &'static str)> {
    match settings.editing {
        Some(_) if settings.choices().is_some() => {
            vec![("← →", "choose"), ("Enter", "accept"), ("Esc", "leave it")]
        }
        Some(_) => vec![("Enter", "accept"), ("Esc", "leave it")],
        None => vec![
            ("Enter", "change"),
            ("d", "diff and save"),
            ("Esc", "leave"),
            ("← →", "section"),
            ("Bksp", "take back"),
        ],
    }
}

/// The frame of the variables: their section, and the file or how much of it is not saved.
fn titled(model: &Model, settings: &Settings, place: Rect, buffer: &mut Buffer) -> Rect {
    let theme = model.display.theme;
    let file = settings
        .path
        .as_ref()
        .map_or("no file".to_owned(), |path| path.display().to_string());
    let summary = match settings.changes.len() {
        0 => Line::styled(file, theme.style(Role::Quiet)),
        count => Line::styled(format!("{count} not saved"), theme.style(Role::Warn)),
    };
    let section = settings.section().map_or("", Section::name);
    let title = format!("Config · {section}");
    paint::frame(theme, Frame::Focus, (&title, summary), place, buffer)
}

fn sections(model: &Model, settings: &Settings, place: Rect, buffer: &mut Buffer) {
    let theme = model.display.theme;
    let titles = ("Section", Line::default());
    let inner = paint::frame(theme, Frame::Pane, titles, place, buffer);
    let here = settings.section();
    for (row, section) in (0..inner.height).zip(Section::ALL) {
        let rows = &settings.rows[settings.within(section)];
        let changed = |row: &Resolved| settings.changes.contains_key(row.variable.key);
        let sign = if rows.iter().any(changed) { "~" } else { " " };
        let (mark, role) = match here == Some(section) {
            true => ("▶", Role::Title),
            false => (" ", Role::Text),
        };
        let text = format!("{mark} {:<8} {sign}", section.name());
        paint::text(&Line::styled(text, theme.style(role)), row, inner, buffer);
    }
}

/// The widths of the columns: name, value, default, origin; a column without room has none.
fn columns(width: u16, wide: bool) -> [usize; 4] {
    let width = usize::from(width).saturating_sub(3);
    let name = if wide { 22 } else { width / 2 };
    let [default, origin] = match width {
        ..60 => [0, 0],
        60..90 => [13, 11],
        _ => [26, 24],
    };
    let value = width.saturating_sub(name + default + origin + 3);
    [name, value, default, origin]
}

/// Writes into the screen's two frames.
struct Sheet<'a> {
    model: &'a Model,
    settings: &'a Settings,
}

impl Sheet<'_> {
    fn span(&self, text: &str, width: usize, role: Role) -> Span<'static> {
        let text = paint::fit(text, width, false) + " ";
        Span::styled(text, self.model.display.theme.style(role))
    }

    fn heading(&self, wide: bool, inner: Rect, buffer: &mut Buffer) {
        let heads = ["SETTING", "VALUE", "DEFAULT", "FROM"];
        let shown = heads.into_iter().zip(columns(inner.width, wide));
        let mut head = vec![Span::raw("  ")];
        head.extend(
            shown
                .filter(|(_, width)| *width > 0)
                .map(|(text, width)| self.span(text, width, Role::Quiet)),
        );
        paint::text(&Line::from(head), 0, inner, buffer);
    }

    /// The variables of the section, or all of them in a narrow window; returns the place of the
    /// selected one.
    fn rows(&self, wide: bool, list: Rect, buffer: &mut Buffer) -> Option<Position> {
        let settings = self.settings;
        let shown = match settings.section() {
            Some(section) if wide => settings.within(section),
            _ => 0..settings.rows.len(),
        };
        let widths = columns(list.width, wide);
        let selected = settings.selected.checked_sub(shown.start)?;
        let first = first_visible(selected, shown.len(), usize::from(list.height));
        for (row, index) in (0..list.height).zip(shown.skip(first)) {
            paint::text(&self.row(index, widths)?, row, list, buffer);
        }
        let row = u16::try_from(selected.checked_sub(first)?).ok()?;
        let position = Position::new(list.x, list.y + row);
        list.contains(position).then_some(position)
    }

    fn row(&self, index: usize, widths: [usize; 4]) -> Option<Line<'static>> {
        let one = self.settings.rows.get(index)?;
        let variable = one.variable;
        let (value, role) = match (self.settings.changes.get(variable.key), &one.value) {
            (Some(value), _) => (format!("~ {}", redact(value)), Role::Warn),
            (None, Some(value)) => (value.clone(), Role::Accent),
            (None, None) => (self.in_force(variable), Role::Quiet),
        };
        let selected = index == self.settings.selected;
        let (mark, name_role) = match selected {
            true => ("▶ ", Role::Title),
            false => ("  ", Role::Text),
        };
        let [name_width, value_width, default_width, origin_width] = widths;
        let mut spans = vec![
            Span::raw(mark),
            self.span(variable.short_name(), name_width, name_role),
            self.span(&value, value_width, role),
        ];
        if default_width > 0 {
            let origin = origin_words(&one.origin, origin_width);
            spans.push(self.span(variable.default, default_width, Role::Quiet));
            spans.push(self.span(&origin, origin_width, Role::Quiet));
        }
        Some(Line::from(spans))
    }

    /// What counts where nothing is set.
    fn in_force(&self, variable: &Variable) -> String {
        match variable.key {
            key::CONSOLE_THEME => self.model.display.theme.palette.to_string(),
            _ if variable.default == "required" => "not set".to_owned(),
            _ => variable.default.to_owned(),
        }
    }

    /// What the selected variable means; while it is changed, what is typed and what is wrong with it.
    fn meaning(&self, low: bool, place: Rect, buffer: &mut Buffer) -> Option<Position> {
        let theme = self.model.display.theme;
        let row = self.settings.row()?;
        let titles = (row.variable.key, Line::default());
        let inner = paint::frame(theme, Frame::Pane, titles, place, buffer);
        let width = usize::from(inner.width).saturating_sub(2);
        let (texts, from) = match &self.settings.editing {
            Some(_) => (self.judged(row), 1),
            None if low => (told_briefly(row), 0),
            None => (self.reported(row), 0),
        };
        let lines = texts.iter().flat_map(|(text, role)| {
            let parts = paint::wrap(text, width).into_iter();
            parts.map(|part| Line::styled(format!(" {part}"), theme.style(*role)))
        });
        for (row, line) in (from..inner.height).zip(lines) {
            paint::text(&line, row, inner, buffer);
        }
        let input = self.settings.editing.as_ref()?;
        if self.settings.choices().is_some() {
            let shown = match input.value() {
                "" => "the default",
                value => value,
            };
            let line = Line::styled(format!(" ‹ {shown} ›"), theme.style(Role::Accent));
            paint::text(&line, 0, inner, buffer);
            return Some(inner.as_position());
        }
        let shown = paint::masked(&paint::clean(input.value()));
        let (typed, column) = paint::field(&shown, input, width.saturating_sub(2));
        let line = Line::styled(format!(" > {typed}"), theme.style(Role::Accent));
        paint::text(&line, 0, inner, buffer);
        let column = u16::try_from(3 + column).ok()?;
        let position = Position::new(inner.x + column, inner.y);
        inner.contains(position).then_some(position)
    }

    fn judged(&self, row: &Resolved) -> Vec<(String, Role)> {
        let variable = row.variable;
        let rule = format!(
            "{} · for example {} · empty: the default",
            variable.kind.describe(),
            variable.example
        );
        vec![match &self.settings.problem {
            Some(problem) => (format!("✗ {problem}"), Role::Bad),
            None => (rule, Role::Quiet),
        }]
    }

    fn reported(&self, row: &Resolved) -> Vec<(String, Role)> {
        let variable = row.variable;
        let value = row.value.as_deref().unwrap_or(variable.default);
        let mut texts = vec![
            (variable.meaning.to_owned(), Role::Text),
            (
                format!(
                    "{} · default {}",
                    variable.kind.describe(),
                    variable.default
                ),
                Role::Quiet,
            ),
            (format!("{value} · from {}", row.origin), Role::Quiet),
        ];
        if let Some(changed) = self.settings.changes.get(variable.key) {
            texts.push((format!("~ {}, not saved", redact(changed)), Role::Warn));
        }
        texts.push(match row.origin {
            Origin::Environment | Origin::Flag(_) => (
                format!(
                    "! the {} is stronger than the file",
                    origin_kind(&row.origin)
                ),
                Role::Warn,
            ),
            Origin::Default | Origin::File { .. } => (
                "What is saved counts from the next start of pgstream.".to_owned(),
                Role::Quiet,
            ),
        });
        texts
    }
}

/// Where a value is from and what counts without, then what it means.
fn told_briefly(row: &Resolved) -> Vec<(String, Role)> {
    let origin = origin_words(&row.origin, usize::MAX);
    let facts = format!("from {origin} · default {}", row.variable.default);
    vec![
        (facts, Role::Quiet),
        (row.variable.meaning.to_owned(), Role::Text),
    ]
}

const fn origin_kind(origin: &Origin) -> &'static str {
    match origin {
        Origin::Flag(_) => "flag",
        Origin::Environment => "environment",
        Origin::Default | Origin::File { .. } => "file",
    }
}

/// Where a value is from, in so many cells: of a file its name, as its directory tells nothing new.
fn origin_words(origin: &Origin, width: usize) -> String {
    match origin {
        Origin::File { path, line } => {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let line = format!(":{line}");
            let name = name.to_string_lossy();
            let room = width.saturating_sub(line.len()).min(name.chars().count());
            paint::fit(&name, room, false).trim_end().to_owned() + &line
        }
        other => other.to_string(),
    }
}
