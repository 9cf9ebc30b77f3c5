use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Vec<(String, String)>, String> {
    let file = parse(text, Path::new("x.env"));
    if let Some(problem) = file.problems.first() {
        return Err(problem.to_string());
    }
    let pairs = file.assignments.into_iter().map(|a| (a.key, a.value));
    Ok(pairs.collect())
}

#[test]
fn values_are_what_stands_there() {
    let check = |line: &str, expected: &str| {
        assert_eq!(
            read(line),
            Ok(vec![("K".to_owned(), expected.to_owned())]),
            "{line}"
        );
    };
    check("K=v", "v");
    check("export K = v  # comment", "v");
    check("K=", "");
    check("K= # nothing", "");
    check("K=a#b", "a#b");
    check(
        "K=postgres://u:p@h:5432?sslmode=disable",
        "postgres://u:p@h:5432?sslmode=disable",
    );
    check("K=\"test_schema.* test\"", "test_schema.* test");
    check("K='p@ss$word#1\\x'", "p@ss$word#1\\x");
    check("K=\"p@ss\\$word#1\\\\x\" # quoted", "p@ss$word#1\\x");
    check("\u{feff}K=v\r\n# end\r\n", "v");
    check(
        "K='host=localhost dbname=\"x\"'",
        "host=localhost dbname=\"x\"",
    );
}

#[test]
fn what_dotenvy_would_change_is_reported_with_its_line() {
    let check = |line: &str, expected: &str| {
        let problem = read(&format!("A=1\n{line}")).unwrap_err();
        assert!(
            problem.starts_with("x.env:2: ") && problem.contains(expected),
            "{problem}"
        );
        assert!(!problem.contains("secret"), "{problem}");
    };
    check("K=p@secret$word#1\\x", "single quotes");
    check("K=\"p@secret$word\"", "single quotes");
    check("K=secret\\n", "single quotes");
    check("K=\"secret\\x\"", "single quotes");
    check("K=host=h password=secret", "double quotes");
    check("K=it's secret", "quote inside");
    check("K='secret", "not closed");
    check("K=\"secret", "not closed");
    check("K='a'secret", "after the closing quote");
    check("K='secret\\'", "cannot end with a backslash");
    check("secret", "no «=»");
    check("sec ret=1", "name of a variable");
    check("A=secret", "first in line 1");
}

#[test]
fn the_hard_password_survives_in_single_quotes_and_is_reported_without() {
    let password = "p@ss$word#1\\x";
    let quoted = read(&format!("K='{password}'"));
    assert_eq!(quoted, Ok(vec![("K".to_owned(), password.to_owned())]));
    assert!(read(&format!("K={password}")).is_err());
    assert!(read(&format!("K=\"{password}\"")).is_err());
}

crate::property::properties! {
    /// Whatever is accepted is literal: no character is lost, none is added.
    #[test]
    fn an_accepted_value_is_the_written_one(value in "[ -~]{0,20}") {
        if let Ok(pairs) = read(&format!("K={value}")) {
            let plain = value.trim();
            if !plain.starts_with(['"', '\'']) && !plain.contains('#') {
                prop_assert_eq!(&pairs[0].1, plain);
            }
        }
        if let Ok(pairs) = read(&format!("K='{value}'")) {
            let end = value.find('\'').unwrap_or(value.len());
            prop_assert_eq!(&pairs[0].1, &value[..end]);
        }
    }

    #[test]
    fn escaping_in_double_quotes_carries_every_value(value in "[ -~é]{0,20}") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
        prop_assert_eq!(read(&format!("K=\"{escaped}\"")), Ok(vec![("K".to_owned(), value)]));
    }

    #[test]
    fn any_text_is_answered(text in "(.|\n){0,80}") {
        drop(parse(&text, Path::new("x.env")));
    }
}

#[test]
fn fuzz_the_configuration_file() {
    let good: [&[u8]; 2] = [
        include_bytes!("../../../assets/examples/pg2pg_tutorial.env"),
        b"# comment\nexport A='it s' # more\nB=\"a \\\" \\$ \\n\"\nC=plain\nC=twice\nD=\"open\n",
    ];

    crate::fuzz::fuzz(&good, |input| {
        drop(parse(&String::from_utf8_lossy(input), Path::new("x.env")));
    });
}
