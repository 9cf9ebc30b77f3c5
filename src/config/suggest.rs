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
}
