//! The names of libpq's parameters: those that we follow, and those that we refuse with a reason
//! (manual, section 34.1.2 «Parameter Key Words»).

use super::ConnectionError;

/// The closest name counts as a suggestion up to this many typing errors.
const TYPING_ERRORS_MAX: usize = 3;

/// Parameters that change what we do.
pub(super) const SUPPORTED: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "passfile",
    "connect_timeout",
    "client_encoding",
    "options",
    "application_name",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslsni",
    "channel_binding",
    "gssencmode",
    "target_session_attrs",
    "load_balance_hosts",
];

/// Parameters of libpq that we cannot follow: dropping them silently could weaken a connection.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("replication", "pgstream decides this for each session"),
    (
        "service",
        "write the parameters of the service into the string",
    ),
    (
        "servicefile",
        "write the parameters of the service into the string",
    ),
    (
        "sslpassword",
        "keep the key without a passphrase, readable by its owner only",
    ),
    ("sslcrl", "revocation lists are not checked"),
    ("sslcrldir", "revocation lists are not checked"),
    ("sslcertmode", "give sslcert and sslkey, or leave them out"),
    ("sslcompression", "PostgreSQL 14 removed it"),
    ("ssl_min_protocol_version", "TLS 1.2 is always the lowest"),
    (
        "ssl_max_protocol_version",
        "the highest common version is always used",
    ),
    ("sslkeylogfile", "keys are never written to a file"),
    ("krbsrvname", "GSSAPI is not available"),
    ("gsslib", "GSSAPI is not available"),
    ("gssdelegation", "GSSAPI is not available"),
    (
        "requirepeer",
        "use TCP with sslmode=verify-full to know the server",
    ),
    (
        "require_auth",
        "set channel_binding=require to know the server",
    ),
    ("min_protocol_version", "protocol 3.0 is always used"),
    ("max_protocol_version", "protocol 3.0 is always used"),
    ("scram_client_key", "give the password"),
    ("scram_server_key", "give the password"),
    ("oauth_issuer", "OAuth is not available"),
    ("oauth_client_id", "OAuth is not available"),
    ("oauth_client_secret", "OAuth is not available"),
    ("oauth_scope", "OAuth is not available"),
];

/// Refuses a name that is not one of ours, with the reason or the nearest name.
pub(super) fn require_supported(name: &str) -> Result<(), ConnectionError> {
    if SUPPORTED.contains(&name) {
        return Ok(());
    }
    if let Some((name, reason)) = UNSUPPORTED.iter().find(|(known, _)| *known == name) {
        return Err(ConnectionError::Unsupported { name, reason });
    }
    Err(ConnectionError::Unknown {
        suggestion: nearest(name),
    })
}

fn nearest(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    SUPPORTED
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&lower, known), *known))
        .min()
        .filter(|(distance, known)| *distance <= TYPING_ERRORS_MAX && *distance < known.len())
        .map(|(_, known)| known)
}
