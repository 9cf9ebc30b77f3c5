//! Names of replication slots and what is named after them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name of an object in bytes (`NAMEDATALEN` - 1; manual, section 4.1.1).
const NAME_BYTES_MAX: usize = 63;

/// A valid name of a replication slot: lower-case letters, digits and underscores, at most 63 bytes
/// (manual, section 27.2.6.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SlotName(String);

impl SlotName {
    /// Returns the default slot of a database: `pgstream_<database>_slot`, the database's name in
    /// lower case with other characters as `_`, cut where the whole would be too long.
    #[must_use]
    pub fn for_database(database: &str) -> Self {
        const AROUND: usize = "pgstream__slot".len();
        let middle: String = allowed_characters(database)
            .take(NAME_BYTES_MAX - AROUND)
            .collect();
        Self(format!("pgstream_{middle}_slot"))
    }

    /// Returns the name as the server knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn allowed_characters(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().map(|c| match c.to_ascii_lowercase() {
        c if allowed(c) => c,
        _ => '_',
    })
}

fn allowed(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// The text is not the name of a slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be the name of a slot: 1 to 63 lower-case letters, digits and underscores")]
pub struct SlotNameError;

impl FromStr for SlotName {
    type Err = SlotNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(allowed);
        valid.then(|| Self(text.to_owned())).ok_or(SlotNameError)
    }
}

impl TryFrom<String> for SlotName {
    type Error = SlotNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SlotName> for String {
    fn from(name: SlotName) -> Self {
        name.0
    }
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the name of the publication that belongs to a slot: the slot's name with `_publication`
/// appended, cut to 63 bytes.
#[must_use]
pub fn publication_name(slot: &str) -> String {
    let mut name = format!("{slot}_publication");
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_slot_is_valid_for_every_database() {
        let check = |database: &str, expected: &str| {
            let name = SlotName::for_database(database);
            assert_eq!(name.as_str(), expected);
            assert_eq!(expected.parse(), Ok(name));
        };
        check("postgres", "pgstream_postgres_slot");
        check("My-Shop.2", "pgstream_my_shop_2_slot");
        check("жар", "pgstream_____slot");
        check(
            &"a".repeat(63),
            &format!("pgstream_{}_slot", "a".repeat(49)),
        );
    }

    #[test]
    fn names_that_the_server_refuses_are_refused() {
        for text in ["", "Upper", "dash-ed", "a b", "é", &"a".repeat(64)] {
            assert_eq!(text.parse::<SlotName>(), Err(SlotNameError), "{text}");
        }
    }

    #[test]
    fn the_publication_is_named_after_the_slot() {
        assert_eq!(publication_name("a_slot"), "a_slot_publication");
        assert_eq!(
            publication_name(&"a".repeat(60)),
            format!("{}_pu", "a".repeat(60))
        );
        assert_eq!(publication_name(&"é".repeat(32)).len(), 62);
    }
}
