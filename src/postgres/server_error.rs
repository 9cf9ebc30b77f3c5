//! A server's error answer, field by field, and what of it may be shown.

use std::fmt;

use crate::model::ErrorClass;

use super::sqlstate;

/// A server's error answer (manual, section 55.8 «Error and Notice Message Fields»). Display and
/// Debug leave out what may hold values of rows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// The server: `host:port/database`.
    pub object: String,
    /// The statement, where known.
    pub statement: Option<String>,
    /// `ERROR`, `FATAL`, `PANIC`, never translated.
    pub severity: String,
    /// SQLSTATE.
    pub code: String,
    /// Primary message as sent. May quote a value: print the error itself instead.
    pub message: String,
    /// Detail as sent. May quote a row: trace level only.
    pub detail: Option<String>,
    /// The server's own hint.
    pub hint: Option<String>,
    /// Where in the statement, counted in characters from 1.
    pub position: Option<u32>,
    /// Call stack as sent. May quote a row: trace level only.
    pub context: Option<String>,
    /// Schema of the object that the error is about.
    pub schema: Option<String>,
    /// Its table.
    pub table: Option<String>,
    /// Its column.
    pub column: Option<String>,
    /// Its constraint.
    pub constraint: Option<String>,
    /// Which row of a COPY, counted from 1.
    pub row_number: Option<u64>,
    /// What fixes it, where whoever met it knows more than the code tells.
    pub(super) known_hint: Option<String>,
    /// The function of the server that raised it, where rows are written.
    raised_by: Option<String>,
    /// What its texts may quote.
    quotes: Quotes,
}

/// What the texts of an error may quote.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Quotes {
    /// Names; of a data exception or a violated constraint, values as well.
    #[default]
    AsTheCodeSays,
    /// The statement was about rows: values, between quotation marks.
    Values,
    /// A function of the target's own raised it while it handled rows: anything, anywhere.
    Anything,
}

impl ServerError {
    /// Collects the fields of an `ErrorResponse`.
    pub(super) fn from_fields<'a>(
        object: &str,
        fields: impl IntoIterator<Item = (u8, &'a str)>,
    ) -> Self {
        let mut error = Self {
            object: object.to_owned(),
            ..Self::default()
        };
        for (field, value) in fields {
            let text = || Some(value.to_owned());
            match field {
                b'S' if error.severity.is_empty() => value.clone_into(&mut error.severity),
                b'V' => value.clone_into(&mut error.severity),
                b'C' => value.clone_into(&mut error.code),
                b'M' => value.clone_into(&mut error.message),
                b'D' => error.detail = text(),
                b'H' => error.hint = text(),
                b'P' => error.position = value.parse().ok(),
                b'W' => error.context = text(),
                b's' => error.schema = text(),
                b't' => error.table = text(),
                b'c' => error.column = text(),
                b'n' => error.constraint = text(),
                // The server's source file, and fields of later protocol versions.
                _ => {}
            }
        }
        error
    }

    pub(super) fn from_client(
        object: String,
        statement: Option<String>,
        answer: &tokio_postgres::error::DbError,
    ) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Self {
            object,
            statement,
            severity: answer.severity().to_owned(),
            code: answer.code().code().to_owned(),
            message: answer.message().to_owned(),
            detail: own(answer.detail()),
            hint: own(answer.hint()),
            position: match answer.position() {
                Some(tokio_postgres::error::ErrorPosition::Original(at)) => Some(*at),
                _ => None,
            },
            context: own(answer.where_()),
            schema: own(answer.schema()),
            table: own(answer.table()),
            column: own(answer.column()),
            constraint: own(answer.constraint()),
            row_number: None,
            known_hint: None,
            raised_by: None,
            quotes: Quotes::default(),
        }
    }

    /// Returns the hint: the one of who met it, the server's own hint, or what its code tells.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let about = |word: &str| self.message.contains(word);
        let known = match &*self.code {
            sqlstate::INVALID_AUTHORIZATION if about("certificate") => Some(HINT_CERTIFICATE),
            sqlstate::INTERNAL_ERROR if self.exceeds_limit() => Some(HINT_LIMIT),
            code => sqlstate::hint(code),
        };
        let own = self.hint.clone();
        let own = own.filter(|_| self.quotes != Quotes::Anything);
        self.known_hint
            .clone()
            .or(own)
            .or_else(|| known.map(str::to_owned))
    }

    /// Returns what can be done about it. Where rows are written, what the server cannot read or find is
    /// their content: a name that is no table here, a query for text search.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        let content = self.quotes != Quotes::AsTheCodeSays && self.code.starts_with("42");
        match content && self.code != sqlstate::INSUFFICIENT_PRIVILEGE || self.exceeds_limit() {
            true => ErrorClass::Data,
            false => sqlstate::class_of(&self.code),
        }
    }

    /// Returns whether a value is larger than the server itself can print or read. It says so with a code
    /// of its own where it builds a text bit by bit, and as an internal error, in words that are never
    /// translated, where it wants the memory at once.
    #[must_use]
    pub fn exceeds_limit(&self) -> bool {
        match &*self.code {
            sqlstate::PROGRAM_LIMIT_EXCEEDED => true,
            sqlstate::INTERNAL_ERROR => self
                .message
                .starts_with("invalid memory alloc request size"),
            _ => false,
        }
    }

    /// Takes out what may quote a value. Row and column of a COPY are kept of its context, which
    /// quotes what stood there.
    pub(super) fn without_values(self) -> Self {
        let mut safe = self.about_values();
        let place = safe.context.take().as_deref().and_then(copied_place);
        if let Some((row_number, column)) = place {
            safe.row_number = Some(row_number);
            safe.column = safe.column.or(column);
        }
        safe.message = safe.message_without_values();
        safe.detail = safe.detail_without_values().map(str::to_owned);
        safe
    }

    /// Notes that the statement wrote or read rows, whose values its texts may quote.
    pub(super) fn about_values(mut self) -> Self {
        let context = self.context.as_deref().map(beyond_ours);
        let within_function =
            |context: &String| context.contains("PL/") || context.contains("function");
        let raised = self.code.starts_with("P0") || context.as_ref().is_some_and(within_function);
        self.quotes = match raised {
            true => Quotes::Anything,
            false => Quotes::Values,
        };
        self.raised_by = context.as_deref().and_then(raising_function);
        self
    }

    /// Returns the message without the values that it may quote.
    #[must_use]
    pub fn message_without_values(&self) -> String {
        match self.quotes {
            Quotes::Anything => {
                let function = self.raised_by.as_ref();
                let function = function.map_or_else(
                    || "a function".to_owned(),
                    |name| format!("function {name}"),
                );
                format!("{function} there raised an error, whose text may quote values")
            }
            _ if sqlstate::names_only(&self.code) => self.message.clone(),
            // A violated constraint is named between the same marks, and no value is.
            Quotes::Values if !self.code.starts_with("23") => without_quoted(&self.message),
            Quotes::AsTheCodeSays if self.code.starts_with("22") => without_quoted(&self.message),
            Quotes::Values | Quotes::AsTheCodeSays => self.message.clone(),
        }
    }

    /// Returns the detail, unless it may quote a row.
    #[must_use]
    pub fn detail_without_values(&self) -> Option<&str> {
        let about_names = match self.quotes {
            Quotes::Anything => false,
            Quotes::Values => sqlstate::names_only(&self.code),
            Quotes::AsTheCodeSays => !sqlstate::quotes_values(&self.code),
        };
        self.detail.as_deref().filter(|_| about_names)
    }
}

/// `pg_hba.conf` has a line with `cert` or `clientcert` (manual, section 21.12).
const HINT_CERTIFICATE: &str = "name a client certificate whose common name is the user, and its key, in \
     the connection string: sslcert=FILE&sslkey=FILE; or map the name to the user in pg_ident.conf";

/// Two characters a byte for `bytea`, one a bit for `bit varying`.
const HINT_LIMIT: &str = "PostgreSQL cannot print or read a value whose text passes 1 GB, such as a bytea above \
     512 MB: make the value smaller, or leave its table out";

/// Leaves out the frame of the function of ours that writes as the owner of a table.
fn beyond_ours(context: &str) -> String {
    let ours = |line: &&str| !line.contains(" pgstream.as_owner_");
    let frames: Vec<&str> = context.lines().filter(ours).collect();
    frames.join("\n")
}

/// Reads the function from «PL/pgSQL function public.f(integer) line 3 at RAISE» or «SQL function "f"
/// statement 1», the innermost that there is; the words around it may be of any language.
fn raising_function(context: &str) -> Option<String> {
    let frames = context.lines();
    let mut frames =
        frames.filter(|line| line.starts_with("PL/") || line.starts_with("SQL function "));
    frames.find_map(|frame| match frame.split_once('(') {
        Some((before, arguments)) => {
            let (arguments, _) = arguments.split_once(')')?;
            // A quoted name may hold blanks.
            let name = match before.strip_suffix('"') {
                Some(quoted) => {
                    let unquoted = quoted.get(..quoted.find('"')?)?;
                    before.get(unquoted.rfind(' ')? + 1..)?
                }
                None => before.rsplit(' ').next()?,
            };
            (!name.is_empty()).then(|| format!("{name}({arguments})"))
        }
        None => {
            let (_, quoted) = frame.split_once('"')?;
            let (name, _) = quoted.split_once('"')?;
            Some(format!("\"{name}\""))
        }
    })
}

/// Reads row and column from «COPY t, line 5, column c: …», in the many languages that translate it
/// word by word. Nobody knows the row where that fails; the error stands without it.
fn copied_place(context: &str) -> Option<(u64, Option<String>)> {
    let after = context
        .lines()
        .find_map(|line| line.strip_prefix("COPY "))?;
    let mut parts = after.split(", ").skip(1);
    let row = parts.by_ref().find_map(|part| {
        let (_, number) = part.split_once(' ')?;
        let (number, rest) = number.split_once(':').unwrap_or((number, ""));
        Some((number.trim_end().parse().ok()?, rest))
    });
    let (row_number, rest) = row?;
    let column = parts.next().filter(|_| rest.is_empty()).and_then(|part| {
        let (_, name) = part.split_once(' ')?;
        let name = name.split_once(':').map_or(name, |(name, _)| name);
        Some(name.trim_end().to_owned())
    });
    Some((row_number, column))
}

/// Replaces what stands in any language's quotation marks by `…`; the server's messages follow
/// `lc_messages`.
fn without_quoted(message: &str) -> String {
    const PAIRS: &[(char, char)] = &[
        ('"', '"'),
        ('«', '»'),
        ('»', '«'),
        ('„', '“'),
        ('“', '”'),
        ('‘', '’'),
        ('‚', '‘'),
        ('「', '」'),
    ];
    let mut shown = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((at, open)) = rest
        .char_indices()
        .find(|(_, c)| opening(PAIRS, *c).is_some())
    {
        let (before, quoted) = rest.split_at(at);
        let quoted = quoted.strip_prefix(open).unwrap_or_default();
        let close = opening(PAIRS, open).unwrap_or(open);
        shown.push_str(before);
        shown.extend([open, '…', close]);
        // The last closing mark: the value itself may hold some.
        rest = quoted.rsplit_once(close).map_or("", |(_, after)| after);
    }
    shown.push_str(rest);
    shown
}

fn opening(pairs: &[(char, char)], c: char) -> Option<char> {
    pairs
        .iter()
        .find(|(open, _)| *open == c)
        .map(|(_, close)| *close)
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} (SQLSTATE {})",
            self.object,
            self.message_without_values(),
            self.code
        )?;
        match (self.row_number, &self.column) {
            (Some(row_number), Some(column)) => {
                write!(f, " at row {row_number}, column \"{column}\"")?;
            }
            (Some(row_number), None) => write!(f, " at row {row_number}")?,
            (None, _) => {}
        }
        match self.detail_without_values() {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerError({self})")
    }
}

impl std::error::Error for ServerError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(fields: &[(u8, &str)]) -> ServerError {
        ServerError::from_fields("h:5432/db", fields.iter().copied())
    }

    #[test]
    fn a_copys_error_says_where_and_not_what() {
        let cases = [
            ("COPY t, line 5, column c: \"secret\"", Some(5), Some("c")),
            ("COPY t, line 5: \"secret, column x, y 6\"", Some(5), None),
            (
                "COPY t, line 7, column a b: null input",
                Some(7),
                Some("a b"),
            ),
            ("COPY t, line 8, column c", Some(8), Some("c")),
            ("COPY t, line 9", Some(9), None),
            ("COPY t, Zeile 5, Spalte ä: »secret«", Some(5), Some("ä")),
            (
                "COPY t, ligne 5, colonne c : « secret »",
                Some(5),
                Some("c"),
            ),
            (
                "COPY a, b 2x, line 5, column c: \"secret\"",
                Some(5),
                Some("c"),
            ),
            (
                "JSON data, line 1: secret\nCOPY t, line 5, column c: \"secret\"",
                Some(5),
                Some("c"),
            ),
            ("t 복사, 5번째 줄, c 열: \"secret\"", None, None),
            ("", None, None),
        ];
        for (context, row_number, column) in cases {
            let fields: [(u8, &str); 4] = [
                (b'C', "22P02"),
                (b'M', "invalid input syntax for type integer: \"secret\""),
                (b'D', "Token \"secret\" is invalid."),
                (b'W', context),
            ];

            let error = answer(&fields).without_values();

            assert_eq!(error.row_number, row_number, "{context}");
            assert_eq!(error.column.as_deref(), column, "{context}");
            let all = [&error.message, &error.detail.clone().unwrap_or_default()];
            assert!(!all.iter().any(|text| text.contains("secret")), "{all:?}");
            assert_eq!(error.context, None);
        }
    }

    #[test]
    fn values_of_rows_are_not_printed() {
        let cases: [(&[(u8, &str)], &str); 5] = [
            (
                &[
                    (b'C', "23505"),
                    (
                        b'M',
                        "duplicate key value violates unique constraint \"t_pkey\"",
                    ),
                    (b'D', "Key (id)=(secret) already exists."),
                ],
                "h:5432/db: duplicate key value violates unique constraint \"t_pkey\" (SQLSTATE 23505)",
            ),
            (
                &[
                    (b'C', "22P02"),
                    (
                        b'M',
                        "invalid input syntax for type integer: \"secret \"quoted\" text\"",
                    ),
                ],
                "h:5432/db: invalid input syntax for type integer: \"…\" (SQLSTATE 22P02)",
            ),
            (
                &[(b'C', "22003"), (b'M', "Wert »secret« ist außerhalb")],
                "h:5432/db: Wert »…« ist außerhalb (SQLSTATE 22003)",
            ),
            (
                &[
                    (b'C', "22P05"),
                    (
                        b'M',
                        "character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent in \
                         encoding \"LATIN1\"",
                    ),
                ],
                "h:5432/db: character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent \
                 in encoding \"LATIN1\" (SQLSTATE 22P05)",
            ),
            (
                &[
                    (b'C', "42501"),
                    (b'M', "permission denied for table t"),
                    (b'D', "why"),
                ],
                "h:5432/db: permission denied for table t (SQLSTATE 42501): why",
            ),
        ];
        for (fields, shown) in cases {
            let error = answer(fields);
            assert_eq!(error.to_string(), shown);
            assert!(!format!("{error:?}").contains("secret"));
        }
    }

    #[test]
    fn where_rows_are_written_what_the_server_lacks_is_named_all_the_same() {
        let full = answer(&[
            (b'C', "53100"),
            (
                b'M',
                "could not extend file \"base/5/16384\": No space left on device",
            ),
            (b'D', "Failed on \"base/5/16384\"."),
        ]);
        let long = answer(&[
            (b'C', "54000"),
            (
                b'M',
                "index row size 9000 exceeds the maximum for index \"t_pkey\"",
            ),
        ]);
        let strange = answer(&[
            (b'C', "42P01"),
            (b'M', "relation \"secret\" does not exist"),
        ]);

        assert_eq!(
            full.about_values().to_string(),
            "h:5432/db: could not extend file \"base/5/16384\": No space left on device (SQLSTATE 53100): \
             Failed on \"base/5/16384\"."
        );
        assert!(long.about_values().to_string().contains("\"t_pkey\""));
        assert!(!strange.about_values().to_string().contains("secret"));
    }

    #[test]
    fn a_value_beyond_the_servers_own_limit_is_no_bug_of_ours() {
        let error = answer(&[
            (b'C', "XX000"),
            (b'M', "invalid memory alloc request size 1073741825"),
        ]);

        assert_eq!(error.class(), ErrorClass::Data);
        assert!(error.hint().unwrap().contains("1 GB"));
    }

    #[test]
    fn a_function_that_raises_is_named_and_its_words_are_not_reported() {
        let cases = [
            (
                "PL/pgSQL function public.touch() line 3 at RAISE",
                "function public.touch() there raised an error",
            ),
            (
                "SQL statement \"INSERT INTO t VALUES ('secret')\"\n\
                 PL/pgSQL function public.\"My touch\"(integer,text) line 3 at SQL statement",
                "function public.\"My touch\"(integer,text) there",
            ),
            (
                "PL/pgSQL-Funktion touch() Zeile 3 bei RAISE",
                "function touch() there",
            ),
            ("SQL function \"f\" statement 1", "function \"f\" there"),
            (
                "PL/pgSQL function inline_code_block line 1 at RAISE",
                "a function there",
            ),
        ];
        for (context, expected) in cases {
            let fields = [
                (b'C', "P0001"),
                (b'M', "secret"),
                (b'H', "secret"),
                (b'W', context),
            ];

            for error in [
                answer(&fields).about_values(),
                answer(&fields).without_values(),
            ] {
                let message = error.to_string();
                assert!(message.contains(expected), "{context}: {message}");
                assert!(!format!("{message} {:?}", error.hint()).contains("secret"));
            }
        }
    }
}
