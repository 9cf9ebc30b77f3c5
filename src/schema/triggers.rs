//! Triggers of users: whether both sides have one, when it fires for what we write, and what it writes
//! itself.

use crate::model::QualifiedName;
use crate::postgres::{PgError, Session};

const TRIGGERS: &str = include_str!("../../assets/sql/triggers.sql");

/// A trigger of a user's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its OID.
    pub oid: u32,
    /// Its table.
    pub table: QualifiedName,
    pub name: String,
    /// The same, quoted where SQL needs it.
    pub shown: String,
    /// As `pg_get_triggerdef` prints it.
    pub definition: String,
    /// `tgenabled`: `O` ordinary, `A` always, `R` replica, `D` disabled.
    pub enabled: String,
    /// It fires when rows come in.
    pub on_insert: bool,
    /// It fires when rows come in, or all of them go.
    pub on_fill: bool,
    /// A partition has it of its partitioned table.
    pub inherited: bool,
    /// The text of its function.
    pub function: String,
}

impl Trigger {
    /// Returns whether it fires in our sessions; `silent`: they are those of a replica.
    #[must_use]
    pub fn fires(&self, silent: bool) -> bool {
        self.enabled == "A" || self.enabled == if silent { "R" } else { "O" }
    }

    /// Returns what `ALTER TABLE … TRIGGER` says to let it fire as it did.
    #[must_use]
    pub fn enable(&self) -> &'static str {
        match self.enabled.as_str() {
            "A" => "ENABLE ALWAYS",
            "R" => "ENABLE REPLICA",
            _ => "ENABLE",
        }
    }

    /// Returns whether the other side has the same on the same table.
    #[must_use]
    pub fn is_among(&self, others: &[Self]) -> bool {
        let same =
            |other: &Self| (&other.table, &other.definition) == (&self.table, &self.definition);
        others.iter().any(same)
    }

    /// Returns the names that follow a verb which writes, in the text of its function, folded as SQL does.
    #[must_use]
    pub fn written(&self) -> Vec<Vec<String>> {
        let words: Vec<String> = words(&self.function);
        let verbs: [&[&str]; 5] = [
            &["insert", "into"],
            &["update"],
            &["delete", "from"],
            &["merge", "into"],
            &["truncate"],
        ];
        let mut found = Vec::new();
        for at in 0..words.len() {
            for verb in verbs {
                let follows = words[at..].iter().map(String::as_str);
                if follows.take(verb.len()).eq(verb.iter().copied()) {
                    let rest = words[at + verb.len()..].iter();
                    let mut rest = rest.skip_while(|word| ["only", "table"].contains(&&***word));
                    found.extend(rest.next().map(|word| name(word)));
                }
            }
        }
        found
    }
}

/// Splits a text at what is in no name; what is quoted stays as it is.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        quoted ^= letter == '"';
        let part = quoted || letter.is_alphanumeric() || ['"', '_', '.', '$'].contains(&letter);
        match (part, words.last_mut()) {
            (true, Some(word)) if quoted || letter == '"' => word.push(letter),
            (true, Some(word)) => word.extend(letter.to_lowercase()),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Splits a name into schema and table, or returns it alone.
fn name(word: &str) -> Vec<String> {
    let parts = word
        .split('.')
        .map(|part| part.trim_matches('"').to_owned());
    parts.collect()
}

/// Returns all of a server.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn triggers(session: &Session) -> Result<Vec<Trigger>, PgError> {
    let rows = session.rows(TRIGGERS, &[]).await?;
    let trigger = |row: &tokio_postgres::Row| Trigger {
        oid: row.get(0),
        table: QualifiedName::new(row.get::<_, &str>(1), row.get::<_, &str>(2)),
        name: row.get(3),
        shown: row.get(4),
        definition: row.get(5),
        enabled: row.get(6),
        on_insert: row.get(7),
        on_fill: row.get(8),
        inherited: row.get(9),
        function: row.get(10),
    };
    Ok(rows.iter().map(trigger).collect())
}

#[cfg(test)]
impl Trigger {
    /// An ordinary one, for tests.
    pub(crate) fn on(table: &str, function: &str) -> Self {
        Self {
            oid: 1,
            table: QualifiedName::new("public", table),
            name: "g".to_owned(),
            shown: "g".to_owned(),
            definition: format!("CREATE TRIGGER g BEFORE INSERT ON public.{table}"),
            enabled: "O".to_owned(),
            on_insert: true,
            on_fill: true,
            inherited: false,
            function: function.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_writes_is_read_from_its_text() {
        let check = |text: &str, expected: &[&str]| {
            let written = Trigger::on("t", text).written();
            let found: Vec<String> = written.iter().map(|name| name.join("|")).collect();
            assert_eq!(found, expected, "{text}");
        };

        check(
            "BEGIN INSERT INTO audit VALUES (1); RETURN NEW; END",
            &["audit"],
        );
        check("begin update only Shop.Item set a = 1; end", &["shop|item"]);
        check(
            "DELETE FROM \"My Shop\".\"A b\"; TRUNCATE TABLE x",
            &["My Shop|A b", "x"],
        );
        check("BEGIN NEW.updated_at = now(); RETURN NEW; END", &[]);
    }

    #[test]
    fn a_trigger_fires_by_its_state_and_our_role() {
        let mut trigger = Trigger::on("t", "");
        for (enabled, ordinary, replica) in [
            ("O", true, false),
            ("A", true, true),
            ("R", false, true),
            ("D", false, false),
        ] {
            trigger.enabled = enabled.to_owned();
            assert_eq!(
                (trigger.fires(false), trigger.fires(true)),
                (ordinary, replica)
            );
        }
        assert!(trigger.is_among(&[Trigger::on("t", "another text")]));
        assert!(!trigger.is_among(&[Trigger::on("u", "")]));
    }
}
