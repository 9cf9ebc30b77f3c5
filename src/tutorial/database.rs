//! A session as a reader of the tutorial has one in psql: plain statements, answers as text.
//!
//! It is no session of the engine's: nothing is pinned, the search path is the user's own.

use tokio_postgres::{Client, NoTls, SimpleQueryMessage, SimpleQueryRow};

use crate::model::quote_literal;

use super::lesson::NULL;

/// What `\d+` asks of the catalogs.
const DESCRIBE: &str = include_str!("../../assets/tutorial/describe.sql");
const DESCRIBE_COMMAND: &str = r"\d+ ";

/// One database, joined.
#[derive(Debug)]
pub struct Database {
    client: Client,
}

/// An answer as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The columns' names; none for a statement that gives no rows.
    pub columns: Vec<String>,
    /// The rows; NULL as [`NULL`].
    pub rows: Vec<Vec<String>>,
}

impl Database {
    /// Joins a database of a throw-away cluster.
    ///
    /// # Errors
    /// What the server or the driver says.
    pub async fn join(url: &str) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        #[expect(clippy::disallowed_methods, reason = "ends with the client it drives")]
        drop(tokio::spawn(connection));
        Ok(Self { client })
    }

    /// Runs a statement, or psql's `\d+ <table>`, and returns its last answer.
    ///
    /// # Errors
    /// What the server or the driver says.
    pub async fn ask(&self, statement: &str) -> Result<Answer, tokio_postgres::Error> {
        let messages = self.client.simple_query(&to_sql(statement)).await?;
        let mut answer = Answer::default();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    let columns = columns
                        .iter()
                        .map(|column| column.name().to_owned())
                        .collect();
                    answer = Answer {
                        columns,
                        rows: Vec::new(),
                    };
                }
                SimpleQueryMessage::Row(row) => answer.rows.push(cells(&row)),
                _ => {}
            }
        }
        Ok(answer)
    }
}

fn to_sql(statement: &str) -> String {
    match statement.strip_prefix(DESCRIBE_COMMAND) {
        Some(table) => DESCRIBE.replace("{table}", &quote_literal(table.trim())),
        None => statement.to_owned(),
    }
}

fn cells(row: &SimpleQueryRow) -> Vec<String> {
    (0..row.len())
        .map(|at| row.get(at).unwrap_or(NULL).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::to_sql;

    #[test]
    fn describing_is_the_one_command_that_is_not_sql() {
        assert_eq!(to_sql("SELECT 1;"), "SELECT 1;");
        assert!(to_sql(r"\d+ o'clock").contains("to_regclass('o''clock')"));
    }
}
