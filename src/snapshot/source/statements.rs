//! The two statements of a copy. Pure.

use crate::model::{QualifiedName, quote_ident, quote_literal};
use crate::snapshot::{Part, SourceTable};

/// Returns the statement that sends a part of a table. `ONLY`: a parent does not send its
/// children's rows, which are copied as theirs.
#[must_use]
pub fn copy_to(table: &SourceTable, part: Part) -> String {
    let (name, format) = (table.name.quoted(), format_clause(table));
    let columns = columns(table);
    match part {
        Part::Whole if columns.is_empty() => format!("COPY {name} TO STDOUT{format}"),
        Part::Whole => format!("COPY {name} ({columns}) TO STDOUT{format}"),
        Part::Keys { range, .. } => {
            let key = table
                .key
                .as_ref()
                .map_or_else(String::new, |key| quote_ident(&key.column));
            let low = range.low.map(|low| format!("{key} >= {low}"));
            let high = range.high.map(|high| format!("{key} < {high}"));
            let bounds: Vec<_> = low.into_iter().chain(high).collect();
            format!(
                "COPY (SELECT {columns} FROM ONLY {name} WHERE {}) TO STDOUT{format}",
                bounds.join(" AND ")
            )
        }
        Part::Blocks { from, to } => {
            let end = to.map_or_else(String::new, |to| format!(" AND ctid < '({to},0)'"));
            format!(
                "COPY (SELECT {columns} FROM ONLY {name} WHERE ctid >= '({from},0)'{end}) TO \
                 STDOUT{format}"
            )
        }
    }
}

/// Returns the statement that takes them, into the target's table of that name.
#[must_use]
pub fn copy_from(table: &SourceTable, target: &QualifiedName) -> String {
    let (name, format) = (target.quoted(), format_clause(table));
    let columns = columns(table);
    match columns.is_empty() {
        true => format!("COPY {name} FROM STDIN{format}"),
        false => format!("COPY {name} ({columns}) FROM STDIN{format}"),
    }
}

/// Returns the question to the source whose answer is the statement that moves the target's sequence
/// `name` to where the source's is, and never back.
#[must_use]
pub fn sequence_question(name: &QualifiedName) -> String {
    let quoted = name.quoted();
    let literal = quote_literal(&quoted);
    format!(
        "SELECT pg_catalog.format('SELECT pg_catalog.setval(%L, %s, %L) FROM %s AS q JOIN \
         pg_catalog.pg_sequence AS s ON s.seqrelid = %L::pg_catalog.regclass WHERE \
         pg_catalog.sign(s.seqincrement) * (%s - q.last_value) >= 0', {literal}, q.last_value, \
         q.is_called, {literal}, {literal}, q.last_value) FROM {quoted} AS q"
    )
}

fn columns(table: &SourceTable) -> String {
    let quoted: Vec<_> = table.columns.iter().map(|name| quote_ident(name)).collect();
    quoted.join(", ")
}

const fn format_clause(table: &SourceTable) -> &'static str {
    match table.binary_format {
        true => " (FORMAT binary)",
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_ranges_are_half_open() {
        let mut table = SourceTable::named("s", "Order items");
        table.columns = vec!["id".to_owned(), "a\"b".to_owned()];
        let check = |table: &SourceTable, part, expected: &str| {
            assert_eq!(copy_to(table, part), expected);
        };

        check(
            &table,
            Part::Whole,
            r#"COPY "s"."Order items" ("id", "a""b") TO STDOUT"#,
        );
        let part = Part::Blocks {
            from: 5,
            to: Some(9),
        };
        check(
            &table,
            part,
            r#"COPY (SELECT "id", "a""b" FROM ONLY "s"."Order items" WHERE ctid >= '(5,0)' AND ctid < '(9,0)') TO STDOUT"#,
        );
        table.binary_format = true;
        assert_eq!(
            copy_from(&table, &table.name),
            r#"COPY "s"."Order items" ("id", "a""b") FROM STDIN (FORMAT binary)"#
        );
        table.columns.clear();
        let part = Part::Blocks { from: 5, to: None };
        check(
            &table,
            part,
            r#"COPY (SELECT  FROM ONLY "s"."Order items" WHERE ctid >= '(5,0)') TO STDOUT (FORMAT binary)"#,
        );
        check(
            &table,
            Part::Whole,
            r#"COPY "s"."Order items" TO STDOUT (FORMAT binary)"#,
        );
    }
}
