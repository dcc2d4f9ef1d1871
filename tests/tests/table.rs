//! Reads what sinks wrote, with readers of its own: CSV by RFC 4180, Parquet by its crate.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDateTime};
use glucopipe_sdk::schema::{Kind, column_named};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// One cell, the same whatever file it came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Text(String),
    Number(f64),
    Integer(i64),
    Time(NaiveDateTime),
    Bytes(Vec<u8>),
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A text, or null for none.
    pub(crate) fn maybe(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// The text of a text cell; empty for any other.
    pub(crate) fn str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }
}

/// A file that was read.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The cell of a row in a column.
    pub(crate) fn get(&self, row: usize, column: &str) -> &Cell {
        let at = self.columns.iter().position(|name| name == column);
        let at = at.unwrap_or_else(|| panic!("no column `{column}` in {:?}", self.columns));
        &self.rows[row][at]
    }

    /// The texts of a column.
    pub(crate) fn texts(&self, column: &str) -> Vec<&str> {
        (0..self.rows.len())
            .map(|row| self.get(row, column).str())
            .collect()
    }
}

/// Reads a CSV file of `reading/1`.
pub(crate) fn read_csv(path: &Path) -> Table {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    csv(&text)
}

/// Reads the text of a CSV file of `reading/1`.
pub(crate) fn csv(text: &str) -> Table {
    let mut records = records(text).into_iter();
    let head = records.next().expect("a header line");
    let columns: Vec<String> = head.into_iter().flatten().collect();
    let rows = records
        .map(|record| {
            assert_eq!(record.len(), columns.len(), "{record:?}");
            let cells = record.into_iter().zip(&columns);
            cells.map(|(cell, name)| typed(name, cell)).collect()
        })
        .collect();
    Table { columns, rows }
}

/// Splits a text into records of fields; a field of nothing at all is `None`.
fn records(text: &str) -> Vec<Vec<Option<String>>> {
    assert!(text.ends_with('\n') && !text.contains('\r') && !text.starts_with('\u{feff}'));
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut rest = text.chars().peekable();
    while rest.peek().is_some() {
        let mut field = None;
        if rest.next_if_eq(&'"').is_some() {
            let mut quoted = String::new();
            loop {
                match rest.next().expect("quotes are closed") {
                    '"' if rest.next_if_eq(&'"').is_some() => quoted.push('"'),
                    '"' => break,
                    other => quoted.push(other),
                }
            }
            field = Some(quoted);
        } else {
            while let Some(character) = rest.next_if(|next| !matches!(next, ',' | '\n')) {
                assert_ne!(character, '"', "a quote inside a bare field");
                field.get_or_insert_with(String::new).push(character);
            }
        }
        record.push(field);
        match rest.next() {
            Some(',') => {}
            Some('\n') => records.push(std::mem::take(&mut record)),
            other => panic!("{other:?} after a field"),
        }
    }
    records
}

fn typed(column: &str, cell: Option<String>) -> Cell {
    let kind = column_named(column)
        .unwrap_or_else(|| panic!("`{column}`"))
        .kind;
    let Some(text) = cell else { return Cell::Null };
    let parsed = match kind {
        Kind::Words | Kind::Text => Some(Cell::Text(text.clone())),
        Kind::Number => text.parse().ok().map(Cell::Number),
        Kind::Small | Kind::Integer => text.parse().ok().map(Cell::Integer),
        Kind::Civil => text.parse().ok().map(Cell::Time),
        Kind::Instant => {
            let instant = text.strip_suffix('Z');
            instant.and_then(|text| text.parse().ok()).map(Cell::Time)
        }
        Kind::Bytes => None,
    };
    parsed.unwrap_or_else(|| panic!("`{text}` in column `{column}`"))
}

/// The one file of a data set that one run wrote.
pub(crate) fn only_file(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder);
    let mut entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let only = entries.next().expect("a file").expect("an entry").path();
    assert!(entries.next().is_none(), "{} has more", folder.display());
    only
}

/// Reads a Parquet file, or a data set of one file; gives its metadata as well.
pub(crate) fn read_parquet(path: &Path) -> (Table, Vec<(String, String)>) {
    let path = if path.is_dir() {
        only_file(path)
    } else {
        path.to_owned()
    };
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    let metadata = metadata.into_iter().flatten().filter_map(|entry| {
        let value = entry.value.clone()?;
        Some((entry.key.clone(), value))
    });
    let metadata = metadata.collect();
    let schema = reader.schema().clone();
    let batches: Result<Vec<RecordBatch>, _> = reader.build().expect("a reader").collect();
    let batch = concat_batches(&schema, &batches.expect("batches")).expect("one batch");
    let columns: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut rows = vec![Vec::new(); batch.num_rows()];
    for column in batch.columns() {
        for (row, cell) in rows.iter_mut().zip(cells(column)) {
            row.push(cell);
        }
    }
    (Table { columns, rows }, metadata)
}

fn cells(column: &dyn Array) -> Vec<Cell> {
    let as_type = |wanted: &DataType| cast(column, wanted).expect("a cast");
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let all: Vec<Cell> = match column.data_type() {
        DataType::Timestamp(..) => {
            let array = as_type(&micros);
            let times = array.as_primitive::<TimestampMicrosecondType>();
            let time = |&micros: &i64| DateTime::from_timestamp_micros(micros).expect("a time");
            let values = times.values().iter();
            values.map(|us| Cell::Time(time(us).naive_utc())).collect()
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            values.iter().map(|&value| Cell::Number(value)).collect()
        }
        DataType::Int16 | DataType::Int64 => {
            let array = as_type(&DataType::Int64);
            let values = array.as_primitive::<Int64Type>().values();
            values.iter().map(|&value| Cell::Integer(value)).collect()
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            let bytes = |row| Cell::Bytes(values.value(row).to_vec());
            (0..values.len()).map(bytes).collect()
        }
        _ => {
            let array = as_type(&DataType::Utf8);
            let texts = array.as_string::<i32>();
            let text = |row| match texts.is_valid(row) {
                true => Cell::text(texts.value(row)),
                false => Cell::Null,
            };
            (0..texts.len()).map(text).collect()
        }
    };
    let null = |row: usize| column.is_null(row);
    let both = all.into_iter().enumerate();
    both.map(|(row, cell)| if null(row) { Cell::Null } else { cell })
        .collect()
}

/// The reader reads what RFC 4180 says.
#[test]
fn fields_are_read_by_the_book() {
    let text = "a,\"b\"\"c\",\n\"\",\"x,\ny\",z\n";
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        vec![some("a"), some("b\"c"), None],
        vec![some(""), some("x,\ny"), some("z")],
    ];
    assert_eq!(records(text), expected);
}
