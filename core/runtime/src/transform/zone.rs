//! A time zone as a table of civil time: which offset holds from when to when.
//!
//! `chrono-tz` searches its own table at every question. Here each year is cut once into segments
//! with one answer each, and the last segment is kept, so that rows in order of time cost one
//! comparison. Civil times that occur twice or never are segments like any other.

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

const SECOND_US: i64 = 1_000_000;
const DAY_S: i64 = 86_400;
/// Years that have a table. The zone data knows no change before 1800 or after 2100.
const YEARS: std::ops::Range<i32> = 1800..2150;

/// How often a civil time occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occurs {
    Once,
    Twice,
    Never,
}

/// An offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct East {
    /// Microseconds.
    pub(super) us: i64,
    /// Whole minutes, the nearest ones; before 1972 some zones had seconds.
    pub(super) min: i16,
}

impl East {
    fn new(seconds: i64) -> Self {
        let half = if seconds < 0 { -30 } else { 30 };
        let min = i16::try_from((seconds + half) / 60).unwrap_or(0);
        Self {
            us: seconds * SECOND_US,
            min,
        }
    }
}

/// A stretch of civil time with one answer, in microseconds; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) occurs: Occurs,
    /// The offset; for a time that occurs twice, the first time; for one that never occurs, the
    /// offset before the change.
    pub(super) first: East,
    /// The offset when a time occurs the second time.
    pub(super) second: East,
}

impl Segment {
    #[inline]
    pub(super) fn holds(&self, local: i64) -> bool {
        self.start <= local && local < self.end
    }
}

/// A time zone, ready for many questions.
pub(super) struct Zone {
    tz: Tz,
    /// Segments of the years that were asked for, from the first of [`YEARS`]; empty if not yet cut.
    years: Vec<Vec<Segment>>,
    current: Segment,
}

impl Zone {
    pub(super) fn new(tz: Tz) -> Self {
        let nothing = East::new(0);
        let current = Segment {
            start: 0,
            end: 0,
            occurs: Occurs::Once,
            first: nothing,
            second: nothing,
        };
        Self {
            tz,
            years: vec![Vec::new(); YEARS.len()],
            current,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.tz.name()
    }

    /// The segment of a civil time in microseconds.
    #[inline]
    pub(super) fn segment(&mut self, local: i64) -> &Segment {
        if !self.current.holds(local) {
            self.current = self.find(local);
        }
        &self.current
    }

    /// The offset at a moment in microseconds.
    pub(super) fn at(&self, utc: i64) -> East {
        East::new(self.seconds_at(utc.div_euclid(SECOND_US)))
    }

    fn seconds_at(&self, utc_s: i64) -> i64 {
        let clamped = utc_s.clamp(year_start(YEARS.start), year_start(YEARS.end));
        let moment = DateTime::from_timestamp(clamped, 0)
            .unwrap_or_default()
            .naive_utc();
        self.tz
            .offset_from_utc_datetime(&moment)
            .fix()
            .local_minus_utc()
            .into()
    }

    fn find(&mut self, local: i64) -> Segment {
        let first = year_start(YEARS.start);
        let last = year_start(YEARS.end);
        let seconds = local.div_euclid(SECOND_US);
        if seconds < first {
            return self.constant(i64::MIN, first * SECOND_US, first);
        }
        if seconds >= last {
            return self.constant(last * SECOND_US, i64::MAX, last);
        }
        let year = DateTime::from_timestamp(seconds, 0)
            .unwrap_or_default()
            .year();
        let index = usize::try_from(year - YEARS.start).unwrap_or_default();
        if self.years[index].is_empty() {
            self.years[index] = self.cut(year);
        }
        let segments = &self.years[index];
        let after = segments.partition_point(|segment| segment.end <= local);
        segments
            .get(after)
            .copied()
            .unwrap_or_else(|| self.constant(local, local, seconds))
    }

    fn constant(&self, start: i64, end: i64, at_s: i64) -> Segment {
        let offset = East::new(self.seconds_at(at_s));
        Segment {
            start,
            end,
            occurs: Occurs::Once,
            first: offset,
            second: offset,
        }
    }

    /// Cuts a year of civil time into segments.
    fn cut(&self, year: i32) -> Vec<Segment> {
        let (start, end) = (year_start(year), year_start(year + 1));
        // Civil time is less than a day from UTC, except for the change itself.
        let spans = self.spans(start - 3 * DAY_S, end + 3 * DAY_S);
        let mut cuts: Vec<i64> = spans
            .iter()
            .flat_map(|span| [span.start + span.east, span.end + span.east])
            .filter(|cut| (start..end).contains(cut))
            .chain([start, end])
            .collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts.windows(2)
            .map(|cut| {
                let (start, end) = (cut[0], cut[1]);
                let holds =
                    |span: &&Span| span.start + span.east <= start && end <= span.end + span.east;
                let mut holding = spans.iter().filter(holds);
                let first = holding.next();
                let second = holding.next_back();
                let before = spans.iter().rfind(|span| span.end + span.east <= start);
                let (occurs, one, other) = match (first, second) {
                    (Some(first), Some(second)) => (Occurs::Twice, first.east, second.east),
                    (Some(only), None) => (Occurs::Once, only.east, only.east),
                    (None, _) => {
                        let east = before.map_or(0, |span| span.east);
                        (Occurs::Never, east, east)
                    }
                };
                Segment {
                    start: start * SECOND_US,
                    end: end * SECOND_US,
                    occurs,
                    first: East::new(one),
                    second: East::new(other),
                }
            })
            .collect()
    }

    /// The spans of constant offset between two moments.
    fn spans(&self, from: i64, to: i64) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut start = from;
        let mut east = self.seconds_at(from);
        let mut day = from;
        while day < to {
            let next = (day + DAY_S).min(to);
            let after = self.seconds_at(next);
            if after != east {
                let change = self.change(day, next, east);
                spans.push(Span {
                    start,
                    end: change,
                    east,
                });
                start = change;
                east = after;
            }
            day = next;
        }
        spans.push(Span {
            start,
            end: to,
            east,
        });
        spans
    }

    /// The first second after `old` ceased to hold, between a second when it did and one when not.
    fn change(&self, mut holds: i64, mut ceased: i64, old: i64) -> i64 {
        while ceased - holds > 1 {
            let middle = holds + (ceased - holds) / 2;
            if self.seconds_at(middle) == old {
                holds = middle;
            } else {
                ceased = middle;
            }
        }
        ceased
    }
}

/// A time with one offset, in seconds UTC.
struct Span {
    start: i64,
    end: i64,
    east: i64,
}

fn year_start(year: i32) -> i64 {
    let midnight = NaiveDate::from_ymd_opt(year, 1, 1)
        .unwrap_or_default()
        .and_hms_opt(0, 0, 0);
    midnight.unwrap_or_default().and_utc().timestamp()
}

#[cfg(test)]
mod tests;
