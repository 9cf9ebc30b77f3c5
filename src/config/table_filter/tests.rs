use proptest::prelude::*;

use super::*;

fn name(schema: &str, table: &str) -> QualifiedName {
    QualifiedName::new(schema, table)
}

fn filter(include: &str, exclude: &str) -> TableFilter {
    TableFilter::new(
        parse_patterns(include).unwrap(),
        parse_patterns(exclude).unwrap(),
    )
}

#[test]
fn patterns_cover_what_they_say() {
    let check = |pattern: &str, schema: &str, table: &str, expected: bool| {
        let parsed: TablePattern = pattern.parse().unwrap();
        assert_eq!(
            parsed.covers(&name(schema, table)),
            expected,
            "{pattern} on {schema}.{table}"
        );
    };
    check("test", "public", "test", true);
    check("test", "other", "test", false);
    check("test_schema.*", "test_schema", "anything", true);
    check("test_schema.*", "public", "anything", false);
    check("*.*", "a", "b", true);
    check("*", "public", "b", true);
    check("*", "a", "b", false);
    check("a.order_?_*", "a", "order_1_items", true);
    check("a.order_?_*", "a", "order_12", false);
    check("*.*_log", "a", "x_log_log", true);
    check("\"My Schema\".\"A.b\"", "My Schema", "A.b", true);
    check("\"a*\".b", "ax", "b", false);
    check("\"say \"\"hi\"\"\"", "public", "say \"hi\"", true);
    check("схема.таб*", "схема", "таблица", true);
}

#[test]
fn what_could_be_misread_is_refused() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<TablePattern>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    };
    check("a.b.c", "schema.table");
    check("a.", "schema.table");
    check(".b", "schema.table");
    check("a\"b", "wrong place");
    check("\"a\"b", "wrong place");
    check("\"a", "wrong place");
    check("shop.Orders", "capital letters");
    check("postgres://u:p@h/d", "outside quotes");
}

#[test]
fn exclusion_wins_over_inclusion() {
    let check = |include: &str, exclude: &str, table: (&str, &str), expected: bool| {
        let selected = filter(include, exclude).selects(&name(table.0, table.1));
        assert_eq!(selected, expected, "{include} - {exclude} on {table:?}");
    };
    check("", "", ("a", "b"), true);
    check("a.*", "", ("a", "b"), true);
    check("a.*", "", ("c", "b"), false);
    check("a.*", "a.b", ("a", "b"), false);
    check("", "*.secret", ("a", "secret"), false);
    check("", "*.secret", ("a", "open"), true);
}

#[test]
fn a_filter_that_can_select_nothing_is_seen() {
    assert!(filter("a.*, b", "public.b a.*").selects_nothing());
    assert!(filter("", "*.*").selects_nothing());
    assert!(!filter("a.*", "a.b").selects_nothing());
    assert!(!filter("", "").selects_nothing());
    assert!(filter("*.*", "").selects_everything());
    assert!(!filter("*.*", "a").selects_everything());
}

crate::property::properties! {
    #[test]
    fn quoted_names_select_themselves(names in prop::collection::vec(("\\PC{1,12}", "\\PC{1,12}"), 1..5)) {
        let names: Vec<_> = names.iter().map(|(schema, table)| name(schema, table)).collect();
        let written = names.iter().map(QualifiedName::quoted).collect::<Vec<_>>().join(" ,");
        let filter = TableFilter::new(parse_patterns(&written).unwrap(), Vec::new());
        for name in &names {
            prop_assert!(filter.selects(name));
        }
    }

    #[test]
    fn patterns_round_trip_through_their_text(text in "[a-c\"*?. ]{0,12}") {
        if let Ok(pattern) = text.parse::<TablePattern>() {
            prop_assert_eq!(pattern.to_string().parse::<TablePattern>().unwrap(), pattern);
        }
    }

    #[test]
    fn any_text_is_answered(text in ".*", table in ".*") {
        if let Ok(patterns) = parse_patterns(&text) {
            let filter = TableFilter::new(patterns, Vec::new());
            let table = name("public", &table);
            prop_assert_eq!(filter.selects(&table), filter.clone().selects(&table));
        }
    }
}

#[test]
fn one_table_is_toggled_and_no_other() {
    let check = |include: &str, exclude: &str, table: (&str, &str), expected: (&str, &str)| {
        let toggled = filter(include, exclude)
            .toggled(&name(table.0, table.1))
            .unwrap();
        let texts = (toggled.include_text(), toggled.exclude_text());
        assert_eq!((texts.0.as_str(), texts.1.as_str()), expected);
        let again = filter(&texts.0, &texts.1);
        assert_ne!(
            again.selects(&name(table.0, table.1)),
            filter(include, exclude).selects(&name(table.0, table.1))
        );
    };
    check("", "", ("public", "a"), ("", "public.a"));
    check("", "public.a", ("public", "a"), ("", ""));
    check("public.* x.y", "", ("x", "y"), ("public.*", ""));
    check("public.*", "", ("public", "a"), ("public.*", "public.a"));
    check("public.a", "", ("public", "a"), ("public.a", "public.a"));
    check("public.a", "", ("x", "y"), ("public.a x.y", ""));
    check("x.*", "x.y", ("x", "y"), ("x.*", ""));
    check("", "", ("My Shop", "a*"), ("", "\"My Shop\".\"a*\""));

    let refused = filter("", "*.audit_*").toggled(&name("public", "audit_log"));
    assert_eq!(refused.unwrap_err().to_string(), "*.audit_*");
}
