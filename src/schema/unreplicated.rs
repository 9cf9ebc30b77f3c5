//! What does not replicate, in the words of `check`, of the plan and of the log.

/// Of an unlogged table: the one rule, wherever it is reported.
pub const UNLOGGED: &str = "is unlogged: a copy brings its rows as they are then, and the stream none \
                                   of its changes, because PostgreSQL writes none of them to the log";

/// Says how many large objects stay behind.
pub(crate) fn large_objects_stay(count: u64) -> String {
    let message = match count {
        1 => "1 is on the source, and it does".to_owned(),
        count => format!("{count} are on the source, and they do"),
    };
    format!("{message} not replicate: logical decoding does not show large objects")
}

/// The commands that copy large objects, while nobody writes to them.
pub(crate) fn copy_large_objects(source_uri: &str) -> String {
    format!(
        "pg_dump --format=custom --blobs {source_uri} >source.dump; pg_restore --list source.dump | grep \
         BLOB >blobs; pg_restore --use-list=blobs --dbname=TARGET_URL source.dump # while nobody writes \
         large objects"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_objects_are_counted() {
        let rest = "on the source, and they do not replicate: logical decoding does not show large objects";
        assert_eq!(large_objects_stay(7), format!("7 are {rest}"));
        assert!(large_objects_stay(1).starts_with("1 is on the source, and it does not"));
    }
}
