//! The wizards: the steps at the left, the screen of the step, its keys below.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout as Split, Position, Rect};
use ratatui::text::{Line, Span};

use super::paint::{self, Frame};
use crate::console::model::Model;
use crate::console::theme::Role;
use crate::console::wizard::{Field, Kind, Loaded, Name, Step, Wizard, blocks};
use crate::engine::check::{Finding, Side};
use crate::schema::install;

/// Draws a wizard over the whole screen; returns the cursor of the field being typed in.
pub(super) fn wizard(model: &Model, wizard: &Wizard, buffer: &mut Buffer) -> Option<Position> {
    let theme = model.look.theme;
    let [head, body, foot] = Split::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(buffer.area);
    let title = Line::styled(
        format!(" {}", wizard.kind.title()),
        theme.style(Role::Title),
    );
    paint::text(&title, 0, head, buffer);
    let count = wizard.kind.steps().len();
    let place = Line::styled(
        format!("step {} of {count} ", wizard.at + 1),
        theme.style(Role::Quiet),
    );
    paint::text_right(&place, 0, head, buffer);
    paint::text(&keys(model, wizard), 0, foot, buffer);
    let wide = body.width >= 80;
    let [left, main] = Split::horizontal([
        Constraint::Length(if wide { 18 } else { 0 }),
        Constraint::Fill(1),
    ])
    .areas(body);
    if wide {
        stepper(model, wizard, left, buffer);
    }
    let titles = (name(wizard.step()), Line::default());
    let inner = paint::frame(theme, Frame::Focus, titles, main, buffer);
    let (lines, cursor) = content(model, wizard, usize::from(inner.width));
    let height = usize::from(inner.height);
    let at = cursor.map_or(0, |(row, _)| row);
    let first = (at + 2).saturating_sub(height);
    for (row, line) in (0..inner.height).zip(lines.iter().skip(first)) {
        paint::text(line, row, inner, buffer);
    }
    let (row, column) = cursor?;
    let position = Position::new(
        inner.x
            + u16::try_from(column)
                .ok()?
                .min(inner.width.saturating_sub(1)),
        inner.y + u16::try_from(row.checked_sub(first)?).ok()?,
    );
    let field = wizard.focused().is_some() && inner.contains(position);
    field.then_some(position)
}

const fn name(step: Step) -> &'static str {
    match step {
        Step::Source => "Source",
        Step::Target => "Target",
        Step::Preflight => "Preflight",
        Step::Plan => "Plan · nothing has run yet",
        Step::Run => "Run",
        Step::Start => "Save and start",
        Step::Servers => "Servers",
        Step::Confirm => "Confirm",
        Step::Verify => "Verify",
    }
}

fn stepper(model: &Model, wizard: &Wizard, place: Rect, buffer: &mut Buffer) {
    let theme = model.look.theme;
    let titles = (wizard.kind.title(), Line::default());
    let inner = paint::frame(theme, Frame::Pane, titles, place, buffer);
    for (row, (index, step)) in (0..inner.height).zip(wizard.kind.steps().iter().enumerate()) {
        let (sign, role) = match index.cmp(&wizard.at) {
            std::cmp::Ordering::Less => ("✓", Role::Good),
            std::cmp::Ordering::Equal => ("▶", Role::Title),
            std::cmp::Ordering::Greater => (" ", Role::Quiet),
        };
        let short = name(*step).split(' ').next().unwrap_or_default();
        let line = Line::styled(format!(" {sign} {} {short}", index + 1), theme.style(role));
        paint::text(&line, row, inner, buffer);
    }
}

fn keys(model: &Model, wizard: &Wizard) -> Line<'static> {
    let blocked = wizard.blocking();
    let text = match wizard.step() {
        Step::Source | Step::Target | Step::Servers => {
            "Enter go on   Tab field   F2 show password   Esc leave".to_owned()
        }
        Step::Preflight if blocked > 0 => {
            "r recheck   y copy fix   Bksp back   Esc leave   (Enter waits for what blocks)"
                .to_owned()
        }
        Step::Preflight => {
            "Enter go on   r recheck   y copy fix   Bksp back   Esc leave".to_owned()
        }
        Step::Plan if wizard.kind == Kind::TearDown => {
            "Enter go on   ↑↓ step   y copy SQL   r again   Bksp back   Esc leave".to_owned()
        }
        Step::Plan => {
            "Enter run it   ↑↓ step   y copy SQL   r again   Bksp back   Esc leave".to_owned()
        }
        Step::Confirm if wizard.value(Name::Confirm) == wizard.slot_to_type() => {
            "Enter tear down   Esc keep".to_owned()
        }
        Step::Confirm => "Enter inert until it matches   Esc keep".to_owned(),
        Step::Run => match wizard.ran {
            Loaded::Done(_) => "Enter go on   Esc leave".to_owned(),
            Loaded::Failed(_) => "r try again   Bksp back   Esc leave".to_owned(),
            Loaded::Not | Loaded::Waiting => "… running".to_owned(),
        },
        Step::Start => "Enter save and start   Esc leave".to_owned(),
        Step::Verify => "Enter leave   r look again".to_owned(),
    };
    Line::styled(format!(" {text}"), model.look.theme.style(Role::Quiet))
}

/// Lines with the place of the cursor or of the selected line.
type Content = (Vec<Line<'static>>, Option<(usize, usize)>);

fn content(model: &Model, wizard: &Wizard, width: usize) -> Content {
    let sheet = Sheet { model, width };
    match wizard.step() {
        step @ (Step::Source | Step::Target | Step::Servers) => sheet.form(wizard, step),
        Step::Preflight => sheet.preflight(wizard),
        Step::Plan => sheet.plan(wizard),
        Step::Confirm => sheet.confirm(wizard),
        Step::Run => (sheet.run(wizard), None),
        Step::Start => sheet.start(wizard),
        Step::Verify => (sheet.verify(wizard), None),
    }
}

/// Writes lines of one width in the model's theme.
struct Sheet<'a> {
    model: &'a Model,
    width: usize,
}

impl Sheet<'_> {
    fn line(&self, text: impl Into<String>, role: Role) -> Line<'static> {
        Line::styled(text.into(), self.model.look.theme.style(role))
    }

    fn wrapped(&self, indent: usize, text: &str, role: Role) -> Vec<Line<'static>> {
        let parts = text
            .lines()
            .flat_map(|line| paint::wrap(line, self.width.saturating_sub(indent + 1)));
        let blank = " ".repeat(indent);
        parts
            .map(|part| self.line(format!("{blank}{part}"), role))
            .collect()
    }

    /// A row of a list: its mark, then text that is indented where it goes on.
    fn item(&self, selected: bool, text: &str, role: Role) -> Vec<Line<'static>> {
        let parts = paint::wrap(text, self.width.saturating_sub(3));
        let mark = |index: usize| if selected && index == 0 { "▶" } else { " " };
        let numbered = parts.iter().enumerate();
        let lines =
            numbered.map(|(index, part)| self.line(format!("{} {part}", mark(index)), role));
        lines.collect()
    }

    /// What was asked of a server, while it is not there.
    fn missing<T>(&self, asked: &Loaded<T>, waiting: &str) -> Vec<Line<'static>> {
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

    fn form(&self, wizard: &Wizard, step: Step) -> Content {
        let mut lines = vec![Line::default()];
        let mut cursor = None;
        for (index, name) in wizard.names(step).iter().enumerate() {
            let Some(field) = wizard.get(*name) else {
                continue;
            };
            if index == wizard.field {
                cursor = Some((lines.len(), 17 + field.input.visual_cursor()));
            }
            lines.extend(self.field(wizard, field, index == wizard.field));
            lines.push(Line::default());
        }
        (lines, cursor)
    }

    fn field(&self, wizard: &Wizard, field: &Field, focused: bool) -> Vec<Line<'static>> {
        let theme = self.model.look.theme;
        let role = if focused { Role::Title } else { Role::Text };
        let value = field.input.value();
        let shown = match focused && wizard.reveal {
            true => paint::clean(value),
            false => paint::masked(&paint::clean(value)),
        };
        let shown = match field.choices.is_empty() {
            true => shown,
            false => format!("‹ {shown} ›"),
        };
        let mark = if focused { "▶" } else { " " };
        let mut lines = vec![Line::from(vec![
            Span::styled(format!("{mark} {:<15}", field.label), theme.style(role)),
            Span::styled(shown, theme.style(Role::Accent)),
        ])];
        let probed = match field.name {
            Name::Source => &wizard.source,
            Name::Target => &wizard.target,
            _ => &Loaded::Not,
        };
        match (&field.problem, probed) {
            (Some(problem), _) => {
                lines.extend(self.wrapped(17, &format!("✗ {problem}"), Role::Bad));
            }
            (None, Loaded::Done(words)) => {
                lines.push(self.line(format!("{:17}✓ {words}", ""), Role::Good));
            }
            (None, Loaded::Failed(trouble)) => {
                lines.extend(self.wrapped(17, &format!("✗ {}", trouble.join("; ")), Role::Bad));
            }
            (None, Loaded::Waiting) => {
                lines.push(self.line(format!("{:17}… connecting", ""), Role::Accent));
            }
            (None, Loaded::Not) => {
                lines.push(self.line(format!("{:17}{}", "", field.help), Role::Quiet));
            }
        }
        lines
    }

    fn preflight(&self, wizard: &Wizard) -> Content {
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
        let by_init = finding.mend.starts_with("pgstream init");
        let (sign, role) = match (blocks(finding), by_init) {
            (true, _) => ("✗", Role::Bad),
            (false, true) => ("○", Role::Quiet),
            (false, false) => ("!", Role::Warn),
        };
        let mark = if selected { "▶" } else { " " };
        let text = format!(
            "{mark} {sign} {side}  {} {}",
            finding.object, finding.problem
        );
        let mut lines = self.wrapped(0, &text, role);
        let mend = match by_init {
            true => "init makes it".to_owned(),
            false => format!("fix  {}", finding.mend),
        };
        lines.extend(self.wrapped(12, &mend, Role::Text));
        lines
    }

    fn plan(&self, wizard: &Wizard) -> Content {
        let mut lines = self.missing(&wizard.plan, "asking the servers what is there");
        let mut cursor = None;
        let Loaded::Done(planned) = &wizard.plan else {
            return (lines, cursor);
        };
        for note in &planned.notes {
            lines.extend(self.wrapped(1, note, Role::Quiet));
        }
        lines.push(Line::default());
        for (index, step) in planned.steps.iter().enumerate() {
            let selected = index == wizard.selected;
            if selected {
                cursor = Some((lines.len() + 6, 0));
            }
            let side = match step.side {
                install::Side::Source => "source",
                install::Side::Target => "target",
            };
            let undo = if step.undo.is_some() {
                "  (can be undone)"
            } else {
                ""
            };
            let text = format!("{} {side}  {}{undo}", index + 1, step.what);
            let role = if selected { Role::Title } else { Role::Text };
            lines.extend(self.item(selected, &text, role));
            if selected {
                let sql = step.sql.lines().take(SQL_ROWS);
                lines.extend(sql.map(|line| self.line(format!("      {line}"), Role::Accent)));
                let more = step.sql.lines().count().saturating_sub(SQL_ROWS);
                if more > 0 {
                    let text = format!("      … {more} more lines; y copies all");
                    lines.push(self.line(text, Role::Quiet));
                }
            }
        }
        (lines, cursor)
    }

    fn confirm(&self, wizard: &Wizard) -> Content {
        let slot = wizard.slot_to_type();
        let mut lines = vec![
            Line::default(),
            self.line(
                " What the plan lists is removed. It cannot be undone.",
                Role::Warn,
            ),
            Line::default(),
            self.line(
                format!(" Type the name of the slot to go on:  {slot}"),
                Role::Title,
            ),
        ];
        let typed = wizard.value(Name::Confirm);
        let cursor = Some((lines.len(), 3 + typed.chars().count()));
        lines.push(self.line(format!(" > {}", paint::clean(&typed)), Role::Text));
        (lines, cursor)
    }

    fn run(&self, wizard: &Wizard) -> Vec<Line<'static>> {
        let mut lines = self.missing(&wizard.ran, "running the plan");
        if let Loaded::Done(done) = &wizard.ran {
            let steps = done.iter();
            lines.extend(steps.map(|what| self.line(format!(" ✓ {what}"), Role::Good)));
            if done.is_empty() {
                lines.push(self.line(
                    " ✓ everything was there already; nothing was changed",
                    Role::Good,
                ));
            }
        }
        lines
    }

    fn start(&self, wizard: &Wizard) -> Content {
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

    fn verify(&self, wizard: &Wizard) -> Vec<Line<'static>> {
        let mut lines = self.run(wizard);
        lines.push(Line::default());
        lines.extend(self.missing(&wizard.verified, "looking whether everything is gone"));
        if let Loaded::Done(remains) = &wizard.verified {
            if remains.is_empty() {
                lines.push(self.line(" ✓ verified: nothing of pgstream is left", Role::Good));
            }
            for what in remains {
                lines.extend(self.wrapped(1, what, Role::Bad));
            }
        }
        lines
    }
}

/// So many lines of a step's SQL are shown; the installation's script has hundreds.
const SQL_ROWS: usize = 8;
