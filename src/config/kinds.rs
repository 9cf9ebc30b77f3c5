//! Kinds of objects that stay on the source.

use std::collections::BTreeSet;
use std::fmt;

use super::suggest;

/// The kinds of objects that are described, and travel, in the server's words; those of tables and types apart.
pub const OBJECT_KINDS: [&str; 27] = [
    "function",
    "procedure",
    "aggregate",
    "view",
    "materialized view",
    "trigger",
    "rule",
    "policy",
    "statistics object",
    "extension",
    "collation",
    "conversion",
    "cast",
    "transform",
    "language",
    "access method",
    "operator",
    "operator class",
    "operator family",
    "foreign-data wrapper",
    "server",
    "foreign table",
    "text search parser",
    "text search template",
    "text search dictionary",
    "text search configuration",
    "event trigger",
];

/// What can be left out beside them: who owns objects, and who may do what with them.
const OF_ROLES: [&str; 2] = ["owner", "privilege"];

/// The kinds that stay on the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeSet<&'static str>);

impl LeftOut {
    /// Reads a list, separated by commas.
    ///
    /// # Errors
    /// The rule that a word breaks, and which word was probably meant.
    pub fn parse(text: &str) -> Result<Self, (String, Option<String>)> {
        let words = text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        let all: Vec<&str> = OF_ROLES.into_iter().chain(OBJECT_KINDS).collect();
        let kind = |word: &str| {
            let word = word.to_lowercase();
            let known = all.iter().copied().find(|kind| *kind == word);
            known.ok_or_else(|| {
                let meant = suggest::nearest(&word, all.iter().copied());
                (
                    format!(
                        "must be kinds with commas between them, of: {}",
                        all.join(", ")
                    ),
                    meant.map(|kind| format!("did you mean {kind}?")),
                )
            })
        };
        words.map(kind).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether objects of a kind stay on the source.
    #[must_use]
    pub fn has(&self, kind: &str) -> bool {
        self.0.contains(kind)
    }

    /// Returns whether everything travels that can.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<&str> = self.0.iter().copied().collect();
        f.write_str(&kinds.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_words_with_commas_between_them() {
        let left_out = LeftOut::parse("owner, Materialized View,,").unwrap();
        assert!(
            left_out.has("owner") && left_out.has("materialized view") && !left_out.has("view")
        );
        assert_eq!(left_out.to_string(), "materialized view, owner");
        assert!(LeftOut::parse(" ").unwrap().is_empty());

        let (rule, meant) = LeftOut::parse("owner, trigers").unwrap_err();
        assert!(
            rule.ends_with("text search configuration, event trigger"),
            "{rule}"
        );
        assert_eq!(meant.as_deref(), Some("did you mean trigger?"));
    }
}
