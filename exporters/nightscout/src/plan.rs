//! What has to be sent, so that a site ends up with each reading once. No I/O.
//!
//! API 1 tells two documents apart by instant and type alone: two readings of one minute, of one meter or
//! two, would silently overwrite each other. So every reading has an instant of its own within its second.
//! The millisecond follows from its `reading_id`; where somebody has that already, the next one is free.
//! A reading that is at the site keeps the instant it has there: it is found by `identifier`.

use std::collections::{HashMap, HashSet};

use crate::document::{SLOTS, Stick};

/// A document at the site.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// The server's own name for it, when it is one that can be asked for.
    pub(crate) id: Option<String>,
    pub(crate) identifier: Option<String>,
    /// Its instants in milliseconds, as far as it has any: the first is what charts show.
    pub(crate) dates_ms: Vec<i64>,
    pub(crate) value: Option<f64>,
    /// Deleted by somebody, and kept by the site so that nobody brings it back.
    pub(crate) deleted: bool,
}

impl Found {
    pub(crate) fn date_ms(&self) -> Option<i64> {
        self.dates_ms.first().copied()
    }
}

/// A stick with its instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Index among the sticks.
    pub(crate) stick: usize,
    pub(crate) date_ms: i64,
}

/// A document of a stick that has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    /// Index among the sticks.
    pub(crate) stick: usize,
    /// Index among what was found.
    pub(crate) found: usize,
    /// Whether its successor is there already.
    pub(crate) replaced: bool,
}

/// What to do for some sticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// At the site, as they should be.
    pub(crate) there: Vec<usize>,
    /// Deleted at the site.
    pub(crate) deleted: Vec<usize>,
    /// To be sent.
    pub(crate) send: Vec<Placed>,
    /// At the site under another instant: the zone or the correction of the clock was changed.
    pub(crate) stale: Vec<Stale>,
    /// Without a free millisecond in their second.
    pub(crate) crowded: Vec<usize>,
}

/// Compares sticks with what is at the site. The order of the sticks does not matter.
pub(crate) fn plan(sticks: &[&Stick], found: &[Found], value: impl Fn(&Stick) -> f64) -> Plan {
    let mut plan = Plan::default();
    let mut taken: HashSet<i64> = found.iter().flat_map(|one| one.dates_ms.clone()).collect();
    let mut by_identifier: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, one) in found.iter().enumerate() {
        if let Some(identifier) = &one.identifier {
            by_identifier.entry(identifier).or_default().push(index);
        }
    }
    let mut unplaced = Vec::new();
    for (index, stick) in sticks.iter().enumerate() {
        let mine = by_identifier.get(stick.reading_id.as_str());
        let mine = mine.map_or(&[][..], Vec::as_slice);
        if mine.iter().any(|&at| found[at].deleted) {
            plan.deleted.push(index);
            continue;
        }
        let placed = mine
            .iter()
            .filter_map(|&at| Some((found[at].date_ms()?, at)))
            .filter(|(date_ms, _)| {
                date_ms.div_euclid(SLOTS.into()) * i64::from(SLOTS) == stick.second_ms
            })
            .min();
        let replaced = match placed {
            // Exact comparison: both are rounded the same way.
            #[allow(clippy::float_cmp)]
            Some((_, at)) if found[at].value == Some(value(stick)) => {
                plan.there.push(index);
                true
            }
            Some((date_ms, _)) => {
                plan.send.push(Placed {
                    stick: index,
                    date_ms,
                });
                false
            }
            None => {
                unplaced.push(index);
                false
            }
        };
        let kept = placed.map(|(_, at)| at);
        let stale = mine.iter().filter(|&&at| Some(at) != kept);
        plan.stale.extend(stale.map(|&found| Stale {
            stick: index,
            found,
            replaced,
        }));
    }
    unplaced.sort_by(|&a, &b| sticks[a].reading_id.cmp(&sticks[b].reading_id));
    for index in unplaced {
        match free(sticks[index], &taken) {
            Some(date_ms) => {
                taken.insert(date_ms);
                plan.send.push(Placed {
                    stick: index,
                    date_ms,
                });
            }
            None => plan.crowded.push(index),
        }
    }
    plan.send.sort_by_key(|placed| placed.date_ms);
    plan
}

/// The first free millisecond of the second, from the stick's own on.
fn free(stick: &Stick, taken: &HashSet<i64>) -> Option<i64> {
    (0..SLOTS)
        .map(|step| stick.second_ms + i64::from((stick.slot() + step) % SLOTS))
        .find(|date_ms| !taken.contains(date_ms))
}

#[cfg(test)]
mod tests;
