//! What the tests of all rules share.

use std::collections::HashSet;

use crate::config::{LeftOut, NullNumbers, Plugin, TableFilter};
use crate::diagnose::check::facts::SourceTable;
use crate::diagnose::check::report::Finding;
use crate::diagnose::check::wanted::Wanted;
use crate::model::QualifiedName;

/// Returns a pipeline that streams all tables and schema changes, without a copy.
pub(crate) fn wanted() -> Wanted {
    Wanted {
        source_uri: "postgresql://me@localhost:5432/postgres".to_owned(),
        source_argument: "-c a.env".to_owned(),
        init_argument: "-c a.env".to_owned(),
        slot_name: "a_slot".parse().unwrap(),
        publication_name: "a_slot_publication".to_owned(),
        plugin: Plugin::Pgoutput,
        null_numbers: NullNumbers::Error,
        schema_changes: true,
        silent_triggers: false,
        filter: TableFilter::default(),
        left_out: LeftOut::default(),
        copied: None,
        everything: false,
        settled: HashSet::new(),
    }
}

/// Returns a table of schema `public` with a key, which our role may read.
pub(crate) fn source_table(name: &str) -> SourceTable {
    SourceTable {
        name: QualifiedName::new("public", name),
        without_identity: false,
        virtual_columns: false,
        whole_row_identity: false,
        schema_usable: true,
        readable: true,
        hides_rows: false,
        unreadable_sequences: Vec::new(),
        columns: Vec::new(),
    }
}

/// Expects one finding with this text and hint.
pub(crate) fn assert_only(findings: &[Finding], text: &str, hint: &str) {
    assert_eq!(findings.len(), 1, "{findings:?}");
    let message = format!("{} {}", findings[0].object, findings[0].problem);
    assert!(message.contains(text), "{message}");
    assert!(findings[0].hint.contains(hint), "{}", findings[0].hint);
}
