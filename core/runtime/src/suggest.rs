//! "Did you mean": the nearest known word, and lists of words in a sentence.

/// The candidate nearest to `word`, if it is near enough to be a typing mistake.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = fold(word);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| {
            let known = fold(candidate);
            let limit = (folded.chars().count().max(known.chars().count()) / 2).min(3);
            (
                strsim::damerau_levenshtein(&folded, &known),
                limit,
                candidate,
            )
        })
        .filter(|(distance, limit, _)| distance <= limit)
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, candidate)| candidate)
}

/// Case and the kind of dash are no difference; long words are cut, nobody mistypes 64 characters.
fn fold(word: &str) -> String {
    word.chars()
        .take(64)
        .map(|c| {
            if c == '-' {
                '_'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

/// ``did you mean `sheet`?``
pub(crate) fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

/// ``a``, ``b`` or ``c``, each in backticks; at most twelve.
pub(crate) fn any_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    join(
        words.into_iter().map(|word| format!("`{word}`")).collect(),
        "or",
    )
}

/// ``a``, ``b`` and ``c``, each in backticks; at most twelve.
pub(crate) fn all_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    join(
        words.into_iter().map(|word| format!("`{word}`")).collect(),
        "and",
    )
}

/// `a, b or c`, as they are.
pub(crate) fn join(mut words: Vec<String>, last: &str) -> String {
    const SHOWN: usize = 12;
    if words.len() > SHOWN {
        let more = words.len() - SHOWN;
        words.truncate(SHOWN);
        return format!("{} {last} {more} more", words.join(", "));
    }
    match words.pop() {
        None => String::new(),
        Some(only) if words.is_empty() => only,
        Some(end) => format!("{} {last} {end}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_typing_mistakes_and_nothing_far() {
        let keys = ["timeout_secs", "exporter", "inputs", "to"];
        assert_eq!(nearest("timeout_sec", keys), Some("timeout_secs"));
        assert_eq!(nearest("exprotre", keys), Some("exporter"));
        assert_eq!(nearest("Inputs", keys), Some("inputs"));
        assert_eq!(nearest("compression", keys), None);
        assert_eq!(nearest("x", keys), None);
    }

    #[test]
    fn joins_words_as_a_sentence_does() {
        assert_eq!(any_of(["a"]), "`a`");
        assert_eq!(any_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(all_of(["a", "b"]), "`a` and `b`");
        assert_eq!(
            join(vec!["x".to_owned(); 14], "or").matches('x').count(),
            12
        );
    }
}
