//! The password file: `hostname:port:database:username:password`, first match wins
//! (manual, section 34.16 «The Password File»).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tracing::warn;

use crate::config::Secret;

use super::settings::{Host, HostPort};

/// Permission bits of group and others: a file that has any of them is not used, as in libpq.
const FOREIGN_ACCESS: u32 = 0o077;

/// Returns the password of the file at `path` for this place with the number of its line, none when
/// there is no such file, no such line, or the file is readable by others.
pub(super) fn look_up(
    path: &Path,
    place: &HostPort,
    dbname: &str,
    user: &str,
) -> Option<(usize, Secret)> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() {
        warn!(target: "config", path = %path.display(), "password file is not a plain file, not used");
        return None;
    }
    if metadata.permissions().mode() & FOREIGN_ACCESS != 0 {
        warn!(
            target: "config", path = %path.display(),
            "password file has group or world access, not used; chmod 0600 fixes it"
        );
        return None;
    }
    match fs::read_to_string(path) {
        Ok(text) => find(&text, place, dbname, user),
        Err(error) => {
            warn!(target: "config", path = %path.display(), %error, "cannot read the password file");
            None
        }
    }
}

/// Returns the password of the first line that matches with the number of the line, pure.
pub(super) fn find(
    text: &str,
    place: &HostPort,
    dbname: &str,
    user: &str,
) -> Option<(usize, Secret)> {
    let host = match &place.host {
        Host::Name(name) => name.clone(),
        Host::Directory(path) => path.to_string_lossy().into_owned(),
    };
    // libpq writes the default socket directory, whichever it was built with, as «localhost».
    let is_local = matches!(&place.host, Host::Directory(path)
        if path == Path::new("/var/run/postgresql") || path == Path::new("/tmp"));
    let port = place.port.to_string();
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.starts_with('#'))
        .filter_map(|(number, line)| Some((number, fields(line)?)))
        .find(|(_, [line_host, line_port, line_dbname, line_user, _])| {
            let host_matches = matches(line_host, &host) || (is_local && line_host == "localhost");
            host_matches
                && matches(line_port, &port)
                && matches(line_dbname, dbname)
                && matches(line_user, user)
        })
        .map(|(number, [.., password])| (number, Secret::new(password)))
}

fn matches(field: &str, value: &str) -> bool {
    field == "*" || field == value
}

/// Splits at `:` where no `\` stands before it; `\:` and `\\` are the characters themselves. The
/// password is the rest of the line up to the next bare `:`.
fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields = vec![String::new()];
    let mut characters = line.trim_end_matches('\r').chars();
    while let Some(c) = characters.next() {
        match c {
            ':' if fields.len() == 5 => break,
            ':' => fields.push(String::new()),
            '\\' => fields.last_mut()?.extend(characters.next()),
            _ => fields.last_mut()?.push(c),
        }
    }
    fields.try_into().ok()
}
