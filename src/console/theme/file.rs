//! Colours of one's own: a file with a line for each role that is to look otherwise.
//!
//! ```text
//! # role = colour, what to do with it, the ground
//! good     = #2f7ddb
//! warn     = magenta bold
//! selected = black on light yellow
//! ```

use ratatui::style::{Color, Modifier, Style};

use super::{ROLES, Role};

/// The styles of the roles that have one of their own.
pub(crate) type Own = [Option<Style>; ROLES.len()];

/// Why a file of colours makes no sense, line by line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ThemeError(pub(super) Vec<String>);

const MODIFIERS: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
];

/// Reads the lines of a file.
///
/// # Errors
/// All lines that make no sense, each with its number.
pub(crate) fn parse(text: &str) -> Result<Own, ThemeError> {
    let mut own = Own::default();
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        // A colour may begin with the sign of a remark, which has a blank behind it.
        let line = line.split_once(" # ").map_or(line, |(before, _)| before);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match role_and_style(line) {
            Ok((role, style)) => own[role as usize] = Some(style),
            Err(problem) => problems.push(format!("line {number}: {problem}")),
        }
    }
    match problems.is_empty() {
        true => Ok(own),
        false => Err(ThemeError(problems)),
    }
}

fn role_and_style(line: &str) -> Result<(Role, Style), String> {
    let Some((name, style)) = line.split_once('=') else {
        return Err("a line is role = style".to_owned());
    };
    let name = name.trim();
    let known = ROLES.iter().find(|(known, _)| *known == name);
    let Some((_, role)) = known else {
        let names = ROLES.map(|(known, _)| known).join(", ");
        return Err(format!("there is no role {name:?}; the roles are {names}"));
    };
    Ok((*role, style_of(style)?))
}

fn style_of(text: &str) -> Result<Style, String> {
    let (front, ground) = match text.split_once(" on ") {
        Some((front, ground)) => (front, Some(ground.trim())),
        None => (text, None),
    };
    let mut style = Style::new();
    let mut colour = Vec::new();
    for word in front.split_whitespace() {
        match MODIFIERS.iter().find(|(name, _)| *name == word) {
            Some((_, modifier)) => style = style.add_modifier(*modifier),
            None => colour.push(word),
        }
    }
    if !colour.is_empty() {
        style = style.fg(colour_of(&colour.join(" "))?);
    }
    match ground {
        Some(ground) => Ok(style.bg(colour_of(ground)?)),
        None => Ok(style),
    }
}

fn colour_of(text: &str) -> Result<Color, String> {
    text.parse().ok().ok_or_else(|| {
        format!("{text:?} is no colour: a name such as light blue, a number up to 255, or #rrggbb")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_a_role_its_look_and_nothing_else() {
        let text = "# mine\n\ngood = #2f7ddb   # blue\nwarn=magenta bold\n\
                    selected = black on light yellow\nquiet = dim\n";
        let own = parse(text).unwrap();
        let of = |role: Role| own[role as usize];
        assert_eq!(
            of(Role::Good),
            Some(Style::new().fg(Color::Rgb(0x2f, 0x7d, 0xdb)))
        );
        let magenta = Style::new().fg(Color::Magenta).add_modifier(Modifier::BOLD);
        assert_eq!(of(Role::Warn), Some(magenta));
        let selected = Style::new().fg(Color::Black).bg(Color::LightYellow);
        assert_eq!(of(Role::Selected), Some(selected));
        assert_eq!(
            of(Role::Quiet),
            Some(Style::new().add_modifier(Modifier::DIM))
        );
        assert_eq!(of(Role::Bad), None);
    }

    #[test]
    fn all_that_makes_no_sense_is_reported_at_once() {
        let error = parse("good\nbadd = red\nwarn = redish\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 1: a line is role = style"), "{error}");
        assert!(
            error.contains("line 2: there is no role \"badd\""),
            "{error}"
        );
        assert!(error.contains("line 3: \"redish\" is no colour"), "{error}");
    }
}
