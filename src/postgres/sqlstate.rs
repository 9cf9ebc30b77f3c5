//! What each SQLSTATE means for the engine (manual, appendix A «PostgreSQL Error Codes»).
//!
//! This is the only place that reads codes. A code that is not listed follows its class, the first
//! two characters; a class that is not listed is a fault that somebody must look at.

use crate::model::ErrorClass;

/// `lock_not_available`: `lock_timeout` has passed.
pub const LOCK_NOT_AVAILABLE: &str = "55P03";

/// `invalid_parameter_value`: also an option that an output plugin does not know.
pub const INVALID_PARAMETER_VALUE: &str = "22023";
/// `character_not_in_repertoire`: bytes that are no text in the encoding of the database.
pub const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
/// `untranslatable_character`: a character that the other encoding has not.
pub const UNTRANSLATABLE_CHARACTER: &str = "22P05";
/// `program_limit_exceeded`: larger than PostgreSQL takes.
pub const PROGRAM_LIMIT_EXCEEDED: &str = "54000";
/// `internal_error`: what no code was thought of for.
pub const INTERNAL_ERROR: &str = "XX000";
/// `invalid_authorization_specification`: `pg_hba.conf` has no line for this connection.
pub const INVALID_AUTHORIZATION: &str = "28000";
/// `invalid_password`.
pub const INVALID_PASSWORD: &str = "28P01";
/// `invalid_catalog_name`: there is no such database.
pub const INVALID_CATALOG_NAME: &str = "3D000";
/// `insufficient_privilege`; also an output plugin that the server refuses.
pub const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// `invalid_schema_name`: there is no such schema.
pub const INVALID_SCHEMA_NAME: &str = "3F000";
/// `undefined_table`.
pub const UNDEFINED_TABLE: &str = "42P01";
/// `undefined_object`: no such slot, publication, type, role.
pub const UNDEFINED_OBJECT: &str = "42704";
/// `duplicate_object`: the slot or publication is there already.
pub const DUPLICATE_OBJECT: &str = "42710";
/// `duplicate_schema`.
pub const DUPLICATE_SCHEMA: &str = "42P06";
/// `duplicate_table`.
pub const DUPLICATE_TABLE: &str = "42P07";
/// `foreign_key_violation`.
pub const FOREIGN_KEY_VIOLATION: &str = "23503";
/// `check_violation`; of a partition's bounds, too.
pub const CHECK_VIOLATION: &str = "23514";
/// `unique_violation`.
pub const UNIQUE_VIOLATION: &str = "23505";
/// `object_not_in_prerequisite_state`: `wal_level` too low, a lost slot.
pub const OBJECT_NOT_IN_PREREQUISITE_STATE: &str = "55000";
/// `object_in_use`: the slot is active for another process.
pub const OBJECT_IN_USE: &str = "55006";
/// `query_canceled`.
pub const QUERY_CANCELED: &str = "57014";
/// `undefined_file`: also an output plugin that is not installed.
pub const UNDEFINED_FILE: &str = "58P01";
/// `cannot_connect_now`: the server is starting up or shutting down.
pub const CANNOT_CONNECT_NOW: &str = "57P03";

/// Returns what can be done about an error with this SQLSTATE.
#[must_use]
pub fn class_of(code: &str) -> ErrorClass {
    exception(code).unwrap_or_else(|| of_class(code.get(..2).unwrap_or_default()))
}

/// Codes that differ from the rest of their class.
fn exception(code: &str) -> Option<ErrorClass> {
    Some(match code {
        // Somebody must change a server: a standby as target, a full configuration limit, a dropped
        // database, a slot or publication that is not there, WAL that is gone, damaged data.
        "25006" | "42501" | "42704" | "53400" | "55000" | "57P04" | "58P01" | "58P02" | "XX001"
        | "XX002" => ErrorClass::Operator,
        // Ends by itself: ended idle sessions, serialization and deadlock victims, locks.
        "25P03" | "25P04" | "40001" | "40003" | "40P01" | "55006" | "55P03" | "HV00N" => {
            ErrorClass::Transient
        }
        // We wrote something that no server understands, or lost count of our own transaction.
        "08P01" | "25P01" | "25P02" | "42601" => ErrorClass::Bug,
        _ => return None,
    })
}

/// The default of each class of codes.
fn of_class(class: &str) -> ErrorClass {
    match class {
        // Connection exceptions, insufficient resources, operator intervention (restarts), system
        // errors such as a failing disk, snapshot too old.
        "08" | "53" | "57" | "58" | "72" => ErrorClass::Transient,
        // Authorization, unknown database, configuration file, feature missing on that server,
        // role problems.
        "0A" | "0L" | "0P" | "28" | "3D" | "F0" => ErrorClass::Operator,
        // The target refuses what the source holds: values, constraints, missing or differing
        // objects, limits, triggers that raise, dependent objects, foreign tables.
        "09" | "0F" | "20" | "21" | "22" | "23" | "27" | "2B" | "2F" | "38" | "39" | "3F"
        | "40" | "42" | "44" | "54" | "55" | "HV" | "P0" => ErrorClass::Data,
        // No error at all, misuse of cursors, statements, transactions and savepoints, internal
        // errors of the server, and whatever does not exist yet.
        _ => ErrorClass::Bug,
    }
}

/// Returns whether the text of such an error may quote values of a row: data exceptions print the
/// value they could not read, constraint violations print the row in their detail.
pub(super) fn quotes_values(code: &str) -> bool {
    code.starts_with("22") || code.starts_with("23")
}

/// Returns whether the text of such an error names objects, files and encodings only, also where rows are
/// written: what the server lacks, and where it stands.
pub(super) fn names_only(code: &str) -> bool {
    let class = code.get(..2).unwrap_or_default();
    let encodings = matches!(code, CHARACTER_NOT_IN_REPERTOIRE | UNTRANSLATABLE_CHARACTER);
    encodings
        || matches!(
            class,
            "08" | "25" | "40" | "53" | "54" | "55" | "57" | "58" | "72"
        )
}

/// Returns the hint that we know for a code, for servers that sent none.
pub(super) fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        INVALID_AUTHORIZATION => {
            "add a line for this user, database and address to pg_hba.conf, then \
             SELECT pg_reload_conf();"
        }
        OBJECT_IN_USE => {
            "SELECT slot_name, active_pid FROM pg_replication_slots; shows which process holds it"
        }
        LOCK_NOT_AVAILABLE => {
            "a transaction holds it for long: SELECT pid, xact_start, query FROM pg_stat_activity \
             ORDER BY xact_start; shows which; let it end, then try again"
        }
        CHARACTER_NOT_IN_REPERTOIRE => {
            "the source holds bytes that are no text in this encoding, as a database in SQL_ASCII may: \
             fix them there, or make the target with ENCODING 'SQL_ASCII', too"
        }
        UNTRANSLATABLE_CHARACTER => {
            "make the target with ENCODING 'UTF8', which has every character"
        }
        "53300" => "raise max_connections, or close sessions that are not needed",
        "53400" => "raise max_replication_slots and max_wal_senders, then restart the server",
        "25006" => {
            "a standby takes no writes: connect to the primary (target_session_attrs=primary)"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every class of appendix A, with the answer for a code that is not an exception.
    const CLASSES: &[(&str, ErrorClass)] = &[
        ("00", ErrorClass::Bug),
        ("01", ErrorClass::Bug),
        ("02", ErrorClass::Bug),
        ("03", ErrorClass::Bug),
        ("08", ErrorClass::Transient),
        ("09", ErrorClass::Data),
        ("0A", ErrorClass::Operator),
        ("0B", ErrorClass::Bug),
        ("0F", ErrorClass::Data),
        ("0L", ErrorClass::Operator),
        ("0P", ErrorClass::Operator),
        ("0Z", ErrorClass::Bug),
        ("20", ErrorClass::Data),
        ("21", ErrorClass::Data),
        ("22", ErrorClass::Data),
        ("23", ErrorClass::Data),
        ("24", ErrorClass::Bug),
        ("25", ErrorClass::Bug),
        ("26", ErrorClass::Bug),
        ("27", ErrorClass::Data),
        ("28", ErrorClass::Operator),
        ("2B", ErrorClass::Data),
        ("2D", ErrorClass::Bug),
        ("2F", ErrorClass::Data),
        ("34", ErrorClass::Bug),
        ("38", ErrorClass::Data),
        ("39", ErrorClass::Data),
        ("3B", ErrorClass::Bug),
        ("3D", ErrorClass::Operator),
        ("3F", ErrorClass::Data),
        ("40", ErrorClass::Data),
        ("42", ErrorClass::Data),
        ("44", ErrorClass::Data),
        ("53", ErrorClass::Transient),
        ("54", ErrorClass::Data),
        ("55", ErrorClass::Data),
        ("57", ErrorClass::Transient),
        ("58", ErrorClass::Transient),
        ("72", ErrorClass::Transient),
        ("F0", ErrorClass::Operator),
        ("HV", ErrorClass::Data),
        ("P0", ErrorClass::Data),
        ("XX", ErrorClass::Bug),
    ];

    #[test]
    fn every_class_of_the_manual_has_its_answer() {
        for (class, expected) in CLASSES {
            assert_eq!(class_of(&format!("{class}999")), *expected, "{class}");
        }
    }

    #[test]
    fn codes_that_the_contract_names_have_their_answer() {
        let cases = [
            (
                ErrorClass::Transient,
                "57P01 57P02 57P03 40001 40P01 53300 55P03 08006 55006",
            ),
            (
                ErrorClass::Operator,
                "28000 28P01 42501 55000 42704 3D000 58P01",
            ),
            (
                ErrorClass::Data,
                "22P02 22003 23505 23503 42P01 42703 42P07 2BP01 P0001",
            ),
            (ErrorClass::Bug, "08P01 25P02 42601 XX000"),
        ];
        for (expected, codes) in cases {
            for code in codes.split(' ') {
                assert_eq!(class_of(code), expected, "{code}");
            }
        }
    }

    #[test]
    fn nonsense_is_a_bug_and_does_not_panic() {
        for code in ["", "2", "é", "ÄÄÄÄÄ"] {
            assert_eq!(class_of(code), ErrorClass::Bug, "{code}");
        }
    }
}
