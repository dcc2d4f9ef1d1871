//! Looking at a collection page by page, the newest documents first. No I/O.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use crate::plan::Found;

/// Documents asked for at once when looking what is there; a question without a number gets ten.
pub(crate) const PAGE: usize = 2000;

/// Documents that are looked at in one go: a bound for memory and time, far beyond what people measure in the
/// years that a meter remembers.
const MOST: usize = 250_000;
/// How far a document may be outside the time that was asked for: sites compare the texts of treatments, and
/// some programs write them with an offset.
const SLACK_MS: i64 = 86_400_000;

/// What was seen of a collection so far.
pub(crate) struct Look {
    allowed: RangeInclusive<i64>,
    to_ms: i64,
    known: HashSet<String>,
    all: Vec<Found>,
}

impl Look {
    /// Nothing was seen yet of what is between two instants.
    pub(crate) fn new(from_ms: i64, to_ms: i64) -> Self {
        Self {
            allowed: from_ms.saturating_sub(SLACK_MS)..=to_ms.saturating_add(SLACK_MS),
            to_ms,
            known: HashSet::new(),
            all: Vec::new(),
        }
    }

    /// The instant that the next page ends with.
    pub(crate) fn to_ms(&self) -> i64 {
        self.to_ms
    }

    /// Takes a page; whether there may be another.
    ///
    /// # Errors
    /// What the site does that no Nightscout does, in words that follow its name.
    pub(crate) fn take(&mut self, page: Vec<Found>) -> Result<bool, &'static str> {
        let dates = || page.iter().filter_map(Found::date_ms);
        if dates().any(|date| !self.allowed.contains(&date)) {
            return Err("gives documents of other times than it was asked for");
        }
        let (last, is_last_page) = (dates().min(), page.len() < PAGE);
        let before = self.all.len();
        let known = &mut self.known;
        let is_new = |one: &Found| one.id.clone().is_none_or(|id| known.insert(id));
        self.all.extend(page.into_iter().filter(is_new));
        if self.all.len() > MOST {
            return Err("has more documents than can be looked at");
        }
        if is_last_page {
            return Ok(false);
        }
        match last {
            None => Err("gives documents without a time"),
            Some(last) if last >= self.to_ms => {
                Err("has more documents at one instant than can be looked at")
            }
            Some(_) if self.all.len() == before => Err("gives the same documents again and again"),
            // The newest come first, so the next page ends where this one did.
            Some(last) => {
                self.to_ms = last;
                Ok(true)
            }
        }
    }

    /// All that was seen, each once.
    pub(crate) fn found(self) -> Vec<Found> {
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: i64 = 1_000_000_000_000;
    const TO: i64 = FROM + 100_000;

    /// A full page whose documents, of these numbers, are a millisecond apart from `to` back.
    fn full(first: usize, to: i64) -> Vec<Found> {
        let one = |at: usize| Found {
            id: Some(format!("{:024x}", first + at)),
            dates_ms: vec![to - i64::try_from(at).unwrap()],
            ..Found::default()
        };
        (0..PAGE).map(one).collect()
    }

    #[test]
    fn pages_are_put_together_until_one_is_not_full() {
        let mut look = Look::new(FROM, TO);
        let end = TO - i64::try_from(PAGE).unwrap() + 1;
        assert_eq!(look.take(full(0, TO)), Ok(true));
        assert_eq!(look.to_ms(), end);
        // The last of one page is the first of the next.
        let mut rest = full(PAGE - 1, end);
        rest.truncate(5);
        assert_eq!(look.take(rest), Ok(false));
        assert_eq!(look.found().len(), PAGE + 4);

        assert_eq!(Look::new(FROM, TO).take(Vec::new()), Ok(false));
    }

    #[test]
    fn pages_that_lead_nowhere_are_errors() {
        let mut look = Look::new(FROM, TO);
        look.take(full(0, TO)).unwrap();
        // Other times each time, and never another document.
        let error = look.take(full(0, look.to_ms() - 1)).unwrap_err();
        assert!(error.contains("again and again"), "{error}");

        let mut timeless = full(0, TO);
        timeless.iter_mut().for_each(|one| one.dates_ms.clear());
        let error = Look::new(FROM, TO).take(timeless.clone()).unwrap_err();
        assert!(error.contains("without a time"), "{error}");
        timeless.truncate(PAGE - 1);
        assert_eq!(Look::new(FROM, TO).take(timeless), Ok(false));

        let mut crowded = full(0, TO);
        crowded.iter_mut().for_each(|one| one.dates_ms = vec![TO]);
        let error = Look::new(FROM, TO).take(crowded).unwrap_err();
        assert!(error.contains("at one instant"), "{error}");

        let other = Look::new(FROM, TO).take(full(0, TO + 2 * SLACK_MS));
        assert!(other.unwrap_err().contains("of other times"));
    }

    #[test]
    fn documents_without_a_name_do_not_go_on_for_ever() {
        let mut look = Look::new(FROM, TO + 1000 * 2000);
        let endless = std::iter::from_fn(|| {
            let mut page = full(0, look.to_ms() - 1);
            page.iter_mut().for_each(|one| one.id = None);
            Some(look.take(page))
        });
        let error = endless.take(1000).find_map(Result::err).unwrap();
        assert!(error.contains("more documents than"), "{error}");
    }
}
