//! What a schema change changed, in lines for people: only what differs between the descriptions
//! before and after, which hold far more than anybody wants to read. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

/// Numbers of the source's catalog: nothing that a person compares. What a type's modifier means stands
/// in the type's own text.
const NUMBERS: [&str; 5] = ["oid", "number", "default_hash", "constraint", "typmod"];

/// Returns a line for each fact that differs: `- columns age type: integer`, then
/// `+ columns age type: bigint`. What is missing, off or empty is no fact.
pub(crate) fn differences(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (facts(before), facts(after));
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let mut lines = Vec::new();
    for path in paths {
        let (was, is) = (before.get(path), after.get(path));
        if was != is {
            lines.extend(was.map(|value| format!("- {path}: {value}")));
            lines.extend(is.map(|value| format!("+ {path}: {value}")));
        }
    }
    lines
}

fn facts(value: &Value) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    collect(value, "", &mut facts);
    facts
}

fn collect(value: &Value, path: &str, facts: &mut BTreeMap<String, String>) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        _ => format!("{path} {key}"),
    };
    match value {
        Value::Null | Value::Bool(false) => {}
        Value::Bool(true) => drop(facts.insert(path.to_owned(), "yes".to_owned())),
        Value::Number(number) => drop(facts.insert(path.to_owned(), number.to_string())),
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => drop(facts.insert(path.to_owned(), text.clone())),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                let name = item.get("name").and_then(Value::as_str);
                let key = name.map_or_else(|| (place + 1).to_string(), str::to_owned);
                collect(item, &below(&key), facts);
            }
        }
        Value::Object(fields) => {
            let reported = fields.iter().filter(|(key, _)| !is_number(key));
            for (key, field) in reported {
                collect(field, &below(key), facts);
            }
        }
    }
}

fn is_number(key: &str) -> bool {
    NUMBERS.contains(&key) || key.ends_with("_oid")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_reported() {
        let table = |name: &str, kind: &str| {
            json!({"name": name, "owner": "postgres", "oid": 7, "options": [], "columns": [
                {"name": "id", "number": 1, "type": "integer", "not_null": true},
                {"name": "age", "number": 2, "type": kind, "type_oid": kind.len(),
                 "typmod": kind.len(), "comment": null},
            ]})
        };
        let cases = [
            (table("t", "integer"), table("t", "integer"), vec![]),
            (
                table("t", "integer"),
                table("u", "bigint"),
                vec![
                    "- columns age type: integer",
                    "+ columns age type: bigint",
                    "- name: t",
                    "+ name: u",
                ],
            ),
            (
                Value::Null,
                json!({"name": "t", "columns": [{"name": "id", "not_null": true}]}),
                vec![
                    "+ columns id name: id",
                    "+ columns id not_null: yes",
                    "+ name: t",
                ],
            ),
        ];
        for (before, after, expected) in cases {
            assert_eq!(differences(&before, &after), expected);
        }
    }
}
