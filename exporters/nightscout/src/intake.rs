//! Which readings become finger-sticks, and what happens to the others. No I/O.

use std::collections::BTreeMap;

use glucopipe_sdk::arrow::array::{
    Array, Float64Array, Int16Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::exporter::Refused;
use glucopipe_sdk::{Error, Result, Status};

use crate::config::OutOfRange;
use crate::document::{Beyond, Glucose, Stick, clean};

/// 2000-01-01T00:00:00Z: API 3 takes an earlier instant for seconds, and a meter whose clock was never set
/// begins about there.
const EARLIEST_MS: i64 = 946_684_800_000;
/// How far ahead of this computer a meter may be.
const AHEAD_MS: i64 = 15 * 60 * 1000;

/// Why readings wait for a later run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Held {
    /// Without an instant.
    Unresolved,
    /// Ahead of this computer's clock.
    Future,
}

impl Held {
    /// The reason, in words for the user.
    pub(crate) fn words(self, count: usize) -> String {
        let readings = if count == 1 {
            "1 reading".to_owned()
        } else {
            format!("{count} readings")
        };
        match self {
            Self::Unresolved => format!(
                "{readings} without a time in UTC held back: put a `clock` transform before this sink"
            ),
            Self::Future => format!(
                "{readings} dated in the future held back until then: the meter's clock is ahead"
            ),
        }
    }
}

/// Readings on their way to a site.
#[derive(Debug)]
pub(crate) struct Intake {
    out_of_range: OutOfRange,
    now_ms: i64,
    pub(crate) sticks: Vec<Stick>,
    /// Readings without a place at a site, by reason.
    pub(crate) left_out: BTreeMap<String, u64>,
    pub(crate) refused: Vec<Refused>,
    /// `reading_id`s that wait for a later run.
    pub(crate) held: Vec<(Held, String)>,
    /// How far the clock of a meter was off at most, milliseconds: how far a correction moves a reading.
    pub(crate) clock_off_ms: i64,
    /// Whose glucose was seen: nobody's is somebody else's.
    person: Option<Option<String>>,
    several_persons: bool,
}

impl Intake {
    pub(crate) fn new(out_of_range: OutOfRange, now_ms: i64) -> Self {
        Self {
            out_of_range,
            now_ms,
            sticks: Vec::new(),
            left_out: BTreeMap::new(),
            refused: Vec::new(),
            held: Vec::new(),
            clock_off_ms: 0,
            person: None,
            several_persons: false,
        }
    }

    /// Refuses readings of several persons: a site is one person's.
    ///
    /// # Errors
    /// When there are some.
    pub(crate) fn expect_one_person(&self) -> Result<()> {
        if !self.several_persons {
            return Ok(());
        }
        let message = "these are readings of several persons, and a Nightscout site is one person's: put a `filter` transform with `persons = [\"NAME\"]` before this sink, or permit it with `allow_several_persons = true`";
        Err(Error::new(Status::Precondition, message))
    }

    /// Takes the readings of a batch.
    ///
    /// # Errors
    /// When the batch lacks a column or has it in another type.
    pub(crate) fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = Columns::of(batch)?;
        for row in 0..batch.num_rows() {
            self.take_row(&columns, row);
        }
        Ok(())
    }

    fn take_row(&mut self, columns: &Columns<'_>, row: usize) {
        let reading_id = columns.ids.get(row).unwrap_or_default().to_owned();
        let kind = columns.kinds.get(row).unwrap_or_default();
        if kind != "glucose" {
            return self.leave_out(kind);
        }
        self.see_person(columns.persons.get(row));
        let beyond = match columns.ranges.get(row) {
            Some("below") => Some(Beyond::Below),
            Some("above") => Some(Beyond::Above),
            _ => None,
        };
        if beyond.is_some() && self.out_of_range == OutOfRange::Skip {
            return self.leave_out("out of range");
        }
        if beyond.is_some() && columns.is_converted_to_mmol(row) {
            return self.leave_out("out of range, with a limit that `units` has rounded in mmol/L");
        }
        let Some(glucose) = columns.glucose(row, beyond.is_some()) else {
            return self.refuse(
                reading_id,
                "no value in mg/dL or mmol/L that a site can show",
            );
        };
        if columns.times.is_null(row) {
            return self.held.push((Held::Unresolved, reading_id));
        }
        let time_ms = columns.times.value(row).div_euclid(1000);
        if time_ms <= EARLIEST_MS {
            return self.refuse(
                reading_id,
                "dated before 2000: the meter's clock was not set",
            );
        }
        if time_ms > self.now_ms.saturating_add(AHEAD_MS) {
            return self.held.push((Held::Future, reading_id));
        }
        if columns.clock_offsets.is_valid(row) {
            let off = columns.clock_offsets.value(row).saturating_abs();
            self.clock_off_ms = self.clock_off_ms.max(off.saturating_mul(1000));
        }
        let text = |texts: &Texts| clean(texts.get(row).unwrap_or_default());
        let meal = match columns.meals.get(row) {
            Some("before") => "before meal",
            Some("after") => "after meal",
            Some("fasting") => "fasting",
            _ => "",
        };
        self.sticks.push(Stick {
            reading_id,
            second_ms: time_ms - time_ms.rem_euclid(1000),
            offset_min: if columns.offsets.is_valid(row) {
                columns.offsets.value(row)
            } else {
                0
            },
            glucose,
            beyond,
            device: clean(&format!(
                "{} {}",
                text(&columns.models),
                text(&columns.serials)
            )),
            notes: joined(meal, &text(&columns.notes)),
            raw_value: text(&columns.raw_values),
            raw_unit: text(&columns.raw_units),
        });
    }

    fn see_person(&mut self, person: Option<&str>) {
        match &self.person {
            Some(first) => self.several_persons |= first.as_deref() != person,
            None => self.person = Some(person.map(str::to_owned)),
        }
    }

    fn leave_out(&mut self, reason: &str) {
        *self.left_out.entry(reason.to_owned()).or_insert(0) += 1;
    }

    fn refuse(&mut self, reading_id: String, reason: &str) {
        self.refused.push(Refused {
            reading_id,
            reason: reason.to_owned(),
        });
    }

    /// How many readings have no place at a site, and why.
    pub(crate) fn left_out_words(&self) -> Option<String> {
        let reasons: Vec<String> = self
            .left_out
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        (!reasons.is_empty()).then(|| {
            format!(
                "readings without a place in Nightscout: {}",
                reasons.join(", ")
            )
        })
    }

    /// Why readings are held back for these reasons, in one line.
    pub(crate) fn held_words(&self, reasons: impl Fn(Held) -> bool) -> Option<String> {
        let mut counts = BTreeMap::new();
        for (held, _) in self.held.iter().filter(|(held, _)| reasons(*held)) {
            *counts.entry(*held).or_insert(0) += 1;
        }
        let words: Vec<String> = counts
            .iter()
            .map(|(held, count)| held.words(*count))
            .collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

fn joined(meal: &str, notes: &str) -> String {
    // Drivers may say the meal in the notes as well.
    match (meal, notes) {
        ("", notes) => notes.to_owned(),
        (meal, "") => meal.to_owned(),
        (meal, notes) if notes.contains(meal) => notes.to_owned(),
        (meal, notes) => format!("{meal} / {notes}"),
    }
}

struct Columns<'a> {
    ids: Texts,
    kinds: Texts,
    values: &'a Float64Array,
    units: Texts,
    ranges: Texts,
    raw_values: Texts,
    raw_units: Texts,
    times: &'a TimestampMicrosecondArray,
    offsets: &'a Int16Array,
    clock_offsets: &'a Int64Array,
    meals: Texts,
    notes: Texts,
    models: Texts,
    serials: Texts,
    persons: Texts,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self> {
        let texts = |name| Texts::of(batch, name);
        Ok(Self {
            ids: texts("reading_id")?,
            kinds: texts("kind")?,
            values: typed(batch, "value")?,
            units: texts("unit")?,
            ranges: texts("range")?,
            raw_values: texts("raw_value")?,
            raw_units: texts("raw_unit")?,
            times: typed(batch, "time")?,
            offsets: typed(batch, "utc_offset_min")?,
            clock_offsets: typed(batch, "clock_offset_s")?,
            meals: texts("meal")?,
            notes: texts("notes")?,
            models: texts("device_model")?,
            serials: texts("device_serial")?,
            persons: texts("person")?,
        })
    }

    /// Whether mg/dL became mmol/L, so that going back would round a second time.
    fn is_converted_to_mmol(&self, row: usize) -> bool {
        (self.units.get(row), self.raw_units.get(row)) == (Some("mmol/L"), Some("mg/dL"))
    }

    /// What was measured. A number that went through a conversion is not converted back: the meter's own
    /// is taken then.
    fn glucose(&self, row: usize, is_limit: bool) -> Option<Glucose> {
        let value = self.values.value(row);
        let unit = self.units.get(row)?;
        let raw_unit = self
            .raw_units
            .get(row)
            .filter(|raw| !is_limit && *raw != unit);
        let raw = raw_unit.and_then(|_| self.raw_values.get(row)?.trim().parse().ok());
        match (unit, raw_unit, raw) {
            ("mmol/L", Some("mg/dL"), Some(raw)) => Glucose::from_mg_per_dl(raw),
            ("mg/dL", Some("mmol/L"), Some(raw)) => Glucose::from_both(value, raw),
            ("mg/dL", ..) => Glucose::from_mg_per_dl(value),
            ("mmol/L", ..) => Glucose::from_mmol_per_l(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
