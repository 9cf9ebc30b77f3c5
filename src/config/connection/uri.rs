//! The URI form: `postgresql://user:password@host:port,host:port/dbname?name=value&…`
//! (manual, section 34.1.1.2 «Connection URIs»).
//!
//! One freedom against libpq: a password may hold a bare `@`, as the *last* one before the path
//! ends the credentials. libpq would take the rest of the password for the host's name.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::settings::{ConnectionSettings, Host, TargetSession};
use super::{ConnectionError, SslMode};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A parameter and its value.
pub(super) type Word = (String, String);

/// Returns what follows the scheme, none when the text is not a URI.
pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgres://")
        .or_else(|| text.strip_prefix("postgresql://"))
}

/// Splits a URI without its scheme into parameters.
pub(super) fn words(rest: &str) -> Result<Vec<Word>, ConnectionError> {
    let (location, query) = split_at_first(rest, '?');
    let (authority, path) = split_at_first(location, '/');
    let mut words = Vec::new();
    let places = match authority.rsplit_once('@') {
        Some((credentials, places)) => {
            credential_words(credentials, &mut words)?;
            places
        }
        // A bare `/` or `?` in the password cut the authority short: do not guess.
        None if path.is_some_and(|path| path.contains('@')) => {
            return Err(malformed("the user or password", "holds a bare \"/\""));
        }
        None => authority,
    };
    place_words(places, &mut words)?;
    if let Some(path) = path.filter(|path| !path.is_empty()) {
        words.push(("dbname".to_owned(), decode(path, "the database name")?));
    }
    query.map_or(Ok(()), |query| query_words(query, &mut words))?;
    Ok(words)
}

fn split_at_first(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn credential_words(credentials: &str, words: &mut Vec<Word>) -> Result<(), ConnectionError> {
    let (user, password) = split_at_first(credentials, ':');
    if !user.is_empty() {
        words.push(("user".to_owned(), decode(user, "the user")?));
    }
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        words.push(("password".to_owned(), decode(password, "the password")?));
    }
    Ok(())
}

fn place_words(places: &str, words: &mut Vec<Word>) -> Result<(), ConnectionError> {
    if places.is_empty() {
        return Ok(());
    }
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for place in places.split(',') {
        let (host, port) = split_place(place)?;
        hosts.push(decode(host, "the host")?);
        ports.push(port);
    }
    // libpq reads a list of one empty port as the default port of every host.
    if hosts.iter().any(|host| !host.is_empty()) {
        words.push(("host".to_owned(), hosts.join(",")));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        words.push(("port".to_owned(), ports.join(",")));
    }
    Ok(())
}

fn split_place(place: &str) -> Result<(&str, &str), ConnectionError> {
    let Some(bracketed) = place.strip_prefix('[') else {
        return Ok(place.rsplit_once(':').unwrap_or((place, "")));
    };
    let (host, after) = bracketed
        .split_once(']')
        .ok_or_else(|| malformed("an IPv6 address", "lacks its closing \"]\""))?;
    match after.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if after.is_empty() => Ok((host, "")),
        None => Err(malformed(
            "an IPv6 address",
            "is followed by something that is no port",
        )),
    }
}

fn query_words(query: &str, words: &mut Vec<Word>) -> Result<(), ConnectionError> {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            malformed(
                "a parameter after \"?\"",
                "lacks \"=\" and a value; in a password \"?\" is written %3F",
            )
        })?;
        let (name, value) = (
            decode(name, "a parameter's name")?,
            decode(value, "a parameter's value")?,
        );
        // JDBC's spelling, which libpq accepts too.
        words.push(match (name.as_str(), value.as_str()) {
            ("ssl", "true") => ("sslmode".to_owned(), "require".to_owned()),
            _ => (name, value),
        });
    }
    Ok(())
}

fn decode(text: &str, part: &'static str) -> Result<String, ConnectionError> {
    let bytes = text.as_bytes();
    let escapes_whole = bytes.iter().enumerate().all(|(at, byte)| {
        *byte != b'%'
            || bytes
                .get(at + 1..at + 3)
                .is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
    });
    if !escapes_whole {
        return Err(malformed(
            part,
            "holds a \"%\" that two hexadecimal digits do not follow",
        ));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if decoded.contains('\0') => Err(malformed(part, "holds a zero byte (%00)")),
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_not_utf8) => Err(malformed(part, "is not UTF-8 once its %XX are decoded")),
    }
}

fn malformed(part: &'static str, rule: &'static str) -> ConnectionError {
    ConnectionError::Malformed { part, rule }
}

/// Writes the settings as a URI without the password.
pub(super) fn render(settings: &ConnectionSettings) -> String {
    let places: Vec<String> = settings
        .hosts
        .iter()
        .map(|place| match &place.host {
            Host::Name(name) if name.contains(':') => {
                format!("[{}]:{}", name.replace('%', "%25"), place.port)
            }
            Host::Name(name) => format!("{}:{}", encode(name), place.port),
            Host::Directory(path) => format!("{}:{}", encode(&path.to_string_lossy()), place.port),
        })
        .collect();
    let mut uri = format!(
        "postgresql://{}@{}/{}",
        encode(&settings.user),
        places.join(","),
        encode(&settings.dbname)
    );
    for (at, (name, value)) in query_of(settings).iter().enumerate() {
        let separator = if at == 0 { '?' } else { '&' };
        write!(uri, "{separator}{name}={}", encode(value)).expect("a String takes any text");
    }
    uri
}

fn query_of(settings: &ConnectionSettings) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    if settings.tls.mode != SslMode::Prefer {
        query.push(("sslmode", settings.tls.mode.name().to_owned()));
    }
    if let Some(text) = settings.tls.roots.explicit() {
        query.push(("sslrootcert", text));
    }
    for (name, path) in [
        ("sslcert", &settings.tls.certificate),
        ("sslkey", &settings.tls.key),
    ] {
        if let Some(path) = path {
            query.push((name, path.to_string_lossy().into_owned()));
        }
    }
    if settings.target_session != TargetSession::Any {
        query.push((
            "target_session_attrs",
            settings.target_session.name().to_owned(),
        ));
    }
    if let Some(timeout) = settings.connect_timeout {
        query.push(("connect_timeout", timeout.as_secs().to_string()));
    }
    for (name, text) in [
        ("application_name", &settings.application_name),
        ("options", &settings.options),
    ] {
        if let Some(text) = text {
            query.push((name, text.clone()));
        }
    }
    query
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
