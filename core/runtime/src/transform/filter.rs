//! `filter`: passes on the readings that fit and counts the others.

use arrow::array::{Array, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::moment::Moment;
use super::{Outcome, ReadContext, Rejected, Transform, invalid, parse, typed, words};
use crate::config::Person;
use crate::device::normalise_serial;
use crate::problem::{Code, Place, Problem};
use crate::suggest::{did_you_mean, nearest};

/// Keys of a `filter` transform; a reading passes if it fits all that are given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Kinds of readings that pass: `glucose`, `ketone`, `control`, `insulin`, `carbs`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    kinds: Option<Vec<Kind>>,
    /// First moment that passes: a date or a local time as the meter shows it, a time with `Z` or offset, or a span before the run such as `30d`.
    #[serde(default)]
    since: Option<String>,
    /// First moment that no longer passes, written like `since`.
    #[serde(default)]
    until: Option<String>,
    /// Which readings pass by the meter's measuring range: `in`, `below` (LO), `above` (HI).
    #[serde(default)]
    #[schemars(length(min = 1))]
    range: Option<Vec<Range>>,
    /// Serials of the meters whose readings pass; blanks and case do not matter.
    #[serde(default)]
    #[schemars(length(min = 1))]
    devices: Option<Vec<String>>,
    /// Persons whose readings pass, by their names in `[persons.NAME]`; needs a `person` transform before it.
    #[serde(default)]
    #[schemars(length(min = 1))]
    persons: Option<Vec<String>>,
}

macro_rules! word_enum {
    ($name:ident { $($variant:ident = $word:literal),* }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
        #[schemars(inline)]
        enum $name { $(#[serde(rename = $word)] $variant),* }

        impl $name {
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
}
word_enum!(Kind {
    Glucose = "glucose",
    Ketone = "ketone",
    Control = "control",
    Insulin = "insulin",
    Carbs = "carbs"
});
word_enum!(Range { In = "in", Below = "below", Above = "above" });

/// Makes the transform.
pub(super) fn open(options: &Value, persons: &[Person]) -> Result<Box<dyn Transform>, Rejected> {
    let config: Config = parse(options)?;
    let mut tests = Vec::new();
    if let Some(kinds) = config.kinds {
        let words = kinds.iter().map(|kind| kind.word().to_owned()).collect();
        tests.push(one_of("kinds", "kind", words)?);
    }
    if let Some(ranges) = config.range {
        let words = ranges.iter().map(|range| range.word().to_owned()).collect();
        tests.push(one_of("range", "range", words)?);
    }
    if let Some(devices) = config.devices {
        let serials: Vec<String> = devices
            .iter()
            .map(|serial| normalise_serial(serial))
            .collect();
        if let Some(empty) = serials.iter().position(String::is_empty) {
            let key = format!("devices.{empty}");
            return Err(Rejected::new(
                key,
                Code::DATA_FILTER,
                "expected a serial, got empty text",
            ));
        }
        tests.push(one_of("devices", "device_serial", serials)?);
    }
    if let Some(names) = config.persons {
        let unknown = |name: &String| persons.iter().all(|person| person.name != *name);
        if let Some(index) = names.iter().position(unknown) {
            let message = format!("expected a name of [persons], got `{}`", names[index]);
            let known = persons.iter().map(|person| person.name.as_str());
            let rejected = Rejected::new(format!("persons.{index}"), Code::DATA_FILTER, message);
            return Err(match nearest(&names[index], known) {
                Some(near) => rejected.hint(did_you_mean(near)),
                None => rejected.hint("add a table `[persons.NAME]` with its `serials`"),
            });
        }
        tests.push(one_of("persons", "person", names)?);
    }
    let since = moment("since", config.since.as_deref())?;
    let until = moment("until", config.until.as_deref())?;
    let empty = match (since, until) {
        (Some(Moment::Local(since)), Some(Moment::Local(until)))
        | (Some(Moment::Instant(since)), Some(Moment::Instant(until)))
        | (Some(Moment::BeforeRun(until)), Some(Moment::BeforeRun(since))) => since >= until,
        _ => false,
    };
    if empty {
        let message = "expected a moment after `since`, got one that lets nothing pass";
        let hint = "`since` is the first moment that passes, `until` the first that no longer does";
        return Err(Rejected::new("until", Code::DATA_FILTER, message).hint(hint));
    }
    Ok(Box::new(Filter {
        tests,
        since,
        until,
    }))
}

fn one_of(key: &str, column: &'static str, words: Vec<String>) -> Result<OneOf, Rejected> {
    if words.is_empty() {
        let rejected = Rejected::new(
            key,
            Code::DATA_FILTER,
            "expected at least one item, got none",
        );
        return Err(rejected.hint(format!("leave `{key}` out to pass all")));
    }
    Ok(OneOf { column, words })
}

fn moment(key: &str, text: Option<&str>) -> Result<Option<Moment>, Rejected> {
    let Some(text) = text else { return Ok(None) };
    let refuse = || {
        let shown: String = text.chars().take(60).collect();
        Rejected::new(key, Code::DATA_FILTER, format!("expected a date, a time or a span, got `{shown}`"))
            .hint("write `2026-01-01`, `2026-01-01T06:00:00` (as the meter shows it), `2026-01-01T06:00:00Z` or `30d` (before the run)")
    };
    Moment::parse(text).map(Some).ok_or_else(refuse)
}

/// A column whose word must be one of some.
struct OneOf {
    column: &'static str,
    words: Vec<String>,
}

struct Filter {
    tests: Vec<OneOf>,
    since: Option<Moment>,
    until: Option<Moment>,
}

impl Transform for Filter {
    fn lasting(&self) -> bool {
        // The end of a span goes with the time, or with a clock that is wrong.
        let goes = |bound: Option<Moment>| matches!(bound, Some(Moment::BeforeRun(_)));
        !goes(self.since) && !goes(self.until)
    }

    fn apply(&mut self, batch: RecordBatch, context: &ReadContext) -> Result<Outcome, Problem> {
        let rows = batch.num_rows();
        let mut pass = BooleanBuffer::new_set(rows);
        for test in &self.tests {
            let column = words(&batch, test.column)?;
            let serials = test.column == "device_serial";
            let fits = column.map(false, |word| {
                let word = if serials {
                    normalise_serial(word)
                } else {
                    word.to_owned()
                };
                test.words.contains(&word)
            });
            let keys = column.keys();
            pass = &pass & &BooleanBuffer::collect_bool(rows, |row| fits.of(keys[row]));
            if let Some(nulls) = column.array.nulls() {
                pass = &pass & nulls.inner();
            }
        }
        // Rows whose moment is not known are counted only if nothing else leaves them out.
        let mut unknown = BooleanBuffer::new_unset(rows);
        for (bound, is_since) in [(self.since, true), (self.until, false)] {
            let Some(bound) = bound else { continue };
            let moments = Moments::of(&batch, bound, context)?;
            pass = &pass & &moments.compare(rows, is_since);
            if let Some(nulls) = moments.column.nulls() {
                unknown = &unknown | &!nulls.inner();
            }
        }
        let passed = pass.count_set_bits();
        let dropped = rows - passed;
        let unknown = unknown.count_set_bits();
        let warnings = if unknown > 0 {
            vec![unresolved(unknown, rows, context)]
        } else {
            Vec::new()
        };
        let batch = if dropped == 0 {
            batch
        } else {
            let mask = BooleanArray::new(pass, None);
            filter_record_batch(&batch, &mask).map_err(|error| invalid(&error.to_string()))?
        };
        let notes = vec![format!("filter: {passed} of {rows} readings pass")];
        Ok(Outcome {
            warnings,
            notes,
            dropped: dropped as u64,
            ..Outcome::of(batch)
        })
    }
}

fn unresolved(unknown: usize, rows: usize, context: &ReadContext) -> Problem {
    let title =
        format!("{unknown} of {rows} readings were left out because their UTC time is not known");
    Problem::warning(Code::DATA_FILTER, title)
        .at(Place::Named(format!("sources.{}", context.source)))
        .cause("`since` or `until` names a moment in UTC, or a span before the run, and compares `time`")
        .kept("they are in the journal")
        .hint("put a `clock` transform before the filter, or write a local time without `Z` and offset")
}

/// What a bound is compared with, row by row.
struct Moments<'a> {
    column: &'a TimestampMicrosecondArray,
    /// For spans: the moment that each is before.
    read_at: Option<&'a TimestampMicrosecondArray>,
    bound: i64,
}

impl<'a> Moments<'a> {
    fn of(batch: &'a RecordBatch, bound: Moment, context: &ReadContext) -> Result<Self, Problem> {
        Ok(match bound {
            Moment::Local(bound) => Self {
                column: typed(batch, "local_time")?,
                read_at: None,
                bound,
            },
            Moment::Instant(bound) => Self {
                column: typed(batch, "time")?,
                read_at: None,
                bound,
            },
            Moment::BeforeRun(span) if let Some(now) = context.run_at_us => Self {
                column: typed(batch, "time")?,
                read_at: None,
                bound: now.saturating_sub(span),
            },
            Moment::BeforeRun(span) => Self {
                column: typed(batch, "time")?,
                read_at: Some(typed(batch, "read_at")?),
                bound: span,
            },
        })
    }

    /// Which rows are at the bound or after it, or else before it; unknown moments are neither.
    fn compare(&self, rows: usize, since: bool) -> BooleanBuffer {
        let values = self.column.values();
        let fits = BooleanBuffer::collect_bool(rows, |row| {
            let bound = match self.read_at {
                None => self.bound,
                Some(read_at) => read_at.value(row).saturating_sub(self.bound),
            };
            (values[row] >= bound) == since
        });
        match self.column.nulls() {
            None => fits,
            Some(nulls) => &fits & nulls.inner(),
        }
    }
}

#[cfg(test)]
mod tests;
