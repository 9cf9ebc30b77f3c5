//! Named places on both sides of every durable step, where a test can end the process.
//!
//! Without the feature `failpoints` these are empty functions. With it, the environment variable
//! `FAILPOINTS` names the places: `apply.before_commit=return` ends the process there at once, as
//! a power cut would; `apply.before_commit=2*off->return` at the third time.

macro_rules! fault_points {
    ($($(#[doc = $doc:literal])* $constant:ident = $name:literal;)*) => {
        $($(#[doc = $doc])* pub const $constant: &str = $name;)*

        /// Every name, for the test that wants each of them tested.
        pub const ALL: &[&str] = &[$($constant),*];
    };
}

fault_points! {
    /// The checkpoint is written; the source is about to hear where the pipeline is applied.
    START_BEFORE_NOTE = "start.before_note";
    /// The source remembers it, and nothing is applied yet.
    START_AFTER_NOTE = "start.after_note";
    /// A transaction has begun to arrive.
    STREAM_AFTER_BEGIN = "stream.after_begin";
    /// A part of a large transaction is in the open target transaction.
    APPLY_MID_TRANSACTION = "apply.mid_transaction";
    /// Some rows of a rewritten table are in the open target transaction.
    APPLY_MID_REWRITE = "apply.mid_rewrite";
    /// Rows and checkpoint are written and not committed, or about to be sent together with the commit.
    APPLY_BEFORE_COMMIT = "apply.before_commit";
    /// The target has committed, nobody knows yet.
    APPLY_AFTER_COMMIT = "apply.after_commit";
    /// The source is about to hear what is durable.
    FEEDBACK_BEFORE_SEND = "feedback.before_send";
    /// Some statements of a schema change have run.
    SCHEMA_BETWEEN_STEPS = "schema.between_steps";
    /// A statement outside of transactions has run, its record is not written.
    SCHEMA_AFTER_OUTSIDE = "schema.after_outside";
    /// The tables of a copy are about to be made.
    SNAPSHOT_BEFORE_TABLES = "snapshot.before_tables";
    /// They are made and remembered.
    SNAPSHOT_AFTER_TABLES = "snapshot.after_tables";
    /// A table that needs no other is made by the one who brings its rows.
    SNAPSHOT_AFTER_TABLE = "snapshot.after_table";
    /// The rows of a part are written, not committed.
    SNAPSHOT_BEFORE_COMMIT = "snapshot.before_commit";
    /// The rows of a part are committed.
    SNAPSHOT_AFTER_COMMIT = "snapshot.after_commit";
    /// All rows of a table are there and remembered.
    SNAPSHOT_AFTER_ROWS = "snapshot.after_rows";
    /// A statement that completes a table is committed.
    SNAPSHOT_AFTER_STEP = "snapshot.after_step";
    /// Tables are complete; the stream is about to take them over.
    SNAPSHOT_BEFORE_HANDOVER = "snapshot.before_handover";
    /// The stream has taken them over.
    SNAPSHOT_AFTER_HANDOVER = "snapshot.after_handover";
    /// The stream stands still for a comparison.
    VERIFY_WHILE_STANDING = "verify.while_standing";
    /// Both snapshots are there; the stream is about to be released.
    VERIFY_BEFORE_RELEASE = "verify.before_release";
    /// A range is equal, and that is written down.
    VERIFY_AFTER_RANGE = "verify.after_range";
    /// Everything is compared, and the verdict is not on the target.
    VERIFY_BEFORE_VERDICT = "verify.before_verdict";
    /// The rows of a repaired range are written, not committed.
    VERIFY_BEFORE_REPAIR = "verify.before_repair";
    /// They are committed, nobody knows yet.
    VERIFY_AFTER_REPAIR = "verify.after_repair";
    /// A slot that was lost is made anew, and nothing is brought yet.
    VERIFY_AFTER_SLOT = "verify.after_slot";
    /// Both sides are equal, the checkpoint does not say so yet.
    VERIFY_BEFORE_ADOPTION = "verify.before_adoption";
    /// It does, nobody knows yet.
    VERIFY_AFTER_ADOPTION = "verify.after_adoption";
    /// A schema change is durable and not yet acknowledged on the source.
    SCHEMA_BEFORE_ACK = "schema.before_ack";
}

/// Ends the process if the environment asks for it at this place.
#[inline]
pub fn point(name: &str) {
    let _ = name;
    #[cfg(feature = "failpoints")]
    armed(name);
}

#[cfg(feature = "failpoints")]
fn armed(name: &str) {
    fail::fail_point!(name, |_| std::process::abort());
}

/// Reads `FAILPOINTS`; the guard keeps the places armed.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn arm() -> impl Drop {
    Armed(fail::FailScenario::setup())
}

#[cfg(feature = "failpoints")]
struct Armed(#[expect(dead_code, reason = "held for its Drop")] fail::FailScenario<'static>);

#[cfg(feature = "failpoints")]
impl Drop for Armed {
    fn drop(&mut self) {}
}
