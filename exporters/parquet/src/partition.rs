//! Partitions: which folder of a data set a reading belongs into, named as Hive names it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use glucopipe_sdk::arrow::array::{Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use glucopipe_sdk::arrow::compute::take_record_batch;
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::chrono::{DateTime, Datelike, NaiveDate};
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::{Deserialize, Serialize};
use glucopipe_sdk::{Error, Result, Status};

/// What a data set can be partitioned by; `year` and `month` are those of `local_time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "snake_case")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub enum Key {
    #[allow(missing_docs)] // the name says it, and words here would become a table in the schema
    Person,
    #[allow(missing_docs)]
    Year,
    #[allow(missing_docs)]
    Month,
    #[allow(missing_docs)]
    DeviceSerial,
    #[allow(missing_docs)]
    Kind,
}

/// All keys.
const KEYS: [Key; 5] = [
    Key::Person,
    Key::Year,
    Key::Month,
    Key::DeviceSerial,
    Key::Kind,
];

/// The folder of readings without a value; readers take it for null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// Longest name of a folder that all file systems take, in bytes.
const LONGEST: usize = 255;
/// A value of [`Partition::of_types`] that no reader takes for a number or a date.
const TEXT: &str = "text";

impl Key {
    /// The name of the column that readers get.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Year => "year",
            Self::Month => "month",
            Self::DeviceSerial => "device_serial",
            Self::Kind => "kind",
        }
    }

    /// Whether values are text of any kind: readers guess the type of a partition from its values.
    pub(crate) fn is_free_text(self) -> bool {
        matches!(self, Self::Person | Self::DeviceSerial)
    }

    /// The keys of a list as people read it.
    pub(crate) fn list(keys: &[Self]) -> String {
        let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name())).collect();
        names.join(", ")
    }
}

/// One folder of a data set: the names on the way to it, as `year=2024`; none for the set itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition(pub(crate) Vec<String>);

impl Partition {
    /// The folder.
    pub(crate) fn folder(&self, root: &Path) -> PathBuf {
        root.join(self.0.iter().collect::<PathBuf>())
    }

    /// The keys it has a value for.
    ///
    /// # Errors
    /// The first name that is not of ours.
    pub(crate) fn keys(&self) -> std::result::Result<Vec<Key>, &str> {
        let key = |name: &String| {
            let (key, _) = name.split_once('=')?;
            KEYS.into_iter().find(|known| known.name() == key)
        };
        let named = |name| key(name).ok_or(name.as_str());
        self.0.iter().map(named).collect()
    }

    /// A partition beside this one whose texts cannot be taken for anything but text; `None` where none is
    /// needed.
    ///
    /// Readers guess the type of a partition column from the names of all folders: without it serials of
    /// digits would become numbers, and a person who is never set has no type at all.
    pub(crate) fn of_types(&self) -> Option<Self> {
        let keys = self.keys().ok()?;
        let names = keys.iter().zip(&self.0).map(|(key, name)| {
            let free = key.is_free_text();
            if free {
                segment(*key, Some(TEXT)).ok()
            } else {
                Some(name.clone())
            }
        });
        let needed = keys.iter().any(|key| key.is_free_text());
        needed.then(|| names.collect::<Option<_>>().map(Self))?
    }
}

/// The folder name of a value. Hive has no folder for an empty text, and takes it for null.
///
/// # Errors
/// When there can be no folder for it: some readers take a text that is written as null is for null even when it is
/// escaped, and names of folders have a limit.
pub(crate) fn segment(key: Key, value: Option<&str>) -> Result<String> {
    let refused = |what: String| {
        let message = format!("a `{}` cannot be the name of a folder: {what}", key.name());
        Err(Error::config("partition_by", message))
    };
    let mut name = format!("{}=", key.name());
    match value.filter(|value| !value.is_empty()) {
        None => name.push_str(NULL),
        Some(NULL) => return refused(format!("readers take `{NULL}` for none")),
        Some(value) => value.chars().for_each(|letter| escape(letter, &mut name)),
    }
    if name.len() > LONGEST {
        let bytes = name.len();
        return refused(format!(
            "it would have {bytes} bytes, expected at most {LONGEST}"
        ));
    }
    Ok(name)
}

/// Percent-encodes what Hive encodes, and what Windows has no names for. Letters beyond ASCII stay: some
/// readers decode byte by byte.
fn escape(letter: char, name: &mut String) {
    match letter {
        '\0'..='\x1f'
        | '\x7f'
        | '"'
        | '#'
        | '%'
        | '\''
        | '*'
        | '/'
        | ':'
        | '<'
        | '='
        | '>'
        | '?'
        | '['
        | '\\'
        | ']'
        | '^'
        | '{'
        | '|'
        | '}' => {
            name.push_str(&format!("%{:02X}", u32::from(letter)));
        }
        _ => name.push(letter),
    }
}

/// The year and month of local times, which come in order mostly: one month is looked up once.
#[derive(Debug, Default)]
struct Calendar {
    /// The last month found: from, until, in microseconds.
    span: (i64, i64),
    month: (i32, u32),
}

impl Calendar {
    /// The year and month of a local time in microseconds.
    ///
    /// # Errors
    /// When it is beyond every calendar.
    fn month(&mut self, micros: i64) -> Result<(i32, u32)> {
        if !(self.span.0..self.span.1).contains(&micros) {
            let beyond = || Error::new(Status::Internal, "a `local_time` is out of range");
            let date = DateTime::from_timestamp_micros(micros).ok_or_else(beyond)?;
            let (year, month) = (date.year(), date.month());
            let next = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
            let begin = |(year, month)| {
                let first = NaiveDate::from_ymd_opt(year, month, 1)?.and_hms_opt(0, 0, 0)?;
                Some(first.and_utc().timestamp_micros())
            };
            self.span = begin((year, month)).zip(begin(next)).ok_or_else(beyond)?;
            self.month = (year, month);
        }
        Ok(self.month)
    }
}

/// Values of one key in a batch: a number per row, and the folder name per number.
struct Codes {
    rows: Vec<u32>,
    names: Vec<String>,
}

impl Codes {
    fn of(key: Key, batch: &RecordBatch) -> Result<Self> {
        match key {
            Key::Year => Self::of_months(batch, |(year, _)| (year, format!("year={year}"))),
            Key::Month => Self::of_months(batch, |(_, month)| {
                // At most 12.
                let number = i32::try_from(month).unwrap_or_default();
                (number, format!("month={month}"))
            }),
            Key::Person | Key::DeviceSerial | Key::Kind => Self::of_texts(key, batch),
        }
    }

    fn of_months(batch: &RecordBatch, named: impl Fn((i32, u32)) -> (i32, String)) -> Result<Self> {
        let times: &TimestampMicrosecondArray = typed(batch, "local_time")?;
        let mut calendar = Calendar::default();
        let (mut codes, mut names) = (HashMap::new(), Vec::new());
        let mut last = None;
        let mut rows = Vec::with_capacity(times.len());
        for &time in times.values() {
            let month = calendar.month(time)?;
            let code = match last {
                Some((seen, code)) if seen == month => code,
                _ => {
                    let (number, name) = named(month);
                    *codes
                        .entry(number)
                        .or_insert_with(|| count(&mut names, name))
                }
            };
            last = Some((month, code));
            rows.push(code);
        }
        Ok(Self { rows, names })
    }

    fn of_texts(key: Key, batch: &RecordBatch) -> Result<Self> {
        let texts = Texts::of(batch, key.name())?;
        let (values, indices) = texts.parts();
        // Every text of a dictionary is looked up once; the last place is that of null.
        let mut known = vec![None; values.len() + 1];
        let (mut codes, mut names) = (HashMap::new(), Vec::new());
        let mut rows = Vec::with_capacity(texts.len());
        for row in 0..texts.len() {
            let index = match indices {
                None => Some(row),
                Some(indices) if indices.is_null(row) => None,
                Some(indices) => usize::try_from(indices.value(row)).ok(),
            };
            let place = &mut known[index.unwrap_or(values.len())];
            let code = match *place {
                Some(code) => code,
                None => match codes.entry(texts.get(row)) {
                    Entry::Occupied(code) => *code.get(),
                    Entry::Vacant(code) => {
                        let name = segment(key, *code.key())?;
                        *code.insert(count(&mut names, name))
                    }
                },
            };
            *place = Some(code);
            rows.push(code);
        }
        Ok(Self { rows, names })
    }
}

/// Adds a name and gives its number.
fn count(names: &mut Vec<String>, name: String) -> u32 {
    names.push(name);
    // As many as there are rows, of which a batch has fewer than 2^24.
    u32::try_from(names.len() - 1).unwrap_or(u32::MAX)
}

/// Parts readings by their partition, in their order.
///
/// # Errors
/// When they lack a column.
pub(crate) fn split(keys: &[Key], batch: &RecordBatch) -> Result<Vec<(Partition, RecordBatch)>> {
    let codes: Vec<Codes> = keys
        .iter()
        .map(|&key| Codes::of(key, batch))
        .collect::<Result<_>>()?;
    let mut parts: Vec<(Vec<u32>, Vec<u32>)> = Vec::new();
    let mut found: HashMap<Vec<u32>, usize> = HashMap::new();
    let mut last = None;
    for row in 0..batch.num_rows() {
        let same = |&part: &usize| {
            let mut both = codes.iter().zip(&parts[part].0);
            both.all(|(codes, code)| codes.rows[row] == *code)
        };
        let part = last.filter(same).unwrap_or_else(|| {
            let tuple: Vec<u32> = codes.iter().map(|codes| codes.rows[row]).collect();
            *found.entry(tuple.clone()).or_insert_with(|| {
                parts.push((tuple, Vec::new()));
                parts.len() - 1
            })
        });
        parts[part].1.push(u32::try_from(row).unwrap_or(u32::MAX));
        last = Some(part);
    }
    let named = |tuple: &[u32]| {
        let both = codes.iter().zip(tuple);
        Partition(
            both.map(|(codes, &code)| codes.names[code as usize].clone())
                .collect(),
        )
    };
    if let [(tuple, _)] = parts.as_slice() {
        return Ok(vec![(named(tuple), batch.clone())]);
    }
    let taken = parts.into_iter().map(|(tuple, rows)| {
        let rows = take_record_batch(batch, &UInt32Array::from(rows))?;
        Ok((named(&tuple), rows))
    });
    taken.collect()
}

#[cfg(test)]
mod tests;
