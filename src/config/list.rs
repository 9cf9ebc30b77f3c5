//! Lists in one value: items split on blanks and commas, except inside double quotes.

/// Returns the items of `text`, quotes kept.
///
/// # Errors
/// A double quote that is not closed.
pub(super) fn split(text: &str) -> Result<Vec<&str>, String> {
    let mut items = Vec::new();
    let mut start = None;
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        let separates = !quoted && (c == ',' || c.is_whitespace());
        if c == '"' {
            quoted = !quoted;
        }
        if separates {
            items.extend(start.take().map(|start| &text[start..at]));
        } else {
            start = start.or(Some(at));
        }
    }
    if quoted {
        return Err("has a double quote that is not closed".to_owned());
    }
    items.extend(start.map(|start| &text[start..]));
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_split_outside_quotes_only() {
        let check = |text: &str, expected: &[&str]| assert_eq!(split(text).unwrap(), expected);
        check("test_schema.* test", &["test_schema.*", "test"]);
        check(" a,b ,, c\t", &["a", "b", "c"]);
        check(r#""a b"."c,d" e"#, &[r#""a b"."c,d""#, "e"]);
        check(r#""say ""hi"" "."#, &[r#""say ""hi"" "."#]);
        check("", &[]);
        assert!(split("\"a b").is_err());
    }
}
