//! Takes passwords out of text that may hold connection strings, broken ones included. When in
//! doubt it hides more: what it returns is for messages only.

/// What stands where a password stood.
const HIDDEN: &str = "***";

/// Returns `text` without the passwords of the connection strings in it: `user:password@` of a URL, or
/// of what lacks the beginning of one, and everything after `password=`.
#[must_use]
pub fn redact(text: &str) -> String {
    redact_settings(&redact_bare(&redact_urls(text)))
}

/// Hides what stands between the first `:` and the last `@` of a word that is no URL.
fn redact_bare(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    let hide = |word: &str| match (word.contains("://"), word.split_once(':')) {
        (false, Some((user, rest))) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{user}:{HIDDEN}@{host}"),
            None => word.to_owned(),
        },
        _ => word.to_owned(),
    };
    words.map(hide).collect()
}

/// Hides what stands between `://user:` and the last `@` of the same line. A password may itself
/// hold `@`, `/`, `?` or blanks that should have been percent-encoded, so nothing less than the last
/// `@` is safe; a URL without `@` whose port is no number may be a password in the wrong place.
fn redact_urls(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        lines.push(match line.split_once("://") {
            Some((before, after)) => format!("{before}://{}", redact_authority(after)),
            None => line.to_owned(),
        });
    }
    lines.join("\n")
}

fn redact_authority(after: &str) -> String {
    if let Some((userinfo, host)) = after.rsplit_once('@') {
        return match userinfo.split_once(':') {
            Some((user, _)) => format!("{user}:{HIDDEN}@{host}"),
            None => format!("{userinfo}@{host}"),
        };
    }
    let authority_end = after.find(['/', '?']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(authority_end);
    let ports_are_numbers = authority.split(',').all(|host| {
        let (_, port) = host.rsplit_once(':').unwrap_or((host, ""));
        port.bytes().all(|byte| byte.is_ascii_digit()) || host.ends_with(']')
    });
    match authority.split_once(':') {
        Some((host, _)) if !ports_are_numbers => format!("{host}:{HIDDEN}"),
        _ => format!("{authority}{rest}"),
    }
}

/// Hides the rest of a line after `password=`, `sslpassword=` and the like, whatever it holds: where
/// a quoted value ends cannot be known in a string that did not parse.
fn redact_settings(text: &str) -> String {
    let hide = |line: &str| match value_start(line) {
        Some(start) => format!("{}{HIDDEN}", &line[..start]),
        None => line.to_owned(),
    };
    text.split('\n').map(hide).collect::<Vec<_>>().join("\n")
}

/// Returns where the value of the first `password =` of a line begins.
fn value_start(line: &str) -> Option<usize> {
    const WORD: &str = "password";
    let lower = line.to_ascii_lowercase();
    lower.match_indices(WORD).find_map(|(at, _)| {
        let after = &line[at + WORD.len()..];
        let value = after.trim_start().strip_prefix('=')?;
        (!value.is_empty()).then(|| line.len() - value.len())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passwords_disappear_and_the_rest_stays() {
        let check = |text: &str, expected: &str| assert_eq!(redact(text), expected);
        check(
            "postgres://a:secret@h:5432/db?x=1",
            "postgres://a:***@h:5432/db?x=1",
        );
        check("postgres://a:p@ss/w?r#d@h/db", "postgres://a:***@h/db");
        check("postgres://a@h/db", "postgres://a@h/db");
        check(
            "postgres://h1:5432,h2:5433/db",
            "postgres://h1:5432,h2:5433/db",
        );
        check("postgres://[::1]/db", "postgres://[::1]/db");
        check("postgres://a:secret/db", "postgres://a:***");
        check("u:secret@h/db and 12:30", "u:***@h/db and 12:30");
        check("host=h password=se cret", "host=h password=***");
        check("host=h password = 'x'", "host=h password =***");
        check(
            "postgres://h/db?user=a&password=x",
            "postgres://h/db?user=a&password=***",
        );
        check(
            "password authentication failed",
            "password authentication failed",
        );
    }

    crate::property::properties! {
        #[test]
        fn no_password_survives(password in "[a-zA-Z@:/?#$%&' \\\\]{4,20}") {
            // The marks can stand in no other part of the text, so a hit is a leak.
            let secret = format!("\u{2600}{password}\u{2601}");
            let url = redact(&format!("unexpected 'postgres://me:{secret}@host:5432/db' found"));
            prop_assert!(!url.contains('\u{2600}') && !url.contains('\u{2601}'), "{}", url);
            let settings = redact(&format!("host=h password='{secret}' port=1"));
            prop_assert!(!settings.contains('\u{2600}'), "{}", settings);
        }
    }
}
