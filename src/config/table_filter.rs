//! Which tables replicate: patterns such as `public.*`, and the filter made of them.
//!
//! A part of a pattern is either plain, with `*` for any characters and `?` for one, or in double
//! quotes and exact, as SQL quotes it. A plain part with a capital letter is refused: SQL would fold
//! it to lower case and other tools would not, and a filter that silently misses a table is worse
//! than one more pair of quotes.

use std::fmt;
use std::str::FromStr;

use crate::model::{QualifiedName, quote_ident};

use super::list;

/// One pattern: a schema part and a table part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePattern {
    schema: Part,
    table: Part,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// The catalog's spelling.
    Exact(String),
    /// With wildcards.
    Glob(String),
}

/// Why a text is no pattern. It does not repeat the text, which may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not one or two parts.
    #[error("is not a table: write schema.table, schema.*, *.* or a bare table of schema public")]
    Parts,
    /// Quotes that SQL would not accept either.
    #[error(
        "has a double quote in a wrong place: quote whole parts, as in \"My Schema\".\"Order items\""
    )]
    Quote,
    /// Such as an address of a server, which no name looks like.
    #[error("has a :, / or @ outside quotes: quote the part where a name holds one")]
    Mark,
    /// Folding would change the name.
    #[error(
        "has capital letters outside quotes: quote it for the exact name, as in \"My Schema\".\"Orders\", \
         or write lower case"
    )]
    Capitals,
}

impl FromStr for TablePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = split_parts(text).ok_or(PatternError::Quote)?;
        if parts.iter().any(has_marks) {
            return Err(PatternError::Mark);
        }
        if parts.iter().any(has_capitals) {
            return Err(PatternError::Capitals);
        }
        let parse = |part: &RawPart| {
            (!part.text.is_empty()).then(|| match part.quoted || !part.text.contains(['*', '?']) {
                true => Part::Exact(part.text.clone()),
                false => Part::Glob(part.text.clone()),
            })
        };
        let parsed = match parts.as_slice() {
            [table] => parse(table).map(|table| (Part::Exact("public".to_owned()), table)),
            [schema, table] => parse(schema).zip(parse(table)),
            _ => None,
        };
        parsed
            .map(|(schema, table)| Self { schema, table })
            .ok_or(PatternError::Parts)
    }
}

struct RawPart {
    text: String,
    quoted: bool,
}

/// Splits at dots outside quotes and takes the quotes off; none when a quote stands inside a plain
/// part, or something stands after a closing quote.
fn split_parts(text: &str) -> Option<Vec<RawPart>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(inside) => quoted_part(inside)?,
            None => plain_part(rest)?,
        };
        parts.push(part);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

fn plain_part(text: &str) -> Option<(RawPart, &str)> {
    let (part, after) = text.split_at(text.find('.').unwrap_or(text.len()));
    let raw = RawPart {
        text: part.to_owned(),
        quoted: false,
    };
    (!part.contains('"')).then_some((raw, after))
}

fn quoted_part(inside: &str) -> Option<(RawPart, &str)> {
    let mut text = String::new();
    let mut rest = inside;
    loop {
        let (before, after) = rest.split_once('"')?;
        text.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                text.push('"');
                rest = next;
            }
            None => return Some((RawPart { text, quoted: true }, after)),
        }
    }
}

fn has_marks(part: &RawPart) -> bool {
    !part.quoted && part.text.contains([':', '/', '@'])
}

fn has_capitals(part: &RawPart) -> bool {
    !part.quoted && part.text.bytes().any(|byte| byte.is_ascii_uppercase())
}

impl TablePattern {
    /// Returns whether the pattern covers this table.
    #[must_use]
    pub fn covers(&self, table: &QualifiedName) -> bool {
        self.schema.covers(&table.schema) && self.table.covers(&table.name)
    }

    /// Returns the pattern that covers this table and no other.
    fn exactly(table: &QualifiedName) -> Self {
        Self {
            schema: Part::Exact(table.schema.to_string()),
            table: Part::Exact(table.name.to_string()),
        }
    }

    /// Returns the pattern for tables called so in another schema.
    #[must_use]
    pub fn in_schema(&self, schema: &str) -> Self {
        Self {
            schema: Part::Exact(schema.to_owned()),
            table: self.table.clone(),
        }
    }

    /// Returns the pattern that covers the tables of this schema.
    #[must_use]
    pub fn all_of(schema: &str) -> Self {
        Self {
            schema: Part::Exact(schema.to_owned()),
            table: Part::Glob("*".to_owned()),
        }
    }

    /// Returns whether the pattern covers every table of a schema.
    fn takes_schema(&self, schema: &str) -> bool {
        let all = matches!(&self.table, Part::Glob(glob) if glob == "*");
        all && self.schema.covers(schema)
    }

    /// Returns whether the pattern covers every table.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        let everything = |part: &Part| matches!(part, Part::Glob(glob) if glob == "*");
        everything(&self.schema) && everything(&self.table)
    }
}

impl Part {
    fn covers(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Glob(glob) => glob_covers(glob, name),
        }
    }
}

/// Matches with one point of return, so the time is at most the product of both lengths.
fn glob_covers(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    let (mut g, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match (glob.get(g), retry) {
            (Some('*'), _) => {
                retry = Some((g + 1, n));
                g += 1;
            }
            (Some(c), _) if *c == '?' || *c == name[n] => {
                g += 1;
                n += 1;
            }
            (_, Some((after_star, taken))) => {
                retry = Some((after_star, taken + 1));
                g = after_star;
                n = taken + 1;
            }
            (_, None) => return false,
        }
    }
    glob[g..].iter().all(|c| *c == '*')
}

/// As it would be written in a configuration.
impl fmt::Display for TablePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        match self {
            Self::Glob(glob) => f.write_str(glob),
            Self::Exact(name) if name.chars().all(plain) => f.write_str(name),
            Self::Exact(name) => f.write_str(&quote_ident(name)),
        }
    }
}

/// Which tables replicate, rows and schema changes alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableFilter {
    include: Vec<TablePattern>,
    exclude: Vec<TablePattern>,
}

impl TableFilter {
    /// Builds a filter; an empty `include` means all tables.
    #[must_use]
    pub fn new(include: Vec<TablePattern>, exclude: Vec<TablePattern>) -> Self {
        Self { include, exclude }
    }

    /// Reads both lists as a configuration writes them.
    ///
    /// # Errors
    /// The rule that the first bad item breaks, for people.
    pub fn parse(include: &str, exclude: &str) -> Result<Self, String> {
        Ok(Self::new(
            parse_patterns(include)?,
            parse_patterns(exclude)?,
        ))
    }

    /// Returns the included patterns as a configuration writes them; empty for all tables.
    #[must_use]
    pub fn include_text(&self) -> String {
        text_of(&self.include)
    }

    /// Returns the excluded patterns as a configuration writes them.
    #[must_use]
    pub fn exclude_text(&self) -> String {
        text_of(&self.exclude)
    }

    /// Returns the filter that decides the other way about one table and as before about all others.
    ///
    /// # Errors
    /// The pattern that leaves this table out together with others: only a person can say what
    /// shall become of those.
    pub fn toggled(&self, table: &QualifiedName) -> Result<Self, TablePattern> {
        let exactly = TablePattern::exactly(table);
        let mut filter = self.clone();
        if self.selects(table) {
            let others = self.include.iter().filter(|one| **one != exactly);
            let include: Vec<TablePattern> = others.cloned().collect();
            // An empty list would let everything in.
            if !include.is_empty() {
                filter.include = include;
            }
            if filter.selects(table) {
                filter.exclude.push(exactly);
            }
            return Ok(filter);
        }
        filter.exclude.retain(|one| *one != exactly);
        if let Some(covering) = filter.exclude.iter().find(|one| one.covers(table)) {
            return Err(covering.clone());
        }
        if !filter.selects(table) {
            filter.include.push(exactly);
        }
        Ok(filter)
    }

    /// Returns whether this table replicates: included, and not excluded.
    #[must_use]
    pub fn selects(&self, table: &QualifiedName) -> bool {
        let included = || self.include.iter().any(|pattern| pattern.covers(table));
        (self.include.is_empty() || included()) && !self.excludes(table)
    }

    /// Returns whether a table passes that goes by several names: its own, and those of the tables that
    /// it is a partition of. One of them must be included, and none excluded.
    #[must_use]
    pub fn selects_lineage(&self, lineage: &[&QualifiedName]) -> bool {
        lineage.iter().any(|name| self.selects(name))
            && !lineage.iter().any(|name| self.excludes(name))
    }

    /// Returns whether the list takes a schema as a whole, so that what belongs to no table there comes
    /// with it: types, and sequences that no table owns.
    #[must_use]
    pub fn takes_schema(&self, schema: &str) -> bool {
        let taken = |patterns: &[TablePattern]| {
            let mut patterns = patterns.iter();
            patterns.any(|pattern| pattern.takes_schema(schema))
        };
        (self.include.is_empty() || taken(&self.include)) && !taken(&self.exclude)
    }

    /// Returns whether this table is left out by name, whatever includes it.
    #[must_use]
    pub fn excludes(&self, table: &QualifiedName) -> bool {
        self.exclude.iter().any(|pattern| pattern.covers(table))
    }

    /// Returns the patterns that include tables; none: all tables.
    #[must_use]
    pub fn included(&self) -> &[TablePattern] {
        &self.include
    }

    /// Returns the patterns that leave tables out.
    #[must_use]
    pub fn excluded(&self) -> &[TablePattern] {
        &self.exclude
    }

    /// Returns whether every table passes.
    #[must_use]
    pub fn selects_everything(&self) -> bool {
        let everything = || self.include.iter().any(TablePattern::is_everything);
        self.exclude.is_empty() && (self.include.is_empty() || everything())
    }

    /// Returns whether the patterns alone show that no table can pass.
    #[must_use]
    pub fn selects_nothing(&self) -> bool {
        let excluded = |pattern: &TablePattern| self.exclude.contains(pattern);
        let all_excluded = !self.include.is_empty() && self.include.iter().all(excluded);
        all_excluded || self.exclude.iter().any(TablePattern::is_everything)
    }
}

fn text_of(patterns: &[TablePattern]) -> String {
    let texts: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// Returns the patterns of a list.
///
/// # Errors
/// The rule that the first bad item breaks, for people.
pub(super) fn parse_patterns(text: &str) -> Result<Vec<TablePattern>, String> {
    let items = (1..).zip(list::split(text)?);
    let parse = |(number, item): (usize, &str)| {
        item.parse()
            .map_err(|error: PatternError| format!("item {number} {error}"))
    };
    items.map(parse).collect()
}

#[cfg(test)]
#[path = "table_filter/tests.rs"]
mod tests;
