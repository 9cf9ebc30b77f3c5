//! From `(name, value)` words to [`ConnectionSettings`]: each rule of libpq in one place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::config::{Secret, suggest};

use super::parameter::require_supported;
use super::settings::{ConnectionSettings, Host, HostPort, Keepalive, TargetSession};
use super::uri::Word;
use super::{
    ChannelBinding, ConnectionError, Environment, RootCertificates, SslMode, SslNegotiation,
    TlsSettings,
};

const PORT_DEFAULT: u16 = 5432;

/// The last value of each parameter; empty ones count as absent, as in libpq.
type Words<'a> = BTreeMap<&'a str, &'a str>;

pub(super) fn settings(
    words: &[Word],
    environment: &Environment,
) -> Result<ConnectionSettings, ConnectionError> {
    for (name, _) in words {
        require_supported(name)?;
    }
    environment.require_followed()?;
    let mut own: Words<'_> = words
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    own.retain(|_, value| !value.is_empty());
    let mut all: Words<'_> = environment.parameters().collect();
    all.extend(own.iter());
    let built = build(&all, environment);
    built.map_err(|error| match error {
        ConnectionError::Value {
            name,
            rule,
            nearest,
        } if !own.contains_key(name) => ConnectionError::Value {
            name: Environment::variable_of(name).unwrap_or(name),
            rule,
            nearest,
        },
        other => other,
    })
}

fn build(
    words: &Words<'_>,
    environment: &Environment,
) -> Result<ConnectionSettings, ConnectionError> {
    refuse_other_modes(words)?;
    let user = text(words, "user")
        .or_else(|| environment.user.clone())
        .ok_or(ConnectionError::NoUser)?;
    Ok(ConnectionSettings {
        hosts: hosts(words, environment)?,
        dbname: text(words, "dbname").unwrap_or_else(|| user.clone()),
        user,
        password: text(words, "password").map(Secret::new),
        password_default: environment.password.clone(),
        passfile: passfile(words, environment),
        tls: tls(words, environment)?,
        connect_timeout: connect_timeout(words)?,
        application_name: text(words, "application_name")
            .or_else(|| text(words, "fallback_application_name")),
        options: text(words, "options"),
        target_session: choice(words, "target_session_attrs", TargetSession::NAMES)?
            .unwrap_or_default(),
        keepalive: keepalive(words)?,
        tcp_user_timeout: number::<u32>(words, "tcp_user_timeout")?
            .filter(|milliseconds| *milliseconds > 0)
            .map(|milliseconds| Duration::from_millis(milliseconds.into())),
        origin: None,
    })
}

impl TargetSession {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("any", Self::Any),
        ("read-write", Self::ReadWrite),
        ("read-only", Self::ReadOnly),
        ("primary", Self::Primary),
        ("standby", Self::Standby),
        ("prefer-standby", Self::PreferStandby),
    ];

    /// Returns the word of the connection string.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        }
    }
}

/// Values that ask for something other than the one thing that we do.
fn refuse_other_modes(words: &Words<'_>) -> Result<(), ConnectionError> {
    choice(words, "gssencmode", &[("disable", ()), ("prefer", ())])?;
    choice(words, "load_balance_hosts", &[("disable", ())])?;
    let encodings = [("UTF8", ()), ("UTF-8", ()), ("utf8", ()), ("utf-8", ())];
    choice(words, "client_encoding", &encodings)?;
    Ok(())
}

fn text(words: &Words<'_>, name: &str) -> Option<String> {
    words.get(name).map(|value| (*value).to_owned())
}

fn choice<T: Copy>(
    words: &Words<'_>,
    name: &'static str,
    names: &[(&'static str, T)],
) -> Result<Option<T>, ConnectionError> {
    let Some(value) = words.get(name) else {
        return Ok(None);
    };
    match names.iter().find(|(known, _)| known == value) {
        Some((_, choice)) => Ok(Some(*choice)),
        None => Err(ConnectionError::Value {
            name,
            rule: rule_of(name),
            nearest: suggest::nearest(value, names.iter().map(|(known, _)| *known)),
        }),
    }
}

fn rule_of(name: &str) -> &'static str {
    match name {
        "sslmode" => "one of disable, allow, prefer, require, verify-ca, verify-full",
        "sslnegotiation" => "postgres or direct",
        "channel_binding" => "disable, prefer or require",
        "target_session_attrs" => {
            "one of any, read-write, read-only, primary, standby, prefer-standby"
        }
        "gssencmode" => "disable or prefer (GSSAPI is not available)",
        "load_balance_hosts" => "disable (hosts are always tried in their order)",
        "client_encoding" => "UTF8 (the only one used)",
        "keepalives" | "sslsni" => "0 or 1",
        _ => "a whole number",
    }
}

fn number<T: FromStr>(words: &Words<'_>, name: &'static str) -> Result<Option<T>, ConnectionError> {
    let Some(value) = words.get(name) else {
        return Ok(None);
    };
    match value.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_not_a_number) => Err(ConnectionError::Value {
            name,
            rule: rule_of(name),
            nearest: None,
        }),
    }
}

fn switch(words: &Words<'_>, name: &'static str) -> Result<Option<bool>, ConnectionError> {
    choice(words, name, &[("0", false), ("1", true)])
}

fn hosts(words: &Words<'_>, environment: &Environment) -> Result<Vec<HostPort>, ConnectionError> {
    let list = |name: &str| -> Vec<&str> {
        words
            .get(name)
            .map(|value| value.split(',').collect())
            .unwrap_or_default()
    };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = names.len().max(addresses.len()).max(1);
    for (list, length, single_for_all) in [
        ("host names", names.len(), false),
        ("hostaddr values", addresses.len(), false),
        ("ports", ports.len(), true),
    ] {
        if length != 0 && length != count && !(single_for_all && length == 1) {
            return Err(ConnectionError::ListLengths {
                list,
                count: length,
                host_count: count,
            });
        }
    }
    (0..count)
        .map(|at| {
            let port = ports.get(at).or_else(|| ports.first());
            let address = addresses.get(at).filter(|text| !text.is_empty());
            Ok(HostPort {
                host: host(names.get(at).copied(), address.copied(), environment)?,
                address: address.map(|text| parse_address(text)).transpose()?,
                port: parse_port(port.copied().unwrap_or_default())?,
            })
        })
        .collect()
}

fn host(
    name: Option<&str>,
    address: Option<&str>,
    environment: &Environment,
) -> Result<Host, ConnectionError> {
    let malformed = |rule| ConnectionError::Malformed {
        part: "the host",
        rule,
    };
    match name.filter(|name| !name.is_empty()).or(address) {
        None => Ok(Host::Directory(environment.socket_directory.clone())),
        Some(path) if path.starts_with('/') => Ok(Host::Directory(PathBuf::from(path))),
        Some(name) if name.starts_with('@') => Err(malformed(
            "begins with \"@\" (abstract sockets are not supported)",
        )),
        Some(name) if !is_host(name) => Err(malformed("is neither a host name nor an IP address")),
        Some(name) => Ok(Host::Name(name.to_owned())),
    }
}

/// Returns whether a resolver could be asked for the text: a name, or an address with or without a zone.
fn is_host(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, ""));
    let word = |text: &str, others: &str| {
        text.chars()
            .all(|one| one.is_alphanumeric() || others.contains(one))
    };
    match address.parse::<IpAddr>() {
        Ok(_) => word(zone, "-_."),
        Err(_not_an_address) => word(text, "-_."),
    }
}

fn parse_address(text: &str) -> Result<IpAddr, ConnectionError> {
    text.parse()
        .map_err(|_not_an_address| ConnectionError::Value {
            name: "hostaddr",
            rule: "an IP address",
            nearest: None,
        })
}

fn parse_port(text: &str) -> Result<u16, ConnectionError> {
    if text.is_empty() {
        return Ok(PORT_DEFAULT);
    }
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(ConnectionError::Malformed {
            part: "the port",
            rule: "is not a number from 1 to 65535",
        }),
    }
}

fn passfile(words: &Words<'_>, environment: &Environment) -> Option<PathBuf> {
    words
        .get("passfile")
        .map(PathBuf::from)
        .or_else(|| environment.passfile.clone())
        .or_else(|| Some(environment.home.as_ref()?.join(".pgpass")))
}

fn connect_timeout(words: &Words<'_>) -> Result<Option<Duration>, ConnectionError> {
    /// libpq's own lower bound: one second could be over before a name is looked up.
    const SECONDS_MIN: u64 = 2;
    let seconds = number::<i64>(words, "connect_timeout")?;
    Ok(seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
        .map(|seconds| Duration::from_secs(seconds.max(SECONDS_MIN))))
}

fn keepalive(words: &Words<'_>) -> Result<Option<Keepalive>, ConnectionError> {
    let seconds = |name, default: Duration| {
        number::<u64>(words, name).map(|given| {
            given
                .filter(|seconds| *seconds > 0)
                .map_or(default, Duration::from_secs)
        })
    };
    let default = Keepalive::default();
    let keepalive = Keepalive {
        idle: seconds("keepalives_idle", default.idle)?,
        interval: seconds("keepalives_interval", default.interval)?,
        count: number(words, "keepalives_count")?
            .filter(|count| *count > 0)
            .unwrap_or(default.count),
    };
    let on = switch(words, "keepalives")?.unwrap_or(true);
    Ok(on.then_some(keepalive))
}

fn tls(words: &Words<'_>, environment: &Environment) -> Result<TlsSettings, ConnectionError> {
    let home = environment
        .home
        .as_ref()
        .map(|home| home.join(".postgresql"));
    let roots = match words.get("sslrootcert") {
        Some(&"system") => RootCertificates::System,
        Some(path) => RootCertificates::File(PathBuf::from(path)),
        None => RootCertificates::Default(home.as_ref().map(|home| home.join("root.crt"))),
    };
    let mode = ssl_mode(words, &roots)?;
    let negotiation = choice(
        words,
        "sslnegotiation",
        &[
            ("postgres", SslNegotiation::Postgres),
            ("direct", SslNegotiation::Direct),
        ],
    )?
    .unwrap_or_default();
    let weak = matches!(mode, SslMode::Disable | SslMode::Allow | SslMode::Prefer);
    if negotiation == SslNegotiation::Direct && weak {
        return Err(ConnectionError::Value {
            name: "sslmode",
            rule: "strong enough for sslnegotiation=direct (use require or more)",
            nearest: None,
        });
    }
    Ok(TlsSettings {
        mode,
        negotiation,
        roots,
        certificate: words.get("sslcert").map(PathBuf::from),
        key: words.get("sslkey").map(PathBuf::from),
        home,
        send_name: switch(words, "sslsni")?.unwrap_or(true),
        channel_binding: choice(
            words,
            "channel_binding",
            &[
                ("disable", ChannelBinding::Disable),
                ("prefer", ChannelBinding::Prefer),
                ("require", ChannelBinding::Require),
            ],
        )?
        .unwrap_or_default(),
    })
}

/// The system's authorities vouch for anyone on the Internet, so they are only accepted together
/// with the check of the name (manual, `sslrootcert`).
fn ssl_mode(words: &Words<'_>, roots: &RootCertificates) -> Result<SslMode, ConnectionError> {
    let given = choice(words, "sslmode", SslMode::NAMES)?;
    match (given, roots) {
        (None, RootCertificates::System) => Ok(SslMode::VerifyFull),
        (Some(mode), RootCertificates::System) if mode != SslMode::VerifyFull => {
            Err(ConnectionError::Value {
                name: "sslmode",
                rule: "strong enough for sslrootcert=system (use verify-full)",
                nearest: None,
            })
        }
        (given, _) => Ok(given.unwrap_or_default()),
    }
}
