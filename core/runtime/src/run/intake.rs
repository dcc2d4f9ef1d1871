//! Takes a driver's batches in: checks every row, adds what the host knows, and builds `reading/1`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Int32Type, SchemaRef};
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::driver::{DeviceInfo, SetAside};
use glucopipe_sdk::schema::{self, ANNOTATIONS, COLUMNS, Column, Filler, Kind};

use super::identity::reading_id;
use crate::host::{Weight, tidied};

/// Most records one read may give: far beyond any meter, and still little memory.
pub const RECORD_LIMIT: usize = 1_000_000;

/// Earliest and latest local time a row may have: the years 1900 to 2200.
const LOCAL_TIME_US: std::ops::Range<i64> = -2_208_988_800_000_000..7_258_118_400_000_000;
/// Largest glucose value in each unit; beyond it is no measurement.
const PLAUSIBLE: [(&str, f64); 2] = [("mg/dL", 2000.0), ("mmol/L", 111.0)];

/// What the host adds to every row of a read.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Id of the driver: the family in a reading's identity.
    pub family: String,
    /// `contour/0.1.0`.
    pub driver: String,
    /// The meter.
    pub device: DeviceInfo,
    /// Microseconds UTC of the read.
    pub read_at_us: i64,
    /// Meter clock minus this computer's, seconds.
    pub clock_offset_s: Option<i64>,
}

/// Collects a read.
#[derive(Debug)]
pub struct Intake {
    origin: Origin,
    batches: Vec<RecordBatch>,
    rows: u64,
    weight: Weight,
    keys: HashSet<String>,
    set_aside: Vec<SetAside>,
    annotations: BTreeMap<String, u64>,
}

/// A whole read, taken in.
#[derive(Debug)]
pub struct Taken {
    /// All good rows in the meter's order, in the schema of [`schema::readings`].
    pub readings: RecordBatch,
    /// Rows that broke a rule.
    pub set_aside: Vec<SetAside>,
    /// The driver's annotations with how often each came.
    pub annotations: BTreeMap<String, u64>,
}

/// Checks the schema of a driver's stream.
///
/// # Errors
/// What is missing or of the wrong type.
pub fn check_schema(schema: &SchemaRef) -> Result<DeviceInfo, String> {
    let metadata = |key: &str| schema.metadata().get(key).map(String::as_str);
    match metadata(schema::SCHEMA_KEY) {
        Some(schema::VERSION) => {}
        found => {
            let found = found.unwrap_or("nothing");
            return Err(format!(
                "`glucopipe.schema` is {found}, expected {}",
                schema::VERSION
            ));
        }
    }
    let columns = COLUMNS
        .iter()
        .filter(|column| column.filler == Filler::Driver);
    for column in columns.clone().chain([&ANNOTATIONS]) {
        match schema.column_with_name(column.name) {
            Some((_, field)) if column.kind.accepts(field.data_type()) => {}
            Some((_, field)) => {
                return Err(format!(
                    "column `{}` is {}, expected {}",
                    column.name,
                    field.data_type(),
                    column.kind.data_type()
                ));
            }
            None if column.name == ANNOTATIONS.name => {}
            None => return Err(format!("column `{}` is missing", column.name)),
        }
    }
    let mut names = HashSet::new();
    for field in schema.fields() {
        let name = field.name();
        if !names.insert(name) {
            return Err(format!("column `{name}` comes twice"));
        }
        if columns
            .clone()
            .chain([&ANNOTATIONS])
            .all(|column| column.name != name)
        {
            return Err(format!("column `{name}` is not the driver's to fill"));
        }
    }
    let value = schema
        .field_with_name("value")
        .map_err(|error| error.to_string())?;
    if value.metadata().get(schema::UNIT_KEY).map(String::as_str) != Some(schema::UNIT_IN_COLUMN) {
        return Err("the field `value` lacks the metadata `glucopipe.unit = column:unit`".into());
    }
    let device = metadata(schema::DEVICE_KEY).ok_or("`glucopipe.device` is missing")?;
    let device: DeviceInfo = serde_json::from_str(device)
        .map_err(|_| "`glucopipe.device` is not a description of a meter")?;
    let device = tidied(device)?;
    if device.serial.trim().is_empty() || device.model.trim().is_empty() {
        return Err("`glucopipe.device` has no serial or no model".into());
    }
    Ok(device)
}

impl Intake {
    /// Begins a read.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            batches: Vec::new(),
            rows: 0,
            weight: Weight::default(),
            keys: HashSet::new(),
            set_aside: Vec::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// Records so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes one batch of the driver in.
    ///
    /// # Errors
    /// When the batch as a whole breaks the contract; a single bad row is set aside instead.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let too_many = || format!("it gives more than {RECORD_LIMIT} records");
        let before = self.rows;
        self.rows = before
            .checked_add(batch.num_rows() as u64)
            .ok_or_else(too_many)?;
        if usize::try_from(self.rows).map_or(true, |rows| rows > RECORD_LIMIT) {
            return Err(too_many());
        }
        self.weight.add(batch)?;
        let rows = Rows::of(batch)?;
        let mut keep = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let verdict = rows.check(row).and_then(|()| {
                if rows.is_converted(row) {
                    return Err("its unit is not the one that was sent".into());
                }
                let key = rows.record_key.get(row).unwrap_or_default();
                if self.keys.insert(key.to_owned()) {
                    Ok(())
                } else {
                    Err("its record key came before in this read".into())
                }
            });
            if let Err(reason) = &verdict {
                let raw = rows.raw.as_ref().filter(|raw| raw.is_valid(row));
                let raw = raw.map_or(&[][..], |raw| raw.value(row));
                self.set_aside
                    .push(SetAside::new(before + row as u64 + 1, reason, raw));
            }
            if let Some(words) = rows.annotations.as_ref().and_then(|texts| texts.get(row)) {
                for word in words.split("; ") {
                    *self.annotations.entry(word.to_owned()).or_default() += 1;
                }
            }
            keep.push(verdict.is_ok());
        }
        let mut built = self.build(batch, &rows)?;
        if keep.contains(&false) {
            built = filter_record_batch(&built, &BooleanArray::from(keep))
                .map_err(|error| error.to_string())?;
        }
        if built.num_rows() > 0 {
            self.batches.push(built);
        }
        Ok(())
    }

    /// Ends the read.
    ///
    /// # Errors
    /// Only on a bug here.
    pub fn finish(self) -> Result<Taken, String> {
        let readings = match self.batches.as_slice() {
            [one] => one.clone(),
            all => concat_batches(&schema::readings(), all).map_err(|error| error.to_string())?,
        };
        Ok(Taken {
            readings,
            set_aside: self.set_aside,
            annotations: self.annotations,
        })
    }

    fn build(&self, batch: &RecordBatch, rows: &Rows<'_>) -> Result<RecordBatch, String> {
        let ids = self.ids(rows, batch.num_rows());
        let columns: Result<Vec<ArrayRef>, String> = COLUMNS
            .iter()
            .map(|column| match column.filler {
                Filler::Driver => driver_column(batch, column),
                Filler::Host => Ok(host_column(column, &self.origin, &ids)),
            })
            .collect();
        RecordBatch::try_new(schema::readings(), columns?).map_err(|error| error.to_string())
    }

    fn ids(&self, rows: &Rows<'_>, count: usize) -> ArrayRef {
        let mut ids = StringBuilder::with_capacity(count, count * 36);
        let mut buffer = uuid::Uuid::encode_buffer();
        for row in 0..count {
            let key = rows.record_key.get(row).unwrap_or_default();
            let id = reading_id(&self.origin.family, &self.origin.device.serial, key);
            ids.append_value(id.hyphenated().encode_lower(&mut buffer));
        }
        Arc::new(ids.finish())
    }
}

/// A column that the host fills, for a read with these reading ids.
pub(crate) fn host_column(column: &Column, origin: &Origin, ids: &ArrayRef) -> ArrayRef {
    let count = ids.len();
    match column.name {
        "reading_id" => ids.clone(),
        "time_quality" => one_word("unresolved", count),
        "device_model" => one_word(&origin.device.model, count),
        "device_serial" => one_word(&origin.device.serial, count),
        "device_firmware" => one_word(origin.device.firmware.as_deref().unwrap_or_default(), count),
        "driver" => one_word(&origin.driver, count),
        "clock_offset_s" => Arc::new(Int64Array::from(vec![origin.clock_offset_s; count])),
        "read_at" => Arc::new(
            TimestampMicrosecondArray::from(vec![origin.read_at_us; count]).with_timezone("UTC"),
        ),
        _ => new_null_array(&column.kind.data_type(), count),
    }
}

/// A dictionary column that says one word in every row.
fn one_word(word: &str, count: usize) -> ArrayRef {
    let values = Arc::new(StringArray::from(vec![word]));
    Arc::new(DictionaryArray::<Int32Type>::new(
        Int32Array::from(vec![0; count]),
        values,
    ))
}

/// A driver's column in the form of `reading/1`.
fn driver_column(batch: &RecordBatch, column: &Column) -> Result<ArrayRef, String> {
    let array = batch
        .column_by_name(column.name)
        .ok_or_else(|| format!("column `{}` is missing", column.name))?;
    no_nulls(array, column)?;
    let texts =
        || Texts::from_array(array).ok_or_else(|| format!("column `{}` is not text", column.name));
    Ok(match column.kind {
        Kind::Words => texts()?.into_words(),
        Kind::Text => texts()?.into_text(),
        _ => array.clone(),
    })
}

/// Checks that a column has nulls only where it may; a dictionary can hide one among its words.
pub(super) fn no_nulls(array: &ArrayRef, column: &Column) -> Result<(), String> {
    if !column.nullable && array.logical_null_count() > 0 {
        return Err(format!("column `{}` has nulls", column.name));
    }
    Ok(())
}

/// Checks every row of a batch of `reading/1` by the rules that a driver's rows obey.
pub(super) fn check_rows(batch: &RecordBatch) -> Result<(), String> {
    let rows = Rows::of(batch)?;
    (0..batch.num_rows()).try_for_each(|row| rows.check(row))
}

/// The columns that are looked into.
struct Rows<'a> {
    local_time: &'a TimestampMicrosecondArray,
    value: &'a Float64Array,
    range_limit: &'a Float64Array,
    words: Vec<(&'static Column, Texts)>,
    kind: Texts,
    unit: Texts,
    raw_unit: Texts,
    range: Texts,
    record_key: Texts,
    raw: Option<BinaryArray>,
    annotations: Option<Texts>,
}

impl<'a> Rows<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, String> {
        let texts = |name: &str| {
            let array = batch.column_by_name(name);
            let array = array.ok_or_else(|| format!("column `{name}` is missing"))?;
            Texts::from_array(array).ok_or_else(|| format!("column `{name}` is not text"))
        };
        let closed = COLUMNS
            .iter()
            .filter(|column| column.filler == Filler::Driver && !column.words.is_empty())
            .map(|column| Ok((column, texts(column.name)?)))
            .collect::<Result<Vec<_>, String>>()?;
        Ok(Self {
            local_time: typed(batch, "local_time")?,
            value: typed(batch, "value")?,
            range_limit: typed(batch, "range_limit")?,
            words: closed,
            kind: texts("kind")?,
            unit: texts("unit")?,
            raw_unit: texts("raw_unit")?,
            range: texts("range")?,
            record_key: texts("record_key")?,
            raw: batch
                .column_by_name("raw")
                .and_then(|raw| raw.as_any().downcast_ref::<BinaryArray>())
                .cloned(),
            annotations: batch
                .column_by_name(ANNOTATIONS.name)
                .and_then(|array| Texts::from_array(array)),
        })
    }

    /// Whether a value of the one unit came with the other one: drivers convert nothing.
    fn is_converted(&self, row: usize) -> bool {
        let units = [&self.unit, &self.raw_unit].map(|texts| texts.get(row).unwrap_or_default());
        matches!(units, ["mg/dL", "mmol/L"] | ["mmol/L", "mg/dL"])
    }

    /// What is wrong with a row; the reason holds no reading.
    fn check(&self, row: usize) -> Result<(), String> {
        for (column, texts) in &self.words {
            match texts.get(row) {
                Some(word) if !column.words.contains(&word) => {
                    return Err(format!(
                        "its `{}` is not one of the words of reading/1",
                        column.name
                    ));
                }
                None if !column.nullable => return Err(format!("its `{}` is null", column.name)),
                _ => {}
            }
        }
        let (kind, unit) = (
            self.kind.get(row).unwrap_or(""),
            self.unit.get(row).unwrap_or(""),
        );
        let fits = match kind {
            "glucose" | "control" => matches!(unit, "mg/dL" | "mmol/L"),
            "ketone" => unit == "mmol/L",
            "insulin" => unit == "[iU]",
            _ => matches!(unit, "g" | "{points}" | "{choices}" | "{unknown}"),
        };
        if !fits {
            return Err(format!("its unit is not one of {kind}"));
        }
        let value = self.value.value(row);
        let most = PLAUSIBLE
            .iter()
            .find(|(name, _)| *name == unit)
            .map_or(f64::MAX, |limit| limit.1);
        if !(0.0..=most).contains(&value) {
            return Err("implausible: its value is not finite, negative or far too large".into());
        }
        if !LOCAL_TIME_US.contains(&self.local_time.value(row)) {
            return Err("implausible: its local time is outside the years 1900 to 2200".into());
        }
        let limit = self
            .range_limit
            .is_valid(row)
            .then(|| self.range_limit.value(row));
        let expected = (self.range.get(row) != Some("in")).then_some(value);
        if limit != expected {
            return Err("its `range`, `range_limit` and `value` contradict each other".into());
        }
        if self.record_key.get(row).is_none_or(str::is_empty) {
            return Err("its record key is empty".into());
        }
        Ok(())
    }
}

fn typed<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T, String> {
    batch
        .column_by_name(name)
        .and_then(|array| array.as_any().downcast_ref::<T>())
        .ok_or_else(|| format!("column `{name}` is missing or of another type"))
}
