//! The way in, shared by both kinds of session: which places to try, in which order, encrypted or
//! not, and when a failure means «try the next».
//!
//! ```text
//!  for each host:  for each encryption that sslmode allows:  dial ─> encrypt ─> enter
//! ```
//!
//! `enter` is the session's own handshake. As in libpq the next *host* is tried when a server is
//! not there, too slow, starting up, or of the wrong kind; a refused password ends the attempt at
//! once, since a second server would refuse it too, and might lock the account.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tracing::debug;

use crate::config::ConnectionSettings;
use crate::config::connection::{Host, HostPort, SslMode, SslNegotiation, TargetSession};

use super::link::{Link, Transport};
use super::{PgError, TextRow, TlsError, sqlstate, tls};

/// Bound of one attempt when the settings name none: a firewall that swallows packets must not
/// hold us for the minutes that TCP would wait.
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long sent data may stay unacknowledged when the settings do not say; the system's own bound
/// is a quarter of an hour, in which nothing is replicated.
#[cfg(target_os = "linux")]
const USER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// Request code of `SSLRequest` (manual, section 55.7 «Message Formats»).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How one attempt treats encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// None.
    Plain,
    /// If the server offers it, else plain.
    IfOffered,
    /// Or the attempt fails.
    Demanded,
}

/// Returns the attempts at one host, in order. Unix sockets are never encrypted, whatever the mode
/// says: no one sits between (manual, `sslmode`).
fn attempts(mode: SslMode, host: &Host) -> &'static [Encryption] {
    match (mode, host) {
        (_, Host::Directory(_)) | (SslMode::Disable, _) => &[Encryption::Plain],
        (SslMode::Allow, _) => &[Encryption::Plain, Encryption::Demanded],
        (SslMode::Prefer, _) => &[Encryption::IfOffered, Encryption::Plain],
        (SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull, _) => &[Encryption::Demanded],
    }
}

/// One place, named for errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) settings: &'a ConnectionSettings,
    pub(super) host: &'a HostPort,
    /// What the server must be, in this round over the hosts.
    pub(super) wanted: TargetSession,
}

impl Place<'_> {
    /// Returns `host:port/database`.
    pub(super) fn object(&self) -> String {
        format!("{}/{}", self.host, self.settings.dbname)
    }

    /// Returns the settings for this server and no other: a request to cancel must reach the one
    /// that runs the statement.
    pub(super) fn alone(&self) -> ConnectionSettings {
        ConnectionSettings {
            hosts: vec![self.host.clone()],
            target_session: TargetSession::Any,
            ..self.settings.clone()
        }
    }

    /// Requires that the rows of [`question`]'s statement hold the wanted answer.
    pub(super) fn require(&self, answer: &str, rows: &[TextRow]) -> Result<(), PgError> {
        match rows.first().and_then(|row| row.first()) {
            Some(Some(text)) if text == answer => Ok(()),
            _ => Err(PgError::WrongServer {
                object: self.object(),
                wanted: self.wanted.name(),
            }),
        }
    }
}

/// Opens a link to the first place that `enter` accepts and returns what `enter` made of it.
pub(super) async fn dial<'s, T, F>(
    settings: &'s ConnectionSettings,
    enter: impl Fn(Link, Place<'s>) -> F,
) -> Result<T, PgError>
where
    F: Future<Output = Result<T, PgError>>,
{
    let mut last = None;
    for wanted in rounds(settings.target_session) {
        for host in &settings.hosts {
            let place = Place {
                settings,
                host,
                wanted: *wanted,
            };
            match one_host(&place, &enter).await {
                Ok(session) => return Ok(session),
                Err(error) if is_next_hosts_turn(&error) => {
                    debug!(target: "sql", host = %host, %error, "host does not serve");
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Err(last.unwrap_or_else(|| PgError::Protocol {
        object: settings.endpoint(),
        what: "no host to connect to".to_owned(),
    }))
}

/// A standby that is only preferred is looked for first, on every host.
const fn rounds(target_session: TargetSession) -> &'static [TargetSession] {
    match target_session {
        TargetSession::Any => &[TargetSession::Any],
        TargetSession::ReadWrite => &[TargetSession::ReadWrite],
        TargetSession::ReadOnly => &[TargetSession::ReadOnly],
        TargetSession::Primary => &[TargetSession::Primary],
        TargetSession::Standby => &[TargetSession::Standby],
        TargetSession::PreferStandby => &[TargetSession::Standby, TargetSession::Any],
    }
}

/// Returns the question that tells whether a server is what is wanted, and the answer to it; none
/// when any will do.
pub(super) const fn question(wanted: TargetSession) -> Option<(&'static str, &'static str)> {
    match wanted {
        TargetSession::Any | TargetSession::PreferStandby => None,
        TargetSession::ReadWrite => Some(("SHOW transaction_read_only", "off")),
        TargetSession::ReadOnly => Some(("SHOW transaction_read_only", "on")),
        TargetSession::Primary => Some(("SELECT pg_catalog.pg_is_in_recovery()", "f")),
        TargetSession::Standby => Some(("SELECT pg_catalog.pg_is_in_recovery()", "t")),
    }
}

async fn one_host<'s, T, F>(
    place: &Place<'s>,
    enter: &impl Fn(Link, Place<'s>) -> F,
) -> Result<T, PgError>
where
    F: Future<Output = Result<T, PgError>>,
{
    let attempts = attempts(place.settings.tls.mode, &place.host.host);
    let (last, earlier) = attempts.split_last().unwrap_or((&Encryption::Plain, &[]));
    for encryption in earlier {
        match bounded(place, *encryption, enter).await {
            Err(error) if is_other_encryptions_turn(&error) => {
                debug!(target: "sql", host = %place.host, %error, "trying again with the other encryption");
            }
            outcome => return outcome,
        }
    }
    bounded(place, *last, enter).await
}

async fn bounded<'s, T, F>(
    place: &Place<'s>,
    encryption: Encryption,
    enter: &impl Fn(Link, Place<'s>) -> F,
) -> Result<T, PgError>
where
    F: Future<Output = Result<T, PgError>>,
{
    let after = place
        .settings
        .connect_timeout
        .unwrap_or(CONNECT_TIMEOUT_DEFAULT);
    let attempt = async {
        let link = open(place, encryption).await?;
        enter(link, *place).await
    };
    timeout(after, attempt).await.unwrap_or_else(|_elapsed| {
        Err(PgError::ConnectTimeout {
            object: place.object(),
            after,
        })
    })
}

fn is_next_hosts_turn(error: &PgError) -> bool {
    matches!(
        error,
        PgError::Unreachable { .. }
            | PgError::ConnectTimeout { .. }
            | PgError::WrongServer { .. }
            | PgError::Lost { .. }
    ) || error.code() == Some(sqlstate::CANNOT_CONNECT_NOW)
}

/// `pg_hba.conf` may have a line for one kind only, and a handshake that fails says nothing about
/// the plain way. What we do not follow is no reason to do without encryption, too.
fn is_other_encryptions_turn(error: &PgError) -> bool {
    if let PgError::Tls { source, .. } = error {
        return !matches!(source, TlsError::Revocations { .. });
    }
    error.code() == Some(sqlstate::INVALID_AUTHORIZATION)
}

async fn open(place: &Place<'_>, encryption: Encryption) -> Result<Link, PgError> {
    let port = place.host.port;
    match &place.host.host {
        Host::Directory(directory) => {
            let path = directory.join(format!(".s.PGSQL.{port}"));
            match UnixStream::connect(path).await {
                Ok(stream) => Ok(plain(place, Transport::Unix(stream))),
                Err(source) => Err(unreachable(place, source)),
            }
        }
        Host::Name(name) => {
            let stream = tcp(place, name)
                .await
                .map_err(|source| unreachable(place, source))?;
            encrypt(stream, name, place, encryption).await
        }
    }
}

async fn tcp(place: &Place<'_>, name: &str) -> io::Result<TcpStream> {
    let port = place.host.port;
    let addresses: Vec<SocketAddr> = match place.host.address {
        Some(address) => vec![SocketAddr::new(address, port)],
        None => lookup_host((name, port)).await?.collect(),
    };
    let stream = TcpStream::connect(addresses.as_slice()).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    if let Some(keepalive) = place.settings.keepalive {
        let parameters = TcpKeepalive::new()
            .with_time(keepalive.idle)
            .with_interval(keepalive.interval)
            .with_retries(keepalive.count);
        socket.set_tcp_keepalive(&parameters)?;
    }
    #[cfg(target_os = "linux")]
    {
        let bound = place
            .settings
            .tcp_user_timeout
            .unwrap_or(USER_TIMEOUT_DEFAULT);
        socket.set_tcp_user_timeout(Some(bound))?;
    }
    Ok(stream)
}

async fn encrypt(
    mut stream: TcpStream,
    name: &str,
    place: &Place<'_>,
    encryption: Encryption,
) -> Result<Link, PgError> {
    if encryption == Encryption::Plain {
        return Ok(plain(place, Transport::Tcp(stream)));
    }
    let failed = |source| PgError::Tls {
        object: place.object(),
        source,
    };
    if place.settings.tls.negotiation == SslNegotiation::Postgres {
        match request_encryption(&mut stream).await.map_err(failed)? {
            true => {}
            false if encryption == Encryption::IfOffered => {
                return Ok(plain(place, Transport::Tcp(stream)));
            }
            false => return Err(failed(TlsError::NotOffered)),
        }
    }
    let encrypted = tls::handshake(stream, name, &place.settings.tls).await;
    let (transport, end_point) = encrypted.map_err(failed)?;
    Ok(Link::new(place.object(), transport, end_point))
}

fn plain(place: &Place<'_>, transport: Transport) -> Link {
    Link::new(place.object(), transport, None)
}

async fn request_encryption(stream: &mut TcpStream) -> Result<bool, TlsError> {
    stream
        .write_all(&SSL_REQUEST)
        .await
        .map_err(TlsError::Handshake)?;
    match stream.read_u8().await.map_err(TlsError::Handshake)? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        byte => Err(TlsError::Answer { byte }),
    }
}

fn unreachable(place: &Place<'_>, source: io::Error) -> PgError {
    let settings = place.settings;
    PgError::Unreachable {
        object: place.object(),
        hint: format!(
            "is PostgreSQL running there? test it with: psql \"{}\"; then check {}",
            settings.to_uri_without_password(),
            settings.origin_name()
        ),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_tried_in_libpqs_order() {
        let name = Host::Name("h".to_owned());
        let directory = Host::Directory("/tmp".into());
        let cases: [(SslMode, &Host, &[Encryption]); 5] = [
            (SslMode::Disable, &name, &[Encryption::Plain]),
            (
                SslMode::Allow,
                &name,
                &[Encryption::Plain, Encryption::Demanded],
            ),
            (
                SslMode::Prefer,
                &name,
                &[Encryption::IfOffered, Encryption::Plain],
            ),
            (SslMode::VerifyFull, &name, &[Encryption::Demanded]),
            (SslMode::Require, &directory, &[Encryption::Plain]),
        ];
        for (mode, host, expected) in cases {
            assert_eq!(attempts(mode, host), expected, "{mode:?} {host:?}");
        }
    }
}
