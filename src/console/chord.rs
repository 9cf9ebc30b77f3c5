//! One key press as people write it: `ctrl-p`, `?`, `space`, `f1`. Pure; the only place that knows
//! how crossterm spells keys.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers; the case of a letter is the letter's own, not a modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Chord {
    pub(crate) code: KeyCode,
    pub(crate) ctrl: bool,
    pub(crate) alt: bool,
}

/// The text names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a key such as p, P, ctrl-p, space, enter or f1")]
pub(crate) struct ParseChordError;

/// Keys that have a name longer than one character, with the sign that help shows for them.
const NAMED: &[(&str, &str, KeyCode)] = &[
    ("enter", "Enter", KeyCode::Enter),
    ("esc", "Esc", KeyCode::Esc),
    ("space", "Space", KeyCode::Char(' ')),
    ("tab", "Tab", KeyCode::Tab),
    ("shift-tab", "S-Tab", KeyCode::BackTab),
    ("backspace", "Bksp", KeyCode::Backspace),
    ("delete", "Del", KeyCode::Delete),
    ("up", "↑", KeyCode::Up),
    ("down", "↓", KeyCode::Down),
    ("left", "←", KeyCode::Left),
    ("right", "→", KeyCode::Right),
    ("home", "Home", KeyCode::Home),
    ("end", "End", KeyCode::End),
    ("page-up", "PgUp", KeyCode::PageUp),
    ("page-down", "PgDn", KeyCode::PageDown),
];

impl Chord {
    /// Returns the key that types a character.
    pub(crate) const fn typing(character: char) -> Self {
        Self {
            code: KeyCode::Char(character),
            ctrl: false,
            alt: false,
        }
    }

    /// Returns the key that a label names, as hints show it; none for labels of several keys.
    pub(crate) fn of_label(label: &str) -> Option<Self> {
        let (ctrl, rest) = strip(label, "^");
        let named = NAMED.iter().find(|(_, known, _)| *known == rest);
        let code = match named {
            Some((_, _, code)) => *code,
            None => code_of(&if ctrl {
                rest.to_lowercase()
            } else {
                rest.to_owned()
            })
            .or_else(|| code_of(&rest.to_lowercase()))?,
        };
        Some(Self {
            code,
            ctrl,
            alt: false,
        })
    }

    /// Returns whether this key types a character.
    pub(crate) const fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(character) if !self.ctrl && !self.alt => Some(character),
            _ => None,
        }
    }

    /// Returns how help writes it: `^P`, `Enter`, `P`.
    pub(crate) fn label(self) -> String {
        let base = match NAMED.iter().find(|(_, _, code)| *code == self.code) {
            Some((_, label, _)) => (*label).to_owned(),
            None => match self.code {
                KeyCode::Char(character) if self.ctrl => character.to_uppercase().to_string(),
                KeyCode::Char(character) => character.to_string(),
                KeyCode::F(number) => format!("F{number}"),
                _ => "?".to_owned(),
            },
        };
        let ctrl = if self.ctrl { "^" } else { "" };
        let alt = if self.alt { "M-" } else { "" };
        format!("{alt}{ctrl}{base}")
    }
}

impl From<KeyEvent> for Chord {
    fn from(event: KeyEvent) -> Self {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let shift = event.modifiers.contains(KeyModifiers::SHIFT);
        let code = match event.code {
            KeyCode::Tab if shift => KeyCode::BackTab,
            KeyCode::Char(character) if ctrl => KeyCode::Char(character.to_ascii_lowercase()),
            code => code,
        };
        Self {
            code,
            ctrl,
            alt: event.modifiers.contains(KeyModifiers::ALT),
        }
    }
}

impl FromStr for Chord {
    type Err = ParseChordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ctrl, rest) = strip(text, "ctrl-");
        let (alt, rest) = strip(rest, "alt-");
        let code = code_of(rest).ok_or(ParseChordError)?;
        Ok(Self { code, ctrl, alt })
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> (bool, &'a str) {
    text.strip_prefix(prefix)
        .map_or((false, text), |rest| (true, rest))
}

fn code_of(text: &str) -> Option<KeyCode> {
    if let Some((_, _, code)) = NAMED.iter().find(|(name, _, _)| *name == text) {
        return Some(*code);
    }
    let mut characters = text.chars();
    let first = characters.next()?;
    if characters.next().is_none() {
        return Some(KeyCode::Char(first));
    }
    let number = text.strip_prefix('f')?.parse().ok()?;
    (1..=12).contains(&number).then_some(KeyCode::F(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_events_name_the_same_key() {
        let check = |text: &str, code, modifiers, label: &str| {
            let chord: Chord = text.parse().unwrap();
            assert_eq!(chord, KeyEvent::new(code, modifiers).into(), "{text}");
            assert_eq!(chord.label(), label);
        };
        let (none, shift) = (KeyModifiers::NONE, KeyModifiers::SHIFT);
        check("p", KeyCode::Char('p'), none, "p");
        check("P", KeyCode::Char('P'), shift, "P");
        check("ctrl-p", KeyCode::Char('P'), KeyModifiers::CONTROL, "^P");
        check("shift-tab", KeyCode::Tab, shift, "S-Tab");
        check("space", KeyCode::Char(' '), none, "Space");
        check("f1", KeyCode::F(1), none, "F1");
        check("-", KeyCode::Char('-'), none, "-");
    }

    #[test]
    fn a_label_leads_back_to_its_key() {
        for text in [
            "p",
            "P",
            "ctrl-p",
            "shift-tab",
            "space",
            "f1",
            "enter",
            "esc",
            "backspace",
        ] {
            let chord: Chord = text.parse().unwrap();
            assert_eq!(Chord::of_label(&chord.label()), Some(chord), "{text}");
        }
        for label in ["↑↓", "- +", "PgUp PgDn"] {
            assert_eq!(Chord::of_label(label), None, "{label}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "f0", "f13", "control-p", "ctrl-", "enterr"] {
            assert!(text.parse::<Chord>().is_err(), "{text}");
        }
    }
}
