//! Kinds of objects that stay on the source.

use std::collections::BTreeSet;
use std::fmt;

use super::suggest;

/// What can be left out: kinds of objects in PostgreSQL's words; who owns objects; who may do what with them.
pub const KINDS: [&str; 29] = [
    "owner",
    "privilege",
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
        let kind = |word: &str| {
            let word = word.to_lowercase();
            let known = KINDS.iter().copied().find(|kind| *kind == word);
            known.ok_or_else(|| {
                let meant = suggest::nearest(&word, KINDS.into_iter());
                (
                    format!(
                        "must be kinds with commas between them, of: {}",
                        KINDS.join(", ")
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
