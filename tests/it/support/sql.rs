//! Plain SQL for tests, through tokio-postgres, independent of our own connection code.

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Connects to an address without TLS.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .unwrap_or_else(|error| panic!("cannot connect to {url}: {error:?}"));
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own connection has no supervisor"
    )]
    drop(tokio::spawn(connection));
    client
}

/// Runs statements as psql would send them with `-c`: one simple query.
pub async fn execute(client: &Client, sql: &str) {
    client
        .batch_execute(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
}

/// Returns the rows as text, columns separated by `|`, NULL as `∅`.
pub async fn query_text(client: &Client, sql: &str) -> Vec<String> {
    try_query_text(client, sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}\n{error}"))
}

/// As [`query_text`], with the server's refusal as text.
pub async fn try_query_text(client: &Client, sql: &str) -> Result<Vec<String>, String> {
    let answer = client.simple_query(sql).await;
    let messages = answer.map_err(|error| format!("{error:?}"))?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let lines = rows.map(|row| {
        let values: Vec<&str> = (0..row.len())
            .map(|at| row.get(at).unwrap_or("∅"))
            .collect();
        values.join("|")
    });
    Ok(lines.collect())
}

/// Returns the major version of a server.
pub async fn major_version(client: &Client) -> i32 {
    let asked = "SELECT current_setting('server_version_num')::int / 10000";
    let major = query_text(client, asked).await;
    major.join("").parse().expect("a number")
}
