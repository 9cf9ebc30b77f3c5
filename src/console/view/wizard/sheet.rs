//! Lines of one width in the model's theme: forms, findings, what was asked of a server.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::console::model::Model;
use crate::console::theme::Role;
use crate::console::wizard::{
    Field, Loaded, Name, Step, Wizard, blocks, in_one_line, made_by_init,
};
use crate::diagnose::{Finding, Side};

use super::paint;

/// Lines with the place of the cursor or of the selected line: line and column.
pub(super) type Content = (Vec<Line<'static>>, Option<(usize, usize)>);

/// The column in which values begin, behind their labels.
const VALUES: usize = 17;

fn sign_of(finding: &Finding) -> (&'static str, Role) {
    match (blocks(finding), made_by_init(finding)) {
        (true, _) => ("✗", Role::Bad),
        (false, true) => ("○", Role::Quiet),
        (false, false) => ("!", Role::Warn),
    }
}

/// Returns how much was found: what blocks, what somebody should know, what init makes.
pub(super) fn found(model: &Model, wizard: &Wizard) -> Line<'static> {
    let Loaded::Done(findings) = &wizard.findings else {
        return Line::default();
    };
    let counted = ["✗", "!", "○"].into_iter().filter_map(|sign| {
        let same = findings.iter().map(sign_of).filter(|(one, _)| *one == sign);
        let role = same.clone().next()?.1;
        let style = model.display.theme.style(role);
        Some(Span::styled(format!(" {} {sign} ", same.count()), style))
    });
    Line::from_iter(counted)
}

/// Writes lines.
pub(super) struct Sheet<'a> {
    pub(super) model: &'a Model,
    pub(super) width: usize,
}

impl Sheet<'_> {
    pub(super) fn line(&self, text: impl Into<String>, role: Role) -> Line<'static> {
        Line::from(self.span(text, role))
    }

    pub(super) fn span(&self, text: impl Into<String>, role: Role) -> Span<'static> {
        Span::styled(text.into(), self.model.display.theme.style(role))
    }

    pub(super) fn wrapped(&self, indent: usize, text: &str, role: Role) -> Vec<Line<'static>> {
        let parts = text
            .lines()
            .flat_map(|line| paint::wrap(line, self.width.saturating_sub(indent + 1)));
        let blank = " ".repeat(indent);
        parts
            .map(|part| self.line(format!("{blank}{part}"), role))
            .collect()
    }

    /// A text right of what it is about; what goes on begins below its first word.
    fn beside(&self, head: &str, text: &str, role: Role) -> Vec<Line<'static>> {
        let at = head.chars().count();
        let parts = paint::wrap(text, self.width.saturating_sub(at + 1));
        let blank = " ".repeat(at);
        let heads = std::iter::once(head).chain(std::iter::repeat(blank.as_str()));
        let lines = heads.zip(parts);
        lines
            .map(|(head, part)| self.line(format!("{head}{part}"), role))
            .collect()
    }

    /// What was asked of a server, while it is not there.
    pub(super) fn missing<T>(&self, asked: &Loaded<T>, waiting: &str) -> Vec<Line<'static>> {
        match asked {
            Loaded::Not | Loaded::Done(_) => Vec::new(),
            Loaded::Waiting => vec![self.line(format!(" … {waiting}"), Role::Accent)],
            Loaded::Failed(trouble) => {
                let mut lines = Vec::new();
                for (index, text) in trouble.iter().enumerate() {
                    let (text, role) = match index {
                        0 => (format!("✗ {text}"), Role::Bad),
                        _ => (text.clone(), Role::Text),
                    };
                    lines.extend(self.wrapped(1 + 2 * usize::from(index > 0), &text, role));
                }
                lines
            }
        }
    }

    pub(super) fn form(&self, wizard: &Wizard, step: Step) -> Content {
        let mut lines = vec![Line::default()];
        let mut cursor = None;
        for (index, name) in wizard.names(step).iter().enumerate() {
            let Some(field) = wizard.get(*name) else {
                continue;
            };
            if index == wizard.field {
                cursor = Some((lines.len(), self.cursor(field, VALUES)));
            }
            lines.extend(self.field(wizard, field, index == wizard.field));
            lines.push(Line::default());
        }
        (lines, cursor)
    }

    fn field(&self, wizard: &Wizard, field: &Field, focused: bool) -> Vec<Line<'static>> {
        let mut lines = vec![self.value(wizard, field, focused, VALUES)];
        let probed = match field.name {
            Name::Source => &wizard.source,
            Name::Target => &wizard.target,
            _ => &Loaded::Not,
        };
        let below = |text: &str, role| self.wrapped(VALUES, text, role);
        lines.extend(match (&field.problem, probed) {
            (Some(problem), _) => below(&format!("✗ {problem}"), Role::Bad),
            (None, Loaded::Done(words)) => below(&format!("✓ {words}"), Role::Good),
            // What is still being typed may well be wrong.
            (None, Loaded::Failed(trouble)) if !field.left => {
                below(&format!("○ not yet: {}", in_one_line(trouble)), Role::Quiet)
            }
            (None, Loaded::Failed(trouble)) => {
                below(&format!("✗ {}", in_one_line(trouble)), Role::Bad)
            }
            (None, Loaded::Waiting) => below("… connecting", Role::Accent),
            (None, Loaded::Not) => below(field.help, Role::Quiet),
        });
        lines
    }

    /// A field's label and value in one line.
    pub(super) fn value(
        &self,
        wizard: &Wizard,
        field: &Field,
        focused: bool,
        values_at: usize,
    ) -> Line<'static> {
        let role = if focused { Role::Title } else { Role::Text };
        let value = paint::clean(field.input.value());
        let shown = match focused && wizard.reveal {
            true => value,
            false => paint::masked(&value),
        };
        let shown = match field.choices.is_empty() {
            true => paint::field(&shown, &field.input, self.room(values_at)).0,
            false => format!("‹ {shown} ›"),
        };
        let mark = if focused { "▶" } else { " " };
        let label = paint::fit(field.label, values_at.saturating_sub(2), false);
        Line::from(vec![
            self.span(format!("{mark} {label}"), role),
            self.span(shown, Role::Accent),
        ])
    }

    /// So many cells of a value are seen at once.
    const fn room(&self, values_at: usize) -> usize {
        self.width.saturating_sub(values_at + 1)
    }

    /// The column of the cursor in a field.
    pub(super) fn cursor(&self, field: &Field, values_at: usize) -> usize {
        values_at + paint::field("", &field.input, self.room(values_at)).1
    }

    pub(super) fn preflight(&self, wizard: &Wizard) -> Content {
        let mut lines = self.missing(&wizard.findings, "checking both servers");
        let mut cursor = None;
        let Loaded::Done(findings) = &wizard.findings else {
            return (lines, cursor);
        };
        if wizard.blocking() == 0 {
            lines.push(self.line(" ✓ nothing is in the way", Role::Good));
            lines.push(Line::default());
        }
        for (index, finding) in findings.iter().enumerate() {
            if index == wizard.selected {
                cursor = Some((lines.len() + 2, 0));
            }
            lines.extend(self.finding(finding, index == wizard.selected));
        }
        (lines, cursor)
    }

    fn finding(&self, finding: &Finding, selected: bool) -> Vec<Line<'static>> {
        let side = match finding.side {
            Side::Source => "source",
            Side::Target => "target",
        };
        let (sign, role) = sign_of(finding);
        let mark = if selected { "▶" } else { " " };
        let head = format!("{mark} {sign} {side}  ");
        // An error of a server names it already.
        let text = match finding.problem.contains(&finding.object) {
            true => finding.problem.clone(),
            false => format!("{} {}", finding.object, finding.problem),
        };
        let mut lines = self.beside(&head, &text, role);
        let hint = match made_by_init(finding) {
            true => "init makes it".to_owned(),
            false => format!("fix  {}", finding.hint),
        };
        lines.extend(self.wrapped(12, &hint, Role::Text));
        lines
    }

    pub(super) fn confirm(&self, wizard: &Wizard) -> Content {
        let slot = wizard.slot_to_type();
        let mut lines = vec![Line::default()];
        let warning = "What the plan lists is removed. It cannot be undone.";
        lines.extend(self.wrapped(1, warning, Role::Warn));
        lines.push(Line::default());
        let ask = format!("Type the name of the slot to go on:  {slot}");
        lines.extend(self.wrapped(1, &ask, Role::Title));
        let Some(field) = wizard.get(Name::Confirm) else {
            return (lines, None);
        };
        let (typed, column) = paint::field(field.input.value(), &field.input, self.room(3));
        let cursor = Some((lines.len(), 3 + column));
        lines.push(self.line(format!(" > {typed}"), Role::Text));
        (lines, cursor)
    }

    pub(super) fn start(&self, wizard: &Wizard) -> Content {
        let (mut lines, cursor) = self.form(wizard, Step::Start);
        lines.extend(self.missing(&wizard.started, "saving"));
        lines.extend(self.wrapped(
            1,
            "The file holds the addresses with their passwords; it is written with mode 0600. \
             Later:  pgstream run -c FILE",
            Role::Quiet,
        ));
        (lines, cursor)
    }
}

pub(super) const fn name(step: Step) -> &'static str {
    match step {
        Step::Source => "Source",
        Step::Target => "Target",
        Step::Preflight => "Preflight",
        Step::Tables => "Tables · which ones replicate",
        Step::FirstCopy => "First copy",
        Step::Plan => "Plan · nothing has run yet",
        Step::Run => "Run",
        Step::Start => "Save and start",
        Step::Servers => "Servers",
        Step::Confirm => "Confirm",
        Step::Verify => "Verify",
    }
}

/// Writes lines, scrolled so that the cursor is among them; returns where it stands.
pub(super) fn show((lines, cursor): Content, inner: Rect, buffer: &mut Buffer) -> Option<Position> {
    let height = usize::from(inner.height);
    let at = cursor.map_or(0, |(row, _)| row);
    let first = (at + 2).min(lines.len()).saturating_sub(height);
    for (row, line) in (0..inner.height).zip(lines.iter().skip(first)) {
        paint::text(line, row, inner, buffer);
    }
    let (row, column) = cursor?;
    let column = u16::try_from(column).ok()?;
    let position = Position::new(
        inner.x + column.min(inner.width.saturating_sub(1)),
        inner.y + u16::try_from(row.checked_sub(first)?).ok()?,
    );
    inner.contains(position).then_some(position)
}
