//! The few strokes that all views share. All of them accept places of no size: a window may have
//! any size at any moment.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Margin, Rect};
use ratatui::style::Color;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Block, BorderType, Clear, Scrollbar, ScrollbarOrientation, ScrollbarState, StatefulWidget as _,
    Widget as _,
};
use tui_input::Input;

use crate::console::theme::{Role, Theme};

/// How a frame stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// The pane that has the keys: a thick line.
    Focus,
    /// Any other pane: a thin line.
    Pane,
    /// Over the dashboard: a double line.
    Over,
}

/// Draws a frame with a title at the left and a summary at the right; returns the place inside.
pub(super) fn frame(
    theme: Theme,
    frame: Frame,
    (title, summary): (&str, Line<'static>),
    place: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let (border, role) = match frame {
        Frame::Focus => (BorderType::Thick, Role::Focus),
        Frame::Pane => (BorderType::Plain, Role::Frame),
        Frame::Over => (BorderType::Double, Role::Focus),
    };
    let title = Line::styled(format!(" {title} "), theme.style(Role::Title));
    let room = usize::from(place.width).saturating_sub(title.width() + 4);
    let mut block = Block::bordered()
        .border_type(border)
        .border_style(theme.style(role))
        .title(title);
    if summary.width() > 0 && summary.width() <= room {
        let mut spans = vec![Span::raw(" ")];
        spans.extend(summary.spans);
        spans.push(Span::raw(" "));
        block = block.title(Line::from(spans).right_aligned());
    }
    let place = place.intersection(buffer.area);
    let inner = block.inner(place);
    block.render(place, buffer);
    inner
}

/// Returns the place inside of a frame.
pub(super) fn inside(place: Rect) -> Rect {
    place.inner(Margin::new(1, 1))
}

/// Marks a text in what has been drawn, without regard to case.
pub(super) fn mark_found(theme: Theme, needle: &str, place: Rect, buffer: &mut Buffer) {
    for row in place.rows() {
        let mut text = String::new();
        let mut begins = Vec::new();
        for position in row.positions() {
            begins.push((text.len(), position));
            text += &buffer[position].symbol().to_lowercase();
        }
        for (from, found) in text.match_indices(needle) {
            let within = |at: &usize| (from..from + found.len()).contains(at);
            for (_, position) in begins.iter().filter(|(at, _)| within(at)) {
                buffer[*position].set_style(theme.style(Role::Found));
            }
        }
    }
}

/// Shows on the right side of a frame which rows of a list are seen, when there are more: the first
/// one, how many there are, how many are seen.
pub(super) fn scrollbar(
    theme: Theme,
    (first, count, seen): (usize, usize, usize),
    place: Rect,
    buffer: &mut Buffer,
) {
    let side = place.inner(Margin::new(0, 1)).intersection(buffer.area);
    let hidden = count.saturating_sub(seen);
    if hidden == 0 || side.is_empty() {
        return;
    }
    let mut state = ScrollbarState::new(hidden + 1)
        .position(first.min(hidden))
        .viewport_content_length(seen);
    Scrollbar::new(ScrollbarOrientation::VerticalRight)
        .begin_symbol(None)
        .end_symbol(None)
        .track_symbol(None)
        .thumb_symbol("█")
        .thumb_style(theme.style(Role::Frame))
        .render(side, buffer, &mut state);
}

/// Clears a place in the middle of a room for something to stand over the dashboard.
pub(super) fn centered(width: u16, height: u16, room: Rect, buffer: &mut Buffer) -> Rect {
    let place = room
        .centered(Constraint::Length(width), Constraint::Length(height))
        .intersection(buffer.area);
    Clear.render(place, buffer);
    place
}

/// Writes one line of text into a row of a place.
pub(super) fn text(line: &Line<'_>, row: u16, place: Rect, buffer: &mut Buffer) {
    let place = place.intersection(buffer.area);
    if row < place.height && place.width > 0 {
        buffer.set_line(place.x, place.y + row, line, place.width);
    }
}

/// Writes a line at the right edge of a row.
pub(super) fn text_right(line: &Line<'_>, row: u16, place: Rect, buffer: &mut Buffer) {
    let width = u16::try_from(line.width())
        .unwrap_or(u16::MAX)
        .min(place.width);
    let right = Rect {
        x: place.right().saturating_sub(width),
        width,
        ..place
    };
    text(line, row, right, buffer);
}

/// Returns figures in one line of at most so many cells, each whole or left out.
pub(super) fn whole_figures(
    begin: &str,
    figures: impl IntoIterator<Item = String>,
    width: usize,
) -> String {
    let mut text = begin.to_owned();
    for figure in figures {
        let needed = Span::raw(text.as_str()).width() + Span::raw(figure.as_str()).width();
        if needed > width {
            break;
        }
        text += &figure;
        text += "   ";
    }
    text
}

/// Marks a row as the selected one: one bar, whatever colours stand in it. What a search has found
/// keeps its ground.
pub(super) fn select(theme: Theme, bar: Rect, buffer: &mut Buffer) {
    let bar = bar.intersection(buffer.area);
    for position in bar.positions() {
        let cell = &mut buffer[position];
        if cell.bg == Color::Reset {
            cell.fg = Color::Reset;
        }
    }
    buffer.set_style(bar, theme.style(Role::Selected));
}

/// Returns a text of exactly so many cells: cut with `…`, or filled with blanks.
pub(super) fn fit(text: &str, width: usize, right: bool) -> String {
    let cleaned = clean(text);
    let has = Span::raw(cleaned.as_str()).width();
    if has > width {
        return cut(&cleaned, width);
    }
    let blanks = " ".repeat(width - has);
    if right {
        blanks + &cleaned
    } else {
        cleaned + &blanks
    }
}

fn cut(text: &str, width: usize) -> String {
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let (kept, _) = text.split_at(fitting(text, room));
    let used = Span::raw(kept).width();
    format!("{kept}…{}", " ".repeat(room - used))
}

/// Returns how many bytes of a text fit into so many cells.
pub(super) fn fitting(text: &str, room: usize) -> usize {
    let mut used = 0;
    let too_far = |(_, character): &(usize, char)| {
        used += cells(*character);
        used > room
    };
    text.char_indices()
        .find(too_far)
        .map_or(text.len(), |(at, _)| at)
}

/// How many cells a character takes: two for those of East Asia, none for a combining accent.
fn cells(character: char) -> usize {
    Span::raw(character.encode_utf8(&mut [0; 4]) as &str).width()
}

/// Returns the text without its first cells; half of a wide character leaves a blank.
pub(super) fn from_cell(text: &str, cell: usize) -> String {
    let mut passed = 0;
    let mut rest = text.char_indices();
    while passed < cell {
        match rest.next() {
            Some((_, character)) => passed += cells(character),
            None => return String::new(),
        }
    }
    " ".repeat(passed - cell) + rest.as_str()
}

/// Returns what is seen of a field in so many cells, and the column of its cursor: a text that is
/// too long moves with the cursor. The text shown may hide the one that is typed, cell by cell.
pub(super) fn field(shown: &str, input: &Input, room: usize) -> (String, usize) {
    let scroll = input.visual_scroll(room);
    let column = input.visual_cursor().saturating_sub(scroll);
    (part(&clean(shown), scroll, room), column)
}

/// Returns so many cells of a text from a cell on; `…` stands where it goes on at either side.
pub(super) fn part(text: &str, from: usize, room: usize) -> String {
    let seen = match from {
        0 => text.to_owned(),
        from => format!("…{}", from_cell(text, from + 1)),
    };
    fit(&seen, room, false).trim_end().to_owned()
}

/// Returns the text without control characters: a name from a database may hold any, and a
/// terminal obeys some.
pub(super) fn clean(text: &str) -> String {
    let shown = |character: char| match character {
        '\t' | '\n' | '\r' => ' ',
        other if other.is_control() => '·',
        other => other,
    };
    text.chars().map(shown).collect()
}

/// Breaks a line into pieces of at most so many cells, at blanks where possible.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in clean(text).split(' ') {
        let mut word = word.to_owned();
        while Span::raw(word.as_str()).width() > width && width > 1 {
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            let rest = word.split_off(fitting(&word, width));
            lines.push(std::mem::replace(&mut word, rest));
        }
        let joined = Span::raw(line.as_str()).width() + 1 + Span::raw(word.as_str()).width();
        if line.is_empty() {
            line = word;
        } else if joined <= width {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(std::mem::replace(&mut line, word));
        }
    }
    lines.push(line);
    lines
}

/// Replaces the password in an address, cell by cell, so that the cursor stays true.
pub(super) fn masked(address: &str) -> String {
    let hidden = |from: usize, to: usize| {
        let dots = "•".repeat(Span::raw(&address[from..to]).width());
        [&address[..from], &dots, &address[to..]].concat()
    };
    if let Some(start) = address.find("://").map(|at| at + 3) {
        let end = address[start..]
            .rfind('@')
            .map_or(address.len(), |at| start + at);
        return match address[start..end].find(':') {
            Some(colon) if end < address.len() => hidden(start + colon + 1, end),
            _ => address.to_owned(),
        };
    }
    match address.find("password=").map(|at| at + "password=".len()) {
        Some(from) => {
            let to = address[from..]
                .find(' ')
                .map_or(address.len(), |at| from + at);
            hidden(from, to)
        }
        None => address.to_owned(),
    }
}

/// Returns spans of a text with every piece that holds the needle in the style of what was found.
pub(super) fn found(
    theme: Theme,
    text: &str,
    needle: Option<&str>,
    role: Role,
) -> Vec<Span<'static>> {
    let plain = |piece: &str| Span::styled(piece.to_owned(), theme.style(role));
    let Some(needle) = needle.filter(|needle| !needle.is_empty()) else {
        return vec![plain(text)];
    };
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return vec![plain(text)];
    }
    let mut spans = Vec::new();
    let mut from = 0;
    for (at, piece) in lower.match_indices(needle) {
        let (Some(before), Some(hit)) = (text.get(from..at), text.get(at..at + piece.len())) else {
            return vec![plain(text)];
        };
        spans.push(plain(before));
        spans.push(Span::styled(hit.to_owned(), theme.style(Role::Found)));
        from = at + piece.len();
    }
    spans.push(plain(text.get(from..).unwrap_or_default()));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_to_cells_not_to_bytes() {
        for (text, width, right, expected) in [
            ("orders", 8, false, "orders  "),
            ("orders", 8, true, "  orders"),
            ("orders", 4, false, "ord…"),
            ("表表表", 4, false, "表… "),
            ("a\tb\u{1b}[2J", 9, false, "a b·[2J  "),
            ("x", 0, false, ""),
        ] {
            assert_eq!(fit(text, width, right), expected);
        }
    }

    #[test]
    fn a_field_moves_by_cells() {
        for (text, cell, expected) in [
            ("orders", 2, "ders"),
            ("表表ab", 2, "表ab"),
            ("表表ab", 3, " ab"),
            ("e\u{301}x", 1, "\u{301}x"),
            ("x", 5, ""),
        ] {
            assert_eq!(from_cell(text, cell), expected, "{text} from {cell}");
        }
        let input = Input::from("表".repeat(10));
        let (seen, column) = field(input.value(), &input, 9);
        assert_eq!((seen.as_str(), column), ("… 表表表", 8));
        assert_eq!(part("orders", 0, 4), "ord…");
    }

    #[test]
    fn lines_break_at_blanks_and_long_words_anyway() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("ab", 0), ["ab"]);
        assert_eq!(wrap("表表表", 4), ["表表", "表"]);
    }

    #[test]
    fn what_was_found_stands_out() {
        let spans = found(Theme::default(), "Alter ALTER", Some("alter"), Role::Text);
        let texts: Vec<_> = spans.iter().map(|span| span.content.as_ref()).collect();
        assert_eq!(texts, ["", "Alter", " ", "ALTER", ""]);
    }

    #[test]
    fn passwords_are_masked_letter_by_letter() {
        for (address, expected) in [
            (
                "postgres://me:pa:ss@w@host/db",
                "postgres://me:•••••••@host/db",
            ),
            ("postgres://me@host/db", "postgres://me@host/db"),
            ("postgres://host:5432/db", "postgres://host:5432/db"),
            ("host=a password=ü1 user=b", "host=a password=•• user=b"),
            ("host=a password=表 user=b", "host=a password=•• user=b"),
            ("", ""),
        ] {
            assert_eq!(masked(address), expected);
        }
    }
}
