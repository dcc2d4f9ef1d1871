//! Builds record batches from readings, and reads columns of record batches.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryBuilder, DictionaryArray, Float64Builder, Int32Array, RecordBatch,
    StringArray, StringBuilder, StringDictionaryBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{
    Int8Type, Int16Type, Int32Type, Int64Type, SchemaRef, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};

use crate::error::{Error, Result, Status};
use crate::reading::Reading;

type Words = StringDictionaryBuilder<Int32Type>;

/// Collects the readings of one read and hands them out as record batches.
///
/// Adds the occurrence number to the keys of meters without a counter, so one builder serves one read
/// from its first reading to its last.
pub struct BatchBuilder {
    schema: SchemaRef,
    occurrences: HashMap<String, u32>,
    local_time: TimestampMicrosecondBuilder,
    kind: Words,
    value: Float64Builder,
    unit: Words,
    range: Words,
    range_limit: Float64Builder,
    meal: Words,
    reference: Words,
    notes: Words,
    markers: Words,
    raw_value: StringBuilder,
    raw_unit: Words,
    record_key: StringBuilder,
    raw: BinaryBuilder,
    annotations: Words,
}

impl BatchBuilder {
    /// A builder of batches of [`crate::schema::driver_readings`].
    pub fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            occurrences: HashMap::new(),
            local_time: TimestampMicrosecondBuilder::new(),
            kind: Words::new(),
            value: Float64Builder::new(),
            unit: Words::new(),
            range: Words::new(),
            range_limit: Float64Builder::new(),
            meal: Words::new(),
            reference: Words::new(),
            notes: Words::new(),
            markers: Words::new(),
            raw_value: StringBuilder::new(),
            raw_unit: Words::new(),
            record_key: StringBuilder::new(),
            raw: BinaryBuilder::new(),
            annotations: Words::new(),
        }
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Readings since the last batch.
    pub fn len(&self) -> usize {
        self.raw_value_len()
    }

    /// Whether there is no reading since the last batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn raw_value_len(&self) -> usize {
        arrow::array::ArrayBuilder::len(&self.raw_value)
    }

    /// Adds a reading, in the meter's order.
    pub fn push(&mut self, reading: &Reading) {
        let mut key = reading.key_base();
        if reading.needs_occurrence() {
            let count = self.occurrences.entry(key.clone()).or_insert(0);
            *count += 1;
            key = format!("{key}|{count}");
        }
        let cells = reading.measurement().cells();
        self.local_time
            .append_value(reading.local_time().and_utc().timestamp_micros());
        self.kind.append_value(cells.kind);
        self.value.append_value(cells.value);
        self.unit.append_value(cells.unit);
        self.range.append_value(cells.range);
        self.range_limit.append_option(cells.limit);
        self.meal
            .append_option(reading.meal.map(crate::reading::Meal::word));
        self.reference
            .append_option(reading.reference.map(crate::reading::Reference::word));
        self.notes.append_option(joined(&reading.notes));
        self.markers.append_option(reading.markers.as_deref());
        self.raw_value.append_value(reading.raw_value());
        self.raw_unit.append_value(reading.raw_unit());
        self.record_key.append_value(key);
        self.raw.append_option(reading.raw.as_deref());
        self.annotations.append_option(joined(&reading.annotations));
    }

    /// The readings since the last batch, as a batch.
    ///
    /// # Errors
    /// Only when the columns do not fit the schema, which would be a bug here.
    pub fn take(&mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.local_time.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.unit.finish()),
            Arc::new(self.range.finish()),
            Arc::new(self.range_limit.finish()),
            Arc::new(self.meal.finish()),
            Arc::new(self.reference.finish()),
            Arc::new(self.notes.finish()),
            Arc::new(self.markers.finish()),
            Arc::new(self.raw_value.finish()),
            Arc::new(self.raw_unit.finish()),
            Arc::new(self.record_key.finish()),
            Arc::new(self.raw.finish()),
            Arc::new(self.annotations.finish()),
        ];
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

fn joined(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join("; "))
}

/// A column of a batch, by name.
///
/// # Errors
/// When the batch lacks it.
pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| {
        Error::new(
            Status::Internal,
            format!("the readings have no column `{name}`"),
        )
    })
}

/// A column of a batch as its Arrow type.
///
/// # Errors
/// When the batch lacks it, or it is of another type.
pub fn typed<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T> {
    column(batch, name)?
        .as_any()
        .downcast_ref::<T>()
        .ok_or_else(|| {
            Error::new(
                Status::Internal,
                format!("the column `{name}` is of another type"),
            )
        })
}

/// A batch in pieces of at most so many rows, after each of which an operation can be cancelled.
pub fn slices(batch: &RecordBatch, most: usize) -> impl Iterator<Item = RecordBatch> {
    let (rows, most) = (batch.num_rows(), most.max(1));
    (0..rows)
        .step_by(most)
        .map(move |start| batch.slice(start, most.min(rows - start)))
}

/// A text column, whether it came plain or as a dictionary.
#[derive(Clone)]
pub struct Texts {
    values: StringArray,
    keys: Option<Int32Array>,
}

impl Texts {
    /// The text column of a batch.
    ///
    /// # Errors
    /// When the batch lacks it, or it is no text.
    pub fn of(batch: &RecordBatch, name: &str) -> Result<Self> {
        Self::from_array(column(batch, name)?)
            .ok_or_else(|| Error::new(Status::Internal, format!("the column `{name}` is not text")))
    }

    /// A text array of either form; `None` for any other type, or a dictionary index beyond its
    /// values.
    pub fn from_array(array: &dyn Array) -> Option<Self> {
        if let Some(values) = array.as_any().downcast_ref::<StringArray>() {
            return Some(Self {
                values: values.clone(),
                keys: None,
            });
        }
        macro_rules! dictionary {
            ($($index:ty),*) => {$(
                if let Some(array) = array.as_any().downcast_ref::<DictionaryArray<$index>>() {
                    let values = array.values().as_any().downcast_ref::<StringArray>()?.clone();
                    let keys: Option<Vec<Option<i32>>> = array
                        .keys()
                        .iter()
                        .map(|key| match key {
                            None => Some(None),
                            Some(key) => {
                                let key = i32::try_from(key).ok()?;
                                (usize::try_from(key).ok()? < values.len()).then_some(Some(key))
                            }
                        })
                        .collect();
                    return Some(Self { values, keys: Some(keys?.into()) });
                }
            )*};
        }
        if let Some(array) = array.as_any().downcast_ref::<DictionaryArray<Int32Type>>() {
            let values = array
                .values()
                .as_any()
                .downcast_ref::<StringArray>()?
                .clone();
            return Some(Self {
                values,
                keys: Some(array.keys().clone()),
            });
        }
        dictionary!(
            Int8Type, Int16Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type
        );
        None
    }

    /// The text of a row; `None` for null.
    pub fn get(&self, row: usize) -> Option<&str> {
        let index = match &self.keys {
            None => row,
            Some(keys) if keys.is_valid(row) => usize::try_from(keys.value(row)).ok()?,
            Some(_) => return None,
        };
        self.values
            .is_valid(index)
            .then(|| self.values.value(index))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.keys.as_ref().map_or(self.values.len(), Array::len)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the texts of all rows; one that rows share counts with each.
    pub fn bytes(&self) -> usize {
        match &self.keys {
            None => {
                let offsets = self.values.value_offsets();
                let ends = offsets.first().zip(offsets.last());
                ends.map_or(0, |(first, last)| last.abs_diff(*first) as usize)
            }
            Some(_) => (0..self.len())
                .filter_map(|row| self.get(row))
                .fold(0, |bytes, text| bytes.saturating_add(text.len())),
        }
    }

    /// The distinct texts and, per row, the index of its text: for work that is worth doing once per
    /// text. A plain column has one entry per row.
    pub fn parts(&self) -> (&StringArray, Option<&Int32Array>) {
        (&self.values, self.keys.as_ref())
    }

    /// The column as a dictionary with 32-bit index.
    pub fn into_words(self) -> ArrayRef {
        match self.keys {
            Some(keys) => {
                // Keys were checked against the values when the column was taken in.
                Arc::new(DictionaryArray::<Int32Type>::new(
                    keys,
                    Arc::new(self.values),
                ))
            }
            None => {
                let mut words = Words::new();
                words.extend(self.values.iter());
                Arc::new(words.finish())
            }
        }
    }

    /// The column as plain text.
    pub fn into_text(self) -> ArrayRef {
        match &self.keys {
            None => Arc::new(self.values),
            Some(_) => Arc::new(
                (0..self.len())
                    .map(|row| self.get(row))
                    .collect::<StringArray>(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Concentration, Identity, Measurement, MgPerDl, Ranged, Verbatim};
    use crate::schema;

    fn reading(value: &str) -> Reading {
        let number = MgPerDl::new(value.parse().unwrap()).unwrap();
        Reading::new(
            "2026-05-30T18:05:00".parse().unwrap(),
            Measurement::Glucose(Ranged::In(Concentration::MgPerDl(number))),
            Verbatim {
                time: "202605301805",
                value,
                unit: "mg/dL",
            },
            Identity::Observed,
        )
    }

    #[test]
    fn equal_tests_in_one_minute_get_two_keys_across_batches() {
        let mut builder = BatchBuilder::new(schema::driver_readings("{}".into()));
        builder.push(&reading("93"));
        builder.push(&reading("94"));
        let first = builder.take().unwrap();
        builder.push(&reading("93"));
        let second = builder.take().unwrap();
        assert!(builder.is_empty());
        let keys = |batch: &RecordBatch| {
            let keys = Texts::of(batch, "record_key").unwrap();
            (0..keys.len())
                .map(|row| keys.get(row).unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            keys(&first),
            [
                "glucose|202605301805|93|mg/dL||1",
                "glucose|202605301805|94|mg/dL||1"
            ]
        );
        assert_eq!(keys(&second), ["glucose|202605301805|93|mg/dL||2"]);
    }

    #[test]
    fn text_is_read_in_either_form() {
        let plain: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]));
        let words = Texts::from_array(&plain).unwrap().into_words();
        let small: ArrayRef = Arc::new(
            vec![Some("a"), None, Some("a")]
                .into_iter()
                .collect::<DictionaryArray<Int8Type>>(),
        );
        for array in [&plain, &words, &small] {
            let texts = Texts::from_array(array).unwrap();
            let all: Vec<_> = (0..texts.len()).map(|row| texts.get(row)).collect();
            assert_eq!(all, [Some("a"), None, Some("a")]);
            assert_eq!(texts.into_text().as_ref(), plain.as_ref());
        }
    }
}
