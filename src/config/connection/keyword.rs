//! The other form: `host=localhost port=5432 dbname='my db'` (manual, section 34.1.1.1
//! «Keyword/Value Connection Strings»).

use std::iter::Peekable;
use std::str::Chars;

use super::ConnectionError;
use super::uri::Word;

/// Splits `key=value` words. Values may be quoted with `'`; `\` escapes the next character.
pub(super) fn words(text: &str) -> Result<Vec<Word>, ConnectionError> {
    let mut characters = text.chars().peekable();
    let mut words = Vec::new();
    loop {
        skip_blanks(&mut characters);
        if characters.peek().is_none() {
            return if words.is_empty() {
                Err(ConnectionError::Form)
            } else {
                Ok(words)
            };
        }
        let name = name(&mut characters)?;
        skip_blanks(&mut characters);
        words.push((name, value(&mut characters)?));
    }
}

fn skip_blanks(characters: &mut Peekable<Chars<'_>>) {
    while characters.next_if(|c| c.is_whitespace()).is_some() {}
}

fn name(characters: &mut Peekable<Chars<'_>>) -> Result<String, ConnectionError> {
    let mut name = String::new();
    while let Some(c) = characters.next_if(|c| *c != '=' && !c.is_whitespace()) {
        name.push(c);
    }
    skip_blanks(characters);
    match characters.next() {
        Some('=') if !name.is_empty() => Ok(name),
        _ => Err(ConnectionError::Form),
    }
}

fn value(characters: &mut Peekable<Chars<'_>>) -> Result<String, ConnectionError> {
    let quoted = characters.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match characters.next() {
            Some('\'') if quoted => return Ok(value),
            Some(c) if !quoted && c.is_whitespace() => return Ok(value),
            Some('\\') => value.extend(characters.next()),
            Some(c) => value.push(c),
            None if quoted => {
                return Err(ConnectionError::Malformed {
                    part: "a quoted value",
                    rule: "lacks its closing quote",
                });
            }
            None => return Ok(value),
        }
    }
}
