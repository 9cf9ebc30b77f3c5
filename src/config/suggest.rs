//! «did you mean»: the nearest of a few known words.

/// Returns the candidate nearest to `word`, none when all are too far to be a slip of the hand.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let upper = word.to_ascii_uppercase();
    let distance =
        |candidate: &str| strsim::damerau_levenshtein(&upper, &candidate.to_ascii_uppercase());
    candidates
        .map(|candidate| (distance(candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(4))
        // Of a single letter nothing would be left.
        .filter(|(distance, candidate)| *distance < candidate.len())
        .map(|(_, candidate)| candidate)
}

/// As [`nearest`] for names that begin alike and are long: only what differs counts.
pub(super) fn nearest_name<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let different = |candidate: &'a str| {
        let alike = name.bytes().zip(candidate.bytes());
        let alike = alike.take_while(|(one, other)| one == other).count();
        let begins = name.get(..alike).and_then(|begin| begin.rfind('_'));
        let begins = begins.map_or(0, |at| at + 1);
        let (rest, candidate_rest) = (&name[begins..], &candidate[begins..]);
        let distance = strsim::damerau_levenshtein(rest, candidate_rest);
        (distance <= candidate_rest.len().div_ceil(4)).then_some((distance, candidate))
    };
    let near = candidates.filter_map(different);
    near.min().map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["update", "nothing", "error"];
        let check = |word, expected| assert_eq!(nearest(word, known.into_iter()), expected);
        check("updaet", Some("update"));
        check("ERROR", Some("error"));
        check("ignore", None);
        check("", None);
        assert_eq!(nearest("2", ["0", "1"].into_iter()), None);
    }

    #[test]
    fn a_long_beginning_makes_two_names_no_nearer() {
        let known = [
            "X_WRITER_TARGET_URL",
            "X_WRITER_BATCH_SIZE",
            "X_SNAPSHOT_TABLES",
        ];
        let check = |name, expected| assert_eq!(nearest_name(name, known.into_iter()), expected);
        check("X_WRITER_BATCHSIZE", Some("X_WRITER_BATCH_SIZE"));
        check("X_WRITTER_BATCH_SIZE", Some("X_WRITER_BATCH_SIZE"));
        check("X_SNAPSHOT_TABLE", Some("X_SNAPSHOT_TABLES"));
        check("X_WRITER_STRICT_MODE", None);
        check("X_SNAPSHOT_ROLE", None);
        check("X_WRITER", None);
    }
}
