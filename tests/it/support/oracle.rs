//! Compares two databases: everything that replication promises to keep equal.
//!
//! Each database is read into a plain [`Picture`]; comparing pictures is pure, and its answer is
//! a list of sentences. Rows are compared by count and by a hash that does not depend on their
//! order but counts duplicates, so that a lost and a doubled row cannot cancel out.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::sql::try_query_text;
use super::wait::wait_until;

/// What is compared, by a name that says what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Definitions: columns, constraints, indexes, and the number and hash of a table's rows.
    pub facts: BTreeMap<String, String>,
    /// The last value of each sequence, which may be ahead on the target but never behind.
    pub sequences: BTreeMap<String, i64>,
}

/// User schemas only; ours is on both sides and differs by design.
const USER_SCHEMAS: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream') \
     AND n.nspname !~ '^pg_(toast|temp)'";

/// Takes the picture of a database: all user tables, or those that `only` names. Fails while a
/// schema change is under way: a catalog function may then find its object gone.
pub async fn picture(client: &Client, only: &[&str]) -> Result<Picture, String> {
    let mut picture = Picture::default();
    let ask =
        async |sql: &str| try_query_text(client, &sql.replace("USER_SCHEMAS", USER_SCHEMAS)).await;
    for sql in [COLUMNS, CONSTRAINTS, INDEXES] {
        for line in ask(sql).await? {
            let (name, fact) = line.split_once('|').expect("two columns");
            picture.facts.insert(name.to_owned(), fact.to_owned());
        }
    }
    for table in ask(TABLES).await? {
        let rows = rows(client, &table).await?;
        picture.facts.insert(format!("rows of {table}"), rows);
    }
    for line in ask(SEQUENCES).await? {
        let (name, value) = line.rsplit_once('|').expect("two columns");
        picture
            .sequences
            .insert(name.to_owned(), value.parse().expect("a number"));
    }
    if !only.is_empty() {
        let wanted = |name: &str| only.iter().any(|table| is_about(name, table));
        picture.facts.retain(|name, _| wanted(name));
        picture.sequences.retain(|name, _| wanted(name));
    }
    Ok(picture)
}

/// Compares; an empty answer means equal.
pub fn differences(source: &Picture, target: &Picture) -> Vec<String> {
    let mut found = Vec::new();
    for (name, fact) in &source.facts {
        match target.facts.get(name) {
            None => found.push(format!("{name}: missing on the target, source has {fact}")),
            Some(seen) if seen != fact => {
                found.push(format!("{name}: source has {fact}, target has {seen}"));
            }
            Some(_) => {}
        }
    }
    for (name, fact) in &target.facts {
        if !source.facts.contains_key(name) {
            found.push(format!("{name}: only on the target, which has {fact}"));
        }
    }
    for (name, last) in &source.sequences {
        match target.sequences.get(name) {
            None => found.push(format!("{name}: missing on the target")),
            Some(seen) if seen < last => {
                found.push(format!(
                    "{name}: source is at {last}, target behind at {seen}"
                ));
            }
            Some(_) => {}
        }
    }
    found
}

/// Waits until the target equals the source; fails with the differences that stay.
pub async fn assert_equal(source: &Client, target: &Client) {
    assert_equal_tables(source, target, &[]).await;
}

/// Waits until these tables are equal on both sides.
pub async fn assert_equal_tables(source: &Client, target: &Client, tables: &[&str]) {
    wait_until("both sides are equal", async || {
        let found = differences(
            &picture(source, tables).await?,
            &picture(target, tables).await?,
        );
        if found.is_empty() {
            Ok(())
        } else {
            Err(format!("\n  {}", found.join("\n  ")))
        }
    })
    .await;
}

/// Count, and the sum of a hash of each row's text. A sum keeps duplicates visible where XOR
/// would lose them in pairs. Two halves of MD5 stay within numeric without a cast error.
async fn rows(client: &Client, table: &str) -> Result<String, String> {
    let sql = format!(
        "SELECT count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint \
         ::numeric), 0) FROM ONLY {table} t"
    );
    let counted = try_query_text(client, &sql).await?;
    Ok(counted.join("").replace('|', " rows with hash "))
}

/// Whether the fact called `name` is about `table` (as `regclass` writes it, with its schema).
fn is_about(name: &str, table: &str) -> bool {
    name.split(' ').any(|word| {
        word == table
            || word
                .strip_prefix(table)
                .is_some_and(|rest| rest.starts_with('.'))
    })
}

const TABLES: &str = "
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND USER_SCHEMAS
ORDER BY 1";

/// Dropped columns leave holes in attnum that a re-created table does not have: the position
/// among the live columns is what counts.
const COLUMNS: &str = "
SELECT format('column %I.%I.%I', n.nspname, c.relname, a.attname),
       concat_ws(' ',
         'position', row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
         pg_catalog.format_type(a.atttypid, a.atttypmod),
         CASE WHEN a.attnotnull THEN 'not null' END,
         CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || l.collname END,
         format('identity <%s> generated <%s> storage %s compression <%s>',
                a.attidentity, a.attgenerated, a.attstorage, a.attcompression),
         'default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid),
         'comment ' || pg_catalog.col_description(c.oid, a.attnum))
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'c')
  AND c.relpersistence = 'p' AND USER_SCHEMAS";

const CONSTRAINTS: &str = "
SELECT format('constraint %I.%I.%I', n.nspname, c.relname, k.conname),
       concat_ws(' comment ', pg_catalog.pg_get_constraintdef(k.oid),
                 pg_catalog.obj_description(k.oid, 'pg_constraint'))
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype <> 'n' AND USER_SCHEMAS";

const INDEXES: &str = "
SELECT format('index %I.%I on %I.%I', n.nspname, i.relname, n.nspname, c.relname),
       concat_ws(' ', pg_catalog.pg_get_indexdef(i.oid),
         CASE WHEN x.indisvalid THEN 'valid' ELSE 'INVALID' END,
         CASE WHEN x.indisreplident THEN 'replica identity' END)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND USER_SCHEMAS";

/// A sequence never drawn from has no last value; then it counts as just before its start.
/// One that a column owns goes by the column's name, which is what people see.
const SEQUENCES: &str = "
SELECT format('sequence %I.%I', s.schemaname, s.sequencename),
       coalesce(s.last_value, s.start_value - s.increment_by)
FROM pg_catalog.pg_sequences s
JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
WHERE USER_SCHEMAS";

#[cfg(test)]
mod tests {
    use super::{Picture, differences, is_about};

    fn picture(facts: &[(&str, &str)], sequences: &[(&str, i64)]) -> Picture {
        let facts = facts
            .iter()
            .map(|(name, fact)| ((*name).to_owned(), (*fact).to_owned()));
        let sequences = sequences
            .iter()
            .map(|(name, last)| ((*name).to_owned(), *last));
        Picture {
            facts: facts.collect(),
            sequences: sequences.collect(),
        }
    }

    #[test]
    fn tells_what_is_missing_other_and_too_much() {
        let source = picture(&[("a", "1"), ("b", "2"), ("c", "3")], &[]);
        let target = picture(&[("a", "1"), ("b", "9"), ("d", "4")], &[]);

        let expected = [
            "b: source has 2, target has 9",
            "c: missing on the target, source has 3",
            "d: only on the target, which has 4",
        ];
        assert_eq!(differences(&source, &target), expected);
    }

    #[test]
    fn a_sequence_may_be_ahead_on_the_target_and_never_behind() {
        let source = picture(&[], &[("s", 5)]);

        for (last, expected) in [(5, 0), (6, 0), (4, 1)] {
            assert_eq!(
                differences(&source, &picture(&[], &[("s", last)])).len(),
                expected
            );
        }
    }

    #[test]
    fn a_fact_belongs_to_the_table_it_names() {
        let cases = [
            ("column public.test.id", true),
            ("rows of public.test", true),
            ("index public.test_pkey on public.test", true),
            ("rows of public.test_2", false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_about(name, "public.test"), expected, "{name}");
        }
    }
}
